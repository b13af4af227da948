import { event } from "../declare.ts";
import { about, bits, eir, enumerated, lengthOf, onOff, secret, struct, u8, u16, u32 } from "../fields.ts";
import { addrInfo, device } from "../structures.ts";
import { DiscoveryAddressTypes, OnOff, Status } from "../values.ts";

/** PIN Code Request, 0x000e, since 1.0. */
export const PinCodeRequest = event("PIN Code Request", {
  code: 0x000e,
  since: "1.0",
  delivery: "all",
  parameters: struct({ ...device, secure: about(onOff(OnOff), { note: "1 = a 16 digit PIN is required" }) }),
});

/** User Confirmation Request, 0x000f, since 1.0. */
export const UserConfirmationRequest = event("User Confirmation Request", {
  code: 0x000f,
  since: "1.0",
  delivery: "all",
  parameters: struct({
    ...device,
    confirmHint: about(onOff(OnOff), { note: "1 = ask only yes or no, do not show the value" }),
    value: about(secret(u32), { range: [0, 999999] }),
  }),
});

/** User Passkey Request, 0x0010, since 1.0. */
export const UserPasskeyRequest = event("User Passkey Request", {
  code: 0x0010,
  since: "1.0",
  delivery: "all",
  parameters: addrInfo,
});

/** Authentication Failed, 0x0011, since 1.0. Skips the socket whose Pair Device is pending for this link. */
export const AuthenticationFailed = event("Authentication Failed", {
  code: 0x0011,
  since: "1.0",
  delivery: "others",
  parameters: struct({ ...device, status: enumerated(u8, Status) }),
});

/** Passkey Notify, 0x0017, since 1.2. */
export const PasskeyNotify = event("Passkey Notify", {
  code: 0x0017,
  since: "1.2",
  delivery: "all",
  parameters: struct({ ...device, passkey: about(secret(u32), { range: [0, 999999] }), entered: u8 }),
});

/** Device Unpaired, 0x0016, since 1.0. */
export const DeviceUnpaired = event("Device Unpaired", {
  code: 0x0016,
  since: "1.0",
  delivery: "others",
  parameters: addrInfo,
});

/** Local Out Of Band Extended Data Updated, 0x0022, since 1.9. Only sockets that used ReadLocalOutOfBandExtendedData successfully. */
export const LocalOutOfBandExtendedDataUpdated = event("Local Out Of Band Extended Data Updated", {
  code: 0x0022,
  since: "1.9",
  delivery: "othersOptIn",
  parameters: struct({
    addressTypes: bits(u8, DiscoveryAddressTypes),
    eirDataLength: lengthOf(u16, "eirData"),
    eirData: secret(eir("eirDataLength")),
  }),
});
