// Updates the firmware of a device over BLE, with progress. Cut short anywhere, the same line goes on where it was.
//
//   node mcumgr-ble.mjs                               in a simulated air, with a device to update
//   node mcumgr-ble.mjs hci:0 "Sensor 12" app.bin     on a real adapter; the device by its name or its address
import { readFile } from "node:fs/promises";
import { Device } from "jelling";
import { createBleOpener, describeUpgradeStep, McumgrClient, readFirmware, upgradeFirmware } from "jelling/mcumgr";
import { createImage, SimulatedAir, SimulatedMcumgrDevice, serveOverGatt } from "jelling/testing";

const [transport, target = "Sensor 12", file] = process.argv.slice(2);
if (transport && !file) throw new Error("expected an image after the transport and the device");

await using air = new SimulatedAir({ seed: 1 });
await using sensor = new SimulatedMcumgrDevice({ clock: air.clock, eraseMsPerSector: 20 });
await using _served = transport ? undefined : await serveOverGatt(sensor, await air.device({ att: { mtu: 498 } }), { name: "Sensor 12" });
const firmware = readFirmware(file ? await readFile(file) : createImage({ version: "2.0.0", bodySize: 120_000 }));

await using device = transport ? await Device.open(transport) : await air.device();
const { clock } = device;
await using client = await McumgrClient.open(createBleOpener(device, target), { clock });
console.log(`connected to ${client.info?.target}`);

let tenth = 0;
const { outcome, images, advice } = await upgradeFirmware(client, firmware, {
  clock,
  onEvent(event) {
    if (event.type === "step") console.log(`${event.number}/${event.total} ${describeUpgradeStep(event.step)}`);
    if (event.type === "again") console.log(`    once more: ${event.why}`);
    if (event.type !== "progress") return;
    const { done, total, bytesPerSecond, remainingMs } = event.progress;
    if (Math.floor((10 * done) / total) === tenth) return;
    tenth = Math.floor((10 * done) / total);
    const rate = bytesPerSecond ? `, ${(bytesPerSecond / 1000).toFixed(0)} kB/s, ${((remainingMs ?? 0) / 1000).toFixed(1)} s left` : "";
    console.log(`    ${10 * tenth} %${rate}`);
  },
});
for (const { version, condition } of images) console.log(`version ${version}: ${condition}`);
if (advice) console.log(advice);
if (outcome !== "complete") process.exitCode = 1;
