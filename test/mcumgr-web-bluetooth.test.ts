import { expect, test } from "vitest";
import type { Device } from "../src/device/index.ts";
import {
  createWebBluetoothOpener,
  type GattMcumgrServerOptions,
  MCUMGR_SERVICE,
  openWebBluetoothLink,
  serveMcumgrOverGatt,
  type WebBluetoothDevice,
  type WebBluetoothLinkOptions,
  type WebBluetoothRequest,
} from "../src/mcumgr/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { answerEach, answerTo, message } from "./support/mcumgr-messages.ts";
import { BrowserBluetooth } from "./support/web-bluetooth.ts";

const echo: GattMcumgrServerOptions = { onLink: answerEach };

async function world(air: SimulatedAir, serves = true): Promise<{ server: Device; central: Device; bluetooth: BrowserBluetooth }> {
  const server = await air.device({ name: "server", att: { mtu: 498 } });
  const central = await air.device({ name: "central", att: { mtu: 247 } });
  if (serves) serveMcumgrOverGatt(server, echo);
  const advertise = () =>
    server.advertise({ intervalMs: 30, data: { name: "Sensor 12" }, scanResponse: { serviceUuids: [MCUMGR_SERVICE] } });
  server.on("connection", ({ closed }) => void closed.then(() => (server.ended ? undefined : advertise().catch(() => undefined))));
  await advertise();
  return { server, central, bluetooth: new BrowserBluetooth(central) };
}

test.each<[string, Partial<WebBluetoothLinkOptions>]>([
  ["the service", {}],
  ["a name", { name: "Sensor 12" }],
  ["the beginning of a name", { namePrefix: "Sens" }],
])("a device chosen by %s answers; writes grow to what its answers show", async (_what, options) => {
  await using air = new SimulatedAir({ seed: 1 });
  const { bluetooth } = await world(air);
  const link = await openWebBluetoothLink({ bluetooth, clock: air.clock, ...options });
  expect(link.info).toEqual({ kind: "ble", target: expect.stringContaining("Sensor 12 (") });
  expect([link.provenLimit, link.messageLimit({ bufSize: 2475, bufCount: 4 })]).toEqual([20, 2475]);
  expect(await answerTo(link, message(1, 600))).toEqual(message(1, 600));
  expect(link.provenLimit).toBe(244);
  const before = air.trace("AttWriteCmd").length;
  expect(await answerTo(link, message(2, 488))).toEqual(message(2, 488));
  expect(air.trace("AttWriteCmd").length - before).toBe(2);
  await link[Symbol.asyncDispose]();
});

test("a length that the page gives is kept to", async () => {
  await using air = new SimulatedAir({ seed: 2 });
  const { bluetooth } = await world(air);
  const link = await openWebBluetoothLink({ bluetooth, clock: air.clock, maxWriteLength: 100 });
  expect(await answerTo(link, message(1, 300))).toEqual(message(1, 300));
  expect([link.provenLimit, air.trace("AttWriteCmd").length]).toEqual([100, 3]);
});

test("a write that the platform does not take ends the link: nobody knows how much of the message has left", async () => {
  await using air = new SimulatedAir({ seed: 3 });
  const { bluetooth } = await world(air);
  const link = await openWebBluetoothLink({ bluetooth, clock: air.clock, maxWriteLength: 400 });
  await expect(link.send(message(1, 300))).rejects.toMatchObject({
    code: "ERR_CLOSED",
    message: expect.stringContaining("did not take a write"),
  });
  await expect(link.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("a lost link rejects what is pending and is told; the opener connects the same device again, without asking", async () => {
  await using air = new SimulatedAir({ seed: 4 });
  const { bluetooth, server } = await world(air);
  const open = createWebBluetoothOpener({ bluetooth, clock: air.clock });
  const first = await open();
  const told: string[] = [];
  first.onClose = (reason) => told.push(reason.code);
  const outcomes = Promise.allSettled(Array.from({ length: 10 }, () => first.send(message(1, 2475))));
  await server.links[0]!.disconnect();
  expect((await outcomes).at(-1)).toMatchObject({ status: "rejected", reason: { code: "ERR_CLOSED" } });
  expect(told).toEqual(["ERR_CLOSED"]);
  const second = await open({ timeoutMs: 10_000 });
  expect(await answerTo(second, message(2))).toEqual(message(2));
  expect(bluetooth.asked).toBe(1);
});

test("a device without the service", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const { bluetooth, central } = await world(air, false);
  await expect(openWebBluetoothLink({ bluetooth, clock: air.clock, name: "Sensor 12" })).rejects.toMatchObject({
    code: "ERR_MCUMGR_NO_SERVER",
  });
  await air.advance(1000);
  expect(central.links).toEqual([]);
});

test("nothing chosen, no click, no Web Bluetooth, nobody there, no time", async () => {
  await using air = new SimulatedAir({ seed: 6 });
  const { bluetooth, server } = await world(air);
  bluetooth.refuses = true;
  await expect(openWebBluetoothLink({ bluetooth, clock: air.clock })).rejects.toMatchObject({
    code: "ERR_CLOSED",
    message: "no device was chosen",
  });
  const requests: unknown[] = [];
  const strict = {
    requestDevice: (request: WebBluetoothRequest) => {
      requests.push(request);
      return Promise.reject(new DOMException("Must be handling a user gesture", "SecurityError"));
    },
  };
  await expect(openWebBluetoothLink({ bluetooth: strict })).rejects.toMatchObject({ code: "ERR_STATE" });
  await expect(openWebBluetoothLink()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(requests).toEqual([{ filters: [{ services: [MCUMGR_SERVICE.toLowerCase()] }], optionalServices: [MCUMGR_SERVICE.toLowerCase()] }]);
  bluetooth.refuses = false;
  const open = createWebBluetoothOpener({ bluetooth, clock: air.clock });
  await (await open())[Symbol.asyncDispose]();
  await air.advance(500);
  await server.close();
  await expect(open({ timeoutMs: 1000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const leaving = new AbortController();
  const aborted = expect(open({ signal: leaving.signal })).rejects.toBe("enough");
  await air.advance(10);
  leaving.abort("enough");
  await aborted;
});

test("a device that the page has already; one without GATT, and wrong options, are refused", async () => {
  await using air = new SimulatedAir({ seed: 7 });
  const { bluetooth } = await world(air);
  const device = await bluetooth.requestDevice({ filters: [{ name: "Sensor 12" }], optionalServices: [MCUMGR_SERVICE.toLowerCase()] });
  const link = await openWebBluetoothLink({ device, clock: air.clock });
  expect(await answerTo(link, message(1))).toEqual(message(1));
  for (const options of [
    { device: {} as WebBluetoothDevice },
    { maxWriteLength: 10 },
    { maxWriteLength: 513 },
    { nam: "x" },
    { name: 5 },
    { namePrefix: 5 },
  ])
    await expect(openWebBluetoothLink(options as WebBluetoothLinkOptions)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});
