import { type Clock, type OperationOptions, Pending } from "jelling/async";
import { type AttBearer, AttWriteReq, AttWriteRsp } from "jelling/att";
import type { RandomSource } from "jelling/core";
import { attRequest } from "../att-request.ts";
import { SakeClient } from "../sake/client.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import type { SakeSession } from "../sake/session.ts";
import type { PhoneHandles } from "./phone-discovery.ts";

const SAKE_TIMEOUT_MS = 15_000;

export interface SakeLinkOptions {
  readonly att: AttBearer;
  readonly handles: PhoneHandles;
  readonly keyDatabase: SakeKeyDatabase;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** The pump's end of the SAKE characteristic on one connection: its subscription, its messages, its session. */
export class SakeLink implements Disposable {
  readonly #options: SakeLinkOptions;
  readonly #client: SakeClient;
  #pending: Pending<SakeSession> | undefined;

  constructor(options: SakeLinkOptions) {
    this.#options = options;
    this.#client = new SakeClient({ keyDatabase: options.keyDatabase, random: options.random });
  }

  /**
   * Subscribes, unless the subscription of an earlier connection is to be taken up, and runs the handshake that the phone then begins.
   *
   * @throws {SakeHandshakeError} the phone's keys do not fit · {TimeoutError} it is silent · what the link throws
   */
  async authenticate({ writesSubscription, ...options }: OperationOptions & { writesSubscription: boolean }): Promise<SakeSession> {
    const { clock, handles } = this.#options;
    this.#pending = new Pending<SakeSession>({ clock, operation: "SAKE with the phone", timeoutMs: SAKE_TIMEOUT_MS, ...options });
    this.#pending.promise.catch(() => undefined); // awaited below, maybe after the subscription has failed already
    if (writesSubscription) await this.#write(handles.sakeCccd, Uint8Array.of(1, 0), options);
    return await this.#pending.promise;
  }

  /** A notification of the phone, copied. */
  onNotification(handle: number, value: Uint8Array): void {
    const pending = this.#pending;
    if (handle !== this.#options.handles.sakeValue || !pending || pending.settled) return;
    try {
      const reply = this.#client.receive(value);
      if (!reply) return;
      const { session } = this.#client;
      this.#write(handle, reply).then(
        () => session && pending.resolve(session),
        (error: unknown) => pending.reject(error),
      );
    } catch (error) {
      pending.reject(error);
    }
  }

  /** The phone's answers may use the session before the last message is acknowledged. */
  get session(): SakeSession | undefined {
    return this.#client.session;
  }

  [Symbol.dispose](): void {
    this.#client.session?.[Symbol.dispose]();
    this.#client[Symbol.dispose]();
  }

  #write(attributeHandle: number, attributeValue: Uint8Array, options: OperationOptions = {}): Promise<unknown> {
    return attRequest(this.#options.att, [AttWriteReq, { attributeHandle, attributeValue }], AttWriteRsp, (response) => response, options);
  }
}
