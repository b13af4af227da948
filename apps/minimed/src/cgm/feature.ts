import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { decodeValue } from "../data/error.ts";
import { flagNames } from "../data/flags.ts";

/** Names of the bits of CGM Feature, from bit 0 on. */
export const CGM_FEATURES = [
  "calibration",
  "patient_high_low_alerts",
  "hypo_alerts",
  "hyper_alerts",
  "rate_increase_decrease_alerts",
  "device_specific_alert",
  "sensor_malfunction_detection",
  "sensor_temperature_high_low_detection",
  "sensor_result_high_low_detection",
  "low_battery_detection",
  "sensor_type_error_detection",
  "general_device_fault",
  "e2e_crc",
  "multiple_bond",
  "multiple_sessions",
  "cgm_trend_information",
  "cgm_quality",
] as const;
export type CgmFeatureName = (typeof CGM_FEATURES)[number];

const E2E_CRC_BIT = 1 << CGM_FEATURES.indexOf("e2e_crc");

export interface CgmFeature {
  readonly bits: number; // 24
  readonly features: readonly CgmFeatureName[];
  /** Whether values of this service end with an E2E-CRC. */
  readonly e2eCrc: boolean;
  /** 9 is interstitial fluid. */
  readonly type: number;
  /** 5 is subcutaneous tissue, 15 not available. */
  readonly sampleLocation: number;
}

/** CGM Feature, plain; its CRC field is there even without CRC support, then as ff ff. @throws {PumpDataError} */
export function decodeCgmFeature(bytes: Uint8Array): CgmFeature {
  return decodeValue("CGM Feature", bytes, (reader) => {
    const bits = reader.u24();
    const types = reader.u8();
    const crc = reader.u16();
    // A field that is not ff ff is a CRC whatever bit 12 says: that bit may be the damaged one.
    if (reader.remaining === 0 && (bits & E2E_CRC_BIT || crc !== 0xffff)) checkE2eCrc("CGM Feature", bytes);
    return {
      bits,
      features: flagNames(bits, CGM_FEATURES),
      e2eCrc: (bits & E2E_CRC_BIT) !== 0,
      type: types & 0x0f,
      sampleLocation: types >> 4,
    };
  });
}

export function encodeCgmFeature({ bits, type, sampleLocation }: Pick<CgmFeature, "bits" | "type" | "sampleLocation">): Uint8Array {
  const content = Uint8Array.of(bits & 0xff, (bits >> 8) & 0xff, bits >> 16, type | (sampleLocation << 4));
  return bits & E2E_CRC_BIT ? appendE2eCrc(content) : Uint8Array.of(...content, 0xff, 0xff);
}
