import type { AttBearer } from "../../att/bearer.ts";
import { AttError, AttTimeoutError, InsufficientSecurityError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { bothRequirements, type LinkSecurity, type SecurityRequirement } from "../../att/security.ts";
import type { ResponseParser } from "../../att/transaction.ts";
import type { Elevation } from "./elevation.ts";
import type { GattOperationOptions, InternalOptions } from "./options.ts";

/** A request is made again after the link was encrypted, and once more after it was paired. */
const ATTEMPTS = 3;

/** Sends requests, with what surrounds them: what the link must have before, the MTU exchange, and another try after a refusal. */
export class Requester {
  readonly bearer: AttBearer;
  readonly #elevation: Elevation | undefined;
  /** An exchange is not to be begun here any more: it was made, or the policy leaves it to others. */
  #mtuSettled: boolean;

  constructor(bearer: AttBearer, elevation: Elevation | undefined) {
    this.bearer = bearer;
    this.#elevation = elevation;
    this.#mtuSettled = bearer.isEnhanced || bearer.policy.exchangeMtu === "never" || bearer.policy.exchangeMtu === "on-demand";
  }

  /** What has to be waited for before something may leave; `undefined` where there is nothing. */
  ready(options: InternalOptions): Promise<void> | undefined {
    if (!this.bearer.permits(options.security)) return this.#prepare(options);
    return this.#mtuSettled || this.bearer.policy.exchangeMtu === "as-needed" ? undefined : this.#exchange(options);
  }

  async #prepare(options: InternalOptions): Promise<void> {
    await this.#secure(options);
    await this.ready(options);
  }

  /** @throws {InsufficientSecurityError} the link cannot have what is demanded, or what the elevation throws */
  async #secure(options: InternalOptions): Promise<void> {
    const { bearer } = this;
    if (bearer.refusal) throw bearer.refusal;
    if (this.#elevation && !options.unattended)
      await this.#elevation.raise({ requirement: bothRequirements(bearer.demand, options.security), refusal: undefined }, options);
    const refusal = bearer.refusal ?? bearer.securityRefusal(options.security);
    if (refusal) throw refusal;
  }

  /** Before an operation that one PDU cannot hold: the larger MTU, where the policy lets GATT ask for it. Does nothing the second time. */
  async growMtu(options: GattOperationOptions): Promise<void> {
    if (!this.#mtuSettled) await this.#exchange(options);
  }

  /** Asks for the policy's MTU. @throws {StateError} the policy forbids it */
  async exchangeMtu(options: GattOperationOptions): Promise<number> {
    if (!this.bearer.permits(options.security)) await this.#secure(options);
    return await this.bearer.exchangeMtu(options);
  }

  async #exchange(options: GattOperationOptions): Promise<void> {
    await this.bearer.exchangeMtu(options);
    this.#mtuSettled = true;
  }

  /** @param build makes the frame, for every try anew, since a frame sent belongs to the channel */
  async send<T>(build: () => Uint8Array, parse: ResponseParser<T>, options: InternalOptions): Promise<T> {
    let raisedFrom: LinkSecurity | undefined;
    for (let attempt = 1; ; attempt++) {
      const preparing = this.ready(options);
      if (preparing) await preparing;
      const { security } = this.bearer;
      try {
        return await this.bearer.request(build(), parse, options);
      } catch (error) {
        // Made anew where the stack leads back to whoever asked: catching it when the request is made would cost more than the request.
        if (error instanceof AttTimeoutError) throw new AttTimeoutError(error.requestOpcode, { cause: error });
        if (error instanceof InsufficientSecurityError && attempt < ATTEMPTS) continue; // the link lost it while the request waited
        if (!(error instanceof AttError)) throw error;
        if (attempt === ATTEMPTS || raisedFrom === this.bearer.security || !this.#elevation || options.unattended) throw error;
        const requirement = requirementOf(error.errorCode, this.bearer.security);
        if (!requirement) throw error;
        if (this.bearer.security !== security) continue; // refused for what the link had then
        raisedFrom = security;
        await this.#elevation.raise({ requirement: bothRequirements(requirement, options.security), refusal: error }, options);
      }
    }
  }
}

/** What the peer asks for by its refusal (Vol 3 Part F 3.4.1.1, Part C 10.3.1); `undefined` where it is about something else. */
function requirementOf(code: number, { encrypted }: LinkSecurity): SecurityRequirement | undefined {
  switch (code) {
    case AttErrorCode.InsufficientEncryption:
      return { encrypted: true };
    case AttErrorCode.InsufficientAuthentication: // on a link in the clear it stands for encryption too, where there is no bond
      return encrypted ? { authenticated: true } : { encrypted: true };
    case AttErrorCode.EncryptionKeySizeTooShort:
      return { minKeySize: 16 };
    default:
      return undefined;
  }
}
