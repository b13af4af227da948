import { expect, test } from "vitest";
import { AttErrorCode } from "../src/att/index.ts";
import { fromHex as hex, toHex } from "../src/bytes/index.ts";
import { gattService } from "../src/gatt/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const range = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const PORT = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

test("GATT/CL/GAR/BV-04-C: a long value is read in parts, whatever the air loses", async () => {
  await using air = new SimulatedAir({ seed: 7, loss: 0.3 });
  const { central, peripheral } = await air.connectedPair({ central: { att: { exchangeMtu: "on-demand" } } });
  const value = range(512);
  const handle = peripheral.gattServer.add({ uuid: 0x2a29, value });
  expect(await central.gatt.read(handle)).toEqual(value);
  expect(air.trace("AttReadBlobReq")).toHaveLength(23); // 22 octets each at ATT_MTU 23
});

test("a long value makes the client ask for the larger MTU by itself, once; a short one does not", async () => {
  await using air = new SimulatedAir({ seed: 7 });
  const { central, peripheral } = await air.connectedPair();
  const [short, long] = [30, 512].map((length) => peripheral.gattServer.add({ uuid: 0x2a29, value: range(length) }));
  expect(await central.gatt.read(short!)).toEqual(range(30));
  expect(air.trace("AttExchangeMtuReq")).toHaveLength(0);
  const before = air.nowMs;
  expect(await central.gatt.read(long!)).toEqual(range(512));
  expect(air.nowMs - before).toBeLessThan(300); // 1.4 s in parts of 22 octets
  await central.gatt.read(long!);
  expect(air.trace("AttExchangeMtuReq")).toHaveLength(1);
  expect(central.gatt.mtu).toBe(247);
});

test("an unanswered request fails after 30 s and ends the bearer (Vol 3 Part F 3.3.3)", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central, peripheral } = await air.connectedPair();
  peripheral.gattServer.pause();
  const timedOut = expect(central.gatt.read(3)).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT", requestOpcode: 0x0a });
  await air.advance(30_000); // simulated milliseconds
  await timedOut;
  await expect(central.gatt.read(3)).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
});

test("values written, notified and indicated both ways at once, in an air that loses a fifth", async () => {
  await using air = new SimulatedAir({ seed: 3, loss: 0.2 });
  const { central, peripheral } = await air.connectedPair({
    central: { att: { mtu: 100, exchangeMtu: "auto" } },
    peripheral: { att: { mtu: 64 } },
  });
  const ends = [central, peripheral];
  for (const { gattServer } of ends)
    gattServer.addService({
      uuid: SERVICE,
      characteristics: [{ uuid: PORT, properties: ["read", "write", "write-without-response", "notify", "indicate"], value: hex("00") }],
    });
  const seen = ends.map((): string[] => []);
  await Promise.all(
    ends.map(async ({ gatt }, i) => {
      const port = await gatt.characteristic(SERVICE, PORT);
      await port.subscribe((value) => seen[i]!.push(`n${value[0]}`), { kind: "notify" });
      await port.subscribe((value) => seen[i]!.push(`i${value[0]}`), { kind: "indicate" });
      await port.write(range(300));
      expect(await port.read()).toEqual(range(300));
    }),
  );
  expect([central.gatt.mtu, peripheral.gatt.mtu]).toEqual([64, 64]);
  await Promise.all(
    ends.map(async ({ gattServer }) => {
      const port = gattServer.characteristic(SERVICE, PORT)!;
      for (let i = 0; i < 50; i++) {
        await port.notify(Uint8Array.of(i));
        if (i % 10 === 0) await port.indicate(Uint8Array.of(i));
      }
    }),
  );
  await air.advance(2000);
  for (const values of seen) {
    expect(values.filter((value) => value.startsWith("n"))).toEqual(Array.from({ length: 50 }, (_, i) => `n${i}`));
    expect(values.filter((value) => value.startsWith("i"))).toEqual(["i0", "i10", "i20", "i30", "i40"]);
  }
});

test("what the policy caps never leaves the host longer, in discovery, reading, writing or notifying", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const { central, peripheral } = await air.connectedPair({
    central: { att: { mtu: 184, exchangeMtu: "auto" } },
    peripheral: { att: { mtu: 184, maxTxPdu: 23, exchangeMtu: "never" } },
  });
  const { gattServer } = peripheral;
  const service = gattServer.addService({
    uuid: SERVICE,
    characteristics: [{ uuid: PORT, properties: ["read", "write", "notify"], value: range(18) }],
  });
  const port = await central.gatt.characteristic(SERVICE, PORT);
  expect(central.gatt.mtu).toBe(184);
  await central.gatt.services();
  await port.descriptors();
  await port.write(range(150)); // the peer may send more than we do
  const seen: string[] = [];
  await port.subscribe((value) => seen.push(toHex(value)));
  await service.characteristics[0]!.notify(range(100));
  await air.advance(500);
  expect(seen).toEqual([toHex(range(20))]);
  await expect(peripheral.gatt.exchangeMtu()).rejects.toMatchObject({ code: "ERR_STATE" });
  const far = air.trace().filter(({ name, at }) => name.startsWith("Att") && at === "peripheral");
  expect(far.length).toBeGreaterThan(10);
  for (const { bytes } of far) expect(bytes.length).toBeLessThanOrEqual(9 + 23);
});

test("a request refused for lack of security succeeds once the policy lets the client pair", async () => {
  await using air = new SimulatedAir({ seed: 9 });
  const { central, peripheral } = await air.connectedPair({ central: { policy: { elevate: "pair" } } });
  const handle = peripheral.gattServer.add({ uuid: 0x2a29, value: hex("0102"), permissions: { read: "encrypted" } });
  expect(await central.gatt.read(handle)).toEqual(hex("0102"));
  expect(central.connection.security.encrypted).toBe(true);
  expect(air.trace("AttErrorRsp")).toHaveLength(1);
});

test("a bonded client that was away is told what changed, by Service Changed alone", async () => {
  await using air = new SimulatedAir({ seed: 13 });
  const phone = await air.device({ name: "phone" });
  const sensor = await air.device({ name: "sensor", gattServer: "empty" });
  sensor.gattServer.addService(gattService());
  sensor.gattServer.add({ uuid: 0x2a29, value: hex("01") });
  const advertising = await sensor.advertise({});
  const first = await phone.connect(sensor.address);
  await first.pair();
  await first.gatt.watchServiceChanged();
  await first.disconnect();
  await advertising[Symbol.asyncDispose]();
  const handle = sensor.gattServer.add({ uuid: 0x2a24, value: hex("02") });
  await sensor.advertise({});
  const second = await phone.connect(sensor.address, { policy: { dangerouslyTrustUnencryptedPeer: true } });
  await second.gatt.services();
  const changes: unknown[] = [];
  second.gatt.onServiceChanged((change) => changes.push(change));
  await (await second.gatt.service(0x1801)).characteristics(); // so that Service Changed is known by its handle
  await second.encrypt();
  await air.advance(1000);
  expect(changes).toEqual([{ startHandle: 0x0001, endHandle: 0xffff }]);
  expect(await second.gatt.read(handle)).toEqual(hex("02"));
  await expect(second.gatt.read(0x7000)).rejects.toMatchObject({ errorCode: AttErrorCode.InvalidHandle });
  await phone.close();
});
