import type { AttPolicy, SecurityRequirement } from "../att/index.ts";
import { resolveAttPolicy } from "../att/policy.ts";
import { checkSecurityRequirement } from "../att/security.ts";
import type { Address } from "../core/address.ts";
import { checkBoolean, checkFunction, checkInteger, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import type { SyncReception } from "../gap/index.ts";
import type { ConnectionParameters } from "../l2cap/index.ts";
import { checkAgent, completePolicy, type PairingAgent, type PairingPolicy } from "../smp/index.ts";
import { levelFourPairing, levelFourRequirement } from "./secure-connections-only.ts";
import { checkTransferTerms } from "./transfer-terms.ts";

export interface AuthorizationQuestion {
  readonly peer: Address;
  readonly handle: number;
  readonly write: boolean;
}

/**
 * How one connection behaves. What is not given is taken from the device's options, then from the defaults.
 */
export interface ConnectionPolicy {
  /** Largest PDU ever sent, own MTU, who starts the MTU exchange. */
  readonly att?: AttPolicy | undefined;
  /** IO capability, key sizes, keys, whether the peer may pair. */
  readonly pairing?: Partial<PairingPolicy> | undefined;
  /** The user side of pairing. */
  readonly agent?: PairingAgent | undefined;
  /** Asked for each access of the peer to an own attribute that requires authorization; without it such access is refused. */
  readonly authorize?: ((access: AuthorizationQuestion) => boolean | Promise<boolean>) | undefined;
  /**
   * Called when the peer wants a stored key to be used, before it is looked for: as peripheral when the central encrypts, as central on a
   * Security Request. May change `device.bonds`, and is waited for. For stores that others change. @internal
   */
  readonly beforeKey?:
    | ((connection: { readonly peerIdentity: Address; readonly role: "central" | "peripheral" }) => void | Promise<void>)
    | undefined;
  /**
   * Answer to a peer that asks for other connection parameters. Those outside the permitted ranges are refused in any case. "accept" by
   * default.
   */
  readonly parameterRequests?: "accept" | "refuse" | ((request: ConnectionParameters) => boolean) | undefined;
  /**
   * "auto" (default) asks the link layer for its longest packets as soon as the link is there, where controller and peer can;
   * "never" leaves what the controllers agree on by themselves.
   */
  readonly dataLength?: "auto" | "never" | undefined;
  /**
   * What own GATT requests do when the peer refuses them for lack of security, or the link has less than `security` demands: "encrypt"
   * (default) with the bond, where there is one, and ask once more; "pair" pairs where that does not help; "never" leaves it at that.
   */
  readonly elevate?: "encrypt" | "pair" | "never" | undefined;
  /**
   * What the link must have before an own GATT request leaves or a notification is believed. With a bond it must be encrypted in any case: a
   * central encrypts by itself as soon as there is a link, and ends a link that cannot be encrypted.
   */
  readonly security?: SecurityRequirement | undefined;
  /**
   * Talks to a bonded peer in the clear, and believes it: anybody can use its address. For a peer that is known not to keep its keys, and for
   * nothing else. `security` holds all the same. False by default.
   */
  readonly dangerouslyTrustUnencryptedPeer?: boolean | undefined;
  /**
   * Enhanced ATT bearers (EATT): "accept" (default) takes those that the peer opens on an encrypted link, where the own server has a GATT
   * service; "never" takes none. A number, 1 to 5, accepts too, and has as many opened by this side once the link is encrypted and the
   * peer's Server Supported Features say that it takes them.
   */
  readonly eatt?: "never" | "accept" | number | undefined;
  /**
   * Secure Connections Only mode (Vol 3 Part C 10.2.4): every encryption of this link is of an authenticated pairing with LE Secure Connections and
   * a key of 128 bits, or there is none; a bond that is less is not used. Attributes and channels that ask for no security stay open. On for a
   * device it is on for all of its links. False by default.
   */
  readonly secureConnectionsOnly?: boolean | undefined;
  /**
   * What becomes of periodic advertising that the peer hands over (Periodic Advertising Sync Transfer): it is followed on these terms, and told by the
   * event "sync" of the connection; or "ignore", by default. Of a device it is in force from the first moment of every link.
   */
  readonly syncTransfers?: SyncReception | "ignore" | undefined;
}

const POLICY_OPTIONS = optionNames<ConnectionPolicy>({
  att: true,
  pairing: true,
  agent: true,
  authorize: true,
  beforeKey: true,
  parameterRequests: true,
  dataLength: true,
  elevate: true,
  security: true,
  dangerouslyTrustUnencryptedPeer: true,
  eatt: true,
  secureConnectionsOnly: true,
  syncTransfers: true,
});

/** `over` where it says something, else `base`; pairing and ATT policies are merged field by field. @throws {ArgumentError} what cannot be kept */
export function mergePolicies(base: ConnectionPolicy, over: ConnectionPolicy = {}): ConnectionPolicy {
  for (const policy of [base, over]) {
    checkOptions("policy", policy, POLICY_OPTIONS);
    checkFunction("policy: authorize", policy.authorize);
    checkFunction("policy: beforeKey", policy.beforeKey);
    for (const part of ["att", "pairing", "agent", "security"] as const)
      if (policy[part] !== undefined && (typeof policy[part] !== "object" || policy[part] === null))
        throw new ArgumentError(`policy: ${part}: expected an object, got ${kindOf(policy[part])}`);
  }
  const merged: ConnectionPolicy = {
    att: { ...base.att, ...defined(over.att) },
    pairing: { ...base.pairing, ...defined(over.pairing) },
    agent: over.agent ?? base.agent,
    authorize: over.authorize ?? base.authorize,
    beforeKey: over.beforeKey ?? base.beforeKey,
    parameterRequests: over.parameterRequests ?? base.parameterRequests ?? "accept",
    dataLength: over.dataLength ?? base.dataLength ?? "auto",
    elevate: over.elevate ?? base.elevate ?? "encrypt",
    security: { ...base.security, ...defined(over.security) },
    dangerouslyTrustUnencryptedPeer: over.dangerouslyTrustUnencryptedPeer ?? base.dangerouslyTrustUnencryptedPeer ?? false,
    eatt: over.eatt ?? base.eatt ?? "accept",
    syncTransfers: over.syncTransfers ?? base.syncTransfers ?? "ignore",
  };
  for (const policy of [base, over]) checkBoolean("policy: secureConnectionsOnly", policy.secureConnectionsOnly);
  if (base.secureConnectionsOnly && over.secureConnectionsOnly === false)
    throw new ArgumentError("secureConnectionsOnly: expected true, since the device is in that mode");
  if (base.secureConnectionsOnly || over.secureConnectionsOnly) return checked(inSecureConnectionsOnly(merged), over);
  return checked(merged, over);
}

function inSecureConnectionsOnly(policy: ConnectionPolicy): ConnectionPolicy {
  if (policy.dangerouslyTrustUnencryptedPeer)
    throw new ArgumentError("dangerouslyTrustUnencryptedPeer: expected false with secureConnectionsOnly");
  return {
    ...policy,
    secureConnectionsOnly: true,
    pairing: levelFourPairing(policy.pairing ?? {}),
    security: levelFourRequirement(policy.security ?? {}),
  };
}

/** @throws {ArgumentError} */
function checked(merged: ConnectionPolicy, over: ConnectionPolicy): ConnectionPolicy {
  const { parameterRequests, dataLength, elevate } = merged;
  if (typeof parameterRequests !== "function" && parameterRequests !== "accept" && parameterRequests !== "refuse")
    throw new ArgumentError(`parameterRequests "${parameterRequests}": expected "accept", "refuse" or a function`);
  if (dataLength !== "auto" && dataLength !== "never") throw new ArgumentError(`dataLength "${dataLength}": expected "auto" or "never"`);
  if (elevate !== "encrypt" && elevate !== "pair" && elevate !== "never")
    throw new ArgumentError(`elevate "${elevate}": expected "encrypt", "pair" or "never"`);
  if (typeof merged.dangerouslyTrustUnencryptedPeer !== "boolean")
    throw new ArgumentError("dangerouslyTrustUnencryptedPeer: expected true or false");
  if (typeof merged.eatt === "number") checkInteger("eatt", merged.eatt, 1, 5);
  else if (merged.eatt !== "never" && merged.eatt !== "accept")
    throw new ArgumentError(`eatt ${kindOf(merged.eatt)}: expected "never", "accept" or a number of bearers, 1 to 5`);
  checkTransferTerms("policy: syncTransfers", merged.syncTransfers!);
  checkSecurityRequirement("security", over.security);
  checkSecurityRequirement("security", merged.security);
  resolveAttPolicy(merged.att);
  checkAgent(merged.agent, completePolicy(merged.pairing));
  return merged;
}

function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, field]) => field !== undefined)) as Partial<T>;
}
