import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { readBtsnoop } from "./btsnoop.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";
import type { CaptureDirection } from "./record.ts";
import { Redactor } from "./redact.ts";

const KEY = "000102030405060708090a0b0c0d0e0f".replace("00", "f0");
const ZERO = "00".repeat(16);

function redacted(hex: string, direction: CaptureDirection = "host-to-controller"): string {
  return toHex(new Redactor().redact(direction, fromHex(hex)));
}

test.each([
  ["LE Enable Encryption", `0119201c 4000 1122334455667788 3412 ${KEY}`, `0119201c 4000 1122334455667788 3412 ${ZERO}`],
  ["LE Long Term Key Request Reply", `011a2012 4000 ${KEY}`, `011a2012 4000 ${ZERO}`],
  ["LE Add Device To Resolving List", `01272027 00 060504030201 ${KEY} ${KEY}`, `01272027 00 060504030201 ${ZERO} ${ZERO}`],
  ["LE Encrypt", `01172020 ${KEY} ${KEY}`, `01172020 ${ZERO} ${ZERO}`],
  ["Link Key Request Reply", `010b0416 060504030201 ${KEY}`, `010b0416 060504030201 ${ZERO}`],
  ["User Passkey Request Reply", "012e040a 060504030201 40e20100", "012e040a 060504030201 00000000"],
  ["LE Rand, the answer", "040e0c 01 1820 00 1122334455667788", "040e0c 01 1820 00 0000000000000000"],
  ["LE Encrypt, the answer", `040e14 01 1720 00 ${KEY}`, `040e14 01 1720 00 ${ZERO}`],
  ["LE Generate DHKey Complete", `043e22 09 00 ${KEY}${KEY}`, `043e22 09 00 ${ZERO}${ZERO}`],
  ["Link Key Notification", `041817 060504030201 ${KEY} 04`, `041817 060504030201 ${ZERO} 04`],
  ["User Passkey Notification", "043b0a 060504030201 40e20100", "043b0a 060504030201 00000000"],
  ["Encryption Information", `0240001500 1100 0600 06 ${KEY}`, `0240001500 1100 0600 06 ${ZERO}`],
  ["Identity Information", `0240001500 1100 0600 08 ${KEY}`, `0240001500 1100 0600 08 ${ZERO}`],
  ["Signing Information", `0240001500 1100 0600 0a ${KEY}`, `0240001500 1100 0600 0a ${ZERO}`],
])("%s keeps its form and loses its secret", (_name, packet, expected) => {
  expect(redacted(packet)).toBe(expected.replaceAll(" ", ""));
});

test.each([
  ["Reset", "01030c00"],
  ["LE Set Random Address", "01052006 060504030201"],
  ["an ATT write of 16 octets", `0240001700 1300 0400 12 0300 ${KEY}`],
  ["a Pairing Random", `0240001500 1100 0600 04 ${KEY}`],
  ["Master Identification", "0240000f00 0b00 0600 07 3412 1122334455667788"],
  ["a packet that ends early", "0119"],
  ["an ACL packet without data", "0240000000"],
  ["no packet", ""],
])("%s stays as it is", (_name, packet) => {
  expect(redacted(packet)).toBe(packet.replaceAll(" ", ""));
});

test("a key is found however its PDU is cut into ACL packets, both directions apart", () => {
  const frame = fromHex(`1100 0600 06 ${KEY}`);
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: frame.length - 1 })), (cuts) => {
      const redactor = new Redactor();
      const ends = [...cuts.sort((a, b) => a - b), frame.length];
      let from = 0;
      const parts: Uint8Array[] = [];
      for (const end of ends) {
        const packet = concat(Uint8Array.of(2, 0x40, from === 0 ? 0x00 : 0x10, end - from, 0), frame.subarray(from, end));
        parts.push(redactor.redact("host-to-controller", packet).subarray(5));
        // The other direction of the same link has a frame of its own.
        redactor.redact("controller-to-host", fromHex("0240200700 0300 0400 0a 0300"));
        from = end;
      }
      expect(toHex(concat(...parts))).toBe(`1100060006${ZERO}`);
    }),
  );
});

test("what follows a key in the same frame, and the next frame, are left alone", () => {
  const redactor = new Redactor();
  expect(toHex(redactor.redact("host-to-controller", fromHex(`0240001700 1300 0600 06 ${KEY} aabb`)))).toBe(
    `0240001700130006000${"6"}${ZERO}aabb`,
  );
  expect(toHex(redactor.redact("host-to-controller", fromHex("0240100200 ccdd")))).toBe("0240100200ccdd");
  expect(toHex(redactor.redact("host-to-controller", fromHex("0240000700 0300 0400 0b aabb")))).toBe("0240000700030004000baabb");
});

test("a writer leaves keys out unless asked, and never changes the packet it was given", async () => {
  const packet = fromHex(`011a2012 4000 ${KEY}`);
  const before = toHex(packet);
  for (const secrets of [false, true]) {
    const sink = new MemorySink();
    await using writer = new CaptureWriter(sink, { secrets });
    writer.write("host-to-controller", packet, 5);
    expect(toHex(packet)).toBe(before);
    const [record] = readBtsnoop(sink.bytes());
    expect(toHex(record!.packet).endsWith(secrets ? KEY : ZERO)).toBe(true);
    expect(record!.timeMs).toBe(946_684_800_005);
  }
});

test("a sink that is full costs packets, and the records after them say how many", () => {
  const sink = new MemorySink(16 + 2 * 28);
  const writer = new CaptureWriter(sink);
  for (let i = 0; i < 5; i++) writer.write("host-to-controller", fromHex("01030c00"), i);
  expect([writer.records, writer.dropped]).toEqual([2, 3]);
  expect(readBtsnoop(sink.bytes())).toHaveLength(2);
});

test("any octets pass", () => {
  const redactor = new Redactor();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (packet) => {
      expect(redactor.redact("host-to-controller", packet)).toHaveLength(packet.length);
    }),
  );
});
