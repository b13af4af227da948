import { command } from "../declare.ts";
import { about, bits, eir, enumerated, lengthOf, octets, onOff, optional, orElse, secret, slot, struct, u8, u16, u32 } from "../fields.ts";
import { addrInfo, device, discoveryAddressTypes } from "../structures.ts";
import { DiscoveryAddressTypes, IoCapability, OnOff } from "../values.ts";

const WHY_NOT_ANSWERED = { NotConnected: "no link", Failed: "LE and no confirmation expected" } as const;

/**
 * PIN Code Reply, 0x0016, since 1.0. High security wanted and length not 16: a negative reply is sent on the air and CommandStatus
 * InvalidParameters returned.
 */
export const PinCodeReply = command("PIN Code Reply", {
  opcode: 0x0016,
  since: "1.0",
  power: "on",
  failure: "mixed",
  parameters: struct({ ...device, pinLength: about(lengthOf(u8, "pinCode"), { range: [1, 16] }), pinCode: secret(slot(16, "pinLength")) }),
  returns: addrInfo,
  causes: { NotConnected: "no ACL link" },
});

/** PIN Code Negative Reply, 0x0017, since 1.0. */
export const PinCodeNegativeReply = command("PIN Code Negative Reply", {
  opcode: 0x0017,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { NotConnected: "no link" },
});

/** Set IO Capability, 0x0018, since 1.0. Not remembered per pairing: it is the controller default; no event is sent. */
export const SetIoCapability = command("Set IO Capability", {
  opcode: 0x0018,
  since: "1.0",
  parameters: struct({ ioCapability: enumerated(u8, IoCapability) }),
  causes: { InvalidParameters: "value above 4" },
});

/**
 * Pair Device, 0x0019, since 1.0. LE device that does not advertise: no reply until cancelled. Reply arrives only at the end; its address
 * is the identity address if one was learned, so match by opcode and index, not by address. With a pairing pending on the controller a
 * further Pair Device gives Busy.
 */
export const PairDevice = command("Pair Device", {
  opcode: 0x0019,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: struct({ ...device, ioCapability: enumerated(u8, IoCapability) }),
  returns: addrInfo,
  causes: {
    InvalidParameters: "address type above 2 or capability above 4",
    AlreadyPaired: "keys for this address already known: unpair it first",
    NotSupported: "transport not supported",
    Rejected: "transport switched off",
    Busy: "another connect attempt in the way",
    ConnectFailed: "any other connect error",
    Disconnected: "powered off meanwhile",
    AuthenticationFailed:
      "a refusal on either side, a wrong PIN or passkey, bonding wanted by one side only, or, without Secure Connections on both sides, no way to be sure of each other: numbers are compared on LE with Secure Connections only (Set Secure Connections)",
  },
});

/** Cancel Pair Device, 0x001a, since 1.0. The pending Pair Device completes with Cancelled before this reply; Connect Failed may follow. */
export const CancelPairDevice = command("Cancel Pair Device", {
  opcode: 0x001a,
  since: "1.0",
  power: "on",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "no pairing pending or another address" },
});

/**
 * Unpair Device, 0x001b, since 1.0. Keys derived for the other transport are separate: unpair BR/EDR and LE addresses one by one. Device
 * Unpaired goes to the other sockets. Also takes the LE device off the Add Device list.
 */
export const UnpairDevice = command("Unpair Device", {
  opcode: 0x001b,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: struct({ ...device, disconnect: orElse(onOff(OnOff), 1) }),
  returns: addrInfo,
  causes: { InvalidParameters: "address type above 2 or disconnect above 1", NotPaired: "no keys" },
});

/** User Confirmation Reply, 0x001c, since 1.0. */
export const UserConfirmationReply = command("User Confirmation Reply", {
  opcode: 0x001c,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: WHY_NOT_ANSWERED,
});

/** User Confirmation Negative Reply, 0x001d, since 1.0. */
export const UserConfirmationNegativeReply = command("User Confirmation Negative Reply", {
  opcode: 0x001d,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: WHY_NOT_ANSWERED,
});

/** User Passkey Reply, 0x001e, since 1.0. */
export const UserPasskeyReply = command("User Passkey Reply", {
  opcode: 0x001e,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: struct({ ...device, passkey: about(secret(u32), { range: [0, 999999] }) }),
  returns: addrInfo,
  causes: WHY_NOT_ANSWERED,
});

/** User Passkey Negative Reply, 0x001f, since 1.0. */
export const UserPasskeyNegativeReply = command("User Passkey Negative Reply", {
  opcode: 0x001f,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: WHY_NOT_ANSWERED,
});

/** Read Local Out Of Band Data, 0x0020, since 1.0. 32 bytes without BR/EDR secure connections, 64 with. */
export const ReadLocalOutOfBandData = command("Read Local Out Of Band Data", {
  opcode: 0x0020,
  since: "1.0",
  power: "on",
  returns: struct({
    hash192: secret(octets(16)),
    randomizer192: secret(octets(16)),
    hash256: optional(secret(octets(16))),
    randomizer256: optional(secret(octets(16))),
  }),
  causes: { NotSupported: "not SSP capable" },
});

/** Add Remote Out Of Band Data, 0x0021, since 1.0. */
export const AddRemoteOutOfBandData = command("Add Remote Out Of Band Data", {
  opcode: 0x0021,
  since: "1.0",
  failure: "mixed",
  parameters: struct({
    ...device,
    hash192: secret(octets(16)),
    randomizer192: secret(octets(16)),
    hash256: optional(secret(octets(16))),
    randomizer256: optional(secret(octets(16))),
  }),
  returns: addrInfo,
  causes: {
    InvalidParameters:
      "address type above 2; 39-byte form with an LE address; 71-byte form with an LE address and non-zero P-192 fields; any length other than 39 or 71",
  },
});

/** Remove Remote Out Of Band Data, 0x0022, since 1.0. 00:00:00:00:00:00 clears all. */
export const RemoveRemoteOutOfBandData = command("Remove Remote Out Of Band Data", {
  opcode: 0x0022,
  since: "1.0",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "LE address type; unknown address" },
});

/** Read Local Out Of Band Extended Data, 0x003b, since 1.9. Failure replies carry the type and an empty data field. */
export const ReadLocalOutOfBandExtendedData = command("Read Local Out Of Band Extended Data", {
  opcode: 0x003b,
  since: "1.9",
  power: "on",
  failure: "complete",
  parameters: discoveryAddressTypes,
  returns: struct({
    addressTypes: bits(u8, DiscoveryAddressTypes),
    eirDataLength: lengthOf(u16, "eirData"),
    eirData: secret(eir("eirDataLength")),
  }),
  causes: { InvalidParameters: "type other than 1 or 6", NotSupported: "not SSP capable", Rejected: "LE with privacy on" },
});
