import type { GlucoseReading, LatestGlucose, NoGlucoseValue } from "../connector/reading.ts";
import { STALE_AFTER_MS } from "../connector/reading.ts";
import { ANNUNCIATIONS } from "../history/annunciation.ts";
import type { IddStatus } from "../idd/status.ts";
import type { ActiveBasalRate } from "../idd/status-reader.ts";
import type { PumpState, PumpValueName, PumpValues, Told } from "../live/state.ts";
import { causeOf, causeOfMessage } from "../store/causes.ts";
import type { EntityId, GlucoseDirection, GlucoseState, SmartGuardState } from "./entities.ts";

/** The pump was heard of within it, or what it said of the moment holds no longer. */
export const IN_REACH_MS = 15 * 60_000;
/** The pump's clock is a little off; more than that, and its times are not ours. */
const AHEAD_MS = 5 * 60_000;
const LARGEST_RATE = 40;
const LARGEST_INSTANT_MS = 8.64e15;

export type EntityValue = number | string | null;
export type EntityValues = Record<EntityId, EntityValue>;

/** What the history tells; times are UTC. */
export interface LastEvents {
  readonly bolus?: { readonly atMs: number; readonly amountIu: number } | undefined;
  readonly alert?: { readonly atMs: number; readonly text: string; readonly instanceId: number } | undefined;
}

export interface ValuesAtMoment {
  readonly values: EntityValues;
  /** When, on the clock of the states, one of them is no longer right though nothing came. */
  readonly validUntilMs: number;
  readonly isInReach: boolean;
}

/** When samples and alerts of unknown time were seen for the first time: read again, they do not become younger. */
export class FirstSeen {
  #sample: { readonly key: string; readonly atMs: number } | undefined;
  #alert: { readonly instanceId: number; readonly atMs: number } | undefined;

  /** When the sensor took it, on the clock of the states. */
  sampleMs(reading: GlucoseReading | NoGlucoseValue, nowMs: number): number {
    const { takenAtMs, receivedAtMs, timeOffsetMin } = reading;
    if (takenAtMs !== undefined && takenAtMs <= nowMs + AHEAD_MS) return takenAtMs;
    const key = `${reading.kind} ${timeOffsetMin}`;
    if (this.#sample?.key !== key) this.#sample = { key, atMs: receivedAtMs };
    return this.#sample.atMs;
  }

  alertMs(instanceId: number, toldMs: number): number {
    if (this.#alert?.instanceId !== instanceId) this.#alert = { instanceId, atMs: toldMs };
    return this.#alert.atMs;
  }
}

/**
 * The value of every entity at a moment: null where it is unknown. A glucose that is older than ten minutes is no value of now, and never given as one.
 *
 * @param nowMs on the clock of the states
 */
export function valuesOf(state: PumpState | undefined, events: LastEvents, nowMs: number, seen: FirstSeen): ValuesAtMoment {
  const told = state?.values ?? {};
  const epochMs = state?.epochMs ?? 0;
  const instant = (atMs: number | undefined, unitMs = 1000): string | null =>
    atMs === undefined ? null : isoInstant(unitMs * Math.round((atMs + epochMs) / unitMs));
  const heardAtMs = state?.heardAtMs;
  const inReachUntilMs = heardAtMs === undefined ? undefined : heardAtMs + IN_REACH_MS;
  const isInReach = inReachUntilMs !== undefined && nowMs <= inReachUntilMs;
  // What a connection tells holds until it tells otherwise; what an earlier one told only for as long as it is young.
  const readySinceMs = state?.link.kind === "ready" ? state.link.sinceMs : Number.POSITIVE_INFINITY;
  let validUntilMs = isInReach ? inReachUntilMs : Number.POSITIVE_INFINITY;
  const live = <Name extends PumpValueName>(name: Name): PumpValues[Name] | undefined => {
    const entry = told[name] as Told<PumpValues[Name]> | undefined;
    if (!entry || !isInReach) return undefined;
    if (entry.atMs >= readySinceMs) return entry.value;
    if (entry.atMs + IN_REACH_MS < nowMs) return undefined;
    validUntilMs = Math.min(validUntilMs, entry.atMs + IN_REACH_MS);
    return entry.value;
  };

  const status = live("status");
  const latest = told.glucose ? (told.glucose.value ?? { kind: "no-sensor" as const, receivedAtMs: told.glucose.atMs }) : undefined;
  const takenMs = latest === undefined || latest.kind === "no-sensor" ? undefined : seen.sampleMs(latest, nowMs);
  const freshUntilMs = takenMs === undefined ? undefined : takenMs + STALE_AFTER_MS;
  const isFresh = freshUntilMs !== undefined && nowMs <= freshUntilMs;
  if (isFresh) validUntilMs = Math.min(validUntilMs, freshUntilMs);
  const reading = isFresh && latest?.kind === "reading" ? latest : undefined;
  const sensor = told.sensorSession;
  const remainingMs = sensor?.value?.remainingMs;
  const alert = lastAlert(told.annunciation, events, epochMs, seen);

  return {
    isInReach,
    validUntilMs,
    values: {
      glucose: reading ? rounded(reading.mgdl, 0) : null,
      glucose_mmol: reading ? rounded(reading.mmolPerLitre, 1) : null,
      glucose_time: latest?.kind === "reading" ? instant(takenMs) : null,
      glucose_trend: rounded(reading?.trendMgdlPerMin, 2),
      glucose_direction: reading ? directionOf(reading.trendMgdlPerMin) : null,
      glucose_state: isInReach ? glucoseState(latest, isFresh, status) : null,
      iob: rounded(live("insulinOnBoard")?.insulinOnBoardIu, 3),
      basal_rate: rounded(presentRate(live("basalRate")), 3),
      suspended: onOff(isSuspended(status)),
      smartguard: smartGuard(live("therapy")?.shield),
      reservoir: rounded(told.status?.value?.reservoirRemainingIu, 1),
      pump_battery: percent(told.battery?.value),
      transmitter_battery: percent(told.transmitterBattery?.value),
      sensor_ends: sensor && remainingMs !== undefined ? instant(sensor.atMs + remainingMs, 60_000) : null,
      last_bolus: rounded(events.bolus?.amountIu, 3),
      last_bolus_time: events.bolus ? isoInstant(events.bolus.atMs) : null,
      last_alert: alert?.text ?? null,
      last_alert_time: alert ? isoInstant(alert.atMs) : null,
      connected: onOff(state?.link.kind === "ready"),
      last_contact: instant(heardAtMs),
    },
  };
}

/** By the rate of change in mg/dL a minute, as Nightscout's uploaders name it. */
export function directionOf(rate: number | undefined): GlucoseDirection {
  if (rate === undefined || !Number.isFinite(rate)) return "not_computable";
  if (Math.abs(rate) > LARGEST_RATE) return "rate_out_of_range";
  if (rate > 3.5) return "double_up";
  if (rate > 2) return "single_up";
  if (rate > 1) return "forty_five_up";
  if (rate > -1) return "flat";
  if (rate > -2) return "forty_five_down";
  return rate > -3.5 ? "single_down" : "double_down";
}

function glucoseState(latest: LatestGlucose | undefined, isFresh: boolean, status: IddStatus | undefined): GlucoseState {
  if (latest?.kind === "reading" && isFresh) return "ok";
  if (latest?.kind === "no-value" && isFresh) return causeOf(latest, status?.sensorMessage);
  const cause = causeOfMessage(status?.sensorMessage);
  if (latest?.kind === "no-sensor") return cause ?? "no_sensor";
  // A value that is old while the pump is in reach: the sensor's is what does not come.
  return cause ?? (latest ? "signal_lost" : "unknown");
}

function isSuspended(status: IddStatus | undefined): boolean | undefined {
  switch (status?.therapyControlState) {
    case "run":
      return false;
    case "stop":
    case "pause":
      return true;
    default:
      return undefined;
  }
}

/** IU/h at present; undefined where the kind of a temporary rate is not known. */
function presentRate(basal: ActiveBasalRate | undefined): number | undefined {
  const temporary = basal?.temporaryBasal;
  if (!temporary) return basal?.configuredRate;
  if (temporary.type === "absolute") return temporary.adjustment;
  if (temporary.type !== "relative" || temporary.adjustment === undefined || basal.configuredRate === undefined) return undefined;
  return basal.configuredRate * temporary.adjustment;
}

const SHIELDS: Readonly<Record<string, SmartGuardState>> = { open_loop: "manual", auto_basal_mode: "auto", safe_basal_mode: "safe_basal" };

function smartGuard(shield: string | number | undefined): SmartGuardState | null {
  return (shield === undefined ? undefined : SHIELDS[shield]) ?? null;
}

/** What the pump shows at present, or else what the history has as the newest. */
function lastAlert(
  told: Told<PumpValues["annunciation"]> | undefined,
  { alert }: LastEvents,
  epochMs: number,
  seen: FirstSeen,
): { readonly text: string; readonly atMs: number } | undefined {
  const shown = told?.value;
  if (!told || !shown || shown.instanceId === alert?.instanceId) return alert;
  const atMs = 1000 * Math.round((seen.alertMs(shown.instanceId, told.atMs) + epochMs) / 1000);
  return alert && alert.atMs > atMs ? alert : { text: alertText(shown.code, undefined), atMs };
}

/** "low reservoir alert (105)"; a code without a name is "alert 999". */
export function alertText(code: number | undefined, name: string | undefined): string {
  const known = name ?? (code === undefined ? undefined : ANNUNCIATIONS[code]?.name);
  if (known === undefined) return code === undefined ? "alert of another kind" : `alert ${code}`;
  return code === undefined ? known.replaceAll("_", " ") : `${known.replaceAll("_", " ")} (${code})`;
}

function rounded(value: number | undefined, decimals: number): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Math.round(value * 10 ** decimals) / 10 ** decimals + 0; // never −0
}

function percent(value: number | undefined): number | null {
  return value !== undefined && value >= 0 && value <= 100 ? rounded(value, 0) : null;
}

function onOff(value: boolean | undefined): string | null {
  return value === undefined ? null : value ? "ON" : "OFF";
}

/** With its zone, as Home Assistant demands. */
function isoInstant(utcMs: number): string | null {
  return Math.abs(utcMs) <= LARGEST_INSTANT_MS ? new Date(utcMs).toISOString() : null;
}
