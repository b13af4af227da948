import { DecodeError, Reader } from "jelling/bytes";
import { PumpDataError } from "../data/error.ts";
import { type IddProtection, unprotected } from "../idd/protection.ts";
import { EVENT_NAMES, EVENT_READERS, type HistoryData, UNDECODED_EVENTS } from "./events.ts";

const NAME = "History Data";
const HEADER = 8;

/** One record of the pump's history. None is dropped: what cannot be decoded is kept as it came, and `problem` says what is wrong with it. */
export interface HistoryRecord {
  readonly eventType: number;
  /** Of the event, or of an event of the SIG that is not decoded; undefined for a type that nobody knows. */
  readonly eventName: string | undefined;
  /** Ascends by one; may have gaps, and begins anew when the pump's memory has failed. */
  readonly sequenceNumber: number;
  /** Seconds since the latest reference time. */
  readonly relativeOffsetSeconds: number;
  /** Event data as they came, without header, counter and CRC. */
  readonly raw: Uint8Array;
  /** undefined: not decoded. */
  readonly data: HistoryData | undefined;
  /** Octets behind what was decoded. */
  readonly rest: Uint8Array;
  readonly problem: PumpDataError | undefined;
}

/**
 * A record of History Data, decrypted and whole.
 *
 * @throws {PumpDataError} "length" shorter than its header; "crc" where the service is protected
 */
export function decodeHistoryRecord(bytes: Uint8Array, protection: IddProtection): HistoryRecord {
  const content = unprotected(NAME, bytes, protection);
  if (content.length < HEADER) throw new PumpDataError("length", `${NAME}: ${content.length} octets, a header has ${HEADER}`);
  const reader = new Reader(content, { name: NAME });
  const eventType = reader.u16();
  const sequenceNumber = reader.u32();
  const relativeOffsetSeconds = reader.u16();
  const raw = content.slice(HEADER);
  const name = EVENT_NAMES[eventType];
  const eventName = eventNameOf(eventType);
  if (!name) return { eventType, eventName, sequenceNumber, relativeOffsetSeconds, raw, data: undefined, rest: raw, problem: undefined };
  let problem: PumpDataError | undefined;
  let data: HistoryData | undefined;
  try {
    const fields = EVENT_READERS[name](reader, (kind, message) => {
      problem ??= new PumpDataError(kind, `${NAME}: ${message}`);
    });
    data = { name, ...fields } as HistoryData;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    problem = new PumpDataError("length", error.message, { cause: error });
  }
  const rest = data ? reader.rest() : raw;
  if (data && rest.length > 0) problem ??= new PumpDataError("trailing", `${NAME}: ${rest.length} unread octets of ${content.length}`);
  return { eventType, eventName, sequenceNumber, relativeOffsetSeconds, raw, data, rest, problem };
}

/** "bolus_programmed_p1"; undefined for a type that nobody knows. */
export function eventNameOf(eventType: number): string | undefined {
  return EVENT_NAMES[eventType] ?? UNDECODED_EVENTS[eventType];
}
