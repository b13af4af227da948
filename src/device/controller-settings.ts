import { Deadline, type OperationOptions, Pending, Semaphore } from "../async/index.ts";
import { type BleError, UnsupportedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { type Hci, LeFeature, LeSetDefaultSubrate, LeSetHostChannelClassification } from "../hci/index.ts";
import { mapWithout } from "./channels.ts";
import { type SubrateOptions, subrateParameters } from "./subrating.ts";

/** Two classifications of channels are so far apart at least (Vol 4 Part E 7.8.19). */
const CLASSIFICATION_EVERY_MS = 1000;

/** What a program tells a controller once for all of its links: said again when it was reset. */
export class ControllerSettings {
  readonly #hci: Hci;
  readonly #logger: Logger;
  readonly #turns: Semaphore;
  #subrate: ReturnType<typeof subrateParameters> | undefined;
  #channelMap: Uint8Array | undefined;
  /** Before the next one. */
  #pausing: Pending<void> | undefined;
  /** When the last classification left, whatever came of it. */
  #classifiedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ hci, logger }: { hci: Hci; logger: Logger }) {
    this.#hci = hci;
    this.#logger = logger;
    this.#turns = new Semaphore(hci.clock);
  }

  async setDefaultSubrate(subrate: SubrateOptions, options: OperationOptions): Promise<void> {
    const parameters = subrateParameters("setDefaultSubrate", subrate);
    if (!this.#hci.hasLeFeature(LeFeature.ConnectionSubrating)) throw new UnsupportedError("the controller has no connection subrating");
    await this.#hci.send(LeSetDefaultSubrate, parameters, options);
    this.#subrate = parameters;
  }

  async classifyChannels(bad: Iterable<number>, { signal, timeoutMs }: OperationOptions): Promise<void> {
    const channelMap = mapWithout("classifyChannels", bad);
    const { clock } = this.#hci;
    const operation = "classification of channels";
    using deadline = new Deadline({ clock, operation, signal, timeoutMs });
    const within = { signal: deadline.signal };
    using _turn = await this.#turns.acquire(within, operation);
    const waitMs = this.#classifiedAtMs + CLASSIFICATION_EVERY_MS - clock.now();
    if (waitMs > 0) await this.#pause(waitMs, operation, deadline.signal);
    this.#classifiedAtMs = clock.now();
    await this.#hci.send(LeSetHostChannelClassification, { channelMap }, within);
    this.#channelMap = channelMap;
  }

  async #pause(waitMs: number, operation: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#hci;
    const pause = new Pending<void>({ clock, operation, signal });
    using _timer = clock.setTimer(waitMs, operation, () => pause.resolve());
    this.#pausing = pause;
    await pause.promise;
  }

  /** The controller was reset, and knows nothing of it any more. The commands leave when it is set up again. */
  onReset(): void {
    this.#classifiedAtMs = Number.NEGATIVE_INFINITY;
    if (this.#subrate) this.#again("the default subrate", this.#hci.send(LeSetDefaultSubrate, this.#subrate));
    if (!this.#channelMap) return;
    this.#classifiedAtMs = this.#hci.clock.now();
    this.#again("the classification of channels", this.#hci.send(LeSetHostChannelClassification, { channelMap: this.#channelMap }));
  }

  #again(what: string, sent: Promise<unknown>): void {
    sent.catch((error: unknown) => this.#logger.warn(() => `${what} could not be set again after a reset: ${String(error)}`));
  }

  /** The controller is gone. */
  close(reason: BleError): void {
    this.#turns.close(reason);
    this.#pausing?.reject(reason);
  }
}
