import { type Shown, unitOf } from "../store.ts";
import { DAY, MIN } from "../times.ts";
import { glucoseText, limitsAt } from "../words.ts";

/** The limits in force now, and whose they are. */
function rangeText(shown: Shown): string {
  const { state } = shown;
  const unit = unitOf(shown);
  const minute = state?.pumpOffsetMs == null ? 0 : ((((state.nowMs + state.pumpOffsetMs) % DAY) + DAY) % DAY) / MIN;
  const { low, high } = limitsAt(state?.limits, minute);
  const isPumps = (state?.limits.low.length ?? 0) + (state?.limits.high.length ?? 0) > 0;
  return `${glucoseText(low, unit)}–${glucoseText(high, unit)}${isPumps ? ", the pump’s alert limits" : ""}`;
}

/** What the marks mean: those that are there. */
export function Legend({ shown }: { shown: Shown }) {
  const { view } = shown;
  if (!view) return null;
  const items: [string, string, boolean][] = [
    ["band", rangeText(shown), true],
    ["bolus", "bolus", view.boluses.length > 0],
    ["micro", "micro bolus", view.microBoluses.length > 0],
    ["basal", "basal rate", view.loop.some(({ active }) => !active)],
    ["iob", "on board", view.insulinOnBoard.length > 1],
    ["meal", "carbs", view.meals.length > 0],
    ["stick", "fingerstick", view.bloodGlucose.length > 0],
    ["alarm", "alarm", view.alerts.length > 0],
    ["stop", "stopped", view.suspensions.length > 0],
  ];
  const missing = view.missing.pending;
  return (
    <div class="legend">
      {items
        .filter(([, , isThere]) => isThere)
        .map(([kind, text]) => (
          <span key={kind}>
            <i class={`key ${kind}`} aria-hidden="true" />
            {text}
          </span>
        ))}
      {missing > 0 && <span class="missing">{missing} records of the pump not read yet</span>}
    </div>
  );
}
