import { SeededRandom } from "jelling/core";
import { addSeconds, formatLocal, parseLocal } from "../src/data/date-time.ts";
import type {
  AlertEvent,
  BasalChange,
  BloodGlucose,
  BolusEvent,
  ClockChange,
  EventTime,
  GlucosePoint,
  LoopTransitionEvent,
  MealEvent,
  MicroBolus,
  RecordRef,
  SensorStart,
  SequenceGap,
  StatusPoint,
  Suspension,
  TherapyView,
  TimeRange,
} from "../src/store/view.ts";

export const PUMP = "0123456789abcdef";
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

export interface MemoryEvents {
  glucose: GlucosePoint[];
  boluses: BolusEvent[];
  microBoluses: MicroBolus[];
  basal: BasalChange[];
  meals: MealEvent[];
  bloodGlucose: BloodGlucose[];
  alerts: AlertEvent[];
  suspensions: Suspension[];
  loopTransitions: LoopTransitionEvent[];
  clockChanges: ClockChange[];
  sensorStarts: SensorStart[];
  status: StatusPoint[];
  gaps: SequenceGap[];
}

const within = <T extends { readonly atMs: number }>(events: readonly T[], { fromMs, toMs }: TimeRange): T[] =>
  events.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).sort((a, b) => a.atMs - b.atMs);

/** A view over arrays, which may be changed. */
export class MemoryView implements TherapyView {
  readonly events: MemoryEvents;
  /** How many questions were asked. */
  asked = 0;

  constructor(events: Partial<MemoryEvents> = {}) {
    this.events = {
      glucose: [],
      boluses: [],
      microBoluses: [],
      basal: [],
      meals: [],
      bloodGlucose: [],
      alerts: [],
      suspensions: [],
      loopTransitions: [],
      clockChanges: [],
      sensorStarts: [],
      status: [],
      gaps: [],
      ...events,
    };
  }

  /** What it held at an earlier time: what had begun, with no end that was to come. */
  until(ms: number): MemoryView {
    const before = <T extends { readonly atMs: number }>(events: readonly T[]): T[] => events.filter(({ atMs }) => atMs < ms);
    const { events } = this;
    return new MemoryView({
      glucose: before(events.glucose),
      boluses: before(events.boluses),
      microBoluses: before(events.microBoluses),
      basal: before(events.basal),
      meals: before(events.meals),
      bloodGlucose: before(events.bloodGlucose),
      alerts: before(events.alerts).map((alert) => ((alert.clearedAtMs ?? 0) < ms ? alert : { ...alert, clearedAtMs: undefined })),
      suspensions: before(events.suspensions).map((suspension) =>
        (suspension.endedAtMs ?? 0) < ms ? suspension : { ...suspension, endedAtMs: undefined, endReason: undefined },
      ),
      loopTransitions: before(events.loopTransitions),
      clockChanges: before(events.clockChanges),
      sensorStarts: before(events.sensorStarts),
      status: before(events.status),
    });
  }

  #ask<T extends { readonly atMs: number }>(events: readonly T[], range: TimeRange): T[] {
    this.asked++;
    return within(events, range);
  }
  glucose = (range: TimeRange): GlucosePoint[] => this.#ask(this.events.glucose, range);
  boluses = (range: TimeRange): BolusEvent[] => this.#ask(this.events.boluses, range);
  microBoluses = (range: TimeRange): MicroBolus[] => this.#ask(this.events.microBoluses, range);
  basal = (range: TimeRange): BasalChange[] => this.#ask(this.events.basal, range);
  meals = (range: TimeRange): MealEvent[] => this.#ask(this.events.meals, range);
  bloodGlucose = (range: TimeRange): BloodGlucose[] => this.#ask(this.events.bloodGlucose, range);
  alerts = (range: TimeRange): AlertEvent[] => this.#ask(this.events.alerts, range);
  suspensions = (range: TimeRange): Suspension[] => this.#ask(this.events.suspensions, range);
  loopTransitions = (range: TimeRange): LoopTransitionEvent[] => this.#ask(this.events.loopTransitions, range);
  clockChanges = (range: TimeRange): ClockChange[] => this.#ask(this.events.clockChanges, range);
  sensorStarts = (range: TimeRange): SensorStart[] => this.#ask(this.events.sensorStarts, range);
  status = (range: TimeRange): StatusPoint[] => this.#ask(this.events.status, range);
  gaps(): SequenceGap[] {
    return this.events.gaps;
  }
  get newestMs(): number | undefined {
    return this.events.glucose.findLast(({ mgdl }) => mgdl !== undefined)?.atMs;
  }
}

/** When and from which record; the pump's clock is two hours ahead of UTC. */
export function at(atMs: number, sequenceNumber: number, segment = 0): EventTime & { readonly ref: RecordRef } {
  return { ...when(atMs), ref: { pump: PUMP, segment, sequenceNumber } };
}

export function when(atMs: number): EventTime {
  return { atMs, local: formatLocal(addSeconds(parseLocal("1970-01-01T02:00:00"), Math.floor(atMs / 1000))) };
}

/**
 * Plausible days from a seed: readings every five minutes with holes and values out of range, meals with and without a bolus, corrections,
 * combined boluses, micro boluses, suspensions, temporary basal rates, alerts, a sensor and a set change a day.
 */
export function seededView(seed: number, { fromMs, days }: { fromMs: number; days: number }): MemoryView {
  const random = new SeededRandom(seed, "memory view");
  const events = new MemoryView().events;
  const { floor, round } = Math;
  let sequence = 1000;
  let bolusId = 1;
  let level = 140;
  const toMs = fromMs + days * DAY;
  let stoppedUntilMs = 0;
  let microIu = 0.1;
  events.loopTransitions.push({ ...at(fromMs, sequence++), active: true, reason: "into_si_pass" });
  for (let atMs = fromMs; atMs < toMs; atMs += 5 * MINUTE) {
    const minute = floor((atMs - fromMs) / MINUTE) % 1440;
    level = Math.min(420, Math.max(35, level + (random.unit() - 0.5) * 24 + (140 - level) * 0.02));
    const mgdl = round(level);
    if (random.unit() < 0.97) {
      const known = mgdl >= 50 && mgdl <= 400;
      events.glucose.push({
        ...at(atMs, sequence++),
        mgdl: known ? mgdl : undefined,
        cause: known ? undefined : mgdl < 50 ? "below_range" : "above_range",
        trendMgdlPerMin: known && random.unit() < 0.5 ? round((random.unit() - 0.5) * 80) / 10 : undefined,
      });
    }
    if (atMs >= stoppedUntilMs) {
      if (random.unit() < 0.3) microIu = round(random.unit() * 12) * 0.025;
      events.microBoluses.push({ ...at(atMs + round(random.unit() * 3) * 1000, sequence++), amountIu: microIu });
      if (random.unit() < 0.01) {
        stoppedUntilMs = atMs + (1 + floor(random.unit() * 20)) * 5 * MINUTE;
        events.suspensions.push({
          ...at(atMs + 61_000, sequence++),
          reason: random.unit() < 0.5 ? "user_suspended" : "plgm_on_low_sg_suspended",
          endedAtMs: stoppedUntilMs - 30_000,
          endReason: "user_selects_resume",
        });
      }
    }
    if ([420, 720, 1080].includes(minute) || random.unit() < 0.01) {
      const carbohydratesG = 10 + floor(random.unit() * 70);
      const withBolus = random.unit() < 0.8;
      if (random.unit() < 0.8) events.meals.push({ ...at(atMs + 20_000, sequence++), carbohydratesG });
      if (withBolus) {
        const fast = round(random.unit() * 80) / 10;
        const extended = random.unit() < 0.2 ? round(10 + random.unit() * 30) / 10 : 0;
        const isSquare = extended > 0 && random.unit() < 0.5;
        const given = { fast: isSquare ? 0 : fast, extended };
        const isCanceled = random.unit() < 0.1;
        events.boluses.push({
          ...at(atMs + 21_000, sequence++),
          bolusId: bolusId++,
          kind: extended === 0 ? "fast" : isSquare ? "extended" : "multiwave",
          automatic: false,
          programmedIu: given,
          deliveredIu: isCanceled ? { fast: given.fast / 2, extended: 0 } : given,
          durationMin: extended === 0 ? 0 : 60,
          endReason: isCanceled ? "canceled" : "delivered",
        });
      }
    }
    if (random.unit() < 0.02)
      events.boluses.push({
        ...at(atMs + 40_000, sequence++),
        bolusId: bolusId++,
        kind: "fast",
        automatic: true,
        programmedIu: { fast: 0.4, extended: 0 },
        deliveredIu: { fast: 0.4, extended: 0 },
        durationMin: 0,
        endReason: "delivered",
      });
    if (random.unit() < 0.01) {
      const value = round(60 + random.unit() * 250);
      events.bloodGlucose.push({ ...at(atMs + 100_000, sequence++), mgdl: value, calibration: "none" });
      if (random.unit() < 0.5)
        events.bloodGlucose.push({
          ...at(atMs + 100_000, sequence++),
          mgdl: value,
          calibration: random.unit() < 0.7 ? "accepted" : "rejected",
        });
    }
    if (random.unit() < 0.01)
      events.alerts.push({
        ...at(atMs + 130_000, sequence),
        instanceId: sequence++,
        code: [802, 816, 105, 84][floor(random.unit() * 4)]!,
        name: "an_alert",
        clearedAtMs: atMs + 8 * MINUTE,
      });
    if (random.unit() < 0.004) {
      events.loopTransitions.push({ ...at(atMs + 150_000, sequence++), active: false, reason: "out_high_sg" });
      events.basal.push({ ...at(atMs + 151_000, sequence++), rate: 0.8, source: "delivered" });
      events.basal.push({ ...at(atMs + 160_000, sequence++), rate: 1.6, source: "temporary" });
      events.basal.push({ ...at(atMs + 100 * MINUTE, sequence++), rate: 0.8, source: "context" });
    }
    if (minute === 600) {
      const local = when(atMs);
      events.sensorStarts.push({ ...local, runTimeHours: 168 });
      for (const [i, [therapyState, operationalState]] of (
        [
          ["stop", "waiting"],
          ["stop", "priming"],
          ["run", "ready"],
        ] as const
      ).entries())
        events.status.push({ ...statusPoint(atMs + i * 2 * MINUTE), therapyState, operationalState });
    }
  }
  events.clockChanges.push({ ...at(fromMs + 13 * HOUR, sequence++), reason: "set_date_time" });
  for (const list of Object.values(events)) (list as { atMs?: number }[]).sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0));
  return new MemoryView(events);
}

export function statusPoint(atMs: number): StatusPoint {
  return {
    atMs,
    insulinOnBoardIu: 1.25,
    reservoirIu: 143.5,
    batteryPercent: 75,
    transmitterBatteryPercent: 90,
    therapyState: "run",
    operationalState: "ready",
    sensorMessage: "no_message",
    shield: "auto_basal_mode",
  };
}
