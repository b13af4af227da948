import { AttError, AttOpcode, AttProtocolError, AttTimeoutError } from "../att/index.ts";
import type { Connection } from "../device/index.ts";
import { Discovery } from "../gatt/client/discovery.ts";
import { Requester } from "../gatt/client/requester.ts";
import { GattUuid, type HandleValue } from "../gatt/index.ts";
import type { Activation } from "./activation.ts";
import { Status } from "./constants.ts";
import { discoverCharacteristics, discoverDescriptors, discoverServices } from "./discovery.ts";
import { type BleEvent, createEvent } from "./events.ts";
import { sendFlow } from "./send-flow.ts";
import type { UUID } from "./uuid.ts";

/** Operations of one link that may wait for those before them. */
const MOST_WAITING = 256;
/** Codes of NimBLE's host for what went wrong here. */
const HOST_BAD_DATA = 10;
const HOST_UNKNOWN = 17;

const EMPTY = new Uint8Array(0);

/** What is asked of a peer: it has its turn, and ends once. */
interface Operation {
  /** Resolves when the next one may begin. */
  readonly start: () => Promise<unknown>;
  /** Tells the program that it has ended. */
  readonly done: (status: number) => void;
}

/** The client's side of one link: one operation at a time, in the order in which they were asked for. */
class LinkClient {
  readonly connection: Connection;
  readonly discovery: Discovery;
  /** Handles of values which, as indications, say that services changed. */
  readonly serviceChangedHandles = new Set<number>();
  /** An exchange of the ATT_MTU has been asked for. */
  isMtuAsked = false;
  #current: Operation | undefined;
  #waiting: Operation[] = [];
  #isClosed = false;

  constructor(connection: Connection) {
    this.connection = connection;
    this.discovery = new Discovery(new Requester(connection.att, undefined));
  }

  /** Nothing is asked for on it any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }
  /** All that was asked for has begun. */
  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }
  get isFull(): boolean {
    return this.#waiting.length >= MOST_WAITING;
  }

  push(operation: Operation): void {
    this.#waiting.push(operation);
    this.#next();
  }

  /** The current one has ended; its program is told before the next begins. */
  settle(operation: Operation, status: number): void {
    if (this.#current !== operation) return;
    this.#current = undefined;
    operation.done(status);
    this.#next();
  }

  #next(): void {
    if (this.#current || this.#isClosed || this.connection.att.refusal) return;
    const operation = this.#waiting.shift();
    if (!operation) return;
    this.#current = operation;
    operation.start().then(
      () => this.settle(operation, Status.Success),
      (error: unknown) => {
        // Where nothing can be sent any more, the link is ending: its end tells.
        if (error instanceof AttTimeoutError || !this.connection.att.refusal) this.settle(operation, statusOf(error));
      },
    );
  }

  /** The link is gone, or of no use: all that is owed is told. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const owed = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    this.#current = undefined;
    this.#waiting = [];
    for (const { done } of owed) done(Status.NotConnected);
  }
}

/** `status` of a DONE event. */
function statusOf(error: unknown): number {
  if (error instanceof AttError) return Status.AttBase + error.errorCode;
  if (error instanceof AttTimeoutError) return Status.TimedOut;
  return error instanceof AttProtocolError ? HOST_BAD_DATA : HOST_UNKNOWN;
}

/**
 * `gattc_*`. What is asked for is queued for each link, and its DONE event comes exactly once. A peer that leaves a request unanswered for 30 s
 * loses the link (Vol 3 Part F 3.3.3).
 */
export class GattClientPart {
  readonly #activation: Activation;
  readonly #clients = new WeakMap<Connection, LinkClient>();

  constructor(activation: Activation) {
    this.#activation = activation;
    activation.links.add({
      onLink: (connection) => this.#onLink(connection),
      onLinkEnd: (connection) => this.#clients.get(connection)?.close(),
    });
  }

  // --- discovery ------------------------------------------------------------------------------------------------------------------

  /** @throws {BleOsError} ENOTCONN · ENOMEM: too much is asked for already */
  discoverServices(connHandle: number, type: UUID | undefined): void {
    const client = this.#client("gattcDiscoverServices", connHandle);
    client.push({
      start: () =>
        discoverServices(client.discovery, type, (found) =>
          this.#raise(client, createEvent("gattcServiceResult", { connHandle, ...found })),
        ),
      done: (status) => this.#raise(client, createEvent("gattcServiceDone", { connHandle, status })),
    });
  }

  /** @throws {BleOsError} ENOTCONN · ENOMEM · EINVAL: no such range */
  discoverCharacteristics(connHandle: number, start: number, end: number, type: UUID | undefined): void {
    const client = this.#client("gattcDiscoverCharacteristics", connHandle);
    if (start === 0 || start > end)
      throw this.#activation.errors.create("EINVAL", `gattcDiscoverCharacteristics: from handle ${start} to ${end}`);
    client.push({
      start: () =>
        discoverCharacteristics(client.discovery, { start, end, type }, ({ endHandle, valueHandle, properties, uuid }) => {
          if (uuid.toUuid().short === GattUuid.ServiceChanged) client.serviceChangedHandles.add(valueHandle);
          this.#raise(client, createEvent("gattcCharacteristicResult", { connHandle, endHandle, valueHandle, properties, uuid }));
        }),
      done: (status) => this.#raise(client, createEvent("gattcCharacteristicDone", { connHandle, status })),
    });
  }

  /** Finds nothing where `end` is not behind `start`. @throws {BleOsError} ENOTCONN · ENOMEM */
  discoverDescriptors(connHandle: number, start: number, end: number): void {
    const client = this.#client("gattcDiscoverDescriptors", connHandle);
    client.push({
      start: () =>
        discoverDescriptors(client.discovery, { start, end }, (found) =>
          this.#raise(client, createEvent("gattcDescriptorResult", { connHandle, ...found })),
        ),
      done: (status) => this.#raise(client, createEvent("gattcDescriptorDone", { connHandle, status })),
    });
  }

  // --- values ---------------------------------------------------------------------------------------------------------------------

  /** @throws {BleOsError} ENOTCONN · ENOMEM */
  read(connHandle: number, valueHandle: number): void {
    const client = this.#client("gattcRead", connHandle);
    const { att } = client.connection;
    const operation: Operation = {
      start: () =>
        // Told as the response is looked at, before whatever the peer has sent behind it.
        att.request(att.valueFrame(AttOpcode.ReadReq, valueHandle, EMPTY), (bytes, offset, end) => {
          this.#raise(client, createEvent("gattcReadResult", { connHandle, valueHandle, data: bytes.slice(offset, end) }));
          client.settle(operation, Status.Success);
        }),
      done: (status) => this.#raise(client, createEvent("gattcReadDone", { connHandle, valueHandle, status })),
    };
    client.push(operation);
  }

  /** A Write Request, with as much as the ATT_MTU allows. @throws {BleOsError} ENOTCONN · ENOMEM */
  write(connHandle: number, valueHandle: number, data: Uint8Array): void {
    const client = this.#client("gattcWrite", connHandle);
    const { att } = client.connection;
    const operation: Operation = {
      start: () => att.request(att.valueFrame(AttOpcode.WriteReq, valueHandle, data), () => client.settle(operation, Status.Success)),
      done: (status) => this.#raise(client, createEvent("gattcWriteDone", { connHandle, valueHandle, status })),
    };
    client.push(operation);
  }

  /**
   * A Write Command, with as much as the ATT_MTU allows. Resolves when it was given to the controller, or waits behind operations that were
   * asked for before.
   *
   * @throws {BleOsError} ENOTCONN · ENOMEM: too many wait
   */
  async writeCommand(connHandle: number, valueHandle: number, data: Uint8Array): Promise<void> {
    const client = this.#client("gattcWrite", connHandle);
    const send = (): Promise<void> => sendFlow("gattcWrite", client.connection, AttOpcode.WriteCmd, valueHandle, data, this.#activation);
    if (client.isIdle) await send();
    else client.push({ start: send, done: () => undefined });
  }

  /** @throws {BleOsError} ENOTCONN · ENOMEM · EALREADY: this link has had its exchange */
  exchangeMtu(connHandle: number): void {
    const client = this.#client("gattcExchangeMtu", connHandle);
    const { att } = client.connection;
    if (client.isMtuAsked || att.mtuExchanged)
      throw this.#activation.errors.create("EALREADY", "gattcExchangeMtu: an exchange was made on this connection, or is under way");
    client.isMtuAsked = true;
    client.push({
      start: async () => {
        let isTold = false;
        using _agreed = client.connection.on("mtu", () => {
          isTold = true;
        });
        const mtu = await att.exchangeMtu();
        if (!isTold) this.#raise(client, createEvent("mtuExchanged", { connHandle, mtu })); // refused: it stays
      },
      done: () => undefined,
    });
  }

  // --- links ----------------------------------------------------------------------------------------------------------------------

  #onLink(connection: Connection): void {
    const client = new LinkClient(connection);
    this.#clients.set(connection, client);
    connection.gatt.onValue((value) => this.#onValue(client, value));
    connection.att.on("failed", () => this.#giveUp(client));
  }

  #client(method: string, connHandle: number): LinkClient {
    const { errors } = this.#activation;
    const client = this.#clients.get(this.#activation.link(connHandle));
    if (!client || client.isClosed) throw errors.create("ENOTCONN", `${method}: nothing more can be asked on connection ${connHandle}`);
    if (client.isFull) throw errors.create("ENOMEM", `${method}: ${MOST_WAITING} operations wait on connection ${connHandle}`);
    return client;
  }

  #raise({ connection }: LinkClient, event: BleEvent): void {
    this.#activation.dispatcher.raise(event, connection);
  }

  #onValue(client: LinkClient, { handle: valueHandle, value: data, indication }: HandleValue): void {
    const { handle: connHandle } = client.connection;
    this.#raise(client, createEvent(indication ? "gattcIndicate" : "gattcNotify", { connHandle, valueHandle, data }));
    if (!indication || data.length !== 4 || !client.serviceChangedHandles.has(valueHandle)) return;
    const [startHandle, endHandle] = [data[0]! | (data[1]! << 8), data[2]! | (data[3]! << 8)];
    this.#raise(client, createEvent("serviceChanged", { connHandle, startHandle, endHandle }));
  }

  /** A request or an indication was not answered in 30 s: only a new link helps (Vol 3 Part F 3.3.3). */
  #giveUp(client: LinkClient): void {
    client.connection.disconnect().catch((error: unknown) => {
      this.#activation.logger.warn(() => `a link without answers could not be ended: ${String(error)}`);
      client.close();
    });
  }
}
