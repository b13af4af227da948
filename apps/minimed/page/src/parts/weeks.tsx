import { useMemo, useRef } from "preact/hooks";
import type { PageDay, PageShares, PageSummary } from "../../../src/web/page-data.ts";
import { type ProfileParts, ProfilePlot } from "../chart/profile-plot.ts";
import type { Actions } from "../shortcuts.ts";
import { RANGES, type Shown, unitOf } from "../store.ts";
import { DAY, dayText } from "../times.ts";
import { glucoseText, iuText, type Unit, type Zone } from "../words.ts";
import { PlotHost } from "./plot-host.tsx";

const SHARES: readonly (readonly [keyof PageShares, Zone])[] = [
  ["veryLow", "very-low"],
  ["low", "low"],
  ["inRange", "in-range"],
  ["high", "high"],
  ["veryHigh", "very-high"],
];

/** What the weeks have in common: time in range, the usual day, and each day. */
export function Weeks({ shown, actions }: { shown: Shown; actions: Actions }) {
  const plot = useRef<ProfilePlot | null>(null);
  const { summary } = shown;
  const unit = unitOf(shown);
  const hours24 = shown.state?.clock24h ?? true;
  const parts = useMemo<ProfileParts | undefined>(() => summary && { summary, unit, hours24 }, [summary, unit, hours24]);
  if (!summary || !parts || summary.days !== shown.range.spanMs / DAY) return <div class="plot empty">{shown.viewProblem ?? "…"}</div>;
  if (!summary.shares) return <div class="plot empty">There are no readings in these weeks.</div>;
  return (
    <div class="weeks">
      <Numbers summary={summary} unit={unit} />
      <Shares shares={summary.shares} unit={unit} />
      <h2>
        The usual day <small>median, half of the values, nine of ten</small>
      </h2>
      <div class="profile" role="img" aria-label={profileText(summary, unit)}>
        <PlotHost make={(target, made: ProfileParts) => new ProfilePlot(target, made)} parts={parts} theme={shown.theme} plot={plot} />
      </div>
      <h2>Days</h2>
      <Days days={summary.perDay} unit={unit} actions={actions} />
    </div>
  );
}

function Numbers({ summary, unit }: { summary: PageSummary; unit: Unit }) {
  const { meanMgdl, gmiPercent, variationPercent, coverage } = summary;
  return (
    <dl class="numbers">
      <div>
        <dt>mean</dt>
        <dd>
          <b>{meanMgdl === null ? "–" : glucoseText(meanMgdl, unit)}</b> {unit}
        </dd>
      </div>
      <div>
        <dt>
          <abbr title="glucose management indicator, from the mean">GMI</abbr>
        </dt>
        <dd>
          <b>{gmiPercent?.toFixed(1) ?? "–"}</b> %
        </dd>
      </div>
      <div>
        <dt>variation</dt>
        <dd>
          <b>{variationPercent?.toFixed(0) ?? "–"}</b> %
        </dd>
      </div>
      <div>
        <dt>sensor data</dt>
        <dd>
          <b>{Math.round(100 * coverage)}</b> %
        </dd>
      </div>
    </dl>
  );
}

function limitsText(name: keyof PageShares, unit: Unit): string {
  const text = (mgdl: number): string => glucoseText(mgdl, unit);
  return {
    veryLow: `below ${text(54)}`,
    low: `${text(54)}–${text(70)}`,
    inRange: `${text(70)}–${text(180)}`,
    high: `${text(180)}–${text(250)}`,
    veryHigh: `above ${text(250)}`,
  }[name];
}

function Shares({ shares, unit }: { shares: PageShares; unit: Unit }) {
  return (
    <section class="shares" aria-label="Time in range">
      <Bar shares={shares} />
      <dl>
        {SHARES.map(([name, zone]) => (
          <div key={name} class={name === "inRange" ? "main" : ""}>
            <dt>
              <i class={`key ${zone}`} aria-hidden="true" />
              {limitsText(name, unit)}
            </dt>
            <dd>{percentText(shares[name])}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Bar({ shares }: { shares: PageShares }) {
  return (
    <span class="bar" aria-hidden="true">
      {SHARES.filter(([name]) => shares[name] > 0).map(([name, zone]) => (
        <i key={name} class={zone} style={{ flexGrow: shares[name] }} />
      ))}
    </span>
  );
}

/** No share that is there is shown as none. */
function percentText(share: number): string {
  const percent = 100 * share;
  return `${percent > 0 && percent < 1 ? "<1" : Math.round(percent)} %`;
}

function Days({ days, unit, actions }: { days: readonly PageDay[]; unit: Unit; actions: Actions }) {
  const day = RANGES.find(({ text }) => text === "24 h")!;
  return (
    <table class="days">
      <thead>
        <tr>
          <th scope="col">day</th>
          <th scope="col">time in range</th>
          <th scope="col">in range</th>
          <th scope="col">mean</th>
          <th scope="col" class="wide">
            carbs
          </th>
          <th scope="col" class="wide">
            boluses
          </th>
        </tr>
      </thead>
      <tbody>
        {days.toReversed().map(({ date, fromMs, shares, meanMgdl, carbohydratesG, bolusIu }) => (
          <tr key={date}>
            <th scope="row">
              <button type="button" class="day" onClick={() => actions.choose(day, fromMs + DAY)} title="Show this day">
                {dayText(Date.parse(`${date}T00:00:00Z`))}
              </button>
            </th>
            <td class="bar-cell">{shares ? <Bar shares={shares} /> : "no readings"}</td>
            <td>{shares ? percentText(shares.inRange) : "–"}</td>
            <td>{meanMgdl === null ? "–" : glucoseText(meanMgdl, unit)}</td>
            <td class="wide">{carbohydratesG > 0 ? `${carbohydratesG} g` : "–"}</td>
            <td class="wide">{bolusIu > 0 ? `${iuText(bolusIu)} U` : "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function profileText({ slots }: PageSummary, unit: Unit): string {
  const every = slots.filter(({ minute, percentiles }) => minute % 180 === 0 && percentiles);
  return `Percentiles by time of day. ${every.map(({ minute, percentiles }) => `${minute / 60} h: median ${glucoseText(percentiles![2], unit)}, half between ${glucoseText(percentiles![1], unit)} and ${glucoseText(percentiles![3], unit)}`).join("; ")}.`;
}
