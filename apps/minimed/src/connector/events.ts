import { formatLocal, type LocalDateTime } from "../data/date-time.ts";
import type { AdvertisingForm } from "./advertising.ts";
import { formatGlucose, type LatestGlucose } from "./reading.ts";

export type PumpMode = "pair" | "reconnect" | "carelink";

/** What a connector reports, in order. Names, serial numbers and addresses of people's devices are redacted in it. */
export type PumpEvent = { readonly timeMs: number } & (
  | {
      readonly type: "advertising";
      readonly mode: PumpMode;
      readonly name: string;
      readonly form: AdvertisingForm;
      readonly intervalMs: readonly [number, number];
      readonly address: "public" | "random" | "resolvable" | "identity";
      readonly bonded: boolean;
    }
  | { readonly type: "connected"; readonly peer: string; readonly intervalMs: number; readonly latency: number; readonly timeoutMs: number }
  | { readonly type: "pairing" }
  | {
      readonly type: "paired";
      readonly method: string;
      readonly authenticated: boolean;
      readonly keySize: number;
      readonly localKeys: readonly string[];
      readonly peerKeys: readonly string[];
      readonly refused: readonly string[];
    }
  | { readonly type: "encrypted"; readonly bonded: boolean }
  | { readonly type: "discovery"; readonly reads: string }
  | { readonly type: "sake"; readonly stage: number }
  | { readonly type: "authenticated" }
  | { readonly type: "services"; readonly count: number }
  | {
      readonly type: "information";
      readonly model: string | undefined;
      readonly firmware: string | undefined;
      readonly serial: string | undefined;
      readonly batteryPercent: number | undefined;
    }
  | {
      readonly type: "sensor";
      readonly start: LocalDateTime | undefined;
      readonly runTimeHours: number | undefined;
      readonly remainingMs: number | undefined;
    }
  | { readonly type: "reading"; readonly latest: LatestGlucose }
  | { readonly type: "disconnected"; readonly reason: number; readonly message: string }
  | { readonly type: "warning"; readonly message: string; readonly hint?: string | undefined }
);

/** One event without its time. */
export type PumpEventDetail = PumpEvent extends infer E ? (E extends PumpEvent ? Omit<E, "timeMs"> : never) : never;

const SAKE_STAGES: Readonly<Record<number, string>> = {
  0: "wake-up sent",
  1: "pump is awake, message 0 sent",
  3: "message 1 in, message 2 sent",
  5: "message 3 in, permit sent",
  6: "the pump's permit is valid",
};

/** Service the pump looks for in a mode. */
const SERVICES: Readonly<Record<PumpMode, string>> = { pair: "FE82", reconnect: "FE81", carelink: "FE82" };

/** An event in one line, without its time. */
export function describePumpEvent(event: PumpEvent): string {
  switch (event.type) {
    case "advertising": {
      const [min, max] = event.intervalMs;
      const shown = event.mode === "reconnect" ? "" : ` as "${event.name}"`;
      return `advertising ${SERVICES[event.mode]}${shown}, every ${min} to ${max} ms, ${event.address} address, bond: ${event.bonded ? "yes" : "no"}`;
    }
    case "connected":
      return `connected by ${event.peer}: interval ${event.intervalMs} ms, latency ${event.latency}, timeout ${event.timeoutMs} ms`;
    case "pairing":
      return "the pump asks to pair";
    case "paired":
      return `paired by ${event.method.replaceAll("-", " ")}, ${event.keySize * 8} bit key; gave ${event.localKeys.join(", ")}; got ${event.peerKeys.join(", ")}`;
    case "encrypted":
      return event.bonded ? "link encrypted with the bond's key" : "link encrypted";
    case "discovery":
      return `the pump reads our ${event.reads}`;
    case "sake":
      return `SAKE: ${SAKE_STAGES[event.stage] ?? `stage ${event.stage}`}`;
    case "authenticated":
      return "authenticated";
    case "services":
      return `the pump has ${event.count} services`;
    case "information": {
      const battery = event.batteryPercent === undefined ? "" : `, battery ${event.batteryPercent} %`;
      return `the pump is a ${event.model ?? "device of unknown model"}, firmware ${event.firmware ?? "unknown"}, serial ${event.serial ?? "unknown"}${battery}`;
    }
    case "sensor": {
      if (!event.start) return "sensor session: none";
      const left = event.remainingMs === undefined ? "" : `, ${Math.max(0, Math.floor(event.remainingMs / 3_600_000))} h left`;
      return `sensor session since ${formatLocal(event.start).replace("T", " ")} (pump time)${left}`;
    }
    case "reading":
      return `glucose: ${formatGlucose(event.latest, event.timeMs)}`;
    case "disconnected":
      return event.message;
    case "warning":
      return event.hint ? `${event.message} ${event.hint}` : event.message;
  }
}
