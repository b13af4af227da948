import type { PumpState, PumpValueName, PumpValues, Told } from "../../live/state.ts";
import { isoUtc } from "../rows.ts";
import { plainText, rounded } from "./items.ts";
import { DEVICE } from "./options.ts";

/** Values older than this are of another time. */
const FRESH_MS = 15 * 60_000;

/** What is told of a pump at a moment; the site keeps every one of them. */
export interface NightscoutDeviceStatus {
  readonly device: string;
  readonly created_at: string;
  readonly pump: {
    readonly clock: string;
    readonly manufacturer: string;
    readonly model?: string;
    readonly reservoir?: number;
    readonly battery?: { readonly percent: number };
    readonly iob?: { readonly timestamp: string; readonly iob: number; readonly bolusiob: number };
    readonly status?: { readonly status: string; readonly suspended: boolean; readonly bolusing: boolean; readonly timestamp: string };
    readonly extended?: Readonly<Record<string, string | number>>;
  };
}

export interface DeviceStatusTimes {
  /** Now, UTC. */
  readonly nowMs: number;
  /** Now, as the site has it, where that is known: it ignores what comes from its future. */
  readonly siteMs?: number | undefined;
}

/**
 * The status of a pump: of its values those that were read in the quarter of an hour before the newest. undefined where nothing was read in the
 * last quarter of an hour.
 */
export function nightscoutDeviceStatus(state: PumpState, times: DeviceStatusTimes): NightscoutDeviceStatus | undefined {
  const { nowMs, siteMs = nowMs } = times;
  // The site's own clock may be behind: never in its future.
  const utcOf = (atMs: number): number => Math.floor(Math.min(atMs + state.epochMs, siteMs, nowMs));
  const newestMs = newestValueMs(state);
  if (newestMs === undefined || nowMs - newestMs - state.epochMs > FRESH_MS) return undefined;
  const told = <Name extends PumpValueName>(name: Name): Told<PumpValues[Name]> | undefined => {
    const value = state.values[name];
    return value && newestMs - value.atMs <= FRESH_MS ? value : undefined;
  };
  const status = told("status");
  const iob = told("insulinOnBoard");
  const iobIu = numberOf(iob?.value?.insulinOnBoardIu);
  const reservoir = numberOf(status?.value?.reservoirRemainingIu);
  const percent = numberOf(told("battery")?.value);
  const model = modelOf(state);
  const at = isoUtc(utcOf(newestMs));
  const extended = extendedOf(told);
  return {
    device: DEVICE,
    created_at: at,
    pump: {
      clock: at,
      manufacturer: "Medtronic",
      ...(model !== undefined && { model }),
      ...(reservoir !== undefined && reservoir >= 0 && { reservoir: rounded(reservoir) }),
      ...(percent !== undefined && { battery: { percent } }),
      ...(iob && iobIu !== undefined && { iob: { timestamp: isoUtc(utcOf(iob.atMs)), iob: rounded(iobIu), bolusiob: rounded(iobIu) } }),
      ...(status?.value && {
        status: {
          ...therapyOf(status.value.therapyControlState),
          bolusing: (told("boluses")?.value?.length ?? 0) > 0,
          timestamp: isoUtc(utcOf(status.atMs)),
        },
      }),
      ...(Object.keys(extended).length > 0 && { extended }),
    },
  };
}

/** When anything of it was read last that a status tells, on the state's clock. */
export function newestValueMs({ values }: PumpState): number | undefined {
  const times = (["status", "insulinOnBoard", "battery"] as const).flatMap((name) => values[name]?.atMs ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

function therapyOf(state: PumpValues["status"]["therapyControlState"]): { status: string; suspended: boolean } {
  if (state === "run") return { status: "normal", suspended: false };
  if (state === "stop" || state === "pause") return { status: "suspended", suspended: true };
  return { status: typeof state === "string" ? state : `state ${state}`, suspended: false };
}

/** Not with the serial number in it, however a pump may write its model. */
function modelOf({ values }: PumpState): string | undefined {
  const information = values.information?.value;
  const model = information?.model ?? "";
  const serial = information?.serial ?? "";
  return model === "" || (serial !== "" && model.includes(serial)) || /\d{6}/.test(model) ? undefined : plainText(model);
}

/** Lines of the site's tooltip for the pump. */
function extendedOf(told: <Name extends PumpValueName>(name: Name) => Told<PumpValues[Name]> | undefined): Record<string, string | number> {
  const extended: Record<string, string | number> = {};
  const shield = told("therapy")?.value?.shield;
  if (shield !== undefined) extended.SmartGuard = wordOf(shield);
  const message = told("status")?.value?.sensorMessage;
  if (message !== undefined && message !== "no_message") extended.Sensor = wordOf(message);
  const transmitter = numberOf(told("transmitterBattery")?.value);
  if (transmitter !== undefined) extended["Transmitter battery"] = `${transmitter} %`;
  const share = told("timeInRange")?.value;
  if (share && !share.notEnoughData) extended["In range, 24 h"] = `${share.inRangePercent} %`;
  return extended;
}

const wordOf = (word: string | number): string => (typeof word === "string" ? plainText(word) : `state ${word}`);

function numberOf(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
