import { FrameQueue } from "../hci/frame-queue.ts";

/** What may wait on one link. */
const MOST_PDUS = 1024;
const MOST_OCTETS = 1024 * 1024;

/** What the gate does with the PDUs it lets go. */
export interface LinkGateOptions {
  /** A PDU as it came, basic L2CAP header first. */
  readonly deliver: (pdu: Uint8Array) => void;
  /** The same of one that has waited for the event of an encryption already. */
  readonly deliverHeld: (pdu: Uint8Array) => void;
  /** Whether PDUs take the way through the gate has changed. */
  readonly onChange: () => void;
  /** More waits than may. */
  readonly onOverflow: (problem: string) => void;
}

/** Keeps what arrives on a link while its owner is busy with what came before, and lets it go in order. */
export class LinkGate {
  readonly #options: LinkGateOptions;
  #pauses = 0;
  #draining = false;
  #closed = false;
  /** Those that HeldPdus gave back while the gate was closed: they came before everything in `#pdus`. */
  readonly #held = new FrameQueue();
  readonly #pdus = new FrameQueue();
  #octets = 0;

  constructor(options: LinkGateOptions) {
    this.#options = options;
  }

  /** What arrives has to be handed to `keep`. */
  get isActive(): boolean {
    return this.#draining || this.isShut;
  }

  /** Nothing is to be delivered now; with a gap in it, never again. */
  get isShut(): boolean {
    return this.#pauses > 0 || this.#closed;
  }

  /** Until every pause is disposed. */
  pause(): Disposable {
    this.#pauses++;
    this.#options.onChange();
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#pauses--;
        this.#drain();
      },
    };
  }

  /** A PDU arrives. */
  keep(bytes: Uint8Array, offset: number, end: number): void {
    this.#push(this.#pdus, bytes.slice(offset, end));
  }

  /** A PDU that has waited for the event of an encryption, and came before what is kept. */
  keepHeld(pdu: Uint8Array): void {
    this.#push(this.#held, pdu);
  }

  /** Something waits that arrived, or is being delivered. */
  get hasWaiting(): boolean {
    return this.#draining || this.#held.length + this.#pdus.length > 0;
  }

  /** The link is gone. What waits is dropped. */
  close(): void {
    this.#closed = true;
    this.#held.clear();
    this.#pdus.clear();
    this.#octets = 0;
  }

  #push(queue: FrameQueue, pdu: Uint8Array): void {
    if (this.#closed) return;
    if (this.#held.length + this.#pdus.length >= MOST_PDUS || this.#octets + pdu.length > MOST_OCTETS) {
      this.close();
      this.#options.onOverflow("more data waits on a paused link than may wait");
      return;
    }
    this.#octets += pdu.length;
    queue.push(pdu);
  }

  #drain(): void {
    if (this.#draining) return; // a pause that ended inside a delivery: the loop below goes on
    this.#draining = true;
    while (!this.isShut) {
      const queue = this.#held.first ? this.#held : this.#pdus;
      const pdu = queue.first;
      if (!pdu) break;
      queue.shift();
      this.#octets -= pdu.length;
      if (queue === this.#held) this.#options.deliverHeld(pdu);
      else this.#options.deliver(pdu);
    }
    this.#draining = false;
    this.#options.onChange();
  }
}
