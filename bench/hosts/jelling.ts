import { SeededRandom } from "../../src/core/index.ts";
import { Device } from "../../src/device/index.ts";
import type { Advertisement, ScanOptions } from "../../src/gap/index.ts";
import type { RemoteCharacteristic } from "../../src/gatt/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";
import { Wire } from "./wire.ts";
import { type Application, CHARACTERISTIC, type End, type Host, SERVICE, seen, VALUE } from "./workloads.ts";

/** This host, on the real clock as on a real adapter: a device for each application, as in a program that does one thing. */
export async function openJelling(): Promise<Host> {
  const ends = new Map<Application, Promise<Opened>>();
  const open = (application: Application): Promise<Opened> => {
    const opened = ends.get(application) ?? openDevice(application);
    ends.set(application, opened);
    return opened;
  };
  const { remote } = await open("values");
  return {
    name: "jelling",
    open: async (application) => (await open(application)).end,
    write: async (kind, count) => {
      if (kind === "with response") for (let i = 0; i < count; i++) await remote.write(VALUE);
      else for (let i = 0; i < count; i++) await remote.writeWithoutResponse(VALUE);
    },
  };
}

export interface Opened {
  readonly end: End;
  readonly remote: RemoteCharacteristic;
}

const REPORTED: ScanOptions = { active: true, duplicates: "report" };
const MERGED: ScanOptions = { active: true, merge: true };

function readManufacturerData(advertisement: Advertisement): void {
  seen.items++;
  for (const { data } of advertisement.manufacturerData) seen.octets += data[0]!;
}

function readAll(advertisement: Advertisement): void {
  seen.items++;
  seen.octets += advertisement.address.toString().length + (advertisement.name?.length ?? 0);
  for (const { data } of advertisement.manufacturerData) seen.octets += data[0]!;
}

const SCANS: Readonly<Record<Exclude<Application, "values">, [ScanOptions, (advertisement: Advertisement) => void]>> = {
  "manufacturer data": [REPORTED, readManufacturerData],
  all: [REPORTED, readAll],
  merged: [MERGED, readManufacturerData],
  "merged, all": [MERGED, readAll],
};

async function openDevice(application: Application): Promise<Opened> {
  const scan = SCANS[application === "values" ? "manufacturer data" : application];
  return await openMeasured(application, scan, (value) => {
    seen.octets += value.length;
    seen.items++;
  });
}

/** A device with a link to a peer, subscribed and scanning, whose packets come from the measurement. */
export async function openMeasured(
  name: string,
  [options, onAdvertisement]: [ScanOptions, (advertisement: Advertisement) => void],
  onValue: (value: Uint8Array) => void,
): Promise<Opened> {
  const wire = await Wire.open();
  const [near, far] = createTransportPair();
  wire.toHost = (packet) => far.send(packet);
  far.onPacket = (packet) => wire.fromHost(packet);
  const device = await Device.open(near, { random: new SeededRandom(1, name), name: "jelling" });
  const connection = await device.connect(`${wire.peerAddress}/random`, { timeoutMs: 10_000 });
  const remote = await connection.gatt.characteristic(SERVICE, CHARACTERISTIC);
  await remote.subscribe(onValue);
  await device.startScan(options, onAdvertisement);
  wire.take();
  return { remote, end: { link: wire, isOfBuffers: false, toHost: (packet) => far.send(packet) } };
}
