import { close, constants, createReadStream, fstat, open, read, type Stats } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

const [openFile, statFile, readFile, closeFile] = [promisify(open), promisify(fstat), promisify(read), promisify(close)];

/**
 * Reads a small file, or a pipe to its end. A pipe that nobody writes to is waited for until `signal` aborts: it is not opened as files are, for
 * a call that waits within the system is reached by no signal and keeps the process from ending.
 *
 * @param check is given what the system says of the file before it is read
 * @throws the system's error · what `check` throws · `signal.reason` · {RangeError} more than `maxOctets`
 */
export async function readInput(
  path: string,
  { signal, maxOctets, check }: { signal: AbortSignal; maxOctets: number; check?: (stats: Stats) => void },
): Promise<Uint8Array> {
  signal.throwIfAborted();
  const fd = await openFile(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  let isOurs = true;
  try {
    const stats = await statFile(fd);
    check?.(stats);
    if (!stats.isFIFO()) return await readWhole(fd, maxOctets, stats.isFile() ? stats.size : 0);
    isOurs = false;
    return await readPipe(fd, signal, maxOctets);
  } finally {
    if (isOurs) await closeFile(fd);
  }
}

/** @param expected octets that the system tells of it */
async function readWhole(fd: number, maxOctets: number, expected: number): Promise<Uint8Array> {
  if (expected > maxOctets) throw tooLong(maxOctets);
  let octets = new Uint8Array(Math.max(expected, 4096) + 1);
  for (let length = 0; ; ) {
    const { bytesRead } = await readFile(fd, octets, length, octets.length - length, null);
    if (bytesRead === 0) return octets.slice(0, length);
    length += bytesRead;
    if (length > maxOctets) throw tooLong(maxOctets);
    if (length < octets.length) continue;
    const longer = new Uint8Array(2 * length);
    longer.set(octets);
    octets = longer;
  }
}

/** The same as a stream, of any length. The system's error comes before there is one. */
export async function openInput(path: string, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted();
  const fd = await openFile(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  let isPipe: boolean;
  try {
    isPipe = (await statFile(fd)).isFIFO();
  } catch (error) {
    await closeFile(fd);
    throw error;
  }
  return isPipe ? new Socket({ fd, readable: true, writable: false, signal }) : createReadStream(path, { fd, signal });
}

/** The event loop waits for it. The descriptor is closed in the end. */
async function readPipe(fd: number, signal: AbortSignal, maxOctets: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const socket = new Socket({ fd, readable: true, writable: false, signal });
  try {
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxOctets) throw tooLong(maxOctets);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    socket.destroy();
  }
  return Buffer.concat(chunks);
}

const tooLong = (maxOctets: number): RangeError => new RangeError(`longer than ${maxOctets} octets`);
