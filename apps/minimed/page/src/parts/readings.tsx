import type { Actions } from "../shortcuts.ts";
import { shownPoints } from "../shortcuts.ts";
import { type Shown, unitOf } from "../store.ts";
import { agoText, type PumpTimes } from "../times.ts";
import { CAUSE_WORDS, glucoseText, limitsAt, zoneText } from "../words.ts";
import { eventsNear } from "./curve.tsx";

/** The curve in words and numbers. */
export function Readings({ shown, actions, nowMs, times }: { shown: Shown; actions: Actions; nowMs: number; times: PumpTimes }) {
  const { showsTable, view } = shown;
  const unit = unitOf(shown);
  return (
    <details class="readings" open={showsTable} onToggle={(event) => actions.showTable(event.currentTarget.open)}>
      <summary>Readings as a table</summary>
      {showsTable && view && (
        <table>
          <thead>
            <tr>
              <th scope="col">time on the pump</th>
              <th scope="col">{unit}</th>
              <th scope="col">range</th>
              <th scope="col">what happened</th>
            </tr>
          </thead>
          <tbody>
            {shownPoints(shown, nowMs)
              .toReversed()
              .map(([atMs, mgdl, cause]) => (
                <tr key={atMs}>
                  <th scope="row" title={agoText(nowMs - atMs)}>
                    {times.clockAndDay(atMs, nowMs)}
                  </th>
                  <td>{mgdl === null ? "–" : glucoseText(mgdl, unit)}</td>
                  <td>
                    {mgdl === null
                      ? CAUSE_WORDS[cause ?? "unknown"]
                      : zoneText(mgdl, limitsAt(shown.state?.limits, times.minuteOfDay(atMs)))}
                  </td>
                  <td>{eventsNear(atMs, { view }).join(", ")}</td>
                </tr>
              ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
