import { ArgumentError } from "../core/error.ts";

/** Parameters of a Connection Parameter Update Request, Vol 3 Part A 4.20, in its units. */
export interface ConnectionParameters {
  /** Units of 1.25 ms, 6 to 3200. */
  readonly intervalMin: number;
  /** Units of 1.25 ms, 6 to 3200, at least `intervalMin`. */
  readonly intervalMax: number;
  /** Connection events that the peripheral may skip, 0 to 499. */
  readonly latency: number;
  /** Supervision timeout in units of 10 ms, 10 to 3200, longer than twice the longest time between two events. */
  readonly timeout: number;
}

/** What is wrong with the parameters, or undefined. */
export function connectionParametersProblem({ intervalMin, intervalMax, latency, timeout }: ConnectionParameters): string | undefined {
  const within = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;
  if (!within(intervalMin, 6, 3200)) return `intervalMin ${intervalMin}: expected 6 to 3200 (units of 1.25 ms)`;
  if (!within(intervalMax, intervalMin, 3200)) return `intervalMax ${intervalMax}: expected ${intervalMin} to 3200 (units of 1.25 ms)`;
  if (!within(latency, 0, 499)) return `latency ${latency}: expected 0 to 499`;
  if (!within(timeout, 10, 3200)) return `timeout ${timeout}: expected 10 to 3200 (units of 10 ms)`;
  // timeout × 10 ms > (1 + latency) × intervalMax × 1.25 ms × 2
  if (timeout * 4 <= (1 + latency) * intervalMax)
    return `timeout ${timeout}: expected more than ${((1 + latency) * intervalMax) / 4} (units of 10 ms) with this interval and latency`;
  return undefined;
}

/** @throws {ArgumentError} a value out of range, or a timeout too short for interval and latency */
export function checkConnectionParameters(parameters: ConnectionParameters): void {
  const problem = connectionParametersProblem(parameters);
  if (problem) throw new ArgumentError(problem);
}
