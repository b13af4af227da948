import { type Codec, enumeration, type Infer, rest, struct, text, u8, u16 } from "../../bytes/index.ts";
import type { GattOperationOptions, GattServer } from "../../gatt/index.ts";
import { bounded } from "../bounded.ts";
import type { ServicePeer } from "../client.ts";
import { defineService } from "../define.ts";
import { type Simulation, simulate } from "../simulate.ts";

/** System ID: 40 bits that the manufacturer gives, then its Organizationally Unique Identifier of 24 bits. */
const systemId: Codec<{ readonly manufacturerIdentifier: number; readonly organizationallyUniqueIdentifier: number }> = {
  form: {
    text: "uint64",
    parts: [
      { name: "manufacturerIdentifier", form: { text: "uint40" } },
      { name: "organizationallyUniqueIdentifier", form: { text: "uint24" } },
    ],
  },
  decode: (reader) => {
    const low = reader.u32();
    return { manufacturerIdentifier: low + reader.u8() * 2 ** 32, organizationallyUniqueIdentifier: reader.u24() };
  },
  encode: (writer, { manufacturerIdentifier, organizationallyUniqueIdentifier }) => {
    writer.u32(manufacturerIdentifier % 2 ** 32);
    writer.u8(Math.floor(manufacturerIdentifier / 2 ** 32));
    writer.u24(organizationallyUniqueIdentifier);
  },
};

/** PnP ID, 7 octets. */
const pnpId = struct({
  vendorIdSource: enumeration(u8, { 1: "bluetoothSig", 2: "usbImplementersForum" }),
  vendorId: u16,
  productId: u16,
  /** Binary-coded decimal: 0x0123 is 1.2.3. */
  productVersion: u16,
});

// Devices are known that end these with a NUL, which is no part of the text.
const information = { properties: ["read"], optional: true, value: text({ nul: "ends" }) } as const;

/** Device Information Service 1.1. */
export const deviceInformation = defineService({
  uuid: 0x180a,
  name: "Device Information",
  summary: "Who made a device, and which one it is (Device Information Service 1.1).",
  characteristics: {
    manufacturerName: { uuid: 0x2a29, name: "Manufacturer Name String", ...information },
    modelNumber: { uuid: 0x2a24, name: "Model Number String", ...information },
    serialNumber: { uuid: 0x2a25, name: "Serial Number String", ...information },
    hardwareRevision: { uuid: 0x2a27, name: "Hardware Revision String", ...information },
    firmwareRevision: { uuid: 0x2a26, name: "Firmware Revision String", ...information },
    softwareRevision: { uuid: 0x2a28, name: "Software Revision String", ...information },
    systemId: { uuid: 0x2a23, name: "System ID", properties: ["read"], optional: true, value: systemId },
    regulatoryCertification: {
      uuid: 0x2a2a,
      name: "IEEE 11073-20601 Regulatory Certification Data List",
      properties: ["read"],
      optional: true,
      value: rest,
    },
    pnpId: { uuid: 0x2a50, name: "PnP ID", properties: ["read"], optional: true, value: pnpId },
  },
});

type Characteristics = typeof deviceInformation.characteristics;

/** What a device says of itself; what it does not say is missing. */
export type DeviceInformation = { readonly [K in keyof Characteristics]?: Infer<Characteristics[K]["value"]> | undefined };

const NAMES = Object.keys(deviceInformation.characteristics) as (keyof Characteristics)[];

/** Serves what is given, and nothing else. */
export function serveDeviceInformation(server: GattServer, information: DeviceInformation) {
  const given = Object.entries(information).filter(([, value]) => value !== undefined);
  return deviceInformation.serve(server, Object.fromEntries(given.map(([name, value]) => [name, { value }])));
}

/** Reads all that a peer says of itself. @throws {GattNotFoundError} it has no such service · {DecodeError} */
export async function readDeviceInformation(peer: ServicePeer, options: GattOperationOptions = {}): Promise<DeviceInformation> {
  return await bounded(peer.gatt.bearer.clock, "reading the device information", options, async (bound) => {
    const client = await deviceInformation.of(peer, bound);
    const read: Partial<Record<keyof Characteristics, unknown>> = {};
    for (const name of NAMES) {
      const value = await client[name]?.read(bound);
      if (value !== undefined) read[name] = value;
    }
    return read as DeviceInformation;
  });
}

/** A device for tests that says this of itself. */
export function simulateDeviceInformation(
  information: DeviceInformation = { manufacturerName: "Jelling", modelNumber: "Simulated", firmwareRevision: "1.0" },
): Simulation<Characteristics> {
  const given = Object.entries(information).filter(([, value]) => value !== undefined);
  return simulate(deviceInformation, { serve: Object.fromEntries(given.map(([name, value]) => [name, { value }])) });
}
