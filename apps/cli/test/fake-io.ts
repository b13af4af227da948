import { type Clock, onAbort } from "jelling/async";
import type { Io, StopReason, TextSink } from "../src/io.ts";
import { main } from "../src/run.ts";

export interface FakeIo extends Io {
  readonly out: { text: string };
  readonly err: { text: string };
  /** Handlers that still listen for a request to stop. */
  readonly listeners: number;
  stop(reason?: StopReason, fault?: Error): void;
  /** Resolves once standard output (or error) holds `text`. */
  saw(text: string, where?: "out" | "err"): Promise<void>;
}

export interface FakeIoOptions {
  env?: Record<string, string>;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  /** Answers to questions, in their order; a person is there when this is given. */
  answers?: (string | boolean)[];
  /** Of what is simulated, and of `--timeout`. */
  clock?: Clock;
  /** What standard input brings; nothing where it is not said. */
  stdin?: AsyncIterable<Uint8Array>;
  /** Whether another job has the terminal. */
  stdinIsOthers?: boolean;
}

/** Streams that remember, and signals on demand. */
export function fakeIo({
  env = {},
  isTTY = false,
  columns = 80,
  rows = 24,
  answers,
  clock,
  stdin,
  stdinIsOthers = false,
}: FakeIoOptions = {}): FakeIo {
  const handlers = new Set<(reason: StopReason, fault?: Error) => void>();
  let stopped: { reason: StopReason; fault: Error | undefined } | undefined;
  let watchers: (() => void)[] = [];
  const sink = (store: { text: string }): TextSink => ({
    write: (text) => {
      store.text += typeof text === "string" ? text : Buffer.from(text).toString("latin1");
      for (const watch of watchers) watch();
      return true;
    },
    isTTY,
    columns: isTTY ? columns : undefined,
    rows: isTTY ? rows : undefined,
    drained: () => Promise.resolve(),
    finished: () => Promise.resolve(),
  });
  const out = { text: "" };
  const err = { text: "" };
  return {
    out,
    err,
    stdout: sink(out),
    stderr: sink(err),
    stdinIsTTY: answers !== undefined,
    stdinIsOthers: () => stdinIsOthers,
    stdin: async function* (signal) {
      if (!stdin) return;
      const chunks = stdin[Symbol.asyncIterator]();
      const aborted = new Promise<never>((_, reject) => onAbort(signal, () => reject(signal.reason)));
      aborted.catch(() => undefined);
      for (;;) {
        const { done, value } = await Promise.race([chunks.next(), aborted]);
        if (done) return;
        yield value;
      }
    },
    clock,
    ask: {
      yesNo: (question) => {
        err.text += `? ${question}\n`;
        return Promise.resolve(answers?.shift() as boolean | undefined);
      },
      text: (question, check) => {
        err.text += `? ${question}\n`;
        const answer = answers?.shift() as string | undefined;
        if (answer !== undefined && check(answer) !== undefined) throw new Error(`refused: ${check(answer)}`);
        return Promise.resolve(answer);
      },
    },
    env: { HOME: "/nonexistent", ...env },
    get listeners() {
      return handlers.size;
    },
    onStop: (handler) => {
      handlers.add(handler);
      if (stopped) handler(stopped.reason, stopped.fault); // as of a process that was told before somebody listened
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
    stop: (reason = "interrupted", fault) => {
      stopped ??= { reason, fault };
      for (const handler of [...handlers]) handler(reason, fault);
    },
    saw: (text, where = "out") =>
      new Promise((resolve) => {
        const store = where === "out" ? out : err;
        const watch = (): void => {
          if (!store.text.includes(text)) return;
          watchers = watchers.filter((other) => other !== watch);
          resolve();
        };
        watchers.push(watch);
        watch();
      }),
  };
}

/** Runs the command line to its end. */
export async function jelling(
  commandLine: string | string[],
  options?: FakeIoOptions,
): Promise<{ status: number; out: string; err: string; io: FakeIo }> {
  const io = fakeIo(options);
  const argv = typeof commandLine === "string" ? commandLine.split(" ").filter(Boolean) : commandLine;
  const status = await main(argv, io);
  return { status, out: io.out.text, err: io.err.text, io };
}
