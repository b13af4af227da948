import type { RemoteDescriptor } from "../gatt/index.ts";
import { domError } from "./dom-error.ts";
import { type GattSession, promised } from "./session.ts";
import type { BluetoothRemoteGATTCharacteristic, BluetoothRemoteGATTDescriptor } from "./types.ts";
import { fullUuid } from "./uuid.ts";
import { NULL, octetsToWrite, viewOf } from "./value.ts";

/** `BluetoothRemoteGATTDescriptor` over a descriptor of our client. */
export class WebDescriptor implements BluetoothRemoteGATTDescriptor {
  readonly characteristic: BluetoothRemoteGATTCharacteristic;
  readonly uuid: string;
  value: DataView<ArrayBuffer> | undefined = NULL;
  readonly #session: GattSession;
  readonly #descriptor: RemoteDescriptor;

  constructor(session: GattSession, characteristic: BluetoothRemoteGATTCharacteristic, descriptor: RemoteDescriptor) {
    this.#session = session;
    this.#descriptor = descriptor;
    this.characteristic = characteristic;
    this.uuid = fullUuid(descriptor.uuid);
  }

  readValue(): Promise<DataView<ArrayBuffer>> {
    return promised(async () => {
      if (this.#session.blocked.reads(this.uuid)) throw domError("SecurityError", `descriptor ${this.uuid} may not be read`);
      const value = viewOf(await this.#session.run("read", () => this.#descriptor.read()));
      this.value = value;
      return value;
    });
  }

  writeValue(value: BufferSource): Promise<void> {
    return promised(async () => {
      if (this.#session.blocked.writes(this.uuid)) throw domError("SecurityError", `descriptor ${this.uuid} may not be written`);
      const octets = octetsToWrite(value);
      await this.#session.run("write", () => this.#descriptor.write(octets));
      this.value = viewOf(octets);
    });
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothRemoteGATTDescriptor";
  }
}
