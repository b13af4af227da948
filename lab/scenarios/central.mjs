// @ts-check
/** Jelling as central on hci1, BlueZ as peripheral with a GATT application on hci0. Inside the lab: node lab/run.mjs -- node lab/scenarios/central.mjs */
import assert from "node:assert/strict";
import { Device } from "jelling";
import { AttErrorCode } from "jelling/att";
import { IoCapability } from "jelling/smp";
import { Bluetoothctl, hex } from "../guest/bluetoothctl.mjs";
import { adapterHas, startDaemon, startEmulator } from "../guest/bluez.mjs";
import { startMonitor } from "../guest/monitor.mjs";
import { runScenario } from "../guest/scenario.mjs";

const uuids = {
  service: "6a656c6c-0010-4c61-b100-000000000001",
  readable: "6a656c6c-0011-4c61-b100-000000000001",
  writable: "6a656c6c-0012-4c61-b100-000000000001",
  echo: "6a656c6c-0013-4c61-b100-000000000001",
};
const octets = (/** @type {number} */ length, first = 0) => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const stored = octets(400, 3);

await runScenario("central", async ({ use, step, capturePath, capture }) => {
  use(await startEmulator({ leOnly: true }));
  use(await startDaemon());
  await adapterHas(0, ["powered"]);
  await adapterHas(1, ["powered"]);
  use(await startMonitor(0, capturePath("bluez")));
  const bluez = use(await Bluetoothctl.start({ adapter: "00:AA:01:00:00:00", capability: "DisplayOnly" }));
  const device = use(
    await Device.open("hci:1", {
      name: "Jelling in the lab",
      address: "random",
      capture: await capture("jelling"),
      pairing: { ioCapability: IoCapability.KeyboardOnly, mitm: true },
      agent: {
        confirm: async () => false,
        compare: async () => false,
        enterPasskey: async () => {
          const [, shown] = await bluez.expect(/Passkey: (\d+)/);
          return Number(shown);
        },
        displayPasskey: () => {},
      },
    }),
  );
  bluez.type("", "default-agent");
  await bluez.expect(/Default agent request successful/);
  bluez.type("gatt", `register-service ${uuids.service}`);
  await bluez.expect(/Primary \(yes\/no\):/);
  bluez.send("yes");
  for (const [uuid, flags, value] of /** @type {const} */ ([
    [uuids.readable, "read,encrypt-authenticated-read", stored],
    [uuids.writable, "read,write", stored], // bluetoothctl takes no value that is longer than its first one
    [uuids.echo, "write,indicate", stored],
  ])) {
    bluez.type("gatt", `register-characteristic ${uuid} ${flags}`);
    await bluez.expect(/Enter value:/);
    bluez.send(hex(value).join(" "));
  }
  bluez.type("gatt", "register-application");
  await bluez.expect(/Application registered/);
  bluez.type("advertise", 'name "BlueZ lab"');
  bluez.type("advertise", `uuids ${uuids.service}`);
  bluez.type("advertise", "discoverable on");
  bluez.type("", "advertise on");
  await bluez.expect(/Advertising object registered/);

  const find = async () => {
    for await (const advertisement of device.scan({ services: [uuids.service], active: true })) {
      if (advertisement.name === "BlueZ lab") return advertisement.address;
    }
    throw new Error("the scan ended");
  };
  const address = await step("Jelling scans and finds the application by its service and its name", find);
  // BlueZ looks at Jelling's services, too. It is waited for, since tshark takes a response for that of the latest request, whoever made it.
  const connection = await step("Jelling connects, and BlueZ resolves its services", async () => {
    const connected = await device.connect(address);
    await bluez.expect(/ServicesResolved: yes/);
    return connected;
  });

  await step("the services and characteristics are discovered", async () => {
    const services = new Map((await connection.gatt.services()).map((service) => [service.uuid.text, service]));
    assert.ok(services.has("1800") && services.has("1801"), `found ${[...services.keys()]}`);
    const characteristics = await services.get(uuids.service)?.characteristics();
    assert.deepEqual(
      new Map(characteristics?.map(({ uuid, properties }) => [uuid.text, properties])),
      new Map([
        [uuids.readable, ["read"]],
        [uuids.writable, ["read", "write"]],
        [uuids.echo, ["write", "indicate"]],
      ]),
    );
  });
  const readable = await connection.gatt.characteristic(uuids.service, uuids.readable);
  const writable = await connection.gatt.characteristic(uuids.service, uuids.writable);
  const echo = await connection.gatt.characteristic(uuids.service, uuids.echo);

  await step("a value that needs an authenticated link is refused before pairing", () =>
    assert.rejects(readable.read(), { code: "ERR_ATT", errorCode: AttErrorCode.InsufficientAuthentication }),
  );

  await step("pairing by passkey entry: Jelling is told what BlueZ shows", async () => {
    const { method, secureConnections, authenticated, bonded, keySize, peerIdentity } = await connection.pair();
    assert.deepEqual(
      { method, secureConnections, authenticated, bonded, keySize, peerIdentity: peerIdentity.toString() },
      {
        method: "passkey-entry",
        secureConnections: true,
        authenticated: true,
        bonded: true,
        keySize: 16,
        peerIdentity: "00:AA:01:00:00:00/public",
      },
    );
    await bluez.expect(new RegExp(`Device ${device.identity.toHex()} Paired: yes`));
  });

  await step("a long value is read", async () => assert.deepEqual(await readable.read(), stored));

  await step("a long value is written in parts", async () => {
    await writable.write(octets(400, 99));
    assert.deepEqual(await writable.read(), octets(400, 99));
  });

  await step("indications arrive: bluetoothctl tells its subscribers what was written", async () => {
    const indications = echo.indications();
    const first = indications.next(); // subscribes
    await bluez.expect(/notifications enabled/);
    await echo.write(octets(3, 1));
    assert.deepEqual((await first).value, octets(3, 1));
    await echo.write(octets(20, 0x40));
    assert.deepEqual((await indications.next()).value, octets(20, 0x40));
    await bluez.expect(/indication confirm received/);
    await indications.return();
    await bluez.expect(/notifications disabled/);
  });

  await step("Jelling comes back, and the bond encrypts the link", async () => {
    await connection.disconnect();
    await find(); // BlueZ advertises again a moment later, and the emulator fails a connection to nobody at once
    const again = await device.connect(connection.peerIdentity); // which encrypts by itself
    await bluez.expect(/ServicesResolved: yes/);
    /** @type {import("jelling/smp").PairingReport | undefined} */
    let report;
    again.on("paired", (paired) => (report = paired));
    const value = await again.gatt.characteristic(uuids.service, uuids.readable);
    assert.deepEqual(await value.read(), stored);
    assert.deepEqual(again.security, { encrypted: true, authenticated: true, secureConnections: true, keySize: 16, bonded: true });
    assert.equal(report, undefined);
  });

  await step("closing gives the adapter back as it was", async () => {
    await device.close();
    await adapterHas(1, ["powered"]);
  });
});
