import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, Logger, SeededRandom } from "../src/core/index.ts";
import { createRpa } from "../src/crypto/index.ts";
import { type Connection, Device, type DeviceOptions, type OpenController } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import {
  DisconnectionComplete,
  EncryptionChange,
  HardwareError,
  HciErrorCode,
  type HciTransport,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeDataLengthChange,
  LeLongTermKeyRequest,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "../src/hci/index.ts";
import { Device as NamedDevice } from "../src/index.ts";
import type { Bond } from "../src/smp/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("C0:00:00:00:00:02/random");
const LTK = { key: new Uint8Array(16).fill(3), ediv: 0, rand: new Uint8Array(8), keySize: 16 };
const BOND: Bond = {
  identity: PEER,
  peerIrk: new Uint8Array(16).fill(7),
  localLtk: LTK,
  peerLtk: LTK,
  localIrkDistributed: true,
  authenticated: false,
  secureConnections: true,
};

/** Of a peer without privacy, which can be connected without looking for it first. */
const { peerIrk: _, ...PLAIN_BOND } = BOND;

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;

const open = async (options: DeviceOptions = {}, made: ConstructorParameters<typeof ScriptedController>[0] = {}) => {
  controller = new ScriptedController(made);
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), ...options });
};
/** A link as peripheral, answering an advertisement. */
const beConnected = async (peer = PEER): Promise<Connection> => {
  const advertising = await device.advertise();
  controller.link({ role: "peripheral", peer });
  return await advertising.connection({ timeoutMs: 1000 });
};
/** A link as central. */
const connect = async (peer = PEER): Promise<Connection> => {
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer }));
  return await device.connect(peer);
};
const settled = () => delay(clock, 1);

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  await device.close();
  expect(device.hci.listenerCount).toBe(0);
  expect(clock.pending).toEqual([]);
});

describe("a device", () => {
  test("is opened, and leaves the controller reset", async () => {
    await open();
    expect(device.identity.toString()).toBe("00:11:22:33:44:55/public");
    expect(device.gattServer.services.map(({ uuid }) => uuid.text)).toEqual(["1800", "1801"]);
    await device.close();
    expect(controller.commands.at(-1)).toBe("Reset");
    await expect(device.advertise()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await expect(device.connect(PEER)).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await expect(device.scan().next()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  test("has a random identity where the controller has no address, or where it is asked for", async () => {
    await open({}, { address: new Address(new Uint8Array(6), 0) });
    expect(device.identity.isStaticRandom).toBe(true);
    await expect(device.advertise({ ownAddress: "public" })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await device.close();
    const chosen = Address.from("C0:11:22:33:44:55/random");
    await open({ address: chosen, gattServer: "empty" });
    expect(device.identity).toEqual(chosen);
    expect(device.gattServer.services).toEqual([]);
    await device.advertise();
    expect(controller.last.get("LeSetRandomAddress")).toEqual({ randomAddress: chosen });
  });

  test.each<[DeviceOptions, string]>([
    [{ address: Address.from("40:00:00:00:00:01/random") }, "expected a public address or a static random one"],
    [{ address: Address.from("00:00:00:00:00:01") }, "cannot be chosen"],
    [{ irk: new Uint8Array(15) }, "identity resolving key of 15 octets"],
    [{ att: { maxTxPdu: 22 } }, "ATT policy maxTxPdu: expected a whole number from 23 to 65535, got 22"],
    [{ pairing: { minKeySize: 5 } }, "key sizes 5 to 16"],
    [{ privateAddressIntervalMs: 1 }, "private address interval 1 ms"],
    [{ policy: { dataLength: "sometimes" as "auto" } }, 'dataLength "sometimes"'],
  ])("is not opened with %j", async (options, message) => {
    await open();
    await expect(Device.open(new ScriptedController().transport, { clock, ...options })).rejects.toThrow(message);
  });

  test("shows every packet to its capture", async () => {
    const seen: string[] = [];
    await open({ capture: (direction, packet, timeMs) => seen.push(`${direction} ${packet[0]} ${timeMs}`) });
    await device.close();
    expect(seen.filter((line) => line === "sent 1 0").length).toBe(controller.commands.length);
    expect(seen.filter((line) => line === "received 4 0").length).toBe(controller.commands.length);
  });

  test("a capture that throws is the program's fault and harms nothing else", async () => {
    const fault = new Error("the disk is full");
    const uncaught: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error));
    try {
      let packets = 0;
      await open({
        capture: () => {
          packets++;
          throw fault;
        },
      });
      expect(await (await beConnected()).rssi()).toBe(-60);
      await device.close();
      await new Promise((resolve) => setImmediate(resolve));
      expect(uncaught).toEqual(Array.from({ length: packets }, () => fault));
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });

  test("two live in one process and know nothing of each other", async () => {
    await open();
    const other = new ScriptedController({ address: OTHER });
    await using second = await Device.open(other.transport, { clock });
    await device.advertise();
    await second.advertise();
    controller.link({ role: "peripheral", peer: PEER });
    await settled();
    expect([device.links.length, second.links.length]).toEqual([1, 0]);
  });

  test("is opened by name, in real time", async () => {
    await open();
    await using air = await NamedDevice.open("sim:");
    await using other = await NamedDevice.open("sim:");
    expect([air instanceof Device, air instanceof NamedDevice, {} instanceof NamedDevice]).toEqual([true, true, false]);
    await air.advertise({ intervalMs: 20 });
    const connection = await other.connect(air.address, { intervalMs: 7.5, timeoutMs: 5000 });
    expect(new TextDecoder().decode(await connection.gatt.read(3))).toBe("Jelling");
  });

  test.each([
    ["nowhere:", "unknown-spec"],
    ["tcp:127.0.0.1:1", "refused"],
  ])("is not opened at %s", async (spec, reason) => {
    await open();
    await expect(NamedDevice.open(spec)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason });
  });

  test.each<[unknown, string]>([
    [undefined, "expected a transport or a function that opens one, got undefined"],
    [null, "got null"],
    [5, "got 5"],
    [{}, "got an object"],
    ["hci:0", 'got a string; the Device of "jelling" itself opens one by its name'],
  ])("is not opened on %j", async (given, message) => {
    await open();
    const failure = { code: "ERR_ARGUMENT", message: expect.stringContaining(message) as string };
    await expect(Device.open(given as HciTransport)).rejects.toMatchObject(failure);
    if (typeof given !== "string") await expect(NamedDevice.open(given as string)).rejects.toMatchObject(failure);
  });

  test("is not opened with an option that does not exist", async () => {
    await open();
    for (const each of [Device, NamedDevice] as const)
      await expect(each.open(controller.transport, { bondStore: [] } as DeviceOptions)).rejects.toMatchObject({
        code: "ERR_ARGUMENT",
        message: 'Device.open: unknown option "bondStore", did you mean "bonds"?',
      });
  });

  test("is opened by whatever opens its controller, which gets its clock, its chance, its log and its signal", async () => {
    await open();
    const other = new ScriptedController();
    const { signal } = new AbortController();
    const random = new SeededRandom(2);
    const got: unknown[] = [];
    const opener: OpenController = async (options) => {
      got.push(options);
      return other.transport;
    };
    await using _bare = await Device.open(opener, { clock, random, logger: Logger.silent, signal });
    expect(got).toEqual([{ clock, random, logger: Logger.silent, signal }]);
    const third = new ScriptedController();
    await using _named = await NamedDevice.open("scripted:rest", {
      clock,
      kinds: {
        scripted: async (rest, options) => (rest === "rest" && options.clock === clock ? third.transport : Promise.reject(new Error(rest))),
      },
    });
    expect(third.commands.length).toBeGreaterThan(5);
  });

  test("a controller that falls silent is an error of who asks, and closing takes a bounded time", async () => {
    await open();
    controller.answers.set("LeSetAdvertisingEnable", "silent");
    controller.answers.set("Reset", "silent");
    await expect(device.advertise()).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const before = clock.now();
    await device.close();
    expect(clock.now() - before).toBeLessThan(5000);
  });
});

describe("the end of the controller", () => {
  const endings: [name: string, end: () => unknown, code: string][] = [
    ["hardware error", () => controller.event(HardwareError, { hardwareCode: 1 }), "ERR_CONTROLLER"],
    ["an unplugged transport", () => controller.unplug(), "ERR_TRANSPORT_CLOSED"],
  ];
  test.each(endings)("by %s settles everything with a typed error, within a turn", async (_name, end, code) => {
    await open();
    const connection = await beConnected();
    const advertising = await device.advertise({ ownAddress: "resolvable" });
    const waiting = {
      scan: device.scan().next(),
      connect: device.connect(OTHER),
      queued: device.connect(PEER, { timeoutMs: 1000 }).catch((error: unknown) => error),
      connections: device.connections().next(),
      advertising: advertising.connection(),
      read: connection.gatt.read(3),
      pair: connection.pair(),
      update: connection.updateParameters({ intervalMs: 50 }),
      indicate: connection.att.indicate(connection.att.allocate(3)),
    };
    const outcomes = Promise.allSettled(Object.entries(waiting).map(async ([name, promise]) => [name, await promise]));
    await settled();
    await end();
    const at = clock.now();
    for (const [index, outcome] of (await outcomes).entries()) {
      const name = Object.keys(waiting)[index];
      if (name === "queued") continue; // refused at once: there is a link already
      expect([name, outcome.status]).toEqual([name, "rejected"]);
      const { reason } = outcome as PromiseRejectedResult;
      const expected = ["read", "pair", "update", "indicate"].includes(name!) ? "ERR_DISCONNECTED" : code;
      expect([name, (reason as { code: string }).code]).toEqual([name, expected]);
    }
    expect(clock.now()).toBe(at);
    expect(device.ended).toMatchObject({ code });
    expect(await connection.closed).toMatchObject({ code: "ERR_DISCONNECTED", cause: { code } });
    expect(device.links).toEqual([]);
  });
});

describe("hostile controllers and peers", () => {
  const octets = fc.uint8Array({ maxLength: 40 });

  test("random packets of a controller are borne", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(0x3e, 0x05, 0x08, 0x0e, 0x0f, 0x13, 0x30, 0x57, 0x59), octets)),
        async (events) => {
          await open();
          await beConnected();
          for (const [code, parameters] of events) controller.raw(Uint8Array.of(4, code, parameters.length, ...parameters));
          for (const [, garbage] of events) controller.raw(garbage);
          await settled();
          await device.close();
          expect(clock.pending).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("so are random PDUs of a peer, on every channel", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(4, 5, 6, 7), octets), { maxLength: 20 }), async (pdus) => {
        await open();
        await beConnected();
        for (const [cid, payload] of pdus) controller.pdu(1, cid, payload);
        await settled();
        expect(device.links).toHaveLength(1);
        await device.close();
        expect(clock.pending).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe("links", () => {
  test("a central gets its connection, a peripheral those of its advertisement", async () => {
    await open();
    const seen: string[] = [];
    device.onConnection(({ role, peerAddress }) => seen.push(`${role} ${peerAddress}`));
    const arrivals = device.connections();
    const central = await connect(OTHER);
    expect(central).toMatchObject({ role: "central", handle: 1, parameters: { intervalMs: 30, latency: 0, supervisionTimeoutMs: 4000 } });
    const advertising = await device.advertise();
    controller.link({ handle: 2, role: "peripheral", peer: PEER });
    const made: Connection[] = [];
    for await (const connection of advertising.connections()) made.push(connection); // ended by the connection
    expect(made).toHaveLength(1);
    expect(seen).toEqual([`central ${OTHER}`, `peripheral ${PEER}`]);
    expect(device.links).toEqual([central, made[0]]);
    expect([(await arrivals.next()).value, (await arrivals.next()).value]).toEqual(device.links);
  });

  test("a lost link ends in the turn it is told", async () => {
    await open();
    const connection = await beConnected();
    const told: number[] = [];
    connection.on("disconnected", ({ reason }) => told.push(reason));
    const read = connection.gatt.read(3);
    controller.lose(1, HciErrorCode.ConnectionTimeout);
    expect(told).toEqual([HciErrorCode.ConnectionTimeout]);
    await expect(read).rejects.toMatchObject({ code: "ERR_DISCONNECTED", reason: 0x08 });
    expect(await connection.closed).toMatchObject({ reason: 0x08 });
    await expect(connection.rssi()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await expect(connection.pair()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await expect(connection.updateParameters({})).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await connection.disconnect();
  });

  test("a link that is disconnected here is gone when the controller says so", async () => {
    await open();
    const first = await beConnected();
    await first.disconnect();
    expect((await first.closed).reason).toBe(0x16);
    await first.disconnect(); // again: nothing
    expect(controller.commands.filter((name) => name === "Disconnect")).toHaveLength(1);
  });

  test("a disconnection that the controller leaves open is an error, and the link is kept until its end is told", async () => {
    await open();
    const connection = await beConnected();
    controller.reactions.delete("Disconnect");
    const before = clock.now();
    await expect(connection.disconnect()).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "disconnection" });
    expect(clock.now() - before).toBe(6000);
    expect([connection.ended, device.links]).toEqual([undefined, [connection]]);
    expect(await connection.rssi()).toBe(-60);
    controller.lose(1, 0x16);
    expect(await connection.closed).toMatchObject({ reason: 0x16 });
    expect(device.links).toEqual([]);
  });

  test("Disconnection Complete with an error status rejects the disconnection and keeps the link (Vol 4 Part E 7.7.5)", async () => {
    await open();
    const connection = await beConnected();
    const failed = { status: 0x0c, connectionHandle: 1, reason: 0x16 };
    controller.event(DisconnectionComplete, failed); // nobody asked
    controller.reactions.set("Disconnect", () => controller.event(DisconnectionComplete, failed));
    await expect(connection.disconnect()).rejects.toMatchObject({ code: "ERR_HCI", status: 0x0c, command: "Disconnect" });
    expect([connection.ended, device.links]).toEqual([undefined, [connection]]);
    expect(await connection.rssi()).toBe(-60);
    controller.reactions.set("Disconnect", () => controller.event(DisconnectionComplete, { ...failed, status: 0 }));
    await connection.disconnect();
    expect(device.links).toEqual([]);
  });

  test("a reset of the controller takes every link down", async () => {
    await open();
    const connection = await beConnected();
    const read = expect(connection.gatt.read(3)).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await device.hci.reset();
    await read;
    expect(await connection.closed).toMatchObject({ reason: 0x03, cause: { code: "ERR_STATE" } });
    expect([device.links, device.ended]).toEqual([[], undefined]);
    await beConnected();
  });

  test("a link that the controller does not know is gone although no event says so", async () => {
    await open();
    const connection = await beConnected();
    controller.answers.set("Disconnect", HciErrorCode.UnknownConnectionIdentifier);
    await connection.disconnect();
    expect(await connection.closed).toMatchObject({ reason: 0x16, cause: { code: "ERR_TIMEOUT" } });
    expect(device.links).toEqual([]);
  });

  test("a link that the controller could not end is still there (7.7.5)", async () => {
    await open();
    const connection = await beConnected();
    controller.reactions.set("Disconnect", () => controller.event(DisconnectionComplete, { status: 0x1f, connectionHandle: 1, reason: 0 }));
    await expect(connection.disconnect()).rejects.toMatchObject({ code: "ERR_HCI", status: 0x1f, command: "Disconnect" });
    expect([device.links, connection.ended]).toEqual([[connection], undefined]);
    expect(await connection.rssi()).toBe(-60);
    controller.lose();
    await connection.disconnect();
    expect(device.links).toEqual([]);
  });

  test("a link that the controller does not want to end is an error, but not of a scope that is left", async () => {
    await open();
    controller.answers.set("Disconnect", HciErrorCode.HardwareFailure);
    const connection = await beConnected();
    await expect(connection.disconnect()).rejects.toMatchObject({ code: "ERR_HCI", status: 0x03 });
    await connection[Symbol.asyncDispose]();
    controller.answers.set("Disconnect", HciErrorCode.CommandDisallowed);
    const going = connection.disconnect();
    await settled();
    controller.lose();
    await going;
    expect(device.links).toEqual([]);
  });

  test("a second link to the same peer is refused before the controller is asked", async () => {
    await open();
    await connect();
    await expect(device.connect(PEER)).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("a connection that nobody wants any more is taken down", async () => {
    await open();
    const abort = new AbortController();
    const connected = device.connect(PEER, { signal: abort.signal });
    await settled();
    controller.answers.set("LeCreateConnectionCancel", HciErrorCode.CommandDisallowed);
    abort.abort(new Error("enough"));
    await expect(connected).rejects.toThrow("enough");
    controller.link({ role: "central", peer: PEER });
    await settled();
    expect(controller.last.get("Disconnect")).toEqual({ connectionHandle: 1, reason: 0x13 });
    expect(device.links).toEqual([]);
  });

  test("so is one to an advertisement that was just stopped", async () => {
    await open();
    const advertising = await device.advertise();
    controller.answers.set("LeSetAdvertisingEnable", HciErrorCode.CommandDisallowed);
    const stopped = advertising.stop();
    controller.link({ role: "peripheral", peer: PEER });
    await stopped;
    await settled();
    expect(controller.commands.includes("Disconnect")).toBe(true);
    expect(device.links).toEqual([]);
  });

  test("a peer that did not answer its first events is an error", async () => {
    await open();
    const connected = device.connect(PEER);
    await settled();
    controller.event(LeConnectionComplete, {
      status: HciErrorCode.ConnectionFailedToBeEstablished,
      connectionHandle: 0,
      role: 0,
      peerAddress: PEER,
      connectionInterval: 0,
      peripheralLatency: 0,
      supervisionTimeout: 0,
      centralClockAccuracy: 0,
    });
    await expect(connected).rejects.toMatchObject({ code: "ERR_HCI", status: 0x3e });
  });

  test("an advertisement ends with its signal, and so do the loops over it", async () => {
    await open();
    const abort = new AbortController();
    const advertising = await device.advertise({ signal: abort.signal });
    const loop = advertising.connections().next();
    const single = advertising.connection();
    abort.abort(new Error("enough"));
    await expect(loop).rejects.toThrow("enough");
    await expect(single).rejects.toThrow("enough");
    expect(advertising.active).toBe(false);
    await device.advertise();
  });

  test("the strength of the signal and longer packets are asked of the controller", async () => {
    await open();
    const connection = await beConnected();
    expect(await connection.rssi()).toBe(-60);
    const lengths: number[] = [];
    connection.on("dataLength", ({ txOctets }) => lengths.push(txOctets));
    controller.event(LeDataLengthChange, { connectionHandle: 1, maxTxOctets: 251, maxTxTime: 2120, maxRxOctets: 27, maxRxTime: 328 });
    expect(connection.dataLength).toEqual({ txOctets: 251, rxOctets: 27 });
    expect(lengths).toEqual([251]);
  });

  test("longer packets are asked for by themselves, unless the policy says no", async () => {
    const leFeatures = 1n << 5n;
    await open({}, { leFeatures });
    await beConnected();
    await settled();
    expect(controller.last.get("LeSetDataLength")).toEqual({ connectionHandle: 1, txOctets: 251, txTime: 2120 });
    await device.close();
    await open({ policy: { dataLength: "never" } }, { leFeatures });
    await beConnected();
    await settled();
    expect(controller.commands.includes("LeSetDataLength")).toBe(false);
  });
});

describe("connection parameters", () => {
  const updated = (status = 0, connectionInterval = 40) =>
    controller.event(LeConnectionUpdateComplete, {
      status,
      connectionHandle: 1,
      connectionInterval,
      peripheralLatency: 1,
      supervisionTimeout: 200,
    });

  test("a central changes them", async () => {
    await open();
    const connection = await connect();
    const changed = connection.updateParameters({ intervalMs: [40, 50], latency: 1, supervisionTimeoutMs: 2000 });
    await settled();
    expect(controller.last.get("LeConnectionUpdate")).toMatchObject({
      connectionIntervalMin: 32,
      connectionIntervalMax: 40,
      maxLatency: 1,
    });
    updated();
    expect(await changed).toEqual({ intervalMs: 50, latency: 1, supervisionTimeoutMs: 2000 });
    expect(connection.parameters.intervalMs).toBe(50);
  });

  test("what the controllers cannot agree on is an error, and so is silence", async () => {
    await open();
    const connection = await connect();
    const changed = connection.updateParameters({});
    await settled();
    updated(HciErrorCode.UnsupportedRemoteFeature);
    await expect(changed).rejects.toMatchObject({ code: "ERR_HCI", status: 0x1a });
    await expect(connection.updateParameters({}, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("a peripheral asks over L2CAP", async () => {
    await open();
    const connection = await beConnected();
    const refused = connection.updateParameters({ intervalMs: 50 });
    await settled();
    const request = controller.data.at(-1)!;
    expect([...request.subarray(9)]).toEqual([0x12, 1, 8, 0, 40, 0, 40, 0, 0, 0, 0x90, 1]);
    controller.pdu(1, 5, Uint8Array.of(0x13, 1, 2, 0, 1, 0));
    await expect(refused).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const accepted = connection.updateParameters({ intervalMs: 50 });
    await settled();
    controller.pdu(1, 5, Uint8Array.of(0x13, 2, 2, 0, 0, 0));
    updated();
    expect((await accepted).intervalMs).toBe(50);
  });

  test("over the link layer where both controllers can", async () => {
    await open({}, { leFeatures: 1n << 1n });
    const connection = await beConnected();
    const changed = connection.updateParameters({ intervalMs: 50 });
    await settled();
    controller.event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle: 1, leFeatures: 1n << 1n });
    await settled();
    expect(controller.commands.at(-1)).toBe("LeConnectionUpdate");
    updated();
    await changed;
  });

  test("a central answers its peripheral as the policy says", async () => {
    const request = Uint8Array.of(0x12, 9, 8, 0, 40, 0, 40, 0, 0, 0, 0x90, 1);
    for (const [parameterRequests, result] of [["accept", 0] as const, ["refuse", 1] as const, [() => false, 1] as const]) {
      await open({ policy: { parameterRequests } });
      await connect();
      controller.pdu(1, 5, request);
      await settled();
      expect([...controller.data.at(-1)!.subarray(9)]).toEqual([0x13, 9, 2, 0, result, 0]);
      expect(controller.commands.includes("LeConnectionUpdate")).toBe(result === 0);
      await device.close();
    }
  });

  test("so it does when the peer asks over the link layer; what is out of range is refused in any case", async () => {
    await open();
    await connect();
    const ask = (intervalMin: number) =>
      controller.event(LeRemoteConnectionParameterRequest, {
        connectionHandle: 1,
        intervalMin,
        intervalMax: 40,
        maxLatency: 0,
        timeout: 400,
      });
    ask(40);
    await settled();
    expect(controller.last.get("LeRemoteConnectionParameterRequestReply")).toMatchObject({ intervalMin: 40, timeout: 400 });
    ask(5);
    await settled();
    expect(controller.last.get("LeRemoteConnectionParameterRequestNegativeReply")).toEqual({ connectionHandle: 1, reason: 0x3b });
  });
});

describe("security", () => {
  const encrypted = (status = 0, encryptionEnabled = 1) =>
    controller.event(EncryptionChange, { status, connectionHandle: 1, encryptionEnabled });
  const gone = (reason: number) => controller.event(DisconnectionComplete, { status: 0, connectionHandle: 1, reason });

  test("a bonded peer is known by its private address, before its first request", async () => {
    await open({ bonds: new MemoryBondStore([BOND]) });
    const rpa = createRpa(BOND.peerIrk!, new SeededRandom(4));
    const connection = await beConnected(rpa);
    expect(connection.bonded).toBe(true);
    expect(connection.peerIdentity).toEqual(PEER);
    expect(connection.peerAddress).toEqual(rpa);
  });

  test("a peripheral answers for the key of its bond, and refuses any other", async () => {
    await open({ bonds: new MemoryBondStore([BOND]) });
    const connection = await beConnected();
    controller.event(LeLongTermKeyRequest, { connectionHandle: 1, randomNumber: new Uint8Array(8), encryptedDiversifier: 0 });
    expect(controller.last.get("LeLongTermKeyRequestReply")).toEqual({ connectionHandle: 1, longTermKey: LTK.key });
    encrypted();
    expect(connection.security).toMatchObject({ encrypted: true, bonded: true, keySize: 16 });
    const failures: unknown[] = [];
    connection.on("securityFailure", (error) => failures.push(error));
    controller.event(LeLongTermKeyRequest, { connectionHandle: 1, randomNumber: new Uint8Array(8), encryptedDiversifier: 1 });
    expect(controller.commands.at(-1)).toBe("LeLongTermKeyRequestNegativeReply");
    expect(failures).toMatchObject([{ code: "ERR_BOND_LOST", side: "local" }]);
  });

  test("a central encrypts with the key of its bond before it hands out the connection", async () => {
    await open({ bonds: new MemoryBondStore([PLAIN_BOND]) });
    let connection: Connection | undefined;
    const connecting = connect().then((made) => {
      connection = made;
    });
    await settled();
    expect(controller.last.get("LeEnableEncryption")).toMatchObject({ longTermKey: LTK.key });
    expect(connection).toBeUndefined();
    encrypted();
    await connecting;
    expect(connection!.security.encrypted).toBe(true);
    encrypted(0, 0);
    expect(connection!.security.encrypted).toBe(false);
  });

  test.each([
    ["answers that it has no key", () => encrypted(HciErrorCode.PinOrKeyMissing, 0), { code: "ERR_BOND_LOST", side: "peer" }],
    ["has another key", () => gone(HciErrorCode.ConnectionTerminatedDueToMicFailure), { code: "ERR_BOND_LOST", cause: { reason: 0x3d } }],
    ["cannot encrypt", () => encrypted(HciErrorCode.UnsupportedRemoteFeature, 0), { code: "ERR_BOND_LOST", cause: { status: 0x1a } }],
    ["refuses", () => encrypted(HciErrorCode.UnspecifiedError, 0), { code: "ERR_HCI", status: 0x1f }],
    ["goes for want of the key", () => gone(HciErrorCode.PinOrKeyMissing), { code: "ERR_BOND_LOST", cause: { reason: 0x06 } }],
    ["goes since it knows us not", () => gone(HciErrorCode.AuthenticationFailure), { code: "ERR_BOND_LOST", cause: { reason: 0x05 } }],
    ["goes", () => gone(HciErrorCode.RemoteUserTerminatedConnection), { code: "ERR_DISCONNECTED", reason: 0x13 }],
    ["says nothing", () => {}, { code: "ERR_TIMEOUT" }],
  ])("a bonded peer that %s ends the connection, and was asked nothing", async (_name, answer, error) => {
    await open({ bonds: new MemoryBondStore([PLAIN_BOND]) });
    const outcomes: Promise<unknown>[] = [];
    // Silence ends the call of connect first, and with it the link.
    const ofRead = error.code === "ERR_TIMEOUT" ? { code: "ERR_DISCONNECTED" } : error;
    device.onConnection((connection) => outcomes.push(expect(connection.gatt.read(3)).rejects.toMatchObject(ofRead)));
    controller.reactions.set("Disconnect", () => gone(HciErrorCode.ConnectionTerminatedByLocalHost));
    const connecting = expect(connect()).rejects.toMatchObject(error);
    await settled();
    answer();
    await connecting;
    await Promise.all(outcomes);
    expect(device.links).toEqual([]);
    expect(controller.data.filter((packet) => packet[7] === 4)).toEqual([]);
  });

  test("whoever gives up while a bonded peer is encrypted takes the link down", async () => {
    await open({ bonds: new MemoryBondStore([PLAIN_BOND]) });
    controller.reactions.set("Disconnect", () => gone(HciErrorCode.ConnectionTerminatedByLocalHost));
    controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
    await expect(device.connect(PEER, { timeoutMs: 500 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(device.links).toEqual([]);
    const abort = new AbortController();
    const connecting = expect(device.connect(PEER, { signal: abort.signal })).rejects.toThrow("enough");
    await settled();
    abort.abort(new Error("enough"));
    await connecting;
    await settled();
    expect(device.links).toEqual([]);
  });

  test("a policy may trust a bonded peer in the clear, by a name that stands out", async () => {
    await open({ bonds: new MemoryBondStore([PLAIN_BOND]), policy: { dangerouslyTrustUnencryptedPeer: true } });
    const connection = await connect();
    await settled();
    expect(controller.commands).not.toContain("LeEnableEncryption");
    const seen: number[] = [];
    connection.gatt.onValue(({ handle }) => seen.push(handle));
    controller.pdu(1, 4, Uint8Array.of(0x1b, 3, 0, 1));
    const read = connection.gatt.read(3);
    await settled();
    expect([...controller.data.at(-1)!.subarray(9)]).toEqual([0x0a, 3, 0]);
    controller.pdu(1, 4, Uint8Array.of(0x0b, 7));
    expect([[...(await read)], seen]).toEqual([[7], [3]]);
  });

  test("as peripheral a bonded peer is asked to encrypt before the first own request leaves", async () => {
    await open({ bonds: new MemoryBondStore([BOND]) });
    const connection = await beConnected();
    const sent = () => controller.data.map((packet) => [packet[7], ...packet.subarray(9)]);
    const seen: number[] = [];
    connection.gatt.onValue(({ handle }) => seen.push(handle));
    controller.pdu(1, 4, Uint8Array.of(0x1b, 3, 0, 1));
    await delay(clock, 100);
    expect(sent()).toEqual([]);
    const read = connection.gatt.read(3);
    await settled();
    expect(sent()).toEqual([[6, 0x0b, 0x09]]); // Security Request
    controller.event(LeLongTermKeyRequest, { connectionHandle: 1, randomNumber: new Uint8Array(8), encryptedDiversifier: 0 });
    encrypted();
    await settled();
    expect(sent().slice(1)).toEqual([[4, 0x0a, 3, 0]]);
    controller.pdu(1, 4, Uint8Array.of(0x0b, 7));
    expect([[...(await read)], seen]).toEqual([[7], []]);
  });

  test("a central that ignores the request is told nothing, and keeps its link", async () => {
    await open({ bonds: new MemoryBondStore([BOND]) });
    const connection = await beConnected();
    await expect(connection.gatt.read(3)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(controller.data.filter((packet) => packet[7] === 4)).toEqual([]);
    expect(connection.ended).toBeUndefined();
  });

  test("a bond without a key to encrypt with promises nothing", async () => {
    const { localLtk, peerLtk, ...keyless } = PLAIN_BOND;
    expect([localLtk, peerLtk]).toEqual([LTK, LTK]);
    await open({ bonds: new MemoryBondStore([keyless]) });
    const connection = await connect();
    const read = connection.gatt.read(3);
    await settled();
    controller.pdu(1, 4, Uint8Array.of(0x0b, 7));
    expect([connection.bonded, [...(await read)]]).toEqual([true, [7]]);
    expect(controller.commands).not.toContain("LeEnableEncryption");
  });

  test("what is bonded on the link is demanded from then on, and not after the bond was deleted", async () => {
    await open({ bonds: new MemoryBondStore([PLAIN_BOND]) });
    controller.reactions.set("LeEnableEncryption", () => encrypted());
    const connection = await connect();
    expect(connection.att.demand).toMatchObject({ encrypted: true });
    encrypted(0, 0);
    const seen: number[] = [];
    connection.gatt.onValue(({ handle }) => seen.push(handle));
    controller.pdu(1, 4, Uint8Array.of(0x1b, 3, 0, 1));
    expect(seen).toEqual([]);
    await device.bonds.delete(PEER);
    controller.pdu(1, 4, Uint8Array.of(0x1b, 3, 0, 1));
    expect(seen).toEqual([3]);
  });

  test("a level of the policy holds without a bond too", async () => {
    await open({ policy: { security: { encrypted: true } } });
    const connection = await connect();
    const seen: number[] = [];
    connection.gatt.onValue(({ handle }) => seen.push(handle));
    controller.pdu(1, 4, Uint8Array.of(0x1b, 3, 0, 1));
    for (const refused of [
      connection.gatt.read(3),
      connection.gatt.writeWithoutResponse(3, new Uint8Array(1)),
      connection.gatt.exchangeMtu(),
    ])
      await expect(refused).rejects.toMatchObject({ code: "ERR_INSUFFICIENT_SECURITY", required: { encrypted: true } });
    expect(connection.gatt.tryWriteWithoutResponse(3, new Uint8Array(1))).toBe(false);
    expect([controller.data.filter((packet) => packet[7] === 4), seen]).toEqual([[], []]);
    expect(() => connection.att.sendNow(connection.att.valueFrame(0x52, 3, new Uint8Array(1)))).toThrow(/must be encrypted/);
  });

  test.each([
    [{ security: { encrypted: 1 } }, "security.encrypted"],
    [{ security: { minKeySize: 5 } }, "security.minKeySize"],
    [{ security: "encrypted" }, "security: expected an object"],
    [{ dangerouslyTrustUnencryptedPeer: "yes" }, "dangerouslyTrustUnencryptedPeer"],
  ])("a policy of %j is refused", async (policy, message) => {
    await open();
    await expect(device.connect(PEER, { policy: policy as never })).rejects.toThrow(message);
  });

  test("without a bond there is nothing to encrypt with", async () => {
    await open();
    const connection = await connect();
    await expect(connection.encrypt()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("while the pairing window is closed a peer may not begin to pair, on any link", async () => {
    await open();
    await beConnected();
    const request = Uint8Array.of(1, 3, 0, 1, 16, 7, 7);
    device.pairable = false;
    controller.pdu(1, 6, request);
    await settled();
    expect([...controller.data.at(-1)!.subarray(9)]).toEqual([5, 5]); // Pairing Failed, Pairing Not Supported
    device.pairable = true;
    controller.pdu(1, 6, request);
    await settled();
    expect(controller.data.at(-1)![9]).toBe(2); // Pairing Response
  });

  test("a link's own policy may keep it closed while the device's is open", async () => {
    await open();
    const advertising = await device.advertise({ policy: { pairing: { pairable: false } } });
    controller.link({ role: "peripheral", peer: PEER });
    await advertising.connection();
    controller.pdu(1, 6, Uint8Array.of(1, 3, 0, 1, 16, 7, 7));
    await settled();
    expect([...controller.data.at(-1)!.subarray(9)]).toEqual([5, 5]);
  });

  test("pairing shows the address that the link was made with", async () => {
    await open();
    await device.advertise({ ownAddress: "resolvable" });
    controller.link({ role: "peripheral", peer: OTHER });
    await settled();
    const [connection] = device.links;
    expect(connection!.localAddress).toEqual(controller.last.get("LeSetRandomAddress")!.randomAddress);
  });
});
