import { always, bitFields, bitsAt, flag, flagged, type Infer, ranged, u8, u16, when } from "../../bytes/index.ts";
import type { GattOperationOptions, GattServer } from "../../gatt/index.ts";
import { bounded } from "../bounded.ts";
import type { ServicePeer } from "../client.ts";
import { defineService } from "../define.ts";
import { type Simulation, simulate } from "../simulate.ts";

const EXTERNAL = { 0: "no", 1: "yes", 2: "unknown" } as const;

/** Percent of a full battery. */
const percent = ranged(u8, 0, 100);

const powerState = bitFields(u16, {
  batteryPresent: flag(0),
  wiredExternalPower: bitsAt(1, 2, EXTERNAL),
  wirelessExternalPower: bitsAt(3, 2, EXTERNAL),
  chargeState: bitsAt(5, 2, { 0: "unknown", 1: "charging", 2: "dischargingActive", 3: "dischargingInactive" }),
  chargeLevel: bitsAt(7, 2, { 0: "unknown", 1: "good", 2: "low", 3: "critical" }),
  chargingType: bitsAt(9, 3, { 0: "unknownOrNotCharging", 1: "constantCurrent", 2: "constantVoltage", 3: "trickle", 4: "float" }),
  batteryFault: flag(12),
  externalPowerFault: flag(13),
  otherChargingFault: flag(14),
});

const status = flagged(u8, {
  powerState: always(powerState),
  /** Tells one of several batteries from the others. */
  identifier: when(0, u16),
  batteryLevel: when(1, percent),
  additionalStatus: when(2, bitFields(u8, { serviceRequired: bitsAt(0, 2, { 0: "no", 1: "yes", 2: "unknown" }), batteryFault: flag(2) })),
});

/** Battery Level Status, GATT Specification Supplement. */
export type BatteryLevelStatus = Infer<typeof status>;

/** Battery Service 1.1. */
export const battery = defineService({
  uuid: 0x180f,
  name: "Battery",
  summary:
    "How full a battery is, and what becomes of it (Battery Service 1.1). A device with several batteries has several of this service.",
  characteristics: {
    batteryLevel: { uuid: 0x2a19, properties: ["read"], optionalProperties: ["notify"], value: percent },
    batteryLevelStatus: {
      uuid: 0x2bed,
      properties: ["read", "notify"],
      optionalProperties: ["indicate"],
      optional: true,
      value: status,
    },
    batteryCriticalStatus: {
      uuid: 0x2be9,
      properties: ["read", "indicate"],
      optional: true,
      value: bitFields(u8, { criticalPowerState: flag(0), immediateServiceRequired: flag(1) }),
    },
  },
});

export interface BatteryReading {
  readonly level: number;
  readonly status?: BatteryLevelStatus | undefined;
}

/** Serves a battery; `update` of the result's characteristics changes it and tells. */
export function serveBattery(server: GattServer, { level, status }: BatteryReading) {
  return battery.serve(server, {
    batteryLevel: { value: level },
    ...(status && { batteryLevelStatus: { value: status } }),
  });
}

/** Reads every battery of a peer, in order of their handles. @throws {GattNotFoundError} it tells of none · {DecodeError} */
export async function readBatteries(peer: ServicePeer, options: GattOperationOptions = {}): Promise<BatteryReading[]> {
  return await bounded(peer.gatt.bearer.clock, "reading the batteries", options, async (bound) => {
    const readings: BatteryReading[] = [];
    for (const client of await battery.all(peer, bound)) {
      const level = await client.batteryLevel.read(bound);
      const status = await client.batteryLevelStatus?.read(bound);
      readings.push(status ? { level, status } : { level });
    }
    return readings;
  });
}

/** A battery for tests that loses a percent a minute, from `level` on. */
export function simulateBattery(level = 80): Simulation<typeof battery.characteristics> {
  return simulate(battery, {
    serve: { batteryLevel: { value: level } },
    steps: Array.from({ length: level }, (_, i) => ({ afterMs: 60_000, values: { batteryLevel: level - 1 - i } })),
  });
}
