import { type Clock, onAbort } from "jelling/async";
import { type Logger, type RandomSource, TimeoutError } from "jelling/core";
import { sentence } from "../error-words.ts";

const START_MS = 120_000;
const STOP_MS = 5_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5 * 60_000;
/** A part that ran so long was well: the next attempt comes soon. */
const GOOD_MS = 10 * 60_000;

/** Something that runs until it fails or is stopped. */
export interface RunningPart {
  /** Resolves with why it is over, when it ends by itself. Never rejects. */
  readonly ended: Promise<unknown>;
  /** Waited for no longer than five seconds. */
  stop(): Promise<void> | void;
}

export type PartState =
  /** It has nothing to do yet, or begins. */
  | "waiting"
  | "running"
  /** It failed, and is tried again. */
  | "failed"
  /** It failed, and nothing but its user can help. */
  | "halted"
  | "stopped";

export interface PartStatus {
  readonly state: PartState;
  /** On the clock. */
  readonly sinceMs: number;
  /** Since when it does not run, on the clock; undefined: it runs. */
  readonly downSinceMs: number | undefined;
  /** Why it does not run. */
  readonly problem: unknown;
  /** How often it has failed. */
  readonly failures: number;
}

export interface PartOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** undefined: there is nothing to do before `restart` is called. */
  readonly start: (signal: AbortSignal) => Promise<RunningPart | undefined>;
  /** A failure that trying again makes no better. */
  readonly isFinal?: ((error: unknown) => boolean) | undefined;
}

/** A part of the service: it fails by itself, and comes back by itself. */
export class Part {
  readonly name: string;
  readonly #options: PartOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #status: PartStatus;
  #waitMs = FIRST_WAIT_MS;
  #again = new AbortController();

  constructor(options: PartOptions) {
    this.name = options.name;
    this.#options = options;
    const nowMs = options.clock.now();
    this.#status = { state: "waiting", sinceMs: nowMs, downSinceMs: nowMs, problem: undefined, failures: 0 };
  }

  get status(): PartStatus {
    return this.#status;
  }

  /** Begins, once. */
  begin(): void {
    this.#running ??= this.#run();
  }

  /** What it stands on is another one now: begins anew at once, and without the memory of failures. */
  restart(): void {
    this.#waitMs = FIRST_WAIT_MS;
    this.#again.abort(new Error("restart"));
  }

  /** Stops it for good, in five seconds at most. Never throws. */
  async end(): Promise<void> {
    this.#closing.abort(new Error("end"));
    this.#again.abort(new Error("end"));
    await this.#running;
    this.#tell("stopped", undefined);
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#closing.signal.aborted) {
      this.#again = new AbortController();
      const again = this.#again.signal;
      let part: RunningPart | undefined;
      let beganMs = clock.now();
      try {
        part = await this.#started(again);
        if (!part) {
          this.#tell("waiting", undefined);
          await aborted(again);
          continue;
        }
        beganMs = clock.now();
        this.#tell("running", undefined);
        const reason = await Promise.race([part.ended, aborted(again)]);
        if (again.aborted) continue;
        throw reason ?? new Error("it ended");
      } catch (error) {
        if (again.aborted) continue;
        if (clock.now() - beganMs >= GOOD_MS) this.#waitMs = FIRST_WAIT_MS;
        await this.#stopped(part);
        part = undefined;
        await this.#failed(error, again);
      } finally {
        await this.#stopped(part);
      }
    }
  }

  /** What starts too late is stopped again. @throws why it does not start, or that it takes too long */
  #started(again: AbortSignal): Promise<RunningPart | undefined> {
    const { clock, name, start } = this.#options;
    const limit = new AbortController();
    return new Promise((resolve, reject) => {
      let isOver = false;
      const giveUp = (reason: unknown): void => {
        isOver = true;
        done(); // what is left alone keeps no timer, which would keep the program
        limit.abort(reason);
        reject(reason);
      };
      const timer = clock.setTimer(START_MS, `start of ${name}`, () => giveUp(new TimeoutError(`the start of ${name}`, START_MS)));
      const listener = onAbort(again, () => giveUp(again.reason));
      const done = (): void => {
        timer[Symbol.dispose]();
        listener[Symbol.dispose]();
      };
      const starting = (async () => await start(limit.signal))();
      starting.then(
        (part) => {
          done();
          if (isOver) void this.#stopped(part);
          else resolve(part);
        },
        (error: unknown) => {
          done();
          reject(error);
        },
      );
    });
  }

  async #failed(error: unknown, again: AbortSignal): Promise<void> {
    const { clock, logger, name, isFinal, random } = this.#options;
    const isOver = isFinal?.(error) ?? false;
    this.#tell(isOver ? "halted" : "failed", error);
    if (isOver) {
      logger.error(() => `${name}: ${sentence(error)} It is not tried again.`);
      await aborted(again);
      return;
    }
    const octets = new Uint8Array(2);
    random.fill(octets);
    const delayMs = this.#waitMs * (0.75 + (octets[0]! / 256) * 0.25);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
    logger.warn(() => `${name}: ${sentence(error)} It is tried again in ${Math.ceil(delayMs / 1000)} s.`);
    await new Promise<void>((resolve) => {
      if (again.aborted) return resolve();
      const timer = clock.setTimer(delayMs, `next start of ${name}`, () => {
        listener[Symbol.dispose]();
        resolve();
      });
      const listener = onAbort(again, () => {
        timer[Symbol.dispose]();
        resolve();
      });
    });
  }

  /** Waits for it, but not for ever: what does not let go is left alone. */
  async #stopped(part: RunningPart | undefined): Promise<void> {
    if (!part) return;
    const { clock, logger, name } = this.#options;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(STOP_MS, `stop of ${name}`, () => {
        logger.warn(`${name}: it does not stop, and is left alone`);
        resolve();
      });
      const stopping = (async () => await part.stop())();
      stopping
        .catch((error: unknown) => logger.warn(() => `${name}: stopping it: ${sentence(error)}`))
        .finally(() => {
          timer[Symbol.dispose]();
          resolve();
        });
    });
  }

  #tell(state: PartState, problem: unknown): void {
    const nowMs = this.#options.clock.now();
    const { downSinceMs = nowMs, failures } = this.#status;
    this.#status = {
      state,
      sinceMs: this.#status.state === state ? this.#status.sinceMs : nowMs,
      downSinceMs: state === "running" ? undefined : downSinceMs,
      problem,
      failures: failures + (state === "failed" || state === "halted" ? 1 : 0),
    };
    if (state === "running") this.#options.logger.info(`${this.#options.name}: running`);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    onAbort(signal, resolve);
  });
}
