import { checkMilliseconds, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { rangeOf } from "./advertising-session.ts";

/** Parameters of a link. */
export interface ConnectionParameterOptions {
  /** Connection interval, one value or a range, 7.5 to 4000 ms in steps of 1.25 ms. */
  readonly intervalMs?: number | readonly [min: number, max: number] | undefined;
  /** Connection events the peripheral may skip, 0 to 499. */
  readonly latency?: number | undefined;
  /** Without a packet for so long the link is lost; 100 to 32,000 ms in steps of 10 ms. */
  readonly supervisionTimeoutMs?: number | undefined;
}

/** In units of 1.25 ms, connection events, and units of 10 ms. */
export interface ConnectionParameterUnits {
  readonly connectionIntervalMin: number;
  readonly connectionIntervalMax: number;
  readonly maxLatency: number;
  readonly supervisionTimeout: number;
}

// TGAP(initial_conn_interval), Vol 3 Part C Appendix A, is 30 to 50 ms.
const DEFAULT_INTERVAL_MS = [30, 50] as const;
const DEFAULT_SUPERVISION_TIMEOUT_MS = 4000;
const PARAMETER_OPTIONS = optionNames<ConnectionParameterOptions>({ intervalMs: true, latency: true, supervisionTimeoutMs: true });

/** Names of parameters that somebody gives alone. @throws {ArgumentError} */
export function checkParameterNames(options: unknown): void {
  checkOptions("connection parameters", options, PARAMETER_OPTIONS);
}

/** Checks what Vol 4 Part E 7.8.12 demands. @throws {ArgumentError} */
export function connectionParameterUnits(options: ConnectionParameterOptions): ConnectionParameterUnits {
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
    connectionIntervalMin: Math.round(minMs / 1.25),
    connectionIntervalMax: Math.round(maxMs / 1.25),
    maxLatency: latency,
    supervisionTimeout: Math.round(supervisionTimeoutMs / 10),
  };
}
