// A heart rate belt and who reads it, by one declaration of the service.
//
//   node profile-heart-rate.mjs          in a simulated air
//   node profile-heart-rate.mjs hci:0    on a real adapter: the reader of the first belt that it hears
import { Device } from "jelling";
import { heartRate, heartRates, simulateHeartRate } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2).filter((argument) => argument.includes(":"));

await using air = new SimulatedAir({ seed: 1 });
if (!transport) await simulateHeartRate().start(await air.device({ name: "belt" }));

await using reader = transport ? await Device.open(transport) : await air.device({ name: "reader" });
for await (const { address } of reader.scan({ services: [heartRate.uuid], durationMs: 10_000 })) {
  await using connection = await reader.connect(address);
  const belt = await heartRate.of(connection);
  console.log(`worn on the ${(await belt.bodySensorLocation?.read()) ?? "body"}`);
  await belt.heartRateControlPoint?.write("resetEnergyExpended");
  let count = 0;
  for await (const measurement of await heartRates(connection)) {
    console.log(`${measurement.heartRate} bpm, ${measurement.rrIntervals?.map((seconds) => `${seconds.toFixed(2)} s`).join(", ") ?? ""}`);
    if (++count === 3) break;
  }
  break;
}
