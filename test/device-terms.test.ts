import { describe, expect, test } from "vitest";
import { onAbort } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

describe("advertising for a time", () => {
  test("ends it with a TimeoutError: callers, loops, and what comes later; the radio is off", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const device = await air.device({ name: "lamp", controller: { features: { extendedAdvertising: false } } });
    const startMs = air.clock.now();
    const advertising = await device.advertise({ payload: { name: "lamp" }, timeoutMs: 3000 });
    const timedOut = { code: "ERR_TIMEOUT", operation: "advertising", timeoutMs: 3000 };
    const loop = expect(advertising.connections().next()).rejects.toMatchObject(timedOut);
    await expect(advertising.connection()).rejects.toMatchObject(timedOut);
    await loop;
    expect(air.clock.now() - startMs).toBe(3000);
    expect(advertising.active).toBe(false);
    await expect(advertising.connection()).rejects.toMatchObject(timedOut);
    await air.advance(100);
    expect(air.trace("LeSetAdvertisingEnable").at(-1)!.fields).toEqual({ advertisingEnable: false });
    const again = await device.advertise({ timeoutMs: Number.POSITIVE_INFINITY });
    expect(again.active).toBe(true);
    await again.stop();
  });

  test("a wait of its own is shorter; a connection ends the time; stopping takes the timer along", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const [phone, lamp] = [await air.device({ name: "phone" }), await air.device({ name: "lamp" })];
    const advertising = await lamp.advertise({ timeoutMs: 1000, intervalMs: 20 });
    await expect(advertising.connection({ timeoutMs: 10 })).rejects.toMatchObject({ timeoutMs: 10 });
    expect(advertising.active).toBe(true);
    const [connection] = await Promise.all([advertising.connection(), phone.connect(lamp.address)]);
    await air.advance(1500);
    expect(connection.ended).toBeUndefined();
    expect(advertising.active).toBe(false);
    await phone.close();
    await (await lamp.advertise({ timeoutMs: 60_000 })).stop();
    await expect(lamp.advertise({ timeoutMs: -1 })).rejects.toThrow("advertise: timeoutMs: expected milliseconds from 0");
  });

  test("what is shown is divided, seen by a scan that merges, and changed as a whole", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const [phone, lamp] = [await air.device({ name: "phone" }), await air.device({ name: "lamp" })];
    const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
    const payload = { serviceUuids: [SERVICE], name: "Lamp beside the door", appearance: 0x0180 };
    const advertising = await lamp.advertise({ payload, intervalMs: 50 });
    const look = async (): Promise<string[]> => {
      const seen: string[] = [];
      for await (const each of phone.scan({ merge: true, durationMs: 500 }))
        seen.push(`${each.name} ${each.appearance} ${each.serviceUuids.join()} ${each.scanResponseData?.structures.length}`);
      return seen;
    };
    expect(await look()).toEqual([`Lamp beside the door 384 ${SERVICE} 1`]);
    await advertising.update({ payload: { name: "Lamp" } });
    expect(await look()).toEqual(["Lamp undefined  0"]);
    await expect(advertising.update({ payload, data: {} })).rejects.toThrow('update: "payload" stands in place of');
    await advertising.stop();
    // A beacon answers no scan requests, and cannot begin to.
    const beacon = await lamp.advertise({ payload: { name: "Lamp" }, connectable: false });
    await expect(beacon.update({ payload })).rejects.toThrow("there are 31 octets of advertising data (");
    await beacon.update({ payload: { name: "Lamp 2" } });
    await beacon.stop();
  });
});

describe("connection.signal", () => {
  test("aborts with the reason when the link is lost, in the turn in which `ended` is set", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    const { signal } = central.connection;
    expect(signal.aborted).toBe(false);
    expect(central.connection.signal).toBe(signal);
    const told: unknown[] = [];
    using _ = onAbort(signal, () => told.push(central.connection.ended));
    await peripheral.connection.disconnect();
    const reason = await central.connection.closed;
    expect(told).toEqual([reason]);
    expect(signal.reason).toBe(reason);
    // Asked for when it is over already.
    expect(peripheral.connection.signal.reason).toBe(peripheral.connection.ended);
    expect(peripheral.connection.ended).toMatchObject({ code: "ERR_DISCONNECTED" });
  });

  test("ends what is done for the sake of the link, on another link too", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    const scan = peripheral.device.scan({ signal: peripheral.connection.signal }).next();
    const ended = expect(scan).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await central.connection.disconnect();
    await ended;
  });
});

test("linkTo finds a link by address, by text, and by whom a handler of the own server was asked by", async () => {
  await using air = new SimulatedAir({ seed: 3 });
  const { central, peripheral } = await air.connectedPair();
  const { connection } = peripheral;
  const { device } = peripheral;
  expect(device.linkTo(central.device.address)).toBe(connection);
  expect(device.linkTo(central.device.address.toString())).toBe(connection);
  expect(device.linkTo(connection.gattPeer)).toBe(connection);
  expect(device.linkTo(Address.from("00:00:00:00:00:09"))).toBeUndefined();
  expect(() => device.linkTo(7 as never)).toThrow("device address: expected an Address");
  expect(() => device.linkTo(null as never)).toThrow("device address: expected an Address");
  const { gattPeer } = connection;
  await central.connection.disconnect();
  await connection.closed;
  expect(device.linkTo(central.device.address)).toBeUndefined();
  expect(device.linkTo(gattPeer)).toBeUndefined();
});
