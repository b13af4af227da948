import {
  always,
  bitsAt,
  type DateTime,
  dateTime,
  enumeration,
  flagged,
  float,
  type Infer,
  type MedicalNumber,
  struct,
  u8,
  u16,
  when,
} from "../../bytes/index.ts";
import type { GattServer } from "../../gatt/index.ts";
import type { ServicePeer } from "../client.ts";
import type { DecodedFlow, DecodedFlowOptions } from "../decoded-flow.ts";
import { defineService } from "../define.ts";
import { type Simulation, simulate } from "../simulate.ts";

const temperatureType = enumeration(u8, {
  1: "armpit",
  2: "body",
  3: "ear",
  4: "finger",
  5: "gastrointestinalTract",
  6: "mouth",
  7: "rectum",
  8: "toe",
  9: "tympanum",
});

const measurement = flagged(u8, {
  unit: bitsAt(0, 1, { 0: "celsius", 1: "fahrenheit" }),
  temperature: always(float),
  timestamp: when(1, dateTime),
  type: when(2, temperatureType),
});

/** Temperature Measurement and Intermediate Temperature, GATT Specification Supplement. */
export interface TemperatureMeasurement {
  readonly unit: "celsius" | "fahrenheit" | number;
  readonly temperature: MedicalNumber;
  readonly timestamp?: DateTime | undefined;
  readonly type?: TemperatureType | undefined;
}
export type TemperatureType = Infer<typeof temperatureType>;

/** Health Thermometer Service 1.0, 1.6: the interval is not one that the device can measure at. */
const OUT_OF_RANGE = 0x80;

/** Health Thermometer Service 1.0. */
export const healthThermometer = defineService({
  uuid: 0x1809,
  name: "Health Thermometer",
  summary: "The temperature of a body (Health Thermometer Service 1.0).",
  characteristics: {
    temperatureMeasurement: { uuid: 0x2a1c, properties: ["indicate"], value: measurement },
    temperatureType: {
      uuid: 0x2a1d,
      summary: "Present where it never changes; measurements then do not name it.",
      properties: ["read"],
      optional: true,
      value: temperatureType,
    },
    intermediateTemperature: {
      uuid: 0x2a1e,
      summary: "While a measurement goes on.",
      properties: ["notify"],
      optional: true,
      value: measurement,
    },
    measurementInterval: {
      uuid: 0x2a21,
      summary:
        "Seconds between measurements; 0: none is made by itself. A value outside the valid range is refused with Out of Range (0x80).",
      properties: ["read"],
      optionalProperties: ["write", "indicate"],
      optional: true,
      value: u16,
      valueError: OUT_OF_RANGE,
      descriptors: {
        validRange: { uuid: 0x2906, value: struct({ minS: u16, maxS: u16 }), optional: true },
      },
    },
  },
});

/** Temperatures of a peer as a loop, each confirmed. @throws {GattNotFoundError} it is no thermometer */
export async function temperatures(peer: ServicePeer, options: DecodedFlowOptions = {}): Promise<DecodedFlow<TemperatureMeasurement>> {
  const client = await healthThermometer.of(peer, { signal: options.signal });
  return client.temperatureMeasurement.indications(options);
}

export interface ServeHealthThermometerOptions {
  readonly type?: TemperatureType | undefined;
}

/** Serves temperatures; `indicate` of the result's `temperatureMeasurement` tells each. */
export function serveHealthThermometer(server: GattServer, { type }: ServeHealthThermometerOptions = {}) {
  return healthThermometer.serve(server, type === undefined ? {} : { temperatureType: { value: type } });
}

/** A thermometer for tests: one measurement a second. */
export function simulateHealthThermometer(
  measurements: readonly TemperatureMeasurement[] = [36.6, 36.8, 37.1].map((temperature) => ({
    unit: "celsius",
    temperature,
    type: "ear",
  })),
): Simulation<typeof healthThermometer.characteristics> {
  return simulate(healthThermometer, {
    serve: {},
    steps: measurements.map((value) => ({ afterMs: 1000, values: { temperatureMeasurement: value } })),
    repeat: true,
  });
}
