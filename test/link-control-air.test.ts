import { expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import type { LinkSubrate, PathLoss, PowerChange } from "../src/device/index.ts";
import { LeFeature } from "../src/hci/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

// What the two controllers of a link can do with it, from host to host over the simulated radio.

const at = (x: number) => ({ controller: { position: { x, y: 0 } } });

test("subrating: the central changes it, the peripheral hears; most events are left out, and data that comes waits for its turn", async () => {
  await using air = new SimulatedAir({ seed: 21 });
  const { central, peripheral } = await air.connectedPair({ connect: { intervalMs: 15 } });
  const name = await central.connection.gatt.characteristic("1800", "2A00");
  const told: LinkSubrate[] = [];
  peripheral.connection.on("subrate", (subrate) => told.push(subrate));
  const now = await central.connection.subrate({ factorMin: 10, factorMax: 10, continuation: 1 });
  expect(now).toEqual({
    factor: 10,
    continuation: 1,
    latency: 0,
    supervisionTimeoutMs: central.connection.parameters.supervisionTimeoutMs,
  });
  await delay(air.clock, 1000);
  expect(told).toEqual([now]);
  expect(peripheral.connection.subrating).toEqual(now);
  /** Of requests that come out of the blue. */
  const meanMs = async (): Promise<number> => {
    let sum = 0;
    for (let i = 0; i < 20; i++) {
      await delay(air.clock, 977); // no multiple of the interval
      const begin = air.nowMs;
      await name.read();
      sum += air.nowMs - begin;
    }
    return sum / 20;
  };
  // Half of 150 ms until an event is used; the answer comes in the next, which is used once there was data.
  expect(Math.abs((await meanMs()) - (75 + 15))).toBeLessThan(15);
  await central.connection.subrate({ factorMax: 1 }); // all of them again
  expect(Math.abs((await meanMs()) - (7.5 + 15))).toBeLessThan(8);
});

test("subrating: a peripheral gets what the central's host has said before the link, and no more", async () => {
  await using air = new SimulatedAir({ seed: 22 });
  const [phone, sensor] = [await air.device({ name: "phone" }), await air.device({ name: "sensor" })];
  await phone.setDefaultSubrate({ factorMax: 8, maxLatency: 1 });
  const advertising = await sensor.advertise({ intervalMs: 20 });
  const link = await phone.connect(advertising.ownAddress!, { intervalMs: 15 });
  const connection = await advertising.connection();
  expect(await connection.subrate({ factorMin: 2, factorMax: 20 })).toMatchObject({ latency: 0 });
  expect(connection.subrating.factor).toBeLessThanOrEqual(8);
  expect(connection.subrating.factor).toBeGreaterThanOrEqual(2);
  await expect(connection.subrate({ factorMin: 9, factorMax: 20 })).rejects.toMatchObject({ code: "ERR_HCI", command: "LeSubrateRequest" });
  expect(link.subrating).toEqual(connection.subrating);
});

test("subrating: nothing is granted by a central whose host said nothing, or which does not know it", async () => {
  await using air = new SimulatedAir({ seed: 23 });
  const { peripheral } = await air.connectedPair();
  await expect(peripheral.connection.subrate({ factorMin: 2, factorMax: 4 })).rejects.toMatchObject({ code: "ERR_HCI" });
  const other = await air.connectedPair({ central: { controller: { features: { subrating: false } } } });
  await expect(other.peripheral.connection.subrate({ factorMax: 4 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  await expect(other.central.connection.subrate({ factorMax: 4 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
});

test("subrating: a link of another interval uses all of its events again", async () => {
  await using air = new SimulatedAir({ seed: 24 });
  const { central, peripheral } = await air.connectedPair({ connect: { intervalMs: 15 } });
  await central.connection.subrate({ factorMin: 4, factorMax: 4 });
  await central.connection.updateParameters({ intervalMs: 30 });
  await delay(air.clock, 500);
  expect([central.connection.subrating.factor, peripheral.connection.subrating.factor]).toEqual([1, 1]);
  expect(await central.connection.subrate({ factorMin: 3, factorMax: 3 })).toMatchObject({ factor: 3 });
});

test("power: each side's is known to both, and a change is told to who wants to hear of it", async () => {
  await using air = new SimulatedAir({ seed: 25 });
  const { central, peripheral } = await air.connectedPair({ central: at(0), peripheral: at(2) });
  const own = await peripheral.connection.transmitPower();
  expect(own.currentDbm).toBe(own.maxDbm);
  expect(await central.connection.remoteTransmitPower()).toMatchObject({
    phy: "1M",
    powerDbm: own.currentDbm,
    isManaged: true,
    isMaximum: true,
  });
  const told: PowerChange[] = [];
  for (const { connection } of [central, peripheral]) connection.on("transmitPower", (change) => told.push(change));
  await central.connection.reportTransmitPower({ remote: true });
  await peripheral.connection.reportTransmitPower({ local: true });
  air.controllerOf(peripheral.device).setLinkPower(own.currentDbm! - 8);
  await delay(air.clock, 1000);
  expect(
    told.map(({ side, powerDbm, deltaDb }) => [side, powerDbm, deltaDb]).sort(([a], [b]) => String(a).localeCompare(String(b))),
  ).toEqual([
    ["local", own.currentDbm! - 8, -8],
    ["remote", own.currentDbm! - 8, -8],
  ]);
});

test("path loss: a peer that walks away and comes back goes through the zones", async () => {
  await using air = new SimulatedAir({ seed: 26 });
  const { central, peripheral } = await air.connectedPair({ central: at(0), peripheral: at(1) });
  const told: PathLoss[] = [];
  central.connection.on("pathLoss", (pathLoss) => told.push(pathLoss));
  // 40 dB at a metre, 20 more at ten, and again at a hundred.
  await central.connection.monitorPathLoss({ lowDb: 50, highDb: 70, hysteresisDb: 3, minTimeMs: 100 });
  const peer = air.controllerOf(peripheral.device);
  for (const x of [1, 10, 100, 10, 1]) {
    peer.move({ x, y: 0 });
    await delay(air.clock, 2000);
  }
  expect(told.map(({ zone }) => zone)).toEqual(["low", "middle", "high", "middle", "low"]);
  for (const [i, expected] of [40, 60, 80, 60, 40].entries()) expect(Math.abs(told[i]!.pathLossDb! - expected)).toBeLessThanOrEqual(3);
  await central.connection.monitorPathLoss("off");
  peer.move({ x: 100, y: 0 });
  await delay(air.clock, 2000);
  expect(told).toHaveLength(5);
});

test("a controller without power control, and a peer without it", async () => {
  await using air = new SimulatedAir({ seed: 27 });
  const { central, peripheral } = await air.connectedPair({ peripheral: { controller: { features: { powerControl: false } } } });
  await expect(central.connection.remoteTransmitPower()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  await expect(peripheral.connection.remoteTransmitPower()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  await expect(peripheral.connection.monitorPathLoss({ lowDb: 50 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(await central.connection.transmitPower()).toMatchObject({ currentDbm: expect.any(Number) });
});

test("channels that are bad are left by the links of a central, and the peer follows", async () => {
  await using air = new SimulatedAir({ seed: 28 });
  const { central, peripheral } = await air.connectedPair();
  expect(await peripheral.connection.channelMap()).toHaveLength(37);
  const bad = Array.from({ length: 11 }, (_, i) => 10 + i);
  await central.device.classifyChannels(bad);
  await delay(air.clock, 1000);
  for (const { connection } of [central, peripheral]) {
    const channels = await connection.channelMap();
    expect(channels).toHaveLength(26);
    expect(channels.filter((channel) => bad.includes(channel))).toEqual([]);
  }
});

test("each side knows the version of the other's controller", async () => {
  await using air = new SimulatedAir({ seed: 29 });
  const { central, peripheral } = await air.connectedPair();
  const { lmpVersion, companyIdentifier, lmpSubversion } = central.device.hci.controller;
  const version = { version: lmpVersion, name: "5.4", companyIdentifier, subversion: lmpSubversion };
  expect(await peripheral.connection.remoteVersion()).toEqual(version);
  expect(await central.connection.remoteVersion()).toMatchObject({ name: "5.4" });
});

test("the host's support of subrating is among the features that the peer is told", async () => {
  await using air = new SimulatedAir({ seed: 30 });
  const { central, peripheral } = await air.connectedPair();
  for (const { connection } of [central, peripheral]) {
    const features = await connection.remoteFeatures();
    expect((features >> BigInt(LeFeature.ConnectionSubratingHostSupport)) & 1n).toBe(1n);
  }
});

test("an encrypted link tells of a peer that is no longer heard, long before it is given up; while it is there it is quiet", async () => {
  await using air = new SimulatedAir({ seed: 31 });
  const { central, peripheral } = await air.connectedPair({ central: at(0), peripheral: at(1) });
  const { connection } = central;
  await connection.pair();
  expect(await connection.authenticatedPayloadTimeout()).toBe(30_000);
  const told: number[] = [];
  connection.on("authenticatedPayloadTimeout", () => told.push(air.nowMs));
  await connection.setAuthenticatedPayloadTimeout(1000);
  expect(await connection.authenticatedPayloadTimeout()).toBe(1000);
  await air.advance(20_000); // nobody says anything but the controllers, in time
  expect(told).toEqual([]);
  const leftMs = air.nowMs;
  air.controllerOf(peripheral.device).move({ x: 1e6, y: 0 });
  await connection.closed;
  expect(air.nowMs - leftMs).toBeGreaterThan(3000);
  expect(told.length).toBeGreaterThanOrEqual(1);
  expect(told[0]! - leftMs).toBeLessThanOrEqual(1000);
});

test("a payload timeout shorter than the peer may be silent is refused", async () => {
  await using air = new SimulatedAir({ seed: 32 });
  const { central } = await air.connectedPair({ connect: { intervalMs: 100, latency: 4 } });
  await expect(central.connection.setAuthenticatedPayloadTimeout(490)).rejects.toMatchObject({ code: "ERR_HCI", status: 0x12 });
  await central.connection.setAuthenticatedPayloadTimeout(500);
});
