import { callOut } from "../../async/call-out.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { type BleError, ClosedError } from "../../core/error.ts";
import { MessageTooLongError } from "../protocol/error.ts";
import { Ending } from "./ending.ts";
import type { McumgrLink, ServerBuffers } from "./link.ts";

/** Header of 8 octets and the longest payload that its length field can tell. */
export const LONGEST_MESSAGE = 8 + 0xffff;
/** Messages that may wait for an `onMessage` that has not been set yet; at more the oldest is lost, as in a server's buffers. */
const INBOX_CAPACITY = 64;

/** What every link does the same way: messages that come before `onMessage` is set wait for it, and nothing comes once it has ended. */
export abstract class LinkBase extends Ending implements McumgrLink {
  readonly info: McumgrLink["info"];
  abstract readonly isLossy: boolean;
  abstract readonly provenLimit: number;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #inbox: Uint8Array[] = [];
  #released: Promise<void> | undefined;

  constructor(info: McumgrLink["info"]) {
    super();
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

  /** Hands on a message that has arrived. */
  protected deliver(message: Uint8Array): void {
    if (this.reason) return;
    if (this.#onMessage) {
      callOut(this.#onMessage, message);
      return;
    }
    if (this.#inbox.push(message) > INBOX_CAPACITY) this.#inbox.shift();
  }

  protected leave(reason: BleError): void {
    this.#released = (async () => await this.release(reason))();
    this.#released.catch(() => undefined); // told to who disposes of it
  }

  /** @throws {MessageTooLongError} · the reason, once the link is gone */
  protected checkSend(message: Uint8Array, limit: number): void {
    if (this.reason) throw this.reason;
    if (message.length > limit) throw new MessageTooLongError(message.length, limit);
  }

  /** Closes; `onClose` is not called, and what is being sent rejects with a ClosedError. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#inbox = [];
    this.close(new ClosedError(`the link to ${this.info.target} was closed`));
    await this.#released;
  }
}
