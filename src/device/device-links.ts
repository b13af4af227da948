import { Address, type AddressLike } from "../core/index.ts";
import type { GattPeer } from "../gatt/index.ts";
import type { DisconnectedError } from "../hci/index.ts";
import type { Connection } from "./connection.ts";

/** The links of one device, by the handles that the controller gave them. */
export class DeviceLinks {
  readonly #byHandle = new Map<number, Connection>();
  /** Links that are gone, with packets of theirs that are still to be looked at. */
  readonly #leaving = new Set<Connection>();

  /** Those that are there. */
  get present(): Connection[] {
    return [...this.#byHandle.values()];
  }

  /** Those and the ones that are gone, and whose end was not told yet. */
  get all(): Connection[] {
    return [...this.present, ...this.#leaving];
  }

  /** The one that events of the controller are about. */
  get(handle: number): Connection | undefined {
    return this.#byHandle.get(handle);
  }

  /** The one to this peer. @throws {ArgumentError} not an address */
  find(peer: AddressLike | GattPeer): Connection | undefined {
    if (isGattPeer(peer)) return this.present.find(({ gattPeer }) => gattPeer === peer || gattPeer.id === peer.id);
    const address = Address.from(peer);
    return this.present.find(({ peerAddress, peerIdentity }) => peerAddress.equals(address) || peerIdentity.equals(address));
  }

  add(connection: Connection): void {
    this.#byHandle.set(connection.handle, connection);
  }

  /** Whether the peer of another link than this has that identity. */
  isOnAnother(handle: number, identity: Address): boolean {
    return this.present.some((other) => other.handle !== handle && other.peerIdentity.equals(identity));
  }

  /** The controller says that the link is gone; it may give the handle to another one. */
  onGone(handle: number, error: DisconnectedError): void {
    const connection = this.#byHandle.get(handle);
    if (!connection) return;
    this.#byHandle.delete(handle);
    this.#leaving.add(connection);
    connection.onGone(error);
  }

  /** Its end is told. */
  delete(connection: Connection): void {
    this.#leaving.delete(connection);
    if (this.#byHandle.get(connection.handle) === connection) this.#byHandle.delete(connection.handle);
  }
}

function isGattPeer(peer: AddressLike | GattPeer): peer is GattPeer {
  return typeof peer === "object" && peer !== null && typeof (peer as Partial<GattPeer>).id === "string";
}
