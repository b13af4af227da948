import { kindOf } from "../core/arguments.ts";
import type { ActiveBle } from "./active-ble.ts";
import { checkConnHandle, checkInt, checkTruth, optionalOctets } from "./arguments.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { BleArgumentError } from "./errors.ts";
import type { ServiceDef } from "./service-definition.ts";
import { UUID } from "./uuid.ts";

const HIGHEST_HANDLE = 0xffff;

function checkHandle(what: string, handle: unknown): number {
  return checkInt(what, handle, 0, HIGHEST_HANDLE);
}

function optionalUuid(method: string, uuid: unknown): UUID | undefined {
  if (uuid === null || uuid === undefined) return undefined;
  if (!(uuid instanceof UUID)) throw new BleArgumentError("TypeError", `${method}: uuid: expected a UUID, got ${kindOf(uuid)}`);
  return uuid;
}

/** `gatts_*` and `gattc_*` of `BLE`. */
export abstract class GattMethods {
  /** What stands while it is active. @internal */
  protected abstract readonly activation: ActiveBle | undefined;
  /** The same. @throws {BleOsError} ENODEV: it is not active @internal */
  protected abstract running(method: string): ActiveBle;

  // --- GATT server ----------------------------------------------------------------------------------------------------------------

  /**
   * Puts these services in place of all that were registered before; GAP and GATT are always there. Values are empty and have room for 20
   * octets. Clients that are connected are sent Service Changed.
   *
   * @param services `[uuid, characteristics]`, where a characteristic is `[uuid, flags]` or `[uuid, flags, descriptors]` and a descriptor
   *   `[uuid, flags]`; or objects of these names
   * @returns for each service the handles of its values and descriptors, in the order of the definition
   * @throws {BleArgumentError} a definition that is none; no services are left then
   * @throws {BleOsError} ENODEV · E2BIG: more than 8 services · EINVAL: a UUID of 32 bits · ENOMEM: no handles are left
   */
  async gattsRegisterServices(services: readonly ServiceDef[]): Promise<number[][]> {
    return this.running("gattsRegisterServices").services.register(services);
  }

  /** The value of an own characteristic or descriptor; one that is appended to is empty afterwards. Empty where there is none. */
  gattsRead(handle: number): Uint8Array {
    checkHandle("gattsRead: handle", handle);
    return this.activation?.services.values.read(handle) ?? new Uint8Array(0);
  }

  /**
   * Replaces a value.
   *
   * @param sendUpdate also sends it to every client that has asked for it: as a notification, or else as an indication
   * @returns its octets
   * @throws {BleOsError} ENODEV · EINVAL: there is no such value
   */
  gattsWrite(handle: number, data: Bytes, sendUpdate: boolean | number = false): number {
    checkHandle("gattsWrite: handle", handle);
    const octets = toOctets("gattsWrite: data", data);
    const isSent = checkTruth("gattsWrite: sendUpdate", sendUpdate);
    const { services, updates, errors } = this.running("gattsWrite");
    if (!services.values.write(handle, octets)) throw errors.create("EINVAL", `gattsWrite: there is no value ${handle}`);
    if (isSent) updates.update(handle);
    return octets.length;
  }

  /**
   * Gives a value room for `length` octets, and empties it.
   *
   * @param append what clients write goes behind what is there
   * @throws {BleOsError} ENODEV · EINVAL: there is no such value
   */
  gattsSetBuffer(handle: number, length: number, append: boolean | number = false): void {
    checkHandle("gattsSetBuffer: handle", handle);
    checkInt("gattsSetBuffer: length", length, 0, 0xffff);
    const isAppended = checkTruth("gattsSetBuffer: append", append);
    const { services, errors } = this.running("gattsSetBuffer");
    if (!services.values.setBuffer(handle, length, isAppended))
      throw errors.create("EINVAL", `gattsSetBuffer: there is no value ${handle}`);
  }

  /**
   * Sends a notification to one peer, whatever it has configured, and as much of the value as the ATT_MTU allows. Resolves when it was given
   * to the controller.
   *
   * @param data nothing: the stored value, for which a `gattsReadRequest` of connection 0xFFFF comes first
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM: too many wait · EINVAL: no such value · EIO: the handler refuses it
   */
  async gattsNotify(connHandle: number, valueHandle: number, data?: Bytes | null): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattsNotify: valueHandle", valueHandle);
    const octets = optionalOctets("gattsNotify: data", data);
    await this.running("gattsNotify").updates.notify(connHandle, valueHandle, octets);
  }

  /** As `gattsNotify`, with an indication: resolves when it is one of those to be sent, and `gattsIndicateDone` tells what became of it. */
  async gattsIndicate(connHandle: number, valueHandle: number, data?: Bytes | null): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattsIndicate: valueHandle", valueHandle);
    const octets = optionalOctets("gattsIndicate: data", data);
    await this.running("gattsIndicate").updates.indicate(connHandle, valueHandle, octets);
  }

  // --- GATT client ----------------------------------------------------------------------------------------------------------------

  /**
   * Looks for primary services: a `gattcServiceResult` for each, and a `gattcServiceDone`. Operations on one connection are carried out one
   * after the other.
   *
   * @param uuid of this type only
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM: too much is asked for already
   */
  async gattcDiscoverServices(connHandle: number, uuid?: UUID | null): Promise<void> {
    checkConnHandle(connHandle);
    const type = optionalUuid("gattcDiscoverServices", uuid);
    this.running("gattcDiscoverServices").client.discoverServices(connHandle, type);
  }

  /**
   * Looks for characteristics whose declaration is from `startHandle` to `endHandle`: a `gattcCharacteristicResult` for each, and a
   * `gattcCharacteristicDone`. The last one is taken to end at `endHandle`.
   *
   * @param uuid of this type only
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM · EINVAL: no such range
   */
  async gattcDiscoverCharacteristics(connHandle: number, startHandle: number, endHandle: number, uuid?: UUID | null): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattcDiscoverCharacteristics: startHandle", startHandle);
    checkHandle("gattcDiscoverCharacteristics: endHandle", endHandle);
    const type = optionalUuid("gattcDiscoverCharacteristics", uuid);
    this.running("gattcDiscoverCharacteristics").client.discoverCharacteristics(connHandle, startHandle, endHandle, type);
  }

  /**
   * Looks for what is behind `startHandle`, which is that of a value, up to `endHandle`: a `gattcDescriptorResult` for each attribute, and a
   * `gattcDescriptorDone`.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM
   */
  async gattcDiscoverDescriptors(connHandle: number, startHandle: number, endHandle: number): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattcDiscoverDescriptors: startHandle", startHandle);
    checkHandle("gattcDiscoverDescriptors: endHandle", endHandle);
    this.running("gattcDiscoverDescriptors").client.discoverDescriptors(connHandle, startHandle, endHandle);
  }

  /**
   * Reads a value, as much of it as one response holds: a `gattcReadResult` where the peer gives it, and in any case a `gattcReadDone`.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM
   */
  async gattcRead(connHandle: number, valueHandle: number): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattcRead: valueHandle", valueHandle);
    this.running("gattcRead").client.read(connHandle, valueHandle);
  }

  /**
   * Writes a value, cut at what one packet holds.
   *
   * @param mode 1 asks for a response, and a `gattcWriteDone` tells of it; 0 (default) does not, and resolves when the controller has it
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM · EINVAL: another mode
   */
  async gattcWrite(connHandle: number, valueHandle: number, data: Bytes, mode: 0 | 1 = 0): Promise<void> {
    checkConnHandle(connHandle);
    checkHandle("gattcWrite: valueHandle", valueHandle);
    const octets = toOctets("gattcWrite: data", data);
    checkInt("gattcWrite: mode", mode, -HIGHEST_HANDLE, HIGHEST_HANDLE);
    const { client, errors } = this.running("gattcWrite");
    if (mode !== 0 && mode !== 1) throw errors.create("EINVAL", `gattcWrite: mode ${String(mode)}: expected 0 or 1`);
    if (mode === 1) client.write(connHandle, valueHandle, octets);
    else await client.writeCommand(connHandle, valueHandle, octets);
  }

  /**
   * Asks for the ATT_MTU that `config({ mtu })` says; `mtuExchanged` tells both sides what they have now, also where the peer refuses.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · ENOMEM · EALREADY: there was an exchange on this connection, whoever asked
   */
  async gattcExchangeMtu(connHandle: number): Promise<void> {
    checkConnHandle(connHandle);
    this.running("gattcExchangeMtu").client.exchangeMtu(connHandle);
  }
}
