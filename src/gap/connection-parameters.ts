import { checkMilliseconds, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import type { ConnectionParameters } from "../l2cap/index.ts";
import { rangeOf } from "./advertising-session.ts";

// Four numbers, in two unit systems: milliseconds for programs (as they are wanted, which may be a range, and as they are now), the units of
// the packets below (`ConnectionParameters`). All conversions between the two are here.

/** Parameters of a link as they are now. */
export interface LinkParameters {
  readonly intervalMs: number;
  /** Connection events the peripheral may skip. */
  readonly latency: number;
  readonly supervisionTimeoutMs: number;
}

/** Parameters of a link as they are wanted. */
export interface ConnectionParameterOptions {
  /** Connection interval, one value or a range, 7.5 to 4000 ms in steps of 1.25 ms. */
  readonly intervalMs?: number | readonly [min: number, max: number] | undefined;
  /** Connection events the peripheral may skip, 0 to 499. */
  readonly latency?: number | undefined;
  /** Without a packet for so long the link is lost; 100 to 32,000 ms in steps of 10 ms. */
  readonly supervisionTimeoutMs?: number | undefined;
}

const INTERVAL_UNIT_MS = 1.25;
const TIMEOUT_UNIT_MS = 10;
// TGAP(initial_conn_interval), Vol 3 Part C Appendix A, is 30 to 50 ms.
const DEFAULT_INTERVAL_MS = [30, 50] as const;
const DEFAULT_SUPERVISION_TIMEOUT_MS = 4000;
const PARAMETER_OPTIONS = optionNames<ConnectionParameterOptions>({ intervalMs: true, latency: true, supervisionTimeoutMs: true });

/** Names of parameters that somebody gives alone. @throws {ArgumentError} */
export function checkParameterNames(options: unknown): void {
  checkOptions("connection parameters", options, PARAMETER_OPTIONS);
}

/** What is wanted, in the units of packets. @throws {ArgumentError} what Vol 4 Part E 7.8.12 does not permit */
export function connectionParameters(options: ConnectionParameterOptions): ConnectionParameters {
  const { intervalMs = DEFAULT_INTERVAL_MS, latency = 0, supervisionTimeoutMs = DEFAULT_SUPERVISION_TIMEOUT_MS } = options;
  const [minMs, maxMs] = rangeOf("connection interval", intervalMs);
  for (const ms of [minMs, maxMs]) checkMilliseconds("connection interval", ms, 7.5, 4000);
  if (minMs > maxMs) throw new ArgumentError(`connection interval from ${minMs} to ${maxMs} ms: expected the smaller one first`);
  if (!Number.isInteger(latency) || latency < 0 || latency > 499)
    throw new ArgumentError(`latency ${kindOf(latency)}: expected 0 to 499 events`);
  checkMilliseconds("supervision timeout", supervisionTimeoutMs, 100, 32_000);
  if (supervisionTimeoutMs <= (1 + latency) * maxMs * 2)
    throw new ArgumentError(
      `supervision timeout ${supervisionTimeoutMs} ms: expected more than ${(1 + latency) * maxMs * 2} ms, twice the longest time between events`,
    );
  return {
    intervalMin: Math.round(minMs / INTERVAL_UNIT_MS),
    intervalMax: Math.round(maxMs / INTERVAL_UNIT_MS),
    latency,
    timeout: Math.round(supervisionTimeoutMs / TIMEOUT_UNIT_MS),
  };
}

/** The fields of a command of HCI that sets them: the same numbers under the names of Vol 4 Part E 7.8.12 and 7.8.18. */
export function commandParameters({ intervalMin, intervalMax, latency, timeout }: ConnectionParameters) {
  return {
    connectionIntervalMin: intervalMin,
    connectionIntervalMax: intervalMax,
    maxLatency: latency,
    supervisionTimeout: timeout,
  };
}

/** What an event says. */
export function linkParameters(event: {
  readonly connectionInterval: number;
  readonly peripheralLatency: number;
  readonly supervisionTimeout: number;
}): LinkParameters {
  return Object.freeze({
    intervalMs: event.connectionInterval * INTERVAL_UNIT_MS,
    latency: event.peripheralLatency,
    supervisionTimeoutMs: event.supervisionTimeout * TIMEOUT_UNIT_MS,
  });
}

/** Whether the interval is one of those wanted. */
export function hasInterval({ intervalMs }: LinkParameters, { intervalMin, intervalMax }: ConnectionParameters): boolean {
  return intervalMs >= intervalMin * INTERVAL_UNIT_MS && intervalMs <= intervalMax * INTERVAL_UNIT_MS;
}

/** Whether all is as wanted. */
export function isWithin(parameters: LinkParameters, wanted: ConnectionParameters): boolean {
  const { latency, supervisionTimeoutMs } = parameters;
  return hasInterval(parameters, wanted) && latency <= wanted.latency && supervisionTimeoutMs === wanted.timeout * TIMEOUT_UNIT_MS;
}
