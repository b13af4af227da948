import { Address, type AddressLike } from "../core/address.ts";
import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkMilliseconds,
  checkOptions,
  checkSignal,
  kindOf,
  optionNames,
} from "../core/arguments.ts";
import { ArgumentError, UnsupportedError } from "../core/error.ts";
import { checkAcceptList } from "./accept-list.ts";
import type { AdvertisingDataFields } from "./ad-fields.ts";
import type { AdvertisingDataLike } from "./advertising-data.ts";
import { DISCOVERABLE, type Discoverable, LIMITED_DISCOVERABLE_MS } from "./discoverable.ts";
import { OWN_ADDRESS_KINDS, type OwnAddressKind } from "./own-addresses.ts";
import type { RadioAbilities } from "./radio-abilities.ts";

/** Milliseconds, one value or a range in which the controller chooses. 20 to 10,240 ms in steps of 0.625 ms; extended advertising to 10,485,759 ms. */
export type IntervalMs = number | readonly [min: number, max: number];

export interface AdvertiseOptions {
  /**
   * At most 31 octets, or what the controller's extended advertising holds (up to 1650). More than 31 octets, and the options marked "extended",
   * make it extended advertising, which older scanners do not hear.
   */
  readonly data?: AdvertisingDataLike | undefined;
  /** As `data`; without it scan requests are answered with nothing. Extended advertising that answers scan requests has all its data here. */
  readonly scanResponse?: AdvertisingDataLike | undefined;
  /** In place of both: one description, divided over them where that is needed (see `packAdvertisingData`). */
  readonly payload?: AdvertisingDataFields | undefined;
  /** 100 ms by default. */
  readonly intervalMs?: IntervalMs | undefined;
  /** By default the identity address. */
  readonly ownAddress?: OwnAddressKind | undefined;
  /** True by default, unless it is anonymous. Otherwise scannable when there is a scan response, or a payload that needs one, else neither. */
  readonly connectable?: boolean | undefined;
  /** Advertise to one device alone. With legacy PDUs (ADV_DIRECT_IND) without data; high duty: every 3.75 ms, for 1.28 s. */
  readonly direct?: { readonly peer: Address; readonly highDutyCycle?: boolean | undefined } | undefined;
  /** Advertising channels: 37, 38, 39, or some of them. */
  readonly channels?: readonly number[] | undefined;
  /**
   * A connection ends advertising. "never" leaves it so; "connected" starts again at once, for more than one central; "disconnected"
   * starts again when the connection is over. "never" by default.
   */
  readonly restart?: "never" | "connected" | "disconnected" | undefined;
  /** Stops advertising; before it is on the air, `advertise` rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** The PDUs: "legacy" is heard by all, "extended" by scanners of version 5 that ask for it. By default legacy where that does. */
  readonly type?: "legacy" | "extended" | undefined;
  /** Extended: where advertising events begin, "1M" (default) or "coded". */
  readonly primaryPhy?: "1M" | "coded" | undefined;
  /** Extended: where the data is; by default the primary PHY. */
  readonly secondaryPhy?: "1M" | "2M" | "coded" | undefined;
  /** Extended: how LE Coded is coded, 500 (S=2) or 125 kbit/s (S=8); the controller's choice by default. */
  readonly coding?: "S=2" | "S=8" | undefined;
  /** Extended: no PDU has the own address. Takes no connections and no scan requests. */
  readonly anonymous?: boolean | undefined;
  /** Extended: Advertising Set Identifier, 0 to 15; by default one that no other advertisement of this device has. */
  readonly sid?: number | undefined;
  /** Extended: the transmit power is sent with each advertisement. */
  readonly includeTxPower?: boolean | undefined;
  /** The most power to send with, -127 to 20 dBm; the controller's choice by default. Not of legacy controllers. */
  readonly txPowerDbm?: number | undefined;
  /** It ends by itself after so many milliseconds; never by default, after 180 s where `discoverable` is "limited". */
  readonly durationMs?: number | undefined;
  /** It ends by itself after so many advertising events, 1 to 255. Not of legacy controllers. */
  readonly maxEvents?: number | undefined;
  /** Who is answered; everybody by default. Addresses as they are on the air. */
  readonly acceptList?: readonly AddressLike[] | undefined;
  /** Which requests of others than `acceptList` are not answered: "scan", "connect" or "both" (default). */
  readonly filterAcceptList?: "scan" | "connect" | "both" | undefined;
  /** Tells each scan request that is answered (`Advertising.scanRequests`). Not of legacy controllers. */
  readonly scanRequestNotifications?: boolean | undefined;
  /**
   * Flags in `data`: found by the general discovery procedure, by the limited one too, for at most 180 s, or by none (Vol 3 Part C 9.2). By
   * default the flags are as given.
   */
  readonly discoverable?: Discoverable | undefined;
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
  type: true,
  primaryPhy: true,
  secondaryPhy: true,
  coding: true,
  anonymous: true,
  sid: true,
  includeTxPower: true,
  txPowerDbm: true,
  durationMs: true,
  maxEvents: true,
  acceptList: true,
  filterAcceptList: true,
  scanRequestNotifications: true,
  discoverable: true,
});
const DIRECT_OPTIONS = optionNames<NonNullable<AdvertiseOptions["direct"]>>({ peer: true, highDutyCycle: true });

/** Longest interval of legacy PDUs, and of extended ones. */
const LONGEST_LEGACY_MS = 10_240;
const LONGEST_EXTENDED_MS = 0xff_ffff * 0.625;

/** Kinds and names of the options; what depends on others is checked where they are used. @throws {ArgumentError} */
export function checkAdvertiseOptions(options: AdvertiseOptions): void {
  checkOptions("advertise", options, ADVERTISE_OPTIONS);
  for (const name of ["connectable", "anonymous", "includeTxPower", "scanRequestNotifications"] as const)
    checkBoolean(`advertise: ${name}`, options[name]);
  checkIn("ownAddress", options.ownAddress, OWN_ADDRESS_KINDS);
  checkIn("restart", options.restart, ["never", "connected", "disconnected"]);
  checkIn("type", options.type, ["legacy", "extended"]);
  checkIn("primaryPhy", options.primaryPhy, ["1M", "coded"]);
  checkIn("secondaryPhy", options.secondaryPhy, ["1M", "2M", "coded"]);
  checkIn("coding", options.coding, ["S=2", "S=8"]);
  checkIn("filterAcceptList", options.filterAcceptList, ["scan", "connect", "both"]);
  checkIn("discoverable", options.discoverable, DISCOVERABLE);
  if (options.sid !== undefined) checkInteger("advertise: sid", options.sid, 0, 15);
  if (options.txPowerDbm !== undefined) checkInteger("advertise: txPowerDbm", options.txPowerDbm, -127, 20);
  if (options.maxEvents !== undefined) checkInteger("advertise: maxEvents", options.maxEvents, 1, 255);
  if (options.durationMs !== undefined) checkMilliseconds("advertise: durationMs", options.durationMs, 10, Number.MAX_SAFE_INTEGER);
  if (options.discoverable === "limited" && (options.durationMs ?? 0) > LIMITED_DISCOVERABLE_MS)
    throw new ArgumentError(`advertise: durationMs ${options.durationMs}: limited discoverable is at most ${LIMITED_DISCOVERABLE_MS} ms`);
  if (options.acceptList !== undefined) checkAcceptList("advertise: acceptList", options.acceptList);
  else if (options.filterAcceptList !== undefined)
    throw new ArgumentError('advertise: filterAcceptList: expected an "acceptList" beside it');
  checkSignal("advertise: signal", options.signal);
  if (options.direct !== undefined) checkDirect(options.direct);
}

function checkIn(name: string, value: unknown, choices: readonly string[]): void {
  if (value !== undefined) checkChoice(`advertise: ${name}`, value, choices);
}

function checkDirect(direct: AdvertiseOptions["direct"] | null): void {
  if (direct === null) throw new ArgumentError("advertise: direct: expected an object of options, got null");
  checkOptions("advertise: direct", direct, DIRECT_OPTIONS);
  if (!(direct!.peer instanceof Address))
    throw new ArgumentError(`advertise: direct: peer: expected an Address, got ${kindOf(direct!.peer)}`);
  checkBoolean("advertise: direct: highDutyCycle", direct!.highDutyCycle);
}

/** What asks for extended PDUs, in words; `undefined` where nothing but the octets of data may. */
export function extendedWish(options: AdvertiseOptions): string | undefined {
  const { type, primaryPhy, secondaryPhy, coding, anonymous, sid, includeTxPower, intervalMs } = options;
  if (type === "extended") return 'type "extended"';
  if (primaryPhy === "coded") return "LE Coded";
  if (secondaryPhy !== undefined) return "a secondary PHY";
  if (coding !== undefined) return "a choice of coding";
  if (anonymous) return "anonymous advertising";
  if (sid !== undefined) return "an advertising set identifier";
  if (includeTxPower) return "the transmit power in each advertisement";
  const longest = Array.isArray(intervalMs) ? (intervalMs as readonly number[])[1] : (intervalMs as number | undefined);
  return typeof longest === "number" && longest > LONGEST_LEGACY_MS && longest <= LONGEST_EXTENDED_MS
    ? `an interval of ${longest} ms`
    : undefined;
}

/** Refuses what the controller cannot do. @throws {UnsupportedError} */
export function checkAbilities(options: AdvertiseOptions, abilities: RadioAbilities): void {
  const refuse = (what: string): never => {
    throw new UnsupportedError(`advertise: the controller cannot do ${what}`);
  };
  const { primaryPhy, secondaryPhy, coding, txPowerDbm, maxEvents, scanRequestNotifications, acceptList, type } = options;
  if (!abilities.isExtended) {
    const wish = type === "legacy" ? undefined : extendedWish(options);
    if (wish) refuse(`${wish}: it has legacy advertising alone`);
    if (txPowerDbm !== undefined) refuse("a transmit power for an advertisement: it has legacy advertising alone");
    if (maxEvents !== undefined) refuse("a number of advertising events: it has legacy advertising alone");
    if (scanRequestNotifications) refuse("notifications of scan requests: it has legacy advertising alone");
  }
  if ((primaryPhy === "coded" || secondaryPhy === "coded") && !abilities.hasCoded) refuse("LE Coded");
  if (secondaryPhy === "2M" && !abilities.has2m) refuse("LE 2M");
  if (coding !== undefined && !abilities.hasCodingSelection) refuse("a choice of coding");
  if ((acceptList?.length ?? 0) > abilities.acceptListSize)
    refuse(`an accept list of ${acceptList!.length} addresses: it holds ${abilities.acceptListSize}`);
}

/** Two ends of a range, given as one number or as two. @throws {ArgumentError} */
export function rangeOf(what: string, value: number | readonly [min: number, max: number]): readonly [min: number, max: number] {
  if (!Array.isArray(value)) return [value as number, value as number];
  if (value.length !== 2) throw new ArgumentError(`${what} of ${value.length} values: expected one, or the two ends of a range`);
  return value as unknown as readonly [number, number];
}

/** Range in units of 0.625 ms. @throws {ArgumentError} */
export function intervalUnits(intervalMs: IntervalMs, isLegacy: boolean): [number, number] {
  const [minMs, maxMs] = rangeOf("advertising interval", intervalMs);
  for (const ms of [minMs, maxMs])
    checkMilliseconds("advertising interval", ms, 20, isLegacy ? LONGEST_LEGACY_MS : Math.floor(LONGEST_EXTENDED_MS));
  if (minMs > maxMs) throw new ArgumentError(`advertising interval from ${minMs} to ${maxMs} ms: expected the smaller one first`);
  return [Math.round(minMs / 0.625), Math.round(maxMs / 0.625)];
}

/** @throws {ArgumentError} */
export function channelMap(channels: readonly number[]): number {
  if (!Array.isArray(channels)) throw new ArgumentError(`advertising channels: expected an array of 37, 38, 39, got ${kindOf(channels)}`);
  let map = 0;
  for (const channel of channels as readonly number[]) {
    if (![37, 38, 39].includes(channel)) throw new ArgumentError(`advertising channel ${kindOf(channel)}: expected 37, 38 or 39`);
    map |= 1 << (channel - 37);
  }
  if (map === 0) throw new ArgumentError("no advertising channel: expected some of 37, 38, 39");
  return map;
}
