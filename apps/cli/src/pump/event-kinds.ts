import type { ExportKind } from "@jelling/minimed/export";
import { UsageError } from "../errors.ts";

/** Exactly the kinds of the export, as the compiler sees to; their names stand here too, since asking for help must not load that. */
const NAMES = {
  glucose: true,
  bolus: true,
  micro_bolus: true,
  basal: true,
  meal: true,
  blood_glucose: true,
  alert: true,
  suspension: true,
  loop_transition: true,
  clock_change: true,
  sensor_start: true,
  status: true,
} satisfies Record<ExportKind, true>;
export type EventKind = keyof typeof NAMES;

/** Kinds of events that a listing may be restricted to. */
export const EVENT_KINDS = Object.keys(NAMES) as readonly EventKind[];

/** Adds a kind to those that were named before; one that is named twice is one. */
export function collectKind(text: string, previous: readonly EventKind[]): EventKind[] {
  if (!Object.hasOwn(NAMES, text)) throw new UsageError(`kind "${text}": expected one of ${EVENT_KINDS.join(", ")}`);
  return [...new Set([...previous, text as EventKind])];
}
