import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/index.ts";
import {
  createMonitorRecord,
  decodeMonitorPayload,
  decodeMonitorRecord,
  encodeMonitorRecord,
  encodeUserLogging,
  type MonitorFields,
  type MonitorRecordName,
} from "./monitor.ts";
import { hciPacketOf, MonitorOpcode, monitorRecordOf } from "./record.ts";

/** Read from the monitor channel of Linux 6.1 with virtual controllers. */
const RECORDS: readonly (readonly [MonitorRecordName, index: number, hex: string, fields: object])[] = [
  [
    "SystemNote",
    0xffff,
    "0c00ffff26004c696e75782076657273696f6e20362e312e302d35362d616d64363420287838365f36342900",
    { text: "Linux version 6.1.0-56-amd64 (x86_64)" },
  ],
  [
    "ControlOpen",
    0xffff,
    "0e00ffff1e000100000002000116000100000010707974686f6e33000000000000000000",
    { cookie: 1, format: 2, version: 1, revision: 22, flags: 1, command: "python3" },
  ],
  ["ControlCommand", 0xffff, "1000ffff0600010000000100", { cookie: 1, code: 1, parameters: fromHex("") }],
  ["ControlEvent", 0xffff, "1100ffff0c00010000000100010000011600", { cookie: 1, code: 1, parameters: fromHex("010000011600") }],
  ["ControlCommand", 0xffff, "1000ffff0600010000000200", { cookie: 1, code: 2, parameters: fromHex("") }],
  ["ControlEvent", 0xffff, "1100ffff0c00030000000100010000011600", { cookie: 3, code: 1, parameters: fromHex("010000011600") }],
  ["NewIndex", 0, "00000000100000000000000000006863693000000000", { type: 0, bus: 0, address: "00:00:00:00:00:00", name: "hci0" }],
  ["OpenIndex", 0, "080000000000", { payload: fromHex("") }],
  ["CommandPacket", 0, "020000000300030c00", { payload: fromHex("030c00") }],
  ["EventPacket", 0, "0300000006000e0401030c00", { payload: fromHex("0e0401030c00") }],
  ["IndexInfo", 1, "0a000100080001000101aa00f105", { address: "00:AA:01:01:00:01", manufacturer: 1521 }],
  ["CloseIndex", 1, "090001000000", { payload: fromHex("") }],
  ["AclTx", 0, "0400000014002a0010000c000500120108000c00180000002a00", { payload: fromHex("2a0010000c000500120108000c00180000002a00") }],
  ["AclRx", 1, "0500010014002a2010000c000500120108000c00180000002a00", { payload: fromHex("2a2010000c000500120108000c00180000002a00") }],
  ["ControlClose", 1, "0f000100040004000000", { cookie: 4 }],
  ["DelIndex", 0, "010000000000", { payload: fromHex("") }],
];

test.each(RECORDS)("%s of adapter %i is read and written: %s", (name, index, hex, fields) => {
  const record = decodeMonitorRecord(fromHex(hex), 1000);
  expect(record).toMatchObject({ opcode: MonitorOpcode[name], index, timeMs: 1000 });
  expect(decodeMonitorPayload(record)).toEqual({ name, fields });
  expect(toHex(encodeMonitorRecord(record))).toBe(hex);
  const made = createMonitorRecord(name, { index, timeMs: 1000, fields: fields as MonitorFields<typeof name> });
  expect(toHex(encodeMonitorRecord(made))).toBe(hex);
});

/** Octets that each kind must have; more come with what has no fixed length. */
const LEAST: Partial<Record<MonitorRecordName, number>> = {
  NewIndex: 16,
  IndexInfo: 8,
  ControlOpen: 30,
  ControlClose: 4,
  ControlCommand: 6,
  ControlEvent: 6,
};

test.each(RECORDS)("%s of adapter %i, cut at every octet, is a DecodeError or shorter text: %s", (name, _index, hex) => {
  const octets = fromHex(hex);
  for (let length = 0; length < octets.length; length++)
    expect(() => decodeMonitorRecord(octets.subarray(0, length), 0)).toThrow(expect.objectContaining({ code: "ERR_DECODE" }));
  const payload = octets.subarray(6);
  for (let length = 0; length < payload.length; length++) {
    const decode = () => decodeMonitorPayload({ opcode: MonitorOpcode[name], payload: payload.subarray(0, length) });
    if (length < (LEAST[name] ?? 0)) expect(decode, `${length}`).toThrow(expect.objectContaining({ code: "ERR_DECODE" }));
    else expect(decode().name).toBe(name);
  }
});

test("a failure names record and field", () => {
  expect(() => decodeMonitorPayload({ opcode: MonitorOpcode.ControlOpen, payload: fromHex("01000000 02") })).toThrow(
    "ControlOpen.format: needs 2 bytes, has 1 at offset 4 of 5",
  );
  expect(() => decodeMonitorRecord(fromHex("0c00 ffff 0300 00"), 0)).toThrow("MonitorRecord: length 3, has 1 octets at offset 6 of 7");
});

test("a record of the logging channel comes out of the monitor as user logging", () => {
  const fields = { priority: 6, identifier: "app", message: "hello" };
  const written = encodeUserLogging(0xffff, fields);
  expect(toHex(written)).toBe("0000ffff0c0006046170700068656c6c6f00");
  const record = { ...decodeMonitorRecord(written, 0), opcode: MonitorOpcode.UserLogging };
  expect(decodeMonitorPayload(record)).toEqual({ name: "UserLogging", fields });
  for (const [hex, problem] of [
    ["", "UserLogging.priority: needs 1 byte"],
    ["06", "UserLogging.identifier: needs 1 byte"],
    ["0604617070", "UserLogging.identifier: needs 4 bytes"],
  ] as const)
    expect(() => decodeMonitorPayload({ opcode: MonitorOpcode.UserLogging, payload: fromHex(hex) })).toThrow(problem);
  expect(() => encodeUserLogging(0xffff, { ...fields, priority: 8 })).toThrow("priority 8: expected 0 (emergency) to 7 (debug)");
  expect(() => encodeUserLogging(0xffff, { ...fields, message: "a\0b" })).toThrow("message: a NUL inside the text");
  expect(() => encodeUserLogging(0xffff, { ...fields, identifier: "x".repeat(255) })).toThrow("identifier: ");
});

test("kinds that are not known pass through", () => {
  const record = decodeMonitorRecord(fromHex("1400 0300 0200 abcd"), 0);
  expect(decodeMonitorPayload(record)).toEqual({ name: undefined, fields: { payload: fromHex("abcd") } });
});

test("HCI packets go from H4 to the monitor's form and back", () => {
  for (const [direction, hex, opcode] of [
    ["host-to-controller", "01030c00", MonitorOpcode.CommandPacket],
    ["controller-to-host", "040e0401030c00", MonitorOpcode.EventPacket],
    ["host-to-controller", "0240000000", MonitorOpcode.AclTx],
    ["controller-to-host", "0240000000", MonitorOpcode.AclRx],
    ["host-to-controller", "03400000", MonitorOpcode.ScoTx],
    ["controller-to-host", "03400000", MonitorOpcode.ScoRx],
    ["host-to-controller", "0540000000", MonitorOpcode.IsoTx],
    ["controller-to-host", "0540000000", MonitorOpcode.IsoRx],
  ] as const) {
    const packet = { direction, packet: fromHex(hex), index: 2, timeMs: 5, originalLength: hex.length / 2, drops: 0 };
    const record = monitorRecordOf(packet)!;
    expect(record).toMatchObject({ opcode, index: 2, timeMs: 5 });
    expect(hciPacketOf(record)).toEqual(packet);
  }
  expect(monitorRecordOf({ direction: "host-to-controller", packet: fromHex("ff00"), timeMs: 0 })).toBeUndefined();
  expect(hciPacketOf({ opcode: MonitorOpcode.SystemNote, index: 0, payload: new Uint8Array(4), timeMs: 0 })).toBeUndefined();
});

test("any payload is read or is a DecodeError", () => {
  fc.assert(
    fc.property(fc.nat(24), fc.uint8Array({ maxLength: 40 }), (opcode, payload) => {
      try {
        decodeMonitorPayload({ opcode, payload });
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_DECODE" });
      }
    }),
  );
});
