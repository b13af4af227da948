import { type Clock, type OperationOptions, SharedWork } from "../async/index.ts";
import { InsufficientSecurityError, type LinkSecurity, meets, type SecurityRequirement } from "../att/index.ts";
import { bothRequirements } from "../att/security.ts";
import type { BleError } from "../core/error.ts";
import { DisconnectedError, HciErrorCode } from "../hci/index.ts";
import { BondLostError, type PairingPolicy, type PairOptions } from "../smp/index.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** Why the link is to have more: a requirement, and the peer's refusal where it was one. */
export interface Demand {
  readonly requirement: SecurityRequirement;
  readonly refusal: BleError | undefined;
}

export interface ClientSecurityOptions {
  readonly clock: Clock;
  readonly role: "central" | "peripheral";
  readonly policy: ConnectionPolicy;
  /** There is a bond, with a key that encrypts this link. Some peers give none, and promise nothing by it. */
  readonly hasKey: () => boolean;
  readonly security: () => LinkSecurity;
  /** The Security Manager's. */
  readonly encrypt: (options: OperationOptions) => Promise<void>;
  readonly pair: (options: PairOptions) => Promise<unknown>;
  /** A link that its bond does not encrypt is not kept. */
  readonly giveUp: (error: unknown) => void;
}

/**
 * What the client of a link may believe. A bond is a promise that the peer can encrypt: whoever uses its address without the key is somebody
 * else, or has lost the key, and is neither asked nor told nor believed anything.
 */
export class ClientSecurity {
  readonly #options: ClientSecurityOptions;
  /** Encryption with the bond that a central begins by itself. */
  #encryption: SharedWork<void> | undefined;
  /** Why that failed; the link is being taken down. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: ClientSecurityOptions) {
    this.#options = options;
  }

  /** What the link must have before a request leaves or a value is believed. Changes with the bond. */
  get demand(): SecurityRequirement {
    const { policy } = this.#options;
    return bothRequirements(this.#isPromised ? { encrypted: true } : {}, policy.security);
  }

  get #isPromised(): boolean {
    return this.#options.hasKey() && !this.#options.policy.dangerouslyTrustUnencryptedPeer;
  }

  /** A central encrypts as soon as there is a link; one that cannot be encrypted is given up. */
  begin(): void {
    if (this.#options.role !== "central" || !this.#isPromised) return;
    const run = (): Promise<void> => this.#encrypt({});
    this.#encryption = new SharedWork({ clock: this.#options.clock, operation: "encryption with the bond", run });
    // Wanted for the link's sake, whoever else waits for it and leaves.
    this.#encryption.join({}).catch((error: unknown) => {
      this.#failure = { error };
      this.#options.giveUp(error);
    });
  }

  /** Resolves when the link is what its bond promises; at once where nothing is promised. @throws {BondLostError} or what else stands in the way */
  async whenBegun(options: OperationOptions): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (this.#encryption && !this.#encryption.over) await this.#encryption.join(options);
  }

  /** Raises the link to what is demanded, by the bond or, where the policy says so, by pairing. */
  async raise({ requirement, refusal }: Demand, options: OperationOptions): Promise<void> {
    const { policy, security } = this.#options;
    if (refusal && policy.elevate === "never") throw refusal;
    if (this.#options.hasKey() && !security().encrypted) {
      if (this.#failure) throw this.#failure.error;
      await this.#encrypt(options);
      // Whether it is enough for the peer only another request can tell.
      if (refusal || meets(security(), requirement)) return;
    } else if (!refusal && meets(security(), requirement)) return;
    if (policy.elevate !== "pair") throw refusal ?? new InsufficientSecurityError(requirement, security());
    await this.#options.pair({ ...options, policy: this.#pairingFor(requirement) });
  }

  async #encrypt(options: OperationOptions): Promise<void> {
    try {
      await this.#options.encrypt(options);
    } catch (error) {
      throw isWrongKey(error) ? new BondLostError("peer", { cause: error }) : error;
    }
  }

  /** A pairing that is begun for want of something never ends without it. */
  #pairingFor({ authenticated, secureConnections, minKeySize }: SecurityRequirement): Partial<PairingPolicy> {
    const { pairing } = this.#options.policy;
    return {
      ...(authenticated && { requireAuthentication: true, mitm: true }),
      ...(secureConnections && { secureConnections: true, secureConnectionsOnly: true }),
      ...(minKeySize !== undefined && { minKeySize: Math.max(minKeySize, pairing?.minKeySize ?? 16) }),
    };
  }
}

/**
 * How a link ends for want of the right key: keys that differ show as the first packet that does not authenticate (Vol 6 Part B 5.1.3.1), and
 * some peers hang up with the reason in place of an answer.
 */
const ENDS_OF_WRONG_KEYS: readonly number[] = [
  HciErrorCode.ConnectionTerminatedDueToMicFailure,
  HciErrorCode.PinOrKeyMissing,
  HciErrorCode.AuthenticationFailure,
];

function isWrongKey(error: unknown): error is DisconnectedError {
  return error instanceof DisconnectedError && ENDS_OF_WRONG_KEYS.includes(error.reason);
}
