import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import type { HciTransport, TransportClosed } from "../hci/index.ts";
import type { Calls } from "./calls.ts";

/**
 * Sees every HCI packet, H4 packet type first: "sent" to the controller or "received" from it, and when, in milliseconds of the device's
 * clock. The octets belong to the stack: copy what is kept. Packets hold keys. `cause` is the program's call that the packet comes from, where that is
 * known: "device.connect(C0:11:22:33:44:55/random)", "gatt.read 0x0012"; it holds addresses, never values. What it throws is thrown again in a turn of its own; the
 * packet goes its way.
 */
export type Capture = (direction: "sent" | "received", packet: Uint8Array, timeMs: number, cause?: string) => void;

/** A transport that shows every packet to `capture` on its way. */
export class CapturedTransport implements HciTransport {
  readonly #transport: HciTransport;
  readonly #capture: Capture;
  readonly #clock: Clock;
  readonly #calls: Calls | undefined;
  #onPacket: ((packet: Uint8Array) => void) | undefined;

  constructor(transport: HciTransport, capture: Capture, clock: Clock, calls?: Calls) {
    this.#transport = transport;
    this.#capture = capture;
    this.#clock = clock;
    this.#calls = calls;
  }

  get info(): HciTransport["info"] {
    return this.#transport.info;
  }
  get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return this.#onPacket;
  }
  set onPacket(onPacket: ((packet: Uint8Array) => void) | undefined) {
    this.#onPacket = onPacket;
    this.#transport.onPacket =
      onPacket &&
      ((packet) => {
        this.#show("received", packet);
        onPacket(packet);
      });
  }
  get onClose(): ((reason: TransportClosed) => void) | undefined {
    return this.#transport.onClose;
  }
  set onClose(onClose: ((reason: TransportClosed) => void) | undefined) {
    this.#transport.onClose = onClose;
  }
  get writable(): boolean {
    return this.#transport.writable;
  }
  get onWritable(): (() => void) | undefined {
    return this.#transport.onWritable;
  }
  set onWritable(onWritable: (() => void) | undefined) {
    this.#transport.onWritable = onWritable;
  }

  /** Gives on what the transport's own `send` gives: nothing, or the promise of one that is `async`. */
  send(packet: Uint8Array): unknown {
    this.#show("sent", packet);
    return this.#transport.send(packet);
  }

  #show(direction: "sent" | "received", packet: Uint8Array): void {
    const cause = this.#calls?.causeOf(direction, packet);
    if (cause === undefined) callOut(this.#capture, direction, packet, this.#clock.now());
    else callOut(this.#capture, direction, packet, this.#clock.now(), cause);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#transport[Symbol.asyncDispose]();
  }
}
