// Asks a device over UDP what it is, and updates its firmware step by step: what upgradeFirmware does at once, by hand.
//
//   node mcumgr-udp.mjs                       with a simulated device that listens on this machine
//   node mcumgr-udp.mjs sensor.local app.bin  with a device in the network, at port 1337
import { readFile } from "node:fs/promises";
import { McumgrClient, parseImage } from "jelling/mcumgr";
import { createUdpOpener, serveOverUdp } from "jelling/node";
import { createImage, SimulatedMcumgrDevice } from "jelling/testing";

const [host, file] = process.argv.slice(2);
if (host && !file) throw new Error("expected an image after the host");
const image = file ? await readFile(file) : createImage({ version: "2.0.0", bodySize: 60_000 });
const hash = parseImage(image).digest?.value;
if (!hash) throw new Error("the image has no digest: no server could name it");

await using device = new SimulatedMcumgrDevice({ bootMs: 20, resetDelayMs: 20 });
await using served = host ? undefined : await serveOverUdp(device, { host: "127.0.0.1", port: 0 });
await using client = await McumgrClient.open(createUdpOpener({ host: host ?? "127.0.0.1", port: served?.port }));

const { output } = await client.os.applicationInfo({ format: "a" });
console.log(output);
async function show(): Promise<void> {
  for (const { image, slot, version, active, confirmed, pending } of (await client.image.state()).images)
    console.log(
      `image ${image} slot ${slot}: ${version}${active ? ", runs" : ""}${confirmed ? ", confirmed" : ""}${pending ? ", pending" : ""}`,
    );
}
await show();

console.log("uploading");
let quarter = 0;
await client.uploadImage(image, {
  onProgress({ done, total }) {
    for (; quarter < Math.floor((4 * done) / total); ) console.log(`  ${25 * ++quarter} %`);
  },
});
await client.image.setState({ hash, confirm: false });
await show();

console.log("resetting");
await client.reset(); // resolves when the device answers again
await show();

// Whatever has to be looked at before the new image stays. Without this the next reset goes back to the old one.
await client.os.echo({ d: "are you well?" });
await client.image.setState({ confirm: true });
await show();
