/** Where a command's words go. */
export interface TextSink {
  /** False when the sink wants no more until `drained`. */
  write(text: string): boolean;
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  /** Resolves when the sink takes more. */
  drained(): Promise<void>;
}

/** Everything the command touches of its process, so that tests run it in their own. */
export interface Io {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Whether somebody sits at the keyboard. */
  readonly stdinIsTTY: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks the person; only called where there is one. */
  readonly ask: Questions;
  /** Calls `handler` at the first request to stop. Dispose to stop listening. */
  onStop(handler: (reason: StopReason) => void): Disposable;
}

/** Questions to a person; `undefined` is no answer. */
export interface Questions {
  yesNo(question: string, signal: AbortSignal): Promise<boolean | undefined>;
  /** @param check says what is wrong with an answer, if anything */
  text(question: string, check: (answer: string) => string | undefined, signal: AbortSignal): Promise<string | undefined>;
}

/** Ctrl-C or a termination signal; or nobody reads standard output any more. */
export type StopReason = "interrupted" | "output-closed";
