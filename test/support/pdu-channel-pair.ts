import type { Clock } from "../../src/async/clock.ts";
import { type OperationOptions, Pending } from "../../src/async/pending.ts";
import { VirtualClock } from "../../src/async/virtual-clock.ts";
import type { BleError } from "../../src/core/error.ts";
import { PDU_OFFSET, type PduChannel } from "../../src/l2cap/channel.ts";

/** One end of a channel in memory. What it sends arrives at the other end within the call, unless a test holds it back. */
export class FakeChannel implements PduChannel {
  onPdu: PduChannel["onPdu"];
  onClose: PduChannel["onClose"];
  peer: FakeChannel | undefined;
  /** Every PDU sent, in order. */
  readonly sent: Uint8Array[] = [];
  /** Decides what becomes of a PDU: true delivers it. */
  filter: ((pdu: Uint8Array) => boolean) | undefined;
  #writable = true;
  #waiting: Pending<void>[] = [];
  /** Of what waits on the channel. */
  clock: Clock = new VirtualClock({ auto: false });
  #closed: BleError | undefined;

  allocate(length: number): Uint8Array {
    return new Uint8Array(PDU_OFFSET + length);
  }

  send(pdu: Uint8Array): void {
    const frame = this.allocate(pdu.length);
    frame.set(pdu, PDU_OFFSET);
    this.sendFrame(frame);
  }

  sendFrame(frame: Uint8Array): void {
    if (this.#closed) return;
    const pdu = frame.slice(PDU_OFFSET);
    this.sent.push(pdu);
    if (this.filter && !this.filter(pdu)) return;
    this.peer?.onPdu?.(frame, PDU_OFFSET, frame.length);
  }

  /** A PDU arrives at this end, whoever sent it. Junk around it shows whoever reads beyond its bounds. */
  receive(pdu: Uint8Array): void {
    const bytes = new Uint8Array(pdu.length + 16).fill(0xaa);
    bytes.set(pdu, 7);
    this.onPdu?.(bytes, 7, 7 + pdu.length);
  }

  /** False: what is sent has not left before `leave` is called. */
  idle = true;
  waiting = 0;
  #leaving: Pending<void>[] = [];

  /** What was sent has left. */
  leave(): void {
    this.idle = true;
    for (const pending of this.#leaving.splice(0)) pending.resolve();
  }

  get writable(): boolean {
    return this.#writable;
  }
  set writable(writable: boolean) {
    this.#writable = writable;
    if (writable) for (const pending of this.#waiting.splice(0)) pending.resolve();
  }

  whenWritable(options: OperationOptions = {}): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#writable) return Promise.resolve();
    const pending = new Pending<void>({ clock: this.clock, operation: "writable", ...options });
    this.#waiting.push(pending);
    return pending.promise;
  }

  whenSent(options: OperationOptions = {}): Promise<void> {
    if (this.idle) return Promise.resolve();
    const pending: Pending<void> = new Pending<void>({ clock: this.clock, operation: "sent", ...options });
    this.#leaving.push(pending);
    return pending.promise;
  }

  close(reason: BleError): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const pending of [...this.#waiting.splice(0), ...this.#leaving.splice(0)]) pending.reject(reason);
    this.onClose?.(reason);
  }
}

export function createChannelPair(): [FakeChannel, FakeChannel] {
  const left = new FakeChannel();
  const right = new FakeChannel();
  left.peer = right;
  right.peer = left;
  return [left, right];
}
