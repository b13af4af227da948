// @ts-check
/**
 * BlueZ for the programs that run inside the lab: its emulator, its daemon and its tools, each awaited until it is really there.
 * The machine is emulated and slow, so nothing here counts on time; the limits only end what hangs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const patienceMs = 30_000;

/**
 * Waits until a condition holds.
 *
 * @template T
 * @param {string} what named in the error
 * @param {() => T | undefined | false | Promise<T | undefined | false>} condition
 * @param {number} [timeoutMs]
 * @returns {Promise<T>}
 */
export async function until(what, condition, timeoutMs = patienceMs) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await delay(50);
  }
}

/**
 * Runs a function and disposes of what it took into use, the last first, however it ends. (Node 20 does not know `await using`.)
 *
 * @template T
 * @param {(use: <R extends AsyncDisposable>(resource: R) => R) => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function scope(body) {
  /** @type {AsyncDisposable[]} */
  const used = [];
  /** @type {unknown[]} */
  const errors = [];
  /** @type {T | undefined} */
  let result;
  try {
    result = await body((resource) => {
      used.push(resource);
      return resource;
    });
  } catch (error) {
    errors.push(error);
  }
  for (const resource of used.reverse()) {
    try {
      await resource[Symbol.asyncDispose]();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join("; and then "));
  if (errors.length > 0) throw errors[0];
  return /** @type {T} */ (result);
}

/** The emulator ended by itself: a failure of the lab, not of what uses it. */
export class EmulatorCrash extends Error {}

/** A program in the background whose output can be waited for. */
export class Program {
  /** @type {import("node:child_process").ChildProcessWithoutNullStreams} */
  #process;
  #name;
  #output = "";
  #read = 0;
  /** @type {number | undefined} */
  #status;
  #signal = "";

  /**
   * @param {string} command
   * @param {string[]} args
   * @param {{ quiet?: boolean }} [options] quiet: do not repeat its output on stderr
   */
  constructor(command, args = [], { quiet = false } = {}) {
    this.#name = command;
    this.#process = spawn(command, args, { stdio: "pipe" });
    this.#process.stdin.on("error", () => undefined); // a program that is gone; its exit is reported by expect()
    const reader = () => {
      let rest = "";
      return (/** @type {string} */ piece) => {
        // The end of a piece may be the beginning of a decoration.
        const raw = rest + piece;
        const whole = raw.search(begunDecoration);
        rest = whole < 0 ? "" : raw.slice(whole);
        const text = plain(whole < 0 ? raw : raw.slice(0, whole));
        this.#output += text;
        if (!quiet) process.stderr.write(text.replace(/^(?=.)/gm, `${basename(command)}: `));
      };
    };
    this.#process.stdout.setEncoding("utf8").on("data", reader());
    this.#process.stderr.setEncoding("utf8").on("data", reader());
    this.#process.once("error", (error) => reader()(`${error.message}\n`));
    this.#process.once("close", (code, signal) => {
      this.#status = code ?? (signal === null ? 1 : 128);
      this.#signal = signal ?? "";
    });
  }

  /** Everything it has said so far, without colours. */
  get output() {
    return this.#output;
  }

  /** How it ended, in words; undefined while it runs. */
  get end() {
    return this.#status === undefined ? undefined : this.#signal || `status ${this.#status}`;
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    this.#process.kill(signal);
  }

  /** @param {string} line */
  send(line) {
    this.#process.stdin.write(`${line}\n`);
  }

  /**
   * Waits for output that no earlier call has taken, and takes it and everything before it.
   *
   * @param {RegExp} pattern
   * @param {{ timeoutMs?: number, failure?: RegExp }} [options] failure: words that end the waiting at once
   * @returns {Promise<RegExpExecArray>}
   */
  async expect(pattern, { timeoutMs = patienceMs, failure } = {}) {
    return until(
      `${pattern} from ${this.#name}`,
      () => {
        const unread = this.#output.slice(this.#read);
        const found = pattern.exec(unread);
        if (found) {
          this.#read += found.index + found[0].length;
          return found;
        }
        const failed = failure?.exec(unread);
        if (failed) throw new Error(`${this.#name} said "${failed[0]}" instead of ${pattern}`);
        if (this.#status !== undefined)
          throw new Error(`${this.#name} ended with status ${this.#status} before it said ${pattern}: ${unread.slice(-1000)}`);
        return undefined;
      },
      timeoutMs,
    );
  }

  /**
   * Waits for words in everything it has said so far, and takes nothing.
   *
   * @param {RegExp} pattern
   */
  async waitFor(pattern) {
    return until(`${pattern} from ${this.#name}`, () => {
      const found = pattern.exec(this.#output);
      if (found) return found;
      if (this.#status !== undefined)
        throw new Error(`${this.#name} ended with status ${this.#status} before it said ${pattern}: ${this.#output}`);
      return undefined;
    });
  }

  /** Waits until it has ended by itself. Returns its exit status. */
  async ended(timeoutMs = patienceMs) {
    return until(`the end of ${this.#name}`, () => this.#status, timeoutMs);
  }

  async [Symbol.asyncDispose]() {
    if (this.#status !== undefined) return;
    const closed = once(this.#process, "close");
    this.#process.kill("SIGTERM");
    const forced = setTimeout(() => this.#process.kill("SIGKILL"), 2_000);
    await closed;
    clearTimeout(forced);
  }
}

/**
 * Starts the emulator with two linked controllers, hci0 and hci1; they are gone once the result is disposed of, which throws `EmulatorCrash`
 * where the emulator has ended before.
 *
 * @param {{ leOnly?: boolean }} [options] leOnly: without BR/EDR and without the extended commands, so that the kernel scans with the legacy
 *   ones. The emulator hands a legacy advertisement to an extended scanner only in the moment in which advertising is enabled.
 * @returns {Promise<AsyncDisposable>}
 */
export async function startEmulator({ leOnly = false } = {}) {
  const emulator = new Program("btvirt", [...(leOnly ? ["-L"] : []), "-l2"]);
  await adapterPresent(0);
  await adapterPresent(1);
  let disposed = false;
  return {
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      if (emulator.end !== undefined) throw new EmulatorCrash(`btvirt ended by itself: ${emulator.end}`);
      await emulator[Symbol.asyncDispose]();
      await until("the end of hci0 and hci1", () => ![0, 1].some((index) => existsSync(`/sys/class/bluetooth/hci${index}`)));
    },
  };
}

/** @param {number} index */
export async function adapterPresent(index) {
  await until(`hci${index}`, () => existsSync(`/sys/class/bluetooth/hci${index}`));
}

/** Removes every bond and everything else that bluetoothd keeps. Only inside the lab, where the folder is the machine's own. */
export async function forgetBonds() {
  if (!existsSync("/run/lab/run")) throw new Error("this runs inside the lab only: node lab/run.mjs -- node ...");
  const folder = "/var/lib/bluetooth";
  for (const entry of await readdir(folder)) await rm(join(folder, entry), { recursive: true });
}

/**
 * Starts the system bus and bluetoothd, which powers every adapter on that it finds.
 *
 * @param {string[]} [args] for bluetoothd
 * @returns {Promise<Program>}
 */
export async function startDaemon(args = []) {
  await mkdir("/run/dbus", { recursive: true });
  if (!existsSync("/run/dbus/system_bus_socket")) await run("dbus-daemon", ["--system", "--fork", "--nopidfile"]);
  const path = ["/usr/libexec/bluetooth/bluetoothd", "/usr/sbin/bluetoothd"].find((file) => existsSync(file));
  const daemon = new Program(path ?? "bluetoothd", ["-n", ...args]);
  await daemon.expect(/Bluetooth management interface [\d.]+ initialized/);
  return daemon;
}

/**
 * Waits until an adapter has all of these settings and none of those with an exclamation mark before them.
 *
 * @param {number} index
 * @param {string[]} settings as btmgmt names them: powered, le, !bondable …
 */
export async function adapterHas(index, settings) {
  await until(`${settings.join(" ")} of hci${index}`, async () => {
    const current = await adapterSettings(index);
    return settings.every((setting) => (setting.startsWith("!") ? !current.includes(setting.slice(1)) : current.includes(setting)));
  });
}

/**
 * The settings of an adapter that are on; none when it is not there or taken by somebody.
 *
 * @param {number} index
 */
export async function adapterSettings(index) {
  const text = await btmgmt(index, ["info"]);
  return (/current settings: (.*)/.exec(text)?.[1] ?? "").trim().split(/\s+/);
}

/**
 * One btmgmt command. Returns what it printed.
 *
 * @param {number} index
 * @param {string[]} args
 */
export async function btmgmt(index, args) {
  // btmgmt ends at once when its standard input does; with one that stays open it ends when the command is done.
  return scope(async (use) => {
    const program = use(new Program("btmgmt", ["--index", String(index), ...args], { quiet: true }));
    await program.ended();
    return program.output;
  });
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {string[]} args
 */
export async function run(command, args) {
  return scope(async (use) => {
    const program = use(new Program(command, args, { quiet: true }));
    const status = await program.ended();
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${status}: ${program.output.trim()}`);
    return program.output;
  });
}

const begunDecoration = new RegExp(`${String.fromCharCode(27)}(\\[[\\d;?]*)?$`);
// Colours and cursor movements, and the marks of a line editor.
const decoration = new RegExp(`${String.fromCharCode(27)}\\[[\\d;?]*[A-Za-z]|[\r${String.fromCharCode(1, 2)}]`, "g");

/** @param {string} text */
function plain(text) {
  return text.replace(decoration, "");
}
