import { delay } from "jelling/async";
import { AttBearer } from "jelling/att";
import { toHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import { Connection, Device } from "jelling/device";
import { GattClient, GattServer } from "jelling/gatt";
import { Hci } from "jelling/hci";
import { SecurityManager } from "jelling/smp";
import { describe, expect, test } from "vitest";
import * as minimed from "../src/index.ts";
import { Scenario } from "./scenario.ts";

const INSULIN_DELIVERY = 0x183a;

/** Everything that can be reached from a value by properties, symbols, getters and prototypes. */
function reachable(from: readonly unknown[]): Set<object> {
  const seen = new Set<object>();
  const open = [...from];
  while (open.length > 0) {
    const value = open.pop();
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) continue;
    seen.add(value);
    for (let owner: object | null = value; owner && !BUILT_IN.has(owner); owner = Object.getPrototypeOf(owner) as object | null)
      for (const key of Reflect.ownKeys(owner)) {
        if (owner instanceof ArrayBuffer || ArrayBuffer.isView(owner)) break;
        const property = Reflect.getOwnPropertyDescriptor(owner, key)!;
        if (property.get) {
          try {
            open.push(property.get.call(value));
          } catch {
            // a getter of the prototype that wants an instance
          }
        } else if (key !== "caller" && key !== "callee" && key !== "arguments") open.push(property.value);
      }
  }
  return seen;
}
const BUILT_IN: ReadonlySet<object> = new Set([Object.prototype, Function.prototype, Array.prototype, Promise.prototype]);

const methodsOf = (value: object): string[] =>
  Object.getOwnPropertyNames(Object.getPrototypeOf(value))
    .filter((name) => name !== "constructor")
    .sort();

describe("no caller and no plug-in reaches the pump's attributes", () => {
  test("what connector and session offer is known by name, and does nothing but read, wait and end", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    expect(methodsOf(connector)).toEqual([
      "clock",
      "close",
      "closed",
      "ended",
      "events",
      "identity",
      "on",
      "openPairingWindow",
      "pairingWindowOpen",
      "session",
      "standing",
    ]);
    expect(methodsOf(session)).toEqual([
      "cgmFeature",
      "countReadings",
      "disconnect",
      "ended",
      "heardAtMs",
      "history",
      "historyBounds",
      "onEnded",
      "readAlertLevels",
      "readAnnunciation",
      "readBasalRate",
      "readBattery",
      "readBoluses",
      "readCalibration",
      "readCalibrationIcon",
      "readCgmSessionId",
      "readCgmSessionStart",
      "readCgmStatus",
      "readClock",
      "readCommunicationInterval",
      "readCounter",
      "readDeliveredInsulin",
      "readDetails",
      "readDisplayFormat",
      "readEarlyCalibrationTime",
      "readFeatures",
      "readHighLowSettings",
      "readInformation",
      "readInsulinOnBoard",
      "readLatest",
      "readMaximumBolus",
      "readNextCalibration",
      "readPnpId",
      "readReadings",
      "readSensorDetails",
      "readSensorExpiration",
      "readSensorSession",
      "readSensorWarmUp",
      "readSnapshot",
      "readStatus",
      "readTherapy",
      "readTimeInRange",
      "readTotalDailyInsulin",
      "readTransmitterBattery",
      "readVendorValue",
      "readings",
    ]);
    expect(Reflect.ownKeys(connector)).toEqual([]);
    expect(Reflect.ownKeys(session)).toEqual(["identity"]);
  });

  test("nothing that a program or a plug-in is handed leads to a device, a link, an attribute client or what is below them", async () => {
    await using scenario = await Scenario.open();
    const handed: unknown[] = [];
    const keep =
      (name: string) =>
      (...args: unknown[]): void =>
        void handed.push(name, ...args);
    const bonds = scenario.bonds;
    await using connector = await scenario.connector({
      capture: keep("capture"),
      onEvent: keep("event"),
      logger: new Logger("", 5, keep("log")),
      bonds: {
        load: (identity) => bonds.load(identity),
        save: (bond) => {
          handed.push("save", bond);
          return bonds.save(bond);
        },
        delete: (identity) => bonds.delete(identity),
        all: () => bonds.all(),
      },
    });
    connector.on(keep("on"));
    const ready = await scenario.pair(connector);
    ready.session.onEnded(keep("ended"));
    handed.push(connector, ready, await ready.session.readLatest());
    await ready.session.disconnect();
    handed.push(ready.session.ended, connector.events());
    expect(handed).toEqual(expect.arrayContaining(["capture", "event", "log", "save", "on", "ended"]));
    expect(reachable([{ at: { device: scenario.pump.device } }])).toContain(scenario.pump.device); // such a way would be found
    // The clock is the program's own: the simulation reaches everything by it.
    const clock = reachable([scenario.clock]);
    for (const found of reachable(handed))
      if (!clock.has(found))
        for (const type of [Device, Connection, AttBearer, GattClient, GattServer, Hci, SecurityManager])
          expect(found instanceof type, `${type.name} can be reached`).toBe(false);
  });

  test("a packet that a capture changes is not the one that is sent", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ capture: (_direction, packet) => packet.fill(0xff) });
    const { session } = await scenario.pair(connector);
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
  });

  test("the package exports no way to write: neither encoder nor writer, session or channel can be made", async () => {
    expect(Object.keys(minimed)).not.toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^(PumpSession|PumpChannel|PumpWriter|PumpWrite|RequestEncoder|WriteGate|PERMITTED_WRITES)$/),
      ]),
    );
    // @ts-expect-error: a session is no value of the package
    expect(minimed.PumpSession).toBeUndefined();
    // @ts-expect-error: the connector has no device to give
    const device = (connector: minimed.PumpConnector): unknown => connector.device;
    // @ts-expect-error: nor does it take one
    const options = (given: Device): Partial<minimed.PumpConnectorOptions> => ({ device: given });
    // @ts-expect-error: handles are no business of the program
    const handles = (session: minimed.PumpSession): unknown => session.handles;
    // @ts-expect-error: nor is preparing a session with some
    const prepare = (session: minimed.PumpSession): unknown => session.prepare;
    for (const absent of [device, options, handles, prepare]) expect(absent).toBeTypeOf("function");
  });
});

/** Puts a service of insulin delivery where the glucose service was, with a control point at every handle that was written to. */
function takeTheOldPlace(scenario: Scenario, handle: number, types: readonly number[]): string[] {
  const written: string[] = [];
  scenario.pump.device.gattServer.addService({
    uuid: INSULIN_DELIVERY,
    handle,
    characteristics: types.map((uuid, i) => ({
      uuid,
      properties: i === 1 ? ["read"] : ["write", "notify", "indicate"],
      ...(i === 1 && { value: new Uint8Array(6) }),
      write: (value: Uint8Array) => void written.push(`${uuid.toString(16)} ${toHex(value)}`),
      onSubscription: () => void written.push(`${uuid.toString(16)} configuration`),
    })),
  });
  return written;
}

/** The types of the glucose service, so that every handle has the type it had; and types of insulin delivery. */
const SAME_TYPES = [0x2aa7, 0x2aa8, 0x2aaa, 0x2aab, 0x2a52, 0x2aac];
const OTHER_TYPES = [0x2b20, 0x2b21, 0x2b22, 0x2b23, 0x2b25, 0x2b27];

describe.each([
  ["other types", OTHER_TYPES],
  ["the same types in another service", SAME_TYPES],
])("a pump whose glucose service moved, with %s in its place", (_name, types) => {
  test("between two connections: it is read where it is now, at every reconnection, and nothing is written to what took its place", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const old = scenario.pump.device.gattServer.service(0x181f)!.handle;
    await session.disconnect();
    scenario.pump.moveGlucoseService(0x0300);
    const written = takeTheOldPlace(scenario, old, types);
    for (let round = 0; round < 2; round++) {
      const again = await connector.session({ timeoutMs: 300_000 });
      expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
      await again.session.disconnect();
    }
    expect(written).toEqual([]);
  });

  test("in the middle of a session: the next request is not written, the session ends, and the next one finds it", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const old = scenario.pump.device.gattServer.service(0x181f)!.handle;
    scenario.pump.moveGlucoseService(0x0300);
    const written = takeTheOldPlace(scenario, old, types);
    await expect(session.readLatest()).rejects.toMatchObject({ code: "ERR_PUMP_SESSION_ENDED", cause: { code: "ERR_PUMP_MOVED" } });
    const again = await connector.session({ timeoutMs: 300_000 });
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
    expect(written).toEqual([]);
  });

  test("while it is being subscribed to: no configuration of another service is written", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    let written: string[] = [];
    const { pump } = scenario;
    // The read of CGM Feature comes after the discovery and before the first subscription.
    const feature = scenario.pumpHandle(0x181f, 0x2aa8);
    scenario.pumpController.onHciPacket(({ direction, packet }) => {
      const isFeature = direction === "to-host" && packet[0] === 2 && packet[9] === 0x0a && (packet[10]! | (packet[11]! << 8)) === feature;
      if (isFeature && written.length === 0)
        queueMicrotask(() => {
          const old = pump.device.gattServer.service(0x181f)!.handle;
          if (old === 0x0300) return;
          pump.moveGlucoseService(0x0300);
          written = takeTheOldPlace(scenario, old, types);
        });
      return undefined;
    });
    const { session } = await scenario.pair(connector);
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
    expect(pump.device.gattServer.service(0x181f)!.handle).toBe(0x0300);
    expect(written).toEqual([]);
  });
});

test("a pump that lost its glucose service is not written to, however often it comes back", async () => {
  await using scenario = await Scenario.open();
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  const { gattServer } = scenario.pump.device;
  const old = gattServer.service(0x181f)!;
  await session.disconnect();
  gattServer.removeService(old);
  const written = takeTheOldPlace(scenario, old.handle, SAME_TYPES);
  const { writes } = scenario.watch;
  await expect(connector.session({ timeoutMs: 300_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(scenario.of("authenticated").length).toBeGreaterThan(2);
  expect(scenario.of("warning")).toContainEqual(expect.objectContaining({ message: expect.stringContaining("cgmFeature") }));
  expect([written, scenario.watch.writes]).toEqual([[], writes]);
});

test("a listener that throws ends neither the connector nor the other listeners; the program hears of it", async () => {
  const heard: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => heard.push(error));
  try {
    await using scenario = await Scenario.open();
    const told: string[] = [];
    await using connector = await scenario.connector({
      onEvent: () => {
        throw new Error("the program's fault");
      },
    });
    connector.on(({ type }) => told.push(type));
    const { session } = await scenario.pair(connector);
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
    expect(connector.ended).toBeUndefined();
    expect(told).toContain("reading");
    await delay(scenario.clock, 1);
    expect(heard.length).toBeGreaterThanOrEqual(told.length);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of others) process.on("uncaughtException", listener);
  }
});
