import type { AttBearer } from "../../att/bearer.ts";
import { AttError, AttTimeoutError, InsufficientSecurityError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { bothRequirements, type LinkSecurity, type SecurityRequirement } from "../../att/security.ts";
import type { Recovery, ResponseParser } from "../../att/transaction.ts";
import type { Elevation } from "./elevation.ts";
import { type GattOperationOptions, type InternalOptions, promised } from "./options.ts";

/** A request is made again after the link was encrypted, and once more after it was paired. */
const ATTEMPTS = 3;

/** Sends requests, with what surrounds them: what the link must have before, the MTU exchange, and another try after a refusal. */
export class Requester {
  readonly bearer: AttBearer;
  readonly #elevation: Elevation | undefined;
  /** An exchange is not to be begun here any more: it was made, or the policy leaves it to others. */
  #mtuSettled: boolean;
  /** It is to be made before anything else. */
  #exchangesFirst: boolean;

  constructor(bearer: AttBearer, elevation: Elevation | undefined) {
    this.bearer = bearer;
    this.#elevation = elevation;
    this.#mtuSettled = bearer.isEnhanced || bearer.policy.exchangeMtu === "never" || bearer.policy.exchangeMtu === "on-demand";
    this.#exchangesFirst = !this.#mtuSettled && bearer.policy.exchangeMtu !== "as-needed";
  }

  /** Nothing has to be waited for before something may leave. */
  isReady({ security }: InternalOptions): boolean {
    return this.bearer.permits(security) && !this.#exchangesFirst;
  }

  /** Waits for what must be there before something may leave: the security, the MTU. @throws what `secure` and the exchange throw */
  async prepare(options: InternalOptions): Promise<void> {
    while (!this.bearer.permits(options.security)) await this.#secure(options);
    if (this.#exchangesFirst) await this.#exchange(options);
  }

  /** @throws {InsufficientSecurityError} the link cannot have what is demanded, or what the elevation throws */
  async #secure(options: InternalOptions): Promise<void> {
    const { bearer } = this;
    if (bearer.refusal) throw bearer.refusal;
    const demand = { requirement: bothRequirements(bearer.demand, options.security), refusal: undefined };
    await this.elevationFor(options)?.raise(demand, options);
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
    this.#exchangesFirst = false;
  }

  /** @param build makes the frame, for every try anew, since a frame sent belongs to the channel */
  send<T>(build: () => Uint8Array, parse: ResponseParser<T>, options: InternalOptions): Promise<T> {
    return new Asking(this, build, parse, options).ask();
  }

  /** What raises the link's security, where somebody waits for it. */
  elevationFor({ unattended }: InternalOptions): Elevation | undefined {
    return unattended ? undefined : this.#elevation;
  }
}

/** A request, over all of its tries. It is what its transaction asks about a failure, so that a request makes no other promise. */
class Asking<T> implements Recovery<T> {
  readonly #requester: Requester;
  readonly #build: () => Uint8Array;
  readonly #parse: ResponseParser<T>;
  readonly #options: InternalOptions;
  #attempts = 0;
  /** What the link had when it was made last. */
  #security: LinkSecurity | undefined;
  /** What the link had when more was asked for its sake. */
  #raisedFrom: LinkSecurity | undefined;

  constructor(requester: Requester, build: () => Uint8Array, parse: ResponseParser<T>, options: InternalOptions) {
    this.#requester = requester;
    this.#build = build;
    this.#parse = parse;
    this.#options = options;
  }

  ask(): Promise<T> {
    return this.#requester.isReady(this.#options) ? this.#request() : this.#requestLater();
  }

  async #requestLater(): Promise<T> {
    await this.#requester.prepare(this.#options);
    return await this.#request();
  }

  #request(): Promise<T> {
    const { bearer } = this.#requester;
    this.#attempts++;
    this.#security = bearer.security;
    return bearer.request(this.#build(), this.#parse, this.#options, this);
  }

  recover(error: unknown): Promise<T> | undefined {
    if (error instanceof AttTimeoutError) return tracedBack(error);
    if (this.#attempts === ATTEMPTS) return undefined;
    const again = (): Promise<T> => this.ask();
    if (error instanceof InsufficientSecurityError) return promised(again); // the link lost it while the request waited
    const elevation = this.#requester.elevationFor(this.#options);
    if (!(error instanceof AttError) || !elevation) return undefined;
    const { security } = this.#requester.bearer;
    const requirement = requirementOf(error.errorCode, security);
    if (!requirement || this.#raisedFrom === security) return undefined;
    if (this.#security !== security) return promised(again); // refused for what the link had then
    this.#raisedFrom = security;
    const demand = { requirement: bothRequirements(requirement, this.#options.security), refusal: error };
    return elevation.raise(demand, this.#options).then(again);
  }
}

/**
 * The same error with a stack that leads back to whoever asked: to note the stack when the request is made would cost more than the request.
 * The engine writes such a stack out of the promises that wait for this one, and two microtasks pass until the caller's is among them.
 */
async function tracedBack(error: AttTimeoutError): Promise<never> {
  await Promise.resolve();
  await Promise.resolve();
  throw new AttTimeoutError(error.requestOpcode, { cause: error });
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
