// Lists the adapters of this machine, and powers one off and on again.
//
//   node mgmt-power.mjs      with a simulated kernel
//   node mgmt-power.mjs 0    hci0 of this machine; the power takes the right to administer the network (CAP_NET_ADMIN)
import { listAdapters, openMgmt, powerCycle, powerOff } from "jelling/mgmt";
import { SimulatedKernel } from "jelling/testing";

const [adapter] = process.argv.slice(2);
const index = Number(adapter ?? 0);

const kernel = new SimulatedKernel({ controllers: [{ name: "built in", settings: ["LowEnergy"] }, { name: "USB stick" }] });
await using mgmt = adapter === undefined ? await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock }) : await openMgmt();

const show = async (): Promise<void> => {
  for (const { index, address, name, settings } of await listAdapters(mgmt))
    console.log(`hci${index} ${address ?? "not configured"} "${name}": ${settings.join(", ")}`);
};
await show();

const { currentSettings } = await mgmt.setPowered(index, true);
console.log(`on: settings 0x${currentSettings.toString(16)}`);

const { lost } = await powerCycle(mgmt, index);
console.log(`off and on again: ${lost.connections.length} links and ${lost.advertisingInstances.length} advertising instances are gone`);
await show();

const { wasPowered } = await powerOff(mgmt, index, { timeoutMs: 10_000 });
console.log(`off; it was ${wasPowered ? "on" : "off"}`);
