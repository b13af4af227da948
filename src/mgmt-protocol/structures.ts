import { about, bdaddr, bits, enumerated, lengthOf, octets, secret, slot, struct, u8, u16, u24, u32, u64, uuid128 } from "./fields.ts";
import {
  AddressType,
  AdType,
  BlockedKeyType,
  ControllerBus,
  ControllerType,
  DiscoveryAddressTypes,
  ExperimentalFeatureFlags,
  LinkKeyType,
  LtkType,
  Settings,
} from "./values.ts";

/** Which device: its address and what kind of address it is. */
export const device = { address: bdaddr, addressType: enumerated(u8, AddressType) } as const;

/** A class of device. */
export const classOfDevice = about(u24, { note: "wire order: minor/major byte first, service byte last" });

/** What is discovered, or of whom something is said. */
export const discoveryAddressTypes = struct({ addressTypes: bits(u8, DiscoveryAddressTypes) });

/** What settings commands answer. */
export const currentSettings = struct({ currentSettings: bits(u32, Settings) });

/** A device address and what kind it is. */
export const addrInfo = struct(device);

/** A BR/EDR link key. */
export const linkKey = struct({ ...device, keyType: enumerated(u8, LinkKeyType), value: secret(octets(16)), pinLength: u8 });

/** An LE long term key. */
export const longTermKey = struct({
  ...device,
  keyType: enumerated(u8, LtkType),
  central: about(u8, { note: "1 when the local side was central (initiator) for this key, else 0" }),
  encryptionSize: about(u8, { range: [0, 16] }),
  encryptionDiversifier: u16,
  randomNumber: u64,
  value: secret(octets(16)),
});

/** An identity resolving key and whose it is. */
export const identityResolvingKey = struct({ ...device, value: secret(octets(16)) });

/** What the kernel proposes or accepts for a device. */
export const connectionParameters = struct({
  ...device,
  minConnectionInterval: about(u16, { unit: "1.25 ms", range: [6, 3200] }),
  maxConnectionInterval: about(u16, { unit: "1.25 ms", range: [6, 3200] }),
  connectionLatency: about(u16, { range: [0, 499] }),
  supervisionTimeout: about(u16, { unit: "10 ms", range: [10, 3200] }),
});

/** Subrating for a device. */
export const connectionSubrate = struct({
  ...device,
  minConnectionInterval: about(u16, { unit: "0.125 ms", range: [8, 3200] }),
  maxConnectionInterval: about(u16, { unit: "0.125 ms", range: [8, 3200] }),
  subrateMin: u16,
  subrateMax: u16,
  maxLatency: about(u16, { unit: "subrated connection events" }),
  continuationNumber: u16,
  supervisionTimeout: about(u16, { unit: "10 ms" }),
});

/** A key that is never used. */
export const blockedKey = struct({ keyType: enumerated(u8, BlockedKeyType), value: secret(octets(16)) });

/** A controller of the extended index list. */
export const extendedIndexEntry = struct({
  controllerIndex: u16,
  controllerType: enumerated(u8, ControllerType),
  controllerBus: enumerated(u8, ControllerBus),
});

/** An experimental feature and its state. */
export const experimentalFeature = struct({ uuid: uuid128, flags: bits(u32, ExperimentalFeatureFlags) });

/** Octets at a place of an AD structure; offset + length at most 31. */
export const advertisementPattern = struct({
  adType: enumerated(u8, AdType),
  offset: about(u8, { range: [0, 30] }),
  length: lengthOf(u8, "value"),
  value: about(slot(31, "length"), {
    note: "31-byte slot; only the first length bytes count, the rest is zero; offset + length must not exceed 31",
  }),
});
