import type { BleError } from "../../core/error.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";

/** Notifications and indications of one handler that may wait for its response. */
const CAPACITY = 256;

const NOTHING: readonly number[] = [];

/** What is held: `send` judges it once more, `drop` tells whoever waits for it that it never leaves. */
export interface HeldSend {
  readonly characteristic: LocalCharacteristic;
  send(): void;
  drop(reason: BleError): void;
}

/**
 * Keeps what a handler notifies until the response to its request has left, so that a peer sees the answer to its write before anything
 * the write caused. While a handler runs on in the background, only the services being written are held: all others pass.
 */
export class HeldSends {
  #everything = false;
  #services = NOTHING;
  #sends: HeldSend[] = [];

  get isIdle(): boolean {
    return !this.#everything && this.#services.length === 0;
  }
  get isFull(): boolean {
    return this.#sends.length >= CAPACITY;
  }

  /** A handler is called: whatever is sent now is its doing. */
  begin(): void {
    this.#everything = true;
  }

  /** The handler goes on in the background, writing to `services`. */
  continueInBackground(services: readonly number[]): void {
    this.#everything = false;
    this.#services = services;
    if (services.length === 0) this.release();
  }

  mustHold(characteristic: LocalCharacteristic): boolean {
    if (this.#everything) return true;
    if (this.#services.length === 0) return false;
    // A characteristic that has something held keeps its order.
    return this.#services.includes(characteristic.serviceHandle) || this.#sends.some((held) => held.characteristic === characteristic);
  }

  push(held: HeldSend): void {
    this.#sends.push(held);
  }

  /** The response has left. */
  release(): void {
    for (const held of this.#take()) held.send();
  }

  /** The session is over. */
  close(reason: BleError): void {
    for (const held of this.#take()) held.drop(reason);
  }

  #take(): HeldSend[] {
    this.#everything = false;
    this.#services = NOTHING;
    if (this.#sends.length === 0) return this.#sends;
    const sends = this.#sends;
    this.#sends = [];
    return sends;
  }
}
