import type { ComponentChildren } from "preact";
import type { Shown } from "../store.ts";
import { computerOffsetMs, DAY, MIN, type PumpTimes, spanText } from "../times.ts";
import { alarmKind, alarmText } from "../words.ts";
import { Icon } from "./icons.tsx";

const CLOCK_DIFFERENCE_MS = 2 * MIN;

/** What a user has to know before anything else: an alarm, a lost program, what to do, a clock that differs. */
export function Notices({ shown, nowMs, times }: { shown: Shown; nowMs: number; times: PumpTimes }) {
  const { contact, state, viewProblem } = shown;
  const alarm = state?.alarm?.value;
  const isStanding = alarm && alarm.state !== "confirmed";
  const difference = clockDifference(state?.pumpOffsetMs ?? null, nowMs);
  return (
    <div class="notices">
      {contact.kind === "lost" && (
        <Notice kind="bad" icon="warning" isAlert>
          <b>This page has lost the program</b> {spanText(nowMs - contact.sinceMs)} ago. Nothing here is new. It tries again by itself.
        </Notice>
      )}
      {isStanding && (
        <Notice kind={alarmKind(alarm.code) === "low" ? "bad" : "alarm"} icon="bell" isAlert>
          <b>{alarmText(alarm.code)}</b>
          {alarm.state === "snoozed" ? ", snoozed on the pump" : ". Look at the pump."}
        </Notice>
      )}
      {state?.hint && (
        <Notice kind="hint" icon="link">
          {state.hint}
        </Notice>
      )}
      {state?.link.kind === "ended" && state.link.reason && (
        <Notice kind="bad" icon="link">
          <b>The connection has ended:</b> {state.link.reason}
        </Notice>
      )}
      {viewProblem && (
        <Notice kind="hint" icon="warning">
          {viewProblem}
        </Notice>
      )}
      {difference && (
        <Notice kind="quiet" icon="warning">
          The pump’s clock shows <b>{times.clock(nowMs)}</b>, {difference} this computer’s. Times on this page are the pump’s.
        </Notice>
      )}
    </div>
  );
}

function Notice({
  kind,
  icon,
  isAlert,
  children,
}: {
  kind: string;
  icon: "bell" | "warning" | "link";
  isAlert?: boolean;
  children: ComponentChildren;
}) {
  return (
    <p class={`notice ${kind}`} role={isAlert ? "alert" : undefined}>
      <Icon name={icon} />
      <span>{children}</span>
    </p>
  );
}

/** "1 h ahead of", where the pump's display and this computer's differ by more than people do not notice. */
export function clockDifference(pumpOffsetMs: number | null, nowMs: number): string | undefined {
  if (pumpOffsetMs === null) return undefined;
  // A simulation has a time of its own: then only how the clocks are set is compared, not what they show.
  const isSimulated = Math.abs(nowMs - Date.now()) > DAY;
  const shownMs = pumpOffsetMs - computerOffsetMs(nowMs) + (isSimulated ? 0 : nowMs - Date.now());
  if (Math.abs(shownMs) < CLOCK_DIFFERENCE_MS) return undefined;
  return `${spanText(Math.abs(shownMs))} ${shownMs > 0 ? "ahead of" : "behind"}`;
}
