/** Words of the insulin delivery service that several of its values share. Their codes have a Hamming distance of 4; 0x0F is undetermined. */

export const BOLUS_TYPES = {
  15: "undetermined",
  51: "fast",
  60: "extended",
  85: "multiwave", // of the SIG
  255: "multiwave", // of the pump
} as const;
export type BolusType = (typeof BOLUS_TYPES)[keyof typeof BOLUS_TYPES];

/** Who decided on a bolus. */
export const BOLUS_ACTIVATIONS = {
  15: "undetermined",
  51: "manual",
  60: "recommended",
  85: "manually_changed_recommended",
  90: "commanded",
} as const;
export type BolusActivation = (typeof BOLUS_ACTIVATIONS)[keyof typeof BOLUS_ACTIVATIONS];

export const BASAL_CONTEXTS = {
  15: "undetermined",
  51: "device_based",
  60: "remote_control",
  85: "ap_controller",
} as const;
export type BasalContext = (typeof BASAL_CONTEXTS)[keyof typeof BASAL_CONTEXTS];

export const TEMPORARY_BASAL_TYPES = { 15: "undetermined", 51: "absolute", 60: "relative" } as const;
export type TemporaryBasalType = (typeof TEMPORARY_BASAL_TYPES)[keyof typeof TEMPORARY_BASAL_TYPES];

export const ANNUNCIATION_STATES = { 15: "undetermined", 51: "pending", 60: "snoozed", 85: "confirmed" } as const;
export type AnnunciationState = (typeof ANNUNCIATION_STATES)[keyof typeof ANNUNCIATION_STATES];
