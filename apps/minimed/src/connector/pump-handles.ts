import type { OperationOptions } from "jelling/async";
import type { Uuid } from "jelling/core";
import type { GattClient, RemoteService } from "jelling/gatt";
import { PumpError } from "../error.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import { PERMITTED_WRITES, SUBSCRIBED_NAMES, type SubscribedName } from "./requests.ts";

/** What is read from a pump, by service and type: one type occurs in several of its services with different meanings. */
const VALUES = {
  manufacturer: [ServiceUuid.DeviceInformation, CharacteristicUuid.ManufacturerName],
  model: [ServiceUuid.DeviceInformation, CharacteristicUuid.ModelNumber],
  serial: [ServiceUuid.DeviceInformation, CharacteristicUuid.SerialNumber],
  hardware: [ServiceUuid.DeviceInformation, CharacteristicUuid.HardwareRevision],
  firmware: [ServiceUuid.DeviceInformation, CharacteristicUuid.FirmwareRevision],
  software: [ServiceUuid.DeviceInformation, CharacteristicUuid.SoftwareRevision],
  systemId: [ServiceUuid.DeviceInformation, CharacteristicUuid.SystemId],
  pnpId: [ServiceUuid.DeviceInformation, CharacteristicUuid.PnpId],
  regulatoryData: [ServiceUuid.DeviceInformation, CharacteristicUuid.RegulatoryData],
  deviceName: [ServiceUuid.GenericAccess, CharacteristicUuid.DeviceName],
  appearance: [ServiceUuid.GenericAccess, CharacteristicUuid.Appearance],
  batteryLevel: [ServiceUuid.Battery, CharacteristicUuid.BatteryLevel],
  currentTime: [ServiceUuid.CurrentTime, CharacteristicUuid.CurrentTime],
  cgmMeasurement: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmMeasurement],
  cgmFeature: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmFeature],
  cgmSessionStartTime: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSessionStartTime],
  cgmSessionRunTime: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSessionRunTime],
  cgmRecordAccess: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.RecordAccessControlPoint],
  cgmSpecificOps: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSpecificOpsControlPoint],
  cgmStatus: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmStatus],
  cgmMeasurementExtension: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmMeasurementExtension],
  cgmSensorConnected: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSensorConnectedState],
  cgmSensorExpiration: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSensorExpiration],
  cgmSensorCalibrationTime: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmSensorCalibrationTime],
  cgmNextCalibration: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmNextCalibration],
  cgmAlgorithmData: [ServiceUuid.ContinuousGlucoseMonitoring, CharacteristicUuid.CgmAlgorithmData],
  networkState: [ServiceUuid.NetworkOperationalState, CharacteristicUuid.NetworkOperationalState],
  iddFeatures: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddFeatures],
  iddStatus: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddStatus],
  iddAnnunciationStatus: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddAnnunciationStatus],
  iddStatusReader: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddStatusReaderControlPoint],
  iddCommand: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddCommandControlPoint],
  iddCommandData: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddCommandData],
  iddRecordAccess: [ServiceUuid.InsulinDelivery, CharacteristicUuid.RecordAccessControlPoint],
  iddHistoryData: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddHistoryData],
  iddStatusChanged: [ServiceUuid.InsulinDelivery, CharacteristicUuid.IddStatusChanged],
  transmitterBattery: [ServiceUuid.InsulinDelivery, CharacteristicUuid.TransmitterBatteryLevel],
} as const satisfies Record<string, readonly [service: Uuid, characteristic: Uuid]>;
export type PumpValueName = keyof typeof VALUES;

/** Where one value is, and what was declared around it. */
export interface PumpPlace {
  readonly service: { readonly uuid: Uuid; readonly handle: number; readonly endHandle: number };
  readonly uuid: Uuid;
  /** Handle of the declaration. */
  readonly declaration: number;
  readonly value: number;
  /** Last handle that may be the characteristic's. */
  readonly endHandle: number;
  /** Whether it sends values in the way in which it is subscribed to. */
  readonly sends: boolean;
}

/**
 * Where a pump's values are, as its declarations said on this connection. They are asked for anew on every connection: a pump has no Service
 * Changed, so that nothing would tell when a handle of an earlier one has become another's.
 */
export class PumpHandles {
  /** How many services the pump has. */
  readonly services: number;
  readonly #places: ReadonlyMap<PumpValueName, PumpPlace>;
  readonly #attribute: PumpPlace["service"] | undefined;

  private constructor(services: readonly RemoteService[], places: ReadonlyMap<PumpValueName, PumpPlace>) {
    this.services = services.length;
    this.#places = places;
    this.#attribute = services.find(({ uuid }) => uuid.text === ServiceUuid.GenericAttribute.text);
  }

  /** Asks the pump; takes some seconds, since it answers every other connection event. */
  static async discover(gatt: GattClient, options: OperationOptions): Promise<PumpHandles> {
    const services = await gatt.services(options);
    const places = new Map<PumpValueName, PumpPlace>();
    for (const [name, [serviceUuid, uuid]] of Object.entries(VALUES) as [PumpValueName, readonly [Uuid, Uuid]][]) {
      const service = services.find((candidate) => candidate.uuid.text === serviceUuid.text);
      const characteristic = (await service?.characteristics(options))?.find((candidate) => candidate.uuid.text === uuid.text);
      if (!service || !characteristic) continue;
      places.set(name, {
        service: { uuid: service.uuid, handle: service.handle, endHandle: service.endHandle },
        uuid: characteristic.uuid,
        declaration: characteristic.handle,
        value: characteristic.valueHandle,
        endHandle: characteristic.endHandle,
        sends: Object.hasOwn(PERMITTED_WRITES, name) && characteristic.has(PERMITTED_WRITES[name as SubscribedName].subscription),
      });
    }
    return new PumpHandles(services, places);
  }

  /** What sends from this value handle; `undefined` for what is not subscribed to. */
  senderAt(handle: number): SubscribedName | undefined {
    return SUBSCRIBED_NAMES.find((name) => this.#places.get(name)?.value === handle);
  }

  has(name: PumpValueName): boolean {
    return this.#places.has(name);
  }

  /** Whether a handle is of the Generic Attribute service: what that indicates is Service Changed (Vol 3 Part G 7.1), asked for or not. */
  isGenericAttribute(handle: number): boolean {
    return this.#attribute !== undefined && handle > this.#attribute.handle && handle <= this.#attribute.endHandle;
  }

  /** @throws {PumpError} ERR_PUMP_SERVICE_MISSING */
  of(name: PumpValueName): PumpPlace {
    const place = this.#places.get(name);
    if (!place) throw new PumpError("ERR_PUMP_SERVICE_MISSING", `The pump has no ${name} characteristic.`);
    return place;
  }
}
