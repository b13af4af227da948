import { command } from "../declare.ts";
import { about, bdaddr, enumerated, octets, onOff, orElse, secret, struct, u8, u16 } from "../fields.ts";
import { currentSettings } from "../structures.ts";
import { AdvertisingMode, DebugKeysMode, DiscoverableMode, OnOff, PrivacyMode, SecureConnectionsMode } from "../values.ts";

/**
 * Set Powered, 0x0005, since 1.0. Already in the wanted state: CommandComplete at once, no New Settings. On success the reply comes first,
 * then New Settings to every other socket. Power off removes advertising instances: Advertising Removed to all sockets, before the reply.
 * Class Of Device Changed, if the class changed, comes before the reply when powering on and after it when powering off.
 */
export const SetPowered = command("Set Powered", {
  opcode: 0x0005,
  since: "1.0",
  parameters: struct({ powered: onOff(OnOff) }),
  returns: currentSettings,
  causes: {
    InvalidParameters: "value other than 0 or 1",
    Busy: "another Set Powered of this controller still pending",
    Failed: 'rfkill blocks the radio (run "rfkill unblock bluetooth" or use the computer\'s switch), or the controller does not start',
  },
});

/** Set Discoverable, 0x0006, since 1.0. When the timeout expires New Settings goes to all sockets including the setter. */
export const SetDiscoverable = command("Set Discoverable", {
  opcode: 0x0006,
  since: "1.0",
  parameters: struct({ discoverable: enumerated(u8, DiscoverableMode), timeout: orElse(about(u16, { unit: "s" }), 0) }),
  returns: currentSettings,
  causes: {
    Rejected: "neither LE nor BR/EDR enabled; Connectable off",
    InvalidParameters: "mode above 2; mode 0 with a timeout, or mode 2 without one",
    Busy: "Set Discoverable or Set Connectable pending; advertising paused (suspend)",
  },
});

/** Set Connectable, 0x0007, since 1.0. Switching off clears Discoverable. */
export const SetConnectable = command("Set Connectable", {
  opcode: 0x0007,
  since: "1.0",
  parameters: struct({ connectable: onOff(OnOff) }),
  returns: currentSettings,
  causes: {
    Rejected: "neither LE nor BR/EDR enabled",
    InvalidParameters: "value above 1",
    Busy: "Set Discoverable or Set Connectable pending",
  },
});

/** Set Fast Connectable, 0x0008, since 1.0. */
export const SetFastConnectable = command("Set Fast Connectable", {
  opcode: 0x0008,
  since: "1.0",
  parameters: struct({ enable: onOff(OnOff) }),
  returns: currentSettings,
  causes: { NotSupported: "BR/EDR off or controller older than 1.2", InvalidParameters: "value above 1" },
});

/**
 * Set Bondable, 0x0009, since 1.0. The first command any client ever sends to a controller clears Bondable, so it must be set explicitly.
 */
export const SetBondable = command("Set Bondable", {
  opcode: 0x0009,
  since: "1.0",
  parameters: struct({ bondable: onOff(OnOff) }),
  returns: currentSettings,
  causes: { InvalidParameters: "value above 1" },
});

/** Set Link Security, 0x000a, since 1.0. */
export const SetLinkSecurity = command("Set Link Security", {
  opcode: 0x000a,
  since: "1.0",
  parameters: struct({ linkSecurity: onOff(OnOff) }),
  returns: currentSettings,
  causes: {
    NotSupported: "not BR/EDR capable",
    Rejected: "BR/EDR switched off",
    InvalidParameters: "value above 1",
    Busy: "same command pending",
  },
});

/** Set Secure Simple Pairing, 0x000b, since 1.0. Switching off also cleared HighSpeed on kernels that had it. */
export const SetSecureSimplePairing = command("Set Secure Simple Pairing", {
  opcode: 0x000b,
  since: "1.0",
  parameters: struct({ secureSimplePairing: onOff(OnOff) }),
  returns: currentSettings,
  causes: {
    NotSupported: "not BR/EDR or not SSP capable",
    Rejected: "BR/EDR switched off",
    InvalidParameters: "value above 1",
    Busy: "same command pending",
  },
});

/**
 * Set High Speed, 0x000c, since 1.0. NotSupported always (current 6.1; older builds without CONFIG_BT_HS too). Deprecated: AMP support is
 * gone from current kernels and off in the Debian 12 kernel.
 */
export const SetHighSpeed = command("Set High Speed", {
  opcode: 0x000c,
  since: "1.0",
  parameters: struct({ highSpeed: onOff(OnOff) }),
  returns: currentSettings,
});

/**
 * Set Low Energy, 0x000d, since 1.0. BR/EDR off: 1 succeeds at once, 0 is Rejected. Switching off removes every advertising instance and
 * clears Advertising.
 */
export const SetLowEnergy = command("Set Low Energy", {
  opcode: 0x000d,
  since: "1.0",
  parameters: struct({ lowEnergy: onOff(OnOff) }),
  returns: currentSettings,
  causes: { NotSupported: "not LE capable", InvalidParameters: "value above 1", Busy: "Set Low Energy or Set Advertising pending" },
});

/** Set Advertising, 0x0029, since 1.4. With an LE link, active scanning or mesh on only the flag changes. */
export const SetAdvertising = command("Set Advertising", {
  opcode: 0x0029,
  since: "1.4",
  parameters: struct({ advertising: enumerated(u8, AdvertisingMode) }),
  returns: currentSettings,
  causes: {
    NotSupported: "not LE capable",
    Rejected: "LE off",
    InvalidParameters: "value above 2",
    Busy: "advertising paused; Set Low Energy or Set Advertising pending",
  },
});

/** Set BR/EDR, 0x002a, since 1.4. Switching off while unpowered clears Discoverable, SSP, LinkSecurity, FastConnectable and HighSpeed. */
export const SetBredr = command("Set BR/EDR", {
  opcode: 0x002a,
  since: "1.4",
  parameters: struct({ bredr: onOff(OnOff) }),
  returns: currentSettings,
  causes: {
    NotSupported: "not dual mode",
    Rejected: "LE off; switching off while powered; switching on while powered with a static address set or secure connections enabled",
    InvalidParameters: "value above 1",
  },
});

/** Set Static Address, 0x002b, since 1.4. New Settings is sent even if nothing changed. */
export const SetStaticAddress = command("Set Static Address", {
  opcode: 0x002b,
  since: "1.4",
  power: "off",
  parameters: struct({ address: about(bdaddr, { note: "00:00:00:00:00:00 removes it; otherwise the top two bits must be 1" }) }),
  returns: currentSettings,
  causes: { NotSupported: "not LE capable", Rejected: "powered", InvalidParameters: "FF:FF:FF:FF:FF:FF or top bits not 11" },
});

/** Set Scan Parameters, 0x002c, since 1.4. */
export const SetScanParameters = command("Set Scan Parameters", {
  opcode: 0x002c,
  since: "1.4",
  parameters: struct({
    interval: about(u16, { unit: "0.625 ms", range: [4, 16384] }),
    window: about(u16, { unit: "0.625 ms", range: [4, 16384] }),
  }),
  causes: { NotSupported: "not LE capable", InvalidParameters: "interval or window out of 0x0004..0x4000 or window > interval" },
});

/** Set Secure Connections, 0x002d, since 1.5. */
export const SetSecureConnections = command("Set Secure Connections", {
  opcode: 0x002d,
  since: "1.5",
  parameters: struct({ secureConnections: enumerated(u8, SecureConnectionsMode) }),
  returns: currentSettings,
  causes: {
    NotSupported: "neither BR/EDR SC capable nor LE enabled",
    Rejected: "BR/EDR on and SC capable but SSP off",
    InvalidParameters: "value above 2",
  },
});

/** Set Debug Keys, 0x002e, since 1.5. */
export const SetDebugKeys = command("Set Debug Keys", {
  opcode: 0x002e,
  since: "1.5",
  parameters: struct({ debugKeys: enumerated(u8, DebugKeysMode) }),
  returns: currentSettings,
  causes: { InvalidParameters: "value above 2" },
});

/** Set Privacy, 0x002f, since 1.5. Mode 0 wipes the key. */
export const SetPrivacy = command("Set Privacy", {
  opcode: 0x002f,
  since: "1.5",
  power: "off",
  parameters: struct({ privacy: enumerated(u8, PrivacyMode), identityResolvingKey: secret(octets(16)) }),
  returns: currentSettings,
  causes: { NotSupported: "not LE capable", InvalidParameters: "value above 2", Rejected: "powered" },
});

/** Set Wideband Speech, 0x0047, since 1.16. */
export const SetWidebandSpeech = command("Set Wideband Speech", {
  opcode: 0x0047,
  since: "1.16",
  parameters: struct({ widebandSpeech: onOff(OnOff) }),
  returns: currentSettings,
  causes: { NotSupported: "driver without the quirk", InvalidParameters: "value above 1", Rejected: "change while powered" },
});
