// Advertises as a heart rate sensor: in one command, then in two with an interval of its own.
//
//   node mgmt-advertise.mjs         with a simulated kernel
//   node mgmt-advertise.mjs 0 30    hci0 of this machine, 30 seconds each; takes the right to administer the network (CAP_NET_ADMIN)
import { type AdvertiseOptions, advertise, openMgmt, powerOn } from "jelling/mgmt";
import { SimulatedKernel } from "jelling/testing";

const [adapter, seconds = "3"] = process.argv.slice(2);
const index = Number(adapter ?? 0);

const kernel = new SimulatedKernel();
await using mgmt = adapter === undefined ? await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock }) : await openMgmt();
await mgmt.setLowEnergy(index, true);
await powerOn(mgmt, index);

// Instances belong to the adapter, not to the program: this one removes its own, whatever happens.
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const heart: AdvertiseOptions = {
  services: ["180D"],
  name: "Heart", // into the scan response, should it not fit
  appearance: 832,
  manufacturerData: { companyIdentifier: 0xffff, data: Uint8Array.of(1, 2, 3) },
  durationMs: Number(seconds) * 1000, // counted by the kernel; without, until it is disposed of
  signal: stop.signal,
};

{
  await using advertising = await advertise(mgmt, index, heart);
  const { instances, maxInstances } = await mgmt.readAdvertisingFeatures(index);
  console.log(`instance ${advertising.instance} of ${maxInstances}; under way: ${instances.join(", ")}`);
  console.log(`lost: ${await advertising.lost}`);
}
if (!stop.signal.aborted) {
  await using advertising = await advertise(mgmt, index, { ...heart, intervalMs: [100, 150], connectable: false });
  console.log(`instance ${advertising.instance} every 100 to 150 ms, not connectable`);
  console.log(`lost: ${await advertising.lost}`);
}
