import { checkInteger, kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";

/** Data channels of LE, numbered from 0 (Vol 6 Part B 1.4.1). */
const CHANNELS = 37;
/** A link needs so many at least (Vol 6 Part B 4.5.8.1). */
const LEAST_CHANNELS = 2;

/** The channels whose bits are set, in order. */
export function channelsOf(map: Uint8Array): readonly number[] {
  const channels: number[] = [];
  for (let channel = 0; channel < CHANNELS; channel++) if (((map[channel >> 3] ?? 0) >> (channel & 7)) & 1) channels.push(channel);
  return channels;
}

/**
 * The map without these channels: 5 octets, a bit for each, the lowest first.
 *
 * @throws {ArgumentError} no channels, or fewer than two would be left
 */
export function mapWithout(what: string, bad: Iterable<number>): Uint8Array {
  if (typeof bad !== "object" || bad === null || typeof bad[Symbol.iterator] !== "function")
    throw new ArgumentError(`${what}: expected channel numbers, got ${kindOf(bad)}`);
  const map = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f);
  for (const channel of bad) {
    checkInteger(`${what}: channel`, channel, 0, CHANNELS - 1);
    map[channel >> 3]! &= ~(1 << (channel & 7));
  }
  const left = channelsOf(map).length;
  if (left < LEAST_CHANNELS) throw new ArgumentError(`${what}: ${left} channels would be left, expected ${LEAST_CHANNELS} at least`);
  return map;
}
