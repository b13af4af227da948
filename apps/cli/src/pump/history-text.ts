import type { RecordRef, TherapyView, TimeRange } from "@jelling/minimed";
import type { ExportKind } from "@jelling/minimed/export";

/** Kinds of events that a listing may be restricted to, by the names of the export; here, since asking for help must not load that. */
export const EVENT_KINDS = [
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
] as const satisfies readonly ExportKind[];
export type EventKind = (typeof EVENT_KINDS)[number];

/** An event as it is listed. */
export interface ListedEvent {
  readonly kind: EventKind;
  readonly atMs: number;
  /** As the pump's display told time. */
  readonly local: string | undefined;
  readonly text: string;
  readonly event: Readonly<Record<string, unknown>>;
}

const words = (name: string): string => name.replaceAll("_", " ");
const amount = ({ fast, extended }: { readonly fast: number; readonly extended: number }): string =>
  extended > 0 ? `${fast} U at once, ${extended} U extended` : `${fast} U`;

type Timed = { readonly atMs: number; readonly local: string | undefined; readonly ref?: RecordRef | undefined };
interface Kind<T extends Timed> {
  readonly of: (view: TherapyView, range: TimeRange) => readonly T[];
  readonly text: (event: T) => string;
}
const kind = <T extends Timed>(of: Kind<T>["of"], text: Kind<T>["text"]): Kind<Timed> => ({ of, text: text as Kind<Timed>["text"] });

const KINDS: Readonly<Record<EventKind, Kind<Timed>>> = {
  glucose: kind(
    (view, range) => view.glucose(range),
    ({ mgdl, cause }) => (mgdl === undefined ? `no value: ${words(cause ?? "unknown")}` : `${mgdl} mg/dL`),
  ),
  bolus: kind(
    (view, range) => view.boluses(range),
    ({ kind: type, automatic, programmedIu, deliveredIu, endReason }) => {
      const name = automatic ? "automatic correction" : `${type} bolus`;
      if (!deliveredIu) return programmedIu ? `${name}, ${amount(programmedIu)} programmed` : name;
      const short = programmedIu && (programmedIu.fast !== deliveredIu.fast || programmedIu.extended !== deliveredIu.extended);
      const ended = endReason !== undefined && endReason !== "delivered" ? `, ${words(endReason)}` : "";
      return `${name}, ${amount(deliveredIu)}${short ? ` of ${amount(programmedIu)}` : ""}${ended}`;
    },
  ),
  micro_bolus: kind(
    (view, range) => view.microBoluses(range),
    ({ amountIu }) => `micro bolus, ${amountIu} U`,
  ),
  basal: kind(
    (view, range) => view.basal(range),
    ({ rate, source }) => `${source === "temporary" ? "temporary basal rate" : "basal rate"} ${rate} U/h`,
  ),
  meal: kind(
    (view, range) => view.meals(range),
    ({ carbohydratesG }) => `meal, ${carbohydratesG} g`,
  ),
  blood_glucose: kind(
    (view, range) => view.bloodGlucose(range),
    ({ mgdl, calibration }) => `fingerstick ${mgdl} mg/dL${calibration === "none" ? "" : `, calibration ${calibration}`}`,
  ),
  alert: kind(
    (view, range) => view.alerts(range),
    ({ code, name, clearedAtMs }) =>
      `alert ${code ?? "of another kind"}${name === undefined ? "" : `, ${words(name)}`}${clearedAtMs === undefined ? "" : ", cleared"}`,
  ),
  suspension: kind(
    (view, range) => view.suspensions(range),
    ({ reason, endedAtMs, endReason }) =>
      `delivery stopped: ${words(reason)}${endedAtMs === undefined ? "" : `; resumed: ${words(endReason ?? "unknown")}`}`,
  ),
  loop_transition: kind(
    (view, range) => view.loopTransitions(range),
    ({ active, reason }) => `SmartGuard ${active ? "on" : "off"}: ${words(reason)}`,
  ),
  clock_change: kind(
    (view, range) => view.clockChanges(range),
    ({ reason }) => `the pump's clock: ${words(reason)}`,
  ),
  sensor_start: kind(
    (view, range) => view.sensorStarts(range),
    () => "new sensor session",
  ),
  status: kind(
    (view, range) => view.status(range).map((point) => ({ ...point, local: undefined })),
    ({ insulinOnBoardIu, reservoirIu, batteryPercent, therapyState, operationalState, shield }) =>
      [
        ...(insulinOnBoardIu === undefined ? [] : [`${insulinOnBoardIu} U on board`]),
        ...(reservoirIu === undefined ? [] : [`${reservoirIu} U in the reservoir`]),
        ...(batteryPercent === undefined ? [] : [`battery ${batteryPercent} %`]),
        ...[therapyState, operationalState, shield].flatMap((state) => (state === undefined ? [] : [words(state)])),
      ].join(", ") || "nothing known",
  ),
};

/** Events of a range, by time. The pump's own state only where it is asked for: it is not an event. */
export function listEvents(
  view: TherapyView,
  range: TimeRange,
  kinds: readonly EventKind[] = EVENT_KINDS.filter((name) => name !== "status"),
): ListedEvent[] {
  return kinds
    .flatMap((name) => {
      const { of, text } = KINDS[name];
      return of(view, range).map((event) => ({
        kind: name,
        atMs: event.atMs,
        local: event.local,
        text: text(event),
        event: event as unknown as Readonly<Record<string, unknown>>,
      }));
    })
    .sort((a, b) => a.atMs - b.atMs);
}
