import { type Codec, enumeration, type Infer, i8, i16, i24, scaled, struct, u8, u16, u24, u32, uuid } from "../../bytes/index.ts";
import type { GattOperationOptions, GattServer } from "../../gatt/index.ts";
import { bounded } from "../bounded.ts";
import type { ServicePeer } from "../client.ts";
import { defineService } from "../define.ts";
import type { ServiceHandlers } from "../handlers.ts";
import { type ServiceValues, type Simulation, simulate } from "../simulate.ts";

const measurement = struct({
  /** Reserved. */
  flags: u16,
  samplingFunction: enumeration(u8, {
    0: "unspecified",
    1: "instantaneous",
    2: "arithmeticMean",
    3: "rms",
    4: "maximum",
    5: "minimum",
    6: "accumulated",
    7: "count",
  }),
  /** Seconds; 0: not in use. */
  measurementPeriodS: u24,
  /** Seconds; 0: not in use. */
  updateIntervalS: u24,
  application: enumeration(u8, {
    0: "unspecified",
    1: "air",
    2: "water",
    3: "barometric",
    4: "soil",
    5: "infrared",
    6: "mapDatabase",
    7: "barometricElevationSource",
    8: "gpsElevationSource",
    9: "gpsAndMapElevationSource",
    10: "verticalDatumElevationSource",
    11: "onshore",
    12: "onboardVesselOrVehicle",
    13: "front",
    14: "backRear",
    15: "upper",
    16: "lower",
    17: "primary",
    18: "secondary",
    19: "outdoor",
    20: "indoor",
    21: "top",
    22: "bottom",
    23: "main",
    24: "backup",
    25: "auxiliary",
    26: "reserve",
    27: "inside",
    28: "outside",
    29: "left",
    30: "right",
    31: "internal",
    32: "external",
    33: "solar",
  }),
  /** Percent. */
  uncertainty: scaled(u8, { multiplier: 5, decimal: -1, unit: "%", unknown: 0xff }),
});
export type EsMeasurement = Infer<typeof measurement>;

/** When a sensor tells its value: at an interval, or for a value beside another one. */
export type EsTrigger<T> =
  | { readonly condition: "inactive" | "valueChanged" }
  | { readonly condition: "fixedInterval" | "noLessThanInterval"; readonly intervalS: number }
  | { readonly condition: "less" | "lessOrEqual" | "greater" | "greaterOrEqual" | "equal" | "notEqual"; readonly value: T }
  | { readonly condition: number; readonly operand: Uint8Array };

const CONDITIONS = [
  "inactive",
  "fixedInterval",
  "noLessThanInterval",
  "valueChanged",
  "less",
  "lessOrEqual",
  "greater",
  "greaterOrEqual",
  "equal",
  "notEqual",
] as const;

/** ES Trigger Setting of a characteristic with this value. */
function esTrigger<T>(value: Codec<T>): Codec<EsTrigger<T>> {
  return {
    form: {
      text: "in this order",
      parts: [
        { name: "condition", form: { text: `uint8, ${CONDITIONS.map((name, i) => `${i}: ${name}`).join(", ")}` } },
        { name: "intervalS", form: { text: "uint24 s" }, when: "condition 1 or 2" },
        { name: "value", form: { text: "as the characteristic's" }, when: "condition 4 to 9" },
      ],
    },
    decode: (reader) => {
      const number = reader.u8();
      const condition = CONDITIONS[number];
      switch (condition) {
        case undefined:
          return { condition: number, operand: reader.rest() };
        case "inactive":
        case "valueChanged":
          return { condition };
        case "fixedInterval":
        case "noLessThanInterval":
          return { condition, intervalS: reader.u24() };
        default:
          return { condition, value: reader.field("value", value) };
      }
    },
    encode: (writer, trigger) => {
      writer.u8(typeof trigger.condition === "number" ? trigger.condition : CONDITIONS.indexOf(trigger.condition));
      if ("operand" in trigger) writer.bytes(trigger.operand);
      else if ("intervalS" in trigger) writer.u24(trigger.intervalS);
      else if ("value" in trigger) value.encode(writer, trigger.value);
    },
  };
}

/** A quantity of the environment: several sensors may measure it, each with descriptors that say how. */
function quantity<const T>(uuid: number, value: Codec<T>) {
  return {
    uuid,
    properties: ["read"],
    optionalProperties: ["notify"],
    optional: true,
    multiple: true,
    value,
    descriptors: {
      esMeasurement: { uuid: 0x290c, name: "Environmental Sensing Measurement", value: measurement, optional: true },
      esTrigger: {
        uuid: 0x290d,
        name: "Environmental Sensing Trigger Setting",
        value: esTrigger(value),
        optional: true,
        writable: true,
      },
      esConfiguration: {
        uuid: 0x290b,
        name: "Environmental Sensing Configuration",
        value: enumeration(u8, { 0: "and", 1: "or" }),
        optional: true,
        writable: true,
      },
      validRange: { uuid: 0x2906, value: struct({ min: value, max: value }), optional: true },
    },
  } as const;
}

const direction = scaled(u16, { decimal: -2, unit: "°", min: 0, max: 359.99 });
const flux = scaled(i16, { decimal: -7, unit: "T" });

/** Environmental Sensing Service 1.0. */
export const environmentalSensing = defineService({
  uuid: 0x181a,
  name: "Environmental Sensing",
  summary:
    "What is around a device (Environmental Sensing Service 1.0). Of each quantity a device has any number of sensors; the name stands for all of them.",
  characteristics: {
    descriptorValueChanged: {
      uuid: 0x2a7d,
      summary: "Which descriptors of which characteristic have changed.",
      properties: ["indicate"],
      optional: true,
      value: struct({ flags: u16, characteristic: uuid }),
    },
    temperature: quantity(0x2a6e, scaled(i16, { decimal: -2, unit: "°C", min: -273.15, unknown: -0x8000 })),
    humidity: quantity(0x2a6f, scaled(u16, { decimal: -2, unit: "%", max: 100, unknown: 0xffff })),
    pressure: quantity(0x2a6d, scaled(u32, { decimal: -1, unit: "Pa" })),
    elevation: quantity(0x2a6c, scaled(i24, { decimal: -2, unit: "m" })),
    dewPoint: quantity(0x2a7b, i8),
    heatIndex: quantity(0x2a7a, i8),
    windChill: quantity(0x2a79, i8),
    gustFactor: quantity(0x2a74, scaled(u8, { decimal: -1 })),
    apparentWindDirection: quantity(0x2a73, direction),
    apparentWindSpeed: quantity(0x2a72, scaled(u16, { decimal: -2, unit: "m/s" })),
    trueWindDirection: quantity(0x2a71, direction),
    trueWindSpeed: quantity(0x2a70, scaled(u16, { decimal: -2, unit: "m/s" })),
    rainfall: quantity(0x2a78, scaled(u16, { decimal: -3, unit: "m" })),
    irradiance: quantity(0x2a77, scaled(u16, { decimal: -1, unit: "W/m²" })),
    uvIndex: quantity(0x2a76, u8),
    pollenConcentration: quantity(0x2a75, u24),
    magneticDeclination: quantity(0x2a2c, direction),
    magneticFluxDensity2d: quantity(0x2aa0, struct({ x: flux, y: flux })),
    magneticFluxDensity3d: quantity(0x2aa1, struct({ x: flux, y: flux, z: flux })),
    barometricPressureTrend: quantity(
      0x2aa3,
      enumeration(u8, {
        0: "unknown",
        1: "continuouslyFalling",
        2: "continuouslyRising",
        3: "fallingThenSteady",
        4: "risingThenSteady",
        5: "fallingBeforeLesserRise",
        6: "fallingBeforeGreaterRise",
        7: "risingBeforeGreaterFall",
        8: "risingBeforeLesserFall",
        9: "steady",
      }),
    ),
  },
});

type Characteristics = typeof environmentalSensing.characteristics;
/** What can be measured. */
export type EnvironmentalQuantity = Exclude<keyof Characteristics, "descriptorValueChanged">;

/** Values by quantity, one for each of its sensors. */
export type EnvironmentalValues = Pick<ServiceValues<Characteristics>, EnvironmentalQuantity>;

/** Serves one sensor for each value. `update` of the result's characteristics changes one and tells. */
export function serveEnvironmentalSensing(server: GattServer, values: EnvironmentalValues) {
  return environmentalSensing.serve(server, handlersOf(values));
}

function handlersOf(values: EnvironmentalValues): ServiceHandlers<Characteristics> {
  const handlers = Object.entries<readonly unknown[] | undefined>(values).flatMap(([name, list]) =>
    list ? [[name, list.map((value) => ({ value }))] as const] : [],
  );
  return Object.fromEntries(handlers) as ServiceHandlers<Characteristics>;
}

/** Reads every sensor of a peer; quantities that it does not measure are missing. @throws {GattNotFoundError} · {DecodeError} */
export async function readEnvironment(peer: ServicePeer, options: GattOperationOptions = {}): Promise<EnvironmentalValues> {
  return await bounded(peer.gatt.bearer.clock, "reading the environment", options, async (bound) => {
    const { service: _, descriptorValueChanged: __, ...quantities } = await environmentalSensing.of(peer, bound);
    const values: Partial<Record<EnvironmentalQuantity, unknown[]>> = {};
    for (const [name, sensors] of Object.entries(quantities)) {
      const read: unknown[] = [];
      for (const sensor of sensors) read.push(await sensor.read(bound));
      if (read.length > 0) values[name as EnvironmentalQuantity] = read;
    }
    return values as EnvironmentalValues;
  });
}

/** A weather station for tests: these values at the start, and then one after the other every second. */
export function simulateEnvironmentalSensing(
  start: EnvironmentalValues = { temperature: [21.5], humidity: [40], pressure: [101_325] },
  later: readonly EnvironmentalValues[] = [],
): Simulation<Characteristics> {
  return simulate(environmentalSensing, {
    serve: handlersOf(start),
    steps: later.map((values) => ({ afterMs: 1000, values })),
  });
}
