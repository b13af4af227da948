import { expect, test } from "vitest";
import { currentTimeOf, decode, encode, fromHex, toHex } from "../bytes/index.ts";
import { SimulatedAir } from "../testing/index.ts";
import {
  battery,
  currentTimeService,
  deviceInformation,
  documentService,
  environmentalSensing,
  healthThermometer,
  heartRate,
  heartRates,
  readBatteries,
  readClock,
  readDeviceInformation,
  readEnvironment,
  serveBattery,
  serveCurrentTime,
  serveDeviceInformation,
  serveEnvironmentalSensing,
  serveHealthThermometer,
  serveHeartRate,
  simulateBattery,
  simulateCurrentTime,
  simulateDeviceInformation,
  simulateEnvironmentalSensing,
  simulateHealthThermometer,
  simulateHeartRate,
  temperatures,
} from "./index.ts";

const pair = (world: SimulatedAir) => world.connectedPair();
const air = () => new SimulatedAir({ seed: 9 });

test.each([
  ["rate alone", "0048", { heartRate: 72, sensorContactDetected: false, sensorContactSupported: false }],
  ["wide rate", "012c01", { heartRate: 300 }],
  [
    "contact, energy and two intervals",
    "1e48 0500 5503 6603",
    { heartRate: 72, sensorContactDetected: true, energyExpended: 5, rrIntervals: [0.8330078125, 0.849609375] },
  ],
])("a heart rate measurement: %s", (_name, hex, value) => {
  const codec = heartRate.characteristics.heartRateMeasurement.value;
  const decoded = decode(codec, fromHex(hex));
  expect(decoded).toMatchObject(value);
  expect(toHex(encode(codec, decoded))).toBe(toHex(fromHex(hex)));
});

test.each([
  ["level and no more", "00 0100", { powerState: { batteryPresent: true, chargeState: "unknown" } }],
  [
    "everything",
    "07 a310 0500 4b 06",
    {
      powerState: { batteryPresent: true, wiredExternalPower: "yes", chargeState: "charging", chargeLevel: "good", batteryFault: true },
      identifier: 5,
      batteryLevel: 75,
      additionalStatus: { serviceRequired: "unknown", batteryFault: true },
    },
  ],
])("a battery level status: %s", (_name, hex, value) => {
  const codec = battery.characteristics.batteryLevelStatus.value;
  const decoded = decode(codec, fromHex(hex));
  expect(decoded).toMatchObject(value);
  expect(toHex(encode(codec, decoded))).toBe(toHex(fromHex(hex)));
});

test("a temperature measurement with all its fields", () => {
  const codec = healthThermometer.characteristics.temperatureMeasurement.value;
  const octets = fromHex("07 b50300ff e807021d0c053b 03");
  const decoded = decode(codec, octets);
  expect(decoded).toMatchObject({ unit: "fahrenheit", temperature: 94.9, type: "ear", timestamp: { year: 2024, month: 2, day: 29 } });
  expect(encode(codec, decoded)).toEqual(octets);
});

test("heart rate, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  let resets = 0;
  const served = serveHeartRate(peripheral.gattServer, { location: "wrist", resetEnergyExpended: () => void resets++ });
  const client = await heartRate.of(central.connection);
  expect(await client.bodySensorLocation?.read()).toBe("wrist");
  await client.heartRateControlPoint?.write("resetEnergyExpended");
  expect(resets).toBe(1);
  await expect(client.heartRateControlPoint?.write(2)).rejects.toMatchObject({ errorCode: 0x80 });
  await using rates = await heartRates(central.connection);
  await rates.begin();
  await served.heartRateMeasurement.notify({ heartRate: 61, sensorContactDetected: true, sensorContactSupported: true });
  expect(await rates.take()).toEqual({ heartRate: 61, sensorContactDetected: true, sensorContactSupported: true });
});

test("a belt without a control point has none", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  serveHeartRate(peripheral.gattServer);
  const client = await heartRate.of(central.connection);
  expect([client.bodySensorLocation, client.heartRateControlPoint]).toEqual([undefined, undefined]);
});

test("device information, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const information = {
    manufacturerName: "Jelling",
    serialNumber: "0001",
    systemId: { manufacturerIdentifier: 0x12_3456_789a, organizationallyUniqueIdentifier: 0xabcdef },
    pnpId: { vendorIdSource: "usbImplementersForum", vendorId: 0x1915, productId: 2, productVersion: 0x0123 },
  } as const;
  serveDeviceInformation(peripheral.gattServer, information);
  expect(await readDeviceInformation(central.connection)).toEqual(information);
  expect(toHex(encode(deviceInformation.characteristics.systemId.value, information.systemId))).toBe("9a78563412efcdab");
});

test("two batteries, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const status = decode(battery.characteristics.batteryLevelStatus.value, fromHex("00 a100"));
  const first = serveBattery(peripheral.gattServer, { level: 77, status });
  serveBattery(peripheral.gattServer, { level: 5 });
  expect(await readBatteries(central.connection)).toEqual([{ level: 77, status }, { level: 5 }]);
  const client = await battery.of(central.connection);
  await using levels = client.batteryLevel.notifications();
  await levels.begin();
  await first.batteryLevel.update(76);
  expect(await levels.take()).toBe(76);
});

test("a clock, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const time = currentTimeOf(new Date(2024, 1, 29, 12, 5, 59));
  let set: unknown;
  serveCurrentTime(peripheral.gattServer, {
    now: () => time,
    set: (given) => {
      set = given;
    },
    local: { timeZoneMinutes: 345, dstOffsetMinutes: undefined },
  });
  expect(await readClock(central.connection)).toEqual({ time, local: { timeZoneMinutes: 345, dstOffsetMinutes: undefined } });
  const client = await currentTimeService.of(central.connection);
  await client.currentTime.write({ ...time, hour: 13 });
  expect(set).toEqual({ ...time, hour: 13 });
  const impossible = fromHex("e807 0d 01 000000 00 00 00");
  await expect(client.currentTime.remote.write(impossible)).rejects.toMatchObject({ errorCode: 0x80 });
});

test("a clock that nobody sets cannot be written", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  serveCurrentTime(peripheral.gattServer);
  const client = await currentTimeService.of(central.connection);
  expect(client.currentTime.remote.properties).toEqual(["read", "notify"]);
  expect((await client.currentTime.read()).year).toBeGreaterThan(2000);
});

test.each([
  ["−48 quarters", "d0 04", { timeZoneMinutes: -720, dstOffsetMinutes: 60 }],
  ["56 quarters", "38 00", { timeZoneMinutes: 840, dstOffsetMinutes: 0 }],
  ["not known", "80 ff", { timeZoneMinutes: undefined, dstOffsetMinutes: undefined }],
])("local time: %s", (_name, hex, value) => {
  const codec = currentTimeService.characteristics.localTimeInformation.value;
  expect(decode(codec, fromHex(hex))).toEqual(value);
  expect(toHex(encode(codec, value))).toBe(toHex(fromHex(hex)));
});

test("local time: reserved numbers are not known, and others are refused", () => {
  const codec = currentTimeService.characteristics.localTimeInformation.value;
  expect(decode(codec, fromHex("39 03"))).toEqual({ timeZoneMinutes: undefined, dstOffsetMinutes: undefined });
  expect(() => encode(codec, { timeZoneMinutes: 50, dstOffsetMinutes: 0 })).toThrow(/timeZoneMinutes: 50 minutes/);
  expect(() => encode(codec, { timeZoneMinutes: 60, dstOffsetMinutes: 45 })).toThrow(/dstOffsetMinutes: 45 minutes/);
});

test("a thermometer, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const served = serveHealthThermometer(peripheral.gattServer, { type: "mouth" });
  await using values = await temperatures(central.connection);
  await values.begin();
  await served.temperatureMeasurement.indicate({ unit: "celsius", temperature: "nan" });
  expect(await values.take()).toEqual({ unit: "celsius", temperature: "nan" });
  expect(await (await healthThermometer.of(central.connection)).temperatureType?.read()).toBe("mouth");
});

test("a measurement interval outside its valid range is refused by the program", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  healthThermometer.serve(peripheral.gattServer, {
    measurementInterval: { value: 60, descriptors: { validRange: { value: { minS: 1, maxS: 3600 } } } },
  });
  const client = await healthThermometer.of(central.connection);
  expect(await client.measurementInterval?.readDescriptor("validRange")).toEqual({ minS: 1, maxS: 3600 });
  await client.measurementInterval?.write(120);
  expect(await client.measurementInterval?.read()).toBe(120);
});

test("an environment with several thermometers, both sides", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const values = { temperature: [21.57, undefined, -40], humidity: [33.33], pressure: [101_325], elevation: [-12.34], windChill: [-5] };
  const served = serveEnvironmentalSensing(peripheral.gattServer, values);
  expect(await readEnvironment(central.connection)).toEqual(values);
  const client = await environmentalSensing.of(central.connection);
  await using third = client.temperature[2]!.notifications();
  await third.begin();
  await served.temperature![2]!.update(-41);
  expect(await third.take()).toBe(-41);
});

test("descriptors of a sensor", async () => {
  await using world = air();
  const { central, peripheral } = await pair(world);
  const measurement = {
    flags: 0,
    samplingFunction: "arithmeticMean",
    measurementPeriodS: 60,
    updateIntervalS: 600,
    application: "outdoor",
    uncertainty: 2.5,
  } as const;
  environmentalSensing.serve(peripheral.gattServer, {
    temperature: [
      {
        value: 20,
        descriptors: {
          esMeasurement: { value: measurement },
          esTrigger: { value: { condition: "inactive" } },
          validRange: { value: { min: -40, max: 85 } },
        },
      },
    ],
  });
  const [temperature] = (await environmentalSensing.of(central.connection)).temperature;
  expect(await temperature!.readDescriptor("esMeasurement")).toEqual(measurement);
  expect(await temperature!.readDescriptor("validRange")).toEqual({ min: -40, max: 85 });
  for (const trigger of [
    { condition: "greater", value: 25.5 },
    { condition: "noLessThanInterval", intervalS: 30 },
    { condition: "valueChanged" },
    { condition: 0x20, operand: Uint8Array.of(1, 2) },
  ] as const) {
    await temperature!.writeDescriptor("esTrigger", trigger);
    expect(await temperature!.readDescriptor("esTrigger")).toEqual(trigger);
  }
  expect(await temperature!.readDescriptor("esConfiguration")).toBeUndefined();
  await expect(temperature!.writeDescriptor("esConfiguration", "or")).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
});

test("simulated devices: each is found, and tells what its script says", async () => {
  await using world = air();
  const device = await world.device({ name: "all" });
  const central = await world.device({ name: "central" });
  const clock = currentTimeOf(new Date(2024, 0, 1));
  const silent = { advertise: false } as const;
  await using _heart = await simulateHeartRate().start(device);
  await using _battery = await simulateBattery(2).start(device, silent);
  await using _information = await simulateDeviceInformation().start(device, silent);
  await using _thermometer = await simulateHealthThermometer().start(device, silent);
  await using _weather = await simulateEnvironmentalSensing(undefined, [{ temperature: [22] }]).start(device, silent);
  await using _clock = await simulateCurrentTime(clock).start(device, silent);
  const found = (await central.scan({ services: ["180D"], durationMs: 2000 }).next()).value!;
  await using connection = await central.connect(found.address);
  const rates: number[] = [];
  for await (const { heartRate: rate } of await heartRates(connection)) if (rates.push(rate) === 3) break;
  expect(new Set(rates).size).toBe(3);
  for await (const { temperature, type } of await temperatures(connection)) {
    expect([36.6, 36.8, 37.1]).toContain(temperature);
    expect(type).toBe("ear");
    break;
  }
  expect(await readDeviceInformation(connection)).toMatchObject({ manufacturerName: "Jelling" });
  expect(await readEnvironment(connection)).toEqual({ temperature: [22], humidity: [40], pressure: [101_325] });
  expect((await readClock(connection)).time).toEqual(clock);
  await world.advance(120_000);
  expect(await readBatteries(connection)).toEqual([{ level: 0 }]);
});

test.each([battery, currentTimeService, deviceInformation, environmentalSensing, healthThermometer, heartRate])(
  "docs/profiles has the page of $name",
  async (declaration) => {
    const file = `${declaration.name.toLowerCase().replaceAll(" ", "-")}.md`;
    await expect(documentService(declaration)).toMatchFileSnapshot(`../../docs/profiles/${file}`);
  },
);
