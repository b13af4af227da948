import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import { Waiters } from "../async/waiters.ts";
import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { type BleError, ClosedError, StateError, TimeoutError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { constantTimeEqual } from "../crypto/equal.ts";
import { PairingAttempts } from "./attempts.ts";
import {
  bondOf,
  keysOfBond,
  keysOfOutcome,
  type LinkKeys,
  reportOf,
  reportOfBond,
  securityOfAgreement,
  securityOfKeys,
} from "./bonding.ts";
import { type KeyPurpose, LinkEncryption } from "./encryption.ts";
import { BondLostError, PairingError, PairingFailedReason, PairingTimeoutError, pairingFailedText } from "./error.ts";
import { downgradeOf } from "./features.ts";
import type { PairOptions, SecurityManagerOptions } from "./options.ts";
import { beginAsInitiator, beginAsResponder, step } from "./pairing.ts";
import { decodeSmp, encodeSmp, type PairingFeatures, type SmpPdu } from "./pdus.ts";
import { authReqOf, completePolicy, defaultPairingAgent } from "./policy.ts";
import { askAgent } from "./questions.ts";
import { answerTo, satisfies, unfit } from "./requirements.ts";
import { drawSecrets, type Effect, fail, type Outcome, type Session, type State, type Step } from "./state.ts";
import type { Bond, PairingAgent, PairingPolicy, PairingReport } from "./types.ts";

/** Vol 3 Part H 3.4. */
export const SMP_TIMEOUT_MS = 30_000;
const NO_RAND = new Uint8Array(8);

/** A pairing under way. */
interface Running {
  state: State;
  readonly policy: PairingPolicy;
  /** Aborts every question of this pairing when it ends. */
  readonly questions: AbortController;
  /** This side asked for it. */
  readonly wanted: boolean;
}

/** The Security Manager of one link, Vol 3 Part H: drives the pairing machine, answers for keys, and keeps the 30 s timer. */
export class SecurityManager {
  readonly role: "central" | "peripheral";
  readonly #options: SecurityManagerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #attempts: PairingAttempts;
  readonly #encryption: LinkEncryption;
  readonly #pairWaiters: Waiters<PairingReport>;
  readonly #encryptWaiters: Waiters<void>;
  #policy: PairingPolicy;
  #agent: PairingAgent;
  #bond: Bond | undefined;
  #keys: LinkKeys | undefined;
  #pairing: Running | undefined;
  #timer: Disposable | undefined;
  /** The last pairing on this link failed; its initiator may not know yet and encrypt with its key. */
  #hasFailed = false;
  /** The pairing is over, its bond is on its way to the store. */
  #isStoring = false;
  /** Peripheral: a Security Request that the central has not answered yet. */
  #request: { readonly policy: PairingPolicy; readonly timer: Disposable } | undefined;
  #timedOut: PairingTimeoutError | undefined;
  #closed: BleError | undefined;

  constructor(options: SecurityManagerOptions) {
    this.role = options.role;
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = (options.logger ?? Logger.silent).child("smp");
    this.#attempts = options.attempts ?? new PairingAttempts({ clock: options.clock });
    this.#encryption = new LinkEncryption(options.link, {
      onSecurity: (security) => tell(() => options.onSecurity?.(security)),
      onEncrypted: (purpose) => this.#onEncrypted(purpose),
      onFailed: (purpose, error) => this.#onEncryptionFailed(purpose, error),
    });
    const onGone = (): void => this.#onWaiterGone();
    this.#pairWaiters = new Waiters(this.#clock, "pairing", onGone);
    this.#encryptWaiters = new Waiters(this.#clock, "encryption", onGone);
    this.#policy = completePolicy(options.policy);
    this.#agent = options.agent ?? defaultPairingAgent;
    this.#bond = options.bond;
    this.#keys = options.bond && keysOfBond(options.bond);
    options.channel.onPdu = (octets, offset, end) => this.#onPdu(octets, offset, end);
    options.channel.onClose = (reason) => this.close(reason);
  }

  get security(): LinkSecurity {
    return this.#encryption.security;
  }
  get bond(): Bond | undefined {
    return this.#bond;
  }
  get isPairing(): boolean {
    return this.#pairing !== undefined || this.#isStoring;
  }
  get policy(): PairingPolicy {
    return this.#policy;
  }
  /** What is left out has its default. Holds from the next pairing on: opening and closing a pairing window is setting `pairable`. */
  set policy(policy: Partial<PairingPolicy>) {
    this.#policy = completePolicy(policy);
  }
  set agent(agent: PairingAgent) {
    this.#agent = agent;
  }

  /** The bond was removed from the store: its keys are not used on this link any more, and nothing is compared with it. */
  forgetBond(): void {
    this.#bond = undefined;
    this.#keys = undefined;
  }

  /**
   * Pairs, or joins the pairing that is under way. The central sends a Pairing Request. The peripheral sends a Security Request, which the
   * central may also answer by encrypting with the keys of the bond: then the report has `fromBond`.
   *
   * @throws {PairingError} one side refuses
   * @throws {PairingTimeoutError} 30 s without a PDU of the peer; this link cannot pair any more
   * @throws {TimeoutError} `timeoutMs` passed, or the central ignored the Security Request for 30 s
   * @throws `signal.reason` once `signal` aborts; the peer gets Pairing Failed
   */
  pair({ policy, ...options }: PairOptions = {}): Promise<PairingReport> {
    const end = this.#closed ?? this.#timedOut;
    if (end) return Promise.reject(end);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.isPairing || this.#request) return this.#pairWaiters.add(options);
    let chosen: PairingPolicy;
    try {
      chosen = completePolicy(policy, this.#policy);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.role === "peripheral" && this.#bond && satisfies(this.security, chosen)) return Promise.resolve(reportOfBond(this.#bond));
    const blocked = this.#blocked();
    if (blocked) return Promise.reject(blocked);
    const report = this.#pairWaiters.add(options);
    if (this.role === "central") this.#initiate(chosen, true);
    else this.#sendSecurityRequest(chosen);
    return report;
  }

  /**
   * Encrypts with the keys of the bond; resolves at once where the link is encrypted already. The peripheral asks the central to do it, who
   * may pair instead.
   *
   * @throws {StateError} central: there is no key to encrypt with; pair first
   * @throws {BondLostError} the peer no longer has the key
   * @throws {PairingError} the stored key is weaker than the policy allows
   * @throws {HciError} the controller or the peer refused for another reason
   * @throws {TimeoutError} `timeoutMs` passed, 30 s by default
   */
  encrypt({ signal, timeoutMs = SMP_TIMEOUT_MS }: OperationOptions = {}): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.security.encrypted) return Promise.resolve();
    if (this.isPairing || this.#request || this.#encryption.isStarting) return this.#encryptWaiters.add({ signal, timeoutMs });
    const refusal = this.role === "central" ? unfit(this.#keys, this.#keys?.peerLtk, this.#policy) : (this.#timedOut ?? this.#blocked());
    if (refusal) return Promise.reject(refusal);
    const encrypted = this.#encryptWaiters.add({ signal, timeoutMs });
    if (this.role === "central") this.#encryptWithBond();
    else this.#sendSecurityRequest(this.#policy);
    return encrypted;
  }

  /**
   * Peripheral: HCI_LE_Long_Term_Key_Request. Gives the key as HCI carries it, least significant octet first, or `undefined` for a negative
   * reply.
   */
  onLongTermKeyRequest(rand: Uint8Array, ediv: number): Uint8Array | undefined {
    if (this.#closed || this.role !== "peripheral") return undefined;
    const state = this.#pairing?.state;
    if (state?.at === "encrypting" && ediv === 0 && constantTimeEqual(rand, NO_RAND))
      return this.#encryption.offer("pairing", securityOfAgreement(state.agreement), state.key);
    const keys = this.#keys;
    const ltk = keys?.localLtk;
    const isKnown = keys && ltk && ltk.ediv === ediv && constantTimeEqual(ltk.rand, rand);
    const refusal = isKnown ? unfit(keys, ltk, this.#policy) : new BondLostError("local");
    if (isKnown && !refusal) return this.#encryption.offer("bond", securityOfKeys(keys, ltk), ltk.key);
    const isOfFailedPairing = this.#hasFailed && ediv === 0 && constantTimeEqual(rand, NO_RAND);
    if (refusal && !isOfFailedPairing) this.#report(refusal);
    return undefined;
  }

  /** Encryption Change, and Encryption Key Refresh Complete as `enabled`. Must come before the PDUs that follow it on the link. */
  onEncryptionChange(status: number, enabled: boolean): void {
    if (!this.#closed) this.#encryption.onChange(status, enabled);
  }

  /** The link is gone: everything that waits is rejected with `reason`, every question's signal aborts. */
  close(reason: BleError = new ClosedError("the Security Manager was closed")): void {
    if (this.#closed) return;
    this.#closed = reason;
    // Whoever leaves in the middle, so as not to be told that it guessed wrong, has failed too.
    this.#countFailure(this.#pairing?.state);
    this.#encryption.close();
    this.#clearRequest();
    this.#stop(reason);
    this.#rejectWaiters(reason);
  }

  // --- asking ---------------------------------------------------------------------------------------------------------------------

  get #peer(): Address {
    return this.#bond?.identity ?? this.#options.peerAddress;
  }

  #blocked(): PairingError | undefined {
    const retryAfterMs = this.#attempts.waitMs(this.#peer.toString());
    if (retryAfterMs <= 0) return undefined;
    const detail = `too many pairings failed, the next is possible in ${Math.ceil(retryAfterMs / 1000)} s`;
    return new PairingError({ reason: PairingFailedReason.RepeatedAttempts, side: "local", detail, retryAfterMs });
  }

  #countFailure(state: State | undefined): void {
    // Once the features are exchanged a failure may have been a guess.
    const isAttempt = state && state.at !== "pairing-response" && state.at !== "failed" && state.at !== "done";
    if (isAttempt) this.#attempts.failed(this.#peer.toString());
  }

  #sendSecurityRequest(policy: PairingPolicy): void {
    const timer = this.#clock.setTimer(SMP_TIMEOUT_MS, "Security Request", () => {
      this.#request = undefined;
      this.#rejectWaiters(new TimeoutError("Security Request", SMP_TIMEOUT_MS));
    });
    this.#request = { policy, timer };
    this.#send({ name: "SecurityRequest", authReq: authReqOf(policy) });
  }

  #clearRequest(): void {
    this.#request?.timer[Symbol.dispose]();
    this.#request = undefined;
  }

  /** What this side started ends when the last one who waited for it has left. */
  #onWaiterGone(): void {
    if (this.#pairWaiters.size > 0 || this.#encryptWaiters.size > 0) return;
    this.#clearRequest();
    if (!this.#pairing?.wanted) return;
    this.#send({ name: "PairingFailed", reason: PairingFailedReason.UnspecifiedReason });
    this.#stop(new ClosedError("the pairing was cancelled"));
  }

  // --- pairing --------------------------------------------------------------------------------------------------------------------

  #session(policy: PairingPolicy, wanted: boolean): Session {
    const { localAddress, peerAddress, identity, random } = this.#options;
    const [initiator, responder] = this.role === "central" ? [localAddress, peerAddress] : [peerAddress, localAddress];
    return { role: this.role, initiator, responder, identity, policy, secrets: drawSecrets(random), bond: this.#bond, wanted };
  }

  #initiate(policy: PairingPolicy, wanted: boolean): void {
    this.#begin(beginAsInitiator(this.#session(policy, wanted)), policy, wanted);
  }

  #begin(first: Step, policy: PairingPolicy, wanted: boolean): void {
    this.#clearRequest();
    this.#hasFailed = false;
    this.#pairing = { state: first[0], policy, questions: new AbortController(), wanted };
    this.#logger.debug(() => `pairing as ${this.role === "central" ? "initiator" : "responder"}`);
    this.#restartTimer();
    this.#apply(first);
  }

  #apply([state, effects]: Step): void {
    const pairing = this.#pairing;
    if (!pairing) return;
    const before = pairing.state;
    pairing.state = state;
    for (const effect of effects) {
      this.#perform(effect, pairing);
      if (this.#pairing !== pairing) return; // an agent or the link ended it meanwhile
    }
    if (state.at === "failed") {
      this.#countFailure(before);
      this.#fail(new PairingError(state));
    } else if (state.at === "done") {
      this.#stop();
      void this.#complete(state.outcome, pairing.policy);
    }
  }

  #perform(effect: Effect, pairing: Running): void {
    const { signal } = pairing.questions;
    switch (effect.do) {
      case "send":
        this.#restartTimer(); // reset whenever a command is queued, Vol 3 Part H 3.4
        this.#send(effect.pdu);
        return;
      case "encrypt":
        if (pairing.state.at === "encrypting")
          this.#encryption.start("pairing", securityOfAgreement(pairing.state.agreement), pairing.state.key, NO_RAND, 0);
        return;
      case "ask":
        askAgent(this.#agent, this.#clock, effect, { peer: this.#peer, signal }, (input) => {
          if (this.#pairing === pairing) this.#apply(step(pairing.state, input));
        });
        return;
      case "display":
        try {
          this.#agent.displayPasskey({ peer: this.#peer, signal, passkey: effect.passkey });
        } catch {
          // A number that nobody sees cannot be typed by anybody.
          this.#apply(fail(PairingFailedReason.PasskeyEntryFailed, "the passkey could not be shown"));
        }
    }
  }

  #send(pdu: SmpPdu): void {
    if (this.#closed || this.#timedOut) return;
    this.#logger.trace(() => `> ${describe(pdu)}`);
    this.#options.channel.send(encodeSmp(pdu));
  }

  #restartTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.setTimer(SMP_TIMEOUT_MS, "Security Manager timer", () => {
      this.#timedOut = new PairingTimeoutError(SMP_TIMEOUT_MS);
      this.#countFailure(this.#pairing?.state);
      this.#fail(this.#timedOut);
    });
  }

  /** Ends what runs and leaves nothing of it behind. */
  #stop(reason?: BleError): void {
    const pairing = this.#pairing;
    this.#pairing = undefined;
    if (pairing && reason) this.#hasFailed = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#encryption.drop("pairing");
    pairing?.questions.abort(reason);
  }

  #fail(error: BleError): void {
    this.#stop(error);
    this.#clearRequest();
    this.#rejectWaiters(error);
    this.#report(error);
  }

  #rejectWaiters(error: BleError): void {
    this.#pairWaiters.reject(error);
    this.#encryptWaiters.reject(error);
  }

  #report(error: BleError): void {
    this.#logger.info(error.message);
    tell(() => this.#options.onFailure?.(error));
  }

  /** The keys are exchanged; what remains is to keep them. */
  async #complete(outcome: Outcome, policy: PairingPolicy): Promise<void> {
    const { agreement, received } = outcome;
    const { peerAddress } = this.#options;
    this.#attempts.succeeded(this.#peer.toString());
    this.#keys = keysOfOutcome(outcome); // before anything is awaited: the central may ask for one at once
    const identity = received.identity ?? this.#bond?.identity ?? (peerAddress.isIdentity ? peerAddress : undefined);
    const isBonded = agreement.bonding && identity !== undefined;
    const report = reportOf(outcome, identity ?? peerAddress, isBonded);
    if (isBonded) {
      this.#isStoring = true;
      const failure = await this.#keep(outcome, identity, report, policy).catch(
        (cause: unknown) => new StateError("the bond could not be stored, though the peer has it now", { cause }),
      );
      this.#isStoring = false;
      if (this.#closed) return;
      if (failure) {
        this.#fail(failure);
        return;
      }
    }
    this.#logger.info(() => `paired: ${report.method}, ${report.keySize} octets${report.bonded ? ", bonded" : ""}`);
    this.#pairWaiters.resolve(report);
    tell(() => this.#options.onPaired?.(report));
  }

  async #keep(outcome: Outcome, identity: Address, report: PairingReport, policy: PairingPolicy): Promise<BleError | undefined> {
    const own = this.#bond?.identity.equals(identity) ? this.#bond : undefined;
    const replaced = own ?? (await this.#options.findBond?.(identity));
    const downgrade = downgradeOf({ bond: replaced, policy }, report);
    if (downgrade) {
      const reason = PairingFailedReason.KeyRejected;
      this.#send({ name: "PairingFailed", reason });
      return new PairingError({ reason, side: "local", detail: `the peer claims the identity of another bond; ${downgrade}` });
    }
    const bond = bondOf(outcome, identity, replaced);
    await this.#options.onBond?.(bond, report);
    if (this.#closed) return undefined;
    this.#bond = bond;
    this.#keys = keysOfBond(bond);
    if (this.security.encrypted) this.#encryption.set({ ...this.security, bonded: true });
    return undefined;
  }

  // --- encryption -----------------------------------------------------------------------------------------------------------------

  #encryptWithBond(): void {
    const keys = this.#keys;
    const ltk = keys?.peerLtk;
    if (keys && ltk) this.#encryption.start("bond", securityOfKeys(keys, ltk), ltk.key, ltk.rand, ltk.ediv);
  }

  #onEncrypted(purpose: KeyPurpose): void {
    this.#encryptWaiters.resolve();
    if (purpose === "pairing") {
      if (this.#pairing) this.#apply(step(this.#pairing.state, { kind: "encrypted" }));
      return;
    }
    const request = this.#request;
    if (!request) return;
    const isEnough = this.#bond !== undefined && satisfies(this.security, request.policy);
    if (this.#bond && isEnough) this.#pairWaiters.resolve(reportOfBond(this.#bond));
    if (this.#pairWaiters.size === 0) this.#clearRequest();
  }

  #onEncryptionFailed(purpose: KeyPurpose, cause: BleError): void {
    if (purpose === "bond") {
      this.#encryptWaiters.reject(cause);
      this.#report(cause);
      return;
    }
    this.#countFailure(this.#pairing?.state);
    const reason = PairingFailedReason.UnspecifiedReason;
    this.#send({ name: "PairingFailed", reason });
    this.#fail(
      new PairingError({ reason, side: "local", detail: "the link could not be encrypted with the key of the pairing" }, { cause }),
    );
  }

  // --- what the peer sends --------------------------------------------------------------------------------------------------------

  #onPdu(octets: Uint8Array, offset: number, end: number): void {
    if (this.#closed || this.#timedOut) return;
    const decoded = decodeSmp(octets, offset, end);
    switch (decoded.kind) {
      case "reserved":
        this.#logger.debug("a PDU with a reserved code was ignored"); // Vol 3 Part H 3.3
        return;
      case "malformed":
        this.#logger.debug(() => decoded.error.message);
        if (this.#pairing) this.#apply(fail(PairingFailedReason.InvalidParameters, `${decoded.name} of a wrong length`));
        else if (decoded.name === "PairingRequest")
          this.#refuse(PairingFailedReason.InvalidParameters, `${decoded.name} of a wrong length`);
        return;
      case "pdu":
        this.#logger.trace(() => `< ${describe(decoded.pdu)}`);
        if (this.#pairing) this.#apply(step(this.#pairing.state, { kind: "pdu", pdu: decoded.pdu }));
        else this.#onIdlePdu(decoded.pdu);
    }
  }

  /**
   * Only what may begin something is answered. Everything else is the rest of a pairing that ended here, and a Pairing Failed in return
   * could end the next one.
   */
  #onIdlePdu(pdu: SmpPdu): void {
    switch (pdu.name) {
      case "PairingFailed":
        if (this.#request) this.#fail(new PairingError({ reason: pdu.reason, side: "peer" }));
        return;
      case "PairingRequest":
        this.#onPairingRequest(pdu);
        return;
      case "SecurityRequest":
        this.#onSecurityRequest(pdu.authReq);
        return;
      default:
        this.#logger.debug(`${pdu.name} outside a pairing was ignored`);
    }
  }

  /** Refuses before anything has begun. Whoever waits here for something else goes on waiting. */
  #refuse(reason: number, detail: string): void {
    this.#send({ name: "PairingFailed", reason });
    this.#report(new PairingError({ reason, side: "local", detail }));
  }

  /** Why no pairing may begin that the peer asks for. */
  #refusal(): [reason: number, detail: string] | undefined {
    if (this.#isStoring) return [PairingFailedReason.UnspecifiedReason, "the pairing before is still being stored"];
    if (!this.#policy.pairable && !this.#request) return [PairingFailedReason.PairingNotSupported, "the policy is not pairable"];
    const blocked = this.#blocked();
    return blocked && [blocked.reason, "too many pairings failed"];
  }

  #onPairingRequest(request: PairingFeatures): void {
    if (this.role === "central") {
      this.#refuse(PairingFailedReason.CommandNotSupported, "only a central may send a Pairing Request");
      return;
    }
    const refusal = this.#refusal();
    if (refusal) {
      this.#refuse(...refusal);
      return;
    }
    const wanted = this.#request !== undefined;
    const policy = this.#request?.policy ?? this.#policy;
    this.#begin(beginAsResponder(this.#session(policy, wanted), request), policy, wanted);
  }

  #onSecurityRequest(authReq: number): void {
    if (this.role === "peripheral") {
      this.#refuse(PairingFailedReason.CommandNotSupported, "only a peripheral may send a Security Request");
      return;
    }
    if (this.#isStoring || this.#encryption.isStarting) return;
    const answer = answerTo(authReq, { security: this.security, keys: this.#keys, policy: this.#policy });
    if (answer === "nothing") return;
    if (answer === "encrypt") {
      this.#encryptWithBond();
      return;
    }
    const refusal = this.#refusal();
    if (refusal) this.#refuse(...refusal);
    else this.#initiate(this.#policy, false);
  }
}

/** A handler that throws does not stop the pairing: its exception is rethrown in a turn of its own. */
function tell(act: () => void): void {
  callOut(act);
}

/** For the log: a name, and no secret. */
function describe(pdu: SmpPdu): string {
  return pdu.name === "PairingFailed" ? `PairingFailed ${pairingFailedText(pdu.reason)}` : pdu.name;
}
