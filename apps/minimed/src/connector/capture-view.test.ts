import { fromHex, toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { redactPumpCapture } from "./capture.ts";

const text = (value: string): string => toHex(Uint8Array.from(value, (character) => character.charCodeAt(0)));

/** An ACL packet on handle 0x40 with a whole ATT PDU. */
function att(pdu: string): Uint8Array {
  const octets = pdu.length / 2;
  return fromHex(`024000${toHex(Uint8Array.of(octets + 4, 0, octets, 0))}0400${pdu}`);
}

/** What a capture sees of the last of these packets. */
function last(...packets: readonly (readonly ["sent" | "received", string])[]): string {
  let shown = "";
  const capture = redactPumpCapture((_direction, packet) => {
    shown = toHex(packet);
  });
  packets.forEach(([direction, pdu], i) => {
    capture(direction, att(pdu), i);
  });
  return shown;
}

const DECLARATION = "0b00020c00252a"; // the value of the serial number is at 0x000c
const read = [
  ["sent", "0a0c00"],
  ["received", `0b${text("AB12")}`],
] as const;
const hidden = toHex(att(`0b${text("AB00")}`));
const plain = toHex(att(`0b${text("AB12")}`));

test("declarations are what answers a question about characteristics, and nothing else that looks like them", () => {
  expect(last(["sent", "080100ffff0328"], ["received", `0907${DECLARATION}`], ...read)).toBe(hidden);
  expect(last(["sent", "080100ffff002a"], ["received", `0907${DECLARATION}`], ...read)).toBe(plain); // values of another type
  expect(last(["sent", "080100ffff0328"], ["received", `1b07${DECLARATION}`], ...read)).toBe(plain); // a notification meanwhile
  expect(last(["received", `0907${DECLARATION}`], ...read)).toBe(plain); // nothing was asked
});

test("digits are hidden after the whole prefix of a name", () => {
  for (const [name, expected] of [
    ["NG7654321H", "NG0000000H"],
    ["NX7654321H", "NX7654321H"],
    ["Pumps7654321", "Pumps7654321"],
    ["Plus 7654321", "Plus 7654321"],
  ] as const)
    expect(last(["received", `1b3000${text(name)}`])).toBe(toHex(att(`1b3000${text(expected)}`)));
});
