import { type Clock, SystemClock } from "../../async/clock.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { kindOf } from "../../core/arguments.ts";
import { ArgumentError, ClosedError, StateError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { definitionsOf } from "../describe/definitions.ts";
import type { GattDescription } from "../describe/description.ts";
import { GattDescriptionError } from "../describe/error.ts";
import { parseGattDescription } from "../describe/parse.ts";
import type { CharacteristicProperty } from "../properties.ts";
import type { Attribute } from "./attribute.ts";
import { checkLoose, checkService } from "./check-definition.ts";
import { AttributeDatabase } from "./database.ts";
import type { GattPeer, LooseValueDefinition, ServiceDefinition } from "./definition.ts";
import type { CharacteristicWrite, LocalCharacteristic } from "./local-characteristic.ts";
import type { LocalService } from "./local-service.ts";
import { GattServerSession } from "./session.ts";
import { WriteFlow, type WritesOptions } from "./writes.ts";

/** Service that `add` puts a value into which was given without one. */
const LOOSE_SERVICE = Uuid.from("7a9d5f10-6c1e-4d2b-9f53-0e8f6a3b41c7");

/** The attributes of a server, in order of their handles: for what describes it. */
export let attributesOf: (server: GattServer) => readonly Attribute[];

/**
 * A GATT server: a database of services, and one session for each peer that uses it. The database holds what is put in and nothing else;
 * `gapService` and `gattService` make the services that most devices have (Vol 3 Part G).
 */
export class GattServer {
  static {
    attributesOf = (server) => server.#database.attributes;
  }

  readonly #clock: Clock;
  readonly #database: AttributeDatabase;
  #sessions: GattServerSession[] = [];
  #paused = false;

  /** @param options.clock of the time limits of what waits for a client; real time by default */
  constructor({ clock = new SystemClock() }: { clock?: Clock | undefined } = {}) {
    this.#clock = clock;
    this.#database = new AttributeDatabase(clock);
  }

  /** In order of their handles. */
  get services(): readonly LocalService[] {
    return this.#database.services;
  }

  get sessions(): readonly GattServerSession[] {
    return this.#sessions;
  }

  /** Database Hash, Vol 3 Part G 7.3: 16 octets, least significant first as on air. */
  get databaseHash(): Uint8Array {
    return this.#database.hash.slice();
  }

  /** The first service of this type, `undefined` without one. */
  service(uuid: UuidLike): LocalService | undefined {
    const { text } = Uuid.from(uuid);
    return this.services.find((service) => service.uuid.text === text);
  }

  /** The first characteristic of this type in a service of that type. */
  characteristic(service: UuidLike, uuid: UuidLike): LocalCharacteristic | undefined {
    const { text } = Uuid.from(service);
    for (const candidate of this.services) {
      const characteristic = candidate.uuid.text === text ? candidate.characteristic(uuid) : undefined;
      if (characteristic) return characteristic;
    }
    return undefined;
  }

  /**
   * Adds a service. Its handles follow all that were ever used, and clients that asked for it are sent Service Changed.
   *
   * @throws {ArgumentError} a definition that contradicts itself, a name in it that is none, or a handle that is taken
   * @throws {StateError} no handles left
   */
  addService(definition: ServiceDefinition): LocalService {
    checkService(definition);
    const [service] = this.#database.add([definition]);
    this.#changed(service!);
    return service!;
  }

  /**
   * Adds the services of a description, all or none, at the handles that it says: a copy of the device that was described. Values are stored
   * ones, which clients read and write as the properties and permissions say; handlers and notifications are for the program to add.
   *
   * @param description as `describeServer` and `describeRemote` make it, or read from JSON
   * @throws {GattDescriptionError} it contradicts itself, or a handle in it is taken
   */
  load(description: GattDescription): LocalService[] {
    const { services } = parseGattDescription(description);
    for (const [i, { handle, endHandle }] of services.entries()) {
      const taken = this.services.find((service) => service.handle <= endHandle && service.endHandle >= handle);
      if (taken)
        throw new GattDescriptionError(`services[${i}]`, `handles ${handle} to ${endHandle}: service ${taken.uuid} is there already`);
    }
    const loaded = this.#database.add(definitionsOf(services));
    const [first] = loaded;
    if (first) this.#changed({ handle: first.handle, endHandle: loaded.at(-1)!.endHandle });
    return loaded;
  }

  /** Adds a service; or one readable value without a service of its own, whose handle it gives. */
  add(definition: ServiceDefinition): LocalService;
  add(definition: LooseValueDefinition): number;
  add(definition: ServiceDefinition | LooseValueDefinition): LocalService | number {
    if (typeof definition === "object" && definition !== null && "characteristics" in definition) return this.addService(definition);
    checkLoose(definition);
    const properties: CharacteristicProperty[] = ["read"];
    if (definition.write) properties.push("write");
    const service = this.addService({ uuid: LOOSE_SERVICE, characteristics: [{ properties, ...withoutUndefined(definition) }] });
    return service.characteristics[0]!.valueHandle;
  }

  /**
   * Removes a service; no other handle moves.
   *
   * @throws {ArgumentError} not in the database, or included by another service
   */
  removeService(service: LocalService): void {
    this.#database.remove(service);
    for (const characteristic of service.characteristics)
      characteristic.endWrites(new StateError(`service ${service.uuid} was removed from the server`));
    this.#changed(service);
  }

  /**
   * What clients write to any of these characteristics, from now on, as one loop in the order in which it took effect.
   *
   * @throws {ArgumentError} none, or one that is not of this server
   */
  writes(characteristics: readonly LocalCharacteristic[], options: WritesOptions = {}): WriteFlow<CharacteristicWrite> {
    if (!Array.isArray(characteristics) || characteristics.length === 0)
      throw new ArgumentError(`writes: expected an array of characteristics, got ${kindOf(characteristics)}`);
    for (const characteristic of new Set(characteristics))
      if (!this.services.some((service) => service.characteristics.includes(characteristic)))
        throw new ArgumentError("writes: expected characteristics that are in this server");
    return new WriteFlow<CharacteristicWrite>([...new Set(characteristics)], this.#clock, options);
  }

  /** For the device: no client will write any more. @internal */
  endWrites(error: unknown): void {
    for (const { characteristics } of this.services) for (const characteristic of characteristics) characteristic.endWrites(error);
  }

  #changed({ handle, endHandle }: Pick<LocalService, "handle" | "endHandle">): void {
    for (const session of this.#sessions) session.onDatabaseChanged(handle, endHandle);
  }

  /** Serves `peer` on `bearer` until the bearer or the session is closed. @throws {ArgumentError} the bearer is served already */
  attach(bearer: AttBearer, peer: GattPeer): GattServerSession {
    if (bearer.server) throw new ArgumentError("this bearer has a server already");
    const session = new GattServerSession(this.#database, {
      bearer,
      peer,
      paused: this.#paused,
      onClosed: (closed) => {
        this.#sessions = this.#sessions.filter((other) => other !== closed);
      },
    });
    if (bearer.ended) session.close(bearer.ended);
    else this.#sessions = [...this.#sessions, session];
    return session;
  }

  /** Leaves requests unanswered until `resume`, as a hung peer would. For tests. */
  pause(): void {
    this.#setPaused(true);
  }
  resume(): void {
    this.#setPaused(false);
  }
  #setPaused(paused: boolean): void {
    this.#paused = paused;
    for (const session of this.#sessions) session.paused = paused;
  }

  /** Ends every session. */
  close(): void {
    for (const session of this.#sessions) session.close(new ClosedError("the GATT server was closed"));
  }
}

// A property that is absent and one that is undefined must mean the same, so that `properties` keeps its default.
function withoutUndefined(
  definition: LooseValueDefinition,
): Omit<LooseValueDefinition, "properties"> & { properties?: readonly CharacteristicProperty[] } {
  const { properties, ...others } = definition;
  return properties ? { ...others, properties } : others;
}
