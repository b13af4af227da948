import type { OperationOptions } from "jelling/async";
import type { Uuid } from "jelling/core";
import type { GattClient } from "jelling/gatt";
import { PumpError } from "../error.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";

const CCCD = 0x2902;

/** What is read from a pump, by service and type: one type occurs in several of its services with different meanings. */
const VALUES = {
  manufacturer: [ServiceUuid.DeviceInformation, CharacteristicUuid.ManufacturerName],
  model: [ServiceUuid.DeviceInformation, CharacteristicUuid.ModelNumber],
  serial: [ServiceUuid.DeviceInformation, CharacteristicUuid.SerialNumber],
  hardware: [ServiceUuid.DeviceInformation, CharacteristicUuid.HardwareRevision],
  firmware: [ServiceUuid.DeviceInformation, CharacteristicUuid.FirmwareRevision],
  software: [ServiceUuid.DeviceInformation, CharacteristicUuid.SoftwareRevision],
  batteryLevel: [ServiceUuid.Battery, CharacteristicUuid.BatteryLevel],
  currentTime: [ServiceUuid.CurrentTime, CharacteristicUuid.CurrentTime],
  cgmMeasurement: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmMeasurement],
  cgmFeature: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmFeature],
  cgmSessionStartTime: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSessionStartTime],
  cgmSessionRunTime: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSessionRunTime],
  cgmRecordAccess: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.RecordAccessControlPoint],
  cgmSpecificOps: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSpecificOpsControlPoint],
} as const satisfies Record<string, readonly [service: Uuid, characteristic: Uuid]>;
export type PumpValueName = keyof typeof VALUES;

/** Which of them are subscribed to, and how; nothing else may be written to their configurations. */
export const SUBSCRIPTIONS = {
  cgmMeasurement: "notify",
  cgmRecordAccess: "indicate",
  cgmSpecificOps: "indicate",
} as const satisfies Partial<Record<PumpValueName, "notify" | "indicate">>;
export type SubscribedName = keyof typeof SUBSCRIPTIONS;

export interface PumpHandle {
  readonly value: number;
  readonly cccd: number | undefined;
}

/** Where a pump's values are. They stay so for as long as the bond: keep them with it. */
export class PumpHandles {
  readonly services: number;
  readonly #handles: ReadonlyMap<PumpValueName, PumpHandle>;

  private constructor(services: number, handles: ReadonlyMap<PumpValueName, PumpHandle>) {
    this.services = services;
    this.#handles = handles;
  }

  /** Asks the pump; takes some seconds, since it answers every other connection event. */
  static async discover(gatt: GattClient, options: OperationOptions): Promise<PumpHandles> {
    const services = await gatt.services(options);
    const handles = new Map<PumpValueName, PumpHandle>();
    for (const [name, [serviceUuid, uuid]] of Object.entries(VALUES) as [PumpValueName, readonly [Uuid, Uuid]][]) {
      const service = services.find((candidate) => candidate.uuid.text === serviceUuid.text);
      const characteristic = (await service?.characteristics(options))?.find((candidate) => candidate.uuid.text === uuid.text);
      if (!characteristic) continue;
      const isSubscribed = name in SUBSCRIPTIONS && characteristic.has(SUBSCRIPTIONS[name as SubscribedName]);
      const cccd = isSubscribed ? (await characteristic.descriptor(CCCD, options)).handle : undefined;
      handles.set(name, { value: characteristic.valueHandle, cccd });
    }
    return new PumpHandles(services.length, handles);
  }

  has(name: PumpValueName): boolean {
    return this.#handles.has(name);
  }

  /** @throws {PumpError} ERR_PUMP_SERVICE_MISSING */
  of(name: PumpValueName): PumpHandle {
    const handle = this.#handles.get(name);
    if (!handle) throw new PumpError("ERR_PUMP_SERVICE_MISSING", `The pump has no ${name} characteristic.`);
    return handle;
  }
}
