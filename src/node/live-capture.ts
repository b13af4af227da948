import { execFile, spawn } from "node:child_process";
import { constants, open, rmSync } from "node:fs";
import { mkdtemp, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { promisify } from "node:util";
import { type Clock, delay, SystemClock } from "../async/index.ts";
import { type CaptureSink, CaptureWriter, type CaptureWriterOptions } from "../capture/capture-writer.ts";
import { FileError } from "./private-file.ts";

export interface LiveCaptureOptions extends Omit<CaptureWriterOptions, "format"> {
  /** Octets that may wait for the reader; packets beyond are dropped and counted. Default 64 MiB. */
  readonly queueBytes?: number | undefined;
  /** Ends the wait for somebody who reads the pipe. */
  readonly signal?: AbortSignal | undefined;
  /** Of the waits; real time where it is left out. */
  readonly clock?: Clock | undefined;
  /** Is told, in a sentence, where the capture can be read. */
  readonly tell?: ((sentence: string) => void) | undefined;
  /** What is started in Wireshark's place: it is called with `-k -i -` and gets the capture at its standard input. */
  readonly program?: string | undefined;
}

const QUEUE_BYTES = 64 * 1024 * 1024;
/** How often a pipe is tried that nobody reads yet. */
const RETRY_MS = 50;
/** How long the reader may take over what is left. */
const LAST_CHANCE_MS = 1000;
const openFile = promisify(open);
const run = promisify(execFile);

/** Whether `--capture` and the like mean somebody who looks on, and no file. */
export function isLiveCapture(where: string): boolean {
  return where === "wireshark" || where.startsWith("pipe:");
}

/**
 * Shows a capture, in pcapng, to somebody who looks on: each packet is handed on at once. Where the reader goes the capture is over
 * (`isOver`), and nothing else.
 *
 * @param where "wireshark" starts it; where it is not installed, and for "pipe:", a named pipe is made, for "pipe:PATH" at that place. A pipe
 *   is waited for until somebody reads it, so that the beginning is not missed.
 * @throws {FileError} no pipe can be made there
 * @throws `signal.reason` once `signal` aborts
 */
export async function openLiveCapture(where: string, options: LiveCaptureOptions = {}): Promise<CaptureWriter> {
  const { queueBytes = QUEUE_BYTES, signal, clock = new SystemClock(), tell, program = "wireshark", ...writing } = options;
  signal?.throwIfAborted();
  let stream = where === "wireshark" ? await startReader(program) : undefined;
  if (!stream) {
    const path = where.startsWith("pipe:") ? where.slice("pipe:".length) : "";
    const why = where === "wireshark" ? `${program} is not installed here; ` : "";
    stream = await openPipe(path, {
      clock,
      signal,
      tell: (pipe) => tell?.(`${why}wireshark -k -i ${pipe} shows the capture, and this goes on`),
    });
  }
  return new CaptureWriter(liveSink(stream, queueBytes, clock), { ...writing, format: "pcapng" });
}

/** Its standard input; `undefined` where there is no such program. It stays when this process ends. */
function startReader(program: string): Promise<Writable | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, ["-k", "-i", "-"], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    child.once("error", () => resolve(undefined));
    child.once("spawn", () => {
      child.unref();
      resolve(child.stdin);
    });
    child.stdin.on("error", () => undefined); // told to the sink, once there is one
    child.once("exit", () => child.stdin.destroy());
  });
}

/** @param path where the pipe is, or is to be made; "" for a place of its own */
async function openPipe(
  path: string,
  { clock, signal, tell }: { clock: Clock; signal: AbortSignal | undefined; tell: (path: string) => void },
): Promise<Writable> {
  const folder = path === "" ? await mkdtemp(join(tmpdir(), "jelling-")) : undefined;
  const pipe = folder ? join(folder, "capture") : path;
  const isOurs = await makePipe(pipe);
  try {
    tell(pipe);
    for (;;) {
      signal?.throwIfAborted();
      try {
        // Not by a call that waits within the system for its other end: no signal reaches those.
        return new Socket({ fd: await openFile(pipe, constants.O_WRONLY | constants.O_NONBLOCK), readable: false, writable: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw failed(pipe, error);
      }
      await delay(clock, RETRY_MS, { signal });
    }
  } finally {
    // Who reads it has it open.
    if (isOurs) rmSync(folder ? dirname(pipe) : pipe, { recursive: true, force: true });
  }
}

/** @returns whether it was made here @throws {FileError} it is something else, or cannot be made */
async function makePipe(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  if (there?.isFIFO()) return false;
  if (there) throw new FileError(path, "io", `the capture ${path} cannot be shown: it is no pipe`);
  try {
    await run("mkfifo", ["-m", "600", path]);
    return true;
  } catch (error) {
    throw failed(path, error);
  }
}

function failed(path: string, error: unknown): FileError {
  const { code, stderr } = error as { code?: unknown; stderr?: string };
  const why = code === "ENOENT" ? "this system has no named pipes" : (stderr?.trim().split(": ").at(-1) || String(code)).toLowerCase();
  return new FileError(path, "io", `the capture ${path} cannot be shown: ${why}`, { cause: error });
}

function liveSink(stream: Writable, queueBytes: number, clock: Clock): CaptureSink {
  let isOver = stream.destroyed;
  let isClosing = false;
  const end = (): void => {
    isOver ||= !isClosing;
  };
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  stream.on("error", end);
  stream.on("close", end);
  return {
    get isOver() {
      return isOver;
    },
    write: (chunk) => {
      if (isOver || stream.writableLength + chunk.length > queueBytes) return false;
      stream.write(chunk);
      return true;
    },
    close: async (last) => {
      if (stream.destroyed) return;
      isClosing = true;
      if (last) stream.write(last);
      stream.end();
      using _ = clock.setTimer(LAST_CHANCE_MS, "reader of the capture", () => stream.destroy());
      await closed;
    },
  };
}
