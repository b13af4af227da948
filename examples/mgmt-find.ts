// Finds devices nearby for ten seconds, and reads what beacons say.
//
//   node mgmt-find.mjs      with a simulated kernel and two devices in range
//   node mgmt-find.mjs 0    hci0 of this machine; takes the right to administer the network (CAP_NET_ADMIN)
import { type FoundDevice, openMgmt, powerOn, scan } from "jelling/mgmt";
import { SimulatedKernel } from "jelling/testing";

const [adapter] = process.argv.slice(2);
const index = Number(adapter ?? 0);

const IBEACON = { companyIdentifier: 0x004c, type: 0x02, octets: 0x15 };
const beaconData = Uint8Array.of(IBEACON.type, IBEACON.octets, ...Array.from({ length: 16 }, (_, i) => i), 0, 1, 0, 2, 0xc5);
const kernel = new SimulatedKernel({
  controllers: [{ settings: ["LowEnergy"] }],
  devices: [
    { address: "00:11:22:33:44:55", eirData: { flags: 6, serviceUuids: ["1809"], name: "thermometer" } },
    {
      address: "C0:11:22:33:44:55",
      addressType: "LERandom",
      rssi: -75,
      isConnectable: false,
      eirData: { flags: 6, manufacturerData: { companyIdentifier: IBEACON.companyIdentifier, data: beaconData } },
    },
  ],
});
await using mgmt = adapter === undefined ? await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock }) : await openMgmt();

/** "00010203… major 1 minor 2, -59 dBm at one metre" of an iBeacon; undefined of anything else. */
function beacon({ data }: FoundDevice): string | undefined {
  const found = data.manufacturerData.find(({ companyIdentifier }) => companyIdentifier === IBEACON.companyIdentifier)?.data;
  if (!found || found[0] !== IBEACON.type || found[1] !== IBEACON.octets || found.length < 23) return undefined;
  const view = new DataView(found.buffer, found.byteOffset);
  const uuid = Array.from(found.subarray(2, 18), (octet) => octet.toString(16).padStart(2, "0")).join("");
  return `beacon ${uuid}, major ${view.getUint16(18)} minor ${view.getUint16(20)}, ${view.getInt8(22)} dBm at one metre`;
}

await mgmt.setLowEnergy(index, true); // an adapter that nobody has used yet may have it off
await powerOn(mgmt, index);
for await (const device of scan(mgmt, index, { durationMs: 10_000 })) {
  const services = device.serviceUuids.join(", ");
  console.log(`${device}${device.connectable ? "" : " (not connectable)"}${services && `, services ${services}`}`);
  const read = beacon(device);
  if (read) console.log(`  ${read}`);
}
console.log("ten seconds are over; the discovery is stopped");
