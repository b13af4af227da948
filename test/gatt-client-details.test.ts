import { expect, test } from "vitest";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { createGattPair } from "./support/gatt-pair.ts";
import { battery, code, range, scripted, sent } from "./support/gatt-script.ts";

test("of two who watch every value one may leave", () => {
  using pair = createGattPair();
  const seen: string[] = [];
  const watches = ["a", "b"].map((who) => pair.client.onValue(({ value }) => seen.push(`${who} ${toHex(value)}`)));
  watches[0]![Symbol.dispose]();
  pair.clientChannel.receive(hex("1b090064"));
  watches[1]![Symbol.dispose]();
  pair.clientChannel.receive(hex("1b090065"));
  expect(seen).toEqual(["b 64"]);
});

test("a loop that is aborted while its subscription is not answered ends at once, with the reason", async () => {
  using pair = scripted((request) => (request.startsWith("12") ? undefined : battery(request)), { clientPolicy: { exchangeMtu: "never" } });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const abort = new AbortController();
  const first = characteristic.notifications({ signal: abort.signal }).next();
  await pair.clock.advance(100);
  expect(sent(pair, 0x12)).toHaveLength(1);
  const at = pair.clock.now();
  abort.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect(pair.clock.now()).toBe(at);
});

test("a loop that demands more than the link has subscribes to nothing", async () => {
  using pair = scripted((request) => (request.startsWith("12") ? "13" : battery(request)), { clientPolicy: { exchangeMtu: "never" } });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const loop = characteristic.notifications({ security: { encrypted: true } });
  expect(await code(loop.next())).toBe("ERR_INSUFFICIENT_SECURITY");
  expect(await loop.next()).toEqual({ value: undefined, done: true });
  expect(sent(pair, 0x12)).toEqual([]);
});

test.each([
  ["octets", (request: string) => `17${request.slice(2, -2)}ff`],
  ["a length", (request: string) => `17${request.slice(2, -2)}`],
  ["a handle", (request: string) => `170400${request.slice(6)}`],
  ["a handle's high octet", (request: string) => `170301${request.slice(6)}`],
  ["an offset", (request: string) => `17${request.slice(2, 6)}ff00${request.slice(10)}`],
  ["an offset's high octet", (request: string) => `17${request.slice(2, 8)}01${request.slice(10)}`],
])("a part of a long write that comes back with %s changed ends the write, is named, and is cancelled", async (_what, falsify) => {
  using pair = scripted(
    (request) => {
      if (request.startsWith("16")) return request.slice(6, 8) === "12" ? falsify(request) : `17${request.slice(2)}`;
      return request.startsWith("18") ? "19" : battery(request);
    },
    { clientPolicy: { exchangeMtu: "never" } },
  );
  await expect(pair.client.write(3, range(60))).rejects.toThrow("for handle 3, offset 18");
  await pair.clock.advance(100);
  expect(sent(pair, 0x16)).toHaveLength(2);
  expect(sent(pair, 0x18)).toEqual(["1800"]);
});
