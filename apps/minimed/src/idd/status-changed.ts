import { decodeValue } from "../data/error.ts";
import { bitNames } from "../data/named.ts";
import { type IddProtection, unprotected } from "./protection.ts";

/** Names of the bits of IDD Status Changed. Bits 15 and 31 say that two more octets follow. */
export const STATUS_CHANGES = {
  0: "therapy_control_state_changed",
  1: "operational_state_changed",
  2: "reservoir_status_changed",
  3: "annunciation_status_changed",
  4: "total_daily_insulin_status_changed",
  5: "active_basal_rate_status_changed",
  6: "active_bolus_status_changed",
  7: "history_event_recorded",
  8: "time_in_range_status_changed",
  16: "therapy_algorithm_state",
  17: "insulin_on_board",
  18: "new_cgm_measurement",
  19: "sensor_eol",
  20: "cgm_calibration",
  21: "sensor_status_message",
  22: "sensor_connectivity_state",
  23: "display_format_changed",
  24: "high_low_settings_changed",
  25: "sensor_changed",
  26: "cgm_calibration_context_changed",
  27: "cgm_time_calibration_recommended_changed",
  28: "remote_bolus_option_changed",
  29: "local_ui_interaction_requested",
  30: "sensor_warm_up_time_remaining_changed",
  32: "sensor_calibration_status_icon_changed",
  33: "early_sensor_calibration_time_changed",
} as const;
export type StatusChange = (typeof STATUS_CHANGES)[keyof typeof STATUS_CHANGES];

const EXTENSIONS = [15n, 31n];

export interface IddStatusChanged {
  /** All bits that say that something changed, those without a name too; not those that announce octets. */
  readonly bits: readonly number[];
  readonly names: readonly StatusChange[];
  /** The field as it came: what resets it has to be the same, in its length too. */
  readonly field: Uint8Array;
}

/** IDD Status Changed, decrypted. @throws {PumpDataError} */
export function decodeIddStatusChanged(bytes: Uint8Array, protection: IddProtection): IddStatusChanged {
  const name = "IDD Status Changed";
  const field = unprotected(name, bytes, protection).slice();
  return decodeValue(name, field, (reader) => {
    let flags = BigInt(reader.u16());
    for (const [i, extension] of EXTENSIONS.entries()) {
      if (!((flags >> extension) & 1n)) break;
      flags = (flags & ~(1n << extension)) | (BigInt(reader.u16()) << BigInt(16 * (i + 1)));
    }
    const bits = Array.from({ length: 48 }, (_, bit) => bit).filter((bit) => (flags >> BigInt(bit)) & 1n);
    return { bits, names: bitNames(flags, STATUS_CHANGES), field };
  });
}

/** The shortest field that has these bits. */
export function encodeStatusChanged(bits: readonly number[]): Uint8Array {
  let flags = 0n;
  for (const bit of bits) flags |= 1n << BigInt(bit);
  const words = flags >> 32n ? 3 : flags >> 16n ? 2 : 1;
  for (const extension of EXTENSIONS.slice(0, words - 1)) flags |= 1n << extension;
  return Uint8Array.from({ length: 2 * words }, (_, i) => Number((flags >> BigInt(8 * i)) & 0xffn));
}
