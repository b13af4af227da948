import type { AttBearer } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { GattUuid } from "../uuids.ts";
import { accessError } from "./access.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import type { LocalCharacteristic, Subscriber } from "./local-characteristic.ts";
import { isThenable } from "./thenable.ts";

const NOTIFY = 1;
const INDICATE = 2;

/**
 * One client's own values: its Client Characteristic Configurations and its supported features (Vol 3 Part G 3.3.3.3 and 7.2). Those of a
 * bonded client last: they are restored when the link is encrypted with the bond's key, and stored as they change.
 */
export class ClientConfiguration {
  readonly #bearer: AttBearer;
  readonly #peer: GattPeer;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #subscriber: Subscriber;
  readonly #values = new Map<LocalCharacteristic, number>();
  #bonded = false;
  /** Features were written in this connection. */
  #featuresWritten = false;

  constructor(at: { bearer: AttBearer; peer: GattPeer; database: AttributeDatabase; awareness: ChangeAwareness; subscriber: Subscriber }) {
    this.#bearer = at.bearer;
    this.#peer = at.peer;
    this.#database = at.database;
    this.#awareness = at.awareness;
    this.#subscriber = at.subscriber;
  }

  get(characteristic: LocalCharacteristic | undefined): number {
    return (characteristic && this.#values.get(characteristic)) ?? 0;
  }

  /** A write to a CCCD. @throws {AttError} a value that is none, or refused by the characteristic's handler */
  write(characteristic: LocalCharacteristic, value: Uint8Array, offset: number): void | Promise<void> {
    if (offset !== 0) throw new AttError(AttErrorCode.InvalidOffset);
    if (value.length !== 2) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    const bits = value[0]! | (value[1]! << 8);
    const allowed = (characteristic.has("notify") ? NOTIFY : 0) | (characteristic.has("indicate") ? INDICATE : 0);
    if (bits & ~allowed) throw new AttError(AttErrorCode.ValueNotAllowed);
    const before = this.get(characteristic);
    const store = (): void => {
      if (bits !== before) this.#store(characteristic.cccdHandle!, bits);
    };
    const undo = (error: unknown): never => {
      this.#set(characteristic, before);
      throw error;
    };
    this.#set(characteristic, bits);
    const tell = (): void | Promise<void> => {
      try {
        return this.#tell(characteristic, bits, false);
      } catch (error) {
        return undo(error);
      }
    };
    const result = tell();
    if (isThenable(result)) return result.then(store, undo);
    store();
  }

  /** A write to Client Supported Features: bits may be set, never cleared (Vol 3 Part G 7.2). */
  writeFeatures(handle: number, value: Uint8Array, offset: number): void {
    if (offset !== 0) throw new AttError(AttErrorCode.InvalidOffset);
    if (value.length < 1) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    const before = this.#awareness.features;
    const features = value[0]!;
    if (before & ~features) throw new AttError(AttErrorCode.ValueNotAllowed);
    this.#awareness.features = features;
    this.#featuresWritten = true;
    if (features !== before) this.#store(handle, features);
  }

  #tell(characteristic: LocalCharacteristic, bits: number, restored: boolean): void | Promise<void> {
    return characteristic.onSubscription?.(this.#peer, { notify: (bits & NOTIFY) !== 0, indicate: (bits & INDICATE) !== 0, restored });
  }

  #store(handle: number, value: number): void {
    if (this.#bonded) this.#peer.onCccdChanged?.(handle, value);
  }

  #set(characteristic: LocalCharacteristic, bits: number): void {
    if (bits === 0) this.#values.delete(characteristic);
    else this.#values.set(characteristic, bits);
    this.#refresh(characteristic, bits);
  }

  #refresh(characteristic: LocalCharacteristic, bits: number): void {
    const isServiceChanged = characteristic.uuid.short === GattUuid.ServiceChanged;
    const open =
      (isServiceChanged || !this.#awareness.isBlocked) && accessError(characteristic.subscribeRequirement, this.#bearer.security) === 0;
    characteristic.setSubscriber(this.#subscriber, bits !== 0, open && (bits & NOTIFY) !== 0, open && (bits & INDICATE) !== 0);
  }

  /** Security or awareness changed: may everything that is configured still be sent? */
  refresh(): void {
    for (const [characteristic, bits] of this.#values) this.#refresh(characteristic, bits);
  }

  /** Characteristics that are gone from the database are forgotten. */
  prune(): void {
    for (const characteristic of this.#values.keys()) {
      if (this.#database.characteristicOfCccd(characteristic.cccdHandle!) === characteristic) continue;
      this.#set(characteristic, 0);
      this.#store(characteristic.cccdHandle!, 0);
    }
  }

  /**
   * The link is encrypted with a bond's key. What this connection configured is stored; what an earlier one did is restored, where the
   * database is still the one it was written to. Otherwise only Service Changed and the features are: other handles may mean other things.
   *
   * @returns the database has changed since this client last knew it
   */
  onBonded(): boolean {
    if (this.#bonded) return false;
    this.#bonded = true;
    const { storedCccd = {}, storedDatabaseHash } = this.#peer;
    const changed = storedDatabaseHash !== undefined && storedDatabaseHash !== this.#database.hashText;
    const written = new Map(this.#values);
    for (const [text, bits] of Object.entries(storedCccd)) {
      const handle = Number(text);
      const characteristic = this.#database.characteristicOfCccd(handle);
      if (this.#database.get(handle)?.kind === "client-features") {
        if (!this.#featuresWritten) this.#awareness.features = bits;
      } else if (characteristic && (!changed || characteristic.uuid.short === GattUuid.ServiceChanged)) {
        if (!written.has(characteristic) && bits !== 0) this.#restore(characteristic, bits);
      } else this.#store(handle, 0);
    }
    for (const [characteristic, bits] of written)
      if (storedCccd[characteristic.cccdHandle!] !== bits) this.#store(characteristic.cccdHandle!, bits);
    if (this.#featuresWritten) {
      const features = this.#database.attributes.find(({ kind }) => kind === "client-features");
      if (features) this.#store(features.handle, this.#awareness.features);
    }
    return changed;
  }

  #restore(characteristic: LocalCharacteristic, bits: number): void {
    this.#set(characteristic, bits);
    const failed = (error: unknown): void =>
      this.#bearer.logger.warn(() => `subscription handler of characteristic ${characteristic.uuid} failed: ${String(error)}`);
    try {
      const result = this.#tell(characteristic, bits, true);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The client is gone. */
  close(): void {
    for (const characteristic of this.#values.keys()) characteristic.setSubscriber(this.#subscriber, false, false, false);
    this.#values.clear();
  }
}
