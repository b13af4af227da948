import type { Address } from "../core/address.ts";
import type { PairingAttempts } from "./attempts.ts";
import { PairingError, PairingFailedReason } from "./error.ts";

/** The repeated attempts (Vol 3 Part H 2.3.6) of whoever is at the other end of one link. */
export class PeerAttempts {
  readonly #attempts: PairingAttempts;
  readonly #peer: () => Address;

  /** @param peer who it is, as far as that is known when it is asked */
  constructor(attempts: PairingAttempts, peer: () => Address) {
    this.#attempts = attempts;
    this.#peer = peer;
  }

  failed(): void {
    this.#attempts.failed(this.#peer().toString());
  }

  succeeded(): void {
    this.#attempts.succeeded(this.#peer().toString());
  }

  /** Why this side has to wait before it begins another pairing, or `undefined`. */
  get refusal(): PairingError | undefined {
    return refusalToWait(this.#attempts.waitMs(this.#peer().toString()));
  }

  /** Why the peer has to wait before it begins another pairing, or `undefined`. */
  get refusalForPeer(): PairingError | undefined {
    return refusalToWait(this.#attempts.waitForPeerMs(this.#peer().toString()));
  }
}

function refusalToWait(retryAfterMs: number): PairingError | undefined {
  if (retryAfterMs <= 0) return undefined;
  const detail = `too many pairings, the next is possible in ${Math.ceil(retryAfterMs / 1000)} s`;
  return new PairingError({ reason: PairingFailedReason.RepeatedAttempts, side: "local", detail, retryAfterMs });
}
