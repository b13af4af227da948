import type { Address } from "../core/address.ts";
import type { Connection, Device, DeviceConnectOptions } from "../device/index.ts";
import type { ServiceChange } from "../gatt/index.ts";
import type { Blocked } from "./blocklist.ts";
import { domError } from "./dom-error.ts";
import type { TreeTarget } from "./event-tree.ts";
import { claimLink, releaseLink } from "./links.ts";
import { serviceInstance, type WebService } from "./remote-service.ts";
import { atLeastOne, GattSession, promised } from "./session.ts";
import type { BluetoothDevice, BluetoothRemoteGATTServer, BluetoothRemoteGATTService, BluetoothUuidLike } from "./types.ts";
import { BluetoothUUID, fullUuid } from "./uuid.ts";

export interface WebServerParts {
  /** The own host. */
  readonly host: Device;
  readonly device: BluetoothDevice & TreeTarget;
  readonly blocked: Blocked;
  readonly isExclusive: boolean;
  readonly connect: DeviceConnectOptions;
  /** Nothing once the device is forgotten. */
  readonly address: () => Address | undefined;
  /** Whether the program was given this service. */
  readonly mayUse: (service: string) => boolean;
  readonly onConnected: (connection: Connection) => void;
}

/** The session, with what is to be taken down at its end. */
interface Running {
  readonly session: GattSession;
  readonly listeners: Disposable[];
  /** Services that the program has seen, by their handles. */
  readonly shown: Map<number, { readonly object: WebService; readonly endHandle: number }>;
  /** The peer was asked to say when its services change. */
  watch: Promise<void> | undefined;
}

/** `BluetoothRemoteGATTServer`: a connection that the program holds as long as it is connected. */
export class WebServer implements BluetoothRemoteGATTServer {
  readonly device: BluetoothDevice;
  readonly #parts: WebServerParts;
  #running: Running | undefined;
  #attempt: { readonly abort: AbortController; readonly outcome: Promise<BluetoothRemoteGATTServer> } | undefined;

  constructor(parts: WebServerParts) {
    this.#parts = parts;
    this.device = parts.device;
  }

  get connected(): boolean {
    return this.#running !== undefined;
  }

  connect(): Promise<BluetoothRemoteGATTServer> {
    if (this.#running) return Promise.resolve(this);
    if (!this.#attempt) {
      const abort = new AbortController();
      const outcome = this.#connect(abort.signal).finally(() => {
        if (this.#attempt?.abort === abort) this.#attempt = undefined;
      });
      this.#attempt = { abort, outcome };
    }
    return this.#attempt.outcome;
  }

  async #connect(signal: AbortSignal): Promise<BluetoothRemoteGATTServer> {
    const { host, address, connect } = this.#parts;
    const peer = address();
    if (!peer) throw domError("NetworkError", "this device was forgotten");
    let connection: Connection;
    try {
      connection = await claimLink(host, peer, connect, signal);
    } catch (error) {
      throw signal.aborted ? signal.reason : domError("NetworkError", `connecting failed: ${String(error)}`, error);
    }
    await connection.gatt.exchangeMtu({ signal }).catch(() => undefined); // a peer that refuses has the smallest
    const refusal = this.#refusal(connection, signal);
    if (refusal) {
      releaseLink(connection);
      throw refusal;
    }
    this.#begin(connection);
    return this;
  }

  #refusal(connection: Connection, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (connection.ended) return domError("NetworkError", "the link was lost as soon as it was there", connection.ended);
    return this.#parts.address() ? undefined : domError("NetworkError", "this device was forgotten");
  }

  #begin(connection: Connection): void {
    const { blocked, isExclusive } = this.#parts;
    const session = new GattSession(connection, { blocked, isExclusive, isConnected: () => this.connected });
    const running: Running = { session, listeners: [], shown: new Map(), watch: undefined };
    running.listeners.push(
      connection.on("disconnected", () => this.#end(running)),
      connection.gatt.onServiceChanged((change) => void this.#onServiceChanged(running, change).catch(() => undefined)),
    );
    this.#running = running;
    this.#parts.onConnected(connection);
  }

  disconnect(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.outcome.catch(() => undefined);
    attempt?.abort.abort(domError("AbortError", "the program gave up connecting"));
    if (this.#running) this.#end(this.#running);
  }

  #end(running: Running): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    for (const listener of running.listeners) listener[Symbol.dispose]();
    running.session.end();
    releaseLink(running.session.connection);
    this.#parts.device.dispatchEvent(new Event("gattserverdisconnected", { bubbles: true }));
  }

  getPrimaryService(service: BluetoothUuidLike): Promise<BluetoothRemoteGATTService> {
    return promised(async () => (await this.#services(BluetoothUUID.getService(service), true))[0]!);
  }
  getPrimaryServices(service?: BluetoothUuidLike): Promise<BluetoothRemoteGATTService[]> {
    return promised(() => this.#services(service === undefined ? undefined : BluetoothUUID.getService(service), false));
  }

  async #services(uuid: string | undefined, isSingle: boolean): Promise<BluetoothRemoteGATTService[]> {
    const { blocked, mayUse, device } = this.#parts;
    if (uuid !== undefined && !mayUse(uuid))
      throw domError("SecurityError", `service ${uuid} was not asked for: put it in filters or optionalServices of requestDevice`);
    if (uuid !== undefined && blocked.all(uuid)) throw domError("SecurityError", `service ${uuid} is on the blocklist`);
    const running = this.#running;
    if (!running) throw domError("NetworkError", "the GATT server is disconnected: connect first");
    const { session } = running;
    return await session.run("discover", async () => {
      const { gatt } = session.connection;
      // Before anything is found; a peer without Service Changed never changes.
      running.watch ??= gatt.watchServiceChanged().catch(() => undefined);
      await running.watch;
      const found = (await gatt.services(uuid === undefined ? {} : { uuid })).filter((one) => {
        const full = fullUuid(one.uuid);
        return !blocked.all(full) && mayUse(full);
      });
      const shown = atLeastOne(`service ${uuid ?? ""}`, isSingle ? found.slice(0, 1) : found);
      return await Promise.all(
        shown.map(async (one) => {
          const object = await serviceInstance(session, device, one);
          running.shown.set(one.handle, { object, endHandle: one.endHandle });
          return object;
        }),
      );
    });
  }

  /** Asks again for what changed, and tells: what is gone on the old object, what is new or another one now on the new object. */
  async #onServiceChanged(running: Running, { startHandle, endHandle }: ServiceChange): Promise<void> {
    const { session, shown } = running;
    const { blocked, mayUse, device } = this.#parts;
    const touched = [...shown].filter(([handle, known]) => handle <= endHandle && known.endHandle >= startHandle);
    for (const [handle, known] of touched) {
      shown.delete(handle);
      session.forget(handle, known.endHandle);
    }
    if (!running.watch) return; // nothing has been found yet
    const present = await session.run("discover", () => session.connection.gatt.services());
    const tell = (type: string, object: WebService): boolean => object.dispatchEvent(new Event(type, { bubbles: true }));
    const before = new Map(touched);
    const after = present.filter(({ handle, endHandle: last, uuid }) => {
      const full = fullUuid(uuid);
      return handle <= endHandle && last >= startHandle && !blocked.all(full) && mayUse(full);
    });
    for (const [handle, { object }] of before)
      if (!after.some((one) => one.handle === handle && fullUuid(one.uuid) === object.uuid)) tell("serviceremoved", object);
    for (const one of after) {
      const object = await serviceInstance(session, device, one);
      if (session.isOver) return;
      shown.set(one.handle, { object, endHandle: one.endHandle });
      tell(before.get(one.handle)?.object.uuid === object.uuid ? "servicechanged" : "serviceadded", object);
    }
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothRemoteGATTServer";
  }
}
