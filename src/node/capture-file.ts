import { constants, createWriteStream, open } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import { type Clock, delay, onAbort, SystemClock } from "../async/index.ts";
import type { CaptureFormat } from "../capture/capture-reader.ts";
import { type CaptureSink, CaptureWriter, type CaptureWriterOptions } from "../capture/capture-writer.ts";
import { FileError } from "./private-file.ts";

export interface CaptureFileOptions extends CaptureWriterOptions {
  /** Default: by the file's ending, pcapng for `.pcapng`, pcap for `.pcap`, btsnoop for every other. */
  readonly format?: CaptureFormat | undefined;
  /** Octets that may wait for the disk; packets beyond are dropped and counted. Default 64 MiB. */
  readonly queueBytes?: number | undefined;
  /** Ends the wait for somebody who reads a named pipe, and, one second later, for one who does not read on. */
  readonly signal?: AbortSignal | undefined;
  /** Of these waits; real time where it is left out. */
  readonly clock?: Clock | undefined;
}

type Waiting = { readonly clock: Clock } & Pick<CaptureFileOptions, "signal">;

const QUEUE_BYTES = 64 * 1024 * 1024;
/** How often a named pipe is tried that nobody reads yet. */
const RETRY_MS = 50;
/** How long the reader of a pipe may take over what is left once nobody wants to wait. */
const LAST_CHANCE_MS = 1000;
const openFile = promisify(open);

/**
 * Opens a capture for writing; what was in the file is gone. Only its owner may read it: a capture holds what was said, even
 * without the keys.
 *
 * @throws {FileError} it cannot be written
 */
export async function openCaptureFile(
  path: string,
  { queueBytes = QUEUE_BYTES, format = captureFormatOf(path), signal, clock = new SystemClock(), ...options }: CaptureFileOptions = {},
): Promise<CaptureWriter> {
  let stream: Writable;
  try {
    stream = await openStream(path, { clock, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw failed(path, error);
  }
  let fault: unknown;
  stream.on("error", (error) => {
    fault ??= error;
  });
  const sink: CaptureSink = {
    write: (chunk) => {
      if (fault !== undefined || stream.writableLength + chunk.length > queueBytes) return false;
      stream.write(chunk);
      return true;
    },
    close: async (last) => {
      try {
        if (fault === undefined) {
          if (last) stream.write(last);
          stream.end();
          using _ = stream instanceof Socket ? impatience(stream, { clock, signal }) : undefined;
          await finished(stream);
        }
      } catch (error) {
        fault ??= error;
      }
      if (fault !== undefined) throw failed(path, fault);
    },
  };
  return new CaptureWriter(sink, { ...options, format });
}

async function openStream(path: string, { clock, signal }: Waiting): Promise<Writable> {
  if (await isPipe(path)) return await openPipe(path, { clock, signal });
  return createWriteStream(path, { fd: await openFile(path, "w", 0o600) });
}

async function isPipe(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFIFO();
  } catch {
    return false; // it is made, or opening it says why not
  }
}

/**
 * A pipe is neither opened nor written by calls that wait within the system for its other end: no signal reaches those, and they keep the
 * process from ending.
 */
async function openPipe(path: string, { clock, signal }: Waiting): Promise<Socket> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return new Socket({ fd: await openFile(path, constants.O_WRONLY | constants.O_NONBLOCK), readable: false, writable: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
    }
    await delay(clock, RETRY_MS, { signal }); // nobody reads it
  }
}

/** Gives the reader of a pipe up some time after `signal` has aborted. */
function impatience(stream: Socket, { clock, signal }: Waiting): Disposable {
  let timer: Disposable | undefined;
  const begin = (): void => {
    timer = clock.setTimer(LAST_CHANCE_MS, "reader of the capture", () => stream.destroy(new Error("nobody reads on")));
  };
  if (signal?.aborted) begin();
  const listener = onAbort(signal, begin);
  return {
    [Symbol.dispose]: () => {
      timer?.[Symbol.dispose]();
      listener[Symbol.dispose]();
    },
  };
}

/** The format that a file's ending asks for. */
export function captureFormatOf(path: string): CaptureFormat {
  const ending = /\.(pcapng|pcap)$/i.exec(path)?.[1]?.toLowerCase();
  return (ending as "pcapng" | "pcap" | undefined) ?? "btsnoop";
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "there is no such folder",
  EISDIR: "it is a folder",
  EPIPE: "nobody reads the pipe any more",
  ENXIO: "nothing takes it there",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
};

function failed(path: string, error: unknown): FileError {
  const { code } = error as { code?: string };
  const why = (code && REASONS[code]) ?? code ?? (error instanceof Error ? error.message : String(error));
  return new FileError(path, "io", `the capture ${path} cannot be written: ${why}`, { cause: error });
}
