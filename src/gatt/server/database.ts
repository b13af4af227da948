import type { Clock } from "../../async/clock.ts";
import { toHex } from "../../bytes/hex.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import type { Uuid } from "../../core/uuid.ts";
import { computeDatabaseHash } from "../database-hash.ts";
import { GattUuid } from "../uuids.ts";
import type { Attribute } from "./attribute.ts";
import { type BuiltService, buildService, handleCount } from "./build-service.ts";
import type { ServiceDefinition } from "./definition.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";
import type { LocalService } from "./local-service.ts";

const REMEMBERED_HASHES = 64;

/** The type of one of these, with its number where others have the same. */
function numbered<T extends { readonly uuid: Uuid }>(one: T | undefined, all: readonly T[]): string {
  if (!one) return "";
  const alike = all.filter(({ uuid }) => uuid.text === one.uuid.text);
  return alike.length === 1 ? one.uuid.text : `${one.uuid.text}#${alike.indexOf(one) + 1}of${alike.length}`;
}

/**
 * Attributes by handle. A service added later comes after all that were ever there, so that nothing moves and no handle soon means
 * something else; only when 65,535 is reached are gaps filled.
 */
export class AttributeDatabase {
  #attributes: Attribute[] = [];
  readonly #byHandle = new Map<number, Attribute>();
  readonly #built = new Map<LocalService, BuiltService>();
  readonly #cccds = new Map<number, LocalCharacteristic>();
  #services: LocalService[] = [];
  #nextHandle = 1;
  /** Counts changes. */
  #revision = 0;
  /** Revision with which a characteristic came. */
  readonly #since = new WeakMap<LocalCharacteristic, number>();
  /** Earlier hashes and the last revision that had each; the oldest are forgotten. */
  readonly #past = new Map<string, number>();
  #hash: Uint8Array | undefined;

  readonly #clock: Clock;

  /** @param clock of the time limits of those who wait for a client */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In order of their handles. */
  get attributes(): readonly Attribute[] {
    return this.#attributes;
  }
  get services(): readonly LocalService[] {
    return this.#services;
  }

  get(handle: number): Attribute | undefined {
    return this.#byHandle.get(handle);
  }

  /** The characteristic whose CCCD has this handle. */
  characteristicOfCccd(handle: number): LocalCharacteristic | undefined {
    return this.#cccds.get(handle);
  }

  /** Index of the first attribute from `handle` on. */
  indexFrom(handle: number): number {
    let low = 0;
    let high = this.#attributes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#attributes[middle]!.handle < handle) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first characteristic of this type in a service of that type. */
  find(service: number, characteristic: number): LocalCharacteristic | undefined {
    return this.#services.find(({ uuid }) => uuid.short === service)?.characteristic(characteristic);
  }

  /** Adds services that may include each other, all or none. @throws {ArgumentError} handles that are taken · {StateError} no room */
  add(definitions: readonly ServiceDefinition[]): LocalService[] {
    const added: BuiltService[] = [];
    const all = [...this.#services];
    for (const definition of definitions) {
      const built = buildService(definition, this.#place(definition, all), this.#clock);
      added.push(built);
      all.push(built.service);
    }
    for (const { includes = [] } of definitions)
      for (const { handle, endHandle } of includes)
        if (!all.some((service) => service.handle === handle && service.endHandle === endHandle))
          throw new ArgumentError(`included service at handle ${handle} is not in the database`);
    for (const built of added) this.#put(built);
    this.#services = all.sort((a, b) => a.handle - b.handle);
    this.#onChanged();
    for (const { service } of added) for (const characteristic of service.characteristics) this.#since.set(characteristic, this.#revision);
    return added.map(({ service }) => service);
  }

  #put(built: BuiltService): void {
    this.#built.set(built.service, built);
    for (const attribute of built.attributes) this.#byHandle.set(attribute.handle, attribute);
    for (const [handle, characteristic] of built.cccds) this.#cccds.set(handle, characteristic);
    this.#attributes.splice(this.indexFrom(built.service.handle), 0, ...built.attributes);
    this.#nextHandle = Math.max(this.#nextHandle, built.service.endHandle + 1);
  }

  /** @throws {ArgumentError} not in the database, or included by another service */
  remove(service: LocalService): void {
    const built = this.#built.get(service);
    if (!built) throw new ArgumentError(`service ${service.uuid} is not in the database`);
    const range = [service.handle & 0xff, service.handle >> 8, service.endHandle & 0xff, service.endHandle >> 8];
    const including = this.#attributes.find(
      ({ type, value }) => type.short === GattUuid.Include && range.every((octet, i) => value[i] === octet),
    );
    if (including)
      throw new ArgumentError(`service ${service.uuid} is included by the one at handle ${including.serviceHandle}: remove that first`);
    this.#built.delete(service);
    for (const attribute of built.attributes) this.#byHandle.delete(attribute.handle);
    for (const handle of built.cccds.keys()) this.#cccds.delete(handle);
    this.#attributes.splice(this.indexFrom(service.handle), built.attributes.length);
    this.#services = this.#services.filter((other) => other !== service);
    this.#onChanged();
  }

  #onChanged(): void {
    this.#revision++;
    this.#hash = undefined;
  }

  /** Client Supported Features, where the server keeps it. */
  get clientFeatures(): Attribute | undefined {
    return this.#attributes.find(({ kind }) => kind === "client-features");
  }

  /**
   * What a characteristic is, for a store: "180f/2a19", the types of its service and its own. Where there are several of one type,
   * "180f#2of3/2a19" tells which, and of how many.
   */
  nameOf(characteristic: LocalCharacteristic): string {
    const service = this.#services.find(({ handle }) => handle === characteristic.serviceHandle);
    return `${numbered(service, this.#services)}/${numbered(characteristic, service?.characteristics ?? [])}`;
  }

  /** The characteristic that `nameOf` calls so. */
  named(name: string): LocalCharacteristic | undefined {
    for (const { characteristics } of this.#services)
      for (const characteristic of characteristics)
        if (characteristic.cccdHandle !== undefined && this.nameOf(characteristic) === name) return characteristic;
    return undefined;
  }

  /** The characteristic was in this database when it had this hash, and has stayed. */
  isFrom(hashText: string, characteristic: LocalCharacteristic): boolean {
    const revision = this.#past.get(hashText);
    const since = this.#since.get(characteristic);
    return revision !== undefined && since !== undefined && since <= revision;
  }

  /** Where a service goes, among those that are there. */
  #place(definition: ServiceDefinition, services: readonly LocalService[]): number {
    const { handle: wanted } = definition;
    if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 1 && wanted <= 0xffff))
      throw new ArgumentError(`service handle ${wanted}: expected 1 to 65535`);
    const count = handleCount(definition);
    if (wanted !== undefined) {
      const last = wanted + count - 1;
      if (last > 0xffff) throw new ArgumentError(`service handle ${wanted}: expected 1 to ${0x10000 - count}`);
      if (!services.every(({ handle, endHandle }) => endHandle < wanted || handle > last))
        throw new ArgumentError(`handles ${wanted} to ${last} are taken`);
      return wanted;
    }
    const behind = services.reduce((next, { endHandle }) => Math.max(next, endHandle + 1), this.#nextHandle);
    if (behind + count - 1 <= 0xffff) return behind;
    let from = 1;
    for (const { handle, endHandle } of [...services].sort((a, b) => a.handle - b.handle)) {
      if (handle - from >= count) return from;
      from = endHandle + 1;
    }
    if (from + count - 1 <= 0xffff) return from;
    throw new StateError("the attribute database is full");
  }

  /** Database Hash, Vol 3 Part G 7.3: 16 octets, least significant first as on air. */
  get hash(): Uint8Array {
    if (!this.#hash) {
      this.#hash = computeDatabaseHash(this.#attributes);
      const text = toHex(this.#hash);
      this.#past.delete(text);
      this.#past.set(text, this.#revision);
      if (this.#past.size > REMEMBERED_HASHES) this.#past.delete(this.#past.keys().next().value!);
    }
    return this.#hash;
  }
  get hashText(): string {
    return toHex(this.hash);
  }
}
