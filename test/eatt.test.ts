import { expect, test } from "vitest";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import type { CreditBasedChannel } from "../src/index.ts";
import { AttError } from "../src/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const EATT = 0x27;
const SERVICE = 0xff10;
const VALUE = 0xff11;
const OTHER = 0xff12;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A phone (central) that speaks PDUs on raw channels, and a sensor that serves; the link is encrypted. */
async function raw(options: { sensor?: SimulatedDeviceOptions; isPaired?: boolean } = {}) {
  const air = new SimulatedAir({ seed: 1 });
  const pairing = { secureConnections: false }; // quicker here
  const { central, peripheral } = await air.connectedPair({ central: { pairing }, peripheral: { name: "sensor", ...options.sensor } });
  if (options.isPaired ?? true) await central.connection.pair();
  await air.advance(200);
  const { gattServer } = peripheral.device;
  return { air, central, peripheral, gattServer, [Symbol.asyncDispose]: () => air[Symbol.asyncDispose]() };
}

/** Asks on a channel and waits for the answer. */
async function ask(channel: CreditBasedChannel, pdu: string): Promise<string> {
  const answer = channel.receive({ timeoutMs: 40_000 });
  await channel.send(hex(pdu));
  return toHex((await answer) ?? new Uint8Array(0));
}

const open = (p: Awaited<ReturnType<typeof raw>>, count: number, mtu = 247) =>
  p.central.connection.l2cap.connectSeveral(EATT, { count, mtu, mps: mtu });

test("five bearers are taken on an encrypted link, each with the lesser MTU of both sides; a sixth is not", async () => {
  await using p = await raw();
  const channels = await open(p, 5, 100);
  expect(channels.map(({ mode, mtu, peerMtu }) => [mode, mtu, peerMtu])).toEqual(Array(5).fill(["enhanced", 100, 247]));
  expect(p.peripheral.connection.bearers.map(({ mtu, isEnhanced }) => [mtu, isEnhanced])).toEqual([
    [23, false],
    ...Array(5).fill([100, true]),
  ]);
  expect(p.peripheral.connection.bearers[0]).toBe(p.peripheral.connection.att);
  await expect(open(p, 1)).rejects.toMatchObject({ code: "ERR_L2CAP_REFUSED", resultName: "NoResources" });
  await channels[2]!.close();
  expect(p.peripheral.connection.bearers).toHaveLength(5);
  // Of two one has room.
  expect(await open(p, 2)).toHaveLength(1);
  // All are served, in any order and at once.
  const answers = await Promise.all(channels.toSpliced(2, 1).map((channel) => ask(channel, "0a0300")));
  expect(new Set(answers)).toEqual(new Set([`0b${toHex(text("sensor"))}`]));
});

test("refused: a link in the clear, the other mode, a policy that says never, a server without a GATT service", async () => {
  await using clear = await raw({ isPaired: false });
  const { l2cap } = clear.central.connection;
  // Not for want of authentication: a peer that pairs on its own when it hears of that would ask its user for these bearers.
  await expect(open(clear, 1)).rejects.toMatchObject({ resultName: "NoResources" });
  await clear.central.connection.pair();
  await expect(l2cap.connect(EATT)).rejects.toMatchObject({ resultName: "SpsmNotSupported" });
  await expect(l2cap.connectSeveral(EATT, { count: 1 })).resolves.toHaveLength(1);
  await using never = await raw({ sensor: { policy: { eatt: "never" } } });
  await expect(open(never, 3)).rejects.toMatchObject({ resultName: "SpsmNotSupported" });
  expect(never.gattServer.characteristic(0x1801, 0x2b3a)).toBeUndefined();
  await using empty = await raw({ sensor: { gattServer: "empty" } });
  await expect(open(empty, 1)).rejects.toMatchObject({ resultName: "SpsmNotSupported" });
});

test("Server Supported Features says so (Vol 3 Part G 7.4)", async () => {
  await using p = await raw({ isPaired: false });
  expect(p.gattServer.characteristic(0x1801, 0x2b3a)?.value).toEqual(Uint8Array.of(1));
  expect(await p.central.gatt.readByUuid(0x2b3a)).toMatchObject([{ value: Uint8Array.of(1) }]);
});

test("a program cannot listen to SPSM 0x27, and is told why", async () => {
  await using p = await raw();
  expect(() => p.peripheral.device.l2cap.listen(EATT)).toThrow(/enhanced ATT bearers, which the host takes itself/);
  expect(() => p.central.device.l2cap.listen(EATT)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
});

test("an MTU exchange on an enhanced bearer is refused, and changes neither bearer (Vol 3 Part F 3.4.2)", async () => {
  await using p = await raw();
  const [channel] = await open(p, 1, 100);
  expect(await ask(channel!, "020002")).toBe("0102000006");
  expect(await ask(channel!, "02")).toBe("0102000006");
  expect(p.peripheral.connection.bearers.map(({ mtu }) => mtu)).toEqual([23, 100]);
  expect(await p.central.gatt.exchangeMtu()).toBe(247);
  expect(await ask(channel!, "020002")).toBe("0102000006");
  expect(p.peripheral.connection.bearers.map(({ mtu }) => mtu)).toEqual([247, 100]);
});

test("a response is cut to the MTU of its bearer, and a reconfigured channel has another", async () => {
  await using p = await raw();
  const value = Uint8Array.from({ length: 300 }, (_, i) => i);
  const handle = p.gattServer.add({ uuid: VALUE, value });
  const read = `0a${toHex(Uint8Array.of(handle, 0))}`;
  const [narrow] = await open(p, 1, 64);
  const [wide] = await open(p, 1, 120);
  expect((await ask(narrow!, read)).length / 2).toBe(64);
  expect((await ask(wide!, read)).length / 2).toBe(120);
  await p.central.connection.l2cap.reconfigure([narrow!], { mtu: 90 });
  expect((await ask(narrow!, read)).length / 2).toBe(90);
});

test("requests about one attribute are served in the order they came, whatever their bearers; others pass", async () => {
  await using p = await raw();
  const calls: string[] = [];
  const goOn: (() => void)[] = [];
  const slow = (value: Uint8Array): Promise<void> => {
    calls.push(`begin ${toHex(value)}`);
    return new Promise((resolve) =>
      goOn.push(() => {
        calls.push(`end ${toHex(value)}`);
        resolve();
      }),
    );
  };
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: VALUE, properties: ["write", "read"], write: slow, read: () => text("now") },
      { uuid: OTHER, properties: ["read"], read: () => text("other") },
    ],
  });
  const [a, b] = service.characteristics.map(({ valueHandle }) => toHex(Uint8Array.of(valueHandle, 0)));
  const [one, two, three, four] = await open(p, 4);
  const first = ask(one!, `12${a}01`);
  await p.air.advance(100);
  const second = ask(two!, `12${a}02`);
  await p.air.advance(100);
  const third = ask(three!, `0a${a}`);
  expect(await ask(four!, `0a${b}`)).toBe(`0b${toHex(text("other"))}`);
  expect(await ask(four!, `0e${b}${b}`)).toBe(`0f${toHex(text("otherother"))}`);
  expect(calls).toEqual(["begin 01"]);
  goOn.shift()!();
  expect(await first).toBe("13");
  await p.air.advance(100);
  expect(calls).toEqual(["begin 01", "end 01", "begin 02"]);
  goOn.shift()!();
  expect([await second, await third]).toEqual(["13", `0b${toHex(text("now"))}`]);
});

test("who waits for a handler that hangs is answered before the client gives up, and the attribute is free again", async () => {
  await using p = await raw();
  let calls = 0;
  const handle = p.gattServer.add({ uuid: VALUE, write: () => (++calls < 2 ? new Promise<void>(() => {}) : undefined) });
  const write = `12${toHex(Uint8Array.of(handle, 0))}`;
  const [one, two] = await open(p, 2);
  const answers = [ask(one!, `${write}01`), ask(two!, `${write}02`)];
  await p.air.advance(28_000);
  const late = ask(one!, "0a0300"); // pipelined behind the first
  expect(await Promise.all(answers)).toEqual([`0112${toHex(Uint8Array.of(handle, 0))}0e`, "13"]);
  expect(await late).toBe(`0b${toHex(text("sensor"))}`);
  expect(calls).toBe(2);
  expect(await ask(two!, `${write}03`)).toBe("13");
});

test("a bearer that closes in the midst of a request and of a long write takes both along, and nothing else", async () => {
  await using p = await raw();
  const writes: string[] = [];
  const aborted: unknown[] = [];
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: VALUE, properties: ["write"], write: (value) => void writes.push(toHex(value)) },
      {
        uuid: OTHER,
        properties: ["read"],
        read: ({ signal }) => new Promise<Uint8Array>(() => signal.addEventListener("abort", () => aborted.push(signal.reason))),
      },
    ],
  });
  const [a, b] = service.characteristics.map(({ valueHandle }) => toHex(Uint8Array.of(valueHandle, 0)));
  const [one, two] = await open(p, 2);
  // Each bearer has its own queue of prepared writes.
  expect(await ask(one!, `16${a}0000aa`)).toBe(`17${a}0000aa`);
  expect(await ask(two!, `16${a}0000bb`)).toBe(`17${a}0000bb`);
  await one!.send(hex(`0a${b}`));
  await p.air.advance(100);
  await one!.close();
  expect(aborted).toMatchObject([{ code: "ERR_L2CAP_CHANNEL_CLOSED", by: "peer" }]);
  expect(await ask(two!, "1801")).toBe("19");
  expect(writes).toEqual(["bb"]);
  // The attribute is not kept by who is gone.
  const again = ask(two!, `0a${b}`);
  await p.air.advance(100);
  expect(p.peripheral.connection.bearers).toHaveLength(2);
  p.peripheral.device.gattServer.close();
  expect(await again).toBe(`010a${b}0e`);
});

test("indications of several characteristics wait for their clients at once; those of one keep their order, and its notifications with them", async () => {
  await using p = await raw();
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [VALUE, OTHER].map((uuid) => ({ uuid, properties: ["indicate", "notify"] })),
  });
  const [first, second] = service.characteristics as [(typeof service.characteristics)[0], (typeof service.characteristics)[0]];
  const [channel] = await open(p, 1);
  const cccd = (handle: number | undefined): string => `12${toHex(Uint8Array.of(handle!, 0))}0300`;
  expect(await ask(channel!, cccd(first.cccdHandle))).toBe("13");
  expect(await ask(channel!, cccd(second.cccdHandle))).toBe("13");
  const seen: string[] = [];
  channel!.onSdu = (sdu) => void seen.push(toHex(sdu));
  // The unenhanced bearer confirms by itself, so it is kept busy by a client that does not answer: the raw one.
  let confirmed = 0;
  const settle = (): void => void confirmed++;
  const value = (handle: number, octet: number): string => `1d${toHex(Uint8Array.of(handle, 0, octet))}`;
  for (const octet of [1, 2]) void first.indicate(Uint8Array.of(octet)).then(settle);
  void second.indicate(Uint8Array.of(3)).then(settle);
  const lost = expect(second.indicate(Uint8Array.of(4))).rejects.toMatchObject({ code: "ERR_L2CAP_CHANNEL_CLOSED" });
  await second.notify(Uint8Array.of(5));
  await p.air.advance(200);
  // `first` went to the unenhanced bearer, which the phone's host confirms; `second` waits on this one.
  expect([confirmed, seen]).toEqual([2, [value(second.valueHandle, 3), value(second.valueHandle, 5).replace("1d", "1b")]]);
  await channel!.send(hex("1e"));
  await p.air.advance(100);
  expect([confirmed, seen.at(-1)]).toEqual([3, value(second.valueHandle, 4)]);
  // Closed in the midst: of the one that was sent nobody knows whether it arrived. The others go another way.
  const others = [6, 7].map((octet) => second.indicate(Uint8Array.of(octet)));
  await channel!.close();
  await Promise.all([lost, ...others]);
});

test("an indication that is not confirmed in 30 s ends its bearer, and no other (Vol 3 Part F 3.3.3)", async () => {
  await using p = await raw();
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [VALUE, OTHER].map((uuid) => ({ uuid, properties: ["indicate"] })),
  });
  const [first, second] = service.characteristics as [(typeof service.characteristics)[0], (typeof service.characteristics)[0]];
  const [channel, other] = await open(p, 2);
  for (const { cccdHandle } of [first, second]) await ask(channel!, `12${toHex(Uint8Array.of(cccdHandle!, 0))}0200`);
  channel!.onSdu = () => undefined;
  void first.indicate(Uint8Array.of(1));
  await expect(second.indicate(Uint8Array.of(2))).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  await p.air.advance(2000);
  expect(channel!.ended).toMatchObject({ by: "peer" });
  expect(await ask(other!, "0a0300")).toBe(`0b${toHex(text("sensor"))}`);
  expect(await p.central.gatt.read(3)).toEqual(text("sensor"));
});

test("what a handler notifies comes after its response, though that waits for credits on another bearer", async () => {
  await using p = await raw();
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      {
        uuid: VALUE,
        properties: ["read", "notify"],
        read: () => {
          service.characteristics[0]!.notify(text("caused")).catch(() => undefined);
          return new Uint8Array(240);
        },
      },
    ],
  });
  const { valueHandle, cccdHandle } = service.characteristics[0]!;
  const order: string[] = [];
  p.central.gatt.onValue(() => order.push("notified"));
  // So few credits that the response has to wait for more.
  const [channel] = await p.central.connection.l2cap.connectSeveral(EATT, {
    count: 1,
    mtu: 247,
    mps: 64,
    receiveWindow: 64,
    credits: "manual",
  });
  channel!.onSdu = (sdu) => {
    order.push(`response ${sdu.length}`);
  };
  await channel!.send(hex(`12${toHex(Uint8Array.of(cccdHandle!, 0))}0100`));
  await channel!.send(hex(`0a${toHex(Uint8Array.of(valueHandle, 0))}`));
  await p.air.advance(300);
  expect(order).toEqual(["response 1"]);
  channel!.consumed(1);
  await p.air.advance(300);
  expect(order).toEqual(["response 1", "response 241", "notified"]);
});

test("a peer that asks and gives no credits for the answers loses the channel, and keeps its link", async () => {
  await using p = await raw();
  const [silent, flood] = await p.central.connection.l2cap.connectSeveral(EATT, {
    count: 2,
    mtu: 64,
    mps: 64,
    receiveWindow: 64,
    credits: "manual",
  });
  for (const channel of [silent!, flood!]) channel.onSdu = () => undefined;
  for (let i = 0; i < 4; i++) await silent!.send(hex("0a0300"));
  for (let i = 0; i < 80 && !flood!.ended; i++) await flood!.send(hex("0a0300")).catch(() => undefined);
  await p.air.advance(3000);
  expect([silent!.ended, flood!.ended]).toMatchObject([undefined, { by: "peer" }]);
  await p.air.advance(32_000);
  expect(silent!.ended).toMatchObject({ by: "peer" });
  expect(p.peripheral.connection.bearers).toHaveLength(1);
  expect(await p.central.gatt.read(3)).toEqual(text("sensor"));
});

test("an empty PDU, and answers that nobody asked for, do nothing", async () => {
  await using p = await raw();
  const [two] = await open(p, 1);
  await two!.send(new Uint8Array(0));
  for (const pdu of ["1e", "0b00", "13", "1b", "1b0000", "d2030000000000000000000000000000000000", "520300"]) await two!.send(hex(pdu));
  expect(await ask(two!, "0a0300")).toBe(`0b${toHex(text("sensor"))}`);
});

test("what is configured on one bearer holds on all of them, and Client Supported Features only grow (Vol 3 Part G 7.2)", async () => {
  await using p = await raw();
  const features = p.gattServer.characteristic(0x1801, 0x2b29)!.valueHandle;
  const at = toHex(Uint8Array.of(features, 0));
  const [one, two] = await open(p, 2);
  expect(await ask(one!, `12${at}02`)).toBe("13");
  expect(await ask(two!, `0a${at}`)).toBe("0b02");
  expect(await ask(two!, `12${at}01`)).toBe(`0112${at}13`);
  expect(await ask(two!, `12${at}03`)).toBe("13");
  expect(p.gattServer.sessions.map(({ clientFeatures }) => clientFeatures)).toEqual([3]);
});

test("Database Out Of Sync: each bearer shows by its own next request that its answer arrived (Vol 3 Part G 2.5.2.1)", async () => {
  await using p = await raw();
  const at = toHex(Uint8Array.of(p.gattServer.characteristic(0x1801, 0x2b29)!.valueHandle, 0));
  const [one, two] = await open(p, 2);
  expect(await ask(one!, `12${at}01`)).toBe("13");
  p.gattServer.add({ uuid: VALUE, value: text("new") });
  expect(await ask(one!, "0a0300")).toBe("010a030012");
  // This one may have been sent before the client knew.
  expect(await ask(two!, "0a0300")).toBe("010a030012");
  expect(await ask(two!, "0a0300")).toBe(`0b${toHex(text("sensor"))}`);
  expect(await ask(one!, "0a0300")).toBe(`0b${toHex(text("sensor"))}`);
});

test("a lost link ends all bearers, and a refused handler keeps its code", async () => {
  await using p = await raw();
  const handle = p.gattServer.add({
    uuid: VALUE,
    read: () => {
      throw new AttError(0x80);
    },
  });
  const [channel] = await open(p, 3);
  expect(await ask(channel!, `0a${toHex(Uint8Array.of(handle, 0))}`)).toBe(`010a${toHex(Uint8Array.of(handle, 0))}80`);
  await p.central.connection.disconnect();
  await p.air.advance(100);
  expect(p.peripheral.connection.enhancedBearers.bearers).toEqual([]);
  expect(p.gattServer.sessions).toEqual([]);
});
