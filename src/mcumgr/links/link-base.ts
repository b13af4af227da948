import { callOut } from "../../async/call-out.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { type BleError, ClosedError } from "../../core/error.ts";
import { MessageTooLongError } from "../protocol/error.ts";
import type { McumgrLink, ServerBuffers } from "./link.ts";

/** Header of 8 octets and the longest payload that its length field can tell. */
export const LONGEST_MESSAGE = 8 + 0xffff;
/** Messages that may wait for an `onMessage` that has not been set yet; at more the oldest is lost, as in a server's buffers. */
const INBOX_CAPACITY = 64;

/**
 * What every link does the same way: messages that come before `onMessage` is set wait for it, the end is told once, and whoever closes the
 * link hears nothing more from it.
 */
export abstract class LinkBase implements McumgrLink {
  readonly info: McumgrLink["info"];
  abstract readonly isLossy: boolean;
  abstract readonly provenLimit: number;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #onClose: ((reason: BleError) => void) | undefined;
  #inbox: Uint8Array[] = [];
  #reason: BleError | undefined;
  #told = false;
  #released: Promise<void> | undefined;

  constructor(info: McumgrLink["info"]) {
    this.info = info;
  }

  abstract messageLimit(buffers: ServerBuffers | undefined): number;
  abstract send(message: Uint8Array, options?: OperationOptions): Promise<void>;
  abstract resynchronise(): void;
  /** Frees what the link holds and rejects what waits with `reason`; called once, at the end or on closing. */
  protected abstract release(reason: BleError): void | Promise<void>;

  get onMessage(): ((message: Uint8Array) => void) | undefined {
    return this.#onMessage;
  }
  set onMessage(handler: ((message: Uint8Array) => void) | undefined) {
    this.#onMessage = handler;
    if (!handler) return;
    for (const message of this.#inbox.splice(0)) callOut(handler, message);
  }

  get onClose(): ((reason: BleError) => void) | undefined {
    return this.#onClose;
  }
  set onClose(handler: ((reason: BleError) => void) | undefined) {
    this.#onClose = handler;
    this.#tell();
  }

  /** Why the link is gone; undefined while it stands. */
  protected get reason(): BleError | undefined {
    return this.#reason;
  }

  /** Hands on a message that has arrived. */
  protected deliver(message: Uint8Array): void {
    if (this.#reason) return;
    if (this.#onMessage) {
      callOut(this.#onMessage, message);
      return;
    }
    if (this.#inbox.push(message) > INBOX_CAPACITY) this.#inbox.shift();
  }

  /** The link is gone. */
  protected end(reason: BleError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#release(reason).catch(() => undefined); // told to who disposes of it
    this.#tell();
  }

  /** @throws {MessageTooLongError} · the reason, once the link is gone */
  protected checkSend(message: Uint8Array, limit: number): void {
    if (this.#reason) throw this.#reason;
    if (message.length > limit) throw new MessageTooLongError(message.length, limit);
  }

  /** Closes; `onClose` is not called, and what is being sent rejects with a ClosedError. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#told = true;
    this.#inbox = [];
    this.#reason ??= new ClosedError(`the link to ${this.info.target} was closed`);
    await this.#release(this.#reason);
  }

  #release(reason: BleError): Promise<void> {
    this.#released ??= (async () => await this.release(reason))();
    return this.#released;
  }

  #tell(): void {
    if (!this.#reason || this.#told || !this.#onClose) return;
    this.#told = true;
    callOut(this.#onClose, this.#reason);
  }
}
