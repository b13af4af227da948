import { checkBoolean, checkFunction, checkInteger, checkMilliseconds, checkOptions, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { rangeOf } from "../advertise-options.ts";
import { AdvertisingData, type AdvertisingDataLike } from "../advertising-data.ts";

/** What one subevent sends, and which response slots may answer it. */
export interface SubeventData {
  /** At most 249 octets: what one HCI command holds. */
  readonly data: AdvertisingDataLike;
  /** The first response slot that is listened to; 0 by default. */
  readonly responseSlotStart?: number | undefined;
  /** How many are listened to; all from the first on by default. */
  readonly responseSlotCount?: number | undefined;
}

/** Response slots of each subevent. */
export interface ResponseSlots {
  /** From the begin of the subevent to its first slot: 1.25 to 317.5 ms in steps of 1.25 ms, less than the subevent's interval. */
  readonly delayMs: number;
  /** From slot to slot: 0.25 to 31.875 ms in steps of 0.125 ms. */
  readonly spacingMs: number;
  /** How many, 1 to 255. */
  readonly count: number;
}

/** Subevents of periodic advertising with responses, Vol 6 Part B 4.4.2.12.1. */
export interface Subevents {
  /** How many, 1 to 128. */
  readonly count: number;
  /** From one to the next: 7.5 to 318.75 ms in steps of 1.25 ms; all together fit in the interval. */
  readonly intervalMs: number;
  /** Where scanners answer; without it nobody does. */
  readonly responses?: ResponseSlots | undefined;
}

export interface PeriodicOptions {
  /** 7.5 to 81,918.75 ms in steps of 1.25 ms, one value or a range in which the controller chooses. */
  readonly intervalMs: number | readonly [min: number, max: number];
  /** Nothing by default; as many octets as extended advertising holds. With `subevents` each has its own, and this is left out. */
  readonly data?: AdvertisingDataLike | undefined;
  /** The transmit power is sent too. */
  readonly includeTxPower?: boolean | undefined;
  /** Data are sent with an identifier of their own (ADI), so that receivers hear of them once. */
  readonly adi?: boolean | undefined;
  /** With responses: the train is divided into subevents. */
  readonly subevents?: Subevents | undefined;
  /**
   * What a subevent sends next; called each time the controller asks for it, a moment before it is on the air. Nothing: the subevent is left out
   * this time.
   */
  readonly onSubevent?: ((subevent: number) => AdvertisingDataLike | SubeventData | undefined) | undefined;
  /** Gives up starting it. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<PeriodicOptions>({
  intervalMs: true,
  data: true,
  includeTxPower: true,
  adi: true,
  subevents: true,
  onSubevent: true,
  signal: true,
});
const SUBEVENTS = optionNames<Subevents>({ count: true, intervalMs: true, responses: true });
const RESPONSES = optionNames<ResponseSlots>({ delayMs: true, spacingMs: true, count: true });
const SUBEVENT_DATA = optionNames<SubeventData>({ data: true, responseSlotStart: true, responseSlotCount: true });

/** Units of the intervals and of the delay, and of the spacing of slots. */
const UNIT_MS = 1.25;
const SPACING_UNIT_MS = 0.125;
/** Octets of a subevent in one command: 255, less its head and that of the subevent (Vol 4 Part E 7.8.125). */
export const SUBEVENT_OCTETS = 249;
/** Most subevents of a train. */
export const MAX_SUBEVENTS = 0x80;

/** Parameters of subevents in units of HCI (Vol 4 Part E 7.8.61); zeros without. */
export interface SubeventUnits {
  readonly numSubevents: number;
  readonly subeventInterval: number; // units of 1.25 ms
  readonly responseSlotDelay: number; // units of 1.25 ms
  readonly responseSlotSpacing: number; // units of 0.125 ms
  readonly numResponseSlots: number;
}

/** What is asked for, checked, in units of HCI. */
export interface PeriodicParameters {
  /** Units of 1.25 ms. */
  readonly interval: readonly [min: number, max: number];
  readonly includeTxPower: boolean;
  readonly adi: boolean;
  readonly subevents: SubeventUnits | undefined;
}

/** Kinds, names, ranges, and how they go together (Vol 4 Part E 7.8.61). @throws {ArgumentError} */
export function checkPeriodicOptions(options: PeriodicOptions): PeriodicParameters {
  checkOptions("startPeriodic", options ?? null, OPTIONS);
  checkBoolean("startPeriodic: includeTxPower", options.includeTxPower);
  checkBoolean("startPeriodic: adi", options.adi);
  checkFunction("startPeriodic: onSubevent", options.onSubevent);
  const [minMs, maxMs] = rangeOf("startPeriodic: intervalMs", options.intervalMs);
  for (const ms of [minMs, maxMs]) checkMilliseconds("startPeriodic: intervalMs", ms, 7.5, 0xffff * UNIT_MS);
  if (minMs > maxMs) throw new ArgumentError(`startPeriodic: intervalMs from ${minMs} to ${maxMs}: expected the smaller one first`);
  const interval = [Math.round(minMs / UNIT_MS), Math.round(maxMs / UNIT_MS)] as const;
  const { subevents, data, onSubevent } = options;
  if (!subevents && onSubevent) throw new ArgumentError('startPeriodic: onSubevent: expected "subevents" beside it');
  if (subevents && data !== undefined) throw new ArgumentError('startPeriodic: data: with "subevents" each of them has its own');
  return {
    interval,
    includeTxPower: options.includeTxPower ?? false,
    adi: options.adi ?? false,
    subevents: subevents === undefined ? undefined : subeventUnits(subevents, interval[0]),
  };
}

function subeventUnits(subevents: Subevents, interval: number): SubeventUnits {
  const what = "startPeriodic: subevents";
  checkOptions(what, subevents ?? null, SUBEVENTS);
  const numSubevents = checkInteger(`${what}: count`, subevents.count, 1, MAX_SUBEVENTS);
  const subeventInterval = Math.round(checkMilliseconds(`${what}: intervalMs`, subevents.intervalMs, 7.5, 318.75) / UNIT_MS);
  if (numSubevents * subeventInterval > interval)
    throw new ArgumentError(
      `${what}: ${numSubevents} of ${subeventInterval * UNIT_MS} ms do not fit in an interval of ${interval * UNIT_MS} ms`,
    );
  const { responses } = subevents;
  if (responses === undefined) return { numSubevents, subeventInterval, responseSlotDelay: 0, responseSlotSpacing: 0, numResponseSlots: 0 };
  checkOptions(`${what}: responses`, responses ?? null, RESPONSES);
  const responseSlotDelay = Math.round(checkMilliseconds(`${what}: responses: delayMs`, responses.delayMs, UNIT_MS, 317.5) / UNIT_MS);
  const responseSlotSpacing = Math.round(
    checkMilliseconds(`${what}: responses: spacingMs`, responses.spacingMs, 0.25, 31.875) / SPACING_UNIT_MS,
  );
  const numResponseSlots = checkInteger(`${what}: responses: count`, responses.count, 1, 0xff);
  const roomUnits = (subeventInterval - responseSlotDelay) * (UNIT_MS / SPACING_UNIT_MS);
  if (roomUnits <= 0 || numResponseSlots * responseSlotSpacing > roomUnits)
    throw new ArgumentError(`${what}: responses: ${numResponseSlots} slots do not fit between their delay and the end of the subevent`);
  return { numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing, numResponseSlots };
}

/** What a subevent sends, in units of HCI. */
export interface SubeventPayload {
  readonly responseSlotStart: number;
  readonly responseSlotCount: number;
  readonly subeventData: Uint8Array;
}

/** @throws {ArgumentError} it does not fit, or slots that are not there */
export function checkSubeventData(value: AdvertisingDataLike | SubeventData, { numResponseSlots }: SubeventUnits): SubeventPayload {
  const what = "subevent data";
  const given = isSubeventData(value) ? value : { data: value };
  checkOptions(what, given, SUBEVENT_DATA);
  const { bytes } = AdvertisingData.from(given.data, SUBEVENT_OCTETS);
  const last = Math.max(0, numResponseSlots - 1);
  const responseSlotStart = checkInteger(`${what}: responseSlotStart`, given.responseSlotStart ?? 0, 0, last);
  // The parameter begins at 1, where there are no slots too (Vol 4 Part E 7.8.125).
  const most = Math.max(1, numResponseSlots - responseSlotStart);
  const responseSlotCount = checkInteger(`${what}: responseSlotCount`, given.responseSlotCount ?? most, 1, most);
  return { responseSlotStart, responseSlotCount, subeventData: bytes };
}

/** Fields of advertising data have no such name. */
function isSubeventData(value: AdvertisingDataLike | SubeventData): value is SubeventData {
  if (typeof value !== "object" || value === null)
    throw new ArgumentError(`subevent data: expected octets, fields or AD structures, got ${kindOf(value)}`);
  return !(value instanceof Uint8Array) && !(value instanceof AdvertisingData) && !Array.isArray(value) && "data" in value;
}
