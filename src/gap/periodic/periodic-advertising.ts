import { Broadcast, type Flow } from "../../async/broadcast.ts";
import { checkInteger, checkOptions, checkSignal, optionNames } from "../../core/arguments.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import { LePeriodicAdvertisingSetInfoTransfer } from "../../hci/commands/le-periodic-sync.ts";
import type { LePeriodicAdvertisingResponseReport } from "../../hci/events/le-periodic-advertising.ts";
import { AdvertisingData, type AdvertisingDataLike } from "../advertising-data.ts";
import type { Radio } from "../radio.ts";
import { DataPieces } from "./data-pieces.ts";
import { checkSubeventData, type SubeventData } from "./periodic-options.ts";
import type { PeriodicPort, SyncLink } from "./periodic-port.ts";
import type { PeriodicEnd, PeriodicSession } from "./periodic-session.ts";
import type { PeriodicTrain } from "./periodic-train.ts";
import { ReportStatus, valueOrUndefined } from "./report-values.ts";
import type { SubeventFeed } from "./subevent-feed.ts";
import { transferSync } from "./sync-transfer.ts";

/** Responses kept for a loop that is behind; then the oldest are lost. */
const CAPACITY = 256;
/** Octets of a response in the air, and responses that are put together at a time. */
const RESPONSE_OCTETS = 251;
const MOST_UNFINISHED = 64;
const SIGNAL_OPTION = optionNames<{ signal?: AbortSignal | undefined }>({ signal: true });

/** What was heard in one response slot. */
export interface PeriodicResponse {
  readonly subevent: number;
  readonly slot: number;
  /** "missed": nothing that could be read was heard there; "truncated": there was more. */
  readonly status: "complete" | "truncated" | "missed";
  /** Empty where it was missed. */
  readonly data: AdvertisingData;
  readonly rssiDbm: number | undefined;
  readonly txPowerDbm: number | undefined;
}

/** Why and how periodic advertising is over. */
export interface PeriodicEnded {
  readonly reason: PeriodicEnd;
  /** What ended it, where that was not the program. */
  readonly error: unknown;
}

/** Parameters of HCI_LE_Extended_Create_Connection [v2], Vol 4 Part E 7.8.66. */
export interface RequestPlace {
  readonly advertisingHandle: number;
  readonly subevent: number;
}

interface PeriodicAdvertisingParts {
  readonly port: PeriodicPort;
  readonly radio: Radio;
  readonly train: PeriodicTrain;
  readonly session: PeriodicSession;
  readonly feed: SubeventFeed;
}

/** Made by the periodic advertiser, and by nobody else. */
export let createPeriodicAdvertising: (parts: PeriodicAdvertisingParts) => PeriodicAdvertising;
/** Hands it what the controller has heard in response slots. */
export let publishResponses: (advertising: PeriodicAdvertising, report: LePeriodicAdvertisingResponseReport) => void;

/**
 * One periodic advertising, until it is stopped or its advertisement is over. It goes on while the advertisement is off the air for a moment; a reset
 * of the controller makes it a new train, which receivers have to find again.
 */
export class PeriodicAdvertising implements AsyncDisposable {
  readonly #parts: PeriodicAdvertisingParts;
  readonly #responses = new Broadcast<PeriodicResponse>();
  readonly #pieces = new DataPieces({ mostOctets: RESPONSE_OCTETS, most: MOST_UNFINISHED });
  /** Resolves when it is over, with the reason. */
  readonly closed: Promise<PeriodicEnded>;

  static {
    createPeriodicAdvertising = (parts) => new PeriodicAdvertising(parts);
    publishResponses = (advertising, report) => advertising.#publish(report);
  }

  private constructor(parts: PeriodicAdvertisingParts) {
    this.#parts = parts;
    const { session } = parts;
    this.closed = new Promise((resolve) => {
      session.onEnd = (error) => {
        this.#responses.close(error);
        resolve(session.ended!);
      };
    });
  }

  /** It is wanted: neither stopped nor refused. */
  get active(): boolean {
    return this.#parts.session.ended === undefined;
  }
  /** Why it is over; `undefined` while it is not. */
  get ended(): PeriodicEnded | undefined {
    return this.#parts.session.ended;
  }

  /**
   * Replaces the data. More than 252 octets are not taken on the air: it is taken off for a moment, and who is synchronized loses it. What rejects was
   * not changed, unless it has ended by that.
   *
   * @throws {ArgumentError} they do not fit, or there are subevents, each with its own
   * @throws {StateError} it is over
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer
   */
  async update(data: AdvertisingDataLike): Promise<void> {
    const { train, session } = this.#parts;
    await train.setData(session, data);
  }

  /**
   * Has the same data count as new ones, with `adi`: controllers that filter duplicates tell their hosts once more. Followers of this library compare
   * the data themselves where they filter.
   *
   * @throws {StateError} it has no `adi`, is over, or is not on the air
   * @throws {HciError} the controller refuses
   */
  async renew(): Promise<void> {
    const { train, session } = this.#parts;
    if (!session.parameters.adi) throw new StateError('this periodic advertising was started without "adi"');
    await train.renew(session);
  }

  /**
   * Gives the data that a subevent sends next, in place of `onSubevent` or before the controller asks.
   *
   * @throws {ArgumentError} no such subevent, or data that do not fit
   * @throws {StateError} it is over
   * @throws {HciError} the controller refuses: Too Late (0x46) where the time of the subevent is over
   */
  async setSubeventData(subevent: number, data: AdvertisingDataLike | SubeventData): Promise<void> {
    const { session, feed } = this.#parts;
    const { subevents } = session;
    if (!subevents) throw new ArgumentError("setSubeventData: this periodic advertising has no subevents");
    checkInteger("setSubeventData: subevent", subevent, 0, subevents.numSubevents - 1);
    const payload = checkSubeventData(data, subevents);
    if (session.ended) throw new StateError("this periodic advertising is over");
    await feed.send([{ subevent, ...payload }]);
  }

  /** What scanners answer in the response slots. The loop ends when periodic advertising does; one that is 256 responses behind loses the oldest. */
  responses(options: { signal?: AbortSignal | undefined } = {}): Flow<PeriodicResponse> {
    checkOptions("responses", options, SIGNAL_OPTION);
    checkSignal("responses: signal", options.signal);
    return this.#responses.subscribe({ capacity: CAPACITY, signal: options.signal });
  }

  #publish({ subevent, responses }: LePeriodicAdvertisingResponseReport): void {
    for (const { responseSlot: slot, dataStatus, data, rssi, txPower } of responses) {
      const key = subevent * 0x100 + slot;
      if (dataStatus === ReportStatus.MoreToCome) {
        this.#pieces.add(key, data);
        continue;
      }
      const power = { rssiDbm: valueOrUndefined(rssi), txPowerDbm: valueOrUndefined(txPower) };
      if (dataStatus === ReportStatus.Missed) {
        this.#pieces.drop(key);
        this.#responses.publish({ subevent, slot, status: "missed", data: AdvertisingData.empty, ...power });
        continue;
      }
      const whole = this.#pieces.finish(key, data);
      const status = whole.isOverfull || dataStatus === ReportStatus.Truncated ? "truncated" : "complete";
      this.#responses.publish({ subevent, slot, status, data: new AdvertisingData(whole.data), ...power });
    }
  }

  /** Where a connection request is sent. @throws {ArgumentError} no such subevent · {StateError} it is over @internal */
  requestPlace(subevent: number): RequestPlace {
    const { train, session } = this.#parts;
    if (!session.subevents) throw new ArgumentError("connect: through: this periodic advertising has no subevents");
    checkInteger("connect: through: subevent", subevent, 0, session.subevents.numSubevents - 1);
    if (session.ended) throw new StateError("connect: through: this periodic advertising is over");
    return { advertisingHandle: train.handle, subevent };
  }

  /**
   * Has the peer of a link synchronize to it, without scanning (Periodic Advertising Sync Transfer).
   *
   * @param serviceData 0 to 0xFFFF, for the program at the other end
   * @throws {UnsupportedError} this controller or the peer's cannot
   * @throws {StateError} it is over
   * @throws {DisconnectedError} the link is lost
   * @throws {HciError} the controller refuses
   */
  async transferTo(connection: SyncLink, serviceData = 0): Promise<void> {
    const { port, train, session } = this.#parts;
    if (session.ended) throw new StateError("this periodic advertising is over");
    const parameters = { connectionHandle: connection.handle, serviceData, advertisingHandle: train.handle };
    await transferSync(port, connection, serviceData, {
      name: LePeriodicAdvertisingSetInfoTransfer.name,
      send: () => port.send(LePeriodicAdvertisingSetInfoTransfer, parameters),
    });
  }

  /**
   * Takes it off the air; the advertisement goes on. While this rejects it may still be there: turning it off is tried again, and where that never
   * succeeds the controller is reset.
   *
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer
   */
  async stop(): Promise<void> {
    const { radio, train, session } = this.#parts;
    train.finish(session, undefined, "stopped");
    await radio.updateOff(train);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
