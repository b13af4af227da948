import type { Uuid } from "jelling/core";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";

/** A value that the pump may read. All are at most 20 octets, so that a PDU of 23 carries them whole. */
export interface PhoneValue {
  readonly uuid: Uuid;
  readonly value: Uint8Array;
}

/** What a phone tells about itself. The pump does not check any of it. */
export interface PhoneInformation {
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly hardware: string;
  readonly firmware: string;
  readonly software: string;
  readonly systemId: Uint8Array;
  readonly pnpId: Uint8Array;
}

export const LONGEST_VALUE = 20;
const text = (value: string): Uint8Array => new TextEncoder().encode(value).slice(0, LONGEST_VALUE);

/** @param name the advertised name, which the official application also gives as its serial number */
export function mobileInformation(name: string): PhoneInformation {
  return {
    manufacturer: "Jelling",
    model: "Jelling 1",
    serial: name,
    hardware: "1.0",
    firmware: "1.0",
    software: "1.0",
    systemId: new Uint8Array(8),
    pnpId: new Uint8Array(7),
  };
}

/** What an uploader tells; a pump may know these. */
export const careLinkInformation: PhoneInformation = {
  manufacturer: "Medtronic, Inc.",
  model: "PC 1",
  serial: "PC3.13.0",
  hardware: "1.0A",
  firmware: "3.13.0",
  software: "1.0S",
  systemId: Uint8Array.of(0x00, 0x23, 0xf7, 0xff, 0xfe, 0x00, 0x40, 0x49),
  pnpId: Uint8Array.of(0x01, 0xf9, 0x01, 0x30, 0x35, 0x33, 0x37),
};

/** Values of the information service, in the order in which a phone has them. */
export function informationValues(information: PhoneInformation): PhoneValue[] {
  return [
    { uuid: CharacteristicUuid.ManufacturerName, value: text(information.manufacturer) },
    { uuid: CharacteristicUuid.ModelNumber, value: text(information.model) },
    { uuid: CharacteristicUuid.SerialNumber, value: text(information.serial) },
    { uuid: CharacteristicUuid.HardwareRevision, value: text(information.hardware) },
    { uuid: CharacteristicUuid.FirmwareRevision, value: text(information.firmware) },
    { uuid: CharacteristicUuid.SoftwareRevision, value: text(information.software) },
    { uuid: CharacteristicUuid.SystemId, value: information.systemId },
    { uuid: CharacteristicUuid.PnpId, value: information.pnpId },
    { uuid: CharacteristicUuid.RegulatoryData, value: new Uint8Array() },
  ];
}

/** The information service of a mode: the pump refuses a phone with the standard one alone, and an uploader has only that. */
export const informationServiceUuid = (careLink: boolean): Uuid =>
  careLink ? ServiceUuid.DeviceInformation : ServiceUuid.PhoneInformation;
