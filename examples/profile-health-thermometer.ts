// A thermometer whose measurements are confirmed, and who takes them.
import { serveHealthThermometer, temperatures } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
const { central, peripheral } = await air.connectedPair();

const thermometer = serveHealthThermometer(peripheral.gattServer);
await using measurements = await temperatures(central.connection);
await measurements.begin();
for (const temperature of [36.6, "nan", 38.25] as const) {
  await thermometer.temperatureMeasurement.indicate({ unit: "celsius", temperature, type: "ear" });
  const measured = await measurements.take();
  console.log(typeof measured.temperature === "number" ? `${measured.temperature} °C in the ${measured.type}` : "it could not measure");
}
