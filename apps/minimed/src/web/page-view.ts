import type { BolusEvent, EventTime, TherapyView, TimeRange } from "../store/view.ts";
import type { PageBolus, PageView } from "./page-data.ts";
import { pumpOffsets } from "./pump-time.ts";
import { thin } from "./thin.ts";

/** A rate, a mode or a suspension of that age is looked for before a span; what is older is not known of. */
const LOOK_BACK_MS = 24 * 3600_000;
/** Any span shorter than this has every point that there is. */
const MOST_POINTS = 2400;

/** What the page is told of a span of time. References into the store, which name its pump, stay behind. */
export function pageView(view: TherapyView, range: TimeRange): PageView {
  const { fromMs, toMs } = range;
  const before: TimeRange = { fromMs: fromMs - LOOK_BACK_MS, toMs };
  const glucose = view.glucose(range);
  const shown = thin(glucose, MOST_POINTS);
  const boluses = view.boluses(before).filter(({ atMs, durationMin }) => atMs + 60_000 * durationMin >= fromMs);
  const meals = view.meals(range);
  const basal = reaching(view.basal(before), fromMs);
  const alerts = view.alerts(range);
  const gaps = view.gaps();
  const count = (gone: boolean): number => gaps.reduce((sum, gap) => sum + (gap.gone === gone ? gap.last - gap.first + 1 : 0), 0);
  const timed: EventTime[] = [glucose, meals, alerts].flat();
  return {
    fromMs,
    toMs,
    glucose: shown.map(({ atMs, mgdl, cause }) => [atMs, mgdl ?? null, mgdl === undefined ? (cause ?? "unknown") : null]),
    isThinned: shown.length < glucose.length,
    offsets: pumpOffsets(timed.sort((a, b) => a.atMs - b.atMs)),
    boluses: boluses.map(pageBolus),
    microBoluses: view.microBoluses(range).map(({ atMs, amountIu }) => [atMs, amountIu]),
    basal: basal.map(({ atMs, rate }) => [atMs, rate]),
    meals: meals.map(({ atMs, carbohydratesG }) => [atMs, carbohydratesG]),
    insulinOnBoard: view
      .status(range)
      .flatMap(({ atMs, insulinOnBoardIu }) => (insulinOnBoardIu === undefined ? [] : [[atMs, insulinOnBoardIu] as const])),
    bloodGlucose: view.bloodGlucose(range).map(({ atMs, mgdl, calibration }) => ({ atMs, mgdl, calibration })),
    alerts: alerts.map(({ atMs, code, name, clearedAtMs }) => ({
      atMs,
      code: code ?? null,
      name: name ?? null,
      clearedAtMs: clearedAtMs ?? null,
    })),
    suspensions: view
      .suspensions(before)
      .filter(({ endedAtMs }) => endedAtMs === undefined || endedAtMs > fromMs)
      .map(({ atMs, endedAtMs, reason }) => ({ atMs, endedAtMs: endedAtMs ?? null, reason })),
    loop: reaching(view.loopTransitions(before), fromMs).map(({ atMs, active }) => ({ atMs, active })),
    clockChanges: view.clockChanges(range).map(({ atMs, reason }) => ({ atMs, reason })),
    sensorStarts: view.sensorStarts(range).map(({ atMs, runTimeHours }) => ({ atMs, runTimeHours: runTimeHours ?? null })),
    missing: { pending: count(false), gone: count(true) },
  };
}

/** Those of a span, and the one before it, which is in force at its beginning. */
function reaching<T extends { readonly atMs: number }>(changes: readonly T[], fromMs: number): readonly T[] {
  const first = changes.findIndex(({ atMs }) => atMs > fromMs);
  return changes.slice(Math.max(0, (first < 0 ? changes.length : first) - 1));
}

export function bolusIu({ deliveredIu, programmedIu }: BolusEvent): number {
  const amounts = deliveredIu ?? programmedIu;
  return amounts ? amounts.fast + amounts.extended : 0;
}

export function pageBolus(bolus: BolusEvent): PageBolus {
  const { atMs, programmedIu, deliveredIu, durationMin, automatic } = bolus;
  const iu = bolusIu(bolus);
  return {
    atMs,
    iu,
    extendedIu: (deliveredIu ?? programmedIu)?.extended ?? 0,
    durationMin,
    automatic,
    isUnderWay: deliveredIu === undefined,
    cutShort: deliveredIu !== undefined && programmedIu !== undefined && iu < programmedIu.fast + programmedIu.extended - 0.01,
  };
}
