import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { signCounterOf, signPdu } from "./signature.ts";

// Published vectors of the Linux Bluetooth project; its keys are printed least significant octet first.
const csrk = fromHex("611b64ebfbcd1fd372ec9196df425e50");

test.each([["d212001337", 1, "01000000f1871e933c900ff2"]])("Signed Write Command %s, counter %i", (pdu, counter, signature) => {
  expect(toHex(signPdu(csrk, fromHex(pdu), counter))).toBe(signature);
  expect(signCounterOf(fromHex(signature))).toBe(counter);
});

test("every octet of the PDU, the counter and the key is signed", () => {
  const pdu = fromHex("d212001337");
  const good = toHex(signPdu(csrk, pdu, 1)).slice(8);
  const changed = (octets: Uint8Array, at: number): Uint8Array => octets.map((octet, i) => (i === at ? octet ^ 1 : octet));
  for (let at = 0; at < pdu.length; at++) expect(toHex(signPdu(csrk, changed(pdu, at), 1)).slice(8), `octet ${at}`).not.toBe(good);
  for (let at = 0; at < 16; at++) expect(toHex(signPdu(changed(csrk, at), pdu, 1)).slice(8), `key ${at}`).not.toBe(good);
  for (let bit = 0; bit < 32; bit++) expect(toHex(signPdu(csrk, pdu, (1 ^ (1 << bit)) >>> 0)).slice(8), `counter ${bit}`).not.toBe(good);
});

test("counters of 32 bits travel least significant octet first, read in place", () => {
  const signature = signPdu(csrk, fromHex("d20100"), 0xfedcba98);
  expect(toHex(signature.subarray(0, 4))).toBe("98badcfe");
  const within = new Uint8Array(20);
  within.set(signature, 7);
  expect(signCounterOf(within.subarray(7, 19))).toBe(0xfedcba98);
});
