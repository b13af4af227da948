import type { Advertisement } from "../gap/index.ts";
import type { Blocked } from "./blocklist.ts";
import { type Advertised, copyOf } from "./filters.ts";
import type { BluetoothAdvertisingEvent, BluetoothDevice, BluetoothUuidLike } from "./types.ts";
import { BluetoothUUID, fullUuid } from "./uuid.ts";
import { NULL, viewOf } from "./value.ts";

export interface WebAdvertisingEventInit extends EventInit {
  readonly device: BluetoothDevice;
  readonly uuids?: Iterable<BluetoothUuidLike> | undefined;
  readonly name?: string | undefined;
  readonly appearance?: number | undefined;
  readonly txPower?: number | undefined;
  readonly rssi?: number | undefined;
  readonly manufacturerData?: Iterable<readonly [number, BufferSource]> | undefined;
  readonly serviceData?: Iterable<readonly [BluetoothUuidLike, BufferSource]> | undefined;
}

/** `BluetoothAdvertisingEvent`; a program may make one too. */
export class WebAdvertisingEvent extends Event implements BluetoothAdvertisingEvent {
  readonly device: BluetoothDevice;
  readonly uuids: string[];
  readonly name: string | undefined;
  readonly appearance: number | undefined;
  readonly txPower: number | undefined;
  readonly rssi: number | undefined;
  readonly manufacturerData: Map<number, DataView<ArrayBuffer>>;
  readonly serviceData: Map<BluetoothUuidLike, DataView<ArrayBuffer>>;

  /** @throws {TypeError} an unknown service, data that are no BufferSource */
  constructor(type: string, init: WebAdvertisingEventInit) {
    super(type, init);
    this.device = init.device;
    this.uuids = Object.freeze([...(init.uuids ?? [])].map(BluetoothUUID.getService)) as string[];
    this.name = init.name ?? NULL;
    this.appearance = init.appearance ?? NULL;
    this.txPower = init.txPower ?? NULL;
    this.rssi = init.rssi ?? NULL;
    this.manufacturerData = new Map([...(init.manufacturerData ?? [])].map(([company, data]) => [company & 0xffff, view(data)]));
    this.serviceData = new Map([...(init.serviceData ?? [])].map(([service, data]) => [BluetoothUUID.getService(service), view(data)]));
  }
}

const view = (data: BufferSource): DataView<ArrayBuffer> => viewOf(copyOf("data", data));

/** What a device advertises, for filters; of several structures of one company or service all. */
export function advertisedBy(advertisement: Advertisement): Advertised {
  const { advertisingData, scanResponseData } = advertisement;
  return {
    completeName: advertisingData.completeName ?? scanResponseData?.completeName,
    name: advertisement.name,
    services: advertisement.serviceUuids.map(fullUuid),
    manufacturerData: advertisement.manufacturerData,
    serviceData: advertisement.serviceData.map(({ uuid, data }) => ({ uuid: fullUuid(uuid), data })),
  };
}

/** What a program may see of an advertisement. */
export interface Visible {
  service(uuid: string): boolean;
  company(companyIdentifier: number): boolean;
}

export function advertisingEvent(
  advertisement: Advertisement,
  device: BluetoothDevice,
  visible: Visible,
  blocked: Blocked,
): WebAdvertisingEvent {
  const { name, services, manufacturerData, serviceData } = advertisedBy(advertisement);
  const { appearance, txPowerDbm: txPower, rssiDbm: rssi } = advertisement;
  return new WebAdvertisingEvent("advertisementreceived", {
    bubbles: true,
    device,
    name,
    appearance,
    txPower,
    rssi,
    uuids: services.filter((uuid) => visible.service(uuid)),
    manufacturerData: manufacturerData
      .filter(({ companyIdentifier: company, data }) => visible.company(company) && !blocked.manufacturerData(company, data))
      .map(({ companyIdentifier, data }) => [companyIdentifier, data as Uint8Array<ArrayBuffer>]),
    serviceData: serviceData
      .filter(({ uuid }) => visible.service(uuid) && !blocked.all(uuid))
      .map(({ uuid, data }) => [uuid, data as Uint8Array<ArrayBuffer>]),
  });
}
