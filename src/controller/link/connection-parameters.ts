import type { SeededRandom } from "../../core/index.ts";

/** In force on a link; wire units: 1.25 ms, connection events, 10 ms. */
export interface ConnectionParameters {
  readonly interval: number;
  readonly latency: number;
  readonly timeout: number;
}

/** As asked for. */
export interface ParameterRange {
  readonly intervalMin: number;
  readonly intervalMax: number;
  readonly latency: number;
  readonly timeout: number;
}

/** An interval in the range that a host leaves to its controller: any of them, as silicon chooses by reasons of its own. */
export function drawnInterval(
  random: SeededRandom,
  { intervalMin, intervalMax }: Pick<ParameterRange, "intervalMin" | "intervalMax">,
): number {
  return intervalMin === intervalMax ? intervalMax : intervalMin + (random.uint32() % (intervalMax - intervalMin + 1));
}

/**
 * Ranges of Vol 4 Part E 7.8.12: 7.5 ms to 4 s; 0 to 499 events; 100 ms to 32 s, and more than twice the longest time between two events
 * that the peripheral attends.
 */
export function areConnectionParametersValid({ intervalMin, intervalMax, latency, timeout }: ParameterRange): boolean {
  return (
    intervalMin >= 0x0006 &&
    intervalMax <= 0x0c80 &&
    intervalMin <= intervalMax &&
    latency <= 0x01f3 &&
    timeout >= 0x000a &&
    timeout <= 0x0c80 &&
    timeout * 10 > (1 + latency) * intervalMax * 1.25 * 2
  );
}
