import { readFileSync } from "node:fs";
import type { Io, Questions, StopReason, TextSink } from "./io.ts";
import { writeAtOnce } from "./write-at-once.ts";

/**
 * @param open gives the stream; called when it is needed, since a stream of Node takes its time, and most commands need one
 * @param descriptor to write to without the stream for as long as nobody asks what it is
 */
function sinkOf(open: () => NodeJS.WriteStream, onGone: (reason: StopReason, fault?: Error) => void, descriptor?: number): TextSink {
  let gone = false;
  let opened: NodeJS.WriteStream | undefined;
  const streamOf = (): NodeJS.WriteStream => {
    if (opened) return opened;
    opened = open();
    opened.on("error", (error: NodeJS.ErrnoException) => {
      if (gone) return;
      gone = true;
      // The reader of a pipe went away (`jelling scan | head`): what is left to say has no listener, which is no error.
      if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") onGone("output-closed");
      else onGone("output-failed", error);
    });
    return opened;
  };
  return {
    write: (text) => {
      const rest = descriptor === undefined || opened ? text : writeAtOnce(descriptor, typeof text === "string" ? Buffer.from(text) : text);
      return gone || rest.length === 0 || streamOf().write(rest);
    },
    get isTTY() {
      return streamOf().isTTY === true;
    },
    get columns() {
      return streamOf().columns;
    },
    get rows() {
      return streamOf().rows;
    },
    drained: () => {
      const stream = opened;
      return gone || !stream?.writableNeedDrain
        ? Promise.resolve()
        : new Promise((resolve) => {
            const settle = (): void => {
              stream.off("drain", settle);
              stream.off("error", settle);
              stream.off("close", settle);
              resolve();
            };
            stream.on("drain", settle);
            stream.on("error", settle);
            stream.on("close", settle);
          });
    },
    finished: () =>
      new Promise((resolve) => {
        if (gone || !opened) resolve();
        // The callback comes after that of everything written before, and before the stream tells of a fault.
        else opened.write("", () => setImmediate(resolve));
      }),
  };
}

/**
 * Prompts on standard error, so that standard output stays the result's. Loaded when there is a question.
 *
 * @param onInterrupt the terminal is in raw mode while it asks, so that Ctrl-C arrives as a key and not as a signal
 */
function prompts(onInterrupt: () => void): Questions {
  const answered = <T extends string | boolean>(
    answer: T | symbol,
    isCancel: (value: unknown) => boolean,
    signal: AbortSignal,
  ): T | undefined => {
    if (!isCancel(answer)) return answer as T;
    if (!signal.aborted) onInterrupt();
    return undefined;
  };
  return {
    yesNo: async (message, signal) => {
      const { confirm, isCancel } = await import("@clack/prompts");
      return answered<boolean>(await confirm({ message, output: process.stderr, signal }), isCancel, signal);
    },
    text: async (message, check, signal) => {
      const { isCancel, text } = await import("@clack/prompts");
      return answered<string>(
        await text({ message, output: process.stderr, signal, validate: (value) => check(value ?? "") }),
        isCancel,
        signal,
      );
    },
  };
}

async function* standardInput(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  signal.throwIfAborted();
  const { addAbortSignal } = await import("node:stream");
  try {
    yield* addAbortSignal(signal, process.stdin) as AsyncIterable<Uint8Array>;
  } catch (error) {
    signal.throwIfAborted();
    throw Object.assign(error as NodeJS.ErrnoException, { path: "standard input" }); // as of a folder that stands there
  }
}

/** Whether another job has the terminal (`jelling … &`). Only Linux tells; elsewhere nobody knows. */
function isInBackground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    // Behind the name, which may hold anything: state, parent, process group, session, terminal, process group of the terminal.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group !== foreground;
  } catch {
    return false;
  }
}

/** The process's own streams and signals. A second signal ends the process at once. */
export function nodeIo(): Io {
  const handlers = new Set<(reason: StopReason, fault?: Error) => void>();
  let stopped: StopReason | undefined;
  let fault: Error | undefined;
  const stop = (reason: StopReason, error?: Error): void => {
    if (stopped === undefined) fault = error;
    stopped ??= reason;
    for (const handler of [...handlers]) handler(reason, error);
  };
  const onSignal = (): void => {
    if (stopped === "interrupted") process.exit(130);
    stop("interrupted");
  };
  const listenToSignals = (): void => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      if (!process.listeners(signal).includes(onSignal)) process.on(signal, onSignal);
  };
  return {
    stdout: sinkOf(() => process.stdout, stop),
    stderr: sinkOf(
      () => process.stderr,
      () => {},
      2, // one sentence about wrong usage is all that many a command says
    ),
    get stdinIsTTY() {
      return process.stdin.isTTY === true;
    },
    stdinIsOthers: () => process.stdin.isTTY === true && isInBackground(),
    stdin: standardInput,
    env: process.env,
    ask: prompts(() => stop("interrupted")),
    onStop: (handler) => {
      listenToSignals();
      handlers.add(handler);
      if (stopped) handler(stopped, fault);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
  };
}
