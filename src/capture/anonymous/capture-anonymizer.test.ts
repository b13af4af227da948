import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../../bytes/index.ts";
import { createMonitorRecord } from "../monitor.ts";
import { MonitorOpcode, type MonitorRecord } from "../record.ts";
import { CaptureAnonymizer } from "./capture-anonymizer.ts";

const TO = "host-to-controller";
const FROM = "controller-to-host";
type Direction = typeof TO | typeof FROM;

/** Packets in order, through one anonymizer. */
function anonymize(...packets: readonly (readonly [Direction, string])[]): string[] {
  const anonymizer = new CaptureAnonymizer();
  return packets.map(([direction, hex]) => {
    const packet = fromHex(hex);
    const before = toHex(packet);
    const record = anonymizer.anonymize({ direction, packet, timeMs: 0, originalLength: packet.length, drops: 0 });
    expect(toHex(packet)).toBe(before);
    return toHex(record.packet);
  });
}
const plain = (hex: string): string => hex.replaceAll(" ", "");
const acl = (pdu: string, cid = "0400"): string => {
  const length = fromHex(pdu).length.toString(16).padStart(2, "0");
  const whole = (fromHex(pdu).length + 4).toString(16).padStart(2, "0");
  return plain(`024000 ${whole}00 ${length}00 ${cid} ${pdu}`);
};

test.each([
  ["Reset", "01030c00", "01030c00"],
  ["LE Set Random Address", "01052006 665544332 2d1", "01052006 0100000000c0"],
  [
    "LE Create Connection",
    "010d2019 60003000 00 01 66554433 22d1 00 1800 2800 0000 2a00 0000 0000",
    "010d2019 60003000 00 01 0100000000c0 00 1800 2800 0000 2a00 0000 0000",
  ],
  [
    "LE Set Advertising Data, whose padding goes too",
    `01082020 09 0201060509 4a616e65 ${"aa".repeat(22)}`,
    `01082020 09 0201060509 78787878 ${"00".repeat(22)}`,
  ],
  ["LE Set Host Channel Classification", "01142005 ffffffff1f", "01142005 ffffffff1f"],
  ["an undeclared command: Write Local Name", "01130c04 4a616e65", "01130c04 00000000"],
  ["a declared command of the wrong length", "01052007 665544332 2d1 00", "01052007 0100000000c0 00"],
  ["a declared command that is cut", "01052003 665544", "01052003 000000"],
] as const)("command: %s", (_name, packet, expected) => {
  expect(anonymize([TO, plain(packet)])[0]).toBe(plain(expected));
});

test.each([
  ["Command Complete of Read BD_ADDR", "040e0a 01 0910 00 665544332211", "040e0a 01 0910 00 010000000000"],
  ["of a command that is not declared: Read Local Name", "040e08 01 140c 00 4a616e65", "040e08 01 140c 00 00000000"],
  ["of what names nobody: Read Local Supported Commands", `040e44 01 0210 00 ${"a5".repeat(64)}`, `040e44 01 0210 00 ${"a5".repeat(64)}`],
  ["an LE event that is not declared", "043e08 77 665544332211 01", "043e08 77 000000000000 00"],
  ["LE Long Term Key Request", "043e0d 05 4000 1122334455667788 3412", "043e0d 05 4000 1122334455667788 3412"],
  ["with a status alone", "040e04 01 0910 0c", "040e04 01 0910 0c"],
  ["of an address that is none", "040e0a 01 0910 00 000000000000", "040e0a 01 0910 00 000000000000"],
  [
    "LE Connection Complete",
    "043e13 01 00 4000 00 01 6655443322 71 1800 0000 4800 00",
    "043e13 01 00 4000 00 01 0100000000 40 1800 0000 4800 00",
  ],
  ["Disconnection Complete", "040504 00 4000 13", "040504 00 4000 13"],
  ["an event that is not declared: Remote Name Request Complete", "04070c 00 665544332211 4a616e6500", `04070c ${"00".repeat(12)}`],
  [
    "LE Advertising Report: flags and services stay, a name becomes x, service and manufacturer data lose their values",
    "043e26 02 01 00 00 665544332211 1a 020106 03031818 05094a616e65 05164a18 2a2b 06ff0601 010203 c4",
    "043e26 02 01 00 00 010000000000 1a 020106 03031818 050978787878 05164a18 0000 06ff0601 000000 c4",
  ],
  [
    "advertising data that is no structure goes whole",
    "043e0f 02 01 00 00 665544332211 03 0e094a c4",
    "043e0f 02 01 00 00 010000000000 03 000000 c4",
  ],
  [
    "target addresses and unknown structures",
    "043e18 02 01 00 00 665544332211 0c 0717aabbccddeeff 03aa0102 c4",
    "043e18 02 01 00 00 010000000000 0c 07170200000000c0 03aa0000 c4",
  ],
] as const)("event: %s", (_name, packet, expected) => {
  expect(anonymize([FROM, plain(packet)])[0]).toBe(plain(expected));
});

test("one address has one pseudonym in the whole capture, and the kind of address stays", () => {
  const [first, second, again] = anonymize(
    [TO, plain("01052006 665544332 2d1")],
    [TO, plain("01052006 665544332 251")],
    [TO, plain("01052006 665544332 2d1")],
  );
  expect([first, second, again]).toEqual(["010520060100000000c0", "01052006020000000040", "010520060100000000c0"]);
});

test.each([
  ["Error Response", "01 0a 0300 05", "01 0a 0300 05"],
  ["Exchange MTU Request", "02 f700", "02 f700"],
  ["Read Response", "0b aabbcc", "0b 000000"],
  ["Read Blob Response", "0d aabbcc", "0d 000000"],
  ["Read Multiple Response", "0f aabbcc", "0f 000000"],
  ["Write Request", "12 0300 aabb", "12 0300 0000"],
  ["Write Command", "52 0300 aabb", "52 0300 0000"],
  ["Signed Write Command", "d2 0300 aabb ccdd", "d2 0300 0000 0000"],
  ["Prepare Write Request", "16 0300 1000 aabb", "16 0300 1000 0000"],
  ["Prepare Write Response", "17 0300 1000 aabb", "17 0300 1000 0000"],
  ["Execute Write Request", "18 01", "18 01"],
  ["Handle Value Notification", "1b 0300 aabb", "1b 0300 0000"],
  ["Handle Value Indication", "1d 0300 aabb", "1d 0300 0000"],
  ["Find By Type Value Request for a service", "06 0100 ffff 0028 1818", "06 0100 ffff 0028 1818"],
  ["Find By Type Value Request for a value", "06 0100 ffff 002a 4a61", "06 0100 ffff 002a 0000"],
  ["Read By Group Type Response", "11 06 0100 0500 0018", "11 06 0100 0500 0018"],
  ["Read By Type Response to nobody knows what", "09 04 0300 aabb 0500 ccdd", "09 04 0300 0000 0500 0000"],
  ["Read Multiple Variable Response", "21 0200 aabb 0100 cc 0000", "21 0200 0000 0100 00 0000"],
  ["Multiple Handle Value Notification", "23 0300 0200 aabb 0500 0100 cc", "23 0300 0200 0000 0500 0100 00"],
  ["an opcode that is not known", "77 aabb", "77 0000"],
])("ATT %s", (_name, pdu, expected) => {
  expect(anonymize([FROM, acl(pdu)])[0]).toBe(acl(expected));
  // And cut into packets of one octet.
  const whole = fromHex(acl(pdu)).subarray(5);
  const parts = Array.from(whole, (octet, i): [Direction, string] => [
    FROM,
    toHex(Uint8Array.of(2, 0x40, i === 0 ? 0x20 : 0x10, 1, 0, octet)),
  ]);
  expect(
    anonymize(...parts)
      .map((hex) => hex.slice(10))
      .join(""),
  ).toBe(acl(expected).slice(10));
});

test("declarations that Read By Type asked for stay, once, and other types' values go", () => {
  const declaration = acl("09 07 0200 02 0300 002a");
  const [, kept, lost, , value] = anonymize(
    [TO, acl("08 0100 ffff 0328")],
    [FROM, declaration],
    [FROM, declaration], // its request is not in the capture
    [TO, acl("08 0100 ffff 002a")],
    [FROM, acl("09 06 0300 4a616e65")],
  );
  expect(kept).toBe(declaration);
  expect(lost).toBe(acl("09 07 0200 00 0000 0000"));
  expect(value).toBe(acl("09 06 0300 00000000"));
});

test.each([
  ["of includes stays", "0228", true],
  ["of services stays, which nobody asks for by this request", "0028", false],
  ["of a type of 128 bits goes", "fb349b5f80000080001000000328 0000", false],
])("the answer to Read By Type %s", (_name, type, kept) => {
  const answer = acl("09 08 0200 0500 0900 1018");
  const [, shown] = anonymize([TO, acl(`08 0100 ffff ${type}`)], [FROM, answer]);
  expect(shown === answer).toBe(kept);
});

test("a Client Characteristic Configuration is told by its whole type, in the format of short types, and its value has two octets", () => {
  const write = acl("12 0400 0100");
  const after = (found: string, sent = write): string => anonymize([FROM, acl(found)], [TO, sent])[1]!;
  expect(after("05 01 0300 0128 0400 0229")).toBe(write);
  expect(after("05 01 0400 0228")).not.toBe(write);
  expect(after("05 01 0400 0129")).not.toBe(write);
  expect(after("05 01 0401 0229")).not.toBe(write);
  expect(after(`05 02 0400 0229 ${"00".repeat(14)}`)).not.toBe(write);
  expect(after(`05 02 0400 ${"00".repeat(12)} 0229`)).not.toBe(write);
  expect(after("05 01 0400 0229", acl("12 0400 010000"))).toBe(acl("12 0400 000000"));
});

test.each([
  ["LE Connection Complete", "043e13 01 00 4000 00 01 665544332271 1800 0000 4800 00"],
  ["LE Enhanced Connection Complete", `043e1f 0a 00 4000 00 01 665544332271 ${"00".repeat(12)} 1800 0000 4800 00`],
  ["Disconnection Complete", "040504 00 4000 13"],
])("%s of a handle forgets its attributes, and only of that handle", (_name, event) => {
  const write = acl("12 0400 0100");
  const found: [Direction, string] = [FROM, acl("05 01 0400 0229")];
  expect(anonymize(found, [FROM, plain(event)], [TO, write])[2]).toBe(acl("12 0400 0000"));
  expect(anonymize(found, [FROM, plain(event.replace("00 4000", "00 4100"))], [TO, write])[2]).toBe(write);
  expect(anonymize(found, [FROM, "04130501400001 00".replace(" ", "")], [TO, write])[2]).toBe(write);
});

test("links of two adapters with one handle are two", () => {
  const anonymizer = new CaptureAnonymizer();
  const show = (index: number, direction: Direction, hex: string): string => {
    const packet = fromHex(hex);
    return toHex(anonymizer.anonymize({ index, direction, packet, timeMs: 0, originalLength: packet.length, drops: 0 }).packet);
  };
  show(0, FROM, acl("05 01 0400 0229"));
  expect(show(1, TO, acl("12 0400 0100"))).toBe(acl("12 0400 0000"));
  expect(show(0, TO, acl("12 0400 0100"))).toBe(acl("12 0400 0100"));
});

test("a write to a Client Characteristic Configuration that discovery found stays; after the link a handle means nothing", () => {
  const write = acl("12 0400 0100");
  const without = acl("12 0400 0000");
  const results = anonymize(
    [TO, write],
    [FROM, acl("05 01 0300 012a 0400 0229")],
    [TO, write],
    [FROM, write], // the other side's attributes are others
    [TO, acl("12 0300 0100")],
    [FROM, "0405040040 0013".replace(" ", "")],
    [TO, write],
  );
  expect(results[0]).toBe(without);
  expect(results[2]).toBe(write);
  expect(results[3]).toBe(without);
  expect(results[4]).toBe(acl("12 0300 0000"));
  expect(results[6]).toBe(without);
});

test("Security Manager: an identity address has its pseudonym, a cut one goes; keys are gone; the rest stays", () => {
  const identity = acl("09 00 665544332211", "0600");
  const results = anonymize(
    [TO, identity],
    [FROM, acl(`08 ${"ab".repeat(16)}`, "0600")],
    [FROM, acl("01 03 00 01 10 00 00", "0600")],
    [TO, plain("024000 0900 0800 0600 09 00 665544")],
    [TO, plain("024010 0300 332211")],
  );
  expect(results[0]).toBe(acl("09 00 010000000000", "0600"));
  expect(results[1]).toBe(acl(`08 ${"00".repeat(16)}`, "0600"));
  expect(results[2]).toBe(acl("01 03 00 01 10 00 00", "0600"));
  expect(results.slice(3)).toEqual([plain("024000 0900 0800 0600 09 00 000000"), plain("024010 0300 000000")]);
});

test("channels of the application, audio, and continuations of nothing keep no data; signalling stays", () => {
  expect(anonymize([TO, acl("aabb", "4000")])[0]).toBe(acl("0000", "4000"));
  expect(anonymize([TO, plain("0240100200 aabb")])[0]).toBe("02401002000000");
  expect(anonymize([TO, plain("03010002 aabb")])[0]).toBe("030100020000");
  expect(anonymize([TO, plain("0501000200 aabb")])[0]).toBe("05010002000000");
  const signalling = acl("12 01 0800 0600 0c00 0000 c800", "0500");
  expect(anonymize([TO, signalling])[0]).toBe(signalling);
});

const monitor = (opcode: number, payload: string): MonitorRecord => ({ opcode, index: 0, payload: fromHex(payload), timeMs: 0 });
test.each([
  ["New Index", monitor(MonitorOpcode.NewIndex, "00 01 665544332211 6863693000000000"), "00 01 010000000000 6863693000000000"],
  ["Index Info", monitor(MonitorOpcode.IndexInfo, "665544332211 0200"), "010000000000 0200"],
  ["System Note", createMonitorRecord("SystemNote", { index: 0, timeMs: 0, fields: { text: "Jane" } }), "7878787800"],
  [
    "User Logging",
    createMonitorRecord("UserLogging", { index: 0, timeMs: 0, fields: { priority: 6, identifier: "bluetoothd", message: "Jane" } }),
    `06 0b ${toHex(new TextEncoder().encode("bluetoothd"))} 00 78787878 00`,
  ],
  ["Vendor Diag", monitor(MonitorOpcode.VendorDiag, "aabb"), "0000"],
  ["a record that is not known", monitor(77, "aabb"), "0000"],
  ["an HCI packet", monitor(MonitorOpcode.EventPacket, "0e0a0109100066 5544332211".replace(" ", "")), "0e0a01091000010000000000"],
  // cookie, code, parameters
  [
    "a management command with an address: Disconnect",
    monitor(MonitorOpcode.ControlCommand, "01000000 1400 665544332211 01"),
    "01000000 1400 010000000000 01",
  ],
  [
    "a management event with a name: Local Name Changed",
    monitor(MonitorOpcode.ControlEvent, `01000000 0800 4a616e65${"00".repeat(245)} 4a61${"00".repeat(9)}`),
    `01000000 0800 78787878${"00".repeat(245)} 7878${"00".repeat(9)}`,
  ],
  [
    "Device Found",
    monitor(MonitorOpcode.ControlEvent, "01000000 1200 665544332211 00 c4 00000000 0900 020106 05094a616e65"),
    "01000000 1200 010000000000 00 c4 00000000 0900 020106 050978787878",
  ],
  [
    "the answer to Read Controller Information",
    monitor(MonitorOpcode.ControlEvent, `01000000 0100 0400 00 665544332211 0a 0200 ffffffff 01000000 000000 4a616e65${"00".repeat(256)}`),
    `01000000 0100 0400 00 010000000000 0a 0200 ffffffff 01000000 000000 78787878${"00".repeat(256)}`,
  ],
  [
    "a name with something behind its NUL",
    monitor(MonitorOpcode.ControlCommand, `01000000 0f00 4a6100 4a616e65${"00".repeat(242)} ${"00".repeat(11)}`),
    `01000000 0f00 787800 00000000${"00".repeat(242)} ${"00".repeat(11)}`,
  ],
  ["a management command that is not known", monitor(MonitorOpcode.ControlCommand, "01000000 ff7f aabb"), "01000000 ff7f 0000"],
  ["a management packet that is cut", monitor(MonitorOpcode.ControlCommand, "01000000 1400 6655"), "01000000 1400 0000"],
])("monitor: %s", (_name, record, expected) => {
  expect(toHex(new CaptureAnonymizer().anonymize(record).payload)).toBe(plain(expected));
});

test("whatever the octets, a packet keeps its type and its length", () => {
  const anonymizer = new CaptureAnonymizer();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (packet, out) => {
      const record = { direction: out ? TO : FROM, packet, timeMs: 0, originalLength: packet.length, drops: 0 } as const;
      const { packet: shown } = anonymizer.anonymize(record);
      expect([shown.length, shown[0]]).toEqual([packet.length, packet[0]]);
    }),
  );
});
