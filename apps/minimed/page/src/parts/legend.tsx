import type { Shown } from "../store.ts";

/** What the marks mean: those that are there. */
export function Legend({ shown }: { shown: Shown }) {
  const { view } = shown;
  if (!view) return null;
  const items: [string, string, boolean][] = [
    ["band", "range", true],
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
