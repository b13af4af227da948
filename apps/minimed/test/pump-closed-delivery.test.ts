import { delay } from "jelling/async";
import { toHex } from "jelling/bytes";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
import { describe, expect, test } from "vitest";
import { between } from "../../../test/support/between.ts";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { PumpMonitor } from "../src/live/monitor.ts";
import { Scenario } from "./scenario.ts";

// The closed table at the insulin delivery service, whose command control point could change therapy: nothing else is written to it, by nobody.

const vendor = (short: string): string => `0000${short}-0000-1000-0000-009132591325`;
const SERVICE = vendor("0100");
const MINUTE_MS = 60_000;
const CONTROL_POINTS = [vendor("0105"), vendor("0106"), "2a52"];

/** Calls every method that a session has, with what a program that means harm may give it. */
async function useEverything(session: PumpSession, args: readonly unknown[]): Promise<number> {
  let calls = 0;
  const object = session as unknown as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(session))) {
    if (["constructor", "disconnect", "ended", "heardAtMs", "cgmFeature", "readings", "onEnded"].includes(name)) continue;
    calls++;
    try {
      const result = (object[name] as (...args: readonly unknown[]) => unknown).apply(session, args as unknown[]);
      if (name === "history") await (result as AsyncGenerator).next();
      else await result;
    } catch {
      // refused, as it should be
    }
  }
  return calls;
}

test("nothing that a program gives to a session, and no name on it, becomes a write outside of the table", async () => {
  await using scenario = await Scenario.open();
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  const hostile: unknown[] = [
    0x114b,
    "4b11",
    Uint8Array.of(0x4b, 0x11),
    { opcode: 0x114b, operand: Uint8Array.of(1), name: "iddCommand" },
    { first: 1000, last: 1001, filter: 0x3c, opcode: 0x3c },
    { first: { valueOf: () => 1000 }, last: 1001 },
    { fromOffsetMin: 1.5, toOffsetMin: "2" },
  ];
  let calls = 0;
  for (const [i, argument] of hostile.entries())
    calls += await useEverything(session, [[argument], ["high", argument], ["warranty", argument]][i % 3]!);
  expect(calls).toBeGreaterThan(200);
  expect(session.ended).toBeUndefined();
  expect(scenario.watch.offences).toEqual([]);
  expect(scenario.pump.forbiddenWrites).toBe(0);
});

/** Puts a service of the same form, or of another, where the insulin delivery service was; and notes what is written to it. */
function takeTheOldPlace(scenario: Scenario, handle: number, service: string): string[] {
  const written: string[] = [];
  const { gattServer } = scenario.pump.device;
  const types = ["0101", "0102", "0103", "0104", "0105", "0106", "0107", "2a52", "0108", "0400"];
  gattServer.addService({
    uuid: service,
    handle,
    characteristics: types.map((type) => ({
      uuid: type === "2a52" ? 0x2a52 : vendor(type),
      properties: ["read", "write", "notify", "indicate"],
      value: new Uint8Array(9),
      write: (value: Uint8Array) => void written.push(`${type} ${toHex(value)}`),
      onSubscription: () => void written.push(`${type} configuration`),
    })),
  });
  return written;
}

test("an insulin delivery service that is gone from under a session is written to no more, nor is what took its place", async () => {
  for (const service of [vendor("0300"), vendor("1020")]) {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const { gattServer } = scenario.pump.device;
    const old = gattServer.service(SERVICE)!;
    gattServer.removeService(old);
    const written = takeTheOldPlace(scenario, old.handle, service);
    for (const act of [
      () => session.readInsulinOnBoard(),
      () => session.readHighLowSettings("low"),
      () => session.historyBounds(),
      () => session.history({ first: 1000, last: 1001 }).next(),
    ])
      await expect(act()).rejects.toMatchObject({ code: "ERR_PUMP_SESSION_ENDED", cause: { code: "ERR_PUMP_MOVED" } });
    expect(written).toEqual([]);
  }
});

describe("a pump that pushes what it likes", () => {
  test("has reset what it has pushed, and nothing else: once for each push, whatever it asks for otherwise", async () => {
    const log: string[] = [];
    await using scenario = await Scenario.open({ seed: 3 });
    await using connector = await scenario.connector({
      logger: new Logger("", LogLevel.Info, (_level, _scope, message) => void log.push(message)),
    });
    await using monitor = new PumpMonitor(connector);
    await scenario.pair(connector);
    await delay(scenario.clock, 2 * MINUTE_MS);
    const { pump } = scenario;
    const random = new SeededRandom(7, "hostile pushes");
    const handles = ["0101", "0102", "0105", "0106", "0107", "0108"].map(
      (type) => pump.device.gattServer.characteristic(SERVICE, vendor(type))!.valueHandle,
    );
    const before = log.filter((line) => line.includes("0x30c")).length;
    // Indications and notifications that no session of theirs has sealed, from every handle.
    for (let i = 0; i < 40 && pump.connection; i++) {
      const value = new Uint8Array(random.uint32() % 20);
      random.fill(value);
      const handle = handles[random.uint32() % handles.length]!;
      pump.connection.att.channel.send(Uint8Array.of(random.unit() < 0.5 ? 0x1b : 0x1d, handle & 0xff, handle >> 8, ...value));
      await delay(scenario.clock, 500);
      if (i % 5 === 4) await monitor.session?.readBattery().catch(() => undefined);
    }
    const resets = log.filter((line) => line.includes("0x30c")).length - before;
    expect(resets).toBeLessThanOrEqual(8); // those that its own life has pushed meanwhile
    await delay(scenario.clock, 10 * MINUTE_MS);
    expect(monitor.state.link.kind).toBe("ready");
    expect(scenario.watch.offences).toEqual([]);
  });
});

test("who has the transport writes nothing by way of the connector: what it puts on it is held, and shuts the gate", async () => {
  await using scenario = await Scenario.open();
  const inner = scenario.phoneController.transport;
  const sent: Uint8Array[] = [];
  const controller = between(inner, { sent: (packet) => void sent.push(packet.slice()) });
  await using connector = await scenario.connector({ controller });
  const { session } = await scenario.pair(connector);
  const upper = controller.onPacket;
  expect(upper).toBeTypeOf("function");
  // A plug-in that answers for the pump, with whatever it likes, makes the connector write nothing that the table has not.
  const handle = scenario.pump.connection!.handle;
  const control = scenario.pump.device.gattServer.characteristic(SERVICE, CONTROL_POINTS[1]!)!.valueHandle;
  for (const pdu of [
    [0x1d, control & 0xff, control >> 8, 0x55, 0x0f],
    [0x12, control & 0xff, control >> 8, 0x4b, 0x11],
    [0x52, control & 0xff, control >> 8, 0x4b, 0x11],
  ])
    upper!(Uint8Array.of(2, handle & 0xff, (handle >> 8) | 0x20, pdu.length + 4, 0, pdu.length, 0, 4, 0, ...pdu));
  await delay(scenario.clock, 1000);
  await session.readInsulinOnBoard().catch(() => undefined);
  const writes = sent.filter((packet) => packet[0] === 2 && packet[7] === 4 && [0x12, 0x52, 0xd2, 0x16, 0x18].includes(packet[9]!));
  expect(writes.every((packet) => packet[9] === 0x12)).toBe(true);
  expect(scenario.watch.offences).toEqual([]);
});
