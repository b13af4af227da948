import { AttOpcode, AttTimeoutError } from "../att/index.ts";
import type { Connection } from "../device/index.ts";
import { after } from "../gatt/server/thenable.ts";
import type { Activation } from "./activation.ts";
import { Status } from "./constants.ts";
import { createEvent } from "./events.ts";
import { sendFlow } from "./send-flow.ts";
import type { GattServices } from "./services.ts";

/** Indications of one link that may wait for the confirmation of those before them. */
const MOST_WAITING = 32;
/** How NimBLE says that the program refused. */
const HOST_APPLICATION_REFUSED = 9;

interface Indication {
  readonly valueHandle: number;
  /** Nothing: the value as it is when the indication leaves, if the client still wants it. */
  readonly data: Uint8Array | undefined;
}

/** Indications of one link: one is on its way, the others wait (Vol 3 Part F 3.3.2). */
interface Line {
  current: Indication | undefined;
  readonly waiting: Indication[];
}

/** `gatts_notify`, `gatts_indicate`, and what `gatts_write` sends. */
export class GattUpdates {
  readonly #activation: Activation;
  readonly #services: GattServices;
  readonly #lines = new WeakMap<Connection, Line>();

  constructor(activation: Activation, services: GattServices) {
    this.#activation = activation;
    this.#services = services;
    activation.links.add({ onLinkEnd: (connection) => this.#onLinkEnd(connection) });
  }

  /**
   * Sends a notification, whatever the client has configured. Resolves when it was given to the controller.
   *
   * @param data nothing: the stored value, of which the program is asked first
   * @throws {BleOsError} ENOTCONN · ENOMEM: too many wait · EINVAL: no such value · EIO: the program refuses its value
   */
  notify(connHandle: number, valueHandle: number, data: Uint8Array | undefined): Promise<void> {
    const connection = this.#activation.link(connHandle);
    const send = (value: Uint8Array): Promise<void> =>
      sendFlow("gattsNotify", connection, AttOpcode.HandleValueNtf, valueHandle, value, this.#activation);
    return Promise.resolve(after(this.#valueOf("gattsNotify", valueHandle, data), send));
  }

  /**
   * Sends an indication, after those before it; resolves when it is one of them.
   *
   * @param data nothing: the stored value, of which the program is asked first
   * @throws {BleOsError} as `notify`
   */
  async indicate(connHandle: number, valueHandle: number, data: Uint8Array | undefined): Promise<void> {
    const { errors } = this.#activation;
    const connection = this.#activation.link(connHandle);
    const push = (value: Uint8Array): void => {
      this.#activation.link(connHandle); // the program may have thought about its value
      const line = this.#line(connection);
      if (line.waiting.length >= MOST_WAITING) throw errors.create("ENOMEM", `gattsIndicate: ${MOST_WAITING} wait for confirmation`);
      line.waiting.push({ valueHandle, data: value });
      this.#next(connection, line);
    };
    await after(this.#valueOf("gattsIndicate", valueHandle, data), push);
  }

  /** The value has been written: sends it to those who want it, as a notification where they want both. */
  update(valueHandle: number): void {
    const { links, logger } = this.#activation;
    const characteristic = this.#services.characteristic(valueHandle);
    if (!characteristic) return;
    for (const connection of links.all) {
      const { notify, indicate } = characteristic.configuredBy(connection.gattPeer);
      if (notify) {
        const value = this.#services.values.get(valueHandle);
        sendFlow("gattsWrite", connection, AttOpcode.HandleValueNtf, valueHandle, value, this.#activation).catch((error: unknown) =>
          logger.info(() => `connection ${connection.handle} was not notified: ${String(error)}`),
        );
      } else if (indicate) this.#indicateLater(connection, valueHandle);
    }
  }

  /** One that waits already will have the new value. */
  #indicateLater(connection: Connection, valueHandle: number): void {
    const line = this.#line(connection);
    if (line.waiting.some((other) => other.valueHandle === valueHandle && other.data === undefined)) return;
    line.waiting.push({ valueHandle, data: undefined });
    this.#next(connection, line);
  }

  #valueOf(what: string, handle: number, data: Uint8Array | undefined): Uint8Array | Promise<Uint8Array> {
    if (data) return data;
    const { errors } = this.#activation;
    const { values } = this.#services;
    const hostCode = HOST_APPLICATION_REFUSED;
    if (!values.has(handle)) throw errors.create("EINVAL", `${what}: there is no value ${handle}, and no data were given`, { hostCode });
    return after(this.#services.askRead(handle), (attError) => {
      if (attError) throw errors.create("EIO", `${what}: the handler refuses the value ${handle}`, { hostCode, attError });
      return values.get(handle);
    });
  }

  #line(connection: Connection): Line {
    let line = this.#lines.get(connection);
    if (!line) {
      line = { current: undefined, waiting: [] };
      this.#lines.set(connection, line);
    }
    return line;
  }

  #next(connection: Connection, line: Line): void {
    const { att } = connection;
    while (!line.current && !att.refusal) {
      const next = line.waiting.shift();
      if (!next) return;
      const data = next.data ?? this.#wanted(connection, next);
      if (!data) continue;
      line.current = next;
      att.indicate(att.valueFrame(AttOpcode.HandleValueInd, next.valueHandle, data)).then(
        () => this.#settle(connection, line, next, Status.Success),
        (error: unknown) => {
          // Everything else is the end of the link, which settles what is left.
          if (error instanceof AttTimeoutError) this.#settle(connection, line, next, Status.TimedOut);
        },
      );
    }
  }

  /** The value now, if the client still wants to hear of it. */
  #wanted({ gattPeer }: Connection, { valueHandle }: Indication): Uint8Array | undefined {
    const isWanted = this.#services.characteristic(valueHandle)?.configuredBy(gattPeer).indicate;
    return isWanted ? this.#services.values.get(valueHandle) : undefined;
  }

  #settle(connection: Connection, line: Line, indication: Indication, status: number): void {
    if (line.current !== indication) return;
    line.current = undefined;
    this.#tell(connection, indication, status);
    this.#next(connection, line);
  }

  #tell(connection: Connection, { valueHandle }: Indication, status: number): void {
    const { handle: connHandle } = connection;
    this.#activation.dispatcher.raise(createEvent("gattsIndicateDone", { connHandle, valueHandle, status }), connection);
  }

  /** What was accepted and has not been confirmed is told; what would have been an update has not been promised to anybody. */
  #onLinkEnd(connection: Connection): void {
    const line = this.#lines.get(connection);
    if (!line) return;
    const { current } = line;
    this.#lines.delete(connection);
    const owed = line.waiting.splice(0).filter(({ data }) => data !== undefined);
    line.current = undefined;
    for (const indication of current ? [current, ...owed] : owed) this.#tell(connection, indication, Status.NotConnected);
  }
}
