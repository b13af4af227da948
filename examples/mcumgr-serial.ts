// Updates the firmware of a device over a serial line which its console uses too, and shows what the console says meanwhile.
//
//   node mcumgr-serial.mjs                         over a pair of streams, with a simulated device at the other end
//   node mcumgr-serial.mjs /dev/ttyACM0 app.bin    over a serial port, at 115,200 baud
import { readFile } from "node:fs/promises";
import { ConsoleLink, createStreamPort, describeUpgradeStep, McumgrClient, readFirmware, upgradeFirmware } from "jelling/mcumgr";
import { createSerialOpener } from "jelling/node";
import { createImage, SimulatedMcumgrDevice, serveOverLine } from "jelling/testing";

const [path, file] = process.argv.slice(2);
if (path && !file) throw new Error("expected an image after the port");
const firmware = readFirmware(file ? await readFile(file) : createImage({ version: "2.0.0", bodySize: 60_000 }));

/** Log lines, prompts: whatever comes between messages. */
const utf8 = new TextDecoder();
const onConsole = (text: Uint8Array): void => void process.stdout.write(utf8.decode(text, { stream: true }));

const [there, back] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
await using device = new SimulatedMcumgrDevice({ bufSize: 1024, bootMs: 20, resetDelayMs: 20 });
await using _served = path ? undefined : serveOverLine(device, createStreamPort({ readable: there.readable, writable: back.writable }));
device.inject({ kind: "noise", text: "[00:00:01.250] <inf> app: 21.5 degrees\r\n" }, { on: "image.upload", skip: 20 });
const open = path
  ? createSerialOpener({ path, onConsole })
  : async () => new ConsoleLink(createStreamPort({ readable: back.readable, writable: there.writable }), { onConsole });

await using client = await McumgrClient.open(open);
console.log(`connected to ${client.info?.target}`);

let tenth = 0;
const { outcome, images, advice } = await upgradeFirmware(client, firmware, {
  onEvent(event) {
    if (event.type === "step") console.log(`${event.number}/${event.total} ${describeUpgradeStep(event.step)}`);
    if (event.type !== "progress") return;
    const { done, total } = event.progress;
    if (Math.floor((10 * done) / total) === tenth) return;
    tenth = Math.floor((10 * done) / total);
    console.log(`    ${10 * tenth} %`);
  },
});
for (const { version, condition } of images) console.log(`version ${version}: ${condition}`);
if (advice) console.log(advice);
if (outcome !== "complete") process.exitCode = 1;
