// @ts-check
/**
 * A management client in a process of its own, driven by lines of JSON: [id, method, ...arguments] asks, {id, returns} or {id, error}
 * answers, {event} tells of an event. It ends with its standard input. `startMgmtProgram` starts one.
 */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Program } from "./bluez.mjs";

/** @param {unknown} value */
const json = (value) =>
  JSON.stringify(value, (_, part) => {
    if (typeof part === "bigint") return part.toString();
    return part instanceof Uint8Array ? Buffer.from(part).toString("hex") : part;
  });

async function main() {
  const { openMgmt } = await import("jelling/mgmt");
  const mgmt = await openMgmt();
  const methods = /** @type {Record<string, Function>} */ (/** @type {unknown} */ (mgmt));
  const say = (/** @type {unknown} */ value) => void process.stdout.write(`${json(value)}\n`);
  mgmt.on("event", (event) => say({ event }));
  say({ ready: true });
  /** @type {Promise<void>[]} */
  const asked = [];
  for await (const line of createInterface(process.stdin)) {
    const [id, method, ...args] = JSON.parse(line);
    asked.push(
      methods[method]?.call(mgmt, ...args).then(
        (/** @type {unknown} */ returns) => say({ id, returns }),
        (/** @type {Record<string, unknown>} */ { code, statusName, message }) => say({ id, error: { code, statusName, message } }),
      ),
    );
  }
  await Promise.allSettled(asked);
  await mgmt[Symbol.asyncDispose]();
}

/** A program of that kind, seen from the one that drives it. */
export class MgmtProgram {
  #program;
  #last = 0;

  /** @param {Program} program */
  constructor(program) {
    this.#program = program;
  }

  /**
   * @param {string} method of the client
   * @param {unknown[]} args
   * @returns {Promise<any>} what it returned
   * @throws what it was rejected with: `code`, `statusName`, `message`
   */
  async call(method, ...args) {
    const id = ++this.#last;
    this.#program.send(JSON.stringify([id, method, ...args]));
    const [text] = await this.#program.waitFor(new RegExp(`^\\{"id":${id},.*\\}$`, "m"));
    const { returns, error } = JSON.parse(text);
    if (error) throw Object.assign(new Error(error.message), error);
    return returns;
  }

  /** Events so far, the first first. @returns {Record<string, any>[]} */
  get events() {
    return [...this.#program.output.matchAll(/^\{"event":(\{.*\})\}$/gm)].map(([, event = ""]) => JSON.parse(event));
  }

  [Symbol.asyncDispose]() {
    return this.#program[Symbol.asyncDispose]();
  }
}

/**
 * @param {{ privileged?: boolean }} [options] privileged: false takes every capability away
 */
export async function startMgmtProgram({ privileged = true } = {}) {
  const node = [process.execPath, fileURLToPath(import.meta.url)];
  const [command = "", ...args] = privileged ? node : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...node];
  const program = new Program(command, args, { quiet: true });
  await program.waitFor(/^\{"ready":true\}$/m);
  return new MgmtProgram(program);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
