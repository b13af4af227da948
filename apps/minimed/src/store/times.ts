import { ArgumentError, checkOptions, kindOf, optionNames } from "jelling/core";

// When records happened. Pure: the rows come and go elsewhere.
//
// A reference record tells what the display showed. Its instant follows from the clock's difference where that was measured, and else from the
// reference before or after it: between two of them the display ran on, or, where the user set the clock or the pump lost it, only the counter of
// seconds did. An instant that is known never changes.

/** A reference record among its neighbours: no number between them is missing. */
export interface Reference {
  readonly seq: number;
  readonly reason: string;
  /** What the display showed, read as UTC; undefined: no such day. */
  readonly localS: number | undefined;
  /** Since the reference before. */
  readonly sinceS: number;
  /** The clock was lost, and not set since: what the display showed is no fact. */
  lost: boolean;
  /** UTC; undefined: not known yet. */
  utcS: number | undefined;
}

/** How far the pump's display was ahead of UTC, and when that was read. */
export interface ClockMeasurement {
  readonly differenceS: number;
  readonly atMs: number;
}

const MEASUREMENT_NAMES = optionNames<ClockMeasurement>({ differenceS: true, atMs: true });

/** @throws {ArgumentError} */
export function checkMeasurement(what: string, measurement: ClockMeasurement | undefined): asserts measurement is ClockMeasurement {
  checkOptions(what, measurement ?? null, MEASUREMENT_NAMES);
  for (const [name, value] of Object.entries({ differenceS: measurement?.differenceS, atMs: measurement?.atMs }))
    if (!Number.isFinite(value)) throw new ArgumentError(`${what}: ${name}: expected a number, got ${kindOf(value)}`);
}

const LOSS = "date_time_loss";
const SET = "set_date_time";
/** Clocks are read to the second and drift; less is no change. */
const SAME_CLOCK_S = 60;

/** To the minute: the pump's clock is set to the minute, and two readings of one clock shall give one instant. */
export function roundedDifference(differenceS: number): number {
  return Math.round(differenceS / 60) * 60;
}

/** Passes on from the earlier to the later whether the clock is lost. @param references neighbours, ascending. True: something changed */
export function passOnLoss(references: readonly Reference[]): boolean {
  let changed = false;
  references.forEach((reference, i) => {
    const before = references[i - 1];
    const lost = reference.reason === LOSS || (reference.reason !== SET && (before ? before.lost : reference.lost));
    changed ||= lost !== reference.lost;
    reference.lost = lost;
  });
  return changed;
}

/**
 * Fills in instants, from neighbour to neighbour.
 *
 * @param references neighbours, ascending
 * @param isWhole whether no number between two of them is gone; otherwise a reference may be among them that nobody has
 */
export function passOnInstants(references: readonly Reference[], isWhole: (from: number, to: number) => boolean): void {
  for (let i = 1; i < references.length; i++) {
    const [before, at] = [references[i - 1]!, references[i]!];
    if (at.utcS !== undefined || before.utcS === undefined) continue;
    const step = stepS(before, at, isWhole);
    if (step !== undefined) at.utcS = before.utcS + step;
  }
  for (let i = references.length - 2; i >= 0; i--) {
    const [at, after] = [references[i]!, references[i + 1]!];
    if (at.utcS !== undefined || after.utcS === undefined) continue;
    const step = stepS(at, after, isWhole);
    at.utcS = step === undefined ? beforeLoss(at, references.slice(i + 1)) : after.utcS - step;
  }
}

/** Seconds between two neighbours; undefined where the pump's counter was lost as well. */
function stepS(before: Reference, at: Reference, isWhole: (from: number, to: number) => boolean): number | undefined {
  if (at.reason === LOSS) return undefined;
  if (before.localS === undefined || at.localS === undefined) return at.sinceS;
  const shown = at.localS - before.localS;
  // By the display, whose seconds do not add up their roundings; by the counter where the display was set.
  if (at.reason === SET) return at.sinceS;
  return Math.abs(shown - at.sinceS) < SAME_CLOCK_S || (shown >= 0 && !isWhole(before.seq, at.seq)) ? shown : at.sinceS;
}

/** Nothing tells how long the pump was without a clock: its user is taken to have set it as it was. */
function beforeLoss(at: Reference, later: readonly Reference[]): number | undefined {
  const set = later.find((reference) => reference.reason === SET);
  if (at.localS === undefined || set?.localS === undefined || set.utcS === undefined) return undefined;
  return at.localS - (set.localS - set.utcS);
}

/**
 * Gives the newest reference its instant by what was measured, unless that is of a clock that has been set since.
 *
 * @param references neighbours, ascending; the last is the newest that the pump has
 * @param isNew whether a reference came just now: only those may get another instant than their neighbours give
 * @param knownDifferenceS of the newest record that has an instant
 */
export function applyMeasurement(
  references: readonly Reference[],
  { differenceS, atMs }: ClockMeasurement,
  isNew: (seq: number) => boolean,
  knownDifferenceS: number | undefined,
): void {
  const newest = references.findLast(({ localS }) => localS !== undefined);
  if (newest?.localS === undefined) return;
  if (newest.utcS === undefined) {
    const isSame = knownDifferenceS !== undefined && Math.abs(knownDifferenceS - differenceS) < SAME_CLOCK_S;
    newest.utcS = newest.localS - (isSame ? knownDifferenceS : roundedDifference(differenceS));
    return;
  }
  const isOlder = newest.utcS * 1000 <= atMs;
  const hasDrifted = Math.abs(newest.localS - newest.utcS - differenceS) >= SAME_CLOCK_S;
  if (isNew(newest.seq) && isOlder && hasDrifted) newest.utcS = newest.localS - roundedDifference(differenceS);
}
