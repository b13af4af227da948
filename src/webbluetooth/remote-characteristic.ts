import { turn } from "../async/index.ts";
import { GattUuid, type RemoteCharacteristic, type ValueSubscription } from "../gatt/index.ts";
import { domError } from "./dom-error.ts";
import { CharacteristicTarget, type TreeTarget } from "./event-tree.ts";
import { WebDescriptor } from "./remote-descriptor.ts";
import { atLeastOne, type GattSession, promised } from "./session.ts";
import type {
  BluetoothCharacteristicProperties,
  BluetoothRemoteGATTCharacteristic,
  BluetoothRemoteGATTDescriptor,
  BluetoothRemoteGATTService,
  BluetoothUuidLike,
} from "./types.ts";
import { BluetoothUUID, fullUuid } from "./uuid.ts";
import { NULL, octetsToWrite, viewOf } from "./value.ts";

/** Values that come before the page has set its listener; of more the oldest are lost. */
const EARLY_VALUES = 64;
/** Bits of the extended properties descriptor, Vol 3 Part G 3.3.3.1. */
const RELIABLE_WRITE = 0x01;
const WRITABLE_AUXILIARIES = 0x02;

/** Reads the extended properties where the characteristic has any. */
export async function propertiesOf(characteristic: RemoteCharacteristic): Promise<BluetoothCharacteristicProperties> {
  let extended = 0;
  if (characteristic.has("extended-properties")) {
    const descriptor = (await characteristic.descriptors()).find(({ uuid }) => uuid.short === GattUuid.CharacteristicExtendedProperties);
    extended = (await descriptor?.read())?.[0] ?? 0;
  }
  return Object.freeze({
    broadcast: characteristic.has("broadcast"),
    read: characteristic.has("read"),
    writeWithoutResponse: characteristic.has("write-without-response"),
    write: characteristic.has("write"),
    notify: characteristic.has("notify"),
    indicate: characteristic.has("indicate"),
    authenticatedSignedWrites: characteristic.has("authenticated-signed-writes"),
    reliableWrite: (extended & RELIABLE_WRITE) !== 0,
    writableAuxiliaries: (extended & WRITABLE_AUXILIARIES) !== 0,
  });
}

/** `BluetoothRemoteGATTCharacteristic` over a characteristic of our client. */
export class WebCharacteristic extends CharacteristicTarget implements BluetoothRemoteGATTCharacteristic {
  readonly service: BluetoothRemoteGATTService;
  readonly uuid: string;
  readonly properties: BluetoothCharacteristicProperties;
  value: DataView<ArrayBuffer> | undefined = NULL;
  readonly #session: GattSession;
  readonly #characteristic: RemoteCharacteristic;
  #subscription: ValueSubscription | undefined;
  /** Starting and stopping, one after the other. */
  #switching: Promise<unknown> = Promise.resolve();
  #isNotifying = false;
  /** What came while the page could not have set its listener yet. */
  #early: Uint8Array[] | undefined;

  constructor(
    session: GattSession,
    service: BluetoothRemoteGATTService & TreeTarget,
    characteristic: RemoteCharacteristic,
    properties: BluetoothCharacteristicProperties,
  ) {
    super(service);
    this.#session = session;
    this.#characteristic = characteristic;
    this.service = service;
    this.uuid = fullUuid(characteristic.uuid);
    this.properties = properties;
  }

  getDescriptor(descriptor: BluetoothUuidLike): Promise<BluetoothRemoteGATTDescriptor> {
    return promised(async () => (await this.#descriptors(BluetoothUUID.getDescriptor(descriptor)))[0]!);
  }
  getDescriptors(descriptor?: BluetoothUuidLike): Promise<BluetoothRemoteGATTDescriptor[]> {
    return promised(() => this.#descriptors(descriptor === undefined ? undefined : BluetoothUUID.getDescriptor(descriptor)));
  }
  async #descriptors(uuid: string | undefined): Promise<BluetoothRemoteGATTDescriptor[]> {
    const { blocked } = this.#session;
    if (uuid !== undefined && blocked.all(uuid)) throw domError("SecurityError", `descriptor ${uuid} is on the blocklist`);
    return await this.#session.run("discover", async () => {
      const found = (await this.#characteristic.descriptors()).filter((one) => {
        const full = fullUuid(one.uuid);
        return !blocked.all(full) && (uuid === undefined || full === uuid);
      });
      const shown = atLeastOne(`descriptor ${uuid ?? ""} of characteristic ${this.uuid}`, found);
      return await Promise.all(
        shown.map((one) => this.#session.instance("descriptor", one.handle, () => new WebDescriptor(this.#session, this, one))),
      );
    });
  }

  readValue(): Promise<DataView<ArrayBuffer>> {
    return promised(async () => {
      if (this.#session.blocked.reads(this.uuid)) throw domError("SecurityError", `characteristic ${this.uuid} may not be read`);
      const octets = await this.#session.run("read", async () => {
        if (!this.properties.read) throw domError("NotSupportedError", `characteristic ${this.uuid} cannot be read`);
        return await this.#characteristic.read();
      });
      const value = viewOf(octets);
      this.#changed(value);
      return value;
    });
  }

  writeValue(value: BufferSource): Promise<void> {
    return this.#write(value, this.properties.write || !this.properties.writeWithoutResponse);
  }
  writeValueWithResponse(value: BufferSource): Promise<void> {
    return this.#write(value, true);
  }
  writeValueWithoutResponse(value: BufferSource): Promise<void> {
    return this.#write(value, false);
  }

  #write(value: BufferSource, response: boolean): Promise<void> {
    return promised(async () => {
      if (this.#session.blocked.writes(this.uuid)) throw domError("SecurityError", `characteristic ${this.uuid} may not be written`);
      const octets = octetsToWrite(value);
      await this.#session.run("write", async () => {
        // A write without response that the peer does not take would be lost without a word.
        if (!(response ? this.properties.write : this.properties.writeWithoutResponse))
          throw domError("NotSupportedError", `characteristic ${this.uuid} cannot be written ${response ? "with" : "without"} response`);
        await this.#characteristic.write(octets, { response });
      });
      this.value = viewOf(octets);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#switching.then(work);
    this.#switching = done.catch(() => undefined);
    return done;
  }

  startNotifications(): Promise<BluetoothRemoteGATTCharacteristic> {
    return promised(async () => {
      if (this.#session.blocked.reads(this.uuid)) throw domError("SecurityError", `characteristic ${this.uuid} may not be read`);
      this.#session.check();
      if (!this.properties.notify && !this.properties.indicate)
        throw domError("NotSupportedError", `characteristic ${this.uuid} neither notifies nor indicates`);
      await this.#session.run("write", () => this.#inTurn(() => this.#start()));
      return this;
    });
  }

  async #start(): Promise<void> {
    if (this.#subscription || this.#session.isOver) return;
    const early: Uint8Array[] = [];
    this.#early = early;
    this.#isNotifying = true;
    try {
      const subscription = await this.#characteristic.subscribe((value) => this.#onValue(value), {
        onEnd: () => {
          this.#subscription = undefined;
          this.#isNotifying = false;
        },
      });
      this.#subscription = subscription;
      this.#session.keep(subscription);
    } catch (error) {
      this.#isNotifying = false;
      this.#early = undefined;
      throw error;
    }
    // The page sets its listener when its promise is fulfilled: what comes before is held for it.
    void turn().then(() => {
      if (this.#early !== early) return;
      this.#early = undefined;
      for (const value of early) this.#notify(value);
    });
  }

  stopNotifications(): Promise<BluetoothRemoteGATTCharacteristic> {
    return promised(async () => {
      if (this.#session.isOver) throw domError("InvalidStateError", `characteristic ${this.uuid} was found in an earlier connection`);
      this.#isNotifying = false; // no value is told of from here on
      await this.#inTurn(async () => {
        const subscription = this.#subscription;
        this.#subscription = undefined;
        this.#isNotifying = false;
        this.#early = undefined;
        if (!subscription) return;
        this.#session.release(subscription);
        await subscription.unsubscribe().catch(() => undefined); // over all the same
      });
      return this;
    });
  }

  #onValue(octets: Uint8Array): void {
    if (!this.#early) {
      this.#notify(octets);
      return;
    }
    if (this.#early.length === EARLY_VALUES) this.#early.shift();
    this.#early.push(octets.slice());
  }

  #notify(octets: Uint8Array): void {
    if (this.#isNotifying && !this.#session.isOver) this.#changed(viewOf(octets));
  }

  #changed(value: DataView<ArrayBuffer>): void {
    this.value = value;
    this.dispatchEvent(new Event("characteristicvaluechanged", { bubbles: true }));
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothRemoteGATTCharacteristic";
  }
}
