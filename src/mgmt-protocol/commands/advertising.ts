import { command } from "../declare.ts";
import { about, bits, countOf, i8, lengthOf, list, octetsFrom, orElse, struct, u8, u16, u32 } from "../fields.ts";
import { AdvertisingFlags } from "../values.ts";

/** Read Advertising Features, 0x003d, since 1.9. Lengths are 31 with legacy advertising and 251 with extended advertising. */
export const ReadAdvertisingFeatures = command("Read Advertising Features", {
  opcode: 0x003d,
  since: "1.9",
  returns: struct({
    supportedFlags: bits(u32, AdvertisingFlags),
    maxAdvDataLen: u8,
    maxScanRspLen: u8,
    maxInstances: u8,
    numInstances: countOf(u8, "instances"),
    instances: list(u8, "numInstances"),
  }),
  causes: { Rejected: "not LE capable" },
});

/** Add Advertising, 0x003e, since 1.9. Advertising Added goes to the other sockets, only for a new instance. */
export const AddAdvertising = command("Add Advertising", {
  opcode: 0x003e,
  since: "1.9",
  parameters: struct({
    instance: about(u8, { range: [1, 254] }),
    flags: orElse(bits(u32, AdvertisingFlags), 0),
    duration: orElse(about(u16, { unit: "s", note: "0 = default 2 s" }), 0),
    timeout: orElse(about(u16, { unit: "s", note: "0 = none" }), 0),
    advDataLen: lengthOf(u8, "advData"),
    scanRspLen: lengthOf(u8, "scanRsp"),
    advData: orElse(octetsFrom("advDataLen"), new Uint8Array(0)),
    scanRsp: orElse(octetsFrom("scanRspLen"), new Uint8Array(0)),
  }),
  returns: struct({ instance: u8 }),
  causes: {
    NotSupported: "not LE capable",
    Rejected: "LE off; timeout while not powered",
    InvalidParameters:
      "instance 0 or above maxInstances; length mismatch; unsupported flag or more than one secondary channel flag; data too long for the flags, badly formed, or containing a field the flags manage (Flags, TX power, name, appearance), or Flags in the scan response",
    Busy: "Set Low Energy pending",
  },
});

/**
 * Remove Advertising, 0x003f, since 1.9. Controller closed (as for Add Device): write() fails with ENETDOWN, no reply. One Advertising
 * Removed per instance to the other sockets.
 */
export const RemoveAdvertising = command("Remove Advertising", {
  opcode: 0x003f,
  since: "1.9",
  parameters: struct({ instance: about(u8, { note: "0 = all" }) }),
  returns: struct({ instance: u8 }),
  causes: { InvalidParameters: "unknown instance or none present", Busy: "Set Low Energy pending" },
});

/**
 * Get Advertising Size Information, 0x0040, since 1.11. Flags bits 1..3 cost 3 bytes together, TX power 3, appearance 4 (scan response),
 * local name its own length.
 */
export const GetAdvertisingSizeInformation = command("Get Advertising Size Information", {
  opcode: 0x0040,
  since: "1.11",
  parameters: struct({ instance: about(u8, { range: [1, 254] }), flags: orElse(bits(u32, AdvertisingFlags), 0) }),
  returns: struct({ instance: u8, flags: bits(u32, AdvertisingFlags), maxAdvDataLen: u8, maxScanRspLen: u8 }),
  causes: { Rejected: "not LE capable", InvalidParameters: "instance 0 or above maxInstances, or unsupported flags" },
});

const countsWith = (bit: "ParamDuration" | "ParamTimeout" | "ParamIntervals" | "ParamTxPower") => ({
  countsWith: { field: "flags", bit },
  note: `counts only with the flag ${bit}`,
});

/**
 * Add Extended Advertising Parameters, 0x0054, since 1.19. All fields are always on the wire; a field counts only if its Param flag is
 * set. Without extended advertising the reply always says txPower 127.
 */
export const AddExtendedAdvertisingParameters = command("Add Extended Advertising Parameters", {
  opcode: 0x0054,
  since: "1.19",
  power: "on",
  parameters: struct({
    instance: about(u8, { range: [1, 254] }),
    flags: orElse(bits(u32, AdvertisingFlags), 0),
    duration: orElse(about(u16, { unit: "s", ...countsWith("ParamDuration") }), 0),
    timeout: orElse(about(u16, { unit: "s", ...countsWith("ParamTimeout") }), 0),
    minInterval: orElse(about(u32, { unit: "0.625 ms", range: [32, 16777215], ...countsWith("ParamIntervals") }), 0x0800),
    maxInterval: orElse(about(u32, { unit: "0.625 ms", range: [32, 16777215], ...countsWith("ParamIntervals") }), 0x0800),
    txPower: orElse(
      about(i8, {
        unit: "dBm",
        range: [-127, 20],
        also: 127,
        ...countsWith("ParamTxPower"),
        note: "counts only with the flag ParamTxPower; 127 = the controller chooses",
      }),
      0,
    ),
  }),
  returns: struct({ instance: u8, txPower: about(i8, { unit: "dBm", invalid: 127 }), maxAdvDataLen: u8, maxScanRspLen: u8 }),
  causes: {
    NotSupported: "not LE capable",
    Rejected: "LE off; not powered",
    InvalidParameters: "bad instance or flags",
    Busy: "Set Low Energy pending",
    Failed: "interval or power out of range",
  },
});

/**
 * Add Extended Advertising Data, 0x0055, since 1.19. After Rejected, Busy or bad data the instance is gone. Advertising Added goes to the
 * other sockets.
 */
export const AddExtendedAdvertisingData = command("Add Extended Advertising Data", {
  opcode: 0x0055,
  since: "1.19",
  power: "on",
  parameters: struct({
    instance: about(u8, { range: [1, 254] }),
    advDataLen: lengthOf(u8, "advData"),
    scanRspLen: lengthOf(u8, "scanRsp"),
    advData: orElse(octetsFrom("advDataLen"), new Uint8Array(0)),
    scanRsp: orElse(octetsFrom("scanRspLen"), new Uint8Array(0)),
  }),
  returns: struct({ instance: u8 }),
  causes: {
    InvalidParameters: "lengths beyond the packet; instance unknown; bad data",
    Rejected: "not powered",
    Busy: "Set Low Energy pending",
  },
});
