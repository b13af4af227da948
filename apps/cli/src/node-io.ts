import type { Io, StopReason, TextSink } from "./io.ts";

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
    onStop: (handler) => {
      handlers.add(handler);
      if (stopped) handler(stopped);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
  };
}
