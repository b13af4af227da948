import type { OperationOptions } from "jelling/async";
import type { PumpSession } from "../connector/pump-session.ts";
import type { PumpValueName, PumpValues } from "./state.ts";

/** How each value is read. */
export const READERS: {
  readonly [Name in PumpValueName]: (session: PumpSession, options: OperationOptions) => Promise<PumpValues[Name] | undefined>;
} = {
  information: (session, options) => session.readInformation(options),
  battery: (session, options) => session.readBattery(options),
  transmitterBattery: (session, options) => session.readTransmitterBattery(options),
  clock: (session, options) => session.readClock(options),
  glucose: (session, options) => session.readLatest(options),
  sensorSession: (session, options) => session.readSensorSession(options),
  sensorDetails: (session, options) => session.readSensorDetails(options),
  features: (session, options) => session.readFeatures(options),
  status: (session, options) => session.readStatus(options),
  annunciation: (session, options) => session.readAnnunciation(options),
  insulinOnBoard: (session, options) => session.readInsulinOnBoard(options),
  timeInRange: (session, options) => session.readTimeInRange(options),
  therapy: (session, options) => session.readTherapy(options),
  basalRate: (session, options) => session.readBasalRate(options),
  boluses: (session, options) => session.readBoluses(options),
  displayFormat: (session, options) => session.readDisplayFormat(options),
  highSettings: (session, options) => session.readHighLowSettings("high", options),
  lowSettings: (session, options) => session.readHighLowSettings("low", options),
};

/** After what every session begins with: what a user looks at first, then the rest. */
export const FIRST_READS: readonly PumpValueName[] = Object.freeze([
  "status",
  "clock",
  "insulinOnBoard",
  "therapy",
  "basalRate",
  "boluses",
  "annunciation",
  "timeInRange",
  "transmitterBattery",
  "features",
  "displayFormat",
  "highSettings",
  "lowSettings",
  "sensorDetails",
] as const);

/** Asked for at every poll. */
export const POLLED: readonly PumpValueName[] = Object.freeze([
  "glucose",
  "status",
  "annunciation",
  "insulinOnBoard",
  "boluses",
  "basalRate",
  "therapy",
] as const);

/** Of which no push tells; and, where the pump pushes nothing, what changes rarely. */
export const SLOW: readonly PumpValueName[] = Object.freeze([
  "battery",
  "transmitterBattery",
  "sensorSession",
  "clock",
  "therapy",
  "timeInRange",
  "basalRate",
] as const);
export const SLOW_UNPUSHED: readonly PumpValueName[] = Object.freeze(["displayFormat", "highSettings", "lowSettings"] as const);

/** What a bit of IDD Status Changed stands for. */
const BY_BIT: Readonly<Record<number, readonly PumpValueName[]>> = {
  0: ["status"],
  1: ["status"],
  2: ["status"],
  3: ["annunciation"],
  5: ["basalRate"],
  6: ["boluses"],
  7: ["clock"], // that its user set it is recorded, and not told otherwise
  8: ["timeInRange"],
  16: ["therapy"],
  17: ["insulinOnBoard"],
  18: ["glucose", "insulinOnBoard"], // which wears off without a word of the pump
  19: ["glucose"], // by its name the sensor's end of life; it accompanies new readings
  20: ["glucose"],
  21: ["status"],
  // A sensor that was changed shows itself here; the bit that is made for it was not seen.
  22: ["status", "sensorSession", "sensorDetails", "transmitterBattery"],
  23: ["displayFormat"],
  24: ["highSettings", "lowSettings"],
  25: ["sensorSession", "sensorDetails"],
};
/** What is recorded when it happens, too: an annunciation, a bolus, an event. */
const RECORDED: readonly number[] = [3, 6, 7];

/** What to read again, in the order of what a user looks at first, without repeats. Bits of unknown meaning stand for nothing. */
export function valuesOf(bits: ReadonlySet<number>): PumpValueName[] {
  const wanted = new Set([...bits].flatMap((bit) => BY_BIT[bit] ?? []));
  return (["glucose", "sensorSession", ...FIRST_READS] as const).filter((name) => wanted.has(name));
}

/** Whether the history has grown. */
export function isRecorded(bits: ReadonlySet<number>): boolean {
  return RECORDED.some((bit) => bits.has(bit));
}
