import { decodeFloat, encodeFloat, Writer } from "jelling/bytes";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { flagNames } from "../data/flags.ts";
import { type Named, named } from "../data/named.ts";
import { type IddProtection, unprotected } from "./protection.ts";

export const THERAPY_CONTROL_STATES = { 15: "undetermined", 51: "stop", 60: "pause", 85: "run" } as const;
export type TherapyControlState = (typeof THERAPY_CONTROL_STATES)[keyof typeof THERAPY_CONTROL_STATES];

export const OPERATIONAL_STATES = {
  15: "undetermined",
  51: "off",
  60: "standby",
  85: "preparing",
  90: "priming",
  102: "waiting",
  150: "ready",
} as const;
export type OperationalState = (typeof OPERATIONAL_STATES)[keyof typeof OPERATIONAL_STATES];

export const SENSOR_CONNECTIVITY = ["sensor_on", "sensor_paired", "gst_signal_lost", "sensor_gst_detached"] as const;

/** Why there may be no glucose value. */
export const SENSOR_MESSAGES = {
  0: "no_message",
  1: "wait_to_calibrate",
  2: "do_not_calibrate",
  3: "calibration_required",
  4: "calibrating",
  5: "searching_for_signal",
  6: "no_sensor_signal",
  7: "change_sensor",
  8: "warm_up",
  9: "sg_below_lower_limit",
  10: "sg_above_upper_limit",
  11: "transmitter_battery_empty",
  12: "sensor_connected",
  13: "waiting_for_warm_up",
  14: "no_paired_sensor",
} as const;
export type SensorMessage = (typeof SENSOR_MESSAGES)[keyof typeof SENSOR_MESSAGES];

const LENGTH = 9;

/** State of the pump and of its sensor. A value without a name is given as its number. */
export interface IddStatus {
  /** Whether insulin is delivered at all. A basal rate of zero in closed loop is no stop. */
  readonly therapyControlState: Named<TherapyControlState>;
  /** Tells a set change (waiting, priming) from a stop by the user (ready). */
  readonly operationalState: Named<OperationalState>;
  /** IU; undefined for a special word. */
  readonly reservoirRemainingIu: number | undefined;
  readonly reservoirAttached: boolean;
  readonly sensorConnectivity: readonly (typeof SENSOR_CONNECTIVITY)[number][];
  /** The same as it came, with bits that have no name. */
  readonly sensorConnectivityBits: number;
  readonly sensorMessage: Named<SensorMessage>;
}

/** IDD Status, decrypted. @throws {PumpDataError} */
export function decodeIddStatus(bytes: Uint8Array, protection: IddProtection): IddStatus {
  const name = "IDD Status";
  const content = unprotected(name, bytes, protection);
  if (content.length !== LENGTH) throw new PumpDataError("length", `${name}: ${content.length} octets, expected ${LENGTH}`);
  return decodeValue(name, content, (reader) => {
    const therapyControlState = named(THERAPY_CONTROL_STATES, reader.u8());
    const operationalState = named(OPERATIONAL_STATES, reader.u8());
    const reservoirRemainingIu = decodeFloat(reader.u32()).value;
    const reservoirAttached = (reader.u8() & 1) !== 0;
    const sensorConnectivityBits = reader.u8();
    return {
      therapyControlState,
      operationalState,
      reservoirRemainingIu,
      reservoirAttached,
      sensorConnectivity: flagNames(sensorConnectivityBits, SENSOR_CONNECTIVITY),
      sensorConnectivityBits,
      sensorMessage: named(SENSOR_MESSAGES, reader.u8()),
    };
  });
}

/** The same as numbers, as a simulated pump sends it. */
export interface IddStatusWords {
  readonly therapyControlState: number;
  readonly operationalState: number;
  readonly reservoirRemainingIu: number;
  readonly reservoirAttached: boolean;
  readonly sensorConnectivity: number;
  readonly sensorMessage: number;
}

export function encodeIddStatus(status: IddStatusWords): Uint8Array {
  const writer = new Writer();
  writer.u8(status.therapyControlState);
  writer.u8(status.operationalState);
  writer.u32(encodeFloat(status.reservoirRemainingIu));
  writer.u8(status.reservoirAttached ? 1 : 0);
  writer.u8(status.sensorConnectivity);
  writer.u8(status.sensorMessage);
  return writer.finish();
}
