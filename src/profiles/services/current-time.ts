import { AttError } from "../../att/index.ts";
import {
  type Codec,
  type CurrentTime,
  currentTime,
  currentTimeOf,
  enumeration,
  type Infer,
  i8,
  orUnknown,
  struct,
  u8,
} from "../../bytes/index.ts";
import { ArgumentError } from "../../core/index.ts";
import type { GattOperationOptions, GattServer } from "../../gatt/index.ts";
import { bounded } from "../bounded.ts";
import type { ServicePeer } from "../client.ts";
import { defineService } from "../define.ts";
import { type Simulation, simulate } from "../simulate.ts";

/** Quarters of an hour as minutes; numbers that are none of these are reserved, and not known. */
function quarters(base: Codec<number>, unknown: number, isKnown: (quarters: number) => boolean, words: string): Codec<number | undefined> {
  return {
    form: { text: words },
    decode: (reader) => {
      const value = base.decode(reader);
      return isKnown(value) ? value * 15 : undefined;
    },
    encode: (writer, minutes) => {
      if (minutes !== undefined && !isKnown(minutes / 15)) throw new ArgumentError(`${minutes} minutes: expected ${words}`);
      base.encode(writer, minutes === undefined ? unknown : minutes / 15);
    },
  };
}

const localTime = struct({
  /** Minutes from UTC, without daylight saving. */
  timeZoneMinutes: quarters(
    i8,
    -128,
    (value) => Number.isInteger(value) && value >= -48 && value <= 56,
    "sint8 × 15 minutes, −48 to 56, −128: not known",
  ),
  /** 0, 30, 60 or 120. */
  dstOffsetMinutes: quarters(u8, 255, (value) => [0, 2, 4, 8].includes(value), "uint8 × 15 minutes, 0, 2, 4 or 8, 255: not known"),
});
export type LocalTimeInformation = Infer<typeof localTime>;

const reference = struct({
  source: enumeration(u8, {
    0: "unknown",
    1: "networkTimeProtocol",
    2: "gps",
    3: "radioTimeSignal",
    4: "manual",
    5: "atomicClock",
    6: "cellularNetwork",
    7: "notSynchronized",
  }),
  /** Eighths of a second, 253 at most; 254: out of range. */
  accuracy: orUnknown(u8, 255),
  /** 255: 255 or more. */
  daysSinceUpdate: u8,
  /** 0 to 23; 255 where the days are. */
  hoursSinceUpdate: u8,
});
export type ReferenceTimeInformation = Infer<typeof reference>;

/** Current Time Service 1.1. */
export const currentTimeService = defineService({
  uuid: 0x1805,
  name: "Current Time",
  summary: "What a device's clock shows (Current Time Service 1.1).",
  characteristics: {
    currentTime: {
      uuid: 0x2a2b,
      summary: "A server that does not take a part of a written time refuses it with Data Field Ignored (0x80).",
      properties: ["read", "notify"],
      optionalProperties: ["write"],
      value: currentTime,
      valueError: 0x80,
    },
    localTimeInformation: {
      uuid: 0x2a0f,
      properties: ["read"],
      optionalProperties: ["write"],
      optional: true,
      value: localTime,
      valueError: 0x80,
    },
    referenceTimeInformation: { uuid: 0x2a14, properties: ["read"], optional: true, value: reference },
  },
});

/** Current Time Service 1.1, 1.6: a part of a written time was not taken. */
export const DATA_FIELD_IGNORED = 0x80;

export interface ServeCurrentTimeOptions {
  /** What the clock shows, each time it is asked; by default what this computer's does. */
  readonly now?: (() => CurrentTime) | undefined;
  /** Called for a time that a client sets. Without it, no client can. @throws {AttError} DATA_FIELD_IGNORED where parts were not taken */
  readonly set?: ((time: CurrentTime) => void | Promise<void>) | undefined;
  readonly local?: LocalTimeInformation | undefined;
}

/** Serves a clock. */
export function serveCurrentTime(server: GattServer, { now = () => currentTimeOf(new Date()), set, local }: ServeCurrentTimeOptions = {}) {
  return currentTimeService.serve(server, {
    currentTime: {
      read: now,
      write: async (time) => {
        if (!set) throw new AttError(DATA_FIELD_IGNORED);
        await set(time);
      },
      ...(set ? {} : { omit: ["write"] as const }),
    },
    ...(local && { localTimeInformation: { value: local, omit: ["write"] as const } }),
  });
}

/** What a peer's clock shows, and where it stands. */
export interface ClockReading {
  readonly time: CurrentTime;
  readonly local?: LocalTimeInformation | undefined;
  readonly reference?: ReferenceTimeInformation | undefined;
}

/** Reads a peer's clock. @throws {GattNotFoundError} it has none · {DecodeError} a time that does not exist */
export async function readClock(peer: ServicePeer, options: GattOperationOptions = {}): Promise<ClockReading> {
  return await bounded(peer.gatt.bearer.clock, "reading the clock", options, async (bound) => {
    const client = await currentTimeService.of(peer, bound);
    const time = await client.currentTime.read(bound);
    const local = await client.localTimeInformation?.read(bound);
    const reference = await client.referenceTimeInformation?.read(bound);
    return { time, ...(local && { local }), ...(reference && { reference }) };
  });
}

/** A clock for tests that stands at this time until it is set. */
export function simulateCurrentTime(time: CurrentTime): Simulation<typeof currentTimeService.characteristics> {
  return simulate(currentTimeService, {
    serve: { currentTime: { value: time }, localTimeInformation: { value: { timeZoneMinutes: 60, dstOffsetMinutes: 0 } } },
  });
}
