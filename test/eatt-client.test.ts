import { expect, test } from "vitest";
import { toHex } from "../src/bytes/hex.ts";
import { gattService } from "../src/gatt/index.ts";
import type { ConnectionPolicy, CreditBasedChannel, LocalService } from "../src/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const EATT = 0x27;
const SERVICE = 0xff10;

const octet = (value: number): Uint8Array => Uint8Array.of(value);

interface Options {
  readonly eatt?: ConnectionPolicy["eatt"];
  readonly sensor?: SimulatedDeviceOptions;
  readonly phone?: SimulatedDeviceOptions;
}

/** A phone whose policy opens bearers to a sensor, on an encrypted link. */
async function pair({ eatt = 3, sensor, phone }: Options = {}) {
  const air = new SimulatedAir({ seed: 1 });
  const pairing = { secureConnections: false }; // quicker here
  const { central, peripheral } = await air.connectedPair({
    central: { pairing, policy: { eatt }, ...phone },
    peripheral: { name: "sensor", ...sensor },
  });
  await central.connection.pair();
  await air.advance(500);
  const { gattServer } = peripheral.device;
  return { air, central, peripheral, gattServer, [Symbol.asyncDispose]: () => air[Symbol.asyncDispose]() };
}
type Pair = Awaited<ReturnType<typeof pair>>;

/** Characteristics whose reads and writes end when the test says so. */
function slowService({ gattServer }: Pair, count: number) {
  const under: { name: string; end: () => void }[] = [];
  const wait = (name: string): Promise<void> => new Promise((resolve) => under.push({ name, end: resolve }));
  const service: LocalService = gattServer.addService({
    uuid: SERVICE,
    characteristics: Array.from({ length: count }, (_, i) => ({
      uuid: 0xff20 + i,
      properties: ["read", "write"] as const,
      read: () => wait(`read ${i}`).then(() => octet(i)),
      write: (value: Uint8Array) => wait(`write ${i} ${toHex(value.subarray(0, 2))}`),
    })),
  });
  return {
    handles: service.characteristics.map(({ valueHandle }) => valueHandle),
    names: () => under.map(({ name }) => name),
    end: (name?: string) => {
      const at = name === undefined ? 0 : under.findIndex((each) => each.name === name);
      under.splice(at, 1)[0]!.end();
    },
  };
}

test("a central opens as many bearers as its policy says, and tells the peer that it knows them (Vol 3 Part G 7.2, 7.4)", async () => {
  await using p = await pair({ eatt: 5 });
  for (const { connection } of [p.central, p.peripheral])
    expect(connection.bearers.map(({ mtu, isEnhanced }) => [mtu, isEnhanced])).toEqual([[23, false], ...Array(5).fill([247, true])]);
  expect(p.gattServer.sessions.map(({ clientFeatures }) => clientFeatures)).toEqual([2]);
});

test.each([
  ["says nothing", { gattServer: "empty" }],
  ["takes none", { policy: { eatt: "never" } }],
] as const)("none are asked for where the peer %s", async (_, sensor) => {
  await using p = await pair({ sensor });
  expect(p.central.connection.bearers).toHaveLength(1);
  expect(p.air.trace("AttReadByTypeReq").length).toBeGreaterThan(0);
});

test("a peer that has no room is asked again, a few times; one that says it takes them and refuses is left alone", async () => {
  const asked = async (answers: (true | number)[], sensor: SimulatedDeviceOptions = {}) => {
    await using air = new SimulatedAir({ seed: 1 });
    const pairing = { secureConnections: false };
    const { central, peripheral } = await air.connectedPair({ central: { pairing, policy: { eatt: 1 } }, peripheral: sensor });
    peripheral.device.gattServer.addService(gattService({ enhancedBearers: true }));
    const { enhancedBearers } = peripheral.connection;
    const accept = enhancedBearers.accept.bind(enhancedBearers);
    let times = 0;
    enhancedBearers.accept = () => {
      times++;
      const answer = answers.shift() ?? true;
      return answer === true ? accept() : answer;
    };
    await central.connection.pair();
    await air.advance(1500);
    return [times, central.connection.bearers.length];
  };
  const sensor: SimulatedDeviceOptions = { gattServer: "empty" };
  expect(await asked([4, true], sensor)).toEqual([2, 2]);
  expect(await asked([4, 4, 4, 4, 4], sensor)).toEqual([3, 1]);
  expect(await asked([], { ...sensor, policy: { eatt: "never" } })).toEqual([1, 1]);
  // For want of security nothing is raised: nobody waits for these bearers.
  expect(await asked([5], sensor)).toEqual([1, 1]);
});

test("operations under way at once go over several bearers; one alone goes as it always did", async () => {
  await using p = await pair();
  const { handles, names, end } = slowService(p, 6);
  const { gatt } = p.central;
  const reads = handles.map((handle) => gatt.read(handle));
  await p.air.advance(300);
  expect(names().toSorted()).toEqual(["read 0", "read 1", "read 2", "read 3"]); // three bearers and the unenhanced one
  for (let i = 0; i < 6; i++) {
    end();
    await p.air.advance(100);
  }
  expect(await Promise.all(reads)).toEqual([0, 1, 2, 3, 4, 5].map(octet));
  const [channel] = p.central.connection.l2cap.channels;
  const before = channel!.credits;
  expect(await gatt.read(3)).toEqual(new TextEncoder().encode("sensor"));
  expect(channel!.credits).toBe(before);
});

test("a slow write keeps nobody but those who are about the same attribute, which stay in order", async () => {
  await using p = await pair();
  const { handles, names, end } = slowService(p, 2);
  const { gatt } = p.central;
  const done: string[] = [];
  for (const i of [1, 2]) void gatt.write(handles[0]!, octet(i)).then(() => done.push(`wrote ${i}`));
  await p.air.advance(100);
  void gatt.read(handles[0]!).then(() => done.push("read"));
  expect(await gatt.read(3)).toEqual(new TextEncoder().encode("sensor"));
  expect([names(), done]).toEqual([["write 0 01"], []]);
  for (const name of ["write 0 01", "write 0 02", "read 0"]) {
    expect(names()).toEqual([name]);
    end();
    await p.air.advance(100);
  }
  expect(done).toEqual(["wrote 1", "wrote 2", "read"]);
});

test("who gives up leaves its attribute to its bearer until the peer has answered", async () => {
  await using p = await pair();
  const { handles, names, end } = slowService(p, 1);
  const { gatt } = p.central;
  await expect(gatt.write(handles[0]!, octet(1), { timeoutMs: 200 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const second = gatt.write(handles[0]!, octet(2));
  await p.air.advance(200);
  expect(names()).toEqual(["write 0 01"]);
  end();
  await p.air.advance(200);
  expect(names()).toEqual(["write 0 02"]);
  end();
  await second;
});

test("long values are read and written on one bearer each, at once", async () => {
  await using p = await pair();
  const values = new Map<number, Uint8Array>();
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: Array.from({ length: 3 }, (_, i) => ({
      uuid: 0xff20 + i,
      properties: ["read", "write"] as const,
      read: () => values.get(i) ?? new Uint8Array(0),
      write: (value: Uint8Array) => void values.set(i, value),
    })),
  });
  const handles = service.characteristics.map(({ valueHandle }) => valueHandle);
  const value = (i: number): Uint8Array => Uint8Array.from({ length: 500 }, (_, at) => (at * 3 + i) & 0xff);
  await Promise.all(handles.map((handle, i) => p.central.gatt.write(handle, value(i))));
  expect([0, 1, 2].map((i) => values.get(i))).toEqual([value(0), value(1), value(2)]);
  expect(await Promise.all(handles.map((handle) => p.central.gatt.read(handle)))).toEqual([value(0), value(1), value(2)]);
});

test("a bearer that is lost: reads are made again elsewhere, what had not left leaves elsewhere, a write that was sent is not known", async () => {
  await using p = await pair({ eatt: 1 });
  const { handles, names, end } = slowService(p, 4);
  const { gatt, connection } = p.central;
  // The unenhanced bearer is busy, so that the others go to the enhanced one.
  const first = gatt.read(handles[0]!);
  const read = gatt.read(handles[1]!);
  await p.air.advance(200);
  expect(names()).toEqual(["read 0", "read 1"]);
  const [channel] = p.peripheral.connection.l2cap.channels as CreditBasedChannel[];
  await channel!.close();
  end("read 0");
  await p.air.advance(200);
  expect(names()).toEqual(["read 1", "read 1"]);
  end();
  end();
  expect(await Promise.all([first, read])).toEqual([octet(0), octet(1)]);
  expect(connection.bearers).toHaveLength(1);
  await using q = await pair({ eatt: 1 });
  const slow = slowService(q, 4);
  const other = q.central.gatt.read(slow.handles[0]!);
  const sent = expect(q.central.gatt.write(slow.handles[1]!, octet(1))).rejects.toMatchObject({ code: "ERR_L2CAP_CHANNEL_CLOSED" });
  const unsent = q.central.gatt.write(slow.handles[1]!, octet(2));
  await q.air.advance(200);
  await (q.peripheral.connection.l2cap.channels[0] as CreditBasedChannel).close();
  await sent;
  slow.end("read 0");
  await q.air.advance(200);
  expect(slow.names()).toEqual(["write 1 01", "write 1 02"]);
  slow.end("write 1 02");
  await Promise.all([other, unsent]);
});

test("a request that is not answered in 30 s ends its bearer; the others, and the link, go on (Vol 3 Part F 3.3.3)", async () => {
  await using p = await pair({ eatt: 1 });
  const { gatt, connection } = p.central;
  // The sensor's answers on that channel never come: it is asked on it by a peer that is deaf there.
  const [bearer] = p.peripheral.connection.bearers.slice(1);
  bearer!.channel.onPdu = undefined;
  const { handles, end } = slowService(p, 1);
  const busy = gatt.read(handles[0]!).catch(() => "answered for");
  await expect(gatt.read(3)).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT", requestOpcode: 0x0a });
  expect(await busy).toBe("answered for");
  await p.air.advance(2000);
  expect([connection.bearers.length, connection.ended]).toEqual([1, undefined]);
  end();
});

test("both sides open at once: each keeps to its number, and the peripheral lets the central go first", async () => {
  await using p = await pair({ eatt: 3, sensor: { policy: { eatt: 3 } } });
  await p.air.advance(1500);
  expect([p.central.connection.bearers.length, p.peripheral.connection.bearers.length]).toEqual([4, 4]);
  // The peripheral asks on the central's bearers, now that it knows that they are answered.
  await using q = await pair({ eatt: "accept", sensor: { policy: { eatt: 2 } } });
  await q.air.advance(1500);
  expect(q.central.connection.bearers).toHaveLength(3);
});

test("requests that cross on the air are both answered", async () => {
  await using p = await pair({ eatt: "accept" });
  const ask = (end: Pair["central"]) => end.connection.l2cap.connectSeveral(EATT, { count: 5 });
  const [ours, theirs] = await Promise.all([ask(p.central), ask(p.peripheral)]);
  expect([ours.length, theirs.length]).toEqual([5, 5]);
});

test("values come once, in order, whatever bearers their confirmations and requests go by", async () => {
  await using p = await pair();
  const service = p.gattServer.addService({
    uuid: SERVICE,
    characteristics: [0, 1, 2].map((i) => ({ uuid: 0xff20 + i, properties: ["indicate", "notify"] as const })),
  });
  const seen: string[] = [];
  const { gatt } = p.central;
  for (const [i, { uuid }] of service.characteristics.entries()) {
    const characteristic = await gatt.characteristic(SERVICE, uuid);
    await characteristic.subscribe((value) => void seen.push(`${i} ${value[0]}`), { kind: "indicate" });
  }
  const sent = service.characteristics.flatMap((characteristic) => [1, 2, 3].map((value) => characteristic.indicate(octet(value))));
  await Promise.all(sent);
  for (const i of [0, 1, 2]) expect(seen.filter((each) => each.startsWith(`${i} `))).toEqual([1, 2, 3].map((value) => `${i} ${value}`));
  expect(seen).toHaveLength(9);
});

test("nothing is asked for in the clear, or by a policy that only accepts; a policy that is none is refused", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central } = await air.connectedPair({ central: { policy: { eatt: 5 } } });
  await air.advance(1000);
  expect(central.connection.bearers).toHaveLength(1);
  expect(air.trace("AttReadByTypeReq")).toEqual([]);
  for (const eatt of [0, 6, 1.5, "five", true])
    await expect(air.device({ policy: { eatt: eatt as number } })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringContaining("eatt"),
    });
});
