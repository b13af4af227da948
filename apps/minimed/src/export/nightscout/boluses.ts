import type { BolusEvent, MealEvent, RecordRef, TherapyView, TimeRange } from "../../store/view.ts";
import { type ItemExtras, type ItemMaker, type NightscoutItem, rounded, stamp } from "./items.ts";

/** A meal belongs to the bolus nearest to it, within this time. */
const TOGETHER_MS = 15 * 60_000;
/** The record of a bolus comes with that of its meal; so long one waits for it. */
const SETTLE_MS = 2 * 60_000;
/** Far enough that what is nearest to what is near is known. */
const MARGIN_MS = 4 * TOGETHER_MS;

interface Occurrence {
  readonly atMs: number;
  readonly ref: RecordRef;
}

/** Boluses, and what was eaten. Each is told once: with insulin and carbohydrates in one document where they belong together. */
export function bolusItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const around = { fromMs: range.fromMs - MARGIN_MS, toMs: range.toMs + MARGIN_MS };
  const boluses = view.boluses(around);
  const byUser = boluses.filter((bolus) => !bolus.automatic);
  const meals = view.meals(around).filter(({ carbohydratesG }) => carbohydratesG > 0);
  const mealOf = joined(byUser, meals);
  const bolusOf = new Map([...mealOf].map(([bolus, meal]) => [meal, bolus]));
  const isInRange = ({ atMs }: Occurrence): boolean => atMs >= range.fromMs && atMs < range.toMs;
  return [
    ...boluses.filter(isInRange).flatMap((bolus) => itemsOfBolus(maker, bolus, mealOf.get(bolus))),
    ...meals.filter(isInRange).flatMap((meal) => itemsOfMeal(maker, meal, bolusOf.get(meal))),
  ];
}

/** Pairs of which each is nearest to the other: so it does not matter how much of the time around them is looked at. */
function joined(boluses: readonly BolusEvent[], meals: readonly MealEvent[]): Map<BolusEvent, MealEvent> {
  const pairs = new Map<BolusEvent, MealEvent>();
  for (const bolus of boluses) {
    const meal = nearest(bolus, meals);
    if (meal && nearest(meal, boluses) === bolus) pairs.set(bolus, meal);
  }
  return pairs;
}

function nearest<T extends Occurrence>(to: Occurrence, among: readonly T[]): T | undefined {
  let best: T | undefined;
  let bestDistance: readonly [number, number] = [TOGETHER_MS, Number.POSITIVE_INFINITY];
  for (const one of among) {
    const apartMs = Math.abs(one.atMs - to.atMs);
    const distance = [apartMs, Math.abs(one.ref.sequenceNumber - to.ref.sequenceNumber)] as const;
    if (distance[0] < bestDistance[0] || (distance[0] === bestDistance[0] && distance[1] < bestDistance[1])) {
      best = one;
      bestDistance = distance;
    }
  }
  return best;
}

const MEAL = "meal";
const BOLUS = "bolus";

/** A meal that no bolus tells of; one whose bolus is under way waits for it. */
function itemsOfMeal(maker: ItemMaker, meal: MealEvent, bolus: BolusEvent | undefined): NightscoutItem[] {
  const settled = maker.isSettled(meal.atMs + SETTLE_MS) ? undefined : "open";
  if (!bolus) return [carbCorrection(maker, meal, { held: maker.gapBeside(meal.ref, meal.atMs) ?? settled })];
  if (bolus.deliveredIu) {
    // Told with its bolus; unless that was sent before the meal was known.
    const bolusIdentifier = maker.identifier({ ref: bolus.ref }, BOLUS);
    return [
      carbCorrection(maker, meal, {
        related: [bolusIdentifier],
        isWanted: (row) => row(bolusIdentifier)?.kind === "correction_bolus",
      }),
    ];
  }
  return [carbCorrection(maker, meal, { held: maker.isOld(meal.atMs) ? undefined : "open" })];
}

function carbCorrection(maker: ItemMaker, { ref, atMs, carbohydratesG }: MealEvent, extras: ItemExtras): NightscoutItem {
  return maker.treatment(
    { ref },
    { kind: "carb_correction", name: MEAL, atMs: stamp(ref, atMs), eventType: "Carb Correction" },
    { carbs: rounded(carbohydratesG) },
    extras,
  );
}

/** Once it is delivered: amounts under way would be taken for what was given. */
function itemsOfBolus(maker: ItemMaker, bolus: BolusEvent, meal: MealEvent | undefined): NightscoutItem[] {
  if (!bolus.deliveredIu) return [];
  // It is known by the record that programmed it, which may lie hours before.
  const held = bolus.programmedIu ? maker.gapBeside(bolus.ref, bolus.atMs) : maker.gapBefore(bolus.ref, bolus.atMs);
  const isCombined = bolus.kind === "extended" || bolus.kind === "multiwave" || bolus.deliveredIu.extended > 0;
  if (isCombined) return comboItems(maker, bolus, meal, held);
  if (!meal) return [correctionBolus(maker, bolus, { held })];
  const identifier = maker.identifier({ ref: bolus.ref }, BOLUS);
  const mealIdentifier = maker.identifier({ ref: meal.ref }, MEAL);
  // What was sent stays. A meal that was told of by itself is not told again with its bolus, nor the other way round.
  return [
    maker.treatment(
      { ref: bolus.ref },
      { kind: "meal_bolus", name: BOLUS, atMs: stamp(bolus.ref, bolus.atMs), eventType: "Meal Bolus" },
      { ...amountOf(bolus), carbs: rounded(meal.carbohydratesG), notes: noteOf(bolus) },
      {
        held,
        related: [identifier, mealIdentifier],
        isWanted: (row) => !row(mealIdentifier) && row(identifier)?.kind !== "correction_bolus",
      },
    ),
    correctionBolus(maker, bolus, {
      held,
      related: [mealIdentifier],
      isWanted: (row) => row(mealIdentifier) !== undefined && row(identifier)?.kind !== "meal_bolus",
    }),
  ];
}

function correctionBolus(maker: ItemMaker, bolus: BolusEvent, extras: ItemExtras): NightscoutItem {
  return maker.treatment(
    { ref: bolus.ref },
    { kind: "correction_bolus", name: BOLUS, atMs: stamp(bolus.ref, bolus.atMs), eventType: "Correction Bolus" },
    { ...amountOf(bolus), automatic: bolus.automatic || undefined, notes: noteOf(bolus) },
    extras,
  );
}

/** A bolus with a part over some time. Of it only `insulin` counts for the site's insulin on board; `relative` is drawn as basal. */
function comboItems(maker: ItemMaker, bolus: BolusEvent, meal: MealEvent | undefined, held: "gap" | undefined): NightscoutItem[] {
  const { fast, extended } = bolus.deliveredIu!;
  const total = fast + extended;
  const splitNow = total > 0 ? Math.round((100 * fast) / total) : 0;
  const mealIdentifier = meal && maker.identifier({ ref: meal.ref }, MEAL);
  const carbs = meal && rounded(meal.carbohydratesG);
  const atMs = stamp(bolus.ref, bolus.atMs);
  const fields = {
    insulin: fast > 0 ? rounded(fast) : undefined,
    enteredinsulin: rounded(total),
    splitNow,
    splitExt: 100 - splitNow,
    duration: bolus.durationMin,
    relative: extended > 0 && bolus.durationMin > 0 ? rounded((extended * 60) / bolus.durationMin) : undefined,
    automatic: bolus.automatic || undefined,
    notes: noteOf(bolus),
  };
  const at = { kind: "combo_bolus", name: BOLUS, atMs, eventType: "Combo Bolus" } as const;
  const items = mealIdentifier
    ? [
        maker.treatment(
          { ref: bolus.ref },
          at,
          { ...fields, carbs },
          { held, related: [mealIdentifier], isWanted: (row) => !row(mealIdentifier) },
        ),
        maker.treatment({ ref: bolus.ref }, at, fields, {
          held,
          related: [mealIdentifier],
          isWanted: (row) => row(mealIdentifier) !== undefined,
        }),
      ]
    : [maker.treatment({ ref: bolus.ref }, at, fields, { held })];
  // Without insulin at once and without carbohydrates the site draws no mark for it.
  if (fast <= 0 && !meal)
    items.push(
      maker.treatment(
        { ref: bolus.ref },
        { kind: "combo_note", name: "combo-note", atMs, eventType: "Note" },
        { notes: `Square bolus ${rounded(total)} U over ${bolus.durationMin} min`, duration: bolus.durationMin },
        { held, isQuiet: true },
      ),
    );
  return items;
}

/** 0 IU would be taken out by the server. */
function amountOf({ deliveredIu }: BolusEvent): { readonly insulin?: number } {
  const insulin = rounded(deliveredIu!.fast);
  return insulin > 0 ? { insulin } : {};
}

function noteOf({ programmedIu, deliveredIu }: BolusEvent): string | undefined {
  if (!programmedIu) return undefined;
  const programmed = rounded(programmedIu.fast + programmedIu.extended);
  return programmed === rounded(deliveredIu!.fast + deliveredIu!.extended) ? undefined : `programmed ${programmed} U`;
}
