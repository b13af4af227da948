import { expect, test } from "vitest";
import { Address } from "./address.ts";

test("an address reads and prints most significant octet first, and keeps its wire order", () => {
  const address = Address.from("C0:11:22:33:44:55", "random");
  expect([...address.bytes]).toEqual([0x55, 0x44, 0x33, 0x22, 0x11, 0xc0]);
  expect(`${address}`).toBe("C0:11:22:33:44:55/random");
  expect(Address.from(`${address}`).equals(address)).toBe(true);
});

test("the two most significant bits of a random address tell its kind (Vol 6 Part B 1.3.2)", () => {
  expect(Address.from("C0:00:00:00:00:01/random")).toMatchObject({ isStaticRandom: true, isIdentity: true });
  expect(Address.from("40:00:00:00:00:01/random")).toMatchObject({ isResolvablePrivate: true, isIdentity: false });
  expect(Address.from("00:00:00:00:00:01/random")).toMatchObject({ isNonResolvablePrivate: true, isIdentity: false });
  expect(Address.from("C0:00:00:00:00:01/public")).toMatchObject({ isStaticRandom: false, isIdentity: true });
});

test("identity types of HCI fold into public and random", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
  expect(new Address(bytes, 2).equals(new Address(bytes, 0))).toBe(true);
  expect(new Address(bytes, 3).type).toBe(1);
});

test.each(["", "C0:11:22:33:44", "C0:11:22:33:44:5G", "C0:11:22:33:44:55/other", "C011.2233.4455"])("%j is refused", (text) => {
  expect(() => Address.from(text)).toThrow(/expected six octets/);
});

test("an address is read out of the midst of more octets, all six of them", () => {
  const octets = Uint8Array.of(9, 9, 0x55, 0x44, 0x33, 0x22, 0x11, 0xc0, 9);
  const address = new Address(octets, 1, 2);
  octets.fill(0);
  expect(address.toString()).toBe("C0:11:22:33:44:55/random");
  for (const at of [4, 9, 10, Number.NaN]) expect(() => new Address(octets, 1, at)).toThrow("expected 6");
  expect(() => new Address(octets, 1)).toThrow("device address of 9 octets: expected 6");
});

test("octets are shown in upper case, each with two digits", () => {
  expect(new Address(Uint8Array.of(0x0f, 0xab, 0, 0xcd, 0xe1, 0xff), 0).toHex()).toBe("FF:E1:CD:00:AB:0F");
});
