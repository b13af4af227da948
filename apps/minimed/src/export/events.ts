import { type OperationOptions, turn } from "jelling/async";
import { ArgumentError, checkChoice, checkOptions, checkSignal, kindOf, optionNames } from "jelling/core";
import type {
  AlertEvent,
  BasalChange,
  BloodGlucose,
  BolusEvent,
  ClockChange,
  GlucosePoint,
  LoopTransitionEvent,
  MealEvent,
  MicroBolus,
  RecordRef,
  SensorStart,
  StatusPoint,
  Suspension,
  TherapyView,
  TimeRange,
} from "../store/view.ts";

/** What can be exported, in the order in which events of one instant are written. */
export const EXPORT_KINDS = Object.freeze([
  "glucose",
  "bolus",
  "micro_bolus",
  "basal",
  "meal",
  "blood_glucose",
  "alert",
  "suspension",
  "loop_transition",
  "clock_change",
  "sensor_start",
  "status",
] as const);
export type ExportKind = (typeof EXPORT_KINDS)[number];

/** An event of a view, with its kind. */
export type ExportEvent =
  | { readonly kind: "glucose"; readonly event: GlucosePoint }
  | { readonly kind: "bolus"; readonly event: BolusEvent }
  | { readonly kind: "micro_bolus"; readonly event: MicroBolus }
  | { readonly kind: "basal"; readonly event: BasalChange }
  | { readonly kind: "meal"; readonly event: MealEvent }
  | { readonly kind: "blood_glucose"; readonly event: BloodGlucose }
  | { readonly kind: "alert"; readonly event: AlertEvent }
  | { readonly kind: "suspension"; readonly event: Suspension }
  | { readonly kind: "loop_transition"; readonly event: LoopTransitionEvent }
  | { readonly kind: "clock_change"; readonly event: ClockChange }
  | { readonly kind: "sensor_start"; readonly event: SensorStart }
  | { readonly kind: "status"; readonly event: StatusPoint };

export interface ExportOptions extends Pick<OperationOptions, "signal"> {
  /** All by default. */
  readonly kinds?: readonly ExportKind[] | undefined;
}
const OPTIONS = optionNames<ExportOptions>({ signal: true, kinds: true });

const DAY_MS = 86_400_000;
/** As far as an ECMAScript date goes. */
const LATEST_MS = 8_640_000_000_000_000;

/** @throws {ArgumentError} */
export function checkRange(what: string, range: TimeRange): void {
  if (typeof range !== "object" || range === null) throw new ArgumentError(`${what}: expected a range of time, got ${kindOf(range)}`);
  for (const name of ["fromMs", "toMs"] as const) {
    const value: unknown = range[name];
    if (typeof value !== "number" || !(Math.abs(value) <= LATEST_MS))
      throw new ArgumentError(`${what}: ${name}: expected milliseconds since 1970, got ${kindOf(value)}`);
  }
  if (range.fromMs > range.toMs) throw new ArgumentError(`${what}: the range ends before it begins`);
}

/** @throws {ArgumentError} */
function checkedKinds(what: string, options: ExportOptions): ReadonlySet<ExportKind> {
  checkOptions(what, options, OPTIONS);
  checkSignal(`${what}: signal`, options.signal);
  const { kinds = EXPORT_KINDS } = options;
  if (!Array.isArray(kinds)) throw new ArgumentError(`${what}: kinds: expected an array, got ${kindOf(kinds)}`);
  return new Set(kinds.map((kind: ExportKind) => checkChoice(`${what}: kinds`, kind, EXPORT_KINDS)));
}

/**
 * The events of a range, a day (UTC) at a time, so that a year needs no more memory than a day. Within a day they ascend by time, and by
 * sequence number where the time is the same. An event belongs to the day in which it began.
 *
 * @throws {ArgumentError} at the call · `signal.reason`
 */
export function eventsByDay(
  what: string,
  view: TherapyView,
  range: TimeRange,
  options: ExportOptions = {},
): AsyncGenerator<ExportEvent[], void> {
  checkRange(what, range);
  const kinds = checkedKinds(what, options);
  return days(view, range, kinds, options.signal);
}

async function* days(
  view: TherapyView,
  range: TimeRange,
  kinds: ReadonlySet<ExportKind>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ExportEvent[], void> {
  // A century of days that nobody has anything of takes a while.
  const { span } = view;
  const fromMs = Math.max(range.fromMs, span?.fromMs ?? range.fromMs);
  const toMs = Math.min(range.toMs, span?.toMs ?? range.toMs);
  for (let atMs = fromMs; atMs < toMs; ) {
    signal?.throwIfAborted();
    const endMs = Math.min((Math.floor(atMs / DAY_MS) + 1) * DAY_MS, toMs);
    const events = eventsOf(view, { fromMs: atMs, toMs: endMs }, kinds);
    if (events.length > 0) yield events;
    atMs = endMs;
    await turn(); // a year of days is no reason to keep everything else waiting
  }
}

function eventsOf(view: TherapyView, range: TimeRange, kinds: ReadonlySet<ExportKind>): ExportEvent[] {
  const events: ExportEvent[] = [];
  const add = <T extends { readonly atMs: number }>(kind: ExportKind, ask: () => T[], make: (event: T) => ExportEvent): void => {
    if (!kinds.has(kind)) return;
    // What lasts may be told for each range that it touches; it is written once, where it began.
    for (const event of ask()) if (event.atMs >= range.fromMs && event.atMs < range.toMs) events.push(make(event));
  };
  add(
    "glucose",
    () => view.glucose(range),
    (event) => ({ kind: "glucose", event }),
  );
  add(
    "bolus",
    () => view.boluses(range),
    (event) => ({ kind: "bolus", event }),
  );
  add(
    "micro_bolus",
    () => view.microBoluses(range),
    (event) => ({ kind: "micro_bolus", event }),
  );
  add(
    "basal",
    () => view.basal(range),
    (event) => ({ kind: "basal", event }),
  );
  add(
    "meal",
    () => view.meals(range),
    (event) => ({ kind: "meal", event }),
  );
  add(
    "blood_glucose",
    () => view.bloodGlucose(range),
    (event) => ({ kind: "blood_glucose", event }),
  );
  add(
    "alert",
    () => view.alerts(range),
    (event) => ({ kind: "alert", event }),
  );
  add(
    "suspension",
    () => view.suspensions(range),
    (event) => ({ kind: "suspension", event }),
  );
  add(
    "loop_transition",
    () => view.loopTransitions(range),
    (event) => ({ kind: "loop_transition", event }),
  );
  add(
    "clock_change",
    () => view.clockChanges(range),
    (event) => ({ kind: "clock_change", event }),
  );
  add(
    "sensor_start",
    () => view.sensorStarts(range),
    (event) => ({ kind: "sensor_start", event }),
  );
  add(
    "status",
    () => view.status(range),
    (event) => ({ kind: "status", event }),
  );
  return events.sort((a, b) => a.event.atMs - b.event.atMs || sequenceOf(a) - sequenceOf(b)); // stable: else by kind
}

/** Where an event comes from; undefined for what was read live. */
export function refOf({ event }: ExportEvent): RecordRef | undefined {
  return "ref" in event ? event.ref : undefined;
}

function sequenceOf(event: ExportEvent): number {
  return refOf(event)?.sequenceNumber ?? Number.MAX_SAFE_INTEGER;
}
