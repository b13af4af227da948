// What a client keeps of what it learned, and what it forgets.
import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { ClosedError } from "../src/core/error.ts";
import { LogLevel } from "../src/core/logger.ts";
import type { RemoteService } from "../src/gatt/index.ts";
import { createGattPair } from "./support/gatt-pair.ts";
import { battery, code, scripted, sent, serverWith } from "./support/gatt-script.ts";

const low = (handle: number): string => toHex(Uint8Array.of(handle & 0xff, handle >> 8));

/** The GATT service at 1 to 3 with Service Changed at 3, and services 0x180f at 0x10 to 0x15, 0x180a at 0x16 to 0x19. */
function three(request: string): string {
  const start = Number.parseInt(request.slice(4, 6) + request.slice(2, 4), 16);
  const end = Number.parseInt(request.slice(8, 10) + request.slice(6, 8), 16);
  const services = [
    [0x01, "0100 0300 0118"],
    [0x10, "1000 1500 0f18"],
    [0x16, "1600 1900 0a18"],
  ] as const;
  const found = services.filter(([handle]) => handle >= start && handle <= end).map(([, text]) => text);
  if (request.startsWith("10") && request.endsWith("0028") && found.length > 0) return `1106 ${found.join(" ")}`;
  if (request.startsWith("080100")) return "0907 0200 20 0300 052a";
  return `01${request.slice(0, 2)}${request.slice(2, 6)}0a`;
}

test.each<[number, number, number[] | undefined]>([
  [0x04, 0x0f, [0x04, 0x0f]],
  [0x10, 0x10, [0x10, 0x15]],
  [0x0f, 0x10, [0x0f, 0x15]],
  [0x15, 0x15, [0x10, 0x15]],
  [0x16, 0x16, [0x16, 0x19]],
  [0x19, 0x19, [0x16, 0x19]],
  [0x1a, 0x20, [0x1a, 0x20]],
  [0x15, 0x16, [0x10, 0x19]],
  [0x01, 0xffff, [0x01, 0xffff]],
  [0x10, 0x0f, undefined],
])(
  "Service Changed for handles %i to %i: that range is asked for again, services whole, and what is as it was stays",
  async (start, end, asked) => {
    using pair = scripted(three);
    const services = await pair.client.services();
    await services[0]!.characteristics();
    const changes: unknown[] = [];
    pair.client.onServiceChanged((change) => changes.push(change));
    const from = sent(pair, 0x10).length;
    pair.clientChannel.receive(hex(`1d0300${low(start)}${low(end)}`));
    expect(changes).toEqual(asked ? [{ startHandle: start, endHandle: end }] : []);
    await pair.clock.advance(10);
    expect(sent(pair, 0x10)).toHaveLength(from); // nobody has asked for anything yet
    const isGone = async (service: RemoteService): Promise<boolean> => (await code(service.characteristics())) !== "done";
    expect(await Promise.all(services.map(isGone))).toEqual([false, false, false]);
    expect((await pair.client.services()).map((service, i) => service === services[i])).toEqual([true, true, true]);
    const first = sent(pair, 0x10).slice(from)[0];
    expect(first).toBe(asked && `10${low(asked[0]!)}${low(asked[1]!)}0028`);
    const ranges = sent(pair, 0x10)
      .slice(from)
      .map((pdu) => pdu.slice(6, 10));
    expect(new Set(ranges).size).toBe(asked ? 1 : 0);
  },
);

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
    expect(await code(before.characteristics())).toBe("ERR_GATT_CHANGED");
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

test.each<[string, (end: { subscription: AsyncDisposable; close: () => void }) => void, string[]]>([
  ["a subscription that was disposed of", ({ subscription }) => void subscription[Symbol.asyncDispose](), []],
  ["a subscription of a link that was closed, which was told so", ({ close }) => close(), ["end"]],
])("%s by whom the value reached before does not get the value", async (_name, end, told) => {
  using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"] }) });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const values: string[] = [];
  const ends: string[] = [];
  const close = (): void => pair.clientBearer.close(new ClosedError("enough"));
  await characteristic.subscribe((value) => {
    values.push(toHex(value));
    end({ subscription, close });
  });
  const subscription = await characteristic.subscribe(() => values.push("late"), { onEnd: () => ends.push("end") });
  pair.clientChannel.receive(hex(`1b${low(characteristic.valueHandle)}01`));
  expect([values, ends]).toEqual([["01"], told]);
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
