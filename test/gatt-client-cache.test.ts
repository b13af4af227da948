// What a client keeps of what it learned, and what it forgets.
import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { LogLevel } from "../src/core/logger.ts";
import type { RemoteService } from "../src/gatt/index.ts";
import { createGattPair } from "./support/gatt-pair.ts";
import { battery, code, scripted, sent, serverWith } from "./support/gatt-script.ts";

const low = (handle: number): string => toHex(Uint8Array.of(handle & 0xff, handle >> 8));

/** The GATT service at 1 to 3 with Service Changed at 3, and services 0x180f at 0x10 to 0x15, 0x180a at 0x16 to 0x19. */
function three(request: string): string {
  if (request.startsWith("100100")) return "1106 0100 0300 0118 1000 1500 0f18 1600 1900 0a18";
  if (request.startsWith("080100")) return "0907 0200 20 0300 052a";
  return `01${request.slice(0, 2)}${request.slice(2, 6)}0a`;
}

test.each<[number, number, string[]]>([
  [0x04, 0x0f, []],
  [0x10, 0x10, ["180f"]],
  [0x0f, 0x10, ["180f"]],
  [0x15, 0x15, ["180f"]],
  [0x16, 0x16, ["180a"]],
  [0x19, 0x19, ["180a"]],
  [0x1a, 0x20, []],
  [0x15, 0x16, ["180f", "180a"]],
  [0x01, 0xffff, ["1801", "180f", "180a"]],
])("Service Changed for handles %i to %i forgets the services that they touch", async (start, end, gone) => {
  using pair = scripted(three);
  const services = await pair.client.services();
  await services[0]!.characteristics();
  const changes: unknown[] = [];
  pair.client.onServiceChanged((change) => changes.push(change));
  pair.clientChannel.receive(hex(`1d0300${low(start)}${low(end)}`));
  expect(changes).toEqual([{ startHandle: start, endHandle: end }]);
  const isGone = async (service: RemoteService): Promise<boolean> => (await code(service.characteristics())) === "ERR_STATE";
  const forgotten = await Promise.all(services.map(isGone));
  expect(services.filter((_, i) => forgotten[i]).map(({ uuid }) => uuid.text)).toEqual(gone);
  expect((await pair.client.services()).map((service, i) => service === services[i])).toEqual(forgotten.map((isForgotten) => !isForgotten));
  expect(sent(pair, 0x10)).toHaveLength(4); // asked for again, since services may be there that were not
});

test.each(["1d0300150010 00", "1d03001000", "1d0300100015001a", "1b030010001500", "1d0400 10001500"])(
  "%s is no Service Changed",
  async (pdu) => {
    using pair = scripted(three);
    const [gatt] = await pair.client.services();
    await gatt!.characteristics();
    const changes: unknown[] = [];
    pair.client.onServiceChanged((change) => changes.push(change));
    pair.clientChannel.receive(hex(pdu));
    expect(changes).toEqual([]);
  },
);

test("a service that turns out to end elsewhere is another one", async () => {
  for (const [endHandle, uuid] of [
    ["0900", "0f18"],
    ["0500", "0a18"],
  ]) {
    using pair = scripted((request) => {
      if (request.startsWith("060100")) return "070100 0500";
      if (request.startsWith("100100")) return `1106 0100 ${endHandle} ${uuid}`;
      return `01${request.slice(0, 2)}${request.slice(2, 6)}0a`;
    });
    const before = await pair.client.service(0x180f);
    expect((await pair.client.services())[0]).not.toBe(before);
    expect(await code(before.characteristics())).toBe("ERR_STATE");
  }
});

test("values reach the subscribers of their own characteristic, however they come", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"] }, { uuid: 0x2a1a, properties: ["notify", "indicate"] });
  using pair = createGattPair({ server });
  const [first, second] = await (await pair.client.service(0x180f)).characteristics();
  const values: string[] = [];
  await first!.subscribe((value) => values.push(`first ${toHex(value)}`));
  const subscription = await second!.subscribe((value) => values.push(`second ${toHex(value)}`));
  const [a, b] = [first!, second!].map(({ valueHandle }) => low(valueHandle));
  for (const pdu of [`1b${a}01`, `1b${b}02`, `1b${b}03`, `1b${a}04`, "1bff0005", `1b${a}06`]) pair.clientChannel.receive(hex(pdu));
  expect(values).toEqual(["first 01", "second 02", "second 03", "first 04", "first 06"]);
  await subscription.unsubscribe();
  pair.clientChannel.receive(hex(`1b${b}07`));
  expect(values).toHaveLength(5);
  await second!.subscribe((value) => values.push(`again ${toHex(value)}`));
  pair.clientChannel.receive(hex(`1b${b}08`));
  expect(values.at(-1)).toBe("again 08");
});

test("unsubscribing from what is gone is done at once", async () => {
  using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"] }) });
  const subscription = await (await pair.client.characteristic(0x180f, 0x2a19)).subscribe(() => {});
  pair[Symbol.dispose]();
  await subscription.unsubscribe();
  await subscription[Symbol.asyncDispose]();
});

test("after a subscription of unknown outcome the configuration is written again", async () => {
  const silence = { on: false };
  using pair = scripted((request) => (request.startsWith("12") ? (silence.on ? undefined : "13") : battery(request)));
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const subscription = await characteristic.subscribe(() => {});
  silence.on = true;
  expect(await code(subscription.unsubscribe({ timeoutMs: 100 }))).toBe("ERR_TIMEOUT");
  silence.on = false;
  pair.clientChannel.receive(hex("13"));
  await characteristic.subscribe(() => {});
  expect(sent(pair, 0x12)).toEqual(["1204000100", "1204000000", "1204000100"]);
});

test("a subscription that was refused is known to be off", async () => {
  const answers = ["0112040003", "13"];
  using pair = scripted((request) => (request.startsWith("12") ? answers.shift() : battery(request)));
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  expect(await code(characteristic.subscribe(() => {}))).toBe("ERR_ATT");
  await delay(pair.clock, 1);
  await characteristic.subscribe(() => {});
  expect(sent(pair, 0x12)).toEqual(["1204000100", "1204000100"]);
});

test("an unsubscription that fails is logged, one that the end of the link overtakes is not", async () => {
  const answers = ["13", "0112040003", "13"];
  using pair = scripted((request) => (request.startsWith("12") ? answers.shift() : battery(request)), { logLevel: LogLevel.Info });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const failures = (): string[] => pair.log.filter((line) => line.includes("unsubscribing from handle 3 failed"));
  const subscription = await characteristic.subscribe(() => {});
  await subscription[Symbol.asyncDispose]();
  await delay(pair.clock, 1);
  expect(failures()).toHaveLength(1);
  const again = await characteristic.subscribe(() => {});
  await again[Symbol.asyncDispose]();
  pair[Symbol.dispose]();
  await delay(pair.clock, 1);
  expect(failures()).toHaveLength(1);
});

test("a link without the security that a subscription demands is not written to when that ends", async () => {
  using pair = createGattPair({
    server: serverWith({ uuid: 0x2a19, properties: ["notify"] }),
    client: { elevate: () => expect.unreachable() },
  });
  const bonded = { encrypted: true, authenticated: true, secureConnections: true, keySize: 16, bonded: true };
  pair.secure(bonded);
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const subscription = await characteristic.subscribe(() => {}, { security: { authenticated: true } });
  pair.secure({ ...bonded, authenticated: false });
  await subscription[Symbol.asyncDispose]();
  await delay(pair.clock, 1);
  expect(sent(pair, 0x12)).toEqual(["1204000100"]);
});
