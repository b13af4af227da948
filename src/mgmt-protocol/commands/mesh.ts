import { command } from "../declare.ts";
import { about, countOf, enumerated, lengthOf, list, octetsFrom, onOff, orElse, struct, u8, u16, u64 } from "../fields.ts";
import { device } from "../structures.ts";
import { AdType, OnOff } from "../values.ts";

/**
 * Set Mesh Receiver, 0x0057, since 1.21. The range check applies also when disabling. At most 16 types are used; more means no filter.
 * Starting sends Discovering 1 to all sockets, with the address types of the last discovery or 0; while on, Device Found is delivered too.
 * After switching off the controller still counts as discovering: Start Discovery gives Busy, and Pair Device can hang, until Stop
 * Discovery was called.
 */
export const SetMeshReceiver = command("Set Mesh Receiver", {
  opcode: 0x0057,
  since: "1.21",
  parameters: struct({
    enable: onOff(OnOff),
    window: about(u16, { unit: "0.625 ms", range: [4, 16384] }),
    period: about(u16, { unit: "0.625 ms", range: [4, 16384] }),
    numAdTypes: countOf(u8, "adTypes"),
    adTypes: orElse(list(enumerated(u8, AdType), "numAdTypes"), []),
  }),
  causes: {
    NotSupported: "mesh experimental feature off or not LE capable",
    InvalidParameters: "enable above 1, values out of range or window > period",
  },
});

/** Read Mesh Features, 0x0058, since 1.21. MaxHandles 3 with LE on, else 0. Handles of this socket only. */
export const ReadMeshFeatures = command("Read Mesh Features", {
  opcode: 0x0058,
  since: "1.21",
  aliases: ["MeshReadFeatures"],
  returns: struct({ index: u16, maxHandles: u8, usedHandles: countOf(u8, "handles"), handles: list(u8, "usedHandles") }),
  causes: { NotSupported: "mesh experimental feature off" },
});

/**
 * Transmit Mesh Packet, 0x0059, since 1.21. Mesh Packet Transmit Complete goes to all sockets later (also on failure). Uses an internal
 * advertising instance numbered maxInstances + 1 which can surface in Advertising Removed.
 */
export const TransmitMeshPacket = command("Transmit Mesh Packet", {
  opcode: 0x0059,
  since: "1.21",
  aliases: ["MeshSend"],
  power: "on",
  parameters: struct({
    ...device,
    instant: orElse(u64, 0n),
    delay: orElse(about(u16, { unit: "ms" }), 0),
    count: orElse(u8, 1),
    dataLength: about(lengthOf(u8, "data"), { range: [1, 31] }),
    data: octetsFrom("dataLength"),
  }),
  returns: struct({ handle: u8 }),
  causes: {
    NotSupported: "mesh experimental feature off",
    Rejected: "LE off, empty data or more than 31 bytes",
    InvalidParameters: "length mismatch",
    Busy: "3 packets already queued by this socket",
  },
});

/** Cancel Transmit Mesh Packet, 0x005a, since 1.21. Unknown handle still succeeds. */
export const CancelTransmitMeshPacket = command("Cancel Transmit Mesh Packet", {
  opcode: 0x005a,
  since: "1.21",
  aliases: ["MeshSendCancel"],
  parameters: struct({ handle: about(u8, { note: "0 = all of this socket" }) }),
  causes: { NotSupported: "mesh experimental feature off", Rejected: "LE off" },
});
