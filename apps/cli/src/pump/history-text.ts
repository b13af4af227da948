import type { TherapyView, TimeRange } from "@jelling/minimed";
import type { ExportEvent } from "@jelling/minimed/export";
import { EVENT_KINDS, type EventKind } from "./event-kinds.ts";

/** An event as it is listed. */
export interface ListedEvent {
  readonly kind: EventKind;
  readonly atMs: number;
  /** As the pump's display told time. */
  readonly local: string | undefined;
  readonly text: string;
  /** All that is known of it, for `--json`. */
  readonly json: Readonly<Record<string, unknown>>;
}

const words = (name: string): string => name.replaceAll("_", " ");
const amount = ({ fast, extended }: { readonly fast: number; readonly extended: number }): string =>
  extended > 0 ? `${fast} U at once, ${extended} U extended` : `${fast} U`;

/** An event in words. */
function textOf({ kind, event }: ExportEvent): string {
  switch (kind) {
    case "glucose":
      return event.mgdl === undefined ? `no value: ${words(event.cause ?? "unknown")}` : `${event.mgdl} mg/dL`;
    case "bolus": {
      const { kind: type, automatic, programmedIu, deliveredIu, endReason } = event;
      const name = automatic ? "automatic correction" : `${type} bolus`;
      if (!deliveredIu) return programmedIu ? `${name}, ${amount(programmedIu)} programmed` : name;
      const short = programmedIu && (programmedIu.fast !== deliveredIu.fast || programmedIu.extended !== deliveredIu.extended);
      const ended = endReason !== undefined && endReason !== "delivered" ? `, ${words(endReason)}` : "";
      return `${name}, ${amount(deliveredIu)}${short ? ` of ${amount(programmedIu)}` : ""}${ended}`;
    }
    case "micro_bolus":
      return `micro bolus, ${event.amountIu} U`;
    case "basal":
      return `${event.source === "temporary" ? "temporary basal rate" : "basal rate"} ${event.rate} U/h`;
    case "meal":
      return `meal, ${event.carbohydratesG} g`;
    case "blood_glucose":
      return `fingerstick ${event.mgdl} mg/dL${event.calibration === "none" ? "" : `, calibration ${event.calibration}`}`;
    case "alert": {
      const { code, name, clearedAtMs } = event;
      return `alert ${code ?? "of another kind"}${name === undefined ? "" : `, ${words(name)}`}${clearedAtMs === undefined ? "" : ", cleared"}`;
    }
    case "suspension": {
      const { reason, endedAtMs, endReason } = event;
      return `delivery stopped: ${words(reason)}${endedAtMs === undefined ? "" : `; resumed: ${words(endReason ?? "unknown")}`}`;
    }
    case "loop_transition":
      return `SmartGuard ${event.active ? "on" : "off"}: ${words(event.reason)}`;
    case "clock_change":
      return `the pump's clock: ${words(event.reason)}`;
    case "sensor_start":
      return "new sensor session";
    case "status": {
      const { insulinOnBoardIu, reservoirIu, batteryPercent, therapyState, operationalState, shield } = event;
      const told = [
        ...(insulinOnBoardIu === undefined ? [] : [`${insulinOnBoardIu} U on board`]),
        ...(reservoirIu === undefined ? [] : [`${reservoirIu} U in the reservoir`]),
        ...(batteryPercent === undefined ? [] : [`battery ${batteryPercent} %`]),
        ...[therapyState, operationalState, shield].flatMap((state) => (state === undefined ? [] : [words(state)])),
      ];
      return told.join(", ") || "nothing known";
    }
  }
}

/** What is listed where no kind is asked for: the pump's own state is not an event. */
const USUAL = EVENT_KINDS.filter((name) => name !== "status");

/** Events of a range, by time; a day of them at a time, so that years take no more memory. */
export async function* listEvents(
  view: TherapyView,
  range: TimeRange,
  { kinds, signal }: { readonly kinds: readonly EventKind[]; readonly signal: AbortSignal },
): AsyncGenerator<ListedEvent, void> {
  const { exportEvents } = await import("@jelling/minimed/export");
  for await (const events of exportEvents(view, range, { kinds: kinds.length > 0 ? kinds : USUAL, signal })) {
    for (const each of events) {
      const { kind, event } = each;
      yield { kind, atMs: event.atMs, local: "local" in event ? event.local : undefined, text: textOf(each), json: jsonOf(each) };
    }
  }
}

/** A bolus has a kind of its own, which must not stand in for the event's. */
function jsonOf({ kind, event }: ExportEvent): Record<string, unknown> {
  return kind === "bolus" ? { ...event, bolusKind: event.kind, kind } : { ...event, kind };
}
