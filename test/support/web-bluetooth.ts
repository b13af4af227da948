import type { Connection, Device } from "../../src/device/index.ts";
import { GattNotFoundError, type RemoteCharacteristic, type ValueSubscription } from "../../src/gatt/index.ts";
import type {
  WebBluetooth,
  WebBluetoothCharacteristic,
  WebBluetoothDevice,
  WebBluetoothRequest,
  WebBluetoothServer,
  WebBluetoothService,
} from "../../src/mcumgr/index.ts";

/** A browser's Bluetooth that stands on our own host: what a page sees of it, with the errors that a browser gives. */
export class WebBluetoothStandIn implements WebBluetooth {
  readonly #device: Device;
  /** How often the user was asked. */
  asked = 0;
  /** The user says no. */
  refuses = false;

  constructor(device: Device) {
    this.#device = device;
  }

  async requestDevice({ filters, optionalServices }: WebBluetoothRequest): Promise<WebBluetoothDevice> {
    this.asked++;
    if (this.refuses) throw new DOMException("User cancelled the requestDevice() chooser.", "NotFoundError");
    const [{ name, namePrefix, services } = {}] = filters;
    for (const uuid of [...optionalServices, ...(services ?? [])])
      if (uuid !== uuid.toLowerCase()) throw new TypeError(`Invalid Service name: '${uuid}'`);
    const filter = ({ name: seen }: { name: string | undefined }): boolean => namePrefix === undefined || !!seen?.startsWith(namePrefix);
    for await (const found of this.#device.scan({ name, services, filter }))
      return new StandInDevice(this.#device, found.address, found.name);
    throw new DOMException("nothing found", "NotFoundError");
  }
}

class StandInDevice extends EventTarget implements WebBluetoothDevice {
  readonly id = "yO1qYgMkXUyJ8QG0bRcu5g==";
  readonly name: string | undefined;
  readonly gatt: StandInServer;

  constructor(device: Device, address: Connection["peerAddress"], name: string | undefined) {
    super();
    this.name = name;
    this.gatt = new StandInServer(this, async () => await device.connect(address));
  }
}

class StandInServer implements WebBluetoothServer {
  readonly #owner: EventTarget;
  readonly #connect: () => Promise<Connection>;
  connection: Connection | undefined;

  constructor(owner: EventTarget, connect: () => Promise<Connection>) {
    this.#owner = owner;
    this.#connect = connect;
  }

  get connected(): boolean {
    return this.connection !== undefined && this.connection.ended === undefined;
  }

  async connect(): Promise<this> {
    if (this.connected) return this;
    let connection: Connection;
    try {
      connection = await this.#connect();
    } catch {
      throw new DOMException("Connection attempt failed.", "NetworkError");
    }
    this.connection = connection;
    connection.on("disconnected", () => this.#owner.dispatchEvent(new Event("gattserverdisconnected")));
    await connection.gatt.exchangeMtu();
    return this;
  }

  disconnect(): void {
    void this.connection?.disconnect().catch(() => undefined);
  }

  async getPrimaryService(uuid: string): Promise<WebBluetoothService> {
    const gatt = this.connection!.gatt;
    const found = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } catch (error) {
        if (error instanceof GattNotFoundError) throw new DOMException(`No ${error.uuid} found.`, "NotFoundError");
        throw new DOMException("GATT Server is disconnected.", "NetworkError");
      }
    };
    await found(gatt.service(uuid));
    return {
      getCharacteristic: async (characteristic) =>
        new StandInCharacteristic(this.connection!, await found(gatt.characteristic(uuid, characteristic))),
    };
  }
}

class StandInCharacteristic extends EventTarget implements WebBluetoothCharacteristic {
  readonly #connection: Connection;
  readonly #characteristic: RemoteCharacteristic;
  readonly properties: WebBluetoothCharacteristic["properties"];
  value: DataView | undefined;
  #subscription: ValueSubscription | undefined;
  #isBusy = false;

  constructor(connection: Connection, characteristic: RemoteCharacteristic) {
    super();
    this.#connection = connection;
    this.#characteristic = characteristic;
    this.properties = {
      write: characteristic.has("write"),
      writeWithoutResponse: characteristic.has("write-without-response"),
      notify: characteristic.has("notify"),
    };
  }

  async startNotifications(): Promise<this> {
    this.#subscription ??= await this.#characteristic.subscribe((octets) => {
      this.value = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
      this.dispatchEvent(new Event("characteristicvaluechanged"));
    });
    return this;
  }
  async stopNotifications(): Promise<this> {
    await this.#subscription?.unsubscribe();
    return this;
  }

  async writeValueWithoutResponse(value: Uint8Array): Promise<void> {
    await this.#write(value, () => this.#characteristic.writeWithoutResponse(value));
  }
  async writeValueWithResponse(value: Uint8Array): Promise<void> {
    await this.#write(value, () => this.#characteristic.write(value));
  }

  async #write(value: Uint8Array, write: () => Promise<void>): Promise<void> {
    if (this.#isBusy) throw new DOMException("GATT operation already in progress.", "NetworkError");
    if (value.length > this.#connection.gatt.maxValueLength)
      throw new DOMException("GATT operation failed for unknown reason.", "NotSupportedError");
    this.#isBusy = true;
    try {
      await write();
    } catch {
      throw new DOMException("GATT Server is disconnected.", "NetworkError");
    } finally {
      this.#isBusy = false;
    }
  }
}
