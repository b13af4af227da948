import { AttError } from "../../att/index.ts";
import { byWidth, enumeration, flag, flagged, type Infer, repeated, scaled, u8, u16, when } from "../../bytes/index.ts";
import type { GattServer } from "../../gatt/index.ts";
import type { ServicePeer } from "../client.ts";
import type { DecodedFlow, DecodedFlowOptions } from "../decoded-flow.ts";
import { defineService } from "../define.ts";
import { type Simulation, simulate } from "../simulate.ts";

const measurement = flagged(u8, {
  /** Beats per minute. */
  heartRate: byWidth(0, u8, u16),
  sensorContactDetected: flag(1),
  sensorContactSupported: flag(2),
  /** Kilojoules since it was reset last. */
  energyExpended: when(3, u16),
  /** Seconds between beats, the oldest first. */
  rrIntervals: when(4, repeated(scaled(u16, { binary: -10, unit: "s" }))),
});

/** Heart Rate Measurement, GATT Specification Supplement 3.116. */
export type HeartRateMeasurement = Infer<typeof measurement>;

/** Heart Rate Service 1.0. */
export const heartRate = defineService({
  uuid: 0x180d,
  name: "Heart Rate",
  summary: "What a heart does, as a belt or a watch measures it (Heart Rate Service 1.0).",
  characteristics: {
    heartRateMeasurement: {
      uuid: 0x2a37,
      summary: "Told about once a second.",
      properties: ["notify"],
      value: measurement,
    },
    bodySensorLocation: {
      uuid: 0x2a38,
      properties: ["read"],
      optional: true,
      value: enumeration(u8, { 0: "other", 1: "chest", 2: "wrist", 3: "finger", 4: "hand", 5: "earLobe", 6: "foot" }),
    },
    heartRateControlPoint: {
      uuid: 0x2a39,
      summary: "Present where the energy expended is measured. Any other command is refused with Control Point Not Supported (0x80).",
      properties: ["write"],
      optional: true,
      value: enumeration(u8, { 1: "resetEnergyExpended" }),
    },
  },
});
export type BodySensorLocation = Infer<(typeof heartRate.characteristics.bodySensorLocation)["value"]>;

/** Heart Rate Service 1.0, 1.6: the command is none that the server knows. */
export const CONTROL_POINT_NOT_SUPPORTED = 0x80;

export interface ServeHeartRateOptions {
  readonly location?: BodySensorLocation | undefined;
  /** Called for the command to count energy from 0 again. Without it there is no control point. */
  readonly resetEnergyExpended?: (() => void | Promise<void>) | undefined;
}

/** Serves heart rates; `notify` of the result's `heartRateMeasurement` tells each. */
export function serveHeartRate(server: GattServer, { location, resetEnergyExpended }: ServeHeartRateOptions = {}) {
  return heartRate.serve(server, {
    ...(location !== undefined && { bodySensorLocation: { value: location } }),
    ...(resetEnergyExpended && {
      heartRateControlPoint: {
        write: async (command) => {
          if (command !== "resetEnergyExpended") throw new AttError(CONTROL_POINT_NOT_SUPPORTED);
          await resetEnergyExpended();
        },
      },
    }),
  });
}

/** A peer's heart rates as a loop. @throws {GattNotFoundError} it measures none */
export async function heartRates(peer: ServicePeer, options: DecodedFlowOptions = {}): Promise<DecodedFlow<HeartRateMeasurement>> {
  const client = await heartRate.of(peer, { signal: options.signal });
  return client.heartRateMeasurement.notifications(options);
}

/** A belt for tests: one measurement a second, again and again; by default a heart that beats faster and slower. */
export function simulateHeartRate(
  measurements: readonly HeartRateMeasurement[] = [72, 75, 79, 76].map((bpm) => ({
    heartRate: bpm,
    sensorContactDetected: true,
    sensorContactSupported: true,
    energyExpended: 0,
    rrIntervals: [Math.round((60 / bpm) * 1024) / 1024],
  })),
): Simulation<typeof heartRate.characteristics> {
  return simulate(heartRate, {
    serve: {
      bodySensorLocation: { value: "chest" },
      heartRateControlPoint: {
        write: (command) => {
          if (command !== "resetEnergyExpended") throw new AttError(CONTROL_POINT_NOT_SUPPORTED);
        },
      },
    },
    steps: measurements.map((value) => ({ afterMs: 1000, values: { heartRateMeasurement: value } })),
    repeat: true,
  });
}
