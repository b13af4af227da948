import type { Address } from "../../core/address.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import {
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingParametersV2,
} from "../../hci/commands/le-periodic-advertising.ts";
import { HciError, HciErrorCode } from "../../hci/error.ts";
import { fragments } from "../advertising-commands.ts";
import type { AdvertisingData, AdvertisingDataLike } from "../advertising-data.ts";
import type { OwnAddressKind } from "../own-addresses.ts";
import { type CommandPort, type Radio, type RadioActivity, RadioRank } from "../radio.ts";
import { isDisallowed, isRefusal, Switch, type SwitchState } from "../switch.ts";
import type { PeriodicEnd, PeriodicSession } from "./periodic-session.ts";

/** Octets of data in one command. */
const FRAGMENT_OCTETS = 252;
/** Operation of HCI_LE_Set_Periodic_Advertising_Data that changes nothing but the identifier of the data (ADI). */
const UNCHANGED_DATA = 4;
/** Bit of Periodic_Advertising_Properties. */
const INCLUDE_TX_POWER = 0x40;
/** Bits of Enable. */
const ENABLE = 1;
const WITH_ADI = 2;

/** The advertising set that a train belongs to. */
export interface TrainSet {
  readonly handle: number | undefined;
  /** The controller has the set: it is made when the set is first on the air, and lost with a reset. */
  readonly isMade: boolean;
}

/**
 * The periodic advertising of one advertising set. It is set up when the set is, goes on while the set is off the air for a moment, and is turned
 * off before the set is given back (Vol 4 Part E 7.8.59, 7.8.61 to 7.8.63).
 */
export class PeriodicTrain implements RadioActivity {
  readonly name = "periodic advertising";
  readonly rank = RadioRank.Advertising;
  // It shows the address of its set.
  readonly ownAddress: OwnAddressKind = "public";
  readonly takesAnyRandomAddress = true;
  readonly hasOwnRandomAddress = true;
  readonly allowsResolvingListChange = true;
  readonly acceptList: readonly Address[] | undefined = undefined;
  readonly isFiltered = false;
  readonly goesWithoutAcceptList = true;
  readonly handle: number;
  readonly #port: CommandPort;
  readonly #radio: Radio;
  readonly #set: TrainSet;
  readonly #switch = new Switch();
  #session: PeriodicSession | undefined;
  /** The one the controller knows. */
  #onAir: PeriodicSession | undefined;

  constructor({ port, radio, set }: { port: CommandPort; radio: Radio; set: TrainSet }) {
    this.#port = port;
    this.#radio = radio;
    this.#set = set;
    this.handle = set.handle!;
  }

  get session(): PeriodicSession | undefined {
    return this.#session;
  }
  get onAir(): PeriodicSession | undefined {
    return this.#onAir;
  }
  get wanted(): boolean {
    return this.#session !== undefined && this.#set.isMade;
  }
  get state(): SwitchState {
    return this.#switch.state;
  }
  get stale(): boolean {
    if (this.#switch.state === "off") return false;
    return this.#onAir !== this.#session || this.#session?.isContentUnknown === true;
  }

  /** From here on it is wanted. */
  begin(session: PeriodicSession): void {
    this.#session = session;
  }

  /**
   * Replaces the data. More than 252 octets cannot be given on the air: the train is taken off for a moment, and who is synchronized to it loses it.
   *
   * @throws {StateError} it is over
   * @throws {ArgumentError} it does not fit, or the data are those of subevents
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; the data of before are set again
   */
  async setData(session: PeriodicSession, like: AdvertisingDataLike): Promise<void> {
    if (session.subevents) throw new ArgumentError("periodic advertising with subevents has no data but theirs");
    const data = session.dataFrom(like);
    let restarts = false;
    // In turn: between "data sent" and "switched on" of a restart the change would reach neither.
    await this.#radio.inTurn(async () => {
      if (session.ended) throw new StateError("this periodic advertising is over");
      const isOnAir = this.#onAir === session && this.#switch.state === "on";
      if (isOnAir && data.bytes.length <= FRAGMENT_OCTETS) {
        await this.#replace(session, data);
        return;
      }
      session.content = data; // sent when it is turned on next
      session.isContentUnknown = isOnAir;
      restarts = isOnAir;
    });
    if (!restarts) return;
    await this.#radio.update();
    if (session.ended?.error !== undefined) throw session.ended.error;
  }

  async #replace(session: PeriodicSession, data: AdvertisingData): Promise<void> {
    try {
      await this.#sendData(data);
      session.content = data;
      session.isContentUnknown = false;
    } catch (error) {
      if (isRefusal(error)) throw error;
      try {
        // Either is on the air now. The same again does no harm, and nobody loses the train by it.
        if (session.content.bytes.length > FRAGMENT_OCTETS) throw error;
        await this.#sendData(session.content);
      } catch {
        session.isContentUnknown = true;
        void this.#radio.update(); // off and on again, with everything set anew
      }
      throw error;
    }
  }

  async #sendData({ bytes }: AdvertisingData): Promise<void> {
    for (const { operation, octets } of fragments(bytes, FRAGMENT_OCTETS))
      await this.#port.send(LeSetPeriodicAdvertisingData, { advertisingHandle: this.handle, operation, advertisingData: octets });
  }

  /**
   * The same data count as new ones from here on: who filters duplicates is told of them again.
   *
   * @throws {StateError} it is over, or not on the air
   * @throws {HciError} the controller refuses
   */
  async renew(session: PeriodicSession): Promise<void> {
    await this.#radio.inTurn(async () => {
      if (session.ended) throw new StateError("this periodic advertising is over");
      if (this.#onAir !== session) throw new StateError("this periodic advertising is not on the air");
      const advertisingData = new Uint8Array(0);
      await this.#port.send(LeSetPeriodicAdvertisingData, {
        advertisingHandle: this.handle,
        operation: UNCHANGED_DATA,
        advertisingData,
      });
    });
  }

  /** It is not wanted any more. The next run of the radio takes it off the air. */
  finish(session: PeriodicSession, error: unknown, reason: PeriodicEnd): void {
    if (this.#session === session) this.#session = undefined;
    session.end(error, reason);
  }

  /** Its advertisement is over. */
  setEnded(error: unknown): void {
    if (this.#session) this.finish(this.#session, error, error === undefined ? "advertisement" : "failed");
  }

  async turnOn(): Promise<void> {
    const session = this.#session!;
    try {
      await this.#configure(session);
    } catch (error) {
      if (isDisallowed(error)) this.#switch.distrust(); // refused while it is on (7.8.61)
      throw error;
    }
    // Those of subevents are asked for when it is on.
    if (!session.subevents) await this.#sendData(session.content);
    session.isContentUnknown = false;
    if (this.#session !== session) return; // stopped meanwhile; the next run goes on from there
    this.#onAir = session;
    try {
      await this.#switch.on(() => this.#enable(session.parameters.adi ? ENABLE | WITH_ADI : ENABLE));
      if (this.#switch.state === "on") this.#onAir = session; // again, where a reset came between
    } catch (error) {
      if (this.#switch.state === "off") this.#onAir = undefined;
      throw error;
    }
  }

  async #configure({ parameters: { interval, includeTxPower, subevents } }: PeriodicSession): Promise<void> {
    const parameters = {
      advertisingHandle: this.handle,
      periodicAdvertisingIntervalMin: interval[0],
      periodicAdvertisingIntervalMax: interval[1],
      periodicAdvertisingProperties: includeTxPower ? INCLUDE_TX_POWER : 0,
    };
    if (subevents) await this.#port.send(LeSetPeriodicAdvertisingParametersV2, { ...parameters, ...subevents });
    else await this.#port.send(LeSetPeriodicAdvertisingParameters, parameters);
  }

  async #enable(enable: number): Promise<void> {
    await this.#port.send(LeSetPeriodicAdvertisingEnable, { enable, advertisingHandle: this.handle });
  }

  async turnOff(): Promise<void> {
    if (this.#switch.state === "off") return;
    await this.#switch.off(async () => {
      try {
        await this.#enable(0);
      } catch (error) {
        // Without its set there is no train either.
        if (!(error instanceof HciError && error.status === HciErrorCode.UnknownAdvertisingIdentifier)) throw error;
      }
    });
    this.#onAir = undefined;
  }

  distrust(): void {
    this.#switch.distrust();
  }

  reset(): void {
    this.#onAir = undefined;
    this.#switch.reset();
  }

  gone(error: unknown): void {
    this.setEnded(error);
    this.#switch.ended();
    this.#onAir = undefined;
  }

  failed(error: unknown): void {
    if (this.#session) this.finish(this.#session, error, "failed");
  }
}
