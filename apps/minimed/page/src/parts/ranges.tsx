import type { Actions } from "../shortcuts.ts";
import { RANGES, type Shown } from "../store.ts";
import type { PumpTimes } from "../times.ts";
import { Icon } from "./icons.tsx";

/** How much of the past is shown, and which part of it. */
export function Ranges({ shown, actions, nowMs, times }: { shown: Shown; actions: Actions; nowMs: number; times: PumpTimes }) {
  const { range, endMs } = shown;
  return (
    <nav class="ranges" aria-label="Span of time">
      <div class="tabs">
        {RANGES.map((each) => (
          <button type="button" key={each.key} aria-pressed={each === range} title={`Key ${each.key}`} onClick={() => actions.choose(each)}>
            {each.isWeeks ? (
              <>
                {each.text.replace("eeks", "")}
                <span class="wide">eeks</span>
              </>
            ) : (
              each.text
            )}
          </button>
        ))}
      </div>
      {!range.isWeeks && (
        <div class="paging">
          <button type="button" class="plain" onClick={() => actions.page(-1)} aria-label="Earlier" title="Earlier ([)">
            <Icon name="left" />
          </button>
          <span>{endMs === undefined ? "until now" : `until ${times.clockAndDay(endMs, nowMs)}`}</span>
          <button
            type="button"
            class="plain"
            onClick={() => actions.page(1)}
            disabled={endMs === undefined}
            aria-label="Later"
            title="Later (])"
          >
            <Icon name="right" />
          </button>
          {endMs !== undefined && (
            <button type="button" class="now" onClick={() => actions.toNow()} title="Back to the present (N)">
              Now
            </button>
          )}
        </div>
      )}
    </nav>
  );
}
