import { expect, test } from "vitest";
import { Device, type OpenTransportKind } from "../src/index.ts";
import { SimulatedAir, SimulatedUsbAdapter } from "../src/testing/index.ts";
import { openWebUsb } from "../src/transport/index.ts";

test("a device whose adapter is pulled out takes it again when it comes back, and goes on advertising", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { clock } = air;
  const adapter = new SimulatedUsbAdapter(air.addController({ name: "dongle" }), { clock });
  const opened: string[] = [];
  const usb: OpenTransportKind = async (rest, { signal }) => {
    opened.push(rest);
    return await openWebUsb(adapter, { clock, signal, spec: `usb:${rest}` });
  };
  await using device = await Device.open("usb:1-2", { clock, kinds: { usb }, reattach: true, recovery: { waitMs: 500 } });
  const told: string[] = [];
  device.on("recovering", ({ code }) => told.push(code));
  device.on("recovered", ({ by }) => told.push(by));
  await device.advertise({ data: { name: "Lamp" } });
  const link = await (await air.device({ name: "phone" })).connect(device.address, { timeoutMs: 5000 });
  adapter.unplug();
  expect(await link.closed.catch((error: unknown) => error)).toBeDefined();
  await air.advance(60_000);
  expect([told, opened.length > 5]).toEqual([["ERR_TRANSPORT_CLOSED"], true]);
  adapter.plug();
  await air.advance(15_000);
  expect(told).toEqual(["ERR_TRANSPORT_CLOSED", "reopening"]);
  await device.advertise({ data: { name: "Lamp" } });
  const again = await (await air.device({ name: "other" })).connect(device.address, { timeoutMs: 5000 });
  expect(again.peerAddress.equals(device.address)).toBe(true);
});

test.each([
  ["a function", async () => Promise.reject(new Error("not called")), {}, "needs the name of an adapter"],
  ["another way to open it", "usb:", { recovery: { reopen: async () => Promise.reject(new Error("no")) } }, "reattach finds by itself"],
  ["no boolean", "usb:", { reattach: "yes" }, "reattach"],
])("reattach with %s is refused", async (_, controller, options, text) => {
  await expect(Device.open(controller as never, { reattach: true, ...options } as never)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(text),
  });
});
