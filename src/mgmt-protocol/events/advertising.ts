import { event } from "../declare.ts";
import { about, bits, eir, i8, lengthOf, struct, u8, u16, u32, u64 } from "../fields.ts";
import { device } from "../structures.ts";
import { DeviceFoundFlags } from "../values.ts";

/** Advertising Added, 0x0023, since 1.9. */
export const AdvertisingAdded = event("Advertising Added", {
  code: 0x0023,
  since: "1.9",
  delivery: "others",
  parameters: struct({ instance: u8 }),
});

/** Advertising Removed, 0x0024, since 1.9. Goes to all sockets when a timeout or a power off removed it. */
export const AdvertisingRemoved = event("Advertising Removed", {
  code: 0x0024,
  since: "1.9",
  delivery: "others",
  parameters: struct({ instance: u8 }),
});

/** Advertisement Monitor Added, 0x002b, since 1.18. */
export const AdvertisementMonitorAdded = event("Advertisement Monitor Added", {
  code: 0x002b,
  since: "1.18",
  delivery: "others",
  parameters: struct({ monitorHandle: u16 }),
});

/** Advertisement Monitor Removed, 0x002c, since 1.18. */
export const AdvertisementMonitorRemoved = event("Advertisement Monitor Removed", {
  code: 0x002c,
  since: "1.18",
  delivery: "others",
  parameters: struct({ monitorHandle: u16 }),
});

/** Advertisement Monitor Device Found, 0x002f, since 1.18. */
export const AdvertisementMonitorDeviceFound = event("Advertisement Monitor Device Found", {
  code: 0x002f,
  since: "1.18",
  delivery: "all",
  parameters: struct({
    monitorHandle: about(u16, { note: "0 = not a first match, or no offload" }),
    ...device,
    rssi: about(i8, { unit: "dBm", invalid: 127 }),
    flags: bits(u32, DeviceFoundFlags),
    adDataLength: lengthOf(u16, "adData"),
    adData: eir("adDataLength"),
  }),
});

/** Advertisement Monitor Device Lost, 0x0030, since 1.18. */
export const AdvertisementMonitorDeviceLost = event("Advertisement Monitor Device Lost", {
  code: 0x0030,
  since: "1.18",
  delivery: "all",
  parameters: struct({ monitorHandle: u16, ...device }),
});

/** Mesh Device Found, 0x0031, since 1.21. */
export const MeshDeviceFound = event("Mesh Device Found", {
  code: 0x0031,
  since: "1.21",
  delivery: "all",
  parameters: struct({
    ...device,
    rssi: about(i8, { unit: "dBm" }),
    instant: u64,
    flags: bits(u32, DeviceFoundFlags),
    adDataLength: lengthOf(u16, "adData"),
    adData: eir("adDataLength"),
  }),
});

/** Mesh Packet Transmit Complete, 0x0032, since 1.21. */
export const MeshPacketTransmitComplete = event("Mesh Packet Transmit Complete", {
  code: 0x0032,
  since: "1.21",
  delivery: "all",
  parameters: struct({ handle: u8 }),
});
