import type { Io, Questions, StopReason, TextSink } from "./io.ts";

function sinkOf(stream: NodeJS.WriteStream, onClosed: () => void): TextSink {
  let gone = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of a pipe went away (`jelling scan | head`): what is left to say has no listener, which is no error.
    gone = true;
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") onClosed();
    else throw error;
  });
  return {
    write: (text) => gone || stream.write(text),
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns;
    },
    drained: () =>
      gone || !stream.writableNeedDrain
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
          }),
  };
}

/** Prompts on standard error, so that standard output stays the result's. Loaded when there is a question. */
const prompts: Questions = {
  yesNo: async (message, signal) => {
    const { confirm, isCancel } = await import("@clack/prompts");
    const answer = await confirm({ message, output: process.stderr, signal });
    return isCancel(answer) ? undefined : answer;
  },
  text: async (message, check, signal) => {
    const { isCancel, text } = await import("@clack/prompts");
    const answer = await text({ message, output: process.stderr, signal, validate: (value) => check(value ?? "") });
    return isCancel(answer) ? undefined : answer;
  },
};

/** The process's own streams and signals. A second signal ends the process at once. */
export function nodeIo(): Io {
  const handlers = new Set<(reason: StopReason) => void>();
  let stopped: StopReason | undefined;
  const stop = (reason: StopReason): void => {
    stopped ??= reason;
    for (const handler of handlers) handler(reason);
  };
  const onSignal = (): void => {
    if (stopped === "interrupted") process.exit(130);
    stop("interrupted");
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", onSignal);
  return {
    stdout: sinkOf(process.stdout, () => stop("output-closed")),
    stderr: sinkOf(process.stderr, () => {}),
    stdinIsTTY: process.stdin.isTTY === true,
    env: process.env,
    ask: prompts,
    onStop: (handler) => {
      handlers.add(handler);
      if (stopped) handler(stopped);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
  };
}
