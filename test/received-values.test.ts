import { expect, test } from "vitest";
import { type Connection, Device } from "../src/device/index.ts";
import type { HciTransport } from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { between } from "./support/between.ts";

const SERVICE = 0x180d;
const CHARACTERISTIC = 0x2a37;
/** On both sides of every limit: in the engine's object, in a shared piece, alone, in one packet and in many. */
const LENGTHS = [1, 20, 64, 65, 66, 100, 244, 255, 300, 495, 512];
const patternOf = (length: number, fill: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + fill) & 0xff);

/** How a transport may give a packet: alone, which is then the stack's, or as a view of a large piece whose octets it uses again, against all promises. */
const TRANSPORTS: Record<string, (packet: Uint8Array) => Uint8Array> = {
  "the packet alone": alone,
  "a view of 64 KiB": (packet) => viewOf(new Uint8Array(65_536), packet),
  "a view of 1 MiB": (packet) => viewOf(new Uint8Array(1 << 20), packet),
  "a Buffer of Node's pool": (packet) => Buffer.from(packet),
  "a Uint8Array of shared memory": (packet) => viewOf(new Uint8Array(new SharedArrayBuffer(65_536)), packet),
};

function alone(packet: Uint8Array): Uint8Array {
  return packet.slice();
}

function viewOf(piece: Uint8Array, packet: Uint8Array): Uint8Array {
  piece.set(packet, 100);
  return piece.subarray(100, 100 + packet.length);
}

/** Between a controller and its host: gives packets in another form, and spoils afterwards what is a part of something. */
function spoiling(inner: HciTransport, form: (packet: Uint8Array) => Uint8Array): HciTransport {
  return between(inner, {
    received: (packet, deliver) => {
      const given = form(packet);
      deliver(given);
      if (form !== alone) given.fill(0xee);
    },
  });
}

/** A device whose packets come as `form` makes them, and a peer with everything it can receive. */
async function world(form: (packet: Uint8Array) => Uint8Array) {
  const air = new SimulatedAir({ seed: 1, mode: "instant" });
  const peer = await air.device({ name: "peer" });
  const properties = ["read", "write", "write-without-response", "notify", "indicate"] as const;
  const characteristics = [{ uuid: CHARACTERISTIC, properties: [...properties], value: Uint8Array.of(0) }];
  const { valueHandle } = peer.gattServer.addService({ uuid: SERVICE, characteristics }).characteristics[0]!;
  await peer.advertise({ data: { name: "peer" }, intervalMs: 20 });
  const controller = air.addController({ name: "device" });
  const device = await Device.open(spoiling(controller.transport, form), { clock: air.clock, random: air.random("device") });
  device.gattServer.addService({ uuid: SERVICE, characteristics });
  const connected = new Promise<Connection>((resolve) => peer.on("connection", resolve));
  const connection = await device.connect(peer.address, { timeoutMs: 10_000 });
  await connection.gatt.exchangeMtu();
  return { air, peer, device, connection, atPeer: await connected, valueHandle };
}

/** What the program kept is what was sent, and holds on to no more than a little piece of memory. */
function expectKept(kept: readonly Uint8Array[], sent: readonly Uint8Array[]): void {
  expect(kept.map((value) => [...value])).toEqual(sent.map((value) => [...value]));
  for (const value of kept) {
    expect(value.constructor).toBe(Uint8Array);
    expect(value.buffer.byteLength === value.length || value.buffer.byteLength <= 2112).toBe(true);
  }
}

for (const [name, form] of Object.entries(TRANSPORTS)) {
  test(`${name}: notifications, indications and reads are the program's own`, async () => {
    const { air, peer, device, connection } = await world(form);
    await using _ = air;
    await using __ = device;
    const local = peer.gattServer.characteristic(SERVICE, CHARACTERISTIC)!;
    const remote = await connection.gatt.characteristic(SERVICE, CHARACTERISTIC);
    const kept: Uint8Array[] = [];
    const observed: Uint8Array[] = [];
    using ___ = connection.gatt.onValue(({ value }) => observed.push(value));
    await remote.subscribe((value) => void kept.push(value), { kind: "notify" });
    await remote.subscribe((value) => void kept.push(value), { kind: "indicate" });
    const sent = LENGTHS.map((length) => patternOf(Math.min(length, connection.gatt.maxValueLength), length));
    for (const value of sent) await local.notify(value);
    for (const value of sent) await local.indicate(value);
    const all = [...sent, ...sent];
    expectKept(kept, all);
    expectKept(observed, all);
    for (const value of kept) value.fill(0xaa); // what one does with its value is nothing to the others
    expectKept(observed, all);
    const read: Uint8Array[] = [];
    for (const value of sent) {
      local.value = value;
      read.push(await remote.read());
    }
    expectKept(read, sent);
  });

  test(`${name}: what is written is the server's own`, async () => {
    const { air, device, atPeer } = await world(form);
    await using _ = air;
    await using __ = device;
    const local = device.gattServer.characteristic(SERVICE, CHARACTERISTIC)!;
    const remote = await atPeer.gatt.characteristic(SERVICE, CHARACTERISTIC);
    const kept: Uint8Array[] = [];
    for (const length of LENGTHS) {
      await remote.write(patternOf(length, length));
      kept.push(local.value);
    }
    expectKept(
      kept,
      LENGTHS.map((length) => patternOf(length, length)),
    );
  });
}
