import type { Clock } from "jelling/async";

/** Where a command's words go. */
export interface TextSink {
  /** False when the sink wants no more until `drained`. */
  write(text: string | Uint8Array): boolean;
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  /** Resolves when the sink takes more. */
  drained(): Promise<void>;
  /** Resolves when everything is written, or cannot be. */
  finished(): Promise<void>;
}

/** Everything the command touches of its process, so that tests run it in their own. */
export interface Io {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Whether somebody sits at the keyboard. */
  readonly stdinIsTTY: boolean;
  /** Whether standard input is the terminal of another job: who reads it is stopped by the system. */
  stdinIsOthers(): boolean;
  /** What standard input brings, as it comes; read once. @throws `signal.reason` · the system's error */
  stdin(signal: AbortSignal): AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks the person; only called where there is one. */
  readonly ask: Questions;
  /** Of everything that waits, where time is not the system's: in tests. */
  readonly clock?: Clock | undefined;
  /** Calls `handler` at the first request to stop, with the fault where there is one. Dispose to stop listening. */
  onStop(handler: (reason: StopReason, fault?: Error) => void): Disposable;
}

/** Questions to a person; `undefined` is no answer. */
export interface Questions {
  yesNo(question: string, signal: AbortSignal): Promise<boolean | undefined>;
  /** @param check says what is wrong with an answer, if anything */
  text(question: string, check: (answer: string) => string | undefined, signal: AbortSignal): Promise<string | undefined>;
}

/** Ctrl-C, at a prompt too, or a termination signal; nobody reads standard output any more; or it cannot be written, as on a full disk. */
export type StopReason = "interrupted" | "output-closed" | "output-failed";
