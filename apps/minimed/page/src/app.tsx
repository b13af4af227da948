import { useEffect, useMemo } from "preact/hooks";
import { Current, headlineOf } from "./parts/current.tsx";
import { Curve, spokenPoint } from "./parts/curve.tsx";
import { Facts } from "./parts/facts.tsx";
import { Header } from "./parts/header.tsx";
import { Help } from "./parts/help.tsx";
import { Legend } from "./parts/legend.tsx";
import { Notices } from "./parts/notices.tsx";
import { Ranges } from "./parts/ranges.tsx";
import { Readings } from "./parts/readings.tsx";
import { Weeks } from "./parts/weeks.tsx";
import type { Program } from "./program.ts";
import { type Actions, shownPoints } from "./shortcuts.ts";
import { type Store, useStore } from "./store.ts";
import { showInTab } from "./tab.ts";
import { PumpTimes } from "./times.ts";

/** The curve moves on by steps of that many milliseconds: a pixel, or less. */
const STEP_MS = 15_000;

export function App({ store, program, actions }: { store: Store; program: Program; actions: Actions }) {
  const shown = useStore(store);
  const { state, view, theme, contact } = shown;
  const nowMs = program.now();
  const steppedMs = Math.ceil(nowMs / STEP_MS) * STEP_MS;
  const times = useMemo(
    () => new PumpTimes(view?.offsets ?? [], state?.pumpOffsetMs ?? null, state?.clock24h ?? true),
    [view, state?.pumpOffsetMs, state?.clock24h],
  );
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const headline = headlineOf(shown, nowMs, times);
  useEffect(() => showInTab(headline, shown));
  if (contact.kind === "refused") return <Refused />;
  const under = shownPoints(shown, nowMs).find(([atMs]) => atMs === shown.cursorMs);
  return (
    <>
      <Header shown={shown} actions={actions} nowMs={nowMs} />
      <Notices shown={shown} nowMs={nowMs} times={times} />
      <main class={contact.kind === "lost" ? "cut-off" : ""}>
        <Current shown={shown} nowMs={nowMs} times={times} />
        <section class="card history" aria-label="Glucose curve">
          <Ranges shown={shown} actions={actions} nowMs={nowMs} times={times} />
          {shown.range.isWeeks ? (
            <Weeks shown={shown} actions={actions} />
          ) : (
            <>
              <Curve shown={shown} actions={actions} nowMs={steppedMs} times={times} />
              <Legend shown={shown} />
              <Readings shown={shown} actions={actions} nowMs={nowMs} times={times} />
            </>
          )}
          <p class="unseen" aria-live="polite" data-testid="spoken">
            {under ? spokenPoint(under, shown, times, nowMs) : ""}
          </p>
        </section>
        <Facts shown={shown} nowMs={nowMs} times={times} />
      </main>
      <footer>
        <span>
          <b>For information only, not for therapy decisions.</b> <span class="wide">This is no medical device.</span> Look at the pump.
        </span>
        {state && (
          <span class="clock">
            {times.isKnown ? "pump time" : "this computer’s time"} {times.clock(nowMs)}
          </span>
        )}
      </footer>
      {shown.showsHelp && <Help actions={actions} />}
    </>
  );
}

function Refused() {
  return (
    <main class="refused">
      <h1>This page is locked</h1>
      <p>
        Open the whole address that the program printed when it started: it ends with a token behind “#”. Each start of the program draws
        another one, unless it was given one.
      </p>
    </main>
  );
}
