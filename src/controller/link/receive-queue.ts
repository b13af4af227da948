import type { HostInterface } from "../host-interface.ts";

/** Data PDUs that a controller keeps while its host takes none. With so many it does not acknowledge the peer's any more. */
const CAPACITY = 4;

interface Received {
  readonly bytes: Uint8Array;
  at: number;
  isStart: boolean;
}

/** Data PDUs of the peer on their way to the host, in ACL packets no longer than the host's buffers. */
export class ReceiveQueue {
  readonly #host: HostInterface;
  readonly #handle: number;
  #waiting: Received[] = [];

  constructor(host: HostInterface, handle: number) {
    this.#host = host;
    this.#handle = handle;
  }

  get isFull(): boolean {
    return this.#waiting.length >= CAPACITY;
  }

  /** The payload that begins at `offset` of `bytes`, which are valid during the call only. */
  push(isStart: boolean, bytes: Uint8Array, offset: number): void {
    const host = this.#host;
    const fits = this.#waiting.length === 0 && bytes.length - offset <= host.maxAclOctets;
    if (fits && host.acceptsAcl) host.acl(this.#handle, isStart, bytes, offset, bytes.length);
    else {
      this.#waiting.push({ bytes: bytes.slice(offset), at: 0, isStart });
      this.drain();
    }
  }

  /** Gives the host what it takes. At the end of a link, `isLast`, room in the transport does not matter, since the end does not wait for it. */
  drain({ isLast = false } = {}): void {
    const host = this.#host;
    while (this.#waiting.length > 0 && (isLast ? host.hasAclCredit : host.acceptsAcl)) {
      const head = this.#waiting[0]!;
      const end = Math.min(head.bytes.length, head.at + host.maxAclOctets);
      const [at, isStart] = [head.at, head.isStart];
      head.at = end;
      head.isStart = false;
      if (end === head.bytes.length) this.#waiting.shift();
      host.acl(this.#handle, isStart, head.bytes, at, end);
    }
  }

  clear(): void {
    this.#waiting = [];
  }
}
