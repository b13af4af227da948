import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import {
  commands,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  events,
  NO_CONTROLLER,
} from "../mgmt-protocol/index.ts";
import { readCapture } from "./capture-reader.ts";
import { CaptureRedactor } from "./capture-redactor.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";
import { CaptureDecoder } from "./decoder.ts";
import { packetJson, packetLine } from "./format.ts";
import { createMonitorRecord } from "./monitor.ts";
import { MonitorOpcode, type MonitorRecord, NO_INDEX } from "./record.ts";

const KEY = "f0e1d2c3b4a5968778695a4b3c2d1e0f";
const ADDRESS = "C0:4A:65:6C:6C:04";

const record = (opcode: number, index: number, payload: string | Uint8Array): MonitorRecord => ({
  opcode,
  index,
  payload: typeof payload === "string" ? fromHex(payload) : payload,
  timeMs: 1_700_000_000_000,
});

/** A packet of the management socket as the monitor tells it. */
function management(opcode: number, packet: Uint8Array, cookie = 1): MonitorRecord {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const payload = concat(Uint8Array.of(cookie, 0, 0, 0), packet.subarray(0, 2), packet.subarray(6));
  return record(opcode, view.getUint16(2, true), payload);
}
const sent = (packet: Uint8Array, cookie?: number): MonitorRecord => management(MonitorOpcode.ControlCommand, packet, cookie);
const received = (packet: Uint8Array, cookie?: number): MonitorRecord => management(MonitorOpcode.ControlEvent, packet, cookie);
const opened = (cookie: number, command: string, flags = 1): MonitorRecord =>
  createMonitorRecord("ControlOpen", {
    index: NO_INDEX,
    timeMs: 1_700_000_000_000,
    fields: { cookie, format: 2, version: 1, revision: 22, flags, command },
  });

/** Lines without number and time. */
function linesOf(records: readonly MonitorRecord[], options?: { secrets?: boolean }): string[] {
  const decoder = new CaptureDecoder(options);
  return records.map((each) => packetLine(decoder.decode(each), each.timeMs).slice(20));
}

test("what the monitor tells is told a line a record", () => {
  const lines = linesOf([
    record(MonitorOpcode.SystemNote, NO_INDEX, concat(new TextEncoder().encode("Linux version 6.1.0 (x86_64)"), Uint8Array.of(0))),
    opened(1, "btmgmt"),
    record(MonitorOpcode.NewIndex, 0, "0001 060504030201 6863693000000000"),
    record(MonitorOpcode.IndexInfo, 0, "060504030201 f105"),
    record(MonitorOpcode.OpenIndex, 0, ""),
    record(MonitorOpcode.CommandPacket, 0, "030c00"),
    record(MonitorOpcode.EventPacket, 12, "0e0401030c00"),
    record(MonitorOpcode.VendorDiag, 0, "aabb"),
    record(MonitorOpcode.UserLogging, NO_INDEX, "0604 61707000 68656c6c6f00"),
    record(20, 0, "abcd"),
    record(MonitorOpcode.CloseIndex, 0, ""),
    record(MonitorOpcode.DelIndex, 0, ""),
    record(MonitorOpcode.ControlClose, NO_INDEX, "01000000"),
    record(MonitorOpcode.ControlClose, NO_INDEX, "01000000"),
    record(MonitorOpcode.IndexInfo, 0, "0605"),
  ]);
  expect(lines).toEqual([
    '      = mon   SystemNote text="Linux version 6.1.0 (x86_64)"',
    "      = mon   0x0001 (btmgmt) ControlOpen format=2 (management) version=1 revision=22 flags=0x01 (privileged)",
    'hci0  = mon   NewIndex type=0 (primary) bus=1 (USB) address=01:02:03:04:05:06/public name="hci0"',
    expect.stringMatching(/^hci0 {2}= mon {3}IndexInfo address=01:02:03:04:05:06\/public manufacturer=0x05f1 \(.+\)$/),
    "hci0  = mon   OpenIndex",
    "hci0  > hci   Reset",
    "hci12 < hci   CommandComplete Reset status=Success (0x00)",
    "hci0  = mon   VendorDiag raw=aabb",
    '      = mon   UserLogging priority=6 (info) identifier="app" message="hello"',
    "hci0  = mon   Monitor 0x0014 raw=abcd",
    "hci0  = mon   CloseIndex",
    "hci0  = mon   DelIndex",
    "      = mon   0x0001 (btmgmt) ControlClose",
    "      = mon   0x0001 ControlClose", // closed before: nobody knows whose it was
    "hci0  = mon   Malformed raw=0605 [malformed: IndexInfo.address: needs 6 bytes, has 2 at offset 0 of 2]",
  ]);
});

test("management packets are told with their program, and with names and units", () => {
  const device = { address: ADDRESS, addressType: "LERandom" } as const;
  const lines = linesOf([
    opened(1, "bluetoothd"),
    sent(encodeCommand(commands.setPowered, 0, { powered: true })),
    received(encodeCommandComplete(commands.setPowered, 0, 0, { currentSettings: 0x0010_0081 })),
    received(encodeCommandStatus(commands.setPowered.opcode, 3, 0x11), 7),
    received(encodeCommandStatus(0x0f00, 3, 0x77)),
    sent(encodeCommand(commands.readControllerIndexList, NO_CONTROLLER, {}), 9),
    received(encodeCommandComplete(commands.readControllerIndexList, NO_CONTROLLER, 0, { controllerIndexes: [0, 5] })),
    received(encodeEvent(events.deviceFound, 0, { ...device, rssi: -60, flags: 0, eirData: fromHex("020106 06094a656c6c79") })),
    received(encodeEvent(events.deviceFound, 0, { ...device, rssi: 127, flags: ["NotConnectable"], eirData: fromHex("05") })),
    sent(fromHex("000f 0000 0200 abcd")),
    received(fromHex("000f 0000 0200 abcd")),
    sent(fromHex("0500 0000 0000")),
    sent(concat(fromHex("0500 0000 0200 01"), Uint8Array.of(9))),
    opened(2, "\u001b[2J"),
    sent(encodeCommand(commands.readManagementVersionInformation, NO_CONTROLLER, {}), 2),
    { ...sent(encodeCommand(commands.setPowered, 0, { powered: true })), originalLength: 99 },
    record(MonitorOpcode.ControlCommand, 0, "0100"),
  ]);
  expect(lines.slice(1)).toEqual([
    "hci0  > mgmt  0x0001 (bluetoothd) SetPowered powered=1 (On)",
    expect.stringMatching(
      /^hci0 {2}< mgmt {2}0x0001 \(bluetoothd\) CommandComplete SetPowered status=Success \(0x00\) currentSettings=0x00100081 \(Powered, BREDR, \w+\)$/,
    ),
    "hci3  < mgmt  0x0007 CommandStatus SetPowered status=InvalidIndex (0x11)",
    "hci3  < mgmt  0x0001 (bluetoothd) CommandStatus Command 0x0f00 status=unknown (0x77)",
    "      > mgmt  0x0009 ReadControllerIndexList",
    "      < mgmt  0x0001 (bluetoothd) CommandComplete ReadControllerIndexList status=Success (0x00) controllerIndexes=[0, 5]",
    `hci0  < mgmt  0x0001 (bluetoothd) DeviceFound address=${ADDRESS} addressType=2 (LERandom) rssi=-60 dBm flags=0x00000000 ` +
      'eirData={flags=0x06 (general discoverable, no BR/EDR) name="Jelly"}',
    `hci0  < mgmt  0x0001 (bluetoothd) DeviceFound address=${ADDRESS} addressType=2 (LERandom) rssi=127 (not known) ` +
      "flags=0x00000004 (NotConnectable) eirData={}",
    "hci0  > mgmt  0x0001 (bluetoothd) Command 0x0f00 raw=abcd",
    "hci0  < mgmt  0x0001 (bluetoothd) Event 0x0f00 raw=abcd",
    "hci0  > mgmt  0x0001 (bluetoothd) Malformed raw=050000000000 [malformed: SetPowered.powered: needs 1 byte, has 0 at offset 6 of 6]",
    "hci0  > mgmt  0x0001 (bluetoothd) SetPowered powered=1 (On) surplus=09",
    expect.stringContaining('0x0002 ("\\u001b[2J") ControlOpen'),
    '      > mgmt  0x0002 ("\\u001b[2J") ReadManagementVersionInformation',
    expect.stringContaining("(bluetoothd) Malformed raw=01000000050001 [malformed: the capture holds 7 of 99 octets]"),
    expect.stringContaining("Malformed raw=0100 [malformed: ControlCommand.cookie: needs 4 bytes"),
  ]);
});

test("JSON has adapter, socket, program and the names of numbers", () => {
  const decoder = new CaptureDecoder();
  decoder.decode(opened(1, "btmgmt"));
  expect(packetJson(decoder.decode(received(encodeCommandComplete(commands.setPowered, 0, 0, { currentSettings: 0x81 }))))).toEqual({
    number: 2,
    time: "2023-11-14T22:13:20.000Z",
    timeMs: 1_700_000_000_000,
    index: 0,
    direction: "kernel-to-program",
    layer: "mgmt",
    name: "CommandComplete SetPowered",
    cookie: 1,
    program: "btmgmt",
    fields: { status: "Success", currentSettings: ["Powered", "BREDR"] },
  });
  const found = encodeEvent(events.deviceFound, 0, {
    address: ADDRESS,
    addressType: 2,
    rssi: -60,
    flags: 0,
    eirData: fromHex("06094a656c6c79"),
  });
  expect(packetJson(decoder.decode(received(found))).fields).toMatchObject({
    address: ADDRESS,
    addressType: "LERandom",
    eirData: { raw: "06094a656c6c79", name: "Jelly" },
  });
  expect(packetJson(decoder.decode(record(MonitorOpcode.SystemNote, NO_INDEX, "6100")))).toEqual({
    number: 4,
    time: "2023-11-14T22:13:20.000Z",
    timeMs: 1_700_000_000_000,
    layer: "mon",
    name: "SystemNote",
    fields: { text: "a" },
  });
  // A damaged file may have times that no calendar has.
  expect(packetJson(decoder.decode({ ...record(MonitorOpcode.OpenIndex, 0, ""), timeMs: 9e15 })).time).toBeNull();
});

test("each adapter has links of its own, and they are over when it is closed", () => {
  const connected = "3e13 01 00 4000 00 01 0605040302c1 1800 0000 4800 00";
  const decoder = new CaptureDecoder();
  const peerOf = (index: number): string | undefined =>
    decoder.decode(record(MonitorOpcode.AclRx, index, "4020 0700 0300 0400 0b0048")).peer?.toString();
  decoder.decode(record(MonitorOpcode.EventPacket, 0, connected));
  expect([peerOf(0), peerOf(1)]).toEqual(["C1:02:03:04:05:06/random", undefined]);
  decoder.decode(record(MonitorOpcode.EventPacket, 1, connected.replace("c1", "c2")));
  expect([peerOf(0), peerOf(1)]).toEqual(["C1:02:03:04:05:06/random", "C2:02:03:04:05:06/random"]);
  decoder.decode(record(MonitorOpcode.CloseIndex, 0, ""));
  expect([peerOf(0), peerOf(1)]).toEqual([undefined, "C2:02:03:04:05:06/random"]);
});

const device = { address: ADDRESS, addressType: 1 };
const longTermKey = {
  ...device,
  keyType: 0,
  central: 1,
  encryptionSize: 16,
  encryptionDiversifier: 7,
  randomNumber: 9n,
  value: fromHex(KEY),
};
const linkKey = { ...device, addressType: 0, keyType: 4, value: fromHex(KEY), pinLength: 0 };
const oob = { hash192: fromHex(KEY), randomizer192: fromHex(KEY), hash256: fromHex(KEY), randomizer256: fromHex(KEY) };
const identity = { ...device, value: fromHex(KEY) };
/** The value of a passkey, and how it is on the wire. */
const PASSKEY = 598_916;
const PASSKEY_HEX = "84230900";

const SECRETS: readonly (readonly [name: string, record: MonitorRecord, secret: string])[] = [
  ["Load Link Keys", sent(encodeCommand(commands.loadLinkKeys, 0, { debugKeys: 0, keys: [linkKey, linkKey] })), KEY],
  ["Load Long Term Keys", sent(encodeCommand(commands.loadLongTermKeys, 0, { keys: [longTermKey, longTermKey] })), KEY],
  ["Load IRKs", sent(encodeCommand(commands.loadIdentityResolvingKeys, 0, { keys: [identity] })), KEY],
  ["Load Blocked Keys", sent(encodeCommand(commands.loadBlockedKeys, 0, { keys: [{ keyType: 0, value: fromHex(KEY) }] })), KEY],
  ["Set Privacy", sent(encodeCommand(commands.setPrivacy, 0, { privacy: 1, identityResolvingKey: fromHex(KEY) })), KEY],
  ["PIN Code Reply", sent(encodeCommand(commands.pinCodeReply, 0, { ...device, addressType: 0, pinCode: fromHex(KEY) })), KEY],
  ["User Passkey Reply", sent(encodeCommand(commands.userPasskeyReply, 0, { ...device, passkey: PASSKEY })), PASSKEY_HEX],
  ["Add Remote OOB Data", sent(encodeCommand(commands.addRemoteOutOfBandData, 0, { ...device, ...oob })), KEY],
  ["Read Local OOB Data", received(encodeCommandComplete(commands.readLocalOutOfBandData, 0, 0, oob)), KEY],
  ["New Link Key", received(encodeEvent(events.newLinkKey, 0, { storeHint: 1, key: linkKey })), KEY],
  ["New Long Term Key", received(encodeEvent(events.newLongTermKey, 0, { storeHint: 1, key: longTermKey })), KEY],
  ["New IRK", received(encodeEvent(events.newIdentityResolvingKey, 0, { storeHint: 1, randomAddress: ADDRESS, key: identity })), KEY],
  ["New CSRK", received(encodeEvent(events.newSignatureResolvingKey, 0, { storeHint: 1, ...identity, keyType: 0 })), KEY],
  [
    "User Confirmation Request",
    received(encodeEvent(events.userConfirmationRequest, 0, { ...device, confirmHint: 0, value: PASSKEY })),
    PASSKEY_HEX,
  ],
  ["Passkey Notify", received(encodeEvent(events.passkeyNotify, 0, { ...device, passkey: PASSKEY, entered: 2 })), PASSKEY_HEX],
  ["an HCI command", record(MonitorOpcode.CommandPacket, 0, `1a2012 4000 ${KEY}`), KEY],
  ["an HCI event", record(MonitorOpcode.EventPacket, 0, `3e22 09 00 ${KEY} ${KEY}`), KEY],
  ["a key in an ACL packet", record(MonitorOpcode.AclRx, 0, `4020 1500 1100 0600 06 ${KEY}`), KEY],
];

test.each(SECRETS)("%s: the secret is zeros, and everything else as it was", (_name, given, secret) => {
  const before = toHex(given.payload);
  expect(before).toContain(secret);
  const { payload } = new CaptureRedactor().redact(given);
  expect(toHex(payload)).toBe(before.replaceAll(secret, "0".repeat(secret.length)));
  expect(toHex(given.payload)).toBe(before);
});

test.each(SECRETS)("%s: the secret is printed only where it is asked for", (_name, given, secret) => {
  const shown = (options?: { secrets: boolean }): string => {
    const packet = new CaptureDecoder(options).decode(given);
    return packetLine(packet, 0) + JSON.stringify(packetJson(packet));
  };
  const told = secret === KEY ? new RegExp(`${KEY}|${toHex(fromHex(KEY).reverse())}`) : /598916/;
  expect(shown()).not.toMatch(told);
  expect(shown()).toContain("(redacted)");
  expect(shown({ secrets: true })).toMatch(told);
});

test.each(SECRETS)("%s: cut short at any octet, nothing of the secret stays", (_name, given, secret) => {
  for (let length = 0; length < given.payload.length; length++) {
    const cut = { ...given, payload: given.payload.slice(0, length), originalLength: given.payload.length };
    const { payload } = new CaptureRedactor().redact(cut);
    expect(payload).toHaveLength(length);
    // The beginning of the secret, four of its octets at least, in what was left.
    for (let some = Math.min(secret.length, 8); some <= secret.length; some += 2)
      expect(toHex(payload).endsWith(secret.slice(0, some))).toBe(false);
  }
});

test("keys behind the number of keys that a command claims are zeros, too", () => {
  const command = encodeCommand(commands.loadLongTermKeys, 0, { keys: [longTermKey] });
  command[6] = 0;
  expect(toHex(new CaptureRedactor().redact(sent(command)).payload)).not.toContain(KEY);
});

test.each(["btsnoop", "pcapng"] as const)("a %s file of the monitor keeps everything but the secrets", (format) => {
  for (const secrets of [false, true]) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format, content: "monitor", secrets });
    const given = [opened(1, "btmgmt"), record(MonitorOpcode.CommandPacket, 1, "030c00"), ...SECRETS.map(([, each]) => each)];
    for (const each of given) writer.writeRecord(each);
    const read = readCapture(sink.bytes());
    expect(read).toHaveLength(given.length);
    const all = linesOf(read as MonitorRecord[], { secrets: true }).join("\n");
    expect(all.includes("598916")).toBe(secrets);
    expect(linesOf(read as MonitorRecord[])).toEqual(linesOf(given));
  }
});

test("a capture of HCI packets takes these out of the monitor's records", () => {
  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  for (const each of [opened(1, "btmgmt"), record(MonitorOpcode.CommandPacket, 1, "030c00")]) writer.writeRecord(each);
  expect(readCapture(sink.bytes())).toMatchObject([{ direction: "host-to-controller", packet: fromHex("01030c00") }]);
  expect([writer.records, writer.dropped]).toEqual([1, 0]);
});

test("any records are told", () => {
  const any = fc.record({ opcode: fc.nat(20), index: fc.constantFrom(0, 1, NO_INDEX), payload: fc.uint8Array({ maxLength: 60 }) });
  const control = fc.tuple(fc.constantFrom(16, 17), fc.nat(0x60), fc.uint8Array({ maxLength: 80 })).map(([opcode, code, rest]) => ({
    opcode,
    index: 0,
    payload: Uint8Array.of(1, 0, 0, 0, code, 0, ...rest),
  }));
  fc.assert(
    fc.property(fc.array(fc.oneof(any, control), { maxLength: 12 }), fc.boolean(), (records, secrets) => {
      const decoder = new CaptureDecoder({ secrets });
      for (const each of records) {
        const packet = decoder.decode({ ...each, timeMs: 0 });
        expect(packetLine(packet, 0)).not.toMatch(/\p{C}/u);
        JSON.stringify(packetJson(packet));
      }
    }),
  );
});
