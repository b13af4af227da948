// @ts-check
/** Jelling as peripheral on hci1, BlueZ as central on hci0. Inside the lab: node lab/run.mjs -- node lab/scenarios/peripheral.mjs */
import assert from "node:assert/strict";
import { Device } from "jelling";
import { AdFlag } from "jelling/gap";
import { IoCapability } from "jelling/smp";
import { Bluetoothctl } from "../guest/bluetoothctl.mjs";
import { adapterHas, startDaemon, startEmulator } from "../guest/bluez.mjs";
import { startMonitor } from "../guest/monitor.mjs";
import { happening, runScenario } from "../guest/scenario.mjs";

const uuids = {
  service: "6a656c6c-0000-4c61-b100-000000000001",
  readable: "6a656c6c-0001-4c61-b100-000000000001",
  writable: "6a656c6c-0002-4c61-b100-000000000001",
  counter: "6a656c6c-0003-4c61-b100-000000000001",
  alarm: "6a656c6c-0004-4c61-b100-000000000001",
};
const octets = (/** @type {number} */ length, first = 0) => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const stored = octets(300);

await runScenario("peripheral", async ({ use, step, capturePath, capture }) => {
  use(await startEmulator({ leOnly: true }));
  use(await startDaemon());
  await adapterHas(0, ["powered"]);
  await adapterHas(1, ["powered"]);
  use(await startMonitor(0, capturePath("bluez")));
  const bluez = use(await Bluetoothctl.start({ adapter: "00:AA:01:00:00:00", capability: "DisplayYesNo" }));

  /** @type {ReturnType<typeof happening<number>>} */
  const compared = happening();
  /** @type {ReturnType<typeof happening<Uint8Array>>} */
  const written = happening();
  const device = use(
    await Device.open("hci:1", {
      name: "Jelling in the lab",
      capture: await capture("jelling"),
      pairing: { ioCapability: IoCapability.DisplayYesNo, mitm: true },
      agent: {
        confirm: async () => false,
        compare: async ({ value }) => {
          compared.happen(value);
          return true;
        },
        enterPasskey: async () => undefined,
        displayPasskey: () => {},
      },
    }),
  );
  const service = device.gattServer.addService({
    uuid: uuids.service,
    characteristics: [
      { uuid: uuids.readable, properties: ["read"], value: stored, permissions: { read: "authenticated" } },
      { uuid: uuids.writable, properties: ["write"], permissions: { write: "encrypted" }, write: (value) => written.happen(value) },
      { uuid: uuids.counter, properties: ["notify"] },
      { uuid: uuids.alarm, properties: ["indicate"] },
    ],
  });
  const counter = service.characteristic(uuids.counter);
  const alarm = service.characteristic(uuids.alarm);
  assert.ok(counter && alarm);
  const advertising = await device.advertise({
    data: { flags: AdFlag.LeGeneralDiscoverable | AdFlag.BrEdrNotSupported, name: "Jelling lab" },
    intervalMs: 100,
    restart: "disconnected",
  });
  const address = await step("BlueZ discovers the device by its name", () => bluez.discover("Jelling lab"));
  assert.equal(address, device.address.toHex());

  const connection = await step("BlueZ connects", async () => {
    const connected = advertising.connection({ timeoutMs: 30_000 });
    await bluez.connect(address);
    return connected;
  });
  assert.equal(connection.role, "peripheral");

  await step("BlueZ resolves the services, and lists every characteristic", async () => {
    await bluez.expect(/ServicesResolved: yes/);
    bluez.type("gatt", `list-attributes ${address}`);
    for (const uuid of Object.values(uuids)) await bluez.expect(new RegExp(uuid));
  });

  await step("pairing by numeric comparison: both show the same number", async () => {
    /** @type {ReturnType<typeof happening<import("jelling/smp").PairingReport>>} */
    const paired = happening();
    connection.on("paired", paired.happen);
    await bluez.pair(address, async () => {
      const [, shown] = await bluez.expect(/Confirm passkey (\d{6}) \(yes\/no\)/);
      assert.equal(Number(shown), await compared.once);
      bluez.send("yes");
    });
    const { method, secureConnections, authenticated, bonded, keySize } = await paired.once;
    assert.deepEqual(
      { method, secureConnections, authenticated, bonded, keySize },
      { method: "numeric-comparison", secureConnections: true, authenticated: true, bonded: true, keySize: 16 },
    );
    await bluez.expectInfo(address, /Paired: yes\n.*Bonded: yes/);
    assert.equal(connection.bonded, true);
  });

  await step("a long value that needs an authenticated link is read", () => bluez.read(uuids.readable, stored));

  await step("a long value is written in parts", async () => {
    await bluez.write(uuids.writable, octets(400, 7));
    assert.deepEqual(await written.once, octets(400, 7));
  });

  await step("a notification arrives", async () => {
    await bluez.subscribe(uuids.counter);
    await counter.notify(octets(20, 0x40));
    await bluez.expectValue(octets(20, 0x40));
  });

  await step("an indication arrives and is confirmed", async () => {
    await bluez.subscribe(uuids.alarm);
    await alarm.indicate(octets(3, 0x80), { timeoutMs: 20_000 });
    await bluez.expectValue(octets(3, 0x80));
  });

  await step("BlueZ comes back, and the bond encrypts the link", async () => {
    await bluez.disconnect(address);
    const reason = await connection.closed;
    assert.equal(reason.code, "ERR_DISCONNECTED");
    const returned = advertising.connection({ timeoutMs: 30_000 });
    await bluez.connect(address);
    const second = await returned;
    /** @type {ReturnType<typeof happening<import("jelling/smp").PairingReport>>} */
    const paired = happening();
    second.on("paired", paired.happen);
    await bluez.read(uuids.readable, stored);
    assert.equal(second.security.encrypted, true);
    assert.equal(second.security.authenticated, true);
    assert.equal(second.bonded, true);
    assert.equal(paired.happened, false);
  });

  await step("closing gives the adapter back as it was", async () => {
    await device.close();
    await adapterHas(1, ["powered"]);
  });
});
