// Lists what advertises nearby, for ten seconds.
//
//   node scan.mjs          in a simulated air with two devices in it
//   node scan.mjs hci:0    on a real adapter
import { Device } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

await using air = new SimulatedAir({ seed: 1 });
if (!transport) {
  const thermometer = await air.device({ name: "thermometer" });
  await thermometer.advertise({ data: { flags: 6, serviceUuids: ["1809"] }, scanResponse: { name: "thermometer" }, intervalMs: 250 });
  const beacon = await air.device({ name: "beacon", address: "random" });
  await beacon.advertise({
    connectable: false,
    data: { manufacturerData: { companyIdentifier: 0xffff, data: Uint8Array.of(1, 2, 3) } },
    intervalMs: 1000,
  });
}

await using device = transport ? await Device.open(transport) : await air.device();
const until = new AbortController();
device.clock.setTimer(10_000, "end of the scan", () => until.abort());
try {
  for await (const advertisement of device.scan({ signal: until.signal })) {
    const services = advertisement.serviceUuids.join(", ");
    const company = advertisement.manufacturerData[0]?.companyIdentifier;
    console.log(
      `${advertisement}${services && `, services ${services}`}${company === undefined ? "" : `, company 0x${company.toString(16)}`}`,
    );
  }
} catch (error) {
  if (!until.signal.aborted) throw error;
}
