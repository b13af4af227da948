import type { CharacteristicDefinition, GattPeer, LocalCharacteristic } from "jelling/gatt";
import { appendE2eCrc } from "../data/e2e-crc.ts";
import { CharacteristicUuid } from "../uuids.ts";
import type { SimulatedSensor } from "./sensor.ts";
import type { ServedSession } from "./served-session.ts";

type VendorUuid = (typeof CharacteristicUuid)[
  | "CgmMeasurementExtension"
  | "CgmSensorConnectedState"
  | "CgmSensorExpiration"
  | "CgmSensorCalibrationTime"
  | "CgmNextCalibration"
  | "CgmAlgorithmData"];

const SECONDS_A_MINUTE = 60;
/** Of the published layout; what it stands for is not known. */
const CLOCK_ID = 1;
/** A calibration a day. */
const CALIBRATE_EVERY_MIN = 24 * 60;

export interface VendorValuesOptions {
  readonly served: ServedSession;
  /** @throws {AttError} no sensor session runs */
  readonly requireSensor: () => SimulatedSensor;
  readonly at: (uuid: VendorUuid) => LocalCharacteristic;
}

/**
 * The vendor's values of the CGM service. Two have the layouts that were published, one with a CRC and one with `ff ff` in its place; those that
 * nobody knows have octets of our own, in a frame and in the clear.
 */
export function vendorValues({ served, requireSensor, at }: VendorValuesOptions): CharacteristicDefinition[] {
  const u16 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
  const u32 = (value: number): number[] => [...u16(value), ...u16(Math.floor(value / 0x10000))];
  const expiration = (): Uint8Array => {
    const { runTimeHours, latestOffsetMin } = requireSensor();
    return appendE2eCrc(Uint8Array.from(u16(60 * runTimeHours - latestOffsetMin)));
  };
  const nextCalibration = (): Uint8Array => {
    const { latestOffsetMin } = requireSensor();
    const dueMin = (Math.floor(latestOffsetMin / CALIBRATE_EVERY_MIN) + 1) * CALIBRATE_EVERY_MIN;
    return Uint8Array.of(...u32(dueMin * SECONDS_A_MINUTE), ...u32(CLOCK_ID), ...u16(dueMin), 0xff, 0xff);
  };
  const sealed =
    (...octets: number[]) =>
    () =>
      served.seal(Uint8Array.from(octets));
  /** Told once to who subscribes, where there is something to tell. */
  const toldAtOnce =
    (uuid: VendorUuid, make: () => Uint8Array) =>
    (peer: GattPeer, { indicate }: { indicate: boolean }) => {
      if (indicate) void served.outbox.indicate(at(uuid), make, peer);
    };
  return [
    { uuid: CharacteristicUuid.CgmMeasurementExtension, properties: ["read"], read: sealed(0x01, 0x02, 0x03) },
    {
      uuid: CharacteristicUuid.CgmSensorConnectedState,
      properties: ["read", "indicate"],
      read: () => {
        requireSensor();
        return Uint8Array.of(1);
      },
    },
    {
      uuid: CharacteristicUuid.CgmSensorExpiration,
      properties: ["indicate"],
      onSubscription: toldAtOnce(CharacteristicUuid.CgmSensorExpiration, expiration),
    },
    {
      uuid: CharacteristicUuid.CgmSensorCalibrationTime,
      properties: ["indicate"],
      onSubscription: toldAtOnce(CharacteristicUuid.CgmSensorCalibrationTime, () => Uint8Array.from(u16(requireSensor().latestOffsetMin))),
    },
    { uuid: CharacteristicUuid.CgmNextCalibration, properties: ["read", "indicate"], read: nextCalibration },
    { uuid: CharacteristicUuid.CgmAlgorithmData, properties: ["read"], read: sealed(0x11, 0x22, 0x33, 0x44) },
  ];
}
