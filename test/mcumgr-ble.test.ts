import { describe, expect, test } from "vitest";
import { concat } from "../src/bytes/hex.ts";
import type { Device, DeviceAdvertiseOptions, DeviceOptions } from "../src/device/index.ts";
import { HciError, HciErrorCode } from "../src/hci/index.ts";
import {
  BleLink,
  type BleMcumgrPort,
  type BleTarget,
  createBleOpener,
  type GattMcumgrServerOptions,
  MCUMGR_CHARACTERISTIC,
  MCUMGR_SERVICE,
  openBleLink,
  openConnectionLink,
  serveMcumgrOverGatt,
} from "../src/mcumgr/index.ts";
import { fillingLength } from "../src/mcumgr/links/ble.ts";
import { IoCapability } from "../src/smp/index.ts";
import { SimulatedAir, type SimulatedDeviceOptions } from "../src/testing/index.ts";
import { answerEach, answerTo, message } from "./support/mcumgr-messages.ts";

const echo: GattMcumgrServerOptions = { onLink: answerEach };

interface World {
  readonly central: Device;
  readonly server: Device;
  readonly air: SimulatedAir;
}

async function world(
  air: SimulatedAir,
  {
    options = echo,
    advertise = { data: { name: "Sensor 12" } },
    server: made = {},
    central: own = {},
  }: {
    options?: GattMcumgrServerOptions | undefined;
    advertise?: DeviceAdvertiseOptions | undefined;
    server?: SimulatedDeviceOptions;
    central?: DeviceOptions;
  } = {},
): Promise<World> {
  const server = await air.device({ name: "server", att: { mtu: 498 }, ...made });
  const central = await air.device({ name: "central", ...own });
  if (options) serveMcumgrOverGatt(server, options);
  const again = async (): Promise<void> => {
    await server.advertise({ intervalMs: 30, ...advertise });
  };
  server.on("connection", (connection) => {
    void connection.closed.then(() => (server.ended ? undefined : again().catch(() => undefined)));
  });
  await again();
  return { central, server, air };
}
const count = (air: SimulatedAir, name: string): number => air.trace(name).length;

describe("finding the device", () => {
  test.each<[string, BleTarget, DeviceAdvertiseOptions]>([
    ["a name in the advertisement", "Sensor 12", { data: { name: "Sensor 12" } }],
    ["a name in the scan response only", { name: "Sensor 12" }, { data: {}, scanResponse: { name: "Sensor 12" } }],
    ["the service in the scan response", undefined, { data: {}, scanResponse: { serviceUuids: [MCUMGR_SERVICE] } }],
    ["the service in the advertisement", undefined, { data: { serviceUuids: [MCUMGR_SERVICE] } }],
  ])("by %s", async (_what, target, advertise) => {
    await using air = new SimulatedAir({ seed: 1 });
    const { central } = await world(air, { advertise });
    const link = await openBleLink(central, target);
    expect(link.info).toMatchObject({ kind: "ble", target: expect.stringContaining(target ? "Sensor 12" : ":") });
    expect(await answerTo(link, message(1))).toEqual(message(1));
    await link[Symbol.asyncDispose]();
    expect(central.links).toEqual([]);
  });

  test("by its address, without a scan", async () => {
    await using air = new SimulatedAir({ seed: 2 });
    const { central, server } = await world(air);
    const link = await openBleLink(central, server.identity.toString());
    expect(await answerTo(link, message(1))).toEqual(message(1));
    expect(count(air, "LeSetExtendedScanEnable")).toBe(0);
    await link[Symbol.asyncDispose]();
    await openBleLink(central, server.identity.toHex()); // public without saying so
    expect(count(air, "LeSetExtendedScanEnable")).toBe(0);
  });

  test("by an address whose kind was not said, and is random", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, server } = await world(air, { server: { address: "random" }, advertise: { ownAddress: "random" } });
    expect(server.identity.isStaticRandom).toBe(true);
    const link = await openBleLink(central, server.identity.toHex());
    expect(await answerTo(link, message(1))).toEqual(message(1));
  });

  test("a link that is there is used, and left when the mcumgr link is closed", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    const { central, server } = await world(air);
    const connection = await central.connect(server.identity);
    const link = await openBleLink(central, server.identity);
    expect(await answerTo(link, message(1))).toEqual(message(1));
    await link[Symbol.asyncDispose]();
    await air.advance(100);
    expect([connection.ended, central.links.length]).toEqual([undefined, 1]);
    await expect(link.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  test("nobody there: the time is up, or the caller leaves", async () => {
    await using air = new SimulatedAir({ seed: 5 });
    const { central } = await world(air);
    await expect(openBleLink(central, "Somebody else", { timeoutMs: 5000 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      operation: 'opening the mcumgr link to "Somebody else"',
    });
    const leaving = new AbortController();
    const opening = expect(openBleLink(central, "Somebody else", { signal: leaving.signal })).rejects.toBe("enough");
    await air.advance(100);
    leaving.abort("enough");
    await opening;
    const address = expect(openBleLink(central, "C0:00:00:00:00:99", { timeoutMs: 6000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await address;
  });

  test.each<[unknown, object]>([
    ["", {}],
    [{ address: "Sensor" }, {}],
    [12, {}],
    [{ name: 12 }, {}],
    ["Sensor", { ph: "2M" }],
    ["Sensor", { phy: "3M" }],
    ["Sensor", { pair: true }],
  ])("%o with %o is refused", async (target, options) => {
    await using air = new SimulatedAir({ seed: 6 });
    const central = await air.device();
    expect(() => createBleOpener(central, target as BleTarget, options)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});

describe("a server that is none", () => {
  test("without the service", async () => {
    await using air = new SimulatedAir({ seed: 7 });
    const { central } = await world(air, { options: undefined as never });
    const bare = await air.device({ name: "bare" });
    await bare.advertise({ intervalMs: 30, data: { name: "bare" } });
    await expect(openBleLink(central, "bare")).rejects.toMatchObject({ code: "ERR_MCUMGR_NO_SERVER" });
    await air.advance(1000);
    expect(central.links).toEqual([]);
  });

  test("with a characteristic that cannot be subscribed to", async () => {
    await using air = new SimulatedAir({ seed: 8 });
    const { central, peripheral } = await air.connectedPair();
    peripheral.gattServer.add({
      uuid: MCUMGR_SERVICE,
      characteristics: [{ uuid: MCUMGR_CHARACTERISTIC, properties: ["write-without-response"], write: () => {} }],
    });
    await expect(openConnectionLink(central.connection)).rejects.toMatchObject({
      code: "ERR_MCUMGR_NO_SERVER",
      message: expect.stringContaining("cannot be subscribed to"),
    });
    expect(central.connection.ended).toBeUndefined();
  });
});

describe("a link that is open", () => {
  test("has what both can: MTU, long packets, LE 2M; messages of every length cross", async () => {
    await using air = new SimulatedAir({ seed: 9 });
    const { central } = await world(air);
    const link = await openBleLink(central, "Sensor 12");
    await air.advance(500);
    const [connection] = central.links;
    expect([connection!.att.mtu, connection!.dataLength, connection!.phy]).toEqual([
      498,
      { txOctets: 251, rxOctets: 251 },
      { tx: "2M", rx: "2M" },
    ]);
    expect([link.provenLimit, link.messageLimit(undefined), link.messageLimit({ bufSize: 2475, bufCount: 4 })]).toEqual([495, 495, 2475]);
    for (const length of [8, 9, 494, 495, 496, 990, 2475])
      expect(await answerTo(link, message(length & 0xff, length))).toHaveLength(length);
  });

  test("controllers that are busy are asked for LE 2M again", async () => {
    await using air = new SimulatedAir({ seed: 23 });
    const { central, peripheral } = await air.connectedPair();
    serveMcumgrOverGatt(peripheral.device, echo);
    let asked = 0;
    const { setPhy } = central.connection;
    central.connection.setPhy = async (...parameters) => {
      if (asked++ < 2) throw new HciError({ status: HciErrorCode.CommandDisallowed, command: "LeSetPhy" });
      return await setPhy.apply(central.connection, parameters);
    };
    await openConnectionLink(central.connection);
    await air.advance(2000);
    expect([asked, central.connection.phy.tx]).toEqual([3, "2M"]);
  });

  test.each([
    [11.25, 176],
    [15, 165],
  ])("keeps the radio busy: at %d ms it carries what its packets hold, %d kB/s on LE 2M", async (intervalMs, limit) => {
    await using air = new SimulatedAir({ seed: 10 });
    const arrivals: number[] = [];
    const { central } = await world(air, {
      options: {
        onLink: (link) => {
          link.onMessage = () => arrivals.push(air.clock.now());
        },
      },
    });
    const link = await openBleLink(central, "Sensor 12", { connect: { intervalMs } });
    await air.advance(500);
    await Promise.all(Array.from({ length: 70 }, (_, i) => link.send(message(i, 2475))));
    await air.advance(1000);
    expect(arrivals).toHaveLength(70);
    // From one interval to another, without the beginning and the end.
    expect((40 * 2475) / (arrivals[60]! - arrivals[20]!)).toBeGreaterThan(0.98 * limit);
  });

  test("MTU 23 and short packets: messages cross all the same", async () => {
    await using air = new SimulatedAir({ seed: 11 });
    const { central } = await world(air, { server: { att: { mtu: 23 }, controller: { features: { dataLength: false, le2M: false } } } });
    const link = await openBleLink(central, "Sensor 12");
    expect(link.provenLimit).toBe(20);
    expect(await answerTo(link, message(7, 300))).toEqual(message(7, 300));
  });

  test("a lost link rejects what is pending at once, with its reason", async () => {
    await using air = new SimulatedAir({ seed: 12 });
    const { central, server } = await world(air);
    const link = await openBleLink(central, "Sensor 12");
    const told: unknown[] = [];
    link.onClose = (reason) => told.push(reason);
    const sends = Array.from({ length: 20 }, () => link.send(message(1, 2475)));
    const outcomes = Promise.allSettled(sends);
    await server.links[0]!.disconnect();
    await central.links[0]?.closed;
    const codes = new Set((await outcomes).flatMap((o) => (o.status === "rejected" ? [(o.reason as { code: string }).code] : [])));
    expect([...codes]).toEqual(["ERR_DISCONNECTED"]);
    expect(told).toMatchObject([{ code: "ERR_DISCONNECTED" }]);
    await expect(link.send(message(1))).rejects.toBe(told[0]);
  });

  test("who gives up sending is free at once, and the message arrives whole", async () => {
    await using air = new SimulatedAir({ seed: 13 });
    const got: Uint8Array[] = [];
    const { central } = await world(air, {
      options: {
        onLink: (link) => {
          link.onMessage = (octets) => got.push(octets);
        },
      },
    });
    const link = await openBleLink(central, "Sensor 12");
    const leaving = new AbortController();
    const first = Promise.all(Array.from({ length: 10 }, () => link.send(message(0, 2475))));
    const sending = link.send(message(1, 2475), { signal: leaving.signal });
    const waiting = link.send(message(2, 2475), { timeoutMs: 1 });
    await expect(waiting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await first;
    leaving.abort("enough");
    await Promise.allSettled([sending]);
    await link.send(message(3));
    await air.advance(500);
    expect(got.slice(-2).map((octets) => octets.at(-1))).toEqual([1, 3]);
  });
});

test("an opener connects again after a reset, by the identity and without a scan", async () => {
  await using air = new SimulatedAir({ seed: 14 });
  const { central, server } = await world(air);
  const open = createBleOpener(central, "Sensor 12");
  const first = await open();
  const scans = count(air, "LeSetExtendedScanEnable");
  expect(scans).toBeGreaterThan(0);
  const closed = new Promise((resolve) => {
    first.onClose = resolve;
  });
  await server.links[0]!.disconnect();
  await closed;
  const second = await open({ timeoutMs: 10_000 });
  expect(await answerTo(second, message(1))).toEqual(message(1));
  // While the old link still stands here: it is taken down first.
  const third = await open({ timeoutMs: 10_000 });
  expect(await answerTo(third, message(2))).toEqual(message(2));
  await expect(second.send(message(1))).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  expect(count(air, "LeSetExtendedScanEnable")).toBe(scans);
});

test("a device that came back with another address is found by its name, after the known one did not answer", async () => {
  await using air = new SimulatedAir({ seed: 15 });
  const { central, server } = await world(air);
  const open = createBleOpener(central, "Sensor 12");
  const first = await open();
  await first[Symbol.asyncDispose]();
  await server.close();
  const other = await air.device({ name: "other" });
  serveMcumgrOverGatt(other, echo);
  await other.advertise({ intervalMs: 30, data: { name: "Sensor 12" } });
  await expect(open({ timeoutMs: 2000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const second = await open({ timeoutMs: 5000 });
  expect(await answerTo(second, message(1))).toEqual(message(1));
});

describe("a server that demands security", () => {
  const permissions = { write: "encrypted", subscribe: "encrypted" } as const;

  test("is paired with when it asks for it", async () => {
    await using air = new SimulatedAir({ seed: 16 });
    const { central, server } = await world(air, { options: { ...echo, permissions } });
    const link = await openBleLink(central, "Sensor 12");
    expect(await answerTo(link, message(1))).toEqual(message(1));
    expect([central.links[0]!.security.encrypted, server.links[0]!.bonded]).toEqual([true, true]);
  });

  test("authenticated, which is what it is built with by default", async () => {
    await using air = new SimulatedAir({ seed: 17 });
    let show!: (passkey: number) => void;
    const shown = new Promise<number>((resolve) => {
      show = resolve;
    });
    const { central } = await world(air, {
      options: { ...echo, permissions: { write: "authenticated", subscribe: "authenticated" } },
      server: {
        pairing: { ioCapability: IoCapability.DisplayOnly },
        agent: {
          displayPasskey: ({ passkey }) => show(passkey),
        },
      },
      central: { pairing: { ioCapability: IoCapability.KeyboardOnly }, agent: { enterPasskey: () => shown } },
    });
    const link = await openBleLink(central, "Sensor 12");
    expect(await answerTo(link, message(1))).toEqual(message(1));
    expect(central.links[0]!.security.authenticated).toBe(true);
  });

  test("refuses where pairing is not wanted, or not enough", async () => {
    await using air = new SimulatedAir({ seed: 18 });
    const { central } = await world(air, { options: { ...echo, permissions: { write: "authenticated", subscribe: "authenticated" } } });
    await expect(openBleLink(central, "Sensor 12", { pair: "never" })).rejects.toMatchObject({ code: "ERR_ATT" });
    await air.advance(500);
    await expect(openBleLink(central, "Sensor 12")).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(ATT|PAIRING)$/) });
  });
});

describe("the server's side", () => {
  const collect = (got: Uint8Array[], more: Partial<GattMcumgrServerOptions>): GattMcumgrServerOptions => ({
    onLink: (link) => {
      link.onMessage = (octets) => got.push(octets);
    },
    ...more,
  });

  test("a server that does not join takes each write for a message", async () => {
    await using air = new SimulatedAir({ seed: 19 });
    const got: Uint8Array[] = [];
    const { central } = await world(air, { options: collect(got, { joining: "whole" }) });
    const link = await openBleLink(central, "Sensor 12");
    await link.send(message(1, 600));
    await air.advance(200);
    expect(got.map(({ length }) => length)).toEqual([495, 105]);
  });

  test("one that joins is strict: what goes past the end, and a first piece without a header, are dropped; so is what is too long", async () => {
    await using air = new SimulatedAir({ seed: 20 });
    const got: Uint8Array[] = [];
    const { central } = await world(air, { options: collect(got, { limit: 100 }) });
    await openBleLink(central, "Sensor 12");
    const characteristic = await central.links[0]!.gatt.characteristic(MCUMGR_SERVICE, MCUMGR_CHARACTERISTIC);
    for (const value of [
      concat(message(1), message(2)),
      message(3).subarray(0, 7),
      message(4),
      message(5, 101),
      message(6).subarray(0, 12),
      message(6).subarray(12),
      message(7).subarray(0, 12),
      message(8),
      message(9),
    ])
      await characteristic.writeWithoutResponse(value);
    await air.advance(200);
    expect(got).toEqual([message(4), message(6), message(9)]);
  });

  test("each peer is a link of its own, which ends with it, or when it does not listen any more", async () => {
    await using air = new SimulatedAir({ seed: 21 });
    const ends: string[] = [];
    let links = 0;
    const { central, server } = await world(air, {
      options: {
        onLink: (link) => {
          links++;
          link.onClose = (reason) => ends.push(reason.code);
        },
      },
    });
    const link = await openBleLink(central, "Sensor 12");
    expect(links).toBe(1);
    await link[Symbol.asyncDispose]();
    await server.links[0]?.closed;
    expect(ends).toHaveLength(1);
    const connection = await central.connect(server.identity);
    const again = await openConnectionLink(connection);
    await again[Symbol.asyncDispose]();
    await air.advance(500);
    expect([links, ends.length, ends[1]]).toEqual([2, 2, "ERR_CLOSED"]);
  });

  test("taken out again, its links end", async () => {
    await using air = new SimulatedAir({ seed: 22 });
    const { central, peripheral } = await air.connectedPair();
    let end: string | undefined;
    const service = serveMcumgrOverGatt(peripheral.device, {
      onLink: (link) => {
        link.onClose = (reason) => {
          end = reason.code;
        };
      },
    });
    await openConnectionLink(central.connection);
    service[Symbol.dispose]();
    expect(end).toBe("ERR_CLOSED");
    await expect(peripheral.gatt.characteristic(MCUMGR_SERVICE, MCUMGR_CHARACTERISTIC)).rejects.toMatchObject({
      code: "ERR_GATT_NOT_FOUND",
    });
    expect(() => serveMcumgrOverGatt(peripheral.device, {} as GattMcumgrServerOptions)).toThrow(/onLink/);
  });
});

test("the length of fragments fills the radio's packets", () => {
  expect([495, 514, 244, 182, 20, 236].map((length) => fillingLength(length, 251))).toEqual([495, 495, 244, 182, 20, 236]);
  expect([20, 244, 495].map((length) => fillingLength(length, 27))).toEqual([20, 236, 479]);
});

test("answers of a server fill the radio's packets too, and what came of one is forgotten after a loss", async () => {
  await using air = new SimulatedAir({ seed: 24 });
  const { central } = await world(air, { server: { att: { mtu: 247 }, controller: { features: { dataLength: false } } } });
  const link = await openBleLink(central, "Sensor 12");
  expect(link.isLossy).toBe(false);
  expect(await answerTo(link, message(1, 500))).toEqual(message(1, 500));
  const lengths = (name: string): number[] => air.trace(name).map(({ bytes }) => bytes.length - 9 - 3);
  expect([lengths("AttWriteCmd"), lengths("AttHandleValueNtf")]).toEqual([
    [236, 236, 28],
    [236, 236, 28],
  ]);
});

test("a loss within an answer does not spoil the next one", async () => {
  const port: BleMcumgrPort = {
    target: "test",
    maxWriteLength: 20,
    onValue: undefined,
    onClose: undefined,
    write: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const link = new BleLink(port);
  const got: Uint8Array[] = [];
  link.onMessage = (octets) => got.push(octets);
  port.onValue!(message(1, 40).subarray(0, 20));
  link.resynchronise();
  port.onValue!(message(2, 20));
  expect(got).toEqual([message(2, 20)]);
});

test("the terms of a call are the opener's own", async () => {
  await using air = new SimulatedAir({ seed: 25 });
  const { central } = await world(air);
  const open = createBleOpener(central, "Sensor 12");
  await expect(open({ signal: AbortSignal.abort("before") })).rejects.toBe("before");
  await expect(open({ timeoutMs: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 1 });
  await expect(open({ timeout: 1 } as object)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("a port's fragments: one write where it fits, else of the length that fills", async () => {
  const writes: number[] = [];
  const port: BleMcumgrPort = {
    target: "test",
    maxWriteLength: 514,
    fragmentLength: 495,
    onValue: undefined,
    onClose: undefined,
    write: async (value) => void writes.push(value.length),
    [Symbol.asyncDispose]: async () => {},
  };
  const link = new BleLink(port);
  await link.send(message(1, 514));
  await link.send(message(1, 1000));
  expect(writes).toEqual([514, 495, 495, 10]);
  await expect(link.send(new Uint8Array(70_000))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG" });
});
