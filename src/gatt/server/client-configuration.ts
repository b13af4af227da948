import { callOut } from "../../async/call-out.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { ClientFeature } from "../client-feature.ts";
import { GattUuid } from "../uuids.ts";
import { accessError } from "./access.ts";
import type { ChangeAwareness } from "./caching.ts";
import { askConsent } from "./consent.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import type { LocalCharacteristic, Subscriber } from "./local-characteristic.ts";
import type { Operation } from "./operation.ts";
import { FEATURES_NAME, type FoundConfiguration, findStored, isChangedFor } from "./stored-configuration.ts";
import { isThenable } from "./thenable.ts";

/** The bits of Client Supported Features that have a meaning. */
const KNOWN_FEATURES = Object.values(ClientFeature).reduce<number>((bits, bit) => bits | bit, 0);
const NOTIFY = 1;
const INDICATE = 2;

const isServiceChanged = ({ uuid }: LocalCharacteristic): boolean => uuid.short === GattUuid.ServiceChanged;

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
  /** What is in force; 0 is left out. */
  readonly #values = new Map<LocalCharacteristic, number>();
  /** Written in this connection, be it to 0: what an earlier one left does not come back. */
  readonly #written = new Set<LocalCharacteristic>();
  /** Restored under another handle than it was written to: nothing is sent before the client knows the new one. */
  readonly #moved = new Set<LocalCharacteristic>();
  /** Restored where each client needs the application's consent, which was given for an earlier connection: nothing is sent before it is given anew. */
  readonly #unauthorized = new Set<LocalCharacteristic>();
  /** What this connection gave to be stored, by handle: a keeper need not show it at once. */
  readonly #told = new Map<number, number>();
  #bonded = false;
  #closed = false;
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
  write(operation: Operation, characteristic: LocalCharacteristic, value: Uint8Array): void | Promise<void> {
    if (value.length !== 2) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    const bits = value[0]! | (value[1]! << 8);
    const allowed = (characteristic.has("notify") ? NOTIFY : 0) | (characteristic.has("indicate") ? INDICATE : 0);
    if (bits & ~allowed) throw new AttError(AttErrorCode.ValueNotAllowed);
    const before = this.get(characteristic);
    const wasMoved = this.#moved.delete(characteristic); // whoever writes to its CCCD knows where it is
    const wasUnauthorized = this.#unauthorized.delete(characteristic); // the application was asked about this write
    const wasWritten = this.#written.has(characteristic);
    let settled = false;
    const keep = (): void => {
      if (settled) return;
      settled = true;
      operation.onGivenUp = undefined;
      this.#storeCccd(characteristic, bits);
    };
    const undo = (): void => {
      if (settled) return;
      settled = true;
      operation.onGivenUp = undefined;
      if (this.#closed) return;
      if (wasMoved) this.#moved.add(characteristic);
      if (wasUnauthorized) this.#unauthorized.add(characteristic);
      if (!wasWritten) this.#written.delete(characteristic);
      this.#set(characteristic, before);
    };
    // In force before the handler is asked, so that it can send; taken back where it refuses, or never answers.
    operation.onGivenUp = undo;
    this.#written.add(characteristic);
    this.#set(characteristic, bits);
    try {
      const result = this.#tell(characteristic, bits, false);
      if (isThenable(result))
        return result.then(keep, (error: unknown) => {
          undo();
          throw error;
        });
    } catch (error) {
      undo();
      throw error;
    }
    keep();
  }

  /** A write to Client Supported Features: bits may be set, never cleared (Vol 3 Part G 7.2). */
  writeFeatures(handle: number, value: Uint8Array): void {
    if (value.length < 1) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    const before = this.#awareness.features;
    // Reserved bits mean nothing yet: kept, they could not be cleared again, and would be a promise once they mean something.
    const features = value[0]! & KNOWN_FEATURES;
    if (before & ~features) throw new AttError(AttErrorCode.ValueNotAllowed);
    this.#awareness.features = features;
    this.#featuresWritten = true;
    this.#store(handle, features, FEATURES_NAME);
  }

  #tell(characteristic: LocalCharacteristic, bits: number, restored: boolean): void | Promise<void> {
    return characteristic.onSubscription?.(this.#peer, { notify: (bits & NOTIFY) !== 0, indicate: (bits & INDICATE) !== 0, restored });
  }

  #storeCccd(characteristic: LocalCharacteristic, bits: number): void {
    this.#store(characteristic.cccdHandle!, bits, this.#bonded ? this.#database.nameOf(characteristic) : undefined);
  }

  /** Tells the peer's keeper what it does not know. */
  #store(handle: number, value: number, of?: string): void {
    if (!this.#bonded) return;
    const { storedCccd, storedCccdOf } = this.#peer;
    const told = this.#told.get(handle);
    const isKept = (storedCccd?.[handle] ?? 0) === value && (told ?? value) === value;
    if (isKept && (value === 0 || !storedCccdOf || storedCccdOf[handle] === of)) return;
    this.#told.set(handle, value);
    callOut(() => this.#peer.onCccdChanged?.(handle, value, value === 0 ? undefined : of));
  }

  #set(characteristic: LocalCharacteristic, bits: number): void {
    if (bits === 0) this.#values.delete(characteristic);
    else this.#values.set(characteristic, bits);
    this.#refresh(characteristic, bits);
  }

  #refresh(characteristic: LocalCharacteristic, bits: number): void {
    const open =
      (isServiceChanged(characteristic) || !this.#awareness.isBlocked) &&
      !this.#moved.has(characteristic) &&
      !this.#unauthorized.has(characteristic) &&
      accessError(characteristic.subscribeRequirement, this.#bearer.security) === 0;
    characteristic.setSubscriber(this.#subscriber, bits !== 0, open && (bits & NOTIFY) !== 0, open && (bits & INDICATE) !== 0);
  }

  /** Security or awareness changed: may everything that is configured still be sent? */
  refresh(): void {
    for (const [characteristic, bits] of this.#values) this.#refresh(characteristic, bits);
  }

  /** Characteristics that are gone from the database are forgotten. */
  prune(): void {
    for (const characteristic of new Set([...this.#values.keys(), ...this.#written])) {
      if (this.#database.characteristicOfCccd(characteristic.cccdHandle!) === characteristic) continue;
      this.#written.delete(characteristic);
      this.#moved.delete(characteristic);
      this.#unauthorized.delete(characteristic);
      this.#set(characteristic, 0);
      this.#store(characteristic.cccdHandle!, 0);
    }
  }

  /**
   * The link is encrypted with a bond's key. What this connection configured is stored; the rest of what an earlier one did is restored,
   * as far as the characteristics are there.
   *
   * @returns the database has changed since this client last knew it, and there is a way to tell it
   */
  onBonded(): boolean {
    if (this.#bonded) {
      this.#storeAll(); // another bond may have come in place of the one that knew
      return false;
    }
    this.#bonded = true;
    const isChanged = isChangedFor(this.#database, this.#peer);
    const found = findStored(this.#database, this.#peer);
    const tellsOfChanges = ({ of }: FoundConfiguration): boolean => of === "client-features" || (of !== undefined && isServiceChanged(of));
    for (const each of found.filter(tellsOfChanges)) this.#bringBack(each);
    // A client that can be told by nothing is not waited for, and what moved is gone for it.
    const isTold =
      isChanged && (this.#awareness.isRobust || [...this.#values].some(([of, bits]) => isServiceChanged(of) && bits & INDICATE));
    if (isTold) this.#awareness.onDatabaseChanged();
    for (const each of found) if (!tellsOfChanges(each)) this.#bringBack(each, isTold);
    this.#storeAll();
    return isTold;
  }

  #bringBack({ handle, value, of }: FoundConfiguration, mayMove = false): void {
    if (of === "client-features") {
      const features = this.#database.clientFeatures;
      if (features && !this.#featuresWritten) this.#awareness.features = value & KNOWN_FEATURES; // without the characteristic there is no such promise
      if (features?.handle !== handle) this.#store(handle, 0);
      return;
    }
    const isMoved = of !== undefined && of.cccdHandle !== handle;
    if (!of || isMoved) this.#store(handle, 0);
    if (!of || (isMoved && !mayMove) || value === 0 || this.#written.has(of)) return;
    if (isMoved) this.#moved.add(of);
    this.#restore(of, value);
  }

  /** Nothing of what is in force, and nothing that was written to 0, may be missing or different in the store. */
  #storeAll(): void {
    for (const characteristic of new Set([...this.#values.keys(), ...this.#written]))
      this.#storeCccd(characteristic, this.get(characteristic));
    const features = this.#database.clientFeatures;
    if (features) this.#store(features.handle, this.#awareness.features, FEATURES_NAME);
  }

  #restore(characteristic: LocalCharacteristic, bits: number): void {
    const { authorized } = characteristic.subscribeRequirement;
    if (authorized) this.#unauthorized.add(characteristic);
    this.#set(characteristic, bits);
    if (authorized) void this.#authorizeRestored(characteristic);
    else this.#tellRestored(characteristic, bits);
  }

  /** Until the application agrees the configuration stands, and has no effect. */
  async #authorizeRestored(characteristic: LocalCharacteristic): Promise<void> {
    const granted = await askConsent(this.#bearer, this.#peer, { handle: characteristic.cccdHandle!, write: true });
    // The client may have written to it meanwhile, or be gone.
    if (!granted || this.#closed || !this.#unauthorized.delete(characteristic)) return;
    const bits = this.get(characteristic);
    this.#refresh(characteristic, bits);
    this.#tellRestored(characteristic, bits);
  }

  #tellRestored(characteristic: LocalCharacteristic, bits: number): void {
    const failed = (error: unknown): void =>
      this.#bearer.logger.warn(() => `subscription handler of characteristic ${characteristic.uuid} failed: ${String(error)}`);
    try {
      const result = this.#tell(characteristic, bits, true);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The client knows the database as it is. */
  onAware(): void {
    this.#moved.clear();
    this.refresh();
  }

  /** The client is gone. */
  close(): void {
    this.#closed = true;
    for (const characteristic of this.#values.keys()) characteristic.setSubscriber(this.#subscriber, false, false, false);
    this.#values.clear();
  }
}
