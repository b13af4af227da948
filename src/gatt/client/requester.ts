import type { OperationOptions } from "../../async/pending.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { AttError, AttTimeoutError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import type { ResponseParser } from "../../att/transaction.ts";

/** Raises the security of the link - pairs, or encrypts with the bond - after the peer refused a request with `error`. */
export type Elevate = (error: AttError, options: OperationOptions) => Promise<void>;

/** Sends requests, with what surrounds them: the MTU exchange before the first, more security and another try after a refusal. */
export class Requester {
  readonly bearer: AttBearer;
  readonly #elevate: Elevate | undefined;
  readonly #onOutOfSync: () => void;
  #elevating: Promise<void> | undefined;
  #mtuSettled: boolean;

  constructor(bearer: AttBearer, elevate: Elevate | undefined, onOutOfSync: () => void) {
    this.bearer = bearer;
    this.#elevate = elevate;
    this.#onOutOfSync = onOutOfSync;
    this.#mtuSettled = bearer.policy.exchangeMtu !== "auto";
  }

  /** With the policy "auto", exchanges the MTU unless that was done; `undefined` when nothing has to be waited for. */
  settleMtu(options: OperationOptions): Promise<void> | undefined {
    return this.#mtuSettled ? undefined : this.#exchange(options);
  }

  async #exchange(options: OperationOptions): Promise<void> {
    await this.bearer.exchangeMtu(options);
    this.#mtuSettled = true;
  }

  /** @param build makes the frame, for every try anew, since a frame sent belongs to the channel */
  async send<T>(build: () => Uint8Array, parse: ResponseParser<T>, options: OperationOptions): Promise<T> {
    if (!this.#mtuSettled) await this.#exchange(options);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.bearer.request(build(), parse, options);
      } catch (error) {
        // Made anew where the stack leads back to whoever asked: catching it when the request is made would cost more than the request.
        if (error instanceof AttTimeoutError) throw new AttTimeoutError(error.requestOpcode, { cause: error });
        if (!(error instanceof AttError)) throw error;
        if (error.errorCode === AttErrorCode.DatabaseOutOfSync) this.#onOutOfSync();
        if (attempt > 1 || !this.#elevate || !isSecurityError(error.errorCode)) throw error;
        await this.#raise(this.#elevate, error, options);
      }
    }
  }

  /** Requests that are refused together share one pairing. */
  async #raise(elevate: Elevate, error: AttError, options: OperationOptions): Promise<void> {
    this.#elevating ??= elevate(error, options).finally(() => {
      this.#elevating = undefined;
    });
    await this.#elevating;
  }
}

function isSecurityError(code: number): boolean {
  return (
    code === AttErrorCode.InsufficientAuthentication ||
    code === AttErrorCode.InsufficientEncryption ||
    code === AttErrorCode.EncryptionKeySizeTooShort
  );
}
