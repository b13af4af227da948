import { checkFunction, checkInteger, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { checkOutOfBandData } from "./out-of-band.ts";
import { IoCapability, KeyDistribution, type PairingAgent, type PairingPolicy } from "./types.ts";

/** Bits of AuthReq, Vol 3 Part H 3.5.1. */
export const AuthReq = Object.freeze({ Bonding: 0x01, BondingMask: 0x03, Mitm: 0x04, SecureConnections: 0x08, Keypress: 0x10, Ct2: 0x20 });

/**
 * Pairs with whoever asks, without input or output, keeps the bond, offers LE Secure Connections and insists on keys of 16 octets. Gives
 * out and takes all three keys.
 */
export const DEFAULT_PAIRING_POLICY: PairingPolicy = Object.freeze({
  ioCapability: IoCapability.NoInputNoOutput,
  bonding: true,
  mitm: false,
  secureConnections: true,
  secureConnectionsOnly: false,
  minKeySize: 16,
  maxKeySize: 16,
  localKeys: KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey,
  peerKeys: KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey,
  pairable: true,
});

const POLICY_NAMES = optionNames<PairingPolicy>({
  ioCapability: true,
  bonding: true,
  mitm: true,
  requireAuthentication: true,
  secureConnections: true,
  secureConnectionsOnly: true,
  minKeySize: true,
  maxKeySize: true,
  localKeys: true,
  peerKeys: true,
  pairable: true,
  allowDowngrade: true,
  allowUnstored: true,
  allowEqualReplacement: true,
  allowDebugKey: true,
  outOfBand: true,
  requireOutOfBand: true,
  keypress: true,
});
const SWITCHES = [
  "bonding",
  "mitm",
  "requireAuthentication",
  "secureConnections",
  "secureConnectionsOnly",
  "pairable",
  "allowDowngrade",
  "allowUnstored",
  "allowEqualReplacement",
  "allowDebugKey",
  "requireOutOfBand",
  "keypress",
] as const satisfies (keyof PairingPolicy)[];
const EVERY_KEY = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey | KeyDistribution.LinkKey;

/**
 * Fills up with the defaults.
 *
 * @throws {ArgumentError} a name that is not known, a value of the wrong kind or out of range, or two that contradict each other
 */
export function completePolicy(policy: Partial<PairingPolicy> = {}, base: PairingPolicy = DEFAULT_PAIRING_POLICY): PairingPolicy {
  checkOptions("pairing policy", policy, POLICY_NAMES);
  const complete = { ...base, ...Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)) } as PairingPolicy;
  const { ioCapability, minKeySize, maxKeySize } = complete;
  if (!Number.isInteger(ioCapability) || ioCapability < 0 || ioCapability > 4)
    throw new ArgumentError(`ioCapability ${kindOf(ioCapability)}: expected a value of IoCapability`);
  for (const name of SWITCHES) {
    const value: unknown = complete[name];
    if (value !== undefined && typeof value !== "boolean") throw new ArgumentError(`${name}: expected true or false, got ${kindOf(value)}`);
  }
  if (!Number.isInteger(minKeySize) || !Number.isInteger(maxKeySize) || minKeySize < 7 || maxKeySize > 16 || minKeySize > maxKeySize)
    throw new ArgumentError(`key sizes ${kindOf(minKeySize)} to ${kindOf(maxKeySize)}: expected 7 to 16 octets, the least one first`);
  for (const name of ["localKeys", "peerKeys"] as const) checkInteger(name, complete[name], 0, EVERY_KEY);
  if (complete.secureConnectionsOnly && !complete.secureConnections)
    throw new ArgumentError("secureConnectionsOnly without secureConnections: expected both or neither");
  if (complete.outOfBand !== undefined) {
    checkOutOfBandData("outOfBand", complete.outOfBand);
    if (complete.secureConnectionsOnly && !complete.outOfBand.confirm)
      throw new ArgumentError("outOfBand: a temporary key is of legacy pairing, which secureConnectionsOnly refuses");
  }
  return complete;
}

const AGENT_NAMES = optionNames<PairingAgent>({
  confirm: true,
  compare: true,
  enterPasskey: true,
  onKeypress: true,
  displayPasskey: true,
  choosePasskey: true,
  replaceBond: true,
});

/**
 * An agent and the IO capability that it is to answer for. What the peer may be promised by it must be possible: a display that shows nothing
 * and a keyboard that nobody reads are no capabilities.
 *
 * @throws {ArgumentError} something that is no function, or a callback that the IO capability needs and that is not there
 */
export function checkAgent(agent: PairingAgent | undefined, { ioCapability, secureConnections }: PairingPolicy): void {
  if (agent !== undefined && (typeof agent !== "object" || agent === null))
    throw new ArgumentError(`pairing agent: expected an object, got ${kindOf(agent)}`);
  // An instance of a program's class may have more; of a plain object every name is meant for us.
  if (agent && [Object.prototype, null].includes(Object.getPrototypeOf(agent) as object | null))
    checkOptions("pairing agent", agent, AGENT_NAMES);
  for (const name of AGENT_NAMES) checkFunction(`pairing agent, ${name}`, agent?.[name as keyof PairingAgent]);
  const { DisplayOnly, DisplayYesNo, KeyboardOnly, KeyboardDisplay } = IoCapability;
  const isOneOf = (...capabilities: IoCapability[]): boolean => capabilities.includes(ioCapability);
  const needed = [
    isOneOf(DisplayOnly, DisplayYesNo, KeyboardDisplay) && !agent?.choosePasskey && "displayPasskey",
    isOneOf(KeyboardOnly, KeyboardDisplay) && "enterPasskey",
    isOneOf(DisplayYesNo, KeyboardDisplay) && secureConnections && "compare",
  ] as const;
  for (const name of needed) {
    if (name && !agent?.[name]) {
      const capability = Object.entries(IoCapability).find(([, value]) => value === ioCapability)![0];
      throw new ArgumentError(`ioCapability ${capability}: expected a pairing agent with ${name}`);
    }
  }
}

/** Whether this policy offers LE Secure Connections: one that has a temporary key alone can pair with it in the legacy way only. */
export const offersSecureConnections = ({ secureConnections, outOfBand }: PairingPolicy): boolean =>
  secureConnections && (outOfBand === undefined || outOfBand.confirm !== undefined);

/** Whether a pairing by this policy must be out of band. */
export const demandsOutOfBand = ({ outOfBand, requireOutOfBand }: PairingPolicy): boolean => requireOutOfBand ?? outOfBand !== undefined;

/** Octet AuthReq for this policy. CT2 stays clear: no BR/EDR link key is ever derived here. */
export function authReqOf(policy: PairingPolicy): number {
  return (
    (policy.bonding ? AuthReq.Bonding : 0) |
    (policy.mitm || policy.requireAuthentication ? AuthReq.Mitm : 0) |
    (offersSecureConnections(policy) ? AuthReq.SecureConnections : 0) |
    (policy.keypress ? AuthReq.Keypress : 0)
  );
}

/**
 * An agent for devices without a user: lets Just Works pass where the policy is pairable (it is asked in no other case), refuses the rest,
 * and lets no bond be replaced.
 */
export const defaultPairingAgent: PairingAgent = Object.freeze({ confirm: () => Promise.resolve(true) });
