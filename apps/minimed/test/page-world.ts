import { SeededRandom } from "jelling/core";
import { addSeconds, formatLocal, type LocalDateTime } from "../src/data/date-time.ts";
import type { PumpState, PumpValues, Told } from "../src/live/state.ts";
import type { NoGlucoseCause } from "../src/store/causes.ts";
import type { GlucosePoint, RecordRef, StatusPoint, TherapyView } from "../src/store/view.ts";
import { type MemoryEvents, MemoryView } from "./memory-view.ts";

const MIN = 60_000;
const STEP = 5 * MIN;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
const EPOCH: LocalDateTime = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
/** Names a person's device: it must not be found in anything that a page is told. */
export const SECRET_SERIAL = "NG7654321H";

export type Scene =
  | "normal"
  | "stale"
  | "lost"
  | "no-sensor"
  | "warm-up"
  | "gap"
  | "alarm"
  | "low"
  | "below-range"
  | "high"
  | "suspended"
  | "bolus"
  | "clock-change"
  | "pairing"
  | "ended";

export interface PageWorldOptions {
  readonly seed?: number;
  /** The present, UTC; the history ends there. */
  readonly utcMs: number;
  readonly offsetMs?: number;
  readonly days?: number;
  readonly scene?: Scene;
  readonly displaysMgdl?: boolean;
}

/** Somebody's weeks, invented from a seed, and how the pump stands at their end. */
export interface PageWorld {
  readonly view: TherapyView;
  readonly state: PumpState;
  readonly points: readonly GlucosePoint[];
}

const worlds = new Map<string, PageWorld>();
export function pageWorld(options: PageWorldOptions): PageWorld {
  const key = JSON.stringify(options);
  const known = worlds.get(key) ?? inventWorld(options);
  if (Number.isInteger(options.utcMs)) worlds.set(key, known); // nothing in it changes; a moment of real time does not come again
  return known;
}

function inventWorld(options: PageWorldOptions): PageWorld {
  const { seed = 1, utcMs, offsetMs = HOUR, days = 23, scene = "normal", displaysMgdl = true } = options;
  const random = new SeededRandom(seed);
  const octets = new Uint8Array(4);
  const chance = (): number => {
    random.fill(octets);
    return new DataView(octets.buffer).getUint32(0) / 2 ** 32;
  };
  const spread = (of: number): number => (chance() + chance() + chance() - 1.5) * of;
  const clockSetMs = utcMs - 5 * HOUR;
  const offsetAt = (atMs: number): number => (scene === "clock-change" && atMs < clockSetMs ? offsetMs + HOUR : offsetMs);
  let sequenceNumber = 1000;
  const ref = (): RecordRef => ({ pump: "00112233aabbccdd", segment: 0, sequenceNumber: sequenceNumber++ });
  const at = (atMs: number) => ({ atMs, local: formatLocal(addSeconds(EPOCH, Math.round((atMs + offsetAt(atMs)) / 1000))), ref: ref() });

  const view = new MemoryView();
  const rows = view.events;
  const fromMs = Math.ceil((utcMs - days * DAY) / STEP) * STEP - 2 * MIN;
  const doses: { atMs: number; iu: number }[] = [];
  const carbs: { atMs: number; g: number }[] = [];
  let drift = 0;
  let bolusId = 1;
  let isLow = false;
  let isHigh = false;
  rows.loopTransitions.push({ ...at(fromMs), active: true, reason: "user" });
  rows.basal.push({ ...at(fromMs), rate: 0.85, source: "delivered" });
  rows.sensorStarts.push({ ...at(fromMs), runTimeHours: 168 });
  const lastMs = scene === "stale" ? utcMs - 23 * MIN : scene === "lost" ? utcMs - 190 * MIN : utcMs - 3 * MIN;
  const noSensorMs = scene === "no-sensor" ? utcMs - 75 * MIN : scene === "warm-up" ? utcMs - 40 * MIN : Number.POSITIVE_INFINITY;
  const bolus = (atMs: number, iu: number, automatic = false, extended = 0): void => {
    doses.push({ atMs, iu: iu + extended });
    const amounts = { fast: iu, extended };
    rows.boluses.push({
      ...at(atMs),
      bolusId: bolusId++,
      kind: extended > 0 ? "multiwave" : "fast",
      automatic,
      programmedIu: amounts,
      deliveredIu: amounts,
      durationMin: extended > 0 ? 120 : 0,
      endReason: "delivered",
    });
  };

  for (let atMs = fromMs; atMs <= lastMs; atMs += STEP) {
    const day = Math.floor((atMs - fromMs) / DAY);
    const minute = Math.floor(((((atMs + offsetAt(atMs)) % DAY) + DAY) % DAY) / MIN);
    if (minute < 5) drift = spread(8);
    for (const [when, g] of [
      [450, 48],
      [755, 62],
      [1110, 70],
      [960, 18],
    ] as const) {
      const due = when + ((day * 37 + when) % 50) - 25;
      if (Math.floor(due / 5) !== Math.floor(minute / 5) || (g < 20 && chance() < 0.5)) continue;
      const grams = Math.round((g + spread(26)) / 5) * 5;
      if (grams <= 0) continue;
      carbs.push({ atMs: atMs + 4 * MIN, g: grams });
      rows.meals.push({ ...at(atMs + 60_000), carbohydratesG: grams });
      const iu = Math.max(0.5, Math.round((grams / 9.5) * (1 + spread(0.5)) * 10) / 10); // nobody counts well
      bolus(atMs + 90_000, grams > 80 ? iu * 0.6 : iu, false, grams > 80 ? Math.round(iu * 4) / 10 : 0);
    }
    const carbEffect = carbs.reduce((sum, { atMs: eaten, g }) => sum + g * 3.6 * risen((atMs - eaten) / HOUR, 0.85), 0);
    const doseEffect = doses.reduce((sum, { atMs: given, iu }) => sum + iu * 27 * risen((atMs - given) / HOUR, 1.7), 0);
    for (const list of [carbs, doses]) while (list[0] && atMs - list[0].atMs > 9 * HOUR) list.shift(); // what has passed
    drift = drift * 0.985 + spread(7.5);
    const dawn = 16 * Math.exp(-(((minute - 330) / 110) ** 2));
    const steady = 118 + dawn + drift + carbEffect - doseEffect;
    let value = Math.round(steady < 95 ? 95 - (95 - steady) * 0.6 : steady);
    const untilEnd = (utcMs - atMs) / MIN;
    if (scene === "low" && untilEnd < 60) value = Math.round(58 + untilEnd * 0.9 + spread(2));
    if (scene === "below-range" && untilEnd < 60) value = Math.round(38 + untilEnd * 0.9);
    if ((scene === "high" || scene === "alarm") && untilEnd < 90) value = Math.round(268 - untilEnd * 0.9 + spread(3));
    let cause: NoGlucoseCause | undefined = value < 50 ? "below_range" : value > 400 ? "above_range" : undefined;
    const inWeek = (atMs - fromMs) % (7 * DAY);
    if (inWeek < 2 * HOUR && day > 0) {
      cause = "warm_up";
      if (inWeek < STEP) rows.sensorStarts.push({ ...at(atMs), runTimeHours: 168 });
    }
    if (atMs >= noSensorMs) cause = scene === "warm-up" ? "warm_up" : "no_sensor";
    const isGap = (day % 4 === 1 && minute > 830 && minute < 875) || (scene === "gap" && untilEnd > 95 && untilEnd < 190);
    if (!isGap) rows.glucose.push({ ...at(atMs), mgdl: cause ? undefined : value, cause, trendMgdlPerMin: undefined });
    const micro = Math.max(0, Math.min(0.35, (value - 96) / 420 + spread(0.02)));
    if (micro > 0.025 && !(scene === "suspended" && untilEnd < 35)) {
      const iu = Math.round(micro * 40) / 40;
      rows.microBoluses.push({ ...at(atMs + 20_000), amountIu: iu });
      doses.push({ atMs, iu: iu * 0.35 });
    }
    if (value > 225 && chance() < 0.12) bolus(atMs + 40_000, Math.round(4 + chance() * 8) / 10, true);
    const on = doses.reduce((sum, { atMs: given, iu }) => sum + iu * Math.max(0, 1 - (atMs - given) / (4 * HOUR)), 0);
    if (minute % 10 < 5) rows.status.push(statusPoint(atMs, Math.round(on * 40) / 40));
    if (value < 68 && !isLow)
      rows.alerts.push({ ...at(atMs), instanceId: bolusId, code: 802, name: "low_sg_plgm_alert", clearedAtMs: atMs + 14 * MIN });
    if (value > 260 && !isHigh)
      rows.alerts.push({ ...at(atMs), instanceId: bolusId, code: 816, name: "high_sensor_gluecose2", clearedAtMs: atMs + 9 * MIN });
    isLow = value < 72;
    isHigh = value > 240;
    if (chance() < 0.0016) rows.bloodGlucose.push({ ...at(atMs + 30_000), mgdl: value + Math.round(spread(14)), calibration: "accepted" });
  }
  rows.suspensions.push({ ...at(utcMs - 9 * HOUR), reason: "set_change", endedAtMs: utcMs - 8.7 * HOUR, endReason: "resumed" });
  if (scene === "suspended") rows.suspensions.push({ ...at(utcMs - 35 * MIN), reason: "user", endedAtMs: undefined, endReason: undefined });
  if (scene === "alarm")
    rows.alerts.push({ ...at(utcMs - 6 * MIN), instanceId: 9, code: 816, name: "high_sensor_gluecose2", clearedAtMs: undefined });
  if (scene === "clock-change") rows.clockChanges.push({ ...at(clockSetMs), reason: "set_date_time" });
  if (scene === "gap") rows.gaps.push({ segment: 0, first: 400, last: 460, gone: false });
  for (const list of Object.values(rows) as { atMs: number }[][]) list.sort((a, b) => a.atMs - b.atMs);
  return { view, state: stateOf(scene, rows, utcMs, offsetMs, displaysMgdl, lastMs), points: rows.glucose };
}

/** How much of something has arrived after some hours, with its middle at `half`. */
function risen(hours: number, half: number): number {
  if (hours <= 0) return 0;
  const x = hours / half;
  return (x * x) / (1 + x * x) > 0 ? ((x * x) / (1 + x * x)) * (hours > 6 ? Math.max(0, 1 - (hours - 6) / 3) : 1) : 0;
}

function statusPoint(atMs: number, insulinOnBoardIu: number): StatusPoint {
  return {
    atMs,
    insulinOnBoardIu,
    reservoirIu: 142,
    batteryPercent: 75,
    transmitterBatteryPercent: 100,
    therapyState: "run",
    operationalState: "ready",
    sensorMessage: "no_message",
    shield: "auto_basal_mode",
  };
}

/** The state's times are UTC here. */
function stateOf(scene: Scene, rows: MemoryEvents, utcMs: number, offsetMs: number, displaysMgdl: boolean, lastMs: number): PumpState {
  const readAtMs = Math.min(lastMs + 5_000, utcMs);
  const told = <T>(value: T): Told<T> => ({ value, atMs: readAtMs });
  const wall = (ms: number): LocalDateTime => addSeconds(EPOCH, Math.round((ms + offsetMs) / 1000));
  const valued = rows.glucose.filter(({ mgdl }) => mgdl !== undefined);
  const [before, last] = [valued.at(-4), valued.at(-1)];
  const newest = rows.glucose.at(-1);
  const trendMgdlPerMin = before && last ? Math.round(((last.mgdl! - before.mgdl!) / 15) * 10) / 10 : undefined;
  const base = { timeOffsetMin: 100, takenAt: wall(newest?.atMs ?? 0), takenAtMs: newest?.atMs ?? 0, receivedAtMs: readAtMs, quality: 10 };
  const state = { status: [], calibration: [], warning: [] } as never;
  const glucose: PumpValues["glucose"] =
    scene === "no-sensor"
      ? { kind: "no-sensor", receivedAtMs: utcMs - 20_000 }
      : newest?.mgdl === undefined
        ? { kind: "no-value", ...base, state }
        : { kind: "reading", ...base, state, mgdl: newest.mgdl, mmolPerLitre: 0, trendMgdlPerMin, arrows: 0 };
  const started = rows.sensorStarts.at(-1)?.atMs ?? utcMs;
  const isOn = scene !== "suspended";
  const link: PumpState["link"] =
    scene === "stale" || scene === "lost"
      ? { kind: "advertising", mode: "reconnect", bonded: true, sinceMs: lastMs + 2 * MIN }
      : scene === "pairing"
        ? { kind: "advertising", mode: "pair", bonded: false, sinceMs: utcMs - 40_000 }
        : scene === "ended"
          ? { kind: "ended", sinceMs: utcMs - 4 * MIN, reason: "the adapter is gone" }
          : { kind: "ready", sinceMs: utcMs - 3 * HOUR };
  const message =
    scene === "no-sensor"
      ? "no_paired_sensor"
      : scene === "warm-up"
        ? "warm_up"
        : scene === "below-range"
          ? "sg_below_lower_limit"
          : "no_message";
  if (scene === "pairing")
    return { epochMs: 0, link, heardAtMs: undefined, hint: 'On the pump, choose "Pair new device", then this computer.', values: {} };
  const values: PumpState["values"] = {
    information: told({
      manufacturer: "Invented",
      model: "SIM-780",
      serial: SECRET_SERIAL,
      hardware: "1",
      firmware: "2",
      software: undefined,
    }),
    battery: told(75),
    transmitterBattery: told(100),
    clock: told(wall(readAtMs)),
    glucose: told(glucose),
    sensorSession: told({
      start: { local: wall(started), timeZoneMin: undefined, dstOffsetMin: undefined, utc: undefined },
      runTimeHours: 168,
      remainingMs: started + 168 * HOUR - readAtMs,
    }),
    features: told({ bits: 0n, features: [], e2e: false, crc: "unused", counter: 0, insulinConcentration: 100, displaysMgdl }),
    status: told({
      therapyControlState: isOn ? "run" : "stop",
      operationalState: "ready",
      reservoirRemainingIu: 142.4,
      reservoirAttached: true,
      sensorConnectivity: ["sensor_on", "sensor_paired"],
      sensorConnectivityBits: 3,
      sensorMessage: message,
    }),
    annunciation: {
      value:
        scene === "alarm" ? { instanceId: 9, type: 0xf330, code: 816, state: "pending", auxiliary: [], rest: new Uint8Array() } : undefined,
      atMs: readAtMs,
    },
    insulinOnBoard: told({
      insulinOnBoardIu: rows.status.at(-1)?.insulinOnBoardIu,
      remainingDurationMin: undefined,
      partialStatusDurationMin: undefined,
      partialStatusRemaining: undefined,
    }),
    timeInRange: told({ notEnoughData: false, belowPercent: 2, inRangePercent: 78, abovePercent: 20, smartGuardPercent: 96 }),
    therapy: told({
      flags: 7,
      shield: isOn ? "auto_basal_mode" : "open_loop",
      readiness: "no_action_required",
      plgm: "feature_on",
      lgs: "feature_on",
      temporaryTargetMin: undefined,
      waitToCalibrateMin: undefined,
      safeBasalMin: undefined,
    }),
    basalRate: told({
      profileTemplateNumber: 1,
      configuredRate: 0.85,
      temporaryBasal: undefined,
      temporaryBasalTemplateNumber: undefined,
      context: "ap_controller",
    }),
    boluses: told(scene === "bolus" ? [{ bolusId: 77, programmed: active(4.2), delivered: active(1.5) }] : []),
    displayFormat: told({ clock24h: true, language: "english", carbohydratesInExchanges: false, activeInsulinResolution: "hundredths" }),
    highSettings: told({ type: "high", firstBlockIndex: 0, blocks: [{ durationMin: 1440, limitMgdl: 180 }] }),
    lowSettings: told({
      type: "low",
      firstBlockIndex: 0,
      blocks: [
        { durationMin: 420, limitMgdl: 80 },
        { durationMin: 1020, limitMgdl: 70 },
      ],
    }),
  };
  const hint = scene === "stale" || scene === "lost" ? "Bring the pump nearer. It looks for this computer every minute or two." : undefined;
  return { epochMs: 0, link, heardAtMs: scene === "stale" || scene === "lost" ? lastMs + MIN : utcMs - 12_000, hint, values };
}

function active(iu: number): NonNullable<NonNullable<PumpValues["boluses"][number]>["programmed"]> {
  return {
    flags: 0,
    bolusId: 77,
    bolusType: "fast",
    fastIu: iu,
    extendedIu: 0,
    durationMin: 0,
    delayMin: undefined,
    templateNumber: undefined,
    activation: "manual",
  };
}
