import type { NoGlucoseValue } from "../connector/reading.ts";
import { formatLocal } from "../data/date-time.ts";
import type { HighLowSettings } from "../idd/command-reads.ts";
import type { IddStatus } from "../idd/status.ts";
import type { PumpLinkState, PumpState, PumpValueName, PumpValues, Told } from "../live/state.ts";
import { causeOf, type NoGlucoseCause } from "../store/causes.ts";
import type { TherapyView } from "../store/view.ts";
import type { PageGlucose, PageLimit, PageState, PageTold } from "./page-data.ts";
import { pageBolus } from "./page-view.ts";
import { offsetOf, wallMs } from "./pump-time.ts";

const DAY_MIN = 24 * 60;
const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const QUARTER_MS = 15 * 60_000;
const APART_MS = 5 * 60_000;

/**
 * What the page is told of a state: named values only, so that whatever else a state comes to hold does not leave.
 *
 * @param state undefined where there is only a history
 * @param nowMs by the wall clock
 */
export function pageState(state: PumpState | undefined, view: TherapyView | undefined, nowMs: number): PageState {
  const utc = (atMs: number): number => Math.round(atMs + (state?.epochMs ?? 0));
  const values = state?.values ?? {};
  const told = <Name extends PumpValueName, T>(name: Name, as: (value: PumpValues[Name]) => T | undefined): PageTold<T> | null => {
    const value = values[name] as Told<PumpValues[Name]> | undefined;
    return value ? { value: value.value === undefined ? null : (as(value.value) ?? null), atMs: utc(value.atMs) } : null;
  };
  const newest = newestPoint(view);
  const live = liveGlucose(state, utc);
  const stored = newest && { kind: "reading" as const, mgdl: newest.mgdl, trend: newest.trendMgdlPerMin ?? null, atMs: newest.atMs };
  const glucose = live && (!stored || live.kind !== "reading" || live.atMs >= stored.atMs) ? live : (stored ?? null);
  const clock = values.clock;
  const sensorEnds = (atMs: number, remainingMs: number | undefined): number | null =>
    remainingMs === undefined ? null : utc(atMs) + remainingMs;
  return {
    nowMs: Math.round(nowMs),
    link: state ? pageLink(state.link, utc) : { kind: "stored", mode: null, bonded: null, sinceMs: Math.round(nowMs), reason: null },
    hint: state?.hint ?? null,
    heardAtMs: state?.heardAtMs === undefined ? null : utc(state.heardAtMs),
    pumpOffsetMs: clock?.value ? roundMinute(wallMs(clock.value) - utc(clock.atMs)) : roundMinute(newest && offsetOf(newest)),
    glucose,
    lastReading: newest && (glucose?.kind !== "reading" || newest.atMs > glucose.atMs) ? { mgdl: newest.mgdl, atMs: newest.atMs } : null,
    quarterBeforeMgdl: glucose?.kind === "reading" ? quarterBefore(view, glucose.atMs) : null,
    newestMs: view?.newestMs ?? null,
    recent: recentOf(view, nowMs),
    displaysMgdl: values.features?.value?.displaysMgdl ?? null,
    clock24h: values.displayFormat?.value?.clock24h ?? null,
    limits: { low: limitsOf(values.lowSettings?.value), high: limitsOf(values.highSettings?.value) },
    model: values.information?.value?.model ?? null,
    insulinOnBoardIu: told("insulinOnBoard", (value) => value.insulinOnBoardIu),
    basal: told("basalRate", ({ configuredRate, temporaryBasal, context }) => ({
      rate: configuredRate ?? null,
      temporaryMin: temporaryBasal?.remainingMin ?? null,
      automatic: context === "ap_controller",
    })),
    boluses: told("boluses", (boluses) =>
      boluses.map(({ programmed, delivered }) => ({
        programmedIu: programmed ? (programmed.fastIu ?? 0) + (programmed.extendedIu ?? 0) : null,
        deliveredIu: delivered ? (delivered.fastIu ?? 0) + (delivered.extendedIu ?? 0) : null,
        extended: programmed?.bolusType === "extended" || programmed?.bolusType === "multiwave",
      })),
    ),
    status: told("status", (status) => ({
      therapy: String(status.therapyControlState),
      operational: String(status.operationalState),
      reservoirIu: status.reservoirRemainingIu ?? null,
      sensorMessage: String(status.sensorMessage),
      connectivity: status.sensorConnectivity,
    })),
    therapy: told("therapy", ({ shield, readiness, plgm, lgs, temporaryTargetMin }) => ({
      shield: shield === undefined ? null : String(shield),
      readiness: readiness === undefined ? null : String(readiness),
      suspended: plgm === "feature_on_suspended" || lgs === "feature_on_suspended",
      temporaryTargetMin: temporaryTargetMin || null,
    })),
    alarm: told("annunciation", ({ code, state: standing }) => ({ code: code ?? null, state: String(standing) })),
    batteryPercent: told("battery", (percent) => percent),
    transmitterBatteryPercent: told("transmitterBattery", (percent) => percent),
    sensor: told("sensorSession", ({ start, runTimeHours, remainingMs }) => ({
      startedLocal: start?.local ? formatLocal(start.local) : null,
      runTimeHours: runTimeHours ?? null,
      endsAtMs: sensorEnds(values.sensorSession!.atMs, remainingMs),
    })),
    timeInRange: told("timeInRange", (shares) => (shares.notEnoughData ? undefined : shares)),
  };
}

function pageLink(link: PumpLinkState, utc: (clockMs: number) => number): PageState["link"] {
  return {
    kind: link.kind,
    mode: link.kind === "advertising" ? link.mode : null,
    bonded: link.kind === "advertising" ? link.bonded : null,
    sinceMs: utc(link.sinceMs),
    reason: link.kind === "ended" ? link.reason : null,
  };
}

function liveGlucose(state: PumpState | undefined, utc: (clockMs: number) => number): PageGlucose | undefined {
  const told = state?.values.glucose;
  if (!told) return undefined;
  const latest = told.value;
  if (latest === undefined || latest.kind === "no-sensor") return { kind: "no-sensor", atMs: utc(told.atMs) };
  const atMs = utc(latest.takenAtMs ?? latest.receivedAtMs);
  if (latest.kind === "reading") return { kind: "reading", mgdl: latest.mgdl, trend: latest.trendMgdlPerMin ?? null, atMs };
  return { kind: "no-value", cause: shownCause(latest, state.values.status?.value), atMs };
}

/** Why the pump shows no value: by the reading, by what the pump says of its sensor, and by whether it hears it. */
function shownCause(latest: NoGlucoseValue, status: IddStatus | undefined): NoGlucoseCause {
  const cause = causeOf(latest, status?.sensorMessage);
  return cause === "unknown" && status?.sensorConnectivity.includes("gst_signal_lost") ? "signal_lost" : cause;
}

/** The newest point with a value of a store. */
function newestPoint(view: TherapyView | undefined) {
  if (view?.newestMs === undefined) return undefined;
  const point = view.glucose({ fromMs: view.newestMs, toMs: view.newestMs + 1 }).at(-1);
  return point?.mgdl === undefined ? undefined : { ...point, mgdl: point.mgdl };
}

/** mg/dL a quarter of an hour before a reading, where no reading between is missing; null otherwise. */
function quarterBefore(view: TherapyView | undefined, atMs: number): number | null {
  const before = view?.glucose({ fromMs: atMs - QUARTER_MS - APART_MS / 2, toMs: atMs - APART_MS / 2 }) ?? [];
  const isWhole = before.length >= 3 && before.every(({ mgdl }) => mgdl !== undefined);
  return isWhole ? before[0]!.mgdl! : null;
}

/** What came last of each kind, whatever part of the past a page shows. */
function recentOf(view: TherapyView | undefined, nowMs: number): PageState["recent"] {
  if (!view) return { bolus: null, meal: null, microBolus: null, stoppedAtMs: null };
  const range = { fromMs: nowMs - DAY_MS, toMs: nowMs + APART_MS };
  const bolus = view.boluses(range).findLast(({ deliveredIu }) => deliveredIu !== undefined);
  const meal = view.meals(range).at(-1);
  const micro = view.microBoluses({ ...range, fromMs: nowMs - HOUR_MS }).at(-1);
  const stopped = view.suspensions(range).findLast(({ endedAtMs }) => endedAtMs === undefined);
  return {
    bolus: bolus ? pageBolus(bolus) : null,
    meal: meal ? [meal.atMs, meal.carbohydratesG] : null,
    microBolus: micro ? [micro.atMs, micro.amountIu] : null,
    stoppedAtMs: stopped?.atMs ?? null,
  };
}

/** The blocks fill the day from midnight. */
function limitsOf(settings: HighLowSettings | undefined): PageLimit[] {
  const limits: PageLimit[] = [];
  let fromMin = 0;
  for (const { durationMin, limitMgdl } of settings?.blocks ?? []) {
    const toMin = Math.min(DAY_MIN, fromMin + durationMin);
    if (toMin > fromMin) limits.push({ fromMin, toMin, mgdl: limitMgdl || null }); // 0 is off
    fromMin = toMin;
  }
  return limits;
}

function roundMinute(ms: number | undefined): number | null {
  return ms === undefined ? null : 60_000 * Math.round(ms / 60_000);
}
