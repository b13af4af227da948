// One description, divided over advertising data and scan response; and a scan that reports a device once, with both.
// The same by hand, as MicroPython programs do it, is micropython-advertising.ts.
//
//   node advertising.mjs          in a simulated air
//   node advertising.mjs hci:0    on a real adapter: advertises for ten seconds
import { ArgumentError, Device, packAdvertisingData } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);
const UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";

await using air = new SimulatedAir({ seed: 1 });
await using sensor = transport ? await Device.open(transport) : await air.device({ name: "sensor" });

// 3 octets of flags, 4 and 18 of services, 18 of a name, 4 of an appearance: too many for one part.
const payload = { serviceUuids: ["181A", UART], name: "greenhouse, top", appearance: 0x0540 };
const { data, scanResponse } = packAdvertisingData(payload);
console.log(`advertising data: ${data}; scan response: ${scanResponse}`);
try {
  packAdvertisingData({ ...payload, manufacturerData: { companyIdentifier: 0xffff, data: new Uint8Array(16) } });
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  console.log(error.message);
}

await using advertising = await sensor.advertise({ payload, timeoutMs: 10_000 });
if (transport) {
  await advertising.connection().catch((error: unknown) => console.log(String(error)));
} else {
  await using phone = await air.device({ name: "phone" });
  for await (const found of phone.scan({ merge: true, durationMs: 1000, services: [UART] }))
    console.log(`phone: ${found}, ${found.serviceUuids.join(", ")}, appearance ${found.appearance}`);
}
