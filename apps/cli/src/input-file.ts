import { type BigIntStats, close, constants, createReadStream, fstat, fstatSync, open, read, type Stats } from "node:fs";
import { stat as statPath } from "node:fs/promises";
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

/**
 * Whether both are one file, by whatever names: links, or a path and what standard input was opened from. What is not there is none.
 *
 * @param from a path, or "-" for standard input
 */
export async function isSameFile(from: string, path: string): Promise<boolean> {
  const found = async (place: string): Promise<BigIntStats | undefined> => {
    try {
      return place === "-" ? fstatSync(0, { bigint: true }) : await statPath(place, { bigint: true });
    } catch {
      return undefined; // who opens it says why it cannot be
    }
  };
  const [one, other] = [await found(from), await found(path)];
  return one?.isFile() === true && other?.isFile() === true && one.dev === other.dev && one.ino === other.ino;
}

/** The event loop waits for it. The descriptor is closed in the end. */
async function readPipe(fd: number, signal: AbortSignal, maxOctets: number): Promise<Uint8Array> {
  const socket = new Socket({ fd, readable: true, writable: false, signal });
  try {
    return await gather(socket, maxOctets);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    socket.destroy();
  }
}

/** All of what comes. @throws {RangeError} more than `maxOctets` · what the chunks throw */
export async function gather(chunks: AsyncIterable<Uint8Array>, maxOctets: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length > maxOctets) throw tooLong(maxOctets);
  }
  return Buffer.concat(parts);
}

const tooLong = (maxOctets: number): RangeError => new RangeError(`longer than ${maxOctets} octets`);
