import { describe, expect, test } from "vitest";
import { applyMeasurement, passOnInstants, passOnLoss, type Reference, roundedDifference } from "./times.ts";

const PERIODIC = "periodic";
const SET = "set_date_time";
const LOSS = "date_time_loss";
const whole = (): boolean => true;
const holed = (): boolean => false;

/** References one hour apart, numbered 10, 20, …; what is told of each is different. */
function references(...each: Partial<Reference>[]): Reference[] {
  return each.map((more, i) => ({
    seq: 10 * (i + 1),
    reason: PERIODIC,
    localS: 3600 * i,
    sinceS: 3600,
    lost: false,
    utcS: undefined,
    ...more,
  }));
}
const instants = (list: readonly Reference[]): (number | undefined)[] => list.map(({ utcS }) => utcS);

describe("instants go from neighbour to neighbour", () => {
  test("forwards and backwards by the display, whose seconds do not add up their roundings", () => {
    const list = references({}, { utcS: 1000, localS: 3600 }, { sinceS: 3541, localS: 7200 }, { sinceS: 3660, localS: 10_800 });
    passOnInstants(list, whole);
    // Less than a minute between display and counter is one clock; a minute is none.
    expect(instants(list)).toEqual([1000 - 3600, 1000, 1000 + 3600, 1000 + 3600 + 3660]);
  });

  test("by the counter where the user set the display, or there is no such day", () => {
    const list = references(
      {},
      { utcS: 1000 },
      { reason: SET, localS: 100_000, sinceS: 50 },
      { localS: undefined, sinceS: 60 },
      { localS: 5, sinceS: 70 },
    );
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([1000 - 3600, 1000, 1050, 1110, 1180]);
  });

  test("backwards over a setting by the counter too", () => {
    const list = references({}, { reason: SET, localS: 100_000, sinceS: 50, utcS: 1000 });
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([950, 1000]);
  });

  test("over missing numbers by the display, which ran on while references may be gone; not where it went back", () => {
    const on = references({ utcS: 1000 }, { localS: 7200, sinceS: 3600 });
    passOnInstants(on, holed);
    expect(instants(on)).toEqual([1000, 8200]);
    const still = references({ utcS: 1000, localS: 500 }, { localS: 500, sinceS: 3600 });
    passOnInstants(still, holed);
    expect(instants(still)).toEqual([1000, 1000]);
    const back = references({ utcS: 1000, localS: 500 }, { localS: 499, sinceS: 3600 });
    passOnInstants(back, holed);
    expect(instants(back)).toEqual([1000, 4600]);
    const asked: [number, number][] = [];
    passOnInstants(references({ utcS: 1000 }, { localS: 7200 }), (from, to) => {
      asked.push([from, to]);
      return true;
    });
    expect(asked).toEqual([[10, 20]]);
  });

  test("that are known stay, whatever their neighbours say", () => {
    const list = references({ utcS: 5 }, { utcS: 7 }, { utcS: 6 });
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([5, 7, 6]);
  });

  test("not over a loss of the clock, whose length nobody knows; before it its user is taken to have set it as it was", () => {
    const list = references(
      { localS: 1000 },
      { localS: 4600 },
      { reason: LOSS, localS: 0, sinceS: 0 },
      { reason: SET, localS: 100_000, sinceS: 600, utcS: 96_400 },
    );
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([1000 - 3600, 4600 - 3600, 95_800, 96_400]);
    const after = references({ utcS: 1000 }, { reason: LOSS, localS: 0 }, {});
    passOnInstants(after, whole);
    expect(instants(after)).toEqual([1000, undefined, undefined]);
  });

  test.each<[string, Partial<Reference>, Partial<Reference>]>([
    ["nobody has set since", {}, {}],
    ["was set to a day that there is not", {}, { reason: SET, localS: undefined }],
    ["is shown with a day that there is not", { localS: undefined }, { reason: SET, localS: 100_000 }],
  ])("before a loss of a clock that %s: unknown", (_text, first, last) => {
    const list = references(first, { reason: LOSS, localS: 0, sinceS: 0, utcS: 9000 }, { utcS: 9600, ...last });
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([undefined, 9000, 9600]);
  });

  test("and nothing comes of nothing", () => {
    const list = references({}, {});
    passOnInstants(list, whole);
    expect(instants(list)).toEqual([undefined, undefined]);
    passOnInstants([], whole);
  });
});

describe("that the clock is lost", () => {
  const lost = (list: readonly Reference[]): boolean[] => list.map((each) => each.lost);

  test("goes on from the loss to the next setting", () => {
    const list = references({}, { reason: LOSS }, {}, {}, { reason: SET }, {});
    expect(passOnLoss(list)).toBe(true);
    expect(lost(list)).toEqual([false, true, true, true, false, false]);
    expect(passOnLoss(list)).toBe(false);
  });

  test("is taken from the reference before: the first one keeps what it has, unless it is a setting or a loss", () => {
    const list = references({ lost: true }, {});
    expect(passOnLoss(list)).toBe(true);
    expect(lost(list)).toEqual([true, true]);
    const set = references({ reason: SET, lost: true }, { lost: true });
    expect(passOnLoss(set)).toBe(true);
    expect(lost(set)).toEqual([false, false]);
    const one = references({ reason: LOSS });
    expect([passOnLoss(one), lost(one)]).toEqual([true, [true]]);
    expect(passOnLoss([])).toBe(false);
  });
});

describe("a measurement of the clock", () => {
  const applied = (
    list: Reference[],
    differenceS: number,
    { atMs = 1e9, isNew = true, known }: { atMs?: number; isNew?: boolean; known?: number } = {},
  ): (number | undefined)[] => {
    applyMeasurement(list, { differenceS, atMs }, () => isNew, known);
    return instants(list);
  };

  test("dates the newest reference that has a day, rounded to the minute, since two readings of one clock are one instant", () => {
    expect(applied(references({}, {}), 3629)).toEqual([undefined, 3600 - 3600]);
    expect(applied(references({}, {}), 3631)).toEqual([undefined, 3600 - 3660]);
    expect(applied(references({}, { localS: undefined }), 3600)).toEqual([-3600, undefined]);
    expect(applied(references({ localS: undefined }), 3600)).toEqual([undefined]);
    expect([roundedDifference(-3629), roundedDifference(29), roundedDifference(30)]).toEqual([-3600, 0, 60]);
  });

  test("that is less than a minute from what was known is the same clock", () => {
    expect(applied(references({}), 3659, { known: 3600 })).toEqual([-3600]);
    expect(applied(references({}), 3541, { known: 3600 })).toEqual([-3600]);
    expect(applied(references({}), 3660, { known: 3600 })).toEqual([-3660]);
    expect(applied(references({}), 3540, { known: 3600 })).toEqual([-3540]);
  });

  test("corrects a reference that came just now, is older than it, and is off by a minute or more; and no other", () => {
    const dated = (): Reference[] => references({ localS: 7200, utcS: 3600 }); // 3600 s ahead
    expect(applied(dated(), 3660)).toEqual([7200 - 3660]);
    expect(applied(dated(), 3540)).toEqual([7200 - 3540]);
    expect(applied(dated(), 3659)).toEqual([3600]);
    expect(applied(dated(), 7200, { isNew: false })).toEqual([3600]);
    expect(applied(dated(), 7200, { atMs: 3_600_000 })).toEqual([0]);
    expect(applied(dated(), 7200, { atMs: 3_599_999 })).toEqual([3600]); // the clock was set after it was measured
  });
});
