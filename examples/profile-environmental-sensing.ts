// A weather station with two thermometers, and who reads it.
import { environmentalSensing, readEnvironment } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
const { central, peripheral } = await air.connectedPair();

const outdoors = {
  flags: 0,
  samplingFunction: "arithmeticMean",
  measurementPeriodS: 60,
  updateIntervalS: 600,
  application: "outdoor",
  uncertainty: 0.5,
} as const;
const station = environmentalSensing.serve(peripheral.gattServer, {
  temperature: [{ value: 21.57 }, { value: -3.5, descriptors: { esMeasurement: { value: outdoors } } }],
  humidity: [{ value: 40.25 }],
  pressure: [{ value: 101_325 }],
});

console.log(JSON.stringify(await readEnvironment(central.connection)));
const { temperature } = await environmentalSensing.of(central.connection);
for (const sensor of temperature) console.log((await sensor.readDescriptor("esMeasurement"))?.application ?? "somewhere");
await using colder = temperature[1]!.notifications();
await colder.begin();
await station.temperature?.[1]?.update(-4);
console.log(`${await colder.take()} °C`);
