import { callOut, rethrowLater } from "../../async/call-out.ts";
import { Semaphore } from "../../async/semaphore.ts";
import { AttError, InsufficientSecurityError } from "../../att/error.ts";
import { TRANSACTION_TIMEOUT_MS } from "../../att/opcode.ts";
import type { SecurityRequirement } from "../../att/security.ts";
import { ownOctets } from "../../bytes/copy-octets.ts";
import type { ClientContext, ValueSink } from "./context.ts";
import type { GattOperationOptions, InternalOptions } from "./options.ts";

export const NOTIFICATIONS = 1;
export const INDICATIONS = 2;

/** Someone who wants the values of a characteristic. */
export interface ValueListener {
  /** NOTIFICATIONS, INDICATIONS or both: the bits of the CCCD. */
  readonly kinds: number;
  /** What the link must have for a value to be delivered. */
  readonly security: SecurityRequirement | undefined;
  deliver(value: Uint8Array): void;
  /** No more will come. */
  end(error: unknown): void;
}

const UNKNOWN = -1;
/** Values kept while it is not known whose they are. */
const MOST_HELD = 64;

/**
 * The listeners of one characteristic, and its Client Characteristic Configuration: on while someone listens, off when the last one has
 * left.
 */
export class CharacteristicSubscriptions implements ValueSink {
  readonly #context: ClientContext;
  readonly #valueHandle: number;
  /** `undefined`: the characteristic has none. */
  readonly #findCccd: (options: GattOperationOptions) => Promise<number | undefined>;
  readonly #lock: Semaphore;
  #listeners: ValueListener[] = [];
  /** What the peer's CCCD holds by our doing. */
  #written = 0;
  #ended: { error: unknown } | undefined;
  #hasCccd = true;
  /** Values that came while the characteristic may be another one; `undefined` where it is known. */
  #held: { readonly value: Uint8Array; readonly indication: boolean }[] | undefined;

  constructor(context: ClientContext, valueHandle: number, findCccd: (options: GattOperationOptions) => Promise<number | undefined>) {
    this.#context = context;
    this.#valueHandle = valueHandle;
    this.#findCccd = findCccd;
    this.#lock = new Semaphore(context.requester.bearer.clock);
  }

  /** False once it was found that nothing can be configured: whatever the peer sends by itself is delivered. */
  get hasCccd(): boolean {
    return this.#hasCccd;
  }

  /** Values reach the listener from now on, even those that come before the peer has answered; resolves when it has. */
  async join(listener: ValueListener, options: GattOperationOptions): Promise<void> {
    this.#throwIfEnded();
    const { requester } = this.#context;
    const { refusal } = requester.bearer;
    if (refusal) throw refusal;
    if (!requester.isReady(options)) await requester.prepare(options);
    this.#throwIfEnded();
    // A new array each time, so that a loop that delivers is not disturbed.
    this.#listeners = [...this.#listeners, listener];
    this.#context.setSink(this.#valueHandle, this);
    try {
      await this.#configure(options);
    } catch (error) {
      this.leave(listener);
      throw error;
    }
  }

  /** Nothing reaches the listener any more. Where it was the last one the peer is told, behind the caller's back and bounded in time. */
  leave(listener: ValueListener): void {
    if (!this.#remove(listener)) return;
    const { bearer } = this.#context.requester;
    this.#configure({ timeoutMs: TRANSACTION_TIMEOUT_MS, security: listener.security, unattended: true }).catch((error: unknown) => {
      if (!bearer.refusal) bearer.logger.info(() => `unsubscribing from handle ${this.#valueHandle} failed: ${String(error)}`);
    });
  }

  /** As `leave`, and resolves when the peer has answered. @throws what a write of the CCCD throws */
  async leaveAndWait(listener: ValueListener, options: GattOperationOptions): Promise<void> {
    this.#remove(listener);
    if (!this.#ended) await this.#configure(options);
  }

  #throwIfEnded(): void {
    if (this.#ended) throw this.#ended.error;
  }

  #remove(listener: ValueListener): boolean {
    if (!this.#listeners.includes(listener)) return false;
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    if (this.#listeners.length === 0) this.#context.removeSink(this.#valueHandle, this);
    return true;
  }

  get #wanted(): number {
    let bits = 0;
    for (const { kinds } of this.#listeners) bits |= kinds;
    return bits;
  }

  /** Writes the CCCD until it holds what is wanted; whoever changed that meanwhile finds it done. */
  async #configure(options: InternalOptions): Promise<void> {
    const permit = await this.#lock.acquire(options, "waiting for a subscription to change");
    try {
      while (this.#hasCccd && this.#written !== this.#wanted && !this.#ended) {
        const cccd = await this.#findCccd(options);
        if (cccd === undefined) this.#doWithoutCccd();
        else await this.#write(cccd, this.#wanted, options);
      }
      this.#throwIfEnded();
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** Some peers send without being asked, and have no CCCD, though Vol 3 Part G 3.3.3.3 demands one. */
  #doWithoutCccd(): void {
    this.#hasCccd = false;
    this.#context.requester.bearer.logger.warn(
      () => `the characteristic with its value at ${this.#valueHandle} has no Client Characteristic Configuration: listening without it`,
    );
  }

  async #write(cccd: number, bits: number, options: InternalOptions): Promise<void> {
    const before = this.#written;
    this.#written = UNKNOWN; // until the peer has answered, whoever still waits for that
    try {
      await this.#context.values.write(cccd, Uint8Array.of(bits, 0), options);
      this.#written = bits;
    } catch (error) {
      if (error instanceof AttError || error instanceof InsufficientSecurityError) this.#written = before; // refused, or never sent
      throw error;
    }
  }

  onValue(bytes: Uint8Array, offset: number, end: number, indication: boolean): void {
    const value = ownOctets(bytes, offset, end);
    if (this.#held === undefined) this.#deliver(value, indication);
    else if (this.#held.push({ value, indication }) > MOST_HELD) this.#held.shift();
  }

  #deliver(value: Uint8Array, indication: boolean): void {
    const kind = indication ? INDICATIONS : NOTIFICATIONS;
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i]!;
      if ((listener.kinds & kind) === 0) continue;
      // One that was called before it may have ended it, or everything.
      if (this.#listeners !== listeners && !this.#listeners.includes(listener)) continue;
      if (listener.security !== undefined && !this.#context.requester.bearer.permits(listener.security)) continue;
      try {
        listener.deliver(value);
      } catch (error) {
        rethrowLater(error);
      }
    }
  }

  get isListenedTo(): boolean {
    return this.#listeners.length > 0;
  }

  /** What comes from now on may be another characteristic's: it is kept, the newest ones, until `resume` or `end`. */
  suspend(): void {
    this.#held ??= [];
  }

  /** It is the same characteristic: what was kept is delivered. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { value, indication } of held) this.#deliver(value, indication);
  }

  /** As `release`, and the peer is asked again for what is subscribed to. */
  resume(): void {
    this.release();
    this.#hasCccd = true;
    this.#written = this.#listeners.length > 0 ? UNKNOWN : 0;
    if (this.#listeners.length === 0) return;
    this.#configure({ timeoutMs: TRANSACTION_TIMEOUT_MS, unattended: true }).catch((error: unknown) => this.endAll(error));
  }

  /** As `end`; who subscribes later is a new listener. */
  endAll(error: unknown): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#held = undefined;
    this.#context.removeSink(this.#valueHandle, this);
    for (const listener of listeners) callOut(listener.end, error);
  }

  end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.endAll(error);
  }
}
