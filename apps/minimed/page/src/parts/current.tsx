import { STALE_MS } from "../../../src/web/page-data.ts";
import { type Shown, unitOf } from "../store.ts";
import { agoText, type PumpTimes, spanText } from "../times.ts";
import { CAUSE_WORDS, capital, differenceText, glucoseText, limitsAt, type Unit, type Zone, zoneOf, zoneText } from "../words.ts";
import { Icon, Trend } from "./icons.tsx";

/** What stands in the large letters. Also the title and the icon of the tab say it. */
export type Headline =
  | {
      readonly kind: "fresh";
      readonly text: string;
      readonly zone: Zone;
      readonly words: string;
      readonly trend: number | null;
      readonly ageMs: number;
      readonly mgdl: number;
    }
  | { readonly kind: "stale"; readonly text: string; readonly ageMs: number }
  | { readonly kind: "beyond"; readonly text: string; readonly zone: Zone; readonly words: string; readonly ageMs: number }
  | {
      readonly kind: "none";
      readonly text: string;
      readonly last: { readonly text: string; readonly atMs: number; readonly ageMs: number } | undefined;
    };

export function headlineOf(shown: Shown, nowMs: number, times: PumpTimes): Headline {
  const unit = unitOf(shown);
  const { state } = shown;
  const glucose = state?.glucose;
  const last = state?.lastReading
    ? { text: glucoseText(state.lastReading.mgdl, unit), atMs: state.lastReading.atMs, ageMs: Math.max(0, nowMs - state.lastReading.atMs) }
    : undefined;
  if (!glucose) return { kind: "none", text: state ? "no reading yet" : "", last };
  const ageMs = Math.max(0, nowMs - glucose.atMs);
  if (glucose.kind === "no-sensor") return { kind: "none", text: "no sensor", last };
  if (glucose.kind === "reading") {
    const text = glucoseText(glucose.mgdl, unit);
    if (ageMs > STALE_MS) return { kind: "stale", text, ageMs };
    const limits = limitsAt(state.limits, times.minuteOfDay(glucose.atMs));
    const zone = zoneOf(glucose.mgdl, limits);
    return { kind: "fresh", text, zone, words: zoneText(glucose.mgdl, limits), trend: glucose.trend, ageMs, mgdl: glucose.mgdl };
  }
  if (ageMs > STALE_MS && last) return { kind: "stale", text: last.text, ageMs: last.ageMs };
  if (glucose.cause === "below_range" || glucose.cause === "above_range") {
    const isLow = glucose.cause === "below_range";
    return {
      kind: "beyond",
      text: `${isLow ? "<" : ">"}${glucoseText(isLow ? 50 : 400, unit)}`,
      zone: isLow ? "very-low" : "very-high",
      words: isLow ? "very low" : "very high",
      ageMs,
    };
  }
  return { kind: "none", text: CAUSE_WORDS[glucose.cause], last };
}

export function Current({ shown, nowMs, times }: { shown: Shown; nowMs: number; times: PumpTimes }) {
  const headline = headlineOf(shown, nowMs, times);
  const unit = unitOf(shown);
  const zone = headline.kind === "fresh" || headline.kind === "beyond" ? headline.zone : "old";
  return (
    <section class={`card current ${headline.kind} ${zone}`} aria-label="Glucose now">
      <Large headline={headline} unit={unit} times={times} nowMs={nowMs} />
      <Foot headline={headline} shown={shown} unit={unit} />
    </section>
  );
}

function Large({ headline, unit, times, nowMs }: { headline: Headline; unit: Unit; times: PumpTimes; nowMs: number }) {
  switch (headline.kind) {
    case "fresh":
    case "beyond":
      return (
        <p class="value">
          <strong data-testid="glucose">{headline.text}</strong>
          <span class="beside">
            {headline.kind === "fresh" && headline.trend !== null && <Trend trend={headline.trend} />}
            <small>{unit}</small>
          </span>
        </p>
      );
    case "stale":
      return (
        <>
          <p class="no-data" role="alert">
            <Icon name="warning" />
            <span>
              No data for <b data-testid="stale">{spanText(headline.ageMs)}</b>
            </span>
          </p>
          <p class="value">
            <s data-testid="glucose">{headline.text}</s>
            <span class="beside">
              <small>{unit}</small>
              <small>old value</small>
            </span>
          </p>
        </>
      );
    case "none":
      return (
        <>
          <p class="words" data-testid="glucose">
            {capital(headline.text) || "…"}
          </p>
          {headline.last && (
            <p class="last">
              Last reading{" "}
              <s>
                {headline.last.text} {unit}
              </s>{" "}
              at {times.clockAndDay(headline.last.atMs, nowMs)}, <b>{agoText(headline.last.ageMs)}</b>
            </p>
          )}
        </>
      );
  }
}

function Foot({ headline, shown, unit }: { headline: Headline; shown: Shown; unit: Unit }) {
  if (headline.kind === "stale" || headline.kind === "none") return null;
  const before = shown.state?.quarterBeforeMgdl ?? null;
  return (
    <p class="foot">
      <b class="zone">{headline.words}</b>
      <span data-testid="age">{agoText(headline.ageMs)}</span>
      {before !== null && headline.kind === "fresh" && <span>{differenceText(headline.mgdl - before, unit)} in 15 min</span>}
    </p>
  );
}
