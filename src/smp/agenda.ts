import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import type { LinkSecurity } from "../att/security.ts";
import { type BleError, StateError, TimeoutError } from "../core/error.ts";
import { reportOfBond } from "./bonding.ts";
import { Callers } from "./callers.ts";
import type { Keyring } from "./keyring.ts";
import { SMP_TIMEOUT_MS } from "./pairing-run.ts";
import type { SmpPdu } from "./pdus.ts";
import { authReqOf, demandsOutOfBand } from "./policy.ts";
import { covers, fulfils, isMitmMissing, satisfies, shortfallOf } from "./requirements.ts";
import type { PairingPolicy, PairingReport } from "./types.ts";

/** How long the central waits after it has ended a pairing before it begins another. */
const PAUSE_MS = 500;

export interface AgendaOptions {
  readonly role: "central" | "peripheral";
  readonly clock: Clock;
  readonly keyring: Keyring;
  /** A pairing is under way or being stored, or the link is gone: nothing can begin. */
  readonly isBusy: () => boolean;
  /** Why this side may not ask for a pairing now. */
  readonly refusal: () => BleError | undefined;
  readonly send: (pdu: SmpPdu) => void;
  /** Central: begins the pairing that somebody waits for. */
  readonly initiate: (policy: PairingPolicy) => void;
  /** One of those who waited has left. */
  readonly onLeft: () => void;
}

/**
 * Who waits for security on a link, and what is begun for them next: encryption with the bond, a pairing, or, as peripheral, a Security
 * Request. One thing at a time; whoever its end does not settle has the next one begun.
 */
export class Agenda {
  readonly #options: AgendaOptions;
  readonly #pairCallers: Callers<PairingReport>;
  readonly #encryptCallers: Callers<void>;
  readonly #refreshCallers: Callers<void>;
  /** Whose wish is being fulfilled: the demands of a caller, which a pairing may go beyond. */
  #origin: PairingPolicy | undefined;
  /** Peripheral: a Security Request that the central has not answered yet. */
  #request: { readonly policy: PairingPolicy; readonly timer: Disposable } | undefined;
  /** Central: no Pairing Request before then. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #pause: Disposable | undefined;

  constructor(options: AgendaOptions) {
    this.#options = options;
    const onGone = (): void => this.#onGone();
    this.#pairCallers = new Callers(options.clock, "pairing", onGone);
    this.#encryptCallers = new Callers(options.clock, "encryption", onGone);
    this.#refreshCallers = new Callers(options.clock, "key refresh", onGone);
  }

  /** Peripheral: the policy of a Security Request that the central has not answered yet. */
  get requested(): PairingPolicy | undefined {
    return this.#request?.policy;
  }

  /** Whether anybody waits for what a pairing by `policy` brings. */
  isWanted(policy: PairingPolicy): boolean {
    return this.#encryptCallers.size > 0 || this.#isCovered(policy);
  }

  /** @param options.signal must not have aborted yet */
  pairing(policy: PairingPolicy, options: OperationOptions): Promise<PairingReport> {
    const report = this.#pairCallers.add(policy, options);
    this.next();
    return report;
  }

  /** @param options.signal must not have aborted yet */
  encryption(policy: PairingPolicy, options: OperationOptions): Promise<void> {
    const encrypted = this.#encryptCallers.add(policy, options);
    this.next();
    return encrypted;
  }

  /** Central. @param options.signal must not have aborted yet */
  refresh(policy: PairingPolicy, options: OperationOptions): Promise<void> {
    const refreshed = this.#refreshCallers.add(policy, options);
    this.next();
    return refreshed;
  }

  /** Does what somebody waits for, unless something is under way. */
  next(): void {
    const { isBusy, keyring } = this.#options;
    const mayBegin = (): boolean => !isBusy() && this.#request === undefined && !keyring.isStarting;
    // Each turn settles at least one caller or leaves something under way.
    while (mayBegin() && this.#encryptCallers.first) this.#beginEncryption(this.#encryptCallers.first);
    while (mayBegin() && this.#refreshCallers.first) this.#beginRefresh(this.#refreshCallers.first);
    while (mayBegin() && !this.#pause && this.#pairCallers.first) this.#beginPairing(this.#pairCallers.first);
  }

  /** What the peer sent before it heard of the end must not be taken for the answer to another Pairing Request. */
  pauseAfterOwnEnd(): void {
    this.#quietUntilMs = this.#options.clock.now() + PAUSE_MS;
  }

  /** The Security Request is answered, or not waited for any more. */
  clearRequest(): void {
    this.#request?.timer[Symbol.dispose]();
    this.#request = undefined;
  }

  /** A pairing by `policy` is over, and its keys are kept where they were to be. */
  onPaired(report: PairingReport, policy: PairingPolicy): void {
    this.#origin = undefined;
    this.#pairCallers.resolve(report, (wanted) => covers(policy, wanted) || fulfils(report, wanted));
  }

  onEncrypted(security: LinkSecurity): void {
    this.#refreshCallers.resolve(undefined);
    this.#encryptCallers.resolve(undefined, (policy) => shortfallOf(security, policy) === undefined);
  }

  /** The link is encrypted with the key of the bond: that may be what a peripheral asked for. */
  onEncryptedWithBond(security: LinkSecurity): void {
    const { role, keyring } = this.#options;
    const { bond } = keyring;
    if (role === "peripheral" && bond && keyring.isProved)
      this.#pairCallers.resolve(
        reportOfBond(bond),
        (policy) => satisfies(security, policy) && (bond.method === "out-of-band" || !demandsOutOfBand(policy)),
      );
    if (this.#request && !this.#isCovered(this.#request.policy)) this.clearRequest();
  }

  /** The link could not be encrypted with the key of the bond. */
  onEncryptionFailed(error: BleError): void {
    this.#refreshCallers.reject(error);
    this.#encryptCallers.reject(error);
  }

  /** What was done by `policy` has failed. Who asked for less than it may still get that. */
  onFailed(policy: PairingPolicy, error: BleError): void {
    const origin = this.#origin;
    this.#origin = undefined;
    this.#pairCallers.reject(error, (wanted) => wanted === origin || (covers(policy, wanted) && covers(wanted, policy)));
    // A central with a bond can still encrypt.
    const { role, keyring } = this.#options;
    if (role === "peripheral" || !keyring.keys?.bonded) this.#encryptCallers.reject(error);
  }

  rejectAll(error: BleError): void {
    this.#pairCallers.reject(error);
    this.#encryptCallers.reject(error);
    this.#refreshCallers.reject(error);
  }

  /** The link is gone. */
  close(): void {
    this.clearRequest();
    this.#endPause();
  }

  #isCovered(policy: PairingPolicy): boolean {
    return this.#pairCallers.some((wanted) => covers(policy, wanted));
  }

  #beginEncryption(policy: PairingPolicy): void {
    const isMeant = (other: PairingPolicy): boolean => other === policy;
    const { role, keyring } = this.#options;
    const { security } = keyring;
    const refusal = security.encrypted
      ? shortfallOf(security, policy)
      : role === "central"
        ? keyring.encryptWithBond(policy)
        : this.#options.refusal();
    if (refusal) this.#encryptCallers.reject(refusal, isMeant);
    else if (security.encrypted) this.#encryptCallers.resolve(undefined, isMeant);
    else if (role === "peripheral") this.#sendSecurityRequest(policy);
  }

  #beginPairing(wanted: PairingPolicy): void {
    const isMeant = (other: PairingPolicy): boolean => other === wanted;
    const { role, clock, keyring, initiate } = this.#options;
    const { bond, security } = keyring;
    const refusal = this.#options.refusal();
    if (role === "peripheral" && bond && keyring.isProved && satisfies(security, wanted))
      this.#pairCallers.resolve(reportOfBond(bond), isMeant);
    else if (refusal) this.#pairCallers.reject(refusal, isMeant);
    else {
      this.#origin = wanted;
      // On a link that is encrypted already the protection that is missing is what it is about.
      const policy =
        security.encrypted && wanted.requireAuthentication !== false && isMitmMissing(security.authenticated, wanted)
          ? { ...wanted, requireAuthentication: true }
          : wanted;
      const pauseMs = this.#quietUntilMs - clock.now();
      if (role === "peripheral") this.#sendSecurityRequest(policy);
      else if (pauseMs <= 0) initiate(policy);
      else
        this.#pause = clock.setTimer(pauseMs, "pause between pairings", () => {
          this.#pause = undefined;
          this.next();
        });
    }
  }

  #beginRefresh(policy: PairingPolicy): void {
    const { keyring } = this.#options;
    const refusal = keyring.security.encrypted
      ? keyring.encryptWithBond(policy)
      : new StateError("the link is not encrypted: expected a link whose key can be refreshed");
    if (refusal) this.#refreshCallers.reject(refusal, (other) => other === policy);
  }

  #sendSecurityRequest(policy: PairingPolicy): void {
    const { clock, send } = this.#options;
    const timer = clock.setTimer(SMP_TIMEOUT_MS, "Security Request", () => {
      this.#request = undefined;
      this.onFailed(policy, new TimeoutError("Security Request", SMP_TIMEOUT_MS));
      this.next();
    });
    this.#request = { policy, timer };
    send({ name: "SecurityRequest", authReq: authReqOf(policy) });
  }

  #endPause(): void {
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
  }

  /** What this side started ends when the last one who waited for it has left. */
  #onGone(): void {
    if (!this.#pairCallers.first) this.#endPause();
    if (this.#request && !this.isWanted(this.#request.policy)) this.clearRequest();
    this.#options.onLeft();
    this.next();
  }
}
