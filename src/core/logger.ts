/** Levels in rising order of detail. */
export const LogLevel = Object.freeze({ Silent: 0, Error: 1, Warn: 2, Info: 3, Debug: 4, Trace: 5 });
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/**
 * Receives finished lines. Secrets never reach it: what is logged is lengths, handles, codes and stages. What it throws is the program's
 * fault: it is thrown again in a turn of its own, and does no harm to what was logging.
 */
export type LogSink = (level: LogLevel, scope: string, message: string) => void;

/** A scoped logger; messages are built only when their level is on, so a disabled one costs a comparison. */
export class Logger {
  readonly scope: string;
  readonly level: LogLevel;
  readonly #sink: LogSink;

  constructor(scope: string, level: LogLevel, sink: LogSink) {
    this.scope = scope;
    this.level = level;
    this.#sink = sink;
  }

  static readonly silent = new Logger("", LogLevel.Silent, () => {});

  child(scope: string): Logger {
    return new Logger(this.scope ? `${this.scope}.${scope}` : scope, this.level, this.#sink);
  }

  #log(level: LogLevel, message: string | (() => string)): void {
    if (level > this.level) return;
    const line = typeof message === "string" ? message : message();
    try {
      this.#sink(level, this.scope, line);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
  error(message: string | (() => string)): void {
    this.#log(LogLevel.Error, message);
  }
  warn(message: string | (() => string)): void {
    this.#log(LogLevel.Warn, message);
  }
  info(message: string | (() => string)): void {
    this.#log(LogLevel.Info, message);
  }
  debug(message: string | (() => string)): void {
    this.#log(LogLevel.Debug, message);
  }
  trace(message: string | (() => string)): void {
    this.#log(LogLevel.Trace, message);
  }
}
