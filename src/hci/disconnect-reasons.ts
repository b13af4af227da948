import { HciErrorCode } from "./error.ts";

/** Reasons that HCI_Disconnect takes, Vol 4 Part E 7.1.6. */
export const DISCONNECT_REASONS: readonly number[] = Object.freeze([
  HciErrorCode.AuthenticationFailure,
  HciErrorCode.RemoteUserTerminatedConnection,
  HciErrorCode.RemoteDeviceTerminatedConnectionDueToLowResources,
  HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff,
  HciErrorCode.UnsupportedRemoteFeature,
  HciErrorCode.PairingWithUnitKeyNotSupported,
  HciErrorCode.UnacceptableConnectionParameters,
]);
