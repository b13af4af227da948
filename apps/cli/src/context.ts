import type { Logger } from "jelling/core";
import { CommandError, stopError } from "./errors.ts";
import type { Io, TextSink } from "./io.ts";
import { Terminal } from "./terminal.ts";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug", "trace"] as const;

/** Options that every command takes. */
export interface CommonOptions {
  transport?: string;
  firmware?: string;
  json?: boolean;
  /** Milliseconds. */
  timeout?: number;
  log: (typeof LOG_LEVELS)[number];
  capture?: string;
  secrets?: boolean;
  anonymous?: boolean;
}

/** What a command stands on. */
export class Context implements Disposable {
  readonly io: Io;
  readonly options: CommonOptions;
  readonly terminal: Terminal;
  /** Aborts when the user or a signal asks to stop, or when nobody reads the output. */
  readonly signal: AbortSignal;
  /** With `--capture -` standard output is the capture's alone, and results go to standard error. */
  readonly captureOutput: TextSink | undefined;
  #isOutputClosed = false;
  readonly #stop: Disposable;

  constructor(io: Io, options: CommonOptions) {
    this.captureOutput = options.capture === "-" ? io.stdout : undefined;
    this.io = this.captureOutput ? { ...io, stdout: io.stderr } : io;
    this.options = options;
    this.terminal = new Terminal(this.io, { json: options.json ?? false });
    const controller = new AbortController();
    this.signal = controller.signal;
    this.#stop = io.onStop((reason, fault) => {
      if (reason === "output-closed") this.#isOutputClosed = true;
      // Who looked on at a capture is gone, and nobody else.
      if (reason !== "output-closed" || !this.captureOutput) controller.abort(stopError(reason, fault));
    });
  }

  /** Nobody reads standard output any more. */
  get isOutputClosed(): boolean {
    return this.#isOutputClosed;
  }

  /** Lines of `--log` go to standard error, with the seconds since start, level and scope. */
  async logger(): Promise<Logger> {
    const { Logger: LoggerClass, LogLevel } = await import("jelling/core");
    const level = LOG_LEVELS.indexOf(this.options.log);
    const names = Object.keys(LogLevel);
    return new LoggerClass("", level as (typeof LogLevel)[keyof typeof LogLevel], (lineLevel, scope, message) => {
      const seconds = (performance.now() / 1000).toFixed(3).padStart(8);
      this.terminal.note(
        this.terminal.paintNote("dim", `${seconds} ${(names[lineLevel] ?? "").toLowerCase().padEnd(5)} ${scope}: `) + message,
      );
    });
  }

  /** How long this command may take: `--timeout`, or what is usual for it. */
  timeoutMs(usualMs: number): number {
    return this.options.timeout ?? usualMs;
  }

  /**
   * A signal that also aborts after the command's time, with a failure that names what was going on.
   * Dispose it, or its timer keeps the process alive.
   */
  deadline(usualMs: number | undefined, operation: string): { signal: AbortSignal; timedOut(): boolean } & Disposable {
    const ms = this.options.timeout ?? usualMs;
    const controller = new AbortController();
    let timedOut = false;
    const timer =
      ms === undefined
        ? undefined
        : this.timer(ms, operation, () => {
            timedOut = !this.signal.aborted;
            controller.abort(new CommandError(`${operation} did not finish within ${durationText(ms)}`));
          });
    return {
      signal: AbortSignal.any([this.signal, controller.signal]),
      timedOut: () => timedOut,
      [Symbol.dispose]: () => timer?.[Symbol.dispose](),
    };
  }

  /** Calls `act` after `ms`; dispose the result, or it keeps the process alive. */
  timer(ms: number, name: string, act: () => void): Disposable {
    const { clock } = this.io;
    if (clock) return clock.setTimer(ms, name, act);
    const timer = setTimeout(act, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }

  /** Milliseconds that pass with what the command does. */
  now(): number {
    return this.io.clock?.now() ?? performance.now();
  }

  [Symbol.dispose](): void {
    this.terminal.status("");
    this.#stop[Symbol.dispose]();
  }
}

/** "10 s", "500 ms", "2 min". */
export function durationText(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return `${ms / 1000} s`;
}
