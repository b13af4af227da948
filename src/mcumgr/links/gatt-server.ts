import { callOut } from "../../async/call-out.ts";
import { checkChoice, checkFunction, checkOptions, optionNames } from "../../core/arguments.ts";
import { type BleError, ClosedError, StateError } from "../../core/error.ts";
import type { Connection, Device } from "../../device/index.ts";
import type { AttributePermissions, GattPeer, LocalCharacteristic } from "../../gatt/index.ts";
import { BleLink, type BleLinkOptions, type BleMcumgrPort, fillingLength, MCUMGR_CHARACTERISTIC, MCUMGR_SERVICE } from "./ble.ts";
import type { McumgrLink } from "./link.ts";

export interface GattMcumgrServerOptions {
  /** A peer has subscribed, or written. The link ends when the peer goes or subscribes no more; closing it disconnects the peer. */
  readonly onLink: (link: McumgrLink, peer: GattPeer) => void;
  /** What a peer must prove; nothing by default. A server as it is built by default wants `{ write: "authenticated", subscribe: "authenticated" }`. */
  readonly permissions?: AttributePermissions | undefined;
  /** "server" (default) joins writes as a server that was built to; "whole" takes each write for a message, as one that was not. */
  readonly joining?: "server" | "whole" | undefined;
  /** Octets of the longest message; the first piece of a longer one is dropped. */
  readonly limit?: number | undefined;
}

const OPTIONS = optionNames<GattMcumgrServerOptions>({ onLink: true, permissions: true, joining: true, limit: true });

/**
 * Puts the mcumgr service into the device's GATT server. Each peer that uses it is a link. Disposing it takes the service out again.
 *
 * @throws {ArgumentError}
 */
export function serveMcumgrOverGatt(device: Device, options: GattMcumgrServerOptions): Disposable {
  checkOptions("serveMcumgrOverGatt", options ?? null, OPTIONS);
  const { onLink, permissions, joining = "server", limit } = options;
  checkFunction("serveMcumgrOverGatt: onLink", onLink ?? null);
  checkChoice("serveMcumgrOverGatt: joining", joining, ["server", "whole"]);
  const linkOptions: BleLinkOptions = { clock: device.clock, joining, ...(limit === undefined ? {} : { limit }) };
  const ports = new Map<GattPeer, PeerPort>();
  const portOf = (peer: GattPeer): PeerPort | undefined => {
    const known = ports.get(peer);
    if (known) return known;
    const connection = device.links.find(({ gattPeer }) => gattPeer === peer);
    if (!connection) return undefined; // it is gone already
    const port = new PeerPort(connection, peer, characteristic, () => ports.delete(peer));
    ports.set(peer, port);
    callOut(onLink, new BleLink(port, linkOptions), peer);
    return port;
  };
  const service = device.gattServer.addService({
    uuid: MCUMGR_SERVICE,
    characteristics: [
      {
        uuid: MCUMGR_CHARACTERISTIC,
        properties: ["write-without-response", "notify"],
        ...(permissions && { permissions }),
        write: (value, { peer }) => portOf(peer)?.take(value),
        onSubscription: (peer, { notify }) => {
          if (notify) portOf(peer);
          else ports.get(peer)?.end(new ClosedError("the peer does not listen any more"));
        },
      },
    ],
  });
  const characteristic = service.characteristics[0]!;
  return {
    [Symbol.dispose]: () => {
      for (const port of [...ports.values()]) port.end(new ClosedError("the service was taken out"));
      device.gattServer.removeService(service);
    },
  };
}

/** One peer at the own characteristic. */
class PeerPort implements BleMcumgrPort {
  readonly target: string;
  onValue: ((value: Uint8Array) => void) | undefined;
  onClose: ((reason: BleError) => void) | undefined;
  readonly #connection: Connection;
  readonly #peer: GattPeer;
  readonly #characteristic: LocalCharacteristic;
  readonly #onEnd: () => void;
  readonly #listener: Disposable;
  #reason: BleError | undefined;

  constructor(connection: Connection, peer: GattPeer, characteristic: LocalCharacteristic, onEnd: () => void) {
    this.target = `${connection.peerIdentity}`;
    this.#connection = connection;
    this.#peer = peer;
    this.#characteristic = characteristic;
    this.#onEnd = onEnd;
    this.#listener = connection.on("disconnected", (error) => this.end(error));
  }

  get maxWriteLength(): number {
    return this.#connection.att.txLimit - 3;
  }
  get fragmentLength(): number {
    return fillingLength(this.maxWriteLength, this.#connection.dataLength.txOctets);
  }

  take(value: Uint8Array): void {
    callOut(this.onValue, value);
  }

  async write(value: Uint8Array): Promise<void> {
    if (this.#reason) throw this.#reason;
    try {
      await this.#characteristic.notify(value, { to: this.#peer });
    } catch (error) {
      if (!(error instanceof StateError)) throw error; // who has not subscribed gets no answer
    }
  }

  /** Called once at most: the listener and the map forget it. */
  end(reason: BleError): void {
    if (this.#reason) return;
    this.#leave(reason);
    callOut(this.onClose, reason);
  }

  /** Disconnects, behind the caller's back: a server that is reset is not there any more, and its client has to hear of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#reason) return;
    this.#leave(new ClosedError(`the link to ${this.target} was closed`));
    this.#connection.disconnect().catch(() => undefined); // it goes by itself perhaps
  }

  #leave(reason: BleError): void {
    this.#reason = reason;
    this.#listener[Symbol.dispose]();
    this.#onEnd();
  }
}
