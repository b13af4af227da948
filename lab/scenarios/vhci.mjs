// @ts-check
/**
 * Two of Jelling's virtual controllers as adapters of the kernel, in one simulated air with two of Jelling's devices. BlueZ pairs with one of
 * them by LE Secure Connections, with the other one by legacy pairing, over a link that is really encrypted. Inside the lab:
 * node lab/run.mjs -- node lab/scenarios/vhci.mjs
 */
import assert from "node:assert/strict";
import { SystemClock } from "jelling/async";
import { Address, Uuid } from "jelling/core";
import { AdFlag } from "jelling/gap";
import { IoCapability } from "jelling/smp";
import { SimulatedAir } from "jelling/testing";
import { openTransport } from "jelling/transport";
import { Bluetoothctl } from "../guest/bluetoothctl.mjs";
import { adapterHas, startDaemon } from "../guest/bluez.mjs";
import { startMonitor } from "../guest/monitor.mjs";
import { happening, runScenario } from "../guest/scenario.mjs";

const service = "6a656c6c-0020-4c61-b100-000000000001";
const secret = Uint8Array.from({ length: 200 }, (_, i) => 255 - i);
const adapters = ["00:AA:02:00:00:00", "00:AA:02:00:00:01"];

await runScenario("vhci", async ({ use, step, capturePath, capture }) => {
  const air = use(new SimulatedAir({ seed: 3, clock: new SystemClock() }));
  for (const address of adapters) {
    const transport = use(await openTransport("vhci:"));
    air.addController({ name: `adapter ${address}`, address }).attach(transport);
  }
  use(await startDaemon());
  await step("the kernel brings up two of Jelling's controllers", async () => {
    await adapterHas(0, ["powered", "le", "secure-conn", "!br/edr"]);
    await adapterHas(1, ["powered", "le", "secure-conn", "!br/edr"]);
  });
  for (const index of [0, 1]) use(await startMonitor(index, capturePath(`bluez${index}`)));
  const bluez = use(await Bluetoothctl.start({ adapter: adapters[0] ?? "", capability: "KeyboardDisplay" }));

  for (const { adapter, name, address, uuid, pairing, expected } of [
    {
      adapter: adapters[0],
      name: "Jelling secure",
      address: "C0:00:00:00:00:01",
      uuid: "6a656c6c-0021-4c61-b100-000000000001",
      pairing: { ioCapability: IoCapability.NoInputNoOutput, secureConnectionsOnly: true },
      expected: { method: "just-works", secureConnections: true, authenticated: false },
    },
    {
      adapter: adapters[1],
      name: "Jelling legacy",
      address: "C0:00:00:00:00:02",
      uuid: "6a656c6c-0022-4c61-b100-000000000001", // not the same: bluetoothctl would take the other device's
      pairing: { ioCapability: IoCapability.DisplayOnly, mitm: true, secureConnections: false },
      expected: { method: "passkey-entry", secureConnections: false, authenticated: true },
    },
  ]) {
    bluez.type("", `select ${adapter}`);
    /** @type {ReturnType<typeof happening<number>>} */
    const shown = happening();
    const device = await air.device({
      name,
      address: Address.from(address, "random"),
      pairing,
      capture: await capture(name.replace("Jelling ", "")),
      agent: {
        confirm: async () => true,
        compare: async () => false,
        enterPasskey: async () => undefined,
        displayPasskey: ({ passkey }) => shown.happen(passkey),
      },
    });
    device.gattServer.addService({
      uuid: service,
      characteristics: [{ uuid, properties: ["read"], value: secret, permissions: { read: "encrypted" } }],
    });
    const advertising = await device.advertise({
      data: { flags: AdFlag.LeGeneralDiscoverable | AdFlag.BrEdrNotSupported, name },
      intervalMs: 100,
    });
    const connection = await step(`BlueZ finds and connects "${name}" through the simulated air, and resolves its services`, async () => {
      assert.equal(await bluez.discover(name), address);
      const connected = advertising.connection({ timeoutMs: 30_000 });
      await bluez.connect(address);
      await bluez.expect(/ServicesResolved: yes/);
      return connected;
    });
    await step(`BlueZ pairs: ${expected.method}, ${expected.secureConnections ? "Secure Connections" : "legacy"}`, async () => {
      /** @type {ReturnType<typeof happening<import("jelling/smp").PairingReport>>} */
      const paired = happening();
      connection.on("paired", paired.happen);
      await bluez.pair(address, async () => {
        if (expected.method !== "passkey-entry") return;
        await bluez.expect(/Enter passkey/);
        bluez.send(String(await shown.once));
      });
      const { method, secureConnections, authenticated, bonded, keySize } = await paired.once;
      assert.deepEqual({ method, secureConnections, authenticated, bonded, keySize }, { ...expected, bonded: true, keySize: 16 });
    });
    await step("BlueZ reads a long value over the encrypted link", async () => {
      await bluez.read(uuid, secret);
    });
    await step("the value is not to be seen on air, where everything before the pairing is", () => {
      const data = air.air.trace.entries.flatMap((entry) => (entry.kind === "air" && entry.channel < 37 ? [Buffer.from(entry.pdu)] : []));
      const shows = (/** @type {Uint8Array} */ octets) => data.some((pdu) => pdu.includes(Buffer.from(octets)));
      assert.ok(shows(Uuid.from(service).bytes128));
      assert.ok(!shows(secret.subarray(0, 8)));
    });
    await step("BlueZ disconnects", async () => {
      await bluez.disconnect(address);
      await connection.closed;
    });
  }
});
