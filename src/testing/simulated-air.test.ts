import { expect, test } from "vitest";
import { delay, SystemClock, VirtualClock } from "../async/index.ts";
import { Device } from "../device/index.ts";
import { SimulatedAir } from "./simulated-air.ts";

test("a pair is connected, each end with its device, its connection and its controller", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central, peripheral } = await air.connectedPair();
  expect([central.connection.role, peripheral.connection.role]).toEqual(["central", "peripheral"]);
  expect(central.connection.peerAddress.equals(peripheral.device.address)).toBe(true);
  expect(air.controllerOf(central.device)).toBe(central.controller);
  expect([central.controller.name, peripheral.controller.name]).toEqual(["central", "peripheral"]);
  const handle = peripheral.gattServer.add({ uuid: "2A29", value: Uint8Array.of(1) });
  expect(await central.gatt.read(handle)).toEqual(Uint8Array.of(1));
});

test("several pairs share an air", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const pairs = [await air.connectedPair(), await air.connectedPair(), await air.connectedPair()];
  expect(new Set(pairs.flatMap(({ central, peripheral }) => [central.controller.name, peripheral.controller.name])).size).toBe(6);
});

test("a pair comes together whatever the air loses", async () => {
  for (let seed = 0; seed < 10; seed++) {
    await using air = new SimulatedAir({ seed, loss: 0.4 });
    const { central } = await air.connectedPair({ connect: { supervisionTimeoutMs: 10_000 } });
    await air.advance(5000);
    expect(central.connection.ended).toBeUndefined();
  }
});

test("out of range no pair comes together, and it says so", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const far = air.connectedPair({
    central: { controller: { position: { x: 0, y: 0 } } },
    peripheral: { controller: { position: { x: 5000, y: 0 } } },
  });
  await expect(far).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
});

test("the trace has each packet once, by name, with decoded fields", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central, peripheral } = await air.connectedPair();
  const handle = peripheral.gattServer.add({ uuid: "2A29", value: Uint8Array.of(1) });
  await central.gatt.read(handle);
  expect(air.trace("AttReadReq")).toMatchObject([{ layer: "att", at: "central", fields: { attributeHandle: handle } }]);
  expect(air.trace("AttReadRsp")).toMatchObject([{ layer: "att", at: "peripheral" }]);
  expect(air.trace("LeEnhancedConnectionComplete")).toHaveLength(2);
  expect(air.trace("ConnectInd")).toMatchObject([{ layer: "air", at: "central", receivedBy: ["peripheral"] }]);
  expect(air.trace("LeExtendedCreateConnection")).toHaveLength(1);
  expect(air.trace().length).toBeGreaterThan(20);
});

test("what is lost on the way to the controller does not count as sent", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central, peripheral } = await air.connectedPair();
  const handle = peripheral.gattServer.add({ uuid: "2A29", value: Uint8Array.of(1) });
  central.controller.onHciPacket(({ direction, packet }) => (direction === "to-controller" && packet[0] === 2 ? "drop" : undefined));
  await expect(central.gatt.read(handle)).rejects.toMatchObject({ code: "ERR_ATT_TIMEOUT" });
  expect(air.trace("AttReadReq")).toEqual([]);
});

test("a cut between two devices ends their link, a short one does not", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central, peripheral } = await air.connectedPair({ connect: { supervisionTimeoutMs: 1000 } });
  await air.advance(100);
  const wall = air.cut(central.device, peripheral.device);
  await air.advance(800);
  wall[Symbol.dispose]();
  await air.advance(2000);
  expect(central.connection.ended).toBeUndefined();
  using _wall = air.cut(central.device, peripheral.device);
  expect((await central.connection.closed).reason).toBe(0x08);
  expect((await peripheral.connection.closed).reason).toBe(0x08);
});

test("time is simulated: a day of an idle link passes in one test", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { central } = await air.connectedPair();
  await air.advance(86_400_000);
  expect(central.connection.ended).toBeUndefined();
  expect(air.nowMs).toBeGreaterThan(86_400_000);
});

test("a timer that is left when everything is closed is an error that names it", async () => {
  const air = new SimulatedAir({ seed: 1 });
  await air.device();
  const beat = (): void => void air.clock.setTimer(1000, "a forgotten beat", beat);
  beat();
  await expect(air[Symbol.asyncDispose]()).rejects.toThrow("a forgotten beat");
  await air[Symbol.asyncDispose](); // only once
});

test("another clock may drive it: one that is shared, or real time", async () => {
  const clock = new VirtualClock();
  {
    await using air = new SimulatedAir({ clock });
    void delay(clock, 5000); // not the air's
    await air.connectedPair();
  }
  await using real = new SimulatedAir({ clock: new SystemClock() });
  const before = performance.now();
  await real.connectedPair();
  await real.advance(20);
  expect(performance.now() - before).toBeGreaterThan(20);
});

test("a controller without a host can be opened by hand, and a device that is not of this air has no controller here", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const controller = air.addController({ name: "mine", address: "00:00:00:00:00:01" });
  await using device = await Device.open(controller.transport, { clock: air.clock });
  expect(device.address.toHex()).toBe("00:00:00:00:00:01");
  expect(() => air.controllerOf(device)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("an instant air has the same devices without radio time", async () => {
  await using air = new SimulatedAir({ seed: 1, mode: "instant" });
  const { central, peripheral } = await air.connectedPair();
  const handle = peripheral.gattServer.add({ uuid: "2A29", value: Uint8Array.of(1) });
  await central.connection.pair();
  const before = air.nowMs;
  for (let i = 0; i < 100; i++) await central.gatt.read(handle);
  expect(air.nowMs).toBe(before);
});
