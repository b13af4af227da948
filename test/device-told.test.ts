import { expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { HciErrorCode } from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

const SECOND_MS = 1000;

test("a program is told when the controller has begun to look for the peer, at every try, and a fault of it harms nothing", async () => {
  await using air = new SimulatedAir();
  const central = await air.device();
  const peripheral = await air.device();
  const times: number[] = [];
  const onInitiating = (): void => void times.push(Math.round(air.nowMs));
  let lost = 0;
  air.onAirPacket(({ channel, pdu }) => (channel >= 37 && (pdu[0]! & 0x0f) === 5 && lost++ === 0 ? "lose" : undefined)); // CONNECT_IND
  const connecting = central.connect(peripheral.address, { onInitiating });
  await delay(air.clock, SECOND_MS);
  expect(times).toHaveLength(1);
  await peripheral.advertise({ intervalMs: 20, restart: "disconnected" });
  const connection = await connecting;
  expect([lost > 1, times.length]).toEqual([true, 2]);
  await connection.disconnect();
  await expect(central.connect(peripheral.address, { onInitiating: 5 as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("nothing has begun where the controller refuses", async () => {
  await using air = new SimulatedAir();
  const central = await air.device({ controller: { maxConnections: 1 } });
  const peripheral = await air.device();
  await peripheral.advertise({ intervalMs: 20 });
  await central.connect(peripheral.address);
  let begun = 0;
  await expect(central.connect("C0:00:00:00:00:01/random", { onInitiating: () => begun++ })).rejects.toMatchObject({ code: "ERR_HCI" });
  expect(begun).toBe(0);
});

test("a scan with a callback says when it is over, and why where the program did not end it", async () => {
  await using air = new SimulatedAir();
  const device = await air.device();
  const mine = await device.startScan({}, () => undefined);
  await mine[Symbol.asyncDispose]();
  expect(await mine.closed).toBe(undefined);
  const abort = new AbortController();
  const aborted = await device.startScan({ signal: abort.signal }, () => undefined);
  abort.abort();
  expect(await aborted.closed).toBe(undefined);
  const lost = await device.startScan({}, () => undefined);
  air.controllerOf(device).remove();
  expect(await lost.closed).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
});

test("a change of parameters that comes to nothing is told to whoever listens", async () => {
  await using air = new SimulatedAir();
  const { central, peripheral } = await air.connectedPair({ central: { policy: { parameterRequests: "refuse" } } });
  const failures: number[] = [];
  peripheral.connection.on("parametersFailure", ({ status }) => void failures.push(status));
  const before = peripheral.connection.parameters;
  await expect(peripheral.connection.updateParameters({ intervalMs: 100 })).rejects.toThrow();
  expect(failures).toEqual([HciErrorCode.UnacceptableConnectionParameters]);
  expect(peripheral.connection.parameters).toBe(before);
  await central.connection.updateParameters({ intervalMs: 50 });
  expect(failures).toHaveLength(1);
});

test("the own addresses of every kind can be read; what there is none of is an error", async () => {
  await using air = new SimulatedAir();
  const device = await air.device({ controller: { address: "00:11:22:33:44:55" } });
  expect(String(device.publicAddress)).toBe("00:11:22:33:44:55/public");
  expect(device.ownAddress("public")).toBe(device.publicAddress);
  expect(device.ownAddress("random").isStaticRandom).toBe(true);
  expect(device.ownAddress("resolvable").isResolvablePrivate).toBe(true);
  expect(device.ownAddress("non-resolvable").isNonResolvablePrivate).toBe(true);
  expect(() => device.ownAddress("static" as never)).toThrow("own address: expected");
  const other = await air.device({ controller: { address: "00:00:00:00:00:00" } });
  expect(other.publicAddress).toBe(undefined);
  expect(() => other.ownAddress("public")).toThrow("no public address");
});

test("a non-resolvable address that stays is on the air until it is renewed, and the renewed one at once", async () => {
  await using air = new SimulatedAir();
  const device = await air.device({ nonResolvableAddress: "stays", privateAddressIntervalMs: SECOND_MS });
  const observer = await air.device();
  const first = device.ownAddress("non-resolvable");
  await device.advertise({ ownAddress: "non-resolvable", intervalMs: 100, connectable: false });
  const seen = new Set<string>();
  await observer.startScan(
    { duplicates: "report", active: false, intervalMs: 60, windowMs: 60 },
    ({ address }) => void seen.add(String(address)),
  );
  await delay(air.clock, 5 * SECOND_MS);
  expect([...seen]).toEqual([String(first)]);
  seen.clear();
  const second = device.renewNonResolvableAddress();
  expect(second.equals(first)).toBe(false);
  await delay(air.clock, 5 * SECOND_MS);
  expect([...seen]).toEqual([String(second)]);
  expect(device.ownAddress("non-resolvable")).toBe(second);
});
