import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import { type PageState, type PageTold, STALE_MS } from "../../../src/web/page-data.ts";
import type { Shown } from "../store.ts";
import { agoText, DAY, HOUR, type PumpTimes, spanText } from "../times.ts";
import { amountText, CAUSE_WORDS, capital } from "../words.ts";

interface FactProps {
  readonly label: string;
  readonly told?: PageTold<unknown> | null;
  readonly nowMs: number;
  /** It changes by itself, whatever the pump pushes. */
  readonly passes?: boolean;
  readonly kind?: string | undefined;
  /** 0 to 1. */
  readonly level?: number | undefined;
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** Whether the pump is there and talks: what it does not push as changed is as it was when it was read. */
const Heard = createContext(false);

/** One thing of the pump, with its age where that matters. */
function Fact({ label, told, nowMs, passes = false, kind = "", level, note, children }: FactProps) {
  const isHeard = useContext(Heard);
  const ageMs = told ? nowMs - told.atMs : 0;
  const isOld = ageMs > STALE_MS && (passes || !isHeard);
  return (
    <div class={`fact ${kind} ${isOld ? "old" : ""}`}>
      <dt>{label}</dt>
      <dd>
        <b>{children}</b>
        {level !== undefined && (
          <span class="level" aria-hidden="true">
            <i style={{ width: `${Math.round(100 * Math.max(0, Math.min(1, level)))}%` }} />
          </span>
        )}
        {(isOld || note) && <small>{isOld ? `as of ${agoText(ageMs)}` : note}</small>}
      </dd>
    </div>
  );
}

const RESERVOIR_IU = 300;
const LOW_RESERVOIR_IU = 20;
const LOW_BATTERY_PERCENT = 25;

export function Facts({ shown, nowMs, times }: { shown: Shown; nowMs: number; times: PumpTimes }) {
  const { state } = shown;
  if (!state) return null;
  const { insulinOnBoardIu, status, timeInRange } = state;
  const isHeard = state.link.kind === "ready" && state.heardAtMs !== null && nowMs - state.heardAtMs < STALE_MS;
  const reservoirIu = status?.value?.reservoirIu ?? null;
  const { meal } = state.recent;
  return (
    <section class="card facts" aria-label="Pump">
      <Heard.Provider value={isHeard}>
        <dl>
          <Fact label="Insulin on board" told={insulinOnBoardIu} nowMs={nowMs} kind="insulin" passes>
            {insulinOnBoardIu?.value == null ? "–" : amountText(insulinOnBoardIu.value)}
          </Fact>
          <Delivery state={state} nowMs={nowMs} times={times} />
          <Bolus state={state} nowMs={nowMs} times={times} />
          <Fact label="Last carbs" nowMs={nowMs} kind="carbs" note={meal && whenText(meal[0], nowMs, times)}>
            {meal ? `${meal[1]} g` : "–"}
          </Fact>
          <Sensor state={state} nowMs={nowMs} times={times} />
          <Fact
            label="Reservoir"
            told={status}
            nowMs={nowMs}
            kind={reservoirIu !== null && reservoirIu < LOW_RESERVOIR_IU ? "warn" : ""}
            level={reservoirIu === null ? undefined : reservoirIu / RESERVOIR_IU}
          >
            {reservoirIu === null ? "–" : `${Math.floor(reservoirIu)} U`}
          </Fact>
          <Batteries state={state} nowMs={nowMs} />
          {timeInRange?.value && (
            <Fact
              label="In range, 24 h"
              told={timeInRange}
              nowMs={nowMs}
              note={`${timeInRange.value.belowPercent} % low, ${timeInRange.value.abovePercent} % high`}
            >
              {timeInRange.value.inRangePercent} %
            </Fact>
          )}
        </dl>
      </Heard.Provider>
    </section>
  );
}

/** The age alone where both would not fit. */
function whenText(atMs: number, nowMs: number, times: PumpTimes): string {
  const ago = agoText(nowMs - atMs);
  return nowMs - atMs < HOUR ? `${ago}, ${times.clock(atMs)}` : ago;
}

interface Parts {
  readonly state: PageState;
  readonly nowMs: number;
  readonly times: PumpTimes;
}

/** What delivers insulin at present: the closed loop, a rate, or nothing. */
function Delivery({ state, nowMs, times }: Parts) {
  const { status, therapy, basal } = state;
  const { stoppedAtMs, microBolus: micro } = state.recent;
  const isStopped = status?.value?.therapy === "stop" || status?.value?.therapy === "pause";
  const shield = therapy?.value?.shield;
  if (isStopped)
    return (
      <Fact
        label="Delivery"
        told={status}
        nowMs={nowMs}
        kind="bad"
        note={stoppedAtMs !== null ? `since ${times.clockAndDay(stoppedAtMs, nowMs)}` : operationText(status?.value?.operational)}
      >
        Stopped
      </Fact>
    );
  if (therapy?.value?.suspended)
    return (
      <Fact label="Delivery" told={therapy} nowMs={nowMs} kind="bad" note="because of low glucose">
        Suspended
      </Fact>
    );
  if (shield === "auto_basal_mode" || shield === "safe_basal_mode")
    return (
      <Fact
        label="Delivery"
        told={therapy}
        nowMs={nowMs}
        kind="loop"
        note={
          therapy?.value?.temporaryTargetMin != null
            ? `temporary target, ${spanText(therapy.value.temporaryTargetMin * 60_000)}`
            : micro
              ? `${amountText(micro[1])}, ${agoText(nowMs - micro[0])}`
              : "automatic basal"
        }
      >
        SmartGuard{shield === "safe_basal_mode" ? ", safe" : ""}
      </Fact>
    );
  const rate = basal?.value?.rate ?? null;
  return (
    <Fact
      label="Basal"
      told={basal}
      nowMs={nowMs}
      kind="insulin"
      note={
        basal?.value?.temporaryMin ? `temporary, ${basal.value.temporaryMin} min left` : shield === "open_loop" ? "manual mode" : undefined
      }
    >
      {rate === null ? "–" : `${amountText(rate)}/h`}
    </Fact>
  );
}

function operationText(operational: string | undefined): string | undefined {
  return operational === "waiting" || operational === "priming" ? "set change" : operational === "ready" ? "by the user" : operational;
}

function Bolus({ state, nowMs, times }: Parts) {
  const underWay = state.boluses?.value?.at(0);
  if (underWay && nowMs - state.boluses!.atMs < STALE_MS)
    return (
      <Fact
        label="Bolus under way"
        told={state.boluses}
        nowMs={nowMs}
        kind="insulin"
        level={underWay.programmedIu && underWay.deliveredIu !== null ? underWay.deliveredIu / underWay.programmedIu : undefined}
        note={underWay.programmedIu === null ? undefined : `of ${amountText(underWay.programmedIu)}`}
      >
        {underWay.deliveredIu === null ? "…" : amountText(underWay.deliveredIu)}
      </Fact>
    );
  const last = state.recent.bolus;
  return (
    <Fact
      label="Last bolus"
      nowMs={nowMs}
      kind="insulin"
      note={
        last &&
        (last.automatic || last.cutShort
          ? `${agoText(nowMs - last.atMs)}, ${last.automatic ? "auto" : "cut short"}`
          : whenText(last.atMs, nowMs, times))
      }
    >
      {last ? amountText(last.iu) : "–"}
    </Fact>
  );
}

function Batteries({ state, nowMs }: Omit<Parts, "times">) {
  const { batteryPercent, transmitterBatteryPercent } = state;
  const [pump, transmitter] = [batteryPercent?.value ?? null, transmitterBatteryPercent?.value ?? null];
  return (
    <Fact
      label="Battery"
      told={batteryPercent}
      nowMs={nowMs}
      kind={Math.min(pump ?? 100, transmitter ?? 100) < LOW_BATTERY_PERCENT ? "warn" : ""}
      note={transmitter === null ? undefined : `transmitter ${transmitter} %`}
    >
      {pump === null ? "–" : `${pump} %`}
    </Fact>
  );
}

function Sensor({ state, nowMs, times }: Parts) {
  const { glucose, sensor, status } = state;
  const endsAtMs = sensor?.value?.endsAtMs ?? null;
  const left = endsAtMs === null ? undefined : endsAtMs - nowMs;
  const cause =
    glucose?.kind === "no-value" && glucose.cause !== "below_range" && glucose.cause !== "above_range" ? glucose.cause : undefined;
  const note =
    left === undefined
      ? undefined
      : left > 0
        ? `ends ${left > DAY ? times.day(endsAtMs!) : times.clockAndDay(endsAtMs!, nowMs)}`
        : `ended ${spanText(-left)} ago`;
  if (glucose?.kind === "no-sensor")
    return (
      <Fact label="Sensor" told={status} nowMs={nowMs} kind="warn">
        None
      </Fact>
    );
  if (cause && cause !== "unknown")
    return (
      <Fact label="Sensor" told={status} nowMs={nowMs} kind="warn" note={note}>
        {capital(CAUSE_WORDS[cause].replace(/^sensor /, ""))}
      </Fact>
    );
  return (
    <Fact label="Sensor" told={sensor} nowMs={nowMs} kind={left !== undefined && left < 12 * HOUR ? "warn" : ""} note={note}>
      {left === undefined ? "–" : left <= 0 ? "Ended" : spanText(left)}
    </Fact>
  );
}
