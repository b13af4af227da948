/// <reference lib="esnext.disposable" preserve="true" />
export { PairingAttempts, type PairingAttemptsOptions } from "./attempts.ts";
export {
  type BondJson,
  bondFromJson,
  bondToJson,
  createBond,
  describeBond,
  isSameBond,
  type LongTermKeyJson,
} from "./bond.ts";
export type { EncryptingLink } from "./encryption.ts";
export {
  BondFormatError,
  BondLostError,
  PairingError,
  PairingFailedReason,
  PairingTimeoutError,
  pairingFailedText,
} from "./error.ts";
export type { PairOptions, SecurityManagerHandlers, SecurityManagerOptions } from "./options.ts";
export { checkOutOfBandData, createOutOfBandData, LocalOutOfBand, type OutOfBandData, OutOfBandRole } from "./out-of-band.ts";
export { SMP_TIMEOUT_MS } from "./pairing-run.ts";
export {
  CentralIdentification,
  type DecodedSmp,
  decodeSmp,
  EncryptionInformation,
  encodeSmp,
  IdentityAddressInformation,
  IdentityInformation,
  PairingConfirm,
  PairingDhKeyCheck,
  PairingFailed,
  type PairingFeatures,
  PairingKeypressNotification,
  PairingPublicKey,
  PairingRandom,
  PairingRequest,
  PairingResponse,
  SecurityRequest,
  SigningInformation,
  type SmpDeclaration,
  type SmpPdu,
  smpPdus,
} from "./pdus.ts";
export { AuthReq, checkAgent, completePolicy, DEFAULT_PAIRING_POLICY, defaultPairingAgent } from "./policy.ts";
export { QUESTION_TIMEOUT_MS } from "./questions.ts";
export { SecurityManager } from "./security-manager.ts";
export {
  type Bond,
  type BondDescription,
  type BondReplacement,
  type BondStore,
  IoCapability,
  KEYPRESSES,
  KeyDistribution,
  type Keypress,
  type LongTermKey,
  type PairingAgent,
  type PairingMethod,
  type PairingPolicy,
  type PairingQuestion,
  type PairingReport,
  type PasskeyQuestion,
  type PrivacyMode,
} from "./types.ts";
