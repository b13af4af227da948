import { onAbort } from "../async/index.ts";
import { AttError } from "../att/error.ts";
import { AttErrorCode } from "../att/error-code.ts";
import { MAX_VALUE_LENGTH } from "../att/opcode.ts";
import { kindOf } from "../core/arguments.ts";
import { StateError } from "../core/error.ts";
import type { Connection } from "../device/index.ts";
import type {
  CharacteristicDefinition,
  DescriptorDefinition,
  GattPeer,
  GattRequest,
  LocalCharacteristic,
  LocalService,
  SubscriptionState,
} from "../gatt/index.ts";
import { after } from "../gatt/server/thenable.ts";
import type { Activation } from "./activation.ts";
import { Flag, NO_CONNECTION } from "./constants.ts";
import { BleArgumentError } from "./errors.ts";
import type { IrqResult } from "./event-queue.ts";
import { type BleEvent, createEvent } from "./events.ts";
import {
  isOwnCccd,
  isReadable,
  isWritable,
  type ParsedCharacteristic,
  type ParsedDescriptor,
  type ParsedService,
  parseServices,
  propertiesOf,
  readAccess,
  writeAccess,
} from "./service-definition.ts";
import { Values } from "./values.ts";

const LAST_HANDLE = 0xffff;
/**
 * How long a client's request waits for the program. The client gives up at 30 s (Vol 3 Part F 3.3.3), and the server answers for a handler
 * at 29.
 */
const ANSWER_MS = 28_000;

/** Whose access it is. */
interface Client {
  readonly connection: Connection;
  readonly request: GattRequest;
}

/** The own services with their values, and what clients do with them. */
export class GattServices {
  readonly values = new Values();
  readonly #activation: Activation;
  readonly #connections = new WeakMap<GattPeer, Connection>();
  #services: LocalService[] = [];
  readonly #characteristics = new Map<number, LocalCharacteristic>();

  constructor(activation: Activation) {
    this.#activation = activation;
    activation.links.add({ onLink: (connection) => void this.#connections.set(connection.gattPeer, connection) });
  }

  /** The own characteristic with its value at this handle. */
  characteristic(valueHandle: number): LocalCharacteristic | undefined {
    return this.#characteristics.get(valueHandle);
  }

  /**
   * Puts these services in place of those before; clients that are connected hear of it. A definition with a mistake leaves none.
   *
   * @returns handles of values and descriptors of each service, in their order
   * @throws {BleArgumentError} · {BleOsError} E2BIG, EINVAL, ENOMEM: no handles are left
   */
  register(definition: unknown): number[][] {
    if (!Array.isArray(definition))
      throw new BleArgumentError("TypeError", `gattsRegisterServices: expected an array of services, got ${kindOf(definition)}`);
    const { device, errors } = this.#activation;
    this.#clear();
    const services = parseServices(definition, errors);
    let handle = Math.max(0, ...device.gattServer.services.map(({ endHandle }) => endHandle)) + 1;
    // While somebody is connected no handle gets another meaning: the new ones come behind all that there ever were.
    const isReused = device.links.length === 0 && handle + mostHandles(services) <= LAST_HANDLE;
    try {
      return services.map((service) => {
        const added = this.#add(service, isReused ? handle : undefined);
        handle = added.endHandle + 1;
        return this.#enlist(service, added);
      });
    } catch (error) {
      this.#clear();
      if (error instanceof StateError) throw errors.create("ENOMEM", "gattsRegisterServices: no handles are left", { cause: error });
      throw errors.of("gattsRegisterServices", error);
    }
  }

  #clear(): void {
    const services = this.#services;
    this.#services = [];
    this.#characteristics.clear();
    this.values.clear();
    for (const service of services) this.#activation.device.gattServer.removeService(service);
  }

  #add({ uuid, characteristics }: ParsedService, handle: number | undefined): LocalService {
    const service = this.#activation.device.gattServer.addService({
      uuid: uuid.toUuid(),
      characteristics: characteristics.map((characteristic) => this.#define(characteristic)),
      ...(handle !== undefined && { handle }),
    });
    this.#services.push(service);
    return service;
  }

  #define(characteristic: ParsedCharacteristic): CharacteristicDefinition {
    const { descriptors } = characteristic;
    return {
      ...this.#defineValue(characteristic),
      properties: propertiesOf(characteristic),
      descriptors: descriptors
        .filter((descriptor) => !isOwnCccd(descriptor, characteristic))
        .map((descriptor) => ({
          ...this.#defineValue(descriptor),
          readable: isReadable(descriptor.flags),
          writable: isWritable(descriptor.flags),
        })),
    };
  }

  #defineValue({ uuid, flags }: ParsedDescriptor): DescriptorDefinition {
    return {
      uuid: uuid.toUuid(),
      permissions: { read: readAccess(flags), write: writeAccess(flags), subscribe: "open" },
      anyWrite: true,
      readEachPart: true,
      read: (request) => this.#onRead(request),
      write: (value, request) => this.#onWrite(value, request, (flags & Flag.WriteAuthorized) !== 0),
    };
  }

  /** Gives all values of a service a place, and their handles. */
  #enlist({ characteristics }: ParsedService, service: LocalService): number[] {
    const handles: number[] = [];
    for (const [i, local] of service.characteristics.entries()) {
      const { valueHandle, cccdHandle, propertyBits } = local;
      const characteristic = characteristics[i]!;
      this.#characteristics.set(valueHandle, local);
      local.onSubscription = (peer, state) => this.#onSubscription(peer, valueHandle, state);
      this.values.add(valueHandle);
      handles.push(valueHandle);
      // Behind the value are the descriptors that the host makes, and then those of the definition.
      let next = valueHandle + 1;
      if (cccdHandle !== undefined) next++;
      if (propertyBits > 0xff) next++;
      for (const descriptor of characteristic.descriptors) {
        if (isOwnCccd(descriptor, characteristic)) handles.push(cccdHandle!);
        else {
          this.values.add(next);
          handles.push(next++);
        }
      }
    }
    return handles;
  }

  // --- what clients do ------------------------------------------------------------------------------------------------------------

  /**
   * Asks the program whether a value may be read; it may change the value before it answers. Without a connection it is the value that is to
   * be notified.
   *
   * @returns 0, or the error code of ATT to refuse with
   */
  askRead(attrHandle: number, client?: Client): number | Promise<number> {
    const connHandle = client?.connection.handle ?? NO_CONNECTION;
    return after(this.#ask(createEvent("gattsReadRequest", { connHandle, attrHandle }), client), refusalOf);
  }

  /**
   * Asks the program. One that takes too long has no answer, while the client still waits for ours; and what the client sends is not looked at
   * before it has that.
   */
  #ask(event: BleEvent, client: Client | undefined): IrqResult | Promise<IrqResult> {
    const { dispatcher, clock } = this.#activation;
    const answer = dispatcher.ask(event, client?.connection);
    if (!(answer instanceof Promise)) return answer;
    if (client) holdUntilAnswered(client);
    return new Promise((resolve) => {
      const timer = clock.setTimer(ANSWER_MS, "an answer for a GATT client", () => resolve(undefined));
      void answer.then((result) => {
        timer[Symbol.dispose]();
        resolve(result);
      });
    });
  }

  #client(request: GattRequest): Client {
    return { connection: this.#connections.get(request.peer)!, request };
  }

  #onRead(request: GattRequest): Uint8Array | Promise<Uint8Array> {
    const { handle, operation } = request;
    if (operation !== "read") return this.values.base(handle);
    return after(this.askRead(handle, this.#client(request)), (refusal) => {
      throwWhere(refusal);
      return this.values.get(handle).subarray(0, MAX_VALUE_LENGTH);
    });
  }

  /** The response leaves when the program is done with it. */
  #onWrite(data: Uint8Array, request: GattRequest, isAuthorized: boolean): void | Promise<void> {
    const { handle: attrHandle } = request;
    const client = this.#client(request);
    const { handle: connHandle } = client.connection;
    const store = (): void | Promise<void> => {
      if (!this.values.writeByClient(attrHandle, data)) return;
      return after(this.#ask(createEvent("gattsWrite", { connHandle, attrHandle }), client), () => undefined);
    };
    if (!isAuthorized) return store();
    return after(this.#ask(createEvent("gattsWriteRequest", { connHandle, attrHandle, data: data.slice() }), client), (answer) => {
      throwWhere(refusalOf(answer));
      return store();
    });
  }

  #onSubscription(peer: GattPeer, valueHandle: number, { notify, indicate }: SubscriptionState): void {
    const connection = this.#connections.get(peer)!;
    const { handle: connHandle } = connection;
    this.#activation.dispatcher.raise(createEvent("gattsSubscribe", { connHandle, valueHandle, notify, indicate }), connection);
  }
}

/** Handles that services take, or some more. */
function mostHandles(services: readonly ParsedService[]): number {
  let handles = services.length;
  for (const { characteristics } of services) for (const { descriptors } of characteristics) handles += 4 + descriptors.length;
  return handles;
}

/** Nothing that the client sends is looked at until this access is answered, or given up. */
function holdUntilAnswered({ connection, request }: Client): void {
  const pause = connection.pause();
  const release = (): void => {
    givenUp[Symbol.dispose]();
    pause[Symbol.dispose]();
  };
  const givenUp = onAbort(request.signal, release);
  // In a turn of its own: within this one the server is not done with the response.
  request.afterResponse(() => queueMicrotask(release));
}

/** What a program's answer refuses an access with; anything but a number other than 0 permits it. */
function refusalOf(answer: IrqResult): number {
  if (typeof answer !== "number" || answer === 0) return 0;
  return answer & 0xff || AttErrorCode.UnlikelyError;
}

function throwWhere(refusal: number): void {
  if (refusal) throw new AttError(refusal);
}
