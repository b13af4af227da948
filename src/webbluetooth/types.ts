/**
 * The objects of a page's `navigator.bluetooth`, by the names of the Web Bluetooth specification. They fit @types/web-bluetooth, which this
 * library does not need; like there, what the specification has as null is typed as undefined, and is null when the program runs.
 */

/** A name that the registry has ("heart_rate"), a 16- or 32-bit number, or a whole UUID in lower case. */
export type BluetoothUuidLike = number | string;

/** What is in a dictionary of the specification, before it is checked. */
export interface BluetoothDataFilterInit {
  readonly dataPrefix?: BufferSource | undefined;
  /** As long as `dataPrefix`; bits of 0 are not compared. */
  readonly mask?: BufferSource | undefined;
}
export interface BluetoothManufacturerDataFilterInit extends BluetoothDataFilterInit {
  readonly companyIdentifier: number;
}
export interface BluetoothServiceDataFilterInit extends BluetoothDataFilterInit {
  readonly service: BluetoothUuidLike;
}
/** A device matches where it matches every member. */
export interface BluetoothLEScanFilterInit {
  readonly name?: string | undefined;
  readonly namePrefix?: string | undefined;
  /** All of them. */
  readonly services?: readonly BluetoothUuidLike[] | undefined;
  readonly manufacturerData?: readonly BluetoothManufacturerDataFilterInit[] | undefined;
  readonly serviceData?: readonly BluetoothServiceDataFilterInit[] | undefined;
}

export interface RequestDeviceOptions {
  /** A device that matches one of them. */
  readonly filters?: readonly BluetoothLEScanFilterInit[] | undefined;
  /** But none of these. */
  readonly exclusionFilters?: readonly BluetoothLEScanFilterInit[] | undefined;
  /** Services that may be used beside those of the filters. */
  readonly optionalServices?: readonly BluetoothUuidLike[] | undefined;
  /** Companies whose manufacturer data may be seen. */
  readonly optionalManufacturerData?: readonly number[] | undefined;
  /** In place of `filters`. */
  readonly acceptAllDevices?: boolean | undefined;
}
export interface BluetoothLEScanOptions {
  readonly filters?: readonly BluetoothLEScanFilterInit[] | undefined;
  readonly keepRepeatedDevices?: boolean | undefined;
  readonly acceptAllAdvertisements?: boolean | undefined;
}
export interface WatchAdvertisementsOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A filter as a running scan shows it: names of services are UUIDs. */
export interface BluetoothLEScanFilter {
  readonly name?: string | undefined;
  readonly namePrefix?: string | undefined;
  readonly services?: string[] | undefined;
  readonly manufacturerData?: (BluetoothManufacturerDataFilterInit & { readonly dataPrefix: Uint8Array<ArrayBuffer> })[] | undefined;
  readonly serviceData?: (BluetoothServiceDataFilterInit & { readonly dataPrefix: Uint8Array<ArrayBuffer> })[] | undefined;
}
export interface BluetoothLEScan {
  readonly filters: BluetoothLEScanFilter[];
  readonly keepRepeatedDevices: boolean;
  readonly acceptAllAdvertisements: boolean;
  active: boolean;
  /** No event comes after it. */
  stop(): void;
}

/** A method's parameters are compared both ways: so the handlers of @types/web-bluetooth fit, and ours fit there. */
interface Handling<E extends Event> {
  handle(this: EventTarget, event: E): unknown;
}
export type BluetoothEventHandler<E extends Event = Event> = Handling<E>["handle"];

/** Events that go up the tree: from a characteristic to its service, its device and `bluetooth`. */
export interface CharacteristicEventHandlers {
  get oncharacteristicvaluechanged(): BluetoothEventHandler;
  set oncharacteristicvaluechanged(handler: BluetoothEventHandler | null);
}
export interface ServiceEventHandlers {
  get onserviceadded(): BluetoothEventHandler;
  set onserviceadded(handler: BluetoothEventHandler | null);
  get onservicechanged(): BluetoothEventHandler;
  set onservicechanged(handler: BluetoothEventHandler | null);
  get onserviceremoved(): BluetoothEventHandler;
  set onserviceremoved(handler: BluetoothEventHandler | null);
}
export interface BluetoothDeviceEventHandlers {
  get onadvertisementreceived(): BluetoothEventHandler<BluetoothAdvertisingEvent>;
  set onadvertisementreceived(handler: BluetoothEventHandler<BluetoothAdvertisingEvent> | null);
  get ongattserverdisconnected(): BluetoothEventHandler;
  set ongattserverdisconnected(handler: BluetoothEventHandler | null);
}

/** An EventTarget whose listeners know their events. */
export interface BluetoothTarget<Events> extends EventTarget {
  addEventListener<K extends keyof Events>(
    type: K,
    listener: (this: this, event: Events[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof Events>(
    type: K,
    listener: (this: this, event: Events[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

interface CharacteristicEvents {
  characteristicvaluechanged: Event;
}
interface ServiceEvents extends CharacteristicEvents {
  serviceadded: Event;
  servicechanged: Event;
  serviceremoved: Event;
}
interface DeviceEvents extends ServiceEvents {
  advertisementreceived: BluetoothAdvertisingEvent;
  gattserverdisconnected: Event;
}
interface RootEvents extends DeviceEvents {
  availabilitychanged: Event;
}

/** One advertisement of a device. */
export interface BluetoothAdvertisingEvent extends Event {
  readonly device: BluetoothDevice;
  readonly uuids: BluetoothUuidLike[];
  readonly name?: string | undefined;
  readonly appearance?: number | undefined;
  /** In dBm, as the advertiser says. */
  readonly txPower?: number | undefined;
  /** In dBm, as received. */
  readonly rssi?: number | undefined;
  readonly manufacturerData: Map<number, DataView>;
  readonly serviceData: Map<BluetoothUuidLike, DataView>;
}

export interface BluetoothCharacteristicProperties {
  readonly broadcast: boolean;
  readonly read: boolean;
  readonly writeWithoutResponse: boolean;
  readonly write: boolean;
  readonly notify: boolean;
  readonly indicate: boolean;
  readonly authenticatedSignedWrites: boolean;
  readonly reliableWrite: boolean;
  readonly writableAuxiliaries: boolean;
}

export interface BluetoothRemoteGATTDescriptor {
  readonly characteristic: BluetoothRemoteGATTCharacteristic;
  readonly uuid: string;
  /** Read or written last. */
  readonly value?: DataView | undefined;
  readValue(): Promise<DataView>;
  writeValue(value: BufferSource): Promise<void>;
}

export interface BluetoothRemoteGATTCharacteristic extends BluetoothTarget<CharacteristicEvents>, CharacteristicEventHandlers {
  readonly service: BluetoothRemoteGATTService;
  readonly uuid: string;
  readonly properties: BluetoothCharacteristicProperties;
  /** Read, written or received last. */
  readonly value?: DataView | undefined;
  getDescriptor(descriptor: BluetoothUuidLike): Promise<BluetoothRemoteGATTDescriptor>;
  getDescriptors(descriptor?: BluetoothUuidLike): Promise<BluetoothRemoteGATTDescriptor[]>;
  readValue(): Promise<DataView>;
  /** With response where the characteristic has that, else without. */
  writeValue(value: BufferSource): Promise<void>;
  writeValueWithResponse(value: BufferSource): Promise<void>;
  writeValueWithoutResponse(value: BufferSource): Promise<void>;
  startNotifications(): Promise<BluetoothRemoteGATTCharacteristic>;
  stopNotifications(): Promise<BluetoothRemoteGATTCharacteristic>;
}

export interface BluetoothRemoteGATTService extends BluetoothTarget<ServiceEvents>, CharacteristicEventHandlers, ServiceEventHandlers {
  readonly device: BluetoothDevice;
  readonly uuid: string;
  readonly isPrimary: boolean;
  getCharacteristic(characteristic: BluetoothUuidLike): Promise<BluetoothRemoteGATTCharacteristic>;
  getCharacteristics(characteristic?: BluetoothUuidLike): Promise<BluetoothRemoteGATTCharacteristic[]>;
  getIncludedService(service: BluetoothUuidLike): Promise<BluetoothRemoteGATTService>;
  getIncludedServices(service?: BluetoothUuidLike): Promise<BluetoothRemoteGATTService[]>;
}

export interface BluetoothRemoteGATTServer {
  readonly device: BluetoothDevice;
  readonly connected: boolean;
  connect(): Promise<BluetoothRemoteGATTServer>;
  disconnect(): void;
  getPrimaryService(service: BluetoothUuidLike): Promise<BluetoothRemoteGATTService>;
  getPrimaryServices(service?: BluetoothUuidLike): Promise<BluetoothRemoteGATTService[]>;
}

export interface BluetoothDevice
  extends BluetoothTarget<DeviceEvents>,
    BluetoothDeviceEventHandlers,
    CharacteristicEventHandlers,
    ServiceEventHandlers {
  /** Says nothing of the address; the same for the same device as long as the salt is the same. */
  readonly id: string;
  readonly name?: string | undefined;
  /** Where the program was given the device; null where it was only heard, or is forgotten. */
  readonly gatt?: BluetoothRemoteGATTServer | undefined;
  forget(): Promise<void>;
  watchAdvertisements(options?: WatchAdvertisementsOptions): Promise<void>;
  readonly watchingAdvertisements: boolean;
}

export interface Bluetooth
  extends BluetoothTarget<RootEvents>,
    BluetoothDeviceEventHandlers,
    CharacteristicEventHandlers,
    ServiceEventHandlers {
  get onavailabilitychanged(): BluetoothEventHandler;
  set onavailabilitychanged(handler: BluetoothEventHandler | null);
  readonly referringDevice?: BluetoothDevice | undefined;
  getAvailability(): Promise<boolean>;
  /** What the program was given and has not forgotten. */
  getDevices(): Promise<BluetoothDevice[]>;
  requestDevice(options?: RequestDeviceOptions): Promise<BluetoothDevice>;
  requestLEScan(options?: BluetoothLEScanOptions): Promise<BluetoothLEScan>;
}
