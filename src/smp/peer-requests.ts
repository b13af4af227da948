import type { Clock } from "../async/clock.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { BondKeeping } from "./bond-keeping.ts";
import { PairingError, PairingFailedReason } from "./error.ts";
import { HeldPdu } from "./held-pdu.ts";
import type { Keyring } from "./keyring.ts";
import { SMP_TIMEOUT_MS } from "./pairing-run.ts";
import type { PairingFeatures, SmpPdu } from "./pdus.ts";
import type { PeerAttempts } from "./peer-attempts.ts";
import { adviceFor } from "./replacement.ts";
import { answerTo } from "./requirements.ts";
import type { PairingPolicy } from "./types.ts";

/** How long a PDU that may have overtaken the news of encryption waits for them. */
const HOLD_MS = 1000;

export interface PeerRequestsOptions {
  readonly role: "central" | "peripheral";
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keyring: Keyring;
  readonly keeping: BondKeeping;
  readonly attempts: PeerAttempts;
  /** The policy of what the peer begins. */
  readonly policy: () => PairingPolicy;
  /** The policy of a Security Request that the peer has not answered yet. */
  readonly requested: () => PairingPolicy | undefined;
  /** Central: waited for before a Security Request is judged by the keys of the peer. It does not reject. */
  readonly beforeKey?: (() => Promise<void>) | undefined;
  /** Whether nothing is under way, so that a PDU that was held may still begin something. */
  readonly isIdle: () => boolean;
  readonly send: (pdu: SmpPdu) => void;
  readonly report: (error: BleError) => void;
  /** Central: a pairing that the peer asks for begins. */
  readonly initiate: (policy: PairingPolicy) => void;
  /** Peripheral: the pairing that the peer asks for begins. `wanted`: this side had asked for it. */
  readonly respond: (request: PairingFeatures, policy: PairingPolicy, wanted: boolean) => void;
  /** The peer refuses what it was asked for by `policy`. */
  readonly onRefused: (error: PairingError, policy: PairingPolicy) => void;
}

/**
 * What the peer sends while no pairing is under way. Only what may begin something is answered. Everything else is the rest of a pairing that
 * ended here, and a Pairing Failed in return could end the next one.
 */
export class PeerRequests {
  readonly #options: PeerRequestsOptions;
  readonly #held: HeldPdu;
  /** The Security Request that waits for `beforeKey`: the last one counts. */
  #asking: { pdu: SmpPdu } | undefined;

  constructor(options: PeerRequestsOptions) {
    this.#options = options;
    this.#held = new HeldPdu(options.clock, (pdu) => {
      if (options.isIdle()) this.#answer(pdu);
    });
  }

  take(pdu: SmpPdu): void {
    switch (pdu.name) {
      case "PairingFailed":
        this.#onPairingFailed(pdu.reason);
        return;
      case "PairingRequest":
        this.#judge(pdu);
        return;
      case "SecurityRequest":
        this.#prepare(pdu);
        return;
      default:
        this.#options.logger.debug(`${pdu.name} outside a pairing was ignored`);
    }
  }

  /** A PDU of this name has a wrong length. */
  takeMalformed(name: string): void {
    if (name === "PairingRequest") this.#refuse(PairingFailedReason.InvalidParameters, `${name} of a wrong length`);
  }

  /** It is known now whether the link is encrypted: what waited for that is judged. */
  release(): void {
    this.#held.release();
  }

  /** What waits is not looked at any more. */
  drop(): void {
    this.#held.drop();
    this.#asking = undefined;
  }

  /** The key that a Security Request may put to use is brought up to date first. */
  #prepare(pdu: SmpPdu): void {
    const { role, keyring, keeping, beforeKey } = this.#options;
    if (this.#asking) {
      this.#asking.pdu = pdu;
      return;
    }
    if (!beforeKey || role === "peripheral" || keyring.security.encrypted || keyring.isStarting || keeping.isStoring) {
      this.#judge(pdu);
      return;
    }
    const asking = { pdu };
    this.#asking = asking;
    void beforeKey().then(() => {
      if (this.#asking !== asking) return;
      this.#asking = undefined;
      if (this.#options.isIdle()) this.#judge(asking.pdu);
    });
  }

  /** What may have overtaken the news that the link is encrypted waits for them. */
  #judge(pdu: SmpPdu): void {
    if (this.#options.keyring.isStarting) this.#held.hold(pdu, HOLD_MS);
    else this.#answer(pdu);
  }

  #answer(pdu: SmpPdu): void {
    if (pdu.name === "PairingRequest") this.#onPairingRequest(pdu);
    else if (pdu.name === "SecurityRequest") this.#onSecurityRequest(pdu.authReq);
  }

  #onPairingFailed(reason: number): void {
    const { requested, keeping, attempts, report, onRefused } = this.#options;
    const policy = requested();
    if (policy) {
      onRefused(new PairingError({ reason, side: "peer" }), policy);
      return;
    }
    const refusal = keeping.refuse(reason);
    if (!refusal) return;
    attempts.failed();
    report(refusal);
  }

  #onPairingRequest(request: PairingFeatures): void {
    if (this.#options.role === "central") {
      this.#refuse(PairingFailedReason.CommandNotSupported, "only a central may send a Pairing Request");
      return;
    }
    const refusal = this.#refusal();
    if (refusal) {
      this.#refuseWith(refusal);
      return;
    }
    const requested = this.#options.requested();
    this.#options.respond(request, requested ?? this.#options.policy(), requested !== undefined);
  }

  #onSecurityRequest(authReq: number): void {
    const { role, keyring, keeping, initiate } = this.#options;
    if (role === "peripheral") {
      this.#refuse(PairingFailedReason.CommandNotSupported, "only a peripheral may send a Security Request");
      return;
    }
    if (keeping.isStoring) return;
    const policy = this.#options.policy();
    const { security, keys, isBondLost, bond } = keyring;
    const { act, requireAuthentication } = answerTo(authReq, { security, keys, policy, isBondLost });
    if (act === "nothing") return;
    if (act === "encrypt") {
      keyring.encryptWithBond(policy);
      if (requireAuthentication) this.#held.hold({ name: "SecurityRequest", authReq }, SMP_TIMEOUT_MS);
      return;
    }
    const refusal = this.#refusal();
    if (refusal) this.#refuseWith(refusal);
    else if (act === "refuse")
      this.#refuse(PairingFailedReason.PairingNotSupported, "the peer has lost the key of the bond", bond && adviceFor(bond));
    else initiate(requireAuthentication ? { ...policy, requireAuthentication } : policy);
  }

  /** Why no pairing may begin that the peer asks for. */
  #refusal(): PairingError | undefined {
    const { keeping, attempts, requested, policy } = this.#options;
    const refusal = (reason: number, detail: string): PairingError => new PairingError({ reason, side: "local", detail });
    if (keeping.isStoring) return refusal(PairingFailedReason.UnspecifiedReason, "the pairing before is still being stored");
    if (requested()) return attempts.refusal;
    if (!policy().pairable) return refusal(PairingFailedReason.PairingNotSupported, "the policy is not pairable");
    return attempts.refusalForPeer;
  }

  #refuse(reason: number, detail: string, advice?: string): void {
    this.#refuseWith(new PairingError({ reason, side: "local", detail, advice }));
  }

  /** Refuses before anything has begun. Whoever waits here for something else goes on waiting. */
  #refuseWith(error: PairingError): void {
    this.#options.send({ name: "PairingFailed", reason: error.reason });
    this.#options.report(error);
  }
}
