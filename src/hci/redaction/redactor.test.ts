import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../bytes/index.ts";
import { type HciDirection, Redactor } from "./redactor.ts";

const KEY = "000102030405060708090a0b0c0d0e0f".replace("00", "f0");
const ZERO = "00".repeat(16);

function redacted(hex: string, direction: HciDirection = "host-to-controller"): string {
  return toHex(new Redactor().redact(direction, fromHex(hex)));
}

test.each([
  ["LE Enable Encryption", `0119201c 4000 1122334455667788 3412 ${KEY}`, `0119201c 4000 1122334455667788 3412 ${ZERO}`],
  ["LE Long Term Key Request Reply", `011a2012 4000 ${KEY}`, `011a2012 4000 ${ZERO}`],
  ["LE Add Device To Resolving List", `01272027 00 060504030201 ${KEY} ${KEY}`, `01272027 00 060504030201 ${ZERO} ${ZERO}`],
  ["LE Encrypt", `01172020 ${KEY} ${KEY}`, `01172020 ${ZERO} ${ZERO}`],
  ["LE Create BIG", `0168201f 010203 112233 4455 6677 0801000001 ${KEY}`, `0168201f 010203 112233 4455 6677 0801000001 ${ZERO}`],
  [
    "LE Create BIG Test",
    `01692024 010203 112233 4455 06 7788 99aa 01000002030401 ${KEY}`,
    `01692024 010203 112233 4455 06 7788 99aa 01000002030401 ${ZERO}`,
  ],
  ["LE BIG Create Sync", `016b2018 01 0200 01 ${KEY} 00 1000 01 05`, `016b2018 01 0200 01 ${ZERO} 00 1000 01 05`],
  ["Create Physical Link", `01350413 4020 03 ${KEY}`, `01350413 4020 03 ${ZERO}`],
  ["Accept Physical Link", `01360413 4020 03 ${KEY}`, `01360413 4020 03 ${ZERO}`],
  ["PIN Code Request Reply", `010d0417 060504030201 04 ${KEY}`, `010d0417 060504030201 04 ${ZERO}`],
  ["Remote OOB Data Request Reply", `01300426 060504030201 ${KEY}${KEY}`, `01300426 060504030201 ${ZERO}${ZERO}`],
  ["Write Stored Link Key", `01110c17 01 060504030201 ${KEY}`, `01110c17 01 000000000000 ${ZERO}`],
  [
    "a vendor's command, Android's offload of private addresses",
    `0155fd18 02 ${KEY} 00 060504030201`,
    `0155fd18 00 ${ZERO} 00 000000000000`,
  ],
  ["the answer to a vendor's command", `040e06 01 55fd 01 0203`, `040e06 01 55fd 01 0000`],
  ["a vendor's event", `04ff03 010203`, `04ff03 000000`],
  ["a vendor's LE event", `043e04 ff 010203`, `043e04 ff 000000`],
  ["Read Local OOB Data, the answer", `040e24 01 570c 00 ${KEY}${KEY}`, `040e24 01 570c 00 ${ZERO}${ZERO}`],
  ["Return Link Keys", `041517 01 060504030201 ${KEY}`, `041517 01 000000000000 ${ZERO}`],
  ["User Confirmation Request", "04330a 060504030201 40e20100", "04330a 060504030201 00000000"],
  ["Encryption Information over BR/EDR", `0240001500 1100 0700 06 ${KEY}`, `0240001500 1100 0700 06 ${ZERO}`],
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

test("a continuation whose beginning is not there may be a key, and nothing of it stays", () => {
  const redactor = new Redactor();
  expect(toHex(redactor.redact("controller-to-host", fromHex(`0240101000 ${KEY}`)))).toBe(`0240101000${ZERO}`);
  // The other direction of a link, and another link, have beginnings of their own.
  redactor.redact("host-to-controller", fromHex("0240000600 1100 0400 12 03"));
  expect(toHex(redactor.redact("host-to-controller", fromHex("0240100200 aabb")))).toBe("0240100200aabb");
  expect(toHex(redactor.redact("controller-to-host", fromHex("0240100200 aabb")))).toBe("02401002000000");
  expect(toHex(redactor.redact("host-to-controller", fromHex("0241100200 aabb")))).toBe("02411002000000");
});

test("a capture of more links than are remembered loses data, never a secret", () => {
  const redactor = new Redactor();
  const begin = (handle: number): Uint8Array =>
    redactor.redact("host-to-controller", Uint8Array.of(2, handle & 0xff, handle >> 8, 6, 0, 17, 0, 6, 0, 6, 1));
  for (let handle = 0; handle <= 512; handle++) expect(begin(handle)[10]).toBe(0);
  const end = (handle: number): Uint8Array =>
    redactor.redact("host-to-controller", Uint8Array.of(2, handle & 0xff, (handle >> 8) | 0x10, 2, 0, 1, 2));
  expect(toHex(end(0).subarray(5))).toBe("0000");
  expect(toHex(end(512).subarray(5))).toBe("0000");
});

test("any octets pass", () => {
  const redactor = new Redactor();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (packet) => {
      expect(redactor.redact("host-to-controller", packet)).toHaveLength(packet.length);
    }),
  );
});
