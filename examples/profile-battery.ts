// A device with two batteries, and who reads them.
import { battery, readBatteries, serveBattery } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
const { central, peripheral } = await air.connectedPair();

const status = {
  powerState: {
    batteryPresent: true,
    wiredExternalPower: "yes",
    wirelessExternalPower: "no",
    chargeState: "charging",
    chargeLevel: "good",
    chargingType: "constantCurrent",
    batteryFault: false,
    externalPowerFault: false,
    otherChargingFault: false,
  },
} as const;
const left = serveBattery(peripheral.gattServer, { level: 80, status });
serveBattery(peripheral.gattServer, { level: 35 });

for (const { level, status: told } of await readBatteries(central.connection))
  console.log(`${level} %${told ? `, ${told.powerState.chargeState}` : ""}`);

const { batteryLevel } = await battery.of(central.connection);
await using levels = batteryLevel.notifications();
await levels.begin();
await left.batteryLevel.update(81);
console.log(`then ${await levels.take()} %`);
