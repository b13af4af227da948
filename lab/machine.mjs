// @ts-check
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { LabError } from "./error.mjs";

/** An emulated machine comes up in 4 s, on a busy computer in 15; one that takes longer has hung. */
const bootTimeoutMs = 60_000;

/** The console's last lines are kept for the message of a machine that did not come up. */
const consoleTail = 16_384;

/**
 * @typedef {object} Machine
 * @property {string} kernel
 * @property {string} initramfs
 * @property {{ tag: string, path: string, readonly: boolean }[]} shares folders of the host that the guest mounts over 9p
 * @property {number} timeoutMs for the whole run
 * @property {AbortSignal | undefined} signal
 * @property {(bytes: Uint8Array) => void} onStdout
 * @property {(bytes: Uint8Array) => void} onStderr
 * @property {((bytes: Uint8Array) => void) | undefined} onConsole the kernel's messages
 */

/**
 * Runs a machine from power on to power off.
 *
 * @param {Machine} machine
 * @returns {Promise<{ status: number, bootMs: number }>} the exit status that the guest reports, and when its first command began
 * @throws {LabError} the machine did not come up, crashed, or ran into the timeout; no process is left behind
 */
export async function runMachine(machine) {
  machine.signal?.throwIfAborted();
  const started = performance.now();
  // stdin, stdout (unused), QEMU's own messages, console, control, stdout and stderr of the guest. Node's pipes are sockets,
  // which QEMU takes over by their number.
  const qemu = spawn(...untilParentEnds("qemu-system-x86_64", qemuArguments(machine)), {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
  });
  const [complaints, console_, control, stdout, stderr] = /** @type {import("node:stream").Readable[]} */ (qemu.stdio.slice(2));

  /** @type {number | undefined} */
  let status;
  /** @type {number | undefined} */
  let bootMs;
  /** @type {unknown} */
  let stopped;
  let said = "";
  let tail = "";
  /** @param {unknown} why */
  const stop = (why) => {
    stopped ??= why;
    qemu.kill("SIGKILL");
  };
  const onAbort = () => stop(machine.signal?.reason);
  machine.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => stop(new LabError("ERR_LAB_TIMEOUT", `The lab was ended after ${machine.timeoutMs / 1000} s.${report(tail)}`)),
    machine.timeoutMs,
  );
  const bootTimer = setTimeout(
    () => stop(new LabError("ERR_LAB_NOT_UP", `The lab's machine did not come up in ${bootTimeoutMs / 1000} s.${report(tail)}`)),
    bootTimeoutMs,
  );

  const lines = createLineReader((line) => {
    const [word, ...rest] = line.split(" ");
    if (word === "ready") {
      bootMs = performance.now() - started;
      clearTimeout(bootTimer);
    }
    if (word === "exit") status = Number(rest[0]);
    if (word === "failed") stop(new LabError("ERR_LAB_NOT_UP", `The lab's machine did not come up: ${rest.join(" ")}.${report(tail)}`));
  });
  control?.on("data", (/** @type {Buffer} */ bytes) => lines(bytes.toString("latin1")));
  stdout?.on("data", machine.onStdout);
  stderr?.on("data", machine.onStderr);
  complaints?.on("data", (/** @type {Buffer} */ bytes) => {
    said = (said + bytes.toString()).slice(-consoleTail);
  });
  console_?.on("data", (/** @type {Buffer} */ bytes) => {
    tail = (tail + bytes.toString("latin1")).slice(-consoleTail);
    machine.onConsole?.(bytes);
  });

  try {
    const ended = await new Promise((resolve, reject) => {
      qemu.once("error", (cause) => reject(new LabError("ERR_LAB_UNAVAILABLE", `QEMU does not start: ${cause.message}.`, { cause })));
      qemu.once("close", (code, signal) => resolve(signal ?? code));
    });
    if (stopped !== undefined) throw stopped;
    if (status === undefined || bootMs === undefined) {
      const [code, stage] =
        bootMs === undefined
          ? /** @type {const} */ (["ERR_LAB_NOT_UP", "did not come up"])
          : /** @type {const} */ (["ERR_LAB_BOOT", "went down before the command was over"]);
      throw new LabError(code, `The lab's machine ${stage} (QEMU: ${ended}).${report(said)}${report(tail)}`);
    }
    return { status, bootMs };
  } finally {
    clearTimeout(timer);
    clearTimeout(bootTimer);
    machine.signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * TCG and not KVM: where virtualization is nested the guest hangs after the firmware.
 *
 * @param {Machine} machine
 */
function qemuArguments({ kernel, initramfs, shares }) {
  const port = (/** @type {number} */ nr, /** @type {number} */ fd) => [
    ["-chardev", `socket,id=port${nr},fd=${fd}`],
    ["-device", `virtserialport,chardev=port${nr},nr=${nr},name=lab${nr}`],
  ];
  const share = (/** @type {Machine["shares"][number]} */ { tag, path, readonly }) => [
    ["-fsdev", `local,id=${tag},path=${path.replaceAll(",", ",,")},security_model=none,multidevs=remap${readonly ? ",readonly=on" : ""}`],
    ["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
  return [
    ["-accel", "tcg,thread=multi,tb-size=512", "-machine", "q35,usb=off", "-cpu", "max", "-smp", "2", "-m", "2048"],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"],
    ["-kernel", kernel, "-initrd", initramfs],
    // panic=-1 and -no-reboot: a panic ends QEMU at once. A machine with one purpose needs no mitigations.
    ["-append", "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic reboot=t mitigations=off nokaslr random.trust_cpu=on"],
    ["-chardev", "socket,id=console,fd=3", "-serial", "chardev:console"],
    ["-device", "virtio-serial-pci,max_ports=4"],
    ...port(1, 4),
    ...port(2, 5),
    ...port(3, 6),
    ...shares.flatMap(share),
  ].flat();
}

/**
 * A killed parent takes its machine along: without this a SIGKILL would leave QEMU running for ever.
 *
 * @param {string} program
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
function untilParentEnds(program, args) {
  const setpriv = "/usr/bin/setpriv";
  return existsSync(setpriv) ? [setpriv, ["--pdeathsig", "KILL", "--", program, ...args]] : [program, args];
}

/** @param {(line: string) => void} onLine */
function createLineReader(onLine) {
  let rest = "";
  return (/** @type {string} */ text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  };
}

/**
 * The lines of a console worth showing: a crash from its beginning, else the end.
 *
 * @param {string} text
 */
function report(text) {
  const lines = text.replaceAll("\r", "").trim().split("\n");
  const crash = lines.findIndex((line) => /Kernel panic|BUG:|Oops:/.test(line));
  const shown = crash < 0 ? lines.slice(-40) : lines.slice(crash, crash + 40);
  return text.trim() ? `\n${shown.join("\n")}` : "";
}
