import { event } from "../declare.ts";
import { about, bits, eir, enumerated, i8, lengthOf, onOff, optional, struct, u8, u16, u32 } from "../fields.ts";
import { addrInfo, device } from "../structures.ts";
import { DeviceAction, DeviceFlags, DeviceFoundFlags, DisconnectReason, DiscoveryAddressTypes, OnOff, Status } from "../values.ts";

/** Device Connected, 0x000b, since 1.0. */
export const DeviceConnected = event("Device Connected", {
  code: 0x000b,
  since: "1.0",
  delivery: "all",
  parameters: struct({
    ...device,
    flags: bits(u32, DeviceFoundFlags),
    eirDataLength: lengthOf(u16, "eirData"),
    eirData: eir("eirDataLength"),
  }),
});

/**
 * Device Disconnected, 0x000c, since 1.0. Early kernels send it without the reason octet; goes to the issuer of Disconnect too on 6.1.192.
 */
export const DeviceDisconnected = event("Device Disconnected", {
  code: 0x000c,
  since: "1.0",
  delivery: "others",
  parameters: struct({ ...device, reason: optional(enumerated(u8, DisconnectReason)) }),
});

/** Connect Failed, 0x000d, since 1.0. */
export const ConnectFailed = event("Connect Failed", {
  code: 0x000d,
  since: "1.0",
  delivery: "all",
  parameters: struct({ ...device, status: enumerated(u8, Status) }),
});

/** Device Found, 0x0012, since 1.0. BR/EDR without RSSI is reported as 0 in plain discovery. */
export const DeviceFound = event("Device Found", {
  code: 0x0012,
  since: "1.0",
  delivery: "all",
  parameters: struct({
    ...device,
    rssi: about(i8, { unit: "dBm", invalid: 127 }),
    flags: bits(u32, DeviceFoundFlags),
    eirDataLength: lengthOf(u16, "eirData"),
    eirData: eir("eirDataLength"),
  }),
});

/** Discovering, 0x0013, since 1.0. */
export const Discovering = event("Discovering", {
  code: 0x0013,
  since: "1.0",
  delivery: "all",
  parameters: struct({ addressTypes: bits(u8, DiscoveryAddressTypes), discovering: onOff(OnOff) }),
});

/** Device Blocked, 0x0014, since 1.0. */
export const DeviceBlocked = event("Device Blocked", {
  code: 0x0014,
  since: "1.0",
  delivery: "others",
  parameters: addrInfo,
});

/** Device Unblocked, 0x0015, since 1.0. */
export const DeviceUnblocked = event("Device Unblocked", {
  code: 0x0015,
  since: "1.0",
  delivery: "others",
  parameters: addrInfo,
});

/** Device Added, 0x001a, since 1.7. */
export const DeviceAdded = event("Device Added", {
  code: 0x001a,
  since: "1.7",
  delivery: "others",
  parameters: struct({ ...device, action: enumerated(u8, DeviceAction) }),
});

/** Device Removed, 0x001b, since 1.7. */
export const DeviceRemoved = event("Device Removed", {
  code: 0x001b,
  since: "1.7",
  delivery: "others",
  parameters: addrInfo,
});

/**
 * New Connection Parameter, 0x001c, since 1.7. The prose description and the tracer put Store_Hint before the address; the kernel and the
 * library header put the address first, and the kernel is what one receives.
 */
export const NewConnectionParameter = event("New Connection Parameter", {
  code: 0x001c,
  since: "1.7",
  delivery: "all",
  parameters: struct({
    ...device,
    storeHint: onOff(OnOff),
    minConnectionInterval: about(u16, { unit: "1.25 ms" }),
    maxConnectionInterval: about(u16, { unit: "1.25 ms" }),
    connectionLatency: u16,
    supervisionTimeout: about(u16, { unit: "10 ms" }),
  }),
});

/** Device Flags Changed, 0x002a, since 1.18. Goes to all sockets, issuer included, when caused by Add Device. */
export const DeviceFlagsChanged = event("Device Flags Changed", {
  code: 0x002a,
  since: "1.18",
  delivery: "others",
  parameters: struct({ ...device, supportedFlags: bits(u32, DeviceFlags), currentFlags: bits(u32, DeviceFlags) }),
});

/** Connection Subrate, 0x0033, since (none stated). First seen in after BlueZ 5.87 (July 2026). */
export const ConnectionSubrate = event("Connection Subrate", {
  code: 0x0033,
  since: "(none stated)",
  delivery: "all",
  parameters: struct({
    ...device,
    status: enumerated(u8, Status),
    interval: about(u16, { unit: "0.125 ms" }),
    subrate: u16,
    latency: u16,
    continuationNumber: u16,
    supervisionTimeout: about(u16, { unit: "10 ms" }),
  }),
});
