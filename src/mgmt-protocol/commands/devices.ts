import { command } from "../declare.ts";
import { about, bits, countOf, enumerated, i8, list, struct, u8, u16, u32 } from "../fields.ts";
import { addrInfo, connectionParameters, connectionSubrate, device } from "../structures.ts";
import { DeviceAction, DeviceFlags } from "../values.ts";

/**
 * Disconnect, 0x0014, since 1.0. No such connection: Disconnected (0x0e) on 6.1.192, NotConnected (0x02) on 6.1.176 and before: accept
 * both. 6.1.176 and before: Busy while another Disconnect is pending on the controller, reply when the link is down, Device Disconnected
 * to the other sockets only. 6.1.192: several may be pending, the reply may come before Device Disconnected, which then goes to all
 * sockets including the issuer. Also succeeds for a connection attempt still under way, which it stops. A device on the auto-connect list
 * comes back at once: Remove Device first.
 */
export const Disconnect = command("Disconnect", {
  opcode: 0x0014,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "address type above 2" },
});

/** Get Connections, 0x0015, since 1.0. Lists only links already announced with Device Connected; SCO links are left out. */
export const GetConnections = command("Get Connections", {
  opcode: 0x0015,
  since: "1.0",
  power: "on",
  returns: struct({ connectionCount: countOf(u16, "connections"), connections: list(addrInfo, "connectionCount") }),
});

/** Block Device, 0x0026, since 1.0. Device Blocked goes to the other sockets. */
export const BlockDevice = command("Block Device", {
  opcode: 0x0026,
  since: "1.0",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "address type above 2", Failed: "already blocked" },
});

/** Unblock Device, 0x0027, since 1.0. 00:00:00:00:00:00 clears the list. */
export const UnblockDevice = command("Unblock Device", {
  opcode: 0x0027,
  since: "1.0",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "address type above 2 or not blocked" },
});

/**
 * Get Connection Information, 0x0031, since 1.6. Failure replies carry the full 10 bytes; only the address counts. Values are cached 1..3
 * s.
 */
export const GetConnectionInformation = command("Get Connection Information", {
  opcode: 0x0031,
  since: "1.6",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: struct({
    ...device,
    rssi: about(i8, { unit: "dBm", invalid: 127 }),
    txPower: about(i8, { unit: "dBm", invalid: 127 }),
    maxTxPower: about(i8, { unit: "dBm", invalid: 127 }),
  }),
  causes: { InvalidParameters: "address type above 2", NotConnected: "not connected" },
});

/**
 * Get Clock Information, 0x0032, since 1.7. All-zero address: NotConnected as well, although described as giving the local clock. Failure
 * replies carry the full 17 bytes.
 */
export const GetClockInformation = command("Get Clock Information", {
  opcode: 0x0032,
  since: "1.7",
  power: "on",
  failure: "complete",
  parameters: addrInfo,
  returns: struct({ ...device, localClock: u32, piconetClock: u32, accuracy: about(u16, { invalid: 65535 }) }),
  causes: { InvalidParameters: "LE address type", NotConnected: "address not all zero and not connected" },
});

/**
 * Add Device, 0x0033, since 1.7. Adding again with another action replaces the action. LE address while the controller is closed (powered
 * off, and not in the roughly 2 s auto-off grace period after it appeared or was left by its user): write() itself fails with ENETDOWN
 * (100), no reply and no event come, yet the entry is stored. Device Added goes to the other sockets, Device Flags Changed to all sockets
 * and before the reply.
 */
export const AddDevice = command("Add Device", {
  opcode: 0x0033,
  since: "1.7",
  failure: "complete",
  parameters: struct({ ...device, action: enumerated(u8, DeviceAction) }),
  returns: addrInfo,
  causes: {
    InvalidParameters:
      "address type above 2, all-zero address or action above 2; BR/EDR with an action other than 1; LE random address that is not static (top bits not 11)",
  },
});

/**
 * Remove Device, 0x0034, since 1.7. 00:00:00:00:00:00 with type 0 removes all (one Device Removed per entry to the other sockets; for LE
 * entries the address type there is 0 public / 1 random, the HCI numbering, a kernel slip).
 */
export const RemoveDevice = command("Remove Device", {
  opcode: 0x0034,
  since: "1.7",
  failure: "complete",
  parameters: addrInfo,
  returns: addrInfo,
  causes: { InvalidParameters: "all-zero address with another type; unknown device or non-identity address" },
});

/**
 * Load Connection Parameters, 0x0035, since 1.7. Bad entries are skipped silently. Drops stored parameters of devices not on the action
 * list first. From management revision 1.23 a single entry also updates a live connection.
 */
export const LoadConnectionParameters = command("Load Connection Parameters", {
  opcode: 0x0035,
  since: "1.7",
  parameters: struct({ paramCount: countOf(u16, "parameters"), parameters: list(connectionParameters, "paramCount") }),
  causes: { NotSupported: "not LE capable", InvalidParameters: "length not 2 + 15 per entry" },
});

/** Get Device Flags, 0x004f, since 1.18. Device not on the action list: CommandComplete InvalidParameters with 15 zero bytes. */
export const GetDeviceFlags = command("Get Device Flags", {
  opcode: 0x004f,
  since: "1.18",
  failure: "complete",
  parameters: addrInfo,
  returns: struct({ ...device, supportedFlags: bits(u32, DeviceFlags), currentFlags: bits(u32, DeviceFlags) }),
});

/** Set Device Flags, 0x0050, since 1.18. Device Flags Changed goes to the other sockets. */
export const SetDeviceFlags = command("Set Device Flags", {
  opcode: 0x0050,
  since: "1.18",
  failure: "complete",
  parameters: struct({ ...device, currentFlags: bits(u32, DeviceFlags) }),
  returns: addrInfo,
  causes: { InvalidParameters: "unsupported flag or unknown device" },
});

/** Load Connection Subrate, 0x005c, since (none stated). First seen in after BlueZ 5.87 (July 2026). */
export const LoadConnectionSubrate = command("Load Connection Subrate", {
  opcode: 0x005c,
  since: "(none stated)",
  parameters: struct({ paramCount: countOf(u16, "parameters"), parameters: list(connectionSubrate, "paramCount") }),
});
