import { Address } from "../core/address.ts";
import { checkBoolean, checkChoice, checkMilliseconds, checkOptions, checkSignal, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import type { LeSetAdvertisingParameters } from "../hci/commands/le-advertising.ts";
import type { AdvertisingDataFields } from "./ad-fields.ts";
import { AdvertisingData, type AdvertisingDataLike } from "./advertising-data.ts";
import { OWN_ADDRESS_KINDS, type OwnAddressKind } from "./own-addresses.ts";
import { type PackOptions, packAdvertisingData } from "./packing.ts";
import type { ParametersOf } from "./radio.ts";

/** Milliseconds, one value or a range in which the controller chooses. 20 to 10,240 ms in steps of 0.625 ms. */
export type IntervalMs = number | readonly [min: number, max: number];

export interface AdvertiseOptions {
  /** At most 31 octets. */
  readonly data?: AdvertisingDataLike | undefined;
  /** At most 31 octets; without it scan requests are answered with nothing. */
  readonly scanResponse?: AdvertisingDataLike | undefined;
  /** In place of both: one description, divided over them (see `packAdvertisingData`). */
  readonly payload?: AdvertisingDataFields | undefined;
  /** 100 ms by default. */
  readonly intervalMs?: IntervalMs | undefined;
  /** By default the identity address. */
  readonly ownAddress?: OwnAddressKind | undefined;
  /** True by default. Otherwise scannable when there is a scan response, or a payload that needs one, else neither. */
  readonly connectable?: boolean | undefined;
  /** Advertise to one device alone (ADV_DIRECT_IND), without data. High duty: every 3.75 ms, for 1.28 s. */
  readonly direct?: { readonly peer: Address; readonly highDutyCycle?: boolean | undefined } | undefined;
  /** Advertising channels: 37, 38, 39, or some of them. */
  readonly channels?: readonly number[] | undefined;
  /**
   * A connection ends legacy advertising. "never" leaves it so; "connected" starts again at once, for more than one central; "disconnected"
   * starts again when the connection is over. "never" by default.
   */
  readonly restart?: "never" | "connected" | "disconnected" | undefined;
  /** Stops advertising; before it is on the air, `advertise` rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** What `advertise` takes. */
export const ADVERTISE_OPTIONS = optionNames<AdvertiseOptions>({
  data: true,
  scanResponse: true,
  payload: true,
  intervalMs: true,
  ownAddress: true,
  connectable: true,
  direct: true,
  channels: true,
  restart: true,
  signal: true,
});
const DIRECT_OPTIONS = optionNames<NonNullable<AdvertiseOptions["direct"]>>({ peer: true, highDutyCycle: true });

const DEFAULT_INTERVAL_MS = 100;
const AdvertisingType = { Connectable: 0, DirectHighDuty: 1, Scannable: 2, NonConnectable: 3, DirectLowDuty: 4 } as const;
const NO_PEER = new Address(new Uint8Array(6), 0);

/** Kinds and names of the options; their ranges are checked where they are used. @throws {ArgumentError} */
export function checkAdvertiseOptions(options: AdvertiseOptions): void {
  checkOptions("advertise", options, ADVERTISE_OPTIONS);
  checkBoolean("advertise: connectable", options.connectable);
  if (options.ownAddress !== undefined) checkChoice("advertise: ownAddress", options.ownAddress, OWN_ADDRESS_KINDS);
  if (options.restart !== undefined) checkChoice("advertise: restart", options.restart, ["never", "connected", "disconnected"]);
  checkSignal("advertise: signal", options.signal);
  if (options.direct === undefined) return;
  if (options.direct === null) throw new ArgumentError("advertise: direct: expected an object of options, got null");
  checkOptions("advertise: direct", options.direct, DIRECT_OPTIONS);
  if (!(options.direct.peer instanceof Address))
    throw new ArgumentError(`advertise: direct: peer: expected an Address, got ${kindOf(options.direct.peer)}`);
  checkBoolean("advertise: direct: highDutyCycle", options.direct.highDutyCycle);
}

/** Two ends of a range, given as one number or as two. @throws {ArgumentError} */
export function rangeOf(what: string, value: number | readonly [min: number, max: number]): readonly [min: number, max: number] {
  if (!Array.isArray(value)) return [value as number, value as number];
  if (value.length !== 2) throw new ArgumentError(`${what} of ${value.length} values: expected one, or the two ends of a range`);
  return value as unknown as readonly [number, number];
}

/** Range in units of 0.625 ms. @throws {ArgumentError} */
function intervalUnits(intervalMs: IntervalMs): [number, number] {
  const [minMs, maxMs] = rangeOf("advertising interval", intervalMs);
  for (const ms of [minMs, maxMs]) checkMilliseconds("advertising interval", ms, 20, 10_240);
  if (minMs > maxMs) throw new ArgumentError(`advertising interval from ${minMs} to ${maxMs} ms: expected the smaller one first`);
  return [Math.round(minMs / 0.625), Math.round(maxMs / 0.625)];
}

function channelMap(channels: readonly number[]): number {
  if (!Array.isArray(channels)) throw new ArgumentError(`advertising channels: expected an array of 37, 38, 39, got ${kindOf(channels)}`);
  let map = 0;
  for (const channel of channels as readonly number[]) {
    if (![37, 38, 39].includes(channel)) throw new ArgumentError(`advertising channel ${kindOf(channel)}: expected 37, 38 or 39`);
    map |= 1 << (channel - 37);
  }
  if (map === 0) throw new ArgumentError("no advertising channel: expected some of 37, 38, 39");
  return map;
}

/** What is advertised: advertising data, and the answer to scan requests. */
export interface AdvertisedData {
  readonly data: AdvertisingData;
  readonly scanResponse: AdvertisingData;
}

/**
 * What of the two parts is given, as it was given or as its division makes it. Divided, both are given.
 *
 * @throws {ArgumentError} a payload beside one of the two, or what does not fit
 */
export function givenData(
  what: string,
  { data, scanResponse, payload }: Pick<AdvertiseOptions, "data" | "scanResponse" | "payload">,
  options?: PackOptions,
): Partial<AdvertisedData> {
  if (payload !== undefined) {
    if (data !== undefined || scanResponse !== undefined)
      throw new ArgumentError(`${what}: "payload" stands in place of "data" and "scanResponse"`);
    const packed = packAdvertisingData(payload, options);
    return { data: packed.data, scanResponse: packed.scanResponse ?? AdvertisingData.empty };
  }
  return {
    ...(data !== undefined && { data: AdvertisingData.from(data) }),
    ...(scanResponse !== undefined && { scanResponse: AdvertisingData.from(scanResponse) }),
  };
}

/** One advertisement, from its start until it is stopped, refused, or ended by a connection. */
export class AdvertisingSession {
  readonly parameters: ParametersOf<typeof LeSetAdvertisingParameters>;
  readonly ownAddress: OwnAddressKind;
  readonly restart: "never" | "connected" | "disconnected";
  /** The one device that may answer. */
  readonly directedTo: Address | undefined;
  /** What the controller has taken, or takes when it is turned on next. */
  content: AdvertisedData;
  /** The controller may have other data than `content`: an answer was lost. */
  isContentUnknown = false;
  /** The own address last shown; a connection has this one. */
  address: Address | undefined;
  /** Connections it led to that are still open; "disconnected" waits until there are none. */
  links = 0;
  /** The controller takes no more connections for now: on again when one of its links is over. */
  isFull = false;
  /** Set once it is over; `error` is why, `undefined` when it was stopped or did its work. */
  ended: { readonly error: unknown } | undefined;
  /** Called once when it is over. */
  onEnd: ((error: unknown) => void) | undefined;

  /** @throws {ArgumentError} what cannot be advertised */
  constructor(options: AdvertiseOptions, ownAddress: OwnAddressKind) {
    const { scanResponse, payload, connectable = true, direct, channels = [37, 38, 39], restart = "never" } = options;
    this.content = { data: AdvertisingData.empty, scanResponse: AdvertisingData.empty, ...givenData("advertise", options) };
    this.ownAddress = ownAddress;
    this.restart = restart;
    this.directedTo = direct?.peer;
    if (direct && (this.content.data.bytes.length > 0 || this.content.scanResponse.bytes.length > 0))
      throw new ArgumentError("directed advertising carries no data and no scan response");
    if (direct && !connectable) throw new ArgumentError("directed advertising is connectable");
    const [min, max] = intervalUnits(options.intervalMs ?? DEFAULT_INTERVAL_MS);
    let advertisingType: number = connectable
      ? AdvertisingType.Connectable
      : scanResponse || (payload && this.content.scanResponse.bytes.length > 0)
        ? AdvertisingType.Scannable
        : AdvertisingType.NonConnectable;
    if (direct) advertisingType = direct.highDutyCycle ? AdvertisingType.DirectHighDuty : AdvertisingType.DirectLowDuty;
    this.parameters = {
      advertisingIntervalMin: min,
      advertisingIntervalMax: max,
      advertisingType,
      ownAddressType: ownAddress === "public" ? 0 : 1,
      peerAddress: direct?.peer ?? NO_PEER,
      advertisingChannelMap: channelMap(channels),
      advertisingFilterPolicy: 0,
    };
  }

  /** Whether scan requests are answered. */
  get isScannable(): boolean {
    const { advertisingType } = this.parameters;
    return advertisingType === AdvertisingType.Connectable || advertisingType === AdvertisingType.Scannable;
  }
  get isDirected(): boolean {
    return this.directedTo !== undefined;
  }
  /** It ends by itself after 1.28 s, with Advertising Timeout. */
  get isHighDuty(): boolean {
    return this.parameters.advertisingType === AdvertisingType.DirectHighDuty;
  }
  /** Whether a central may answer it with a connection. */
  get isConnectable(): boolean {
    const { advertisingType } = this.parameters;
    return advertisingType !== AdvertisingType.Scannable && advertisingType !== AdvertisingType.NonConnectable;
  }

  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = { error };
    this.onEnd?.(error);
  }
}
