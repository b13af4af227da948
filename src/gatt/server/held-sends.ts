import type { BleError } from "../../core/error.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";

/** Notifications and indications of one client's handlers that may wait for their responses. */
const CAPACITY = 256;

const NOTHING: readonly number[] = [];
const NONE: readonly Hold[] = [];

/** What is held: `send` judges it once more, `drop` tells whoever waits for it that it never leaves. */
export interface HeldSend {
  readonly characteristic: LocalCharacteristic;
  send(): void;
  drop(reason: BleError): void;
}

/** What waits for the response to one request. Each bearer of a client has one request at a time. */
export class Hold {
  everything = false;
  services = NOTHING;
  sends: HeldSend[] = [];

  concerns(characteristic: LocalCharacteristic): boolean {
    return this.everything || this.services.includes(characteristic.serviceHandle) || this.has(characteristic);
  }

  has(characteristic: LocalCharacteristic): boolean {
    return this.sends.some((held) => held.characteristic === characteristic);
  }
}

/**
 * Keeps what a handler notifies until the response to its request has left, so that a peer sees the answer to its write before anything
 * the write caused. While a handler runs on in the background, only the services being written are held: all others pass.
 */
export class HeldSends {
  /** In the order in which their handlers began. */
  #holds = NONE;
  #size = 0;

  get isIdle(): boolean {
    return this.#holds.length === 0;
  }
  get isFull(): boolean {
    return this.#size >= CAPACITY;
  }

  /** A handler is called: whatever is sent now is its doing. */
  begin(hold: Hold): void {
    hold.everything = true;
    if (this.#holds.length === 0) this.#holds = [hold];
    else if (!this.#holds.includes(hold)) this.#holds = [...this.#holds, hold];
  }

  /** The handler goes on in the background, writing to `services`. */
  continueInBackground(hold: Hold, services: readonly number[]): void {
    hold.everything = false;
    hold.services = services;
    if (services.length === 0) this.release(hold);
  }

  mustHold(characteristic: LocalCharacteristic): boolean {
    return this.#holds.some((hold) => hold.concerns(characteristic));
  }

  push(held: HeldSend): void {
    const { characteristic } = held;
    // A characteristic that has something held keeps its order.
    const hold = this.#holds.find((each) => each.has(characteristic)) ?? this.#holds.find((each) => each.concerns(characteristic));
    if (!hold) {
      held.send();
      return;
    }
    hold.sends.push(held);
    this.#size++;
  }

  /** The response has left. What another request holds too waits for that one. */
  release(hold: Hold): void {
    for (const held of this.#take(hold)) this.push(held);
  }

  /** The session is over. */
  close(reason: BleError): void {
    for (const hold of this.#holds) for (const held of this.#take(hold)) held.drop(reason);
  }

  #take(hold: Hold): HeldSend[] {
    hold.everything = false;
    hold.services = NOTHING;
    if (this.#holds.length === 0) return hold.sends;
    this.#holds = this.#holds.length === 1 && this.#holds[0] === hold ? NONE : this.#holds.filter((each) => each !== hold);
    if (hold.sends.length === 0) return hold.sends;
    const { sends } = hold;
    hold.sends = [];
    this.#size -= sends.length;
    return sends;
  }
}
