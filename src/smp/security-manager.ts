import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { checkOptions } from "../core/arguments.ts";
import { type BleError, ClosedError, TimeoutError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { PairingAttempts } from "./attempts.ts";
import { BondKeeping } from "./bond-keeping.ts";
import { reportOf, reportOfBond } from "./bonding.ts";
import { Callers } from "./callers.ts";
import type { KeyPurpose } from "./encryption.ts";
import { PairingError, PairingFailedReason, PairingTimeoutError, pairingFailedText } from "./error.ts";
import { HeldPdu } from "./held-pdu.ts";
import { Keyring } from "./keyring.ts";
import { ENCRYPT_OPTION_NAMES, PAIR_OPTION_NAMES, type PairOptions, type SecurityManagerOptions } from "./options.ts";
import { beginAsInitiator, beginAsResponder } from "./pairing.ts";
import { PairingRun, SMP_TIMEOUT_MS } from "./pairing-run.ts";
import { decodeSmp, encodeSmp, type PairingFeatures, type SmpPdu } from "./pdus.ts";
import { authReqOf, checkAgent, completePolicy, defaultPairingAgent } from "./policy.ts";
import { adviceFor } from "./replacement.ts";
import { answerTo, covers, fulfils, isMitmMissing, satisfies, shortfallOf } from "./requirements.ts";
import { drawSecrets, type Outcome, type Session, type Step } from "./state.ts";
import type { Bond, PairingAgent, PairingPolicy, PairingReport } from "./types.ts";

/** How long a PDU that may have overtaken the news of encryption waits for them. */
const HOLD_MS = 1000;
/** How long the central waits after it has ended a pairing before it begins another. */
const PAUSE_MS = 500;

/** The Security Manager of one link, Vol 3 Part H: begins pairings and ends them, answers for keys, and tells who waits. */
export class SecurityManager {
  readonly role: "central" | "peripheral";
  readonly #options: SecurityManagerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #attempts: PairingAttempts;
  readonly #keyring: Keyring;
  readonly #keeping: BondKeeping;
  readonly #held: HeldPdu;
  readonly #pairCallers: Callers<PairingReport>;
  readonly #encryptCallers: Callers<void>;
  #policy: PairingPolicy;
  #agent: PairingAgent;
  #run: PairingRun | undefined;
  /** Whose wish is being fulfilled: the demands of a caller, which a pairing may go beyond. */
  #origin: PairingPolicy | undefined;
  /** Peripheral: a Security Request that the central has not answered yet. */
  #request: { readonly policy: PairingPolicy; readonly timer: Disposable } | undefined;
  /** Central: no Pairing Request before then. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #pause: Disposable | undefined;
  #timedOut: PairingTimeoutError | undefined;
  #closed: BleError | undefined;

  /** @throws {ArgumentError} a policy or an agent that is not one, or a policy that the agent cannot keep */
  constructor(options: SecurityManagerOptions) {
    this.role = options.role;
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = (options.logger ?? Logger.silent).child("smp");
    this.#attempts = options.attempts ?? new PairingAttempts({ clock: options.clock });
    this.#keyring = new Keyring({
      link: options.link,
      identity: options.identity.address,
      bond: options.bond,
      onSecurity: (security) => callOut(options.onSecurity, security),
      onEncrypted: (purpose) => this.#onEncrypted(purpose),
      onFailed: (purpose, error) => this.#onEncryptionFailed(purpose, error),
    });
    this.#keeping = new BondKeeping({
      ...options,
      keyring: this.#keyring,
      isClosed: () => this.#closed !== undefined,
      send: (pdu) => this.#send(pdu),
    });
    this.#held = new HeldPdu(this.#clock, (pdu) => this.#onReleased(pdu));
    const onGone = (): void => this.#onCallerGone();
    this.#pairCallers = new Callers(this.#clock, "pairing", onGone);
    this.#encryptCallers = new Callers(this.#clock, "encryption", onGone);
    this.#policy = completePolicy(options.policy);
    this.#agent = options.agent ?? defaultPairingAgent;
    checkAgent(this.#agent, this.#policy);
    options.channel.onPdu = (octets, offset, end) => this.#onPdu(octets, offset, end);
    options.channel.onClose = (reason) => this.close(reason);
  }

  get security(): LinkSecurity {
    return this.#keyring.security;
  }
  get bond(): Bond | undefined {
    return this.#keyring.bond;
  }
  /** The stored bond of the peer is another one now, or gone. */
  set bond(bond: Bond | undefined) {
    if (!this.#closed) this.#keyring.bond = bond;
  }
  get isPairing(): boolean {
    return this.#run !== undefined || this.#keeping.isStoring;
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

  /**
   * Pairs, or joins the pairing that is under way where that will do: each caller has its own demands, its own signal and its own deadline,
   * and one whose demands it does not cover pairs after it. The central sends a Pairing Request. The peripheral sends a Security Request,
   * which the central may also answer by encrypting with the keys of the bond: then the report has `fromBond`.
   *
   * @throws {ArgumentError} an option that is not known, or a policy that cannot be kept
   * @throws {PairingError} one side refuses; or there is a bond that the link has not proved, and the agent does not let it be replaced
   * @throws {PairingTimeoutError} 30 s without a PDU of the peer; this link cannot pair any more
   * @throws {TimeoutError} `timeoutMs` passed, or the central ignored the Security Request for 30 s
   * @throws `signal.reason` once `signal` aborts; the peer gets Pairing Failed
   */
  async pair(options: PairOptions = {}): Promise<PairingReport> {
    checkOptions("pair", options, PAIR_OPTION_NAMES);
    const { policy, ...rest } = options;
    const chosen = completePolicy(policy, this.#policy);
    checkAgent(this.#agent, chosen);
    const end = this.#closed ?? this.#timedOut;
    if (end) throw end;
    rest.signal?.throwIfAborted();
    const report = this.#pairCallers.add(chosen, rest);
    this.#next();
    return await report;
  }

  /**
   * Encrypts with the keys of the bond; resolves at once where the link is encrypted already as the policy demands. The peripheral asks the
   * central to do it, who may pair instead.
   *
   * @throws {ArgumentError} an option that is not known
   * @throws {StateError} central: there is no key to encrypt with; pair first
   * @throws {BondLostError} the peer no longer has the key, or knows it under another identity of ours
   * @throws {PairingError} the stored key, or the one in use, is weaker than the policy allows
   * @throws {HciError} the controller or the peer refused for another reason
   * @throws {TimeoutError} `timeoutMs` passed, 30 s by default
   */
  async encrypt(options: OperationOptions = {}): Promise<void> {
    checkOptions("encrypt", options, ENCRYPT_OPTION_NAMES);
    const { signal, timeoutMs = SMP_TIMEOUT_MS } = options;
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    if (this.role === "peripheral" && !this.security.encrypted && this.#timedOut) throw this.#timedOut;
    const encrypted = this.#encryptCallers.add(this.#policy, { signal, timeoutMs });
    this.#next();
    await encrypted;
  }

  /**
   * Peripheral: HCI_LE_Long_Term_Key_Request. Gives the key as HCI carries it, least significant octet first, or `undefined` for a negative
   * reply.
   */
  onLongTermKeyRequest(rand: Uint8Array, ediv: number): Uint8Array | undefined {
    if (this.#closed || this.role !== "peripheral") return undefined;
    const answer = this.#keyring.answer(this.#run?.state, rand, ediv, this.#policy);
    if (answer.purpose === undefined) {
      if (answer.refusal) this.#report(answer.refusal);
      return undefined;
    }
    if (answer.purpose === "pairing") this.#run?.take({ kind: "key-given" });
    return answer.key;
  }

  /**
   * Encryption Change, and Encryption Key Refresh Complete as `enabled`. PDUs that the peer sent after it may have come before it, or come
   * after those that the peer sent before it: there is no order between events and data.
   */
  onEncryptionChange(status: number, enabled: boolean): void {
    if (!this.#closed) this.#keyring.onEncryptionChange(status, enabled);
  }

  /** The link is gone: everything that waits is rejected with `reason`, every question's signal aborts, and a pairing under way has failed. */
  close(reason: BleError = new ClosedError("the Security Manager was closed")): void {
    if (this.#closed) return;
    this.#closed = reason;
    const run = this.#run;
    // Whoever leaves in the middle, so as not to be told that it guessed wrong, has failed too.
    if (run) this.#attempts.failed(this.#peer.toString());
    this.#keyring.close();
    this.#clearRequest();
    this.#pause?.[Symbol.dispose]();
    this.#stop(reason);
    this.#rejectAll(reason);
    if (run) this.#report(reason);
  }

  // --- asking ---------------------------------------------------------------------------------------------------------------------

  get #peer(): Address {
    return this.bond?.identity ?? this.#options.peerAddress;
  }

  /** Does what somebody waits for, unless something is under way. */
  #next(): void {
    const isBusy = (): boolean => this.isPairing || this.#request !== undefined || this.#keyring.isStarting || this.#closed !== undefined;
    // Each turn settles at least one caller or leaves something under way.
    while (!isBusy() && this.#encryptCallers.first) this.#beginEncryption(this.#encryptCallers.first);
    while (!isBusy() && !this.#pause && this.#pairCallers.first) this.#beginPairing(this.#pairCallers.first);
  }

  #beginEncryption(policy: PairingPolicy): void {
    const isMeant = (other: PairingPolicy): boolean => other === policy;
    const { security } = this;
    const refusal = security.encrypted
      ? shortfallOf(security, policy)
      : this.role === "central"
        ? this.#keyring.encryptWithBond(policy)
        : (this.#timedOut ?? this.#blocked());
    if (refusal) this.#encryptCallers.reject(refusal, isMeant);
    else if (security.encrypted) this.#encryptCallers.resolve(undefined, isMeant);
    else if (this.role === "peripheral") this.#sendSecurityRequest(policy);
  }

  #beginPairing(wanted: PairingPolicy): void {
    const isMeant = (other: PairingPolicy): boolean => other === wanted;
    const { bond, security } = this;
    const refusal = this.#timedOut ?? this.#blocked();
    if (this.role === "peripheral" && bond && this.#keyring.isProved && satisfies(security, wanted))
      this.#pairCallers.resolve(reportOfBond(bond), isMeant);
    else if (refusal) this.#pairCallers.reject(refusal, isMeant);
    else {
      this.#origin = wanted;
      // On a link that is encrypted already the protection that is missing is what it is about.
      const policy =
        security.encrypted && isMitmMissing(security.authenticated, wanted) ? { ...wanted, requireAuthentication: true } : wanted;
      const pauseMs = this.#quietUntilMs - this.#clock.now();
      if (this.role === "peripheral") this.#sendSecurityRequest(policy);
      else if (pauseMs <= 0) this.#initiate(policy, true);
      else
        this.#pause = this.#clock.setTimer(pauseMs, "pause between pairings", () => {
          this.#pause = undefined;
          this.#next();
        });
    }
  }

  /** What the peer sent before it heard of the end must not be taken for the answer to another Pairing Request. */
  #pauseAfterOwnEnd(): void {
    this.#quietUntilMs = this.#clock.now() + PAUSE_MS;
  }

  #blocked(): PairingError | undefined {
    return refusalToWait(this.#attempts.waitMs(this.#peer.toString()));
  }

  #sendSecurityRequest(policy: PairingPolicy): void {
    const timer = this.#clock.setTimer(SMP_TIMEOUT_MS, "Security Request", () => {
      this.#request = undefined;
      this.#rejectCovered(policy, new TimeoutError("Security Request", SMP_TIMEOUT_MS));
      this.#next();
    });
    this.#request = { policy, timer };
    this.#send({ name: "SecurityRequest", authReq: authReqOf(policy) });
  }

  #clearRequest(): void {
    this.#request?.timer[Symbol.dispose]();
    this.#request = undefined;
  }

  /** What this side started ends when the last one who waited for it has left. */
  #onCallerGone(): void {
    if (this.#pause && !this.#pairCallers.first) {
      this.#pause[Symbol.dispose]();
      this.#pause = undefined;
    }
    const policy = this.#request?.policy ?? (this.#run?.wanted ? this.#run.policy : undefined);
    if (policy && this.#encryptCallers.size === 0 && !this.#pairCallers.some((other) => covers(policy, other))) {
      this.#clearRequest();
      if (this.#run?.wanted) {
        this.#send({ name: "PairingFailed", reason: PairingFailedReason.UnspecifiedReason });
        this.#pauseAfterOwnEnd();
        this.#stop(new ClosedError("the pairing was cancelled"));
      }
    }
    this.#next();
  }

  // --- pairing --------------------------------------------------------------------------------------------------------------------

  #session(policy: PairingPolicy, wanted: boolean): Session {
    const { localAddress, peerAddress, identity, random } = this.#options;
    const { bond, isProved } = this.#keyring;
    const [initiator, responder] = this.role === "central" ? [localAddress, peerAddress] : [peerAddress, localAddress];
    return { role: this.role, initiator, responder, identity, policy, secrets: drawSecrets(random), bond, isProved, wanted };
  }

  #initiate(policy: PairingPolicy, wanted: boolean): void {
    this.#begin(beginAsInitiator(this.#session(policy, wanted)), policy, wanted);
  }

  #begin(first: Step, policy: PairingPolicy, wanted: boolean): void {
    this.#clearRequest();
    this.#keeping.begin();
    this.#keyring.begin();
    this.#logger.debug(() => `pairing as ${this.role === "central" ? "initiator" : "responder"}`);
    const { findBond, findIrkHolder } = this.#options;
    this.#run = new PairingRun({
      clock: this.#clock,
      agent: this.#agent,
      peer: this.#peer,
      policy,
      wanted,
      send: (pdu) => this.#send(pdu),
      encrypt: (state) => this.#keyring.encryptWithPairing(state),
      find: async (identity, irk) => ({ bond: await findBond?.(identity), irkHolder: irk && findIrkHolder?.(irk, identity) }),
      onDone: (outcome) => {
        this.#stop();
        void this.#complete(outcome, policy);
      },
      onFailed: (error) => {
        if (error instanceof PairingTimeoutError) this.#timedOut = error;
        this.#attempts.failed(this.#peer.toString());
        if (error instanceof PairingError && error.side === "local") this.#pauseAfterOwnEnd();
        this.#fail(error, policy);
      },
    });
    this.#run.begin(first);
  }

  #send(pdu: SmpPdu): void {
    if (this.#closed || this.#timedOut) return;
    this.#logger.trace(() => `> ${describe(pdu)}`);
    this.#options.channel.send(encodeSmp(pdu));
  }

  /** Ends what runs and leaves nothing of it behind. */
  #stop(reason?: BleError): void {
    const run = this.#run;
    this.#run = undefined;
    this.#keyring.drop(run !== undefined && reason !== undefined);
    run?.stop(reason);
    this.#held.drop();
  }

  /** A pairing by `policy` has failed, and with it those that it would have done for. */
  #fail(error: BleError, policy: PairingPolicy): void {
    this.#stop(error);
    this.#clearRequest();
    if (this.#timedOut) this.#rejectAll(error);
    else this.#rejectCovered(policy, error);
    this.#report(error);
    this.#next();
  }

  #rejectAll(error: BleError): void {
    this.#pairCallers.reject(error);
    this.#encryptCallers.reject(error);
  }

  /** Who asked for what was done by `policy`, or for the same. Who asked for less may still get it. */
  #rejectCovered(policy: PairingPolicy, error: BleError): void {
    const origin = this.#origin;
    this.#origin = undefined;
    this.#pairCallers.reject(error, (wanted) => wanted === origin || (covers(policy, wanted) && covers(wanted, policy)));
    // A central with a bond can still encrypt.
    if (this.role === "peripheral" || !this.#keyring.keys?.bonded) this.#encryptCallers.reject(error);
  }

  #report(error: BleError): void {
    this.#logger.info(error.message);
    callOut(this.#options.onFailure, error);
  }

  /** The keys are exchanged; what remains is to keep them. */
  async #complete(outcome: Outcome, policy: PairingPolicy): Promise<void> {
    const { agreement, identity } = outcome;
    this.#attempts.succeeded(this.#peer.toString());
    this.#keyring.take(outcome); // before anything is awaited: the central may ask for one at once
    const isBonded = agreement.bonding && identity !== undefined;
    const report = reportOf(outcome, identity ?? this.#options.peerAddress, isBonded);
    if (isBonded) {
      const failure = await this.#keeping.keep(outcome, identity, report);
      if (this.#closed) return;
      if (failure) {
        this.#fail(failure, policy);
        return;
      }
    }
    this.#logger.info(() => `paired: ${report.method}, ${report.keySize} octets${report.bonded ? ", bonded" : ""}`);
    this.#pairCallers.resolve(report, (wanted) => covers(policy, wanted) || fulfils(report, wanted));
    callOut(this.#options.onPaired, report);
    this.#origin = undefined;
    this.#next();
  }

  // --- encryption -----------------------------------------------------------------------------------------------------------------

  #onEncrypted(purpose: KeyPurpose): void {
    const { security } = this;
    this.#encryptCallers.resolve(undefined, (policy) => shortfallOf(security, policy) === undefined);
    if (purpose === "pairing") {
      this.#run?.take({ kind: "encrypted" });
      return;
    }
    const { bond } = this;
    if (this.role === "peripheral" && bond && this.#keyring.isProved)
      this.#pairCallers.resolve(reportOfBond(bond), (policy) => satisfies(security, policy));
    if (this.#request && !this.#pairCallers.some((policy) => covers(this.#request!.policy, policy))) this.#clearRequest();
    this.#held.release();
    this.#next();
  }

  #onEncryptionFailed(purpose: KeyPurpose, cause: BleError): void {
    if (purpose === "bond") {
      this.#encryptCallers.reject(cause);
      this.#report(cause);
      this.#held.release();
      this.#next();
      return;
    }
    const detail = "the link could not be encrypted with the key of the pairing";
    this.#run?.fail(PairingFailedReason.UnspecifiedReason, { detail, cause });
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
        if (this.#run) this.#run.fail(PairingFailedReason.InvalidParameters, `${decoded.name} of a wrong length`);
        else if (decoded.name === "PairingRequest")
          this.#refuse(PairingFailedReason.InvalidParameters, `${decoded.name} of a wrong length`);
        return;
      case "pdu":
        this.#logger.trace(() => `< ${describe(decoded.pdu)}`);
        if (this.#run) this.#run.take({ kind: "pdu", pdu: decoded.pdu });
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
        this.#onPairingFailed(pdu.reason);
        return;
      case "PairingRequest":
      case "SecurityRequest":
        if (this.#keyring.isStarting) this.#held.hold(pdu, HOLD_MS);
        else if (pdu.name === "PairingRequest") this.#onPairingRequest(pdu);
        else this.#onSecurityRequest(pdu.authReq);
        return;
      default:
        this.#logger.debug(`${pdu.name} outside a pairing was ignored`);
    }
  }

  #onReleased(pdu: SmpPdu): void {
    if (this.#run || this.#closed || this.#timedOut) return;
    if (pdu.name === "PairingRequest") this.#onPairingRequest(pdu);
    else if (pdu.name === "SecurityRequest") this.#onSecurityRequest(pdu.authReq);
  }

  #onPairingFailed(reason: number): void {
    const request = this.#request;
    if (request) {
      this.#fail(new PairingError({ reason, side: "peer" }), request.policy);
      return;
    }
    const refusal = this.#keeping.refuse(reason, (error) => this.#report(error));
    if (!refusal) return;
    this.#attempts.failed(this.#peer.toString());
    this.#report(refusal);
  }

  /** Refuses before anything has begun. Whoever waits here for something else goes on waiting. */
  #refuse(reason: number, detail: string, advice?: string): void {
    this.#send({ name: "PairingFailed", reason });
    this.#report(new PairingError({ reason, side: "local", detail, advice }));
  }

  /** Why no pairing may begin that the peer asks for. */
  #refusal(): PairingError | undefined {
    const refusal = (reason: number, detail: string): PairingError => new PairingError({ reason, side: "local", detail });
    if (this.#keeping.isStoring) return refusal(PairingFailedReason.UnspecifiedReason, "the pairing before is still being stored");
    if (this.#request) return this.#blocked();
    if (!this.#policy.pairable) return refusal(PairingFailedReason.PairingNotSupported, "the policy is not pairable");
    return refusalToWait(this.#attempts.waitForPeerMs(this.#peer.toString()));
  }

  #refuseWith(error: PairingError): void {
    this.#send({ name: "PairingFailed", reason: error.reason });
    this.#report(error);
  }

  #onPairingRequest(request: PairingFeatures): void {
    if (this.role === "central") {
      this.#refuse(PairingFailedReason.CommandNotSupported, "only a central may send a Pairing Request");
      return;
    }
    const refusal = this.#refusal();
    if (refusal) {
      this.#refuseWith(refusal);
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
    if (this.#keeping.isStoring) return;
    const { keys, isBondLost, bond } = this.#keyring;
    const { act, requireAuthentication } = answerTo(authReq, { security: this.security, keys, policy: this.#policy, isBondLost });
    if (act === "nothing") return;
    if (act === "encrypt") {
      this.#keyring.encryptWithBond(this.#policy);
      if (requireAuthentication) this.#held.hold({ name: "SecurityRequest", authReq }, SMP_TIMEOUT_MS);
      return;
    }
    const refusal = this.#refusal();
    if (refusal) this.#refuseWith(refusal);
    else if (act === "refuse")
      this.#refuse(PairingFailedReason.PairingNotSupported, "the peer has lost the key of the bond", bond && adviceFor(bond));
    else this.#initiate(requireAuthentication ? { ...this.#policy, requireAuthentication } : this.#policy, false);
  }
}

function refusalToWait(retryAfterMs: number): PairingError | undefined {
  if (retryAfterMs <= 0) return undefined;
  const detail = `too many pairings, the next is possible in ${Math.ceil(retryAfterMs / 1000)} s`;
  return new PairingError({ reason: PairingFailedReason.RepeatedAttempts, side: "local", detail, retryAfterMs });
}

/** For the log: a name, and no secret. */
function describe(pdu: SmpPdu): string {
  return pdu.name === "PairingFailed" ? `PairingFailed ${pairingFailedText(pdu.reason)}` : pdu.name;
}
