import { expect, test } from "vitest";
import { toHex } from "../bytes/hex.ts";
import { OsErrors } from "./errors.ts";
import { checkConfigName, Settings } from "./settings.ts";

const settings = (isStrict = false): Settings => new Settings(new OsErrors(isStrict));
const check = (values: object): unknown => settings().check(values);

test("the defaults", () => {
  const { gapName, ...rest } = settings();
  expect(new TextDecoder().decode(gapName)).toBe("MPY JELLING");
  expect(rest).toEqual({ rxbuf: 128, bond: false, mitm: false, io: 3, leSecure: false, mtu: 256, addrMode: 0 });
  expect(settings(true).leSecure).toBe(true);
});

test("what lasts for one activation goes back to its default, the rest stays", () => {
  const changed = settings();
  Object.assign(changed, { mtu: 100, addrMode: 2, bond: true, io: 1, rxbuf: 500 });
  changed.renew(false);
  expect(changed).toMatchObject({ mtu: 256, addrMode: 1, bond: true, io: 1, rxbuf: 500 });
  changed.renew(true);
  expect(changed).toMatchObject({ addrMode: 0, ownAddress: "public" });
});

test.each([
  [0, "public"],
  [1, "random"],
  [2, "resolvable"],
  [3, "non-resolvable"],
] as const)("address mode %i shows the address %s", (addrMode, kind) => {
  expect(Object.assign(settings(), { addrMode }).ownAddress).toBe(kind);
});

test("values that are taken", () => {
  expect(check({ rxbuf: 16, mtu: 23, addrMode: 0, io: 0, bond: false, mitm: 0, leSecure: 1 })).toEqual({
    rxbuf: 16,
    mtu: 23,
    addrMode: 0,
    io: 0,
    bond: false,
    mitm: false,
    leSecure: true,
  });
  expect(check({ rxbuf: 65535, mtu: 527, addrMode: 3, io: 4, bond: true })).toMatchObject({ rxbuf: 65535, mtu: 527, addrMode: 3, io: 4 });
  expect(check({ mtu: undefined })).toEqual({});
});

test.each([
  ["text", "Ähre", "c384687265"],
  ["octets", Uint8Array.of(0xff, 0x41), "ff41"],
  ["nothing", "", ""],
  ["what stands before a NUL", "ab\0cd", "6162"],
  ["31 octets", "x".repeat(31), "78".repeat(31)],
  ["31 octets before a NUL", `${"x".repeat(31)}\0more`, "78".repeat(31)],
])("a name of %s", (_what, gapName, octets) => {
  expect(toHex((check({ gapName }) as { gapName: Uint8Array }).gapName)).toBe(octets);
});

test.each<[object, object]>([
  [{ rxbuf: 15 }, { pythonName: "ValueError", message: "config: rxbuf 15: expected 16 to 65535 octets" }],
  [{ rxbuf: 65536 }, { pythonName: "ValueError" }],
  [{ mtu: 22 }, { code: "EINVAL", errno: 22, message: "EINVAL: config: mtu 22: expected 23 to 527" }],
  [{ mtu: 528 }, { code: "EINVAL" }],
  [{ addrMode: -1 }, { code: "EINVAL" }],
  [{ addrMode: 4 }, { code: "EINVAL" }],
  [{ io: -1 }, { code: "EINVAL" }],
  [{ io: 5 }, { code: "EINVAL" }],
  [{ gapName: "x".repeat(32) }, { code: "EINVAL", message: "EINVAL: config: gapName of 32 octets: expected at most 31" }],
  [{ gapName: 5 }, { pythonName: "TypeError" }],
  [{ mtu: "100" }, { pythonName: "TypeError", message: "config: mtu: expected a whole number, got a string" }],
  [{ rxbuf: 20.5 }, { pythonName: "TypeError" }],
  [{ bond: "yes" }, { pythonName: "TypeError", message: "config: bond: expected true or false, got a string" }],
  [{ mitm: null }, { pythonName: "TypeError" }],
  [{ leSecure: {} }, { pythonName: "TypeError" }],
  [{ mac: 5 }, { pythonName: "ValueError" }],
  [{ gap_name: "x" }, { pythonName: "ValueError", message: 'unknown config param "gap_name", did you mean "gapName"?' }],
  [{ whatever: 1 }, { pythonName: "ValueError", message: 'unknown config param "whatever"' }],
])("%j is refused", (values, error) => {
  expect(() => check(values)).toThrow(expect.objectContaining(error));
});

test("names", () => {
  for (const name of ["mac", "addrMode", "gapName", "rxbuf", "mtu", "bond", "mitm", "io", "leSecure"])
    expect(() => checkConfigName(name)).not.toThrow();
  for (const name of ["", "le_secure", "toString"]) expect(() => checkConfigName(name)).toThrow(/^unknown config param/);
});
