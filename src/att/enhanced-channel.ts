import type { Clock } from "../async/clock.ts";
import { type OperationOptions, Pending, type WaitOptions } from "../async/pending.ts";
import type { BleError } from "../core/error.ts";
import { PDU_OFFSET, type PduChannel } from "../l2cap/channel.ts";
import type { CreditBasedChannel } from "../l2cap/channels/channel.ts";
import { ignoreLoss } from "./departure.ts";

/** PDUs that may wait for credits. A client that keeps to one request and one indication at a time never makes so many. */
const MOST_WAITING = 64;
/** A peer that takes nothing for as long as a transaction may last does not answer either (Vol 3 Part F 3.3.3). */
const STALL_MS = 30_000;

/**
 * The channel of an enhanced ATT bearer (Vol 3 Part F 3.2.11): one SDU is one PDU. A peer that asks and takes no answers loses the channel, so
 * that nothing waits for it for ever and what waits is bounded.
 */
export class EnhancedChannel implements PduChannel {
  onPdu: PduChannel["onPdu"];
  onClose: PduChannel["onClose"];
  readonly channel: CreditBasedChannel;
  readonly #clock: Clock;
  /** PDUs that were ever queued. */
  #queued = 0;
  /** Resolves when the last of them has gone. */
  #last: Promise<void> = Promise.resolve();
  #stall: Disposable | undefined;

  constructor(channel: CreditBasedChannel, clock: Clock) {
    this.channel = channel;
    this.#clock = clock;
    channel.on("closed", (reason) => this.#onClosed(reason));
  }

  /** What has come, and comes, is delivered: to be called when everybody is there who takes it. */
  begin(): void {
    const { ended } = this.channel;
    if (ended) this.#onClosed(ended);
    else this.channel.onSdu = (sdu) => this.onPdu?.(sdu, 0, sdu.length);
  }

  #onClosed(reason: BleError): void {
    this.#stall?.[Symbol.dispose]();
    this.#stall = undefined;
    const { onClose } = this;
    this.onClose = undefined;
    onClose?.(reason);
  }

  allocate(length: number): Uint8Array {
    return new Uint8Array(PDU_OFFSET + length);
  }

  sendFrame(frame: Uint8Array): void {
    this.#send(frame.subarray(PDU_OFFSET));
  }

  send(pdu: Uint8Array): void {
    this.#send(pdu.slice());
  }

  #send(pdu: Uint8Array): void {
    const { channel } = this;
    if (channel.ended) return;
    if (channel.waiting >= MOST_WAITING) {
      void channel.close();
      return;
    }
    const sent = channel.send(pdu);
    sent.catch(ignoreLoss);
    this.#queued++;
    if (channel.waiting === 0) return;
    this.#last = sent;
    if (!this.#stall) this.#watch();
  }

  /** As long as something waits: has something gone since the last look? */
  #watch(): void {
    const { channel } = this;
    const gone = this.#queued - channel.waiting;
    this.#stall = this.#clock.setTimer(STALL_MS, "credits for an ATT bearer", () => {
      this.#stall = undefined;
      if (channel.ended || channel.waiting === 0) return;
      if (this.#queued - channel.waiting > gone) this.#watch();
      else void channel.close();
    });
  }

  get writable(): boolean {
    return this.channel.writable;
  }

  get waiting(): number {
    return this.channel.waiting;
  }

  get idle(): boolean {
    return this.channel.waiting === 0;
  }

  whenWritable(options: OperationOptions = {}): Promise<void> {
    return this.channel.whenWritable(options);
  }

  /** Resolves when everything queued so far was handed to the controller's queue. */
  whenSent(options: WaitOptions = {}): Promise<void> {
    const pending = new Pending<void>({ clock: this.#clock, operation: "waiting for a PDU to leave", ...options });
    this.#last.then(
      () => pending.resolve(),
      (error: unknown) => pending.reject(error),
    );
    return pending.promise;
  }
}
