// What a client may believe: a bonded peer's address proves nothing, its key does.
import { expect, test } from "vitest";
import { fromHex as hex } from "../src/bytes/index.ts";
import { Address } from "../src/core/index.ts";
import type { Connection, Device, DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { type Bond, IoCapability } from "../src/smp/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const SENSOR = Address.from("C0:00:00:00:00:05/random");
const PHONE = Address.from("C0:00:00:00:00:06/random");
const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const PORT = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

interface Served {
  readonly device: Device;
  /** What was asked of it and told to it. */
  readonly accesses: string[];
  notify(): void;
}

async function served(air: SimulatedAir, name: string, options: DeviceOptions): Promise<Served> {
  const device = await air.device({ name, ...options });
  const accesses: string[] = [];
  const service = device.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      {
        uuid: PORT,
        properties: ["read", "write", "write-without-response", "notify", "indicate"],
        read: () => {
          accesses.push("read");
          return hex("01");
        },
        write: () => void accesses.push("written"),
      },
    ],
  });
  return { device, accesses, notify: () => void service.characteristics[0]!.tryNotify(hex("66")) };
}

/** A phone bonded with a sensor that has gone: whoever has its address may come. */
async function bonded(air: SimulatedAir): Promise<{ phone: Device; handle: number; sensorBond: Bond }> {
  const bonds = new MemoryBondStore();
  const phone = await air.device({ name: "phone", address: PHONE });
  const sensor = await served(air, "sensor", { address: SENSOR, bonds });
  await sensor.device.advertise({ intervalMs: 20 });
  const connection = await phone.connect(SENSOR);
  await connection.pair();
  const port = await connection.gatt.characteristic(SERVICE, PORT);
  await port.subscribe(() => {});
  await connection.disconnect();
  const sensorBond = (await bonds.load(PHONE))!;
  await sensor.device.close();
  return { phone, handle: port.valueHandle, sensorBond };
}

/** Uses the client from the first moment, whatever becomes of the link. */
function eager(phone: Device, handle: number): { seen: number[]; outcomes: Promise<string>[] } {
  const seen: number[] = [];
  const outcomes: Promise<string>[] = [];
  const outcome = (promise: Promise<unknown>): void => {
    outcomes.push(
      promise.then(
        () => "done",
        ({ code }) => code as string,
      ),
    );
  };
  phone.onConnection(({ gatt }) => {
    gatt.onValue((value) => seen.push(value.handle));
    outcome(gatt.read(handle));
    outcome(gatt.write(handle, hex("02")));
    outcome(gatt.writeWithoutResponse(handle, hex("03")));
    outcome(gatt.services());
    outcome(gatt.exchangeMtu());
    expect(gatt.tryWriteWithoutResponse(handle, hex("04"))).toBe(false);
  });
  return { seen, outcomes };
}

test.each([
  ["has no key", { code: "ERR_BOND_LOST", side: "peer" }],
  // It cannot read our first encrypted packet, and goes without a word (Vol 6 Part B 5.1.3.1): no more than a lost link can be seen of that.
  ["has another key", { code: "ERR_DISCONNECTED", reason: 0x08 }],
])("an impostor that %s is not read, not written and not believed", async (what, error) => {
  await using air = new SimulatedAir({ seed: 21 });
  const { phone, handle, sensorBond } = await bonded(air);
  const wrong = (ltk: Bond["localLtk"]): Bond["localLtk"] => ltk && { ...ltk, key: new Uint8Array(16).fill(0x5a) };
  const bonds = new MemoryBondStore(
    what === "has no key" ? [] : [{ ...sensorBond, localLtk: wrong(sensorBond.localLtk), peerLtk: wrong(sensorBond.peerLtk) }],
  );
  const impostor = await served(air, "impostor", { address: SENSOR, bonds });
  impostor.device.onConnection((connection: Connection) => {
    // It tells from the first moment, subscribed or not.
    for (const opcode of ["1b", "1d"]) connection.att.sendNow(connection.att.valueFrame(Number.parseInt(opcode, 16), handle, hex("66")));
  });
  await impostor.device.advertise({ intervalMs: 20 });
  const fromMs = air.nowMs;
  const { seen, outcomes } = eager(phone, handle);
  await expect(phone.connect(SENSOR)).rejects.toMatchObject(error);
  expect(phone.links).toEqual([]);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set([error.code]));
  await air.advance(1000);
  expect([seen, impostor.accesses]).toEqual([[], []]);
  const asked = air.trace().filter(({ name, at, timeMs }) => at === "phone" && /^Att.*(Req|Cmd)$/.test(name) && timeMs > fromMs);
  expect(asked).toEqual([]);
});

test("the sensor itself is asked and believed as soon as the link is encrypted", async () => {
  await using air = new SimulatedAir({ seed: 22 });
  const { phone, handle, sensorBond } = await bonded(air);
  const sensor = await served(air, "sensor again", { address: SENSOR, bonds: new MemoryBondStore([sensorBond]) });
  sensor.device.onConnection((connection) => connection.on("security", () => sensor.notify()));
  await sensor.device.advertise({ intervalMs: 20 });
  const seen: number[] = [];
  const outcomes: Promise<unknown>[] = [];
  phone.onConnection((connection) => {
    connection.gatt.onValue((value) => seen.push(value.handle));
    outcomes.push(connection.gatt.read(handle).then(() => connection.security.encrypted));
  });
  const connection = await phone.connect(SENSOR);
  expect(connection.security).toMatchObject({ encrypted: true, bonded: true });
  expect(await Promise.all(outcomes)).toEqual([true]);
  await air.advance(200);
  expect(seen).toEqual([handle]);
});

test("where the controller orders events and data differently, the sensor's first value is not lost", async () => {
  await using air = new SimulatedAir({ seed: 22 });
  const { phone: first, handle, sensorBond } = await bonded(air);
  const bonds = new MemoryBondStore([(await first.bonds.load(SENSOR))!]);
  await first.close();
  const phone = await air.device({ name: "skewed phone", address: PHONE, bonds, controller: { pathSkewMs: 10 } });
  const sensor = await served(air, "sensor again", { address: SENSOR, bonds: new MemoryBondStore([sensorBond]) });
  sensor.device.onConnection((connection) => connection.on("security", () => sensor.notify()));
  await sensor.device.advertise({ intervalMs: 20, restart: "disconnected" });
  const seen: number[] = [];
  phone.onConnection(({ gatt }) => gatt.onValue((value) => seen.push(value.handle)));
  for (let i = 1; i <= 5; i++) {
    const connection = await phone.connect(SENSOR);
    await air.advance(200);
    expect(seen).toHaveLength(i);
    await connection.disconnect();
  }
  expect(new Set(seen)).toEqual(new Set([handle]));
});

test("a bonded central that does not encrypt is not asked by its peripheral either", async () => {
  await using air = new SimulatedAir({ seed: 23 });
  const bonds = new MemoryBondStore();
  const lock = await air.device({ name: "lock", address: SENSOR, bonds });
  const phone = await served(air, "phone", { address: PHONE });
  const advertising = await lock.advertise({ intervalMs: 20, restart: "disconnected" });
  const first = await phone.device.connect(SENSOR);
  await first.pair();
  const handle = phone.device.gattServer.services.at(-1)!.characteristics[0]!.valueHandle;
  await first.disconnect();
  await phone.device.close();
  const impostor = await served(air, "impostor", { address: PHONE, pairing: { pairable: false } });
  const arrived = advertising.connection({ timeoutMs: 5000 });
  await impostor.device.connect(SENSOR);
  const atLock = await arrived;
  expect(atLock.bonded).toBe(true);
  impostor.notify();
  await expect(atLock.gatt.read(handle, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: "ERR_PAIRING" });
  expect(impostor.accesses).toEqual([]);
});

test("peers without a bond are talked to in the clear, as ever", async () => {
  await using air = new SimulatedAir({ seed: 24 });
  const sensor = await served(air, "sensor", { address: SENSOR });
  const phone = await air.device({ name: "phone" });
  await sensor.device.advertise({ intervalMs: 20 });
  const connection = await phone.connect(SENSOR);
  const port = await connection.gatt.characteristic(SERVICE, PORT);
  const seen: Uint8Array[] = [];
  await port.subscribe((value) => seen.push(value));
  sensor.notify();
  expect(await port.read()).toEqual(hex("01"));
  await air.advance(100);
  expect([connection.security.encrypted, seen]).toEqual([false, [hex("66")]]);
});

test("a request may demand more than the link has, and gets it by pairing where the policy lets it", async () => {
  await using air = new SimulatedAir({ seed: 25 });
  const passkey = { value: 0 };
  const sensor = await served(air, "sensor", {
    address: SENSOR,
    pairing: { ioCapability: IoCapability.DisplayOnly },
    agent: {
      confirm: () => Promise.resolve(true),
      compare: () => Promise.resolve(false),
      enterPasskey: () => Promise.resolve(undefined),
      displayPasskey: ({ passkey: shown }) => {
        passkey.value = shown;
      },
    },
  });
  const phone = await air.device({
    name: "phone",
    pairing: { ioCapability: IoCapability.KeyboardOnly },
    policy: { elevate: "pair" },
    agent: {
      confirm: () => Promise.resolve(true),
      compare: () => Promise.resolve(false),
      enterPasskey: () => Promise.resolve(passkey.value),
      displayPasskey: () => {},
    },
  });
  await sensor.device.advertise({ intervalMs: 20 });
  const connection = await phone.connect(SENSOR);
  const port = await connection.gatt.characteristic(SERVICE, PORT);
  await port.read();
  expect(connection.security.encrypted).toBe(false);
  const [a, b] = await Promise.all([port.read({ security: { authenticated: true } }), port.read({ security: { encrypted: true } })]);
  expect([a, b]).toEqual([hex("01"), hex("01")]);
  expect(connection.security).toMatchObject({ encrypted: true, authenticated: true });
  expect(air.trace("PairingRequest").length).toBeLessThanOrEqual(4);
});

test("a level that pairing cannot reach is refused, and nothing is sent", async () => {
  await using air = new SimulatedAir({ seed: 26 });
  const sensor = await served(air, "sensor", { address: SENSOR });
  const phone = await air.device({ name: "phone", policy: { elevate: "pair" } });
  await sensor.device.advertise({ intervalMs: 20 });
  const connection = await phone.connect(SENSOR);
  await connection.pair();
  const port = await connection.gatt.characteristic(SERVICE, PORT);
  for (const refused of [
    port.write(hex("01"), { security: { authenticated: true } }),
    port.writeWithoutResponse(hex("01"), { security: { authenticated: true } }),
    port.subscribe(() => {}, { security: { authenticated: true } }),
    port.notifications({ security: { authenticated: true } }).next(),
  ])
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/ERR_PAIRING|ERR_INSUFFICIENT_SECURITY/) });
  expect(port.tryWriteWithoutResponse(hex("01"), { security: { authenticated: true } })).toBe(false);
  expect(port.tryWriteWithoutResponse(hex("01"), { security: { secureConnections: true } })).toBe(true);
  await air.advance(200);
  expect(sensor.accesses).toEqual(["written"]);
});
