import { rethrowLater } from "../async/call-out.ts";
import { AirEvent, type Scheduler } from "./scheduler.ts";

/** After so many deliveries in a row without a timer the event loop gets a turn, so that real I/O is not starved by a busy simulation. */
const LONGEST_RUN = 4096;

/** Where a host's packets go. */
export type Receiver = (packet: Uint8Array) => void;

/** A microtask by way of it costs half of what `queueMicrotask` does in Node. */
const settled = Promise.resolve();

/**
 * What hosts hand to their controllers, in order of arrival. It is handled in a microtask: never inside the host's own call, never later
 * than the present moment of a virtual clock.
 */
export class Mailbox {
  readonly #scheduler: Scheduler;
  /** The first `#count` of them wait. Filled and emptied in turn with another pair, so that nothing is made for a packet. */
  #receivers: (Receiver | undefined)[] = [];
  #packets: (Uint8Array | undefined)[] = [];
  #count = 0;
  #otherReceivers: (Receiver | undefined)[] = [];
  #otherPackets: (Uint8Array | undefined)[] = [];
  #runs = 0;
  readonly #later: AirEvent;
  readonly #deliver = (): void => this.#drain();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#later = new AirEvent(() => {
      scheduler.giveTurn();
      this.#drain();
    });
  }

  post(receiver: Receiver, packet: Uint8Array): void {
    const at = this.#count++;
    this.#receivers[at] = receiver;
    this.#packets[at] = packet;
    if (at > 0) return;
    if (++this.#runs % LONGEST_RUN === 0) this.#scheduler.set(this.#later, this.#scheduler.nowUs);
    else void settled.then(this.#deliver);
  }

  #drain(): void {
    try {
      this.#scheduler.catchUp();
    } catch (error) {
      rethrowLater(error);
    }
    const count = this.#count;
    const receivers = this.#receivers;
    const packets = this.#packets;
    this.#receivers = this.#otherReceivers;
    this.#packets = this.#otherPackets;
    this.#count = 0; // what is posted from now on waits for the next microtask
    for (let at = 0; at < count; at++) {
      const receiver = receivers[at]!;
      const packet = packets[at]!;
      receivers[at] = undefined;
      packets[at] = undefined;
      try {
        receiver(packet);
      } catch (error) {
        // One controller's fault, or a hook's, must not swallow what others were sent.
        rethrowLater(error);
      }
    }
    this.#otherReceivers = receivers;
    this.#otherPackets = packets;
  }
}
