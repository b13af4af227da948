// Connects to a device, lists its services and characteristics, and reads what can be read.
//
//   node central.mjs                                     in a simulated air, with a device to look at
//   node central.mjs hci:0 C0:11:22:33:44:55/random      on a real adapter
import { Device } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport, target] = process.argv.slice(2);

await using air = new SimulatedAir({ seed: 1 });
let address = target;
if (!transport) {
  const lamp = await air.device({ name: "Lamp" });
  lamp.gattServer.addService({
    uuid: "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11",
    characteristics: [
      {
        uuid: "9a3f0002-6e5b-4c44-9d4e-3a1c5b7f0a11",
        properties: ["read", "write"],
        value: new TextEncoder().encode("warm white"),
        description: "colour",
      },
    ],
  });
  await lamp.advertise({ data: { flags: 6, name: "Lamp" } });
  address = lamp.address.toString();
}
if (address === undefined) throw new Error("expected the address of a device after the transport");

await using device = transport ? await Device.open(transport) : await air.device();
await using connection = await device.connect(address, { timeoutMs: 20_000, policy: { att: { exchangeMtu: "auto" } } });
console.log(`connected to ${connection.peerAddress} every ${connection.parameters.intervalMs} ms`);
/** As text where it is one, else as octets. */
const show = (value: Uint8Array): string => {
  const text = new TextDecoder().decode(value);
  return /^[\p{L}\p{N}\p{P}\p{Zs}]+$/u.test(text)
    ? `"${text}"`
    : Array.from(value, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
};
for (const service of await connection.gatt.services()) {
  console.log(`service ${service.uuid}`);
  for (const characteristic of await service.characteristics()) {
    const value = characteristic.has("read") ? ` = ${show(await characteristic.read())}` : "";
    console.log(`  ${characteristic.uuid} ${characteristic.properties.join(" ")}${value}`);
  }
}
