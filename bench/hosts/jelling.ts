import { SeededRandom } from "../../src/core/index.ts";
import { Device } from "../../src/device/index.ts";
import type { Advertisement, ScanOptions } from "../../src/gap/index.ts";
import type { RemoteCharacteristic } from "../../src/gatt/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";
import type { End, Host, OpenController } from "./host.ts";
import { type Application, CHARACTERISTIC, SERVICE, seen, VALUE } from "./workloads.ts";

/** This host, on the real clock as on a real adapter: a device for each application that scans, the first for values and writes too. */
export async function openJelling(openController: OpenController): Promise<Host> {
  const ends = new Map<Scanning, Promise<Opened>>();
  const open = (wanted: Application): Promise<Opened> => {
    const application = wanted === "values" ? "manufacturer data" : wanted;
    const opened = ends.get(application) ?? openDevice(openController, application);
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

type Scanning = Exclude<Application, "values">;

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

const SCANS: Readonly<Record<Scanning, [ScanOptions, (advertisement: Advertisement) => void]>> = {
  "manufacturer data": [REPORTED, readManufacturerData],
  all: [REPORTED, readAll],
  merged: [MERGED, readManufacturerData],
  "merged, all": [MERGED, readAll],
};

async function openDevice(openController: OpenController, application: Scanning): Promise<Opened> {
  return await openMeasured(openController, application, SCANS[application], (value) => {
    seen.octets += value.length;
    seen.items++;
  });
}

/** A device with a link to a peer, subscribed and scanning, whose packets come from the measurement. */
export async function openMeasured(
  openController: OpenController,
  name: string,
  [options, onAdvertisement]: [ScanOptions, (advertisement: Advertisement) => void],
  onValue: (value: Uint8Array) => void,
): Promise<Opened> {
  const controller = await openController();
  const [near, far] = createTransportPair();
  controller.toHost = (packet) => far.send(packet);
  far.onPacket = (packet) => controller.fromHost(packet);
  const device = await Device.open(near, { random: new SeededRandom(1, name), name: "jelling" });
  const connection = await device.connect(`${controller.peerAddress}/random`, { timeoutMs: 10_000 });
  const remote = await connection.gatt.characteristic(SERVICE, CHARACTERISTIC);
  await remote.subscribe(onValue);
  await device.startScan(options, onAdvertisement);
  controller.take();
  return { remote, end: { link: controller, isOfBuffers: false, toHost: (packet) => far.send(packet) } };
}
