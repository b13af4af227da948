import { Address, Uuid } from "../../../core/index.ts";
import { AdvertisingData } from "../../../gap/index.ts";
import { AddressType } from "../../../mgmt-protocol/index.ts";
import { deviceKey } from "../controller.ts";
import type { KernelDeviceOptions, KernelPairing } from "../options.ts";
import type { Source } from "./sources.ts";

const ADVERTISING_INTERVAL_MS = 100;

/** A device that controllers hear, connect to and pair with. */
export class DeviceInRange implements Source {
  readonly key: string;
  readonly address: string;
  readonly addressType: number;
  readonly identity: { readonly address: string; readonly addressType: number } | undefined;
  readonly name: string | undefined;
  readonly intervalMs: number;
  isConnectable: boolean;
  readonly pairing: KernelPairing;
  readonly passkey: number;
  readonly pin: string;
  readonly secureConnections: boolean;
  readonly isBondable: boolean;
  readonly #services: readonly Uuid[];
  rssi: number;
  data: AdvertisingData;

  constructor(options: KernelDeviceOptions) {
    this.address = Address.from(options.address).toHex();
    this.addressType = AddressType[options.addressType ?? "LEPublic"];
    this.key = deviceKey(this.address, this.addressType);
    this.identity = options.identity && {
      address: Address.from(options.identity.address).toHex(),
      addressType: AddressType[options.identity.addressType ?? "LEPublic"],
    };
    this.name = options.name;
    this.rssi = options.rssi ?? -60;
    this.data = AdvertisingData.from(options.eirData ?? new Uint8Array(0), 0xffff);
    this.intervalMs = options.advertisingIntervalMs ?? ADVERTISING_INTERVAL_MS;
    this.isConnectable = options.isConnectable ?? true;
    this.pairing = options.pairing ?? "justWorks";
    this.passkey = options.passkey ?? 123_456;
    this.pin = options.pin ?? "0000";
    this.secureConnections = options.secureConnections ?? true;
    this.isBondable = options.isBondable ?? true;
    this.#services = (options.services ?? []).map((uuid) => Uuid.from(uuid));
  }

  get isLe(): boolean {
    return this.addressType !== AddressType.BREDR;
  }

  get services(): Uuid[] {
    return [...this.#services, ...this.data.serviceUuids];
  }
}
