import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import type { LinkSecurity } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { checkOptions } from "../core/arguments.ts";
import { type BleError, ClosedError, UnsupportedError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { Agenda } from "./agenda.ts";
import { PairingAttempts } from "./attempts.ts";
import { BondKeeping } from "./bond-keeping.ts";
import { reportOf, unbonded } from "./bonding.ts";
import type { KeyPurpose } from "./encryption.ts";
import { PairingError, PairingFailedReason, PairingTimeoutError, pairingFailedText } from "./error.ts";
import { Keyring } from "./keyring.ts";
import { ENCRYPT_OPTION_NAMES, PAIR_OPTION_NAMES, type PairOptions, type SecurityManagerOptions } from "./options.ts";
import { beginAsInitiator, beginAsResponder } from "./pairing.ts";
import { PairingRun, SMP_TIMEOUT_MS } from "./pairing-run.ts";
import { decodeSmp, encodeSmp, type SmpPdu } from "./pdus.ts";
import { PeerAttempts } from "./peer-attempts.ts";
import { PeerRequests } from "./peer-requests.ts";
import { checkAgent, completePolicy, defaultPairingAgent } from "./policy.ts";
import { drawSecrets, type Outcome, type Session, type Step } from "./state.ts";
import type { Bond, PairingAgent, PairingPolicy, PairingReport } from "./types.ts";

/**
 * The Security Manager of one link, Vol 3 Part H: runs its pairings and joins those who have a part in them. `Agenda` has who waits and what
 * is begun next, `PeerRequests` what the peer sends while nothing runs, `Keyring` the keys of the link, `BondKeeping` what is stored of a
 * pairing. They do not know each other's ends: what they find out comes here, and goes on from here.
 */
export class SecurityManager {
  readonly role: "central" | "peripheral";
  readonly #options: SecurityManagerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #attempts: PeerAttempts;
  readonly #keyring: Keyring;
  readonly #keeping: BondKeeping;
  readonly #agenda: Agenda;
  readonly #requests: PeerRequests;
  #policy: PairingPolicy;
  #agent: PairingAgent;
  #run: PairingRun | undefined;
  #timedOut: PairingTimeoutError | undefined;
  /** A pairing is over, and the program is told so. */
  #isTelling = false;
  #closed: BleError | undefined;

  /** @throws {ArgumentError} a policy or an agent that is not one, or a policy that the agent cannot keep */
  constructor(options: SecurityManagerOptions) {
    const { role, clock } = options;
    this.role = role;
    this.#options = options;
    this.#clock = clock;
    this.#logger = (options.logger ?? Logger.silent).child("smp");
    this.#attempts = new PeerAttempts(options.attempts ?? new PairingAttempts({ clock }), () => this.#peer);
    this.#policy = completePolicy(options.policy);
    this.#agent = options.agent ?? defaultPairingAgent;
    checkAgent(this.#agent, this.#policy);
    const keyring = new Keyring({
      link: options.link,
      identity: options.identity.address,
      bond: options.bond,
      onSecurity: (security) => callOut(options.onSecurity, security),
      onEncrypted: (purpose) => this.#onEncrypted(purpose),
      onFailed: (purpose, error) => this.#onEncryptionFailed(purpose, error),
    });
    const send = (pdu: SmpPdu): void => this.#send(pdu);
    const report = (error: BleError): void => this.#report(error);
    const keeping = new BondKeeping({ ...options, keyring, isClosed: () => this.#closed !== undefined, send, report });
    const agenda = new Agenda({
      role,
      clock,
      keyring,
      send,
      isBusy: () => this.isPairing || this.#closed !== undefined,
      refusal: () => this.#timedOut ?? this.#attempts.refusal,
      initiate: (policy) => this.#initiate(policy, true),
      onLeft: () => this.#onLeft(),
    });
    this.#keyring = keyring;
    this.#keeping = keeping;
    this.#agenda = agenda;
    this.#requests = new PeerRequests({
      role,
      clock,
      keyring,
      keeping,
      send,
      logger: this.#logger,
      attempts: this.#attempts,
      policy: () => this.#policy,
      beforeKey: options.beforeKey,
      requested: () => agenda.requested,
      isIdle: () => !(this.#run || this.#isTelling || this.#closed || this.#timedOut),
      report,
      initiate: (policy) => this.#initiate(policy, false),
      respond: (request, policy, wanted) => this.#begin(beginAsResponder(this.#session(policy, wanted), request), policy, wanted),
      onRefused: (error, policy) => this.#fail(error, policy),
    });
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
    return this.#run !== undefined || this.#isTelling || this.#keeping.isStoring;
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
    const { policy, outOfBand, ...rest } = options;
    const chosen = completePolicy({ ...policy, ...(outOfBand !== undefined && { outOfBand }) }, this.#policy);
    checkAgent(this.#agent, chosen);
    const end = this.#closed ?? this.#timedOut;
    if (end) throw end;
    rest.signal?.throwIfAborted();
    return await this.#agenda.pairing(chosen, rest);
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
    await this.#agenda.encryption(this.#policy, { signal, timeoutMs });
  }

  /**
   * Central: encrypts an encrypted link anew with the key that it has (Vol 6 Part B 5.1.3.2), after what is under way. Whoever asks while that
   * goes on shares it.
   *
   * @throws {ArgumentError} an option that is not known
   * @throws {UnsupportedError} this side is the peripheral
   * @throws {StateError} the link is not encrypted, or there is no key to encrypt it with again
   * @throws as `encrypt`
   */
  async refreshKey(options: OperationOptions = {}): Promise<void> {
    checkOptions("refreshKey", options, ENCRYPT_OPTION_NAMES);
    const { signal, timeoutMs = SMP_TIMEOUT_MS } = options;
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    if (this.role === "peripheral") throw new UnsupportedError("only the central can refresh the key of a link");
    await this.#agenda.refresh(this.#policy, { signal, timeoutMs });
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
    if (run) this.#attempts.failed();
    this.#keyring.close();
    this.#agenda.close();
    this.#stop(reason);
    this.#agenda.rejectAll(reason);
    if (run) this.#report(reason);
  }

  get #peer(): Address {
    return this.bond?.identity ?? this.#options.peerAddress;
  }

  // --- pairing --------------------------------------------------------------------------------------------------------------------

  #session(policy: PairingPolicy, wanted: boolean): Session {
    const { localAddress, peerAddress, identity, random } = this.#options;
    const { bond, isProved } = this.#keyring;
    const choosesPasskey = this.#agent.choosePasskey !== undefined;
    const [initiator, responder] = this.role === "central" ? [localAddress, peerAddress] : [peerAddress, localAddress];
    return {
      role: this.role,
      initiator,
      responder,
      identity,
      policy,
      secrets: drawSecrets(random),
      bond,
      isProved,
      wanted,
      choosesPasskey,
      localOutOfBand: this.#options.localOutOfBand?.(),
    };
  }

  #initiate(policy: PairingPolicy, wanted: boolean): void {
    this.#begin(beginAsInitiator(this.#session(policy, wanted)), policy, wanted);
  }

  #begin(first: Step, policy: PairingPolicy, wanted: boolean): void {
    this.#agenda.clearRequest();
    this.#keeping.begin();
    this.#keyring.begin();
    this.#logger.debug(() => `pairing as ${this.role === "central" ? "initiator" : "responder"}`);
    const { findBond, findIrkHolder, isOnAnotherLink } = this.#options;
    this.#run = new PairingRun({
      clock: this.#clock,
      agent: this.#agent,
      peer: this.#peer,
      policy,
      wanted,
      send: (pdu) => this.#send(pdu),
      encrypt: (state) => this.#keyring.encryptWithPairing(state),
      find: async (identity, irk) => {
        const bond = await findBond?.(identity);
        return { bond, irkHolder: irk && findIrkHolder?.(irk, identity), isOnAnotherLink: isOnAnotherLink?.(identity) ?? false };
      },
      onDone: (outcome) => {
        this.#stop();
        void this.#complete(outcome, policy);
      },
      onFailed: (error) => {
        if (error instanceof PairingTimeoutError) this.#timedOut = error;
        this.#attempts.failed();
        if (error instanceof PairingError && error.side === "local") this.#agenda.pauseAfterOwnEnd();
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
    this.#requests.drop();
  }

  /** A pairing by `policy` has failed, and with it those that it would have done for. */
  #fail(error: BleError, policy: PairingPolicy): void {
    this.#stop(error);
    this.#agenda.clearRequest();
    if (this.#timedOut) this.#agenda.rejectAll(error);
    else this.#agenda.onFailed(policy, error);
    this.#report(error);
    this.#agenda.next();
  }

  /** A pairing that this side began ends when the last one who waited for it has left. */
  #onLeft(): void {
    const run = this.#run;
    if (!run?.wanted || this.#agenda.isWanted(run.policy)) return;
    this.#send({ name: "PairingFailed", reason: PairingFailedReason.UnspecifiedReason });
    this.#agenda.pauseAfterOwnEnd();
    this.#stop(new ClosedError("the pairing was cancelled"));
  }

  #report(error: BleError): void {
    this.#logger.info(error.message);
    callOut(this.#options.onFailure, error);
  }

  /** The keys are exchanged; what remains is to keep them. */
  async #complete(outcome: Outcome, policy: PairingPolicy): Promise<void> {
    const { agreement, identity } = outcome;
    this.#attempts.succeeded();
    this.#keyring.take(outcome); // before anything is awaited: the central may ask for one at once
    const isBonded = agreement.bonding && identity !== undefined;
    let report = reportOf(outcome, identity ?? this.#options.peerAddress, isBonded);
    this.#isTelling = true; // nothing may begin in between
    callOut(this.#options.onExchanged, report);
    this.#isTelling = false;
    if (this.#closed) return;
    if (isBonded) {
      const failure = await this.#keeping.keep(outcome, identity, report, policy);
      if (this.#closed) return;
      if (failure?.isFatal) {
        this.#fail(failure.error, policy);
        return;
      }
      if (failure) report = unbonded(report, failure.error);
    }
    this.#logger.info(() => `paired: ${report.method}, ${report.keySize} octets${report.bonded ? ", bonded" : ""}`);
    this.#agenda.onPaired(report, policy);
    callOut(this.#options.onPaired, report);
    this.#agenda.next();
  }

  // --- what the others find out -----------------------------------------------------------------------------------------------------

  #onEncrypted(purpose: KeyPurpose): void {
    const { security } = this;
    this.#agenda.onEncrypted(security);
    if (purpose === "pairing") {
      this.#run?.take({ kind: "encrypted" });
      return;
    }
    this.#agenda.onEncryptedWithBond(security);
    this.#requests.release();
    this.#agenda.next();
  }

  #onEncryptionFailed(purpose: KeyPurpose, cause: BleError): void {
    if (purpose === "bond") {
      this.#agenda.onEncryptionFailed(cause);
      this.#report(cause);
      this.#requests.release();
      this.#agenda.next();
      return;
    }
    const detail = "the link could not be encrypted with the key of the pairing";
    this.#run?.fail(PairingFailedReason.UnspecifiedReason, { detail, cause });
  }

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
        else this.#requests.takeMalformed(decoded.name);
        return;
      case "pdu":
        this.#logger.trace(() => `< ${describe(decoded.pdu)}`);
        if (this.#run) this.#run.take({ kind: "pdu", pdu: decoded.pdu });
        else this.#requests.take(decoded.pdu);
    }
  }
}

/** For the log: a name, and no secret. */
function describe(pdu: SmpPdu): string {
  return pdu.name === "PairingFailed" ? `PairingFailed ${pairingFailedText(pdu.reason)}` : pdu.name;
}
