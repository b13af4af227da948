import { ArgumentError, StateError, UnsupportedError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import { LeSetPeriodicAdvertisingParameters, LeSetPeriodicAdvertisingParametersV2 } from "../../hci/commands/le-periodic-advertising.ts";
import type { CommandDeclaration } from "../../hci/declare.ts";
import { LeEnhancedConnectionCompleteV2 } from "../../hci/events/le-meta.ts";
import { LePeriodicAdvertisingResponseReport, LePeriodicAdvertisingSubeventDataRequest } from "../../hci/events/le-periodic-advertising.ts";
import { LeFeature } from "../../hci/features.ts";
import type { AdvertisingSession } from "../advertising-session.ts";
import type { AdvertisingSet } from "../advertising-set.ts";
import type { Radio } from "../radio.ts";
import { createPeriodicAdvertising, type PeriodicAdvertising, publishResponses } from "./periodic-advertising.ts";
import { checkPeriodicOptions, type PeriodicOptions, type PeriodicParameters } from "./periodic-options.ts";
import type { PeriodicPort } from "./periodic-port.ts";
import { PeriodicSession } from "./periodic-session.ts";
import { PeriodicTrain } from "./periodic-train.ts";
import { SubeventFeed } from "./subevent-feed.ts";

/** Of trains with responses, and of links that are made through them. */
const EVENTS = [LePeriodicAdvertisingSubeventDataRequest, LePeriodicAdvertisingResponseReport, LeEnhancedConnectionCompleteV2];

/** What belongs to the train of one handle. */
interface Running {
  readonly train: PeriodicTrain;
  readonly session: PeriodicSession;
  readonly feed: SubeventFeed;
  readonly advertising: PeriodicAdvertising;
}

/** Starts periodic advertising on advertising sets, and leads to it what the controller says of it. */
export class PeriodicAdvertiser {
  readonly #port: PeriodicPort;
  readonly #radio: Radio;
  readonly #logger: Logger;
  readonly #running = new Map<number, Running>();

  constructor({ port, radio, logger }: { port: PeriodicPort; radio: Radio; logger: Logger }) {
    this.#port = port;
    this.#radio = radio;
    this.#logger = logger;
  }

  /**
   * Resolves when it is on the air; where its advertisement waits for something, as soon as that is.
   *
   * @throws {ArgumentError} options out of range, or an advertisement that cannot have it
   * @throws {StateError} the advertisement is over, or has periodic advertising already
   * @throws {UnsupportedError} the controller cannot
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; whatever it does is stopped
   */
  async start(set: AdvertisingSet, of: AdvertisingSession, options: PeriodicOptions): Promise<PeriodicAdvertising> {
    const parameters = checkPeriodicOptions(options);
    this.#checkAbilities(parameters);
    if (of.isLegacy || of.isConnectable || of.isScannable || of.options.anonymous)
      throw new ArgumentError(
        'startPeriodic: expected extended advertising with an address, without connections and scan responses: { type: "extended", connectable: false }',
      );
    const session = new PeriodicSession(options, parameters, this.#radio.abilities.advertisingDataOctets);
    const { signal } = options;
    signal?.throwIfAborted();
    if (session.subevents) await this.#port.enableEvents(EVENTS);
    signal?.throwIfAborted();
    const train = this.#trainOf(set, of);
    const feed = new SubeventFeed({ port: this.#port, logger: this.#logger, handle: train.handle, session });
    const advertising = createPeriodicAdvertising({ port: this.#port, radio: this.#radio, train, session, feed });
    this.#running.set(train.handle, { train, session, feed, advertising });
    train.begin(session);
    try {
      await this.#radio.updateFor(signal);
      signal?.throwIfAborted();
    } catch (reason) {
      train.finish(session, reason, "stopped");
      void this.#radio.update();
      throw reason;
    }
    if (session.ended?.error !== undefined) throw session.ended.error;
    return advertising;
  }

  #trainOf(set: AdvertisingSet, of: AdvertisingSession): PeriodicTrain {
    if (of.ended || set.session !== of) throw new StateError("this advertisement is over");
    const known = set.train as PeriodicTrain | undefined;
    if (known?.session) throw new StateError("this advertisement has periodic advertising already");
    if (known) return known;
    const train = new PeriodicTrain({ port: this.#port, radio: this.#radio, set });
    set.train = train;
    this.#radio.add(train);
    return train;
  }

  #checkAbilities({ subevents, adi }: PeriodicParameters): void {
    const refuse = (what: string): never => {
      throw new UnsupportedError(`startPeriodic: the controller cannot do ${what}`);
    };
    const has = (bit: number, command: unknown): boolean =>
      this.#port.hasLeFeature(bit) && this.#port.supports(command as CommandDeclaration);
    if (!this.#radio.abilities.isExtended || !has(LeFeature.LePeriodicAdvertising, LeSetPeriodicAdvertisingParameters))
      refuse("periodic advertising");
    if (subevents && !has(LeFeature.PeriodicAdvertisingWithResponsesAdvertiser, LeSetPeriodicAdvertisingParametersV2))
      refuse("periodic advertising with responses");
    if (adi && !this.#port.hasLeFeature(LeFeature.PeriodicAdvertisingAdiSupport)) refuse("identifiers of periodic data (ADI)");
  }

  /** The train of a handle that is on the air, or about to be. */
  #of(advertisingHandle: number): Running | undefined {
    const running = this.#running.get(advertisingHandle);
    return running && running.train.onAir === running.session ? running : undefined;
  }

  /** The controller asks for the data of subevents. */
  readonly onSubeventDataRequest = (event: LePeriodicAdvertisingSubeventDataRequest): void => {
    this.#of(event.advertisingHandle)?.feed.request(event.subeventStart, event.subeventDataCount);
  };

  /** What was heard in response slots. */
  readonly onResponseReport = (report: LePeriodicAdvertisingResponseReport): void => {
    const running = this.#of(report.advertisingHandle);
    if (running) publishResponses(running.advertising, report);
  };
}
