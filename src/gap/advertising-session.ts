import type { Address } from "../core/address.ts";
import { ArgumentError } from "../core/error.ts";
import { checkAcceptList } from "./accept-list.ts";
import { LEGACY_ADVERTISING_DATA_OCTETS } from "./ad-structure.ts";
import {
  ADVERTISE_OPTIONS,
  type AdvertiseOptions,
  channelMap,
  checkAbilities,
  checkAdvertiseOptions,
  extendedWish,
  type IntervalMs,
  intervalUnits,
  rangeOf,
} from "./advertise-options.ts";
import { AdvertisingData } from "./advertising-data.ts";
import { type Discoverable, LIMITED_DISCOVERABLE_MS, withMode } from "./discoverable.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import { DEFAULT_FLAGS, type PackOptions, packAdvertisingData } from "./packing.ts";
import { LEGACY_ABILITIES, type RadioAbilities } from "./radio-abilities.ts";

export { ADVERTISE_OPTIONS, type AdvertiseOptions, checkAdvertiseOptions, type IntervalMs, rangeOf };

const DEFAULT_INTERVAL_MS = 100;
/** High duty cycle directed advertising lasts as long, Vol 6 Part B 4.4.2.4.3. */
const HIGH_DUTY_MS = 1280;

/** What is advertised: advertising data, and the answer to scan requests. */
export interface AdvertisedData {
  readonly data: AdvertisingData;
  readonly scanResponse: AdvertisingData;
}

type GivenData = Pick<AdvertiseOptions, "data" | "scanResponse" | "payload">;

/**
 * What of the two parts is given, as it was given or as its division makes it. Divided, both are given.
 *
 * @param options.capacity octets of each part; a payload is divided over parts of 31
 * @throws {ArgumentError} a payload beside one of the two, or what does not fit
 */
export function givenData(
  what: string,
  { data, scanResponse, payload }: GivenData,
  { capacity = LEGACY_ADVERTISING_DATA_OCTETS, ...options }: PackOptions & { readonly capacity?: number | undefined } = {},
): Partial<AdvertisedData> {
  if (payload !== undefined) {
    if (data !== undefined || scanResponse !== undefined)
      throw new ArgumentError(`${what}: "payload" stands in place of "data" and "scanResponse"`);
    const packed = packAdvertisingData(payload, options);
    return { data: packed.data, scanResponse: packed.scanResponse ?? AdvertisingData.empty };
  }
  return {
    ...(data !== undefined && { data: AdvertisingData.from(data, capacity) }),
    ...(scanResponse !== undefined && { scanResponse: AdvertisingData.from(scanResponse, capacity) }),
  };
}

/** Why an advertisement is over. */
export type AdvertisingEnd =
  /** By `stop`, its signal or its time limit, or because the device closed. */
  | "stopped"
  /** By a connection (`restart: "never"`). */
  | "connected"
  /** `durationMs` is over. */
  | "duration"
  /** `maxEvents` were sent. */
  | "events"
  /** The controller ended it, or is gone. */
  | "failed";

/** One advertisement, from its start until it is stopped, refused, or ended by a connection. */
export class AdvertisingSession {
  /** Legacy PDUs, which old scanners hear. */
  readonly isLegacy: boolean;
  /** Whether a central may answer it with a connection. */
  readonly isConnectable: boolean;
  /** Whether scan requests are answered. */
  readonly isScannable: boolean;
  /** It ends by itself after 1.28 s, with Advertising Timeout. */
  readonly isHighDuty: boolean;
  readonly ownAddress: OwnAddressKind;
  readonly restart: "never" | "connected" | "disconnected";
  /** The one device that may answer. */
  readonly directedTo: Address | undefined;
  readonly options: AdvertiseOptions;
  /** Units of 0.625 ms. */
  readonly interval: readonly [min: number, max: number];
  readonly channelMap: number;
  readonly acceptList: readonly Address[] | undefined;
  /** Bit 0: scan requests, bit 1: connection requests, of the accept list alone (Vol 4 Part E 7.8.5). */
  readonly filterPolicy: number;
  /** It ends by itself after so long; `undefined`: never. */
  readonly durationMs: number | undefined;
  /** What the controller has taken, or takes when it is turned on next. */
  content: AdvertisedData;
  /** The controller may have other data than `content`: an answer was lost. */
  isContentUnknown = false;
  /** The own address last shown; a connection has this one, where the controller does not name another that it has made since. */
  address: Address | undefined;
  /** The bonded peer with whose entry of the resolving list the controller makes the own address; `undefined`: the host gives it. */
  addressPeer: Address | undefined;
  /** Connections it led to that are still open; "disconnected" waits until there are none. */
  links = 0;
  /** The controller takes no more connections for now: on again when one of its links is over. */
  isFull = false;
  /** Advertising Set Identifier; `undefined` with legacy PDUs. */
  sid: number | undefined;
  /** Advertising handle; `undefined` with a legacy controller. */
  handle: number | undefined;
  /** What the controller chose to send with, where it says. */
  txPowerDbm: number | undefined;
  /** When its duration is over, on the clock's time; set when it is first on the air. */
  untilMs: number | undefined;
  /** Set once it is over; `error` is why, `undefined` when it was stopped or did its work. */
  ended: { readonly error: unknown; readonly reason: AdvertisingEnd; readonly events: number | undefined } | undefined;
  /** Called once when it is over. */
  onEnd: ((error: unknown) => void) | undefined;
  /** Called for each scan request that was answered. */
  onScanRequest: ((scanner: Address) => void) | undefined;
  readonly #capacity: number;
  readonly #mode: Discoverable | undefined;

  /**
   * @throws {ArgumentError} what cannot be advertised
   * @throws {UnsupportedError} what the controller cannot do
   */
  constructor(options: AdvertiseOptions, ownAddress: OwnAddressKind, abilities: RadioAbilities = LEGACY_ABILITIES) {
    checkAbilities(options, abilities);
    const { direct, channels = [37, 38, 39], restart = "never", discoverable, acceptList, filterAcceptList = "both" } = options;
    this.options = options;
    this.ownAddress = ownAddress;
    this.restart = restart;
    this.directedTo = direct?.peer;
    this.#mode = discoverable;
    const wish = extendedWish(options);
    if (options.type === "legacy" && wish) throw new ArgumentError(`advertise: ${wish}: legacy advertising has no such thing`);
    const isLegacyWanted = options.type === "legacy" || (direct !== undefined && !wish) || !abilities.isExtended;
    const extendedCapacity = isLegacyWanted ? LEGACY_ADVERTISING_DATA_OCTETS : abilities.advertisingDataOctets;
    this.content = this.#contentOf(options, wish !== undefined, extendedCapacity);
    const { data, scanResponse } = this.content;
    const isLong = Math.max(data.bytes.length, scanResponse.bytes.length) > LEGACY_ADVERTISING_DATA_OCTETS;
    this.isLegacy = isLegacyWanted || (wish === undefined && !isLong);
    this.#capacity = this.isLegacy ? LEGACY_ADVERTISING_DATA_OCTETS : extendedCapacity;
    const hasScanResponse = options.scanResponse !== undefined || scanResponse.bytes.length > 0;
    const { connectable = !options.anonymous } = options;
    this.isConnectable = connectable;
    this.isHighDuty = direct?.highDutyCycle === true;
    if (this.isLegacy) {
      this.isScannable = !direct && (connectable || hasScanResponse);
      if (direct && (data.bytes.length > 0 || scanResponse.bytes.length > 0))
        throw new ArgumentError("directed advertising carries no data and no scan response");
      if (direct && !connectable) throw new ArgumentError("directed advertising is connectable");
    } else {
      this.isScannable = !connectable && scanResponse.bytes.length > 0;
      checkExtended(options, connectable, this.content);
    }
    this.interval = intervalUnits(options.intervalMs ?? DEFAULT_INTERVAL_MS, this.isLegacy);
    this.channelMap = channelMap(channels);
    this.acceptList = acceptList && checkAcceptList("advertise: acceptList", acceptList);
    this.filterPolicy = acceptList ? { scan: 1, connect: 2, both: 3 }[filterAcceptList] : 0;
    if (acceptList && direct) throw new ArgumentError("directed advertising has no accept list");
    if (discoverable && discoverable !== "none" && (direct || options.anonymous || this.isBareScannable))
      throw new ArgumentError(`advertise: discoverable: this kind of advertising carries no flags`);
    this.durationMs = options.durationMs ?? (discoverable === "limited" ? LIMITED_DISCOVERABLE_MS : undefined);
    this.sid = options.sid;
  }

  /** Extended advertising that answers scan requests: what it has to say is in the answers alone (Vol 6 Part B 2.3.1.5). */
  get isBareScannable(): boolean {
    return !this.isLegacy && this.isScannable;
  }
  /** What a link begins on that answers it (Vol 6 Part B 4.5). */
  get linkPhy(): "1M" | "2M" | "coded" {
    const { primaryPhy = "1M", secondaryPhy = primaryPhy } = this.options;
    return this.isLegacy ? "1M" : secondaryPhy;
  }
  get isDirected(): boolean {
    return this.directedTo !== undefined;
  }
  /** Whether it has advertising data at all. */
  get hasData(): boolean {
    return !(this.isLegacy && this.isDirected) && !this.isBareScannable;
  }
  /** The duration that a controller is told to end it after; `undefined`: none. */
  get controllerDurationMs(): number | undefined {
    return this.isHighDuty ? HIGH_DUTY_MS : this.durationMs;
  }

  /**
   * What it would have after a change; `content` stays.
   *
   * @throws {ArgumentError} it does not fit, or is not for this kind of advertising
   */
  changed(change: GivenData): AdvertisedData {
    // What was begun without a scan response cannot get one: its type of advertisement says that scan requests are not answered.
    const given =
      change.payload !== undefined && !this.isLegacy
        ? this.#contentOf(change, true, this.#capacity)
        : this.#marked(givenData("update", change, { scanResponse: this.isScannable, capacity: this.#capacity }), this.#capacity);
    return { ...this.content, ...given };
  }

  /** What is given, divided where it must be legacy or can be; a payload that does not fit there is one piece of extended advertising. */
  #contentOf(options: GivenData, isExtended: boolean, capacity: number): AdvertisedData {
    const { payload } = options;
    const none: AdvertisedData = { data: AdvertisingData.empty, scanResponse: AdvertisingData.empty };
    const whole = (): Partial<AdvertisedData> => ({ data: AdvertisingData.from({ flags: DEFAULT_FLAGS, ...payload }, capacity) });
    let given: Partial<AdvertisedData>;
    if (
      payload === undefined ||
      options.data !== undefined ||
      options.scanResponse !== undefined ||
      capacity <= LEGACY_ADVERTISING_DATA_OCTETS
    )
      given = givenData("advertise", options, { capacity });
    else if (isExtended) given = whole();
    else {
      try {
        given = givenData("advertise", options);
      } catch (error) {
        if (!(error instanceof ArgumentError)) throw error;
        given = whole();
      }
    }
    return { ...none, ...this.#marked({ ...none, ...given }, capacity) };
  }

  /** With the flags of the discoverability mode. */
  #marked(given: Partial<AdvertisedData>, capacity: number): Partial<AdvertisedData> {
    if (!this.#mode || !given.data || this.isDirected) return given;
    if (this.options.anonymous || (this.#mode === "none" && given.data.bytes.length === 0)) return given;
    return { ...given, data: withMode(given.data, this.#mode, capacity) };
  }

  end(error?: unknown, reason: AdvertisingEnd = error === undefined ? "stopped" : "failed", events?: number): void {
    if (this.ended) return;
    this.ended = { error, reason, events };
    this.onEnd?.(error);
  }
}

/** What extended PDUs cannot be (Vol 4 Part E 7.8.53). @throws {ArgumentError} */
function checkExtended(options: AdvertiseOptions, connectable: boolean, { data, scanResponse }: AdvertisedData): void {
  const hasScanResponse = scanResponse.bytes.length > 0;
  if (connectable && hasScanResponse)
    throw new ArgumentError(
      'extended advertising that takes connections answers no scan requests: leave out "scanResponse", or say connectable: false',
    );
  if (hasScanResponse && data.bytes.length > 0)
    throw new ArgumentError('extended advertising that answers scan requests has its data in "scanResponse" alone');
  if (options.anonymous && connectable) throw new ArgumentError("anonymous advertising takes no connections");
  if (options.anonymous && hasScanResponse) throw new ArgumentError("anonymous advertising answers no scan requests");
  if (options.direct?.highDutyCycle)
    throw new ArgumentError("high duty cycle directed advertising is legacy advertising: leave out what asks for extended");
}
