// Updates the firmware of a simulated device, inside this process.
import { createMemoryLinks, describeUpgradeStep, McumgrClient, readFirmware, upgradeFirmware } from "jelling/mcumgr";
import { createImage, SimulatedMcumgrDevice } from "jelling/testing";

await using device = new SimulatedMcumgrDevice();
await using client = await McumgrClient.open(async () => {
  const links = createMemoryLinks({ provenLimit: 256 });
  device.attach(links.server);
  return links.client;
});
const firmware = readFirmware(createImage({ version: "2.0.0", bodySize: 50_000 }));
const { outcome } = await upgradeFirmware(client, firmware, {
  onEvent: (event) => {
    if (event.type === "step") console.log(`${event.number}/${event.total} ${describeUpgradeStep(event.step)}`);
  },
});
console.log(outcome, device.runningImage()?.version);
