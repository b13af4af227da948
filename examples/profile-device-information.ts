// What a device says of itself, and who reads it.
import { readDeviceInformation, serveDeviceInformation } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
const { central, peripheral } = await air.connectedPair();

serveDeviceInformation(peripheral.gattServer, {
  manufacturerName: "Jelling",
  modelNumber: "Rune 1",
  firmwareRevision: "1.2.3",
  pnpId: { vendorIdSource: "bluetoothSig", vendorId: 0x0059, productId: 7, productVersion: 0x0123 },
});

for (const [name, value] of Object.entries(await readDeviceInformation(central.connection)))
  console.log(`${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
