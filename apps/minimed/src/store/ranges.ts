/** Numbers from `first` to `last`, both included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** What of `whole` is in none of `ranges`, ascending. @param ranges ascending, apart from each other */
export function without(whole: NumberRange, ranges: Iterable<NumberRange>): NumberRange[] {
  const left: NumberRange[] = [];
  let next = whole.first;
  for (const { first, last } of ranges) {
    if (last < next) continue;
    if (first > whole.last) break;
    if (first > next) left.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  if (next <= whole.last) left.push({ first: next, last: whole.last });
  return left;
}

/** The runs of numbers among `numbers`, ascending. @param numbers ascending; some may be there twice */
export function runsOf(numbers: Iterable<number>): NumberRange[] {
  const runs: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run && number <= run.last + 1) run.last = Math.max(run.last, number);
    else runs.push({ first: number, last: number });
  }
  return runs;
}
