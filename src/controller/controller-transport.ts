import { TransportBase } from "../hci/base-transport.ts";
import type { TransportClosed } from "../hci/transport.ts";

/** Packets of the host that may wait; they are taken in the next microtask, so only a host that never pauses gets here. */
const INPUT_CAPACITY = 4096;

export interface ControllerTransportOwner {
  onHostPacket(packet: Uint8Array): void;
  /** The host closed, or was closed. */
  onReleased(): void;
}

/** What a host in this process opens to get a virtual controller. */
export class ControllerTransport extends TransportBase {
  readonly #owner: ControllerTransportOwner;
  #input = 0;

  constructor(info: { spec: string; address: string }, owner: ControllerTransportOwner) {
    super(info);
    this.#owner = owner;
  }

  get isClosed(): boolean {
    return this.isOver;
  }

  send(packet: Uint8Array): void {
    if (this.isOver || this.#input >= INPUT_CAPACITY) return;
    this.#input++;
    this.#owner.onHostPacket(packet);
  }

  /** The controller took one of the packets. */
  taken(): void {
    if (this.#input-- === INPUT_CAPACITY / 4) this.onWritable?.();
  }

  get writable(): boolean {
    return this.#input < INPUT_CAPACITY / 4;
  }

  /** A packet of the controller. */
  receive(packet: Uint8Array): void {
    this.deliver(packet);
  }

  /** The controller is gone. */
  close(reason: TransportClosed): void {
    this.end(reason);
  }

  protected release(): void {
    this.#owner.onReleased();
  }
}
