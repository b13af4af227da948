import { rethrowLater } from "../async/call-out.ts";
import { AirEvent, type Scheduler } from "./scheduler.ts";

/** After so many deliveries in a row without a timer the event loop gets a turn, so that real I/O is not starved by a busy simulation. */
const LONGEST_RUN = 4096;

/**
 * What hosts hand to their controllers, in order of arrival. It is handled in a microtask: never inside the host's own call, never later
 * than the present moment of a virtual clock.
 */
export class Mailbox {
  readonly #scheduler: Scheduler;
  #receivers: ((packet: Uint8Array) => void)[] = [];
  #packets: Uint8Array[] = [];
  #scheduled = false;
  #runs = 0;
  readonly #later: AirEvent;
  readonly #deliver = (): void => this.#drain();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#later = new AirEvent(() => {
      scheduler.wake();
      this.#drain();
    });
  }

  post(receiver: (packet: Uint8Array) => void, packet: Uint8Array): void {
    this.#receivers.push(receiver);
    this.#packets.push(packet);
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (++this.#runs % LONGEST_RUN === 0) this.#scheduler.set(this.#later, this.#scheduler.nowUs);
    else queueMicrotask(this.#deliver);
  }

  #drain(): void {
    this.#scheduler.catchUp();
    const receivers = this.#receivers;
    const packets = this.#packets;
    this.#receivers = [];
    this.#packets = [];
    this.#scheduled = false; // what is posted from now on waits for the next microtask
    for (let i = 0; i < packets.length; i++) {
      try {
        receivers[i]!(packets[i]!);
      } catch (error) {
        // One controller's fault, or a hook's, must not swallow what others were sent.
        rethrowLater(error);
      }
    }
  }
}
