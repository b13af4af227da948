#!/usr/bin/env node
// @ts-check
import { existsSync, realpathSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LabError } from "./error.mjs";
import { busyboxPath, cacheFolder, hasKernel, prepareKernel } from "./kernel.mjs";
import { runMachine } from "./machine.mjs";

export { LabError };

/**
 * @typedef {object} LabOptions
 * @property {number} [timeoutMs] for the whole run, from power on; 120 000 when absent
 * @property {string[]} [writable] folders of the host that the command may write to; everything else it writes is gone at the end
 * @property {string} [cwd] where the command runs; the current folder when absent
 * @property {Record<string, string>} [env] beside PATH, HOME and LANG, which it always has
 * @property {AbortSignal} [signal]
 * @property {(bytes: Uint8Array) => void} [onStdout] gets the output as it comes, which is then not collected
 * @property {(bytes: Uint8Array) => void} [onStderr] likewise
 * @property {(bytes: Uint8Array) => void} [onConsole] gets the kernel's messages
 */

/**
 * @typedef {object} LabResult
 * @property {number} status exit status of the command; 128 + N when signal N ended it
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} bootMs from power on to the command
 */

/**
 * Runs a command as root inside a fresh machine with Debian's kernel, with the host's files visible.
 *
 * @param {string[]} command
 * @param {LabOptions} [options]
 * @returns {Promise<LabResult>}
 * @throws {LabError} the lab could not do its work; a command that fails is no error
 */
export async function runInLab(command, options = {}) {
  const { timeoutMs = 120_000, writable = [], cwd = process.cwd(), env = {}, signal, onStdout, onStderr, onConsole } = options;
  const { missing } = await labAvailable();
  if (missing.length > 0) {
    throw new LabError("ERR_LAB_UNAVAILABLE", `The kernel lab needs ${missing.map(({ what, fix }) => `${what} (${fix})`).join(", ")}.`);
  }
  const { kernel, initramfs } = await prepareKernel();
  const folders = writable.map((folder) => realpathSync(resolve(cwd, folder)));
  const odd = folders.find((folder) => /[\n\t]/.test(folder));
  if (odd !== undefined) throw new TypeError(`a writable folder's name must not have tabs or line ends: ${JSON.stringify(odd)}`);
  const stdout = collector(onStdout);
  const stderr = collector(onStderr);
  const job = await mkdtemp(join(tmpdir(), "jelling-lab-"));
  try {
    await writeFile(join(job, "run"), script(command, cwd, env));
    await writeFile(join(job, "writable"), folders.map((folder, i) => `writable${i}\t${folder}\n`).join(""));
    const { status, bootMs } = await untilUp({
      kernel,
      initramfs,
      timeoutMs,
      signal,
      onConsole,
      onStdout: stdout.take,
      onStderr: stderr.take,
      shares: [
        { tag: "root", path: "/", readonly: true },
        { tag: "job", path: job, readonly: true },
        ...folders.map((path, i) => ({ tag: `writable${i}`, path, readonly: false })),
      ],
    });
    return { status, bootMs, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    await rm(job, { recursive: true, force: true });
  }
}

/** Now and then the emulated kernel crashes or hangs while it starts; another start mends it, and the command has not begun by then. */
const mostStarts = 3;

/** @param {import("./machine.mjs").Machine} machine */
async function untilUp(machine) {
  for (let start = 1; ; start += 1) {
    try {
      return await runMachine(machine);
    } catch (error) {
      if (start === mostStarts || !(error instanceof LabError && error.code === "ERR_LAB_NOT_UP")) throw error;
      process.stderr.write(`kernel lab: the machine did not come up, started once more\n`);
    }
  }
}

/**
 * Whether the lab can run here. A test that needs it is left out when it cannot, and says why with `reason`.
 *
 * @returns {Promise<{ available: boolean, missing: { what: string, fix: string }[], reason: string }>}
 */
export async function labAvailable() {
  /** @type {{ what: string, fix: string }[]} */
  const missing = [];
  if (process.platform !== "linux" || process.arch !== "x64")
    missing.push({ what: "Linux on x86-64", fix: `this is ${process.platform} on ${process.arch}` });
  else {
    if (!findProgram("qemu-system-x86_64")) missing.push({ what: "QEMU", fix: "apt-get install qemu-system-x86" });
    if (!existsSync(busyboxPath)) missing.push({ what: "busybox", fix: "apt-get install busybox-static" });
    if (!findProgram("btvirt")) missing.push({ what: "btvirt", fix: "apt-get install bluez-test-tools" });
    if (!existsSync("/usr/sbin/bluetoothd") && !existsSync("/usr/libexec/bluetooth/bluetoothd"))
      missing.push({ what: "BlueZ", fix: "apt-get install bluez" });
    if (!(await hasKernel()) && !findProgram("apt-get"))
      missing.push({ what: `a Debian kernel in ${cacheFolder()}`, fix: "run it once on Debian" });
  }
  const reason = missing.length === 0 ? "" : `kernel lab left out: ${missing.map(({ what, fix }) => `no ${what} (${fix})`).join(", ")}`;
  return { available: missing.length === 0, missing, reason };
}

/** @param {string} name */
function findProgram(name) {
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some(
    (folder) => folder !== "" && existsSync(join(folder, name)),
  );
}

/**
 * The shell script that the guest runs.
 *
 * @param {string[]} command
 * @param {string} cwd
 * @param {Record<string, string>} env
 */
function script(command, cwd, env) {
  const path = [...new Set([...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])]
    .filter(Boolean)
    .join(":");
  const variables = Object.entries({ PATH: path, HOME: "/root", LANG: "C.UTF-8", JELLING_LAB: "1", ...env });
  const exports = variables.map(([name, value]) => {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new TypeError(`not a name for an environment variable: ${JSON.stringify(name)}`);
    return `export ${name}=${quote(value)}\n`;
  });
  return `${exports.join("")}cd ${quote(cwd)} || exit 125\n${command.map(quote).join(" ")}\n`;
}

/** @param {string} word */
function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** @param {((bytes: Uint8Array) => void) | undefined} sink */
function collector(sink) {
  /** @type {Uint8Array[]} */
  const parts = [];
  return { take: sink ?? ((/** @type {Uint8Array} */ bytes) => void parts.push(bytes)), text: () => Buffer.concat(parts).toString() };
}

const usage = `Usage: node lab/run.mjs [OPTION...] -- COMMAND [ARGUMENT...]

Runs COMMAND as root in a machine with Debian's kernel, BlueZ and the host's files, and returns its exit status.

  --timeout SECONDS   end the machine after this time (default 120; status 124)
  --writable FOLDER   let the command write to this folder of the host (may be repeated); other writes vanish
  --env NAME=VALUE    set a variable for the command (may be repeated)
  --verbose           show the kernel's messages and the time it took
  --check             say only whether the lab can run here, and what is missing (status 0 or 1)

Exit status: that of COMMAND; 124 timeout, 125 the lab itself failed, 2 wrong usage, 130 interrupted.
`;

/** @param {string[]} args */
async function main(args) {
  /** @type {ReturnType<typeof parse>} */
  let parsed;
  try {
    parsed = parse(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (parsed.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (parsed.check) {
    const { available, reason } = await labAvailable();
    process.stderr.write(available ? "" : `${reason}\n`);
    return available ? 0 : 1;
  }
  const interrupted = new AbortController();
  for (const name of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(name, () => interrupted.abort({ exitStatus: 128 + constants.signals[name] }));
  }
  const started = performance.now();
  try {
    const { status, bootMs } = await runInLab(parsed.command, {
      timeoutMs: parsed.timeoutMs,
      writable: parsed.writable,
      env: parsed.env,
      signal: interrupted.signal,
      onStdout: (bytes) => void process.stdout.write(bytes),
      onStderr: (bytes) => void process.stderr.write(bytes),
      ...(parsed.verbose && { onConsole: (/** @type {Uint8Array} */ bytes) => void process.stderr.write(bytes) }),
    });
    const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(1)} s`;
    if (parsed.verbose) process.stderr.write(`kernel lab: booted in ${seconds(bootMs)}, done in ${seconds(performance.now() - started)}\n`);
    return status;
  } catch (error) {
    if (interrupted.signal.aborted) return interrupted.signal.reason.exitStatus;
    process.stderr.write(
      `${error instanceof LabError || error instanceof TypeError ? error.message : error instanceof Error ? error.stack : error}\n`,
    );
    return error instanceof LabError && error.code === "ERR_LAB_TIMEOUT" ? 124 : 125;
  }
}

/** @param {string[]} args */
function parse(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      timeout: { type: "string", default: "120" },
      writable: { type: "string", multiple: true, default: [] },
      env: { type: "string", multiple: true, default: [] },
      verbose: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new TypeError(`--timeout needs a number of seconds, got ${JSON.stringify(values.timeout)}`);
  for (const folder of values.writable) if (!existsSync(folder)) throw new TypeError(`--writable: there is no folder ${folder}`);
  const env = Object.fromEntries(
    values.env.map((item) => {
      const at = item.indexOf("=");
      if (at < 1) throw new TypeError(`--env needs NAME=VALUE, got ${JSON.stringify(item)}`);
      return [item.slice(0, at), item.slice(at + 1)];
    }),
  );
  const { verbose, check, help } = values;
  if (positionals.length === 0 && !help && !check) throw new TypeError("no command given");
  return { command: positionals, timeoutMs, env, writable: values.writable, verbose, check, help };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
