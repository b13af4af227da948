import { decodeSfloat } from "jelling/bytes";
import { e2eCrc } from "../data/e2e-crc.ts";
import { decodeValue } from "../data/error.ts";
import { bitNames } from "../data/named.ts";

/** Names of the bits of IDD Features. Bits 23, 31 and so on say that another octet follows. */
export const IDD_FEATURES = {
  0: "e2e_protection_supported",
  1: "basal_rate_supported",
  2: "tbr_absolute_supported",
  3: "tbr_relative_supported",
  4: "tbr_template_supported",
  5: "fast_bolus_supported",
  6: "extended_bolus_supported",
  7: "multiwave_bolus_supported",
  8: "bolus_delay_time_supported",
  9: "bolus_template_supported",
  10: "bolus_activation_type_supported",
  11: "multiple_bond_supported",
  12: "isf_profile_template_supported",
  13: "i2cho_profile_template_supported",
  14: "target_glucose_range_profile_template_supported",
  15: "insulin_on_board_supported",
  24: "reservoir_size_300iu_supported",
  25: "glucose_unit_mg_dl_used",
  26: "lgs_feature_supported",
  27: "plgm_feature_supported",
  28: "hcl_feature_supported",
  29: "smart_settings_supported",
  30: "remote_bolus_supported",
  32: "extended_time_stamp_supported",
  33: "extended_time_of_sensor_expiration_supported",
  34: "sensor_warm_up_time_remaining_supported",
  35: "sensor_calibration_status_icon_supported",
  36: "two_calibrations_one_day_supported",
  37: "matrix_menu_supported",
} as const;
export type IddFeatureName = (typeof IDD_FEATURES)[keyof typeof IDD_FEATURES];

const E2E = 1n;
const MILLIGRAMS = 1n << 25n;
/** The last bit of the third octet, and of each that follows, says that one more does. */
const FIRST_EXTENSION = 23n;
/** What two extensions are for is known. A third may be announced by a bit that means something else. */
const KNOWN_OCTETS = 5;
const CRC_UNUSED = 0xffff;
const CRC_OCTETS = 2;

export interface IddFeatures {
  /** All bits, those without a name too. */
  readonly bits: bigint;
  readonly features: readonly IddFeatureName[];
  /** Whether values of this service end with a counter and a CRC. */
  readonly e2e: boolean;
  /** What the CRC field says. A reader believes nothing of features whose CRC is wrong. */
  readonly crc: "unused" | "valid" | "invalid";
  readonly counter: number;
  /** IU/mL; undefined for a special word. */
  readonly insulinConcentration: number | undefined;
  /** Unit of the pump's display. On the air glucose is in mg/dL on every pump. */
  readonly displaysMgdl: boolean;
}

/** IDD Features, decrypted: its CRC and counter come first. @throws {PumpDataError} */
export function decodeIddFeatures(bytes: Uint8Array): IddFeatures {
  const name = "IDD Features";
  const value = decodeValue(name, bytes, (reader) => {
    const crc = reader.u16();
    const counter = reader.u8();
    const insulinConcentration = decodeSfloat(reader.u16()).value;
    let bits = BigInt(reader.u24());
    for (let at = FIRST_EXTENSION; (bits >> at) & 1n; at += 8n) {
      if (at >= 8 * KNOWN_OCTETS - 1 && reader.remaining === 0) break;
      bits |= BigInt(reader.u8()) << (at + 1n);
    }
    return { crc, counter, insulinConcentration, bits };
  });
  const e2e = (value.bits & E2E) !== 0n;
  const isUnused = !e2e && value.crc === CRC_UNUSED;
  return {
    ...value,
    crc: isUnused ? "unused" : value.crc === e2eCrc(bytes.subarray(CRC_OCTETS)) ? "valid" : "invalid",
    features: bitNames(value.bits, IDD_FEATURES),
    e2e,
    displaysMgdl: (value.bits & MILLIGRAMS) !== 0n,
  };
}

/** What a simulated pump says. Protection is never in use. */
export function encodeIddFeatures({ bits, insulinConcentrationWord }: { bits: bigint; insulinConcentrationWord: number }): Uint8Array {
  const length = (bits >> 31n) & 1n ? 5 : (bits >> 23n) & 1n ? 4 : 3;
  const flags = Array.from({ length }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
  return Uint8Array.of(CRC_UNUSED & 0xff, CRC_UNUSED >> 8, 0, insulinConcentrationWord & 0xff, insulinConcentrationWord >> 8, ...flags);
}
