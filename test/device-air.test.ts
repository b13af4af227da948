import { describe, expect, test } from "vitest";
import { fromHex } from "../src/bytes/index.ts";
import { Address, type BleError } from "../src/core/index.ts";
import type { Connection, Device } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import type { CharacteristicDefinition, LocalService } from "../src/gatt/index.ts";
import { HciErrorCode } from "../src/hci/index.ts";
import { IoCapability, type PairingAgent } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const OPEN = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";
const SECRET = "6e400003-b5a3-f393-e0a9-e50e24dcca9e";
const NOTIFY = "6e400004-b5a3-f393-e0a9-e50e24dcca9e";
const SLOW = "6e400005-b5a3-f393-e0a9-e50e24dcca9e";
const LONG = Uint8Array.from({ length: 500 }, (_, i) => i & 0xff);

/** A service with a value of each sort. */
function serve(device: Device, more: CharacteristicDefinition[] = []): LocalService {
  return device.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: OPEN, properties: ["read", "write"], value: LONG },
      { uuid: SECRET, properties: ["read", "write"], value: fromHex("0102"), permissions: { read: "encrypted", write: "encrypted" } },
      { uuid: NOTIFY, properties: ["notify", "indicate"] },
      { uuid: SLOW, properties: ["read"], read: () => new Promise(() => {}) },
      ...more,
    ],
  });
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error as BleError).code ?? String(error),
  );

describe("a bond", () => {
  const RESOLVABLE = { ownAddress: "resolvable" } as const;

  test("lasts when both have new private addresses: keys, subscriptions and the peer's identity", async () => {
    await using air = new SimulatedAir({ seed: 11 });
    const phone = await air.device({ name: "phone" });
    const sensor = await air.device({ name: "sensor", address: "random" });
    const value = serve(sensor).characteristic(NOTIFY)!;
    const advertising = await sensor.advertise(RESOLVABLE);
    expect(advertising.ownAddress!.isResolvablePrivate).toBe(true);

    const first = await phone.connect(advertising.ownAddress!, RESOLVABLE);
    expect(first.localAddress.isResolvablePrivate).toBe(true);
    expect(first.peerIdentity).toEqual(advertising.ownAddress);
    const secret = await first.gatt.characteristic(SERVICE, SECRET);
    expect(await code(secret.read())).toBe("ERR_ATT");
    const report = await first.pair();
    expect(report).toMatchObject({
      method: "just-works",
      secureConnections: true,
      bonded: true,
      keySize: 16,
      peerIdentity: sensor.identity,
    });
    expect(first.peerIdentity).toEqual(sensor.identity);
    expect(await secret.read()).toEqual(fromHex("0102"));
    const seen: Uint8Array[] = [];
    await (await first.gatt.characteristic(SERVICE, NOTIFY)).subscribe((octets) => seen.push(octets));
    await first.disconnect();
    await air.advance(50); // the sensor's controller may take longer to tell
    expect(value.subscribers).toHaveLength(0);

    const before = [first.localAddress, first.peerAddress];
    await air.advance(16 * 60_000);
    const again = await sensor.advertise(RESOLVABLE);
    const second = await phone.connect(sensor.identity, { ...RESOLVABLE, policy: { dangerouslyTrustUnencryptedPeer: true } });
    expect([second.localAddress, second.peerAddress].map((address, i) => address.equals(before[i]!))).toEqual([false, false]);
    expect([second.bonded, second.peerIdentity.equals(sensor.identity)]).toEqual([true, true]);
    const atSensor = await again.connection({ timeoutMs: 5000 });
    expect([atSensor.bonded, atSensor.peerIdentity.equals(phone.identity)]).toEqual([true, true]);
    expect(value.subscribers).toHaveLength(0); // not before it is encrypted
    await second.encrypt();
    expect(second.security).toMatchObject({ encrypted: true, bonded: true, secureConnections: true });
    await air.advance(100);
    expect(value.subscribers).toHaveLength(1);
    second.gatt.onValue(({ value: octets }) => seen.push(octets));
    await value.notify(fromHex("2a"));
    await air.advance(200);
    expect(seen).toEqual([fromHex("2a")]);
  });

  test("is used by itself where a request is refused for lack of encryption, and only then", async () => {
    await using air = new SimulatedAir({ seed: 12 });
    const { central, peripheral } = await air.connectedPair();
    serve(peripheral.device);
    await central.connection.pair();
    await central.connection.disconnect();
    await air.advance(1000);
    await peripheral.device.advertise();
    const again = await central.device.connect(peripheral.device.identity, { policy: { dangerouslyTrustUnencryptedPeer: true } });
    const secret = await again.gatt.characteristic(SERVICE, SECRET);
    expect(again.security.encrypted).toBe(false);
    expect(await secret.read()).toEqual(fromHex("0102"));
    expect(again.security).toMatchObject({ encrypted: true, bonded: true });
  });

  test("outlives the program: a new device with the same identity and store", async () => {
    await using air = new SimulatedAir({ seed: 13 });
    const kept = { bonds: new MemoryBondStore(), irk: new Uint8Array(16).fill(5), address: Address.from("C0:11:22:33:44:55/random") };
    const sensor = await air.device({ name: "sensor" });
    serve(sensor);
    await sensor.advertise({ restart: "disconnected" });
    for (const run of ["pair", "encrypt"] as const) {
      const phone = await air.device({ name: `phone ${run}`, ...kept });
      const connection = await phone.connect(sensor.address, { ownAddress: "resolvable" });
      await connection[run]();
      expect(await (await connection.gatt.characteristic(SERVICE, SECRET)).read()).toEqual(fromHex("0102"));
      await phone.close();
    }
    expect(kept.bonds.size).toBe(1);
  });

  test("that is deleted while its link is there is not used on that link any more", async () => {
    await using air = new SimulatedAir({ seed: 15 });
    const { central, peripheral } = await air.connectedPair();
    await central.connection.pair();
    await central.connection.disconnect();
    await air.advance(1000);
    await peripheral.device.advertise();
    const again = await central.device.connect(peripheral.device.identity, { policy: { dangerouslyTrustUnencryptedPeer: true } });
    await central.device.bonds.delete(peripheral.device.identity);
    expect(again.bonded).toBe(false);
    expect(await code(again.encrypt())).not.toBe("no error");
    expect(again.security.encrypted).toBe(false);
  });

  test("that one side has lost is told apart, and heals by deleting it and pairing again", async () => {
    await using air = new SimulatedAir({ seed: 14 });
    const { central, peripheral } = await air.connectedPair();
    await central.connection.pair();
    await central.connection.disconnect();
    await air.advance(1000);
    await peripheral.device.bonds.delete(central.device.identity);
    const lost: string[] = [];
    peripheral.device.onConnection((connection) => connection.on("securityFailure", (error) => lost.push(error.code)));
    await peripheral.device.advertise({ restart: "disconnected" });
    await expect(central.device.connect(peripheral.device.identity)).rejects.toMatchObject({ code: "ERR_BOND_LOST", side: "peer" });
    expect(lost).toEqual(["ERR_BOND_LOST"]);
    expect(central.device.links).toEqual([]);
    await central.device.bonds.delete(peripheral.device.identity);
    const third = await central.device.connect(peripheral.device.address);
    expect(await third.pair()).toMatchObject({ bonded: true });
  });
});

describe("pairing between two devices", () => {
  const agent = (answers: Partial<PairingAgent>): PairingAgent => ({
    confirm: async () => true,
    compare: async () => true,
    enterPasskey: async () => undefined,
    displayPasskey: () => {},
    ...answers,
  });

  test.each([true, false])("by passkey, Secure Connections %s", async (secureConnections) => {
    await using air = new SimulatedAir({ seed: 15 });
    let shown: ((passkey: number) => void) | undefined;
    const passkey = new Promise<number>((resolve) => {
      shown = resolve;
    });
    const pairing = { mitm: true, secureConnections };
    const { central, peripheral } = await air.connectedPair({
      central: { pairing: { ...pairing, ioCapability: IoCapability.KeyboardOnly }, agent: agent({ enterPasskey: () => passkey }) },
      peripheral: {
        pairing: { ...pairing, ioCapability: IoCapability.DisplayOnly },
        agent: agent({ displayPasskey: (question) => shown!(question.passkey) }),
      },
    });
    const atPeripheral: string[] = [];
    peripheral.connection.on("paired", ({ method }) => atPeripheral.push(method));
    expect(await central.connection.pair()).toMatchObject({ method: "passkey-entry", authenticated: true, secureConnections });
    await air.advance(500);
    expect(atPeripheral).toEqual(["passkey-entry"]);
    expect(peripheral.connection.security).toMatchObject({ authenticated: true, secureConnections, bonded: true });
  });

  test("begun by the peripheral", async () => {
    await using air = new SimulatedAir({ seed: 16 });
    const { central, peripheral } = await air.connectedPair();
    expect(await peripheral.connection.pair()).toMatchObject({ bonded: true });
    expect(central.connection.bonded).toBe(true);
  });

  test("refused outside the pairing window, on either side", async () => {
    await using air = new SimulatedAir({ seed: 17 });
    const { central, peripheral } = await air.connectedPair();
    peripheral.device.pairable = false;
    await expect(central.connection.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 5, side: "peer" });
    peripheral.device.pairable = true;
    expect(await central.connection.pair()).toMatchObject({ bonded: true });
  });
});

describe("several at once", () => {
  test("a device is central to one, peripheral to another, scans and advertises, all at the same time", async () => {
    await using air = new SimulatedAir({ seed: 21 });
    const [left, middle, right] = [
      await air.device({ name: "left" }),
      await air.device({ name: "middle" }),
      await air.device({ name: "right" }),
    ];
    for (const device of [left, middle, right]) serve(device);
    const advertising = await middle.advertise({ restart: "connected", data: { name: "middle" } });
    await right.advertise({ restart: "connected", data: { name: "right" } });
    const [fromLeft, toRight] = await Promise.all([left.connect(middle.address), middle.connect(right.address)]);
    const atMiddle = await advertising.connection({ timeoutMs: 1000 });
    expect(middle.links.map(({ role }) => role).sort()).toEqual(["central", "peripheral"]);
    const reads = [fromLeft, toRight, atMiddle].map(async ({ gatt }) => (await gatt.characteristic(SERVICE, OPEN)).read());
    expect(await Promise.all(reads)).toEqual([LONG, LONG, LONG]);
    const names = new Set<string | undefined>();
    const abort = new AbortController();
    await middle.startScan({ signal: abort.signal }, (advertisement) => names.add(advertisement.name));
    const others = await left.startScan({}, (advertisement) => names.add(advertisement.name));
    await air.advance(2000);
    abort.abort();
    await others[Symbol.asyncDispose]();
    expect(names).toEqual(new Set(["middle", "right"]));
    await Promise.all([fromLeft.pair(), toRight.pair()]);
    await fromLeft.disconnect();
    expect(await (await toRight.gatt.characteristic(SERVICE, SECRET)).read()).toEqual(fromHex("0102"));
  });

  test("one peripheral serves several centrals, each with its own subscription", async () => {
    await using air = new SimulatedAir({ seed: 22 });
    const sensor = await air.device({ name: "sensor" });
    const value = serve(sensor).characteristic(NOTIFY)!;
    await sensor.advertise({ restart: "connected" });
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      const phone = await air.device({ name: `phone${i}` });
      const connection = await phone.connect(sensor.address);
      const characteristic = await connection.gatt.characteristic(SERVICE, NOTIFY);
      if (i !== 2) await characteristic.subscribe((octets) => seen.push(`${i}: ${octets}`));
    }
    expect(sensor.links).toHaveLength(4);
    await value.notify(fromHex("07"));
    await air.advance(500);
    expect(seen.sort()).toEqual(["0: 7", "1: 7", "3: 7"]);
  });
});

describe("policies of a connection", () => {
  test("no ATT PDU is longer than the policy says, whatever was negotiated; the peer's may be", async () => {
    await using air = new SimulatedAir({ seed: 31 });
    const { central, peripheral } = await air.connectedPair({
      advertise: { policy: { att: { maxTxPdu: 23, mtu: 184, exchangeMtu: "never" } } },
      connect: { policy: { att: { exchangeMtu: "auto" } } },
    });
    const own = serve(peripheral.device).characteristic(NOTIFY)!;
    serve(central.device);
    // A value that does not fit its PDUs is cut: the peer takes an answer below its MTU for the whole.
    expect(await (await central.gatt.characteristic(SERVICE, OPEN)).read()).toHaveLength(22);
    expect(await (await peripheral.gatt.characteristic(SERVICE, OPEN)).read()).toEqual(LONG);
    expect([central.connection.att.mtu, peripheral.connection.att.mtu]).toEqual([184, 184]);
    await (await central.gatt.characteristic(SERVICE, NOTIFY)).subscribe(() => {});
    await own.notify(new Uint8Array(100));
    const longest = (at: string) =>
      Math.max(
        ...air
          .trace()
          .filter((packet) => packet.layer === "att" && packet.at === at)
          .map(({ bytes }) => bytes.length - 9),
      );
    expect(longest("peripheral")).toBe(23);
    expect(longest("central")).toBe(184);
    await expect(peripheral.gatt.exchangeMtu()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("longer packets are negotiated by themselves", async () => {
    await using air = new SimulatedAir({ seed: 32 });
    const { central, peripheral } = await air.connectedPair();
    await air.advance(1000);
    for (const { connection } of [central, peripheral]) expect(connection.dataLength).toEqual({ txOctets: 251, rxOctets: 251 });
  });

  test.each([true, false])(
    "a peripheral's wish for other parameters is granted (over the link layer: %s) or refused",
    async (overLinkLayer) => {
      await using air = new SimulatedAir({ seed: 33 });
      const controller = { features: { connectionParametersRequest: overLinkLayer } };
      const options = { central: { controller }, peripheral: { controller } };
      const { central, peripheral } = await air.connectedPair(options);
      const wish = { intervalMs: [100, 100] as const, latency: 2, supervisionTimeoutMs: 3000 };
      const granted = { intervalMs: 100, latency: 2, supervisionTimeoutMs: 3000 };
      expect(await peripheral.connection.updateParameters(wish)).toEqual(granted);
      await air.advance(1000);
      expect(central.connection.parameters).toEqual(granted);
      expect(air.trace("L2capConnectionParameterUpdateReq")).toHaveLength(overLinkLayer ? 0 : 1);
      const refusing = await air.connectedPair({ ...options, connect: { policy: { parameterRequests: "refuse" } } });
      await expect(refusing.peripheral.connection.updateParameters(wish)).rejects.toMatchObject(
        overLinkLayer ? { code: "ERR_HCI", status: 0x3b } : { code: "ERR_UNSUPPORTED" },
      );
      expect(await refusing.central.connection.updateParameters({ intervalMs: 50 })).toMatchObject({ intervalMs: 50 });
    },
  );
});

/** What can be under way on a link. */
const OPERATIONS: [name: string, run: (connection: Connection, signal: AbortSignal) => Promise<unknown>][] = [
  ["discovery", (connection, signal) => connection.gatt.services({ signal })],
  ["a read", async (connection, signal) => connection.gatt.read(3, { signal })],
  ["a read that the peer does not answer", async (connection, signal) => (await slow(connection)).read({ signal })],
  ["a long write", async (connection, signal) => (await connection.gatt.characteristic(SERVICE, OPEN)).write(LONG, { signal })],
  ["pairing", (connection, signal) => connection.pair({ signal })],
  ["the MTU exchange", (connection, signal) => connection.gatt.exchangeMtu({ signal })],
  ["an update of the parameters", (connection, signal) => connection.updateParameters({ intervalMs: 200 }, { signal })],
  ["the features of the peer", (connection, signal) => connection.remoteFeatures({ signal })],
  [
    "notifications",
    async (connection, signal) => {
      for await (const _ of (await connection.gatt.characteristic(SERVICE, NOTIFY)).notifications({ signal }));
    },
  ],
  [
    "commands",
    async (connection, signal) => {
      for (;;) await connection.gatt.writeWithoutResponse(3, new Uint8Array(20), { signal });
    },
  ],
];
const slow = (connection: Connection) => connection.gatt.characteristic(SERVICE, SLOW);

/** A pair in which the central also encrypts a second time: its tests begin with known services. */
async function pairOf(air: SimulatedAir, options: { central?: SimulatedDeviceOptions } = {}) {
  const pair = await air.connectedPair({ ...options, connect: { supervisionTimeoutMs: 1000 } });
  serve(pair.peripheral.device);
  return pair;
}

describe.each(OPERATIONS)("%s", (_name, run) => {
  test.each([0, 1, 30, 100])("is aborted after %s ms and leaves the link usable", async (afterMs) => {
    await using air = new SimulatedAir({ seed: 41 });
    const { central } = await pairOf(air);
    const abort = new AbortController();
    const running = run(central.connection, abort.signal);
    running.catch(() => undefined);
    await air.advance(afterMs);
    const reason = new Error("enough");
    abort.abort(reason);
    const outcome = await running.then(
      () => "done",
      (error: unknown) => error,
    );
    expect([reason, "done"]).toContain(outcome);
    expect(central.connection.ended).toBeUndefined();
    // A request that was sent must be answered before the next one may leave; one that never is ends the bearer.
    if (!_name.includes("does not answer")) expect(await central.gatt.read(3)).toHaveLength("central".length + 3);
  });

  test.each([0, 20, 60, 200])("ends when the link is lost after %s ms", async (afterMs) => {
    await using air = new SimulatedAir({ seed: 42 });
    const { central, peripheral } = await pairOf(air);
    const running = code(run(central.connection, new AbortController().signal));
    await air.advance(afterMs);
    using _cut = air.cut(central.device, peripheral.device);
    const [lostHere, lostThere] = await Promise.all([central.connection.closed, peripheral.connection.closed]);
    expect([lostHere.reason, lostThere.reason]).toEqual([HciErrorCode.ConnectionTimeout, HciErrorCode.ConnectionTimeout]);
    const atMs = air.nowMs;
    expect(["ERR_DISCONNECTED", "no error"]).toContain(await running);
    expect(air.nowMs).toBe(atMs);
  });

  test("ends when the controller is pulled out", async () => {
    await using air = new SimulatedAir({ seed: 43 });
    const { central } = await pairOf(air);
    const running = code(run(central.connection, new AbortController().signal));
    await air.advance(25);
    central.controller.remove();
    expect(["ERR_DISCONNECTED", "ERR_TRANSPORT_CLOSED", "no error"]).toContain(await running);
    expect(central.device.ended).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
  });
});

describe("connecting", () => {
  test("to nobody is given up in time, or when it is aborted", async () => {
    await using air = new SimulatedAir({ seed: 51 });
    const device = await air.device();
    const begunMs = air.nowMs;
    await expect(device.connect("00:00:00:00:00:01", { timeoutMs: 3000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(air.nowMs - begunMs).toBeLessThan(3200);
    const abort = new AbortController();
    const connected = device.connect("00:00:00:00:00:01", { signal: abort.signal });
    connected.catch(() => undefined);
    await air.advance(500);
    abort.abort(new Error("enough"));
    await expect(connected).rejects.toThrow("enough");
  });

  test("at every moment of a race with its cancel leaves both sides without a link, or with one", async () => {
    for (let afterMs = 0; afterMs < 60; afterMs += 1.5) {
      await using air = new SimulatedAir({ seed: 52 });
      const phone = await air.device({ name: "phone" });
      const sensor = await air.device({ name: "sensor" });
      await sensor.advertise({ intervalMs: 20, restart: "disconnected" });
      const abort = new AbortController();
      const connected = code(phone.connect(sensor.address, { signal: abort.signal }));
      await air.advance(afterMs);
      abort.abort(Object.assign(new Error("enough"), { code: "ABORTED" }));
      const outcome = await connected;
      expect(["ABORTED", "no error"]).toContain(outcome);
      await air.advance(2000);
      const links = outcome === "ABORTED" ? 0 : 1;
      expect([afterMs, phone.links.length, sensor.links.length]).toEqual([afterMs, links, links]);
      if (links === 0) expect((await phone.connect(sensor.address)).ended).toBeUndefined();
    }
  });

  test("while a private address changes under advertising and scanning goes on", async () => {
    await using air = new SimulatedAir({ seed: 53 });
    const [one, two] = [
      await air.device({ name: "one", privateAddressIntervalMs: 1000 }),
      await air.device({ name: "two", privateAddressIntervalMs: 1000 }),
    ];
    await one.advertise({ ownAddress: "resolvable", restart: "connected", data: { name: "one" } });
    await two.advertise({ ownAddress: "resolvable", restart: "connected", data: { name: "two" } });
    const addresses = new Set<string>();
    await using _scan = await one.startScan({}, ({ address }) => addresses.add(address.toString()));
    await air.advance(10_000);
    expect(addresses.size).toBeGreaterThanOrEqual(9);
    for await (const { address } of one.scan({ name: "two" })) {
      await one.connect(address, { ownAddress: "resolvable" });
      break;
    }
    expect(one.links).toHaveLength(1);
  });
});

describe("closing", () => {
  test("takes links and advertisements down, whatever is under way", async () => {
    await using air = new SimulatedAir({ seed: 61 });
    const { central, peripheral } = await pairOf(air);
    await central.device.advertise({ ownAddress: "resolvable" });
    const unanswered = await slow(central.connection);
    const under = [
      code(central.connection.pair()),
      code(unanswered.read()),
      code(central.device.connect("00:00:00:00:00:01")),
      code(central.device.scan().next()),
    ];
    await central.device.close();
    expect(await Promise.all(under)).toEqual(["ERR_DISCONNECTED", "ERR_DISCONNECTED", "ERR_CLOSED", "no error"]);
    expect((await peripheral.connection.closed).reason).toBe(HciErrorCode.RemoteUserTerminatedConnection);
    const heard: string[] = [];
    await using _scan = await peripheral.device.startScan({}, ({ address }) => heard.push(address.toString()));
    await air.advance(5000);
    expect(heard).toEqual([]);
  });

  test("is bounded although the peer is out of range", async () => {
    await using air = new SimulatedAir({ seed: 62 });
    const { central, peripheral } = await air.connectedPair({ connect: { supervisionTimeoutMs: 32_000 } });
    using _cut = air.cut(central.device, peripheral.device);
    const beforeMs = air.nowMs;
    await central.device.close();
    expect(air.nowMs - beforeMs).toBeLessThan(5000);
  });
});
