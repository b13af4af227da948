// @ts-check
/** What the kernel and BlueZ say to a controller, as BlueZ's monitor sees it. */
import { existsSync, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { CaptureDecoder, readBtsnoop } from "jelling/capture";
import { openCaptureFile } from "jelling/node";
import { Program, until } from "./bluez.mjs";

/**
 * Captures the HCI packets of one adapter until the result is disposed of; the file is there afterwards. The monitor's records of
 * management commands and log lines are left out: tshark knows only a few of them and complains of the others.
 *
 * @param {number} index
 * @param {string} path
 * @returns {Promise<AsyncDisposable>}
 */
export async function startMonitor(index, path) {
  const raw = `${path}.monitor`;
  await rm(raw, { force: true });
  const monitor = new Program("btmon", ["--index", String(index), "--write", raw], { quiet: true });
  // It buffers what it prints, but not what it captures: a header of 16 octets, then what the kernel says of its adapters.
  await until(`records in ${raw}`, () => existsSync(raw) && statSync(raw).size > 16);
  const finish = async () => {
    await monitor[Symbol.asyncDispose]();
    const file = await openCaptureFile(path, { epochMs: 0, secrets: true });
    for (const { direction, packet, timeMs } of readBtsnoop(await readFile(raw))) file.write(direction, packet, timeMs);
    await file.close();
    await rm(raw);
  };
  /** @type {Promise<void> | undefined} */
  let finished;
  return { [Symbol.asyncDispose]: () => (finished ??= finish()) };
}

/**
 * The packets of a capture, decoded.
 *
 * @param {string} path
 */
export async function decodedCapture(path) {
  const decoder = new CaptureDecoder();
  return readBtsnoop(await readFile(path)).map((record) => ({ ...decoder.decode(record), octets: record.packet }));
}
