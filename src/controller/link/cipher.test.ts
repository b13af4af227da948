import { expect, test } from "vitest";
import { fromHex, toHex } from "../../bytes/index.ts";
import { reversed } from "../../crypto/index.ts";
import { LinkCipher } from "./cipher.ts";

// Sample data of Vol 6 Part C 1.
const setup = {
  longTermKey: reversed(fromHex("4c68384139f574d836bcf34e9dfb01bf")),
  skd: Uint8Array.from([...reversed(fromHex("acbdcedfe0f10213")), ...reversed(fromHex("0213243546576879"))]),
  iv: Uint8Array.from([...reversed(fromHex("badcab24")), ...reversed(fromHex("deafbabe"))]),
};

test("LL_START_ENC_RSP both ways as in the specification's sample data", () => {
  const central = new LinkCipher({ ...setup, isCentral: true });
  const peripheral = new LinkCipher({ ...setup, isCentral: false });
  const fromCentral = central.encrypt(3, Uint8Array.of(0x06));
  const fromPeripheral = peripheral.encrypt(3, Uint8Array.of(0x06));
  expect(toHex(fromCentral.subarray(2))).toBe("9fcda7f448");
  expect(toHex(fromPeripheral.subarray(2))).toBe("a34c13a415");
  expect(peripheral.decrypt(fromCentral)).toEqual(Uint8Array.of(0x06));
  expect(central.decrypt(fromPeripheral)).toEqual(Uint8Array.of(0x06));
});

test("a data packet as in the specification's sample data", () => {
  const central = new LinkCipher({ ...setup, isCentral: true });
  central.encrypt(3, Uint8Array.of(0x06));
  const data = central.encrypt(2, fromHex("1700636465666768696a6b6c6d6e6f707131323334353637383930"));
  expect(toHex(data)).toBe("021f7a70d66415226df26b17839a060405596bd6564f796b5b9ce6ff32f75a6d33");
});

test("what one end sends does not decrypt as what the other sent", () => {
  const central = new LinkCipher({ ...setup, isCentral: true });
  expect(new LinkCipher({ ...setup, isCentral: true }).decrypt(central.encrypt(2, Uint8Array.of(1)))).toBeUndefined();
});

test("a retransmission's changed sequence bits do not matter, any other change does", () => {
  const central = new LinkCipher({ ...setup, isCentral: true });
  const pdu = central.encrypt(2, Uint8Array.of(1, 2, 3));
  pdu[0]! |= 0x1c;
  expect(new LinkCipher({ ...setup, isCentral: false }).decrypt(pdu)).toEqual(Uint8Array.of(1, 2, 3));
  for (let i = 2; i < pdu.length; i++) {
    const changed = pdu.slice();
    changed[i]! ^= 0x40;
    expect(new LinkCipher({ ...setup, isCentral: false }).decrypt(changed)).toBeUndefined();
  }
  const otherLlid = pdu.slice();
  otherLlid[0]! ^= 3;
  expect(new LinkCipher({ ...setup, isCentral: false }).decrypt(otherLlid)).toBeUndefined();
});
