import type { RemoteService } from "../gatt/index.ts";
import { domError } from "./dom-error.ts";
import { ServiceTarget, type TreeTarget } from "./event-tree.ts";
import { propertiesOf, WebCharacteristic } from "./remote-characteristic.ts";
import { atLeastOne, type GattSession, promised } from "./session.ts";
import type { BluetoothDevice, BluetoothRemoteGATTCharacteristic, BluetoothRemoteGATTService, BluetoothUuidLike } from "./types.ts";
import { BluetoothUUID, fullUuid } from "./uuid.ts";

/** `BluetoothRemoteGATTService` over a service of our client. */
export class WebService extends ServiceTarget implements BluetoothRemoteGATTService {
  readonly device: BluetoothDevice;
  readonly uuid: string;
  readonly isPrimary: boolean;
  readonly #tree: BluetoothDevice & TreeTarget;
  readonly #session: GattSession;
  readonly #service: RemoteService;

  constructor(session: GattSession, device: BluetoothDevice & TreeTarget, service: RemoteService) {
    super(device);
    this.#session = session;
    this.#service = service;
    this.#tree = device;
    this.device = device;
    this.uuid = fullUuid(service.uuid);
    this.isPrimary = service.primary;
  }

  getCharacteristic(characteristic: BluetoothUuidLike): Promise<BluetoothRemoteGATTCharacteristic> {
    return promised(async () => (await this.#characteristics(BluetoothUUID.getCharacteristic(characteristic), true))[0]!);
  }
  getCharacteristics(characteristic?: BluetoothUuidLike): Promise<BluetoothRemoteGATTCharacteristic[]> {
    return promised(() =>
      this.#characteristics(characteristic === undefined ? undefined : BluetoothUUID.getCharacteristic(characteristic), false),
    );
  }
  async #characteristics(uuid: string | undefined, isSingle: boolean): Promise<BluetoothRemoteGATTCharacteristic[]> {
    const { blocked } = this.#session;
    if (uuid !== undefined && blocked.all(uuid)) throw domError("SecurityError", `characteristic ${uuid} is on the blocklist`);
    return await this.#session.run("discover", async () => {
      const found = (await this.#service.characteristics()).filter((one) => {
        const full = fullUuid(one.uuid);
        return !blocked.all(full) && (uuid === undefined || full === uuid);
      });
      const shown = atLeastOne(`characteristic ${uuid ?? ""} of service ${this.uuid}`, isSingle ? found.slice(0, 1) : found);
      return await Promise.all(
        shown.map((one) =>
          this.#session.instance(
            "characteristic",
            one.handle,
            async () => new WebCharacteristic(this.#session, this, one, await propertiesOf(one)),
          ),
        ),
      );
    });
  }

  getIncludedService(service: BluetoothUuidLike): Promise<BluetoothRemoteGATTService> {
    return promised(async () => (await this.#included(BluetoothUUID.getService(service)))[0]!);
  }
  getIncludedServices(service?: BluetoothUuidLike): Promise<BluetoothRemoteGATTService[]> {
    return promised(() => this.#included(service === undefined ? undefined : BluetoothUUID.getService(service)));
  }
  async #included(uuid: string | undefined): Promise<BluetoothRemoteGATTService[]> {
    const { blocked } = this.#session;
    if (uuid !== undefined && blocked.all(uuid)) throw domError("SecurityError", `service ${uuid} is on the blocklist`);
    return await this.#session.run("discover", async () => {
      const found = (await this.#service.includedServices()).filter((one) => {
        const full = fullUuid(one.uuid);
        return !blocked.all(full) && (uuid === undefined || full === uuid);
      });
      const shown = atLeastOne(`service ${uuid ?? ""} included by ${this.uuid}`, found);
      return await Promise.all(shown.map((one) => serviceInstance(this.#session, this.#tree, one)));
    });
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothRemoteGATTService";
  }
}

/** The object of a service: the same however it is reached. */
export function serviceInstance(session: GattSession, device: BluetoothDevice & TreeTarget, service: RemoteService): Promise<WebService> {
  return session.instance("service", service.handle, () => new WebService(session, device, service));
}
