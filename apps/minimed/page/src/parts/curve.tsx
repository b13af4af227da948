import { useMemo, useRef } from "preact/hooks";
import type { PagePoint } from "../../../src/web/page-data.ts";
import type { CurveParts } from "../chart/curve-parts.ts";
import { CurvePlot } from "../chart/curve-plot.ts";
import { endOf } from "../chart/stretches.ts";
import { type Actions, shownPoints, spanOf } from "../shortcuts.ts";
import { type Shown, unitOf } from "../store.ts";
import { MIN, type PumpTimes } from "../times.ts";
import { alarmText, amountText, CAUSE_WORDS, glucoseText, limitsAt, type Unit, zoneText } from "../words.ts";
import { PlotHost } from "./plot-host.tsx";

const NEAR_MS = 5 * MIN;
/** How far a pointer may be from a reading. */
const REACH_MS = 30 * MIN;

export function Curve({ shown, nowMs, times, actions }: { shown: Shown; nowMs: number; times: PumpTimes; actions: Actions }) {
  const plot = useRef<CurvePlot | null>(null);
  const { view, state } = shown;
  const unit = unitOf(shown);
  const { fromMs, toMs } = spanOf(shown, nowMs);
  const isLive = shown.endMs === undefined;
  const limits = state?.limits;
  const parts = useMemo<CurveParts | undefined>(
    () => view && { view, limits, times, unit, fromMs, toMs, nowMs, isLive },
    [view, limits, times, unit, fromMs, toMs, isLive],
  );
  if (!parts) return <div class="plot empty">{shown.viewProblem ?? "…"}</div>;
  const points = shownPoints(shown, nowMs);
  const under = points.find(([atMs]) => atMs === shown.cursorMs);
  const point = (event: PointerEvent): void => {
    const rect = plot.current!.plot.over.getBoundingClientRect();
    const atMs = plot.current!.plot.posToVal(event.clientX - rect.left, "x");
    const near = points.reduce<PagePoint | undefined>(
      (best, each) => (best && Math.abs(best[0] - atMs) <= Math.abs(each[0] - atMs) ? best : each),
      undefined,
    );
    actions.setCursor(near && Math.abs(near[0] - atMs) < REACH_MS ? near[0] : undefined);
  };
  return (
    <div
      class="curve"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move through the readings here
      tabIndex={0}
      role="application"
      aria-roledescription="glucose curve"
      aria-label={`Glucose over ${shown.range.text}, ${points.length} readings. The left and right arrow keys go through them.`}
      data-readings={points.length}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={(event) => event.pointerType === "mouse" && actions.setCursor(undefined)}
    >
      <PlotHost make={(target, made: CurveParts) => new CurvePlot(target, made)} parts={parts} theme={shown.theme} plot={plot} />
      {under && plot.current && <Cursor plot={plot.current} point={under} parts={parts} />}
    </div>
  );
}

/** A line, a ring and what is known of that moment. */
function Cursor({ plot, point, parts }: { plot: CurvePlot; point: PagePoint; parts: CurveParts }) {
  const [atMs, mgdl, cause] = point;
  const place = plot.placeOf(atMs, mgdl ?? endOf(cause));
  const over = plot.plot.over;
  const [left, top] = [over.offsetLeft, over.offsetTop];
  const x = left + place.x;
  const isRight = place.x > place.width / 2;
  return (
    <>
      <i class="cursor-line" style={{ left: `${x}px`, top: `${top}px`, height: `${over.clientHeight}px` }} />
      <i class="cursor-ring" style={{ left: `${x}px`, top: `${top + place.y}px` }} />
      <div
        class="tip"
        style={isRight ? { right: `calc(100% - ${x - 12}px)`, top: `${top + 8}px` } : { left: `${x + 12}px`, top: `${top + 8}px` }}
      >
        <p>
          <b>{pointText(point, parts.unit)}</b> <span>{parts.times.clockAndDay(atMs, parts.nowMs)}</span>
        </p>
        {eventsNear(atMs, parts).map((text) => (
          <p key={text}>{text}</p>
        ))}
      </div>
    </>
  );
}

function pointText([, mgdl, cause]: PagePoint, unit: Unit): string {
  return mgdl === null ? CAUSE_WORDS[cause ?? "unknown"] : `${glucoseText(mgdl, unit)} ${unit}`;
}

/** What happened within five minutes of a reading, in words. */
export function eventsNear(atMs: number, { view }: Pick<CurveParts, "view">): string[] {
  const isNear = (ms: number): boolean => ms > atMs - NEAR_MS / 2 && ms <= atMs + NEAR_MS / 2;
  const onBoard = view.insulinOnBoard.findLast(([ms]) => ms <= atMs && atMs - ms < 3 * NEAR_MS);
  return [
    ...view.meals.filter(([ms]) => isNear(ms)).map(([, g]) => `${g} g carbs`),
    ...view.boluses
      .filter((bolus) => isNear(bolus.atMs))
      .map(({ iu, automatic, isUnderWay }) => `${amountText(iu)} bolus${automatic ? ", automatic" : ""}${isUnderWay ? ", under way" : ""}`),
    ...view.microBoluses.filter(([ms]) => isNear(ms)).map(([, iu]) => `${amountText(iu)} micro bolus`),
    ...(onBoard ? [`${amountText(onBoard[1])} on board`] : []),
    ...view.alerts.filter((alert) => isNear(alert.atMs)).map(({ code, name }) => alarmText(code, name)),
    ...view.suspensions
      .filter((stop) => stop.atMs <= atMs && (stop.endedAtMs ?? Number.POSITIVE_INFINITY) > atMs)
      .map(() => "delivery stopped"),
  ];
}

/** The reading under the cursor, for who listens. */
export function spokenPoint(point: PagePoint, shown: Shown, times: PumpTimes, nowMs: number): string {
  const [atMs, mgdl] = point;
  const unit = unitOf(shown);
  const zone = mgdl === null ? "" : `, ${zoneText(mgdl, limitsAt(shown.state?.limits, times.minuteOfDay(atMs)))}`;
  const events = shown.view ? eventsNear(atMs, { view: shown.view }) : [];
  return [`${times.clockAndDay(atMs, nowMs)}: ${pointText(point, unit)}${zone}`, ...events].join(", ");
}
