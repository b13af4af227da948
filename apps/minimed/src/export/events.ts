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

/** What a view has, by kind. */
interface EventsByKind {
  readonly glucose: GlucosePoint;
  readonly bolus: BolusEvent;
  readonly micro_bolus: MicroBolus;
  readonly basal: BasalChange;
  readonly meal: MealEvent;
  readonly blood_glucose: BloodGlucose;
  readonly alert: AlertEvent;
  readonly suspension: Suspension;
  readonly loop_transition: LoopTransitionEvent;
  readonly clock_change: ClockChange;
  readonly sensor_start: SensorStart;
  readonly status: StatusPoint;
}
export type ExportKind = keyof EventsByKind;

/** How a view is asked for each kind, in the order in which events of one instant are written. */
const ASK: { readonly [Kind in ExportKind]: (view: TherapyView, range: TimeRange) => readonly EventsByKind[Kind][] } = {
  glucose: (view, range) => view.glucose(range),
  bolus: (view, range) => view.boluses(range),
  micro_bolus: (view, range) => view.microBoluses(range),
  basal: (view, range) => view.basal(range),
  meal: (view, range) => view.meals(range),
  blood_glucose: (view, range) => view.bloodGlucose(range),
  alert: (view, range) => view.alerts(range),
  suspension: (view, range) => view.suspensions(range),
  loop_transition: (view, range) => view.loopTransitions(range),
  clock_change: (view, range) => view.clockChanges(range),
  sensor_start: (view, range) => view.sensorStarts(range),
  status: (view, range) => view.status(range),
};

/** What can be exported, in the order in which events of one instant are written. */
export const EXPORT_KINDS: readonly ExportKind[] = Object.freeze(Object.keys(ASK) as ExportKind[]);

/** An event of a view, with its kind. */
export type ExportEvent = { readonly [Kind in ExportKind]: { readonly kind: Kind; readonly event: EventsByKind[Kind] } }[ExportKind];

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
 * All events of a range, as `exportCsv` writes them, a day (UTC) at a time: for who shows them otherwise. Within a day they ascend by time. An event
 * belongs to the day in which it began.
 *
 * @throws {ArgumentError} at the call · `signal.reason`
 */
export function exportEvents(view: TherapyView, range: TimeRange, options: ExportOptions = {}): AsyncGenerator<ExportEvent[], void> {
  return eventsByDay("exportEvents", view, range, options);
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
  for (const kind of EXPORT_KINDS) {
    if (!kinds.has(kind)) continue;
    // What lasts may be told for each range that it touches; it is written once, where it began.
    for (const event of ASK[kind](view, range))
      if (event.atMs >= range.fromMs && event.atMs < range.toMs) events.push({ kind, event } as ExportEvent); // of one row of ASK
  }
  return events.sort((a, b) => a.event.atMs - b.event.atMs || sequenceOf(a) - sequenceOf(b)); // stable: else by kind
}

/** Where an event comes from; undefined for what was read live. */
export function refOf({ event }: ExportEvent): RecordRef | undefined {
  return "ref" in event ? event.ref : undefined;
}

function sequenceOf(event: ExportEvent): number {
  return refOf(event)?.sequenceNumber ?? Number.MAX_SAFE_INTEGER;
}
