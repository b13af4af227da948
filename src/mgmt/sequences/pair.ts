import { Deadline, type OperationOptions, onAbort } from "../../async/index.ts";
import { ArgumentError, checkChoice, checkInteger, kindOf, optionNames } from "../../core/index.ts";
import { type commands, type GivenTo, IoCapability } from "../../mgmt-protocol/index.ts";
import type { Mgmt, MgmtClient } from "../client.ts";
import { holdBondable } from "./bondable.ts";
import { type DeviceId, type DeviceLike, deviceId, deviceKey } from "./device-id.ts";
import { checkSequence } from "./edge.ts";
import { isLacking } from "./lacking.ts";
import { checkAgent, ioCapabilityOf, type MgmtPairingAgent, PairingQuestions } from "./pairing-agent.ts";
import { listenForKeys, type MgmtPairingReport, type PairedKey, reportOf, resolves } from "./pairing-keys.ts";
import { putAway } from "./put-away.ts";

const PAIR_TIMEOUT_MS = 120_000;
const CANCEL_TIMEOUT_MS = 2_000;

/** Identity keys to load, as New Identity Resolving Key gave them. */
export type IdentityKeys = GivenTo<(typeof commands)["loadIdentityResolvingKeys"]["parameters"]>["keys"];

/** What both ways of pairing take. */
export interface PairingOptions {
  /** What this side can do. Default: what the agent's methods are good for. */
  readonly ioCapability?: number | keyof typeof IoCapability | undefined;
  /** Whether keys are to be kept: Bondable is on meanwhile. Default true; false leaves the setting as it is. */
  readonly bond?: boolean | undefined;
  /**
   * Loaded before pairing, in place of all that were loaded before; an empty list is enough. Only a controller that has been given such a
   * list, by whomever, exchanges identities: without, the keys of a device with private addresses, as phones are, cannot be kept. Default:
   * nothing is loaded, because other programs' identity keys would be forgotten.
   */
  readonly identityKeys?: IdentityKeys | undefined;
}

export interface PairOptions extends OperationOptions, PairingOptions {
  /** Who answers. Default: nobody, which pairs with devices that ask nothing (Just Works). */
  readonly agent?: MgmtPairingAgent | undefined;
}

const pairOptions = optionNames<PairOptions>({
  agent: true,
  ioCapability: true,
  bond: true,
  identityKeys: true,
  signal: true,
  timeoutMs: true,
});

/** An agent and the options that both ways of pairing take, before anything is changed for them. @throws {ArgumentError} */
export function checkPairing(what: string, agent: unknown, { ioCapability, identityKeys }: PairingOptions): void {
  if (agent !== undefined) checkAgent(what, agent);
  if (typeof ioCapability === "string")
    checkChoice(`${what}: ioCapability`, ioCapability, Object.keys(IoCapability) as (keyof typeof IoCapability)[]);
  else if (ioCapability !== undefined)
    checkInteger(`${what}: ioCapability`, ioCapability, IoCapability.DisplayOnly, IoCapability.KeyboardDisplay);
  if (identityKeys !== undefined && !Array.isArray(identityKeys))
    throw new ArgumentError(`${what}: identityKeys: expected a list, got ${kindOf(identityKeys)}`);
}

/** Pairings of this client that have a device of their own: `acceptPairings` leaves it to them. */
const claims = new WeakMap<MgmtClient, Set<{ readonly index: number; readonly isOurs: (peer: DeviceId) => boolean }>>();

/** Whether a `pair` of this client deals with the device. */
export function isClaimed(mgmt: Mgmt, index: number, peer: DeviceId): boolean {
  for (const claim of claims.get(mgmt) ?? []) if (claim.index === index && claim.isOurs(peer)) return true;
  return false;
}

/**
 * Pairs with a device. The kernel connects to it first if need be: an LE device that does not advertise is waited for until `timeoutMs`.
 *
 * The report's address is the device's identity, which may not be the address that was asked for, and is the one to use from then on. A
 * link that nobody uses ends some two seconds later. A dual-mode device paired over LE with Secure Connections has a key for BR/EDR as
 * well: pairing over BR/EDR is AlreadyPaired then, and both address types have to be unpaired.
 *
 * Every privileged program is asked the same questions. Beside bluetoothd on the same controller, its answers may come first.
 *
 * @param options.timeoutMs in all, the user's time included; default 120 s. Then, and when `signal` aborts, the pairing is cancelled
 * @throws {MgmtError} AuthenticationFailed when either side refuses; ConnectFailed, Disconnected, NotPowered, Busy, AlreadyPaired …
 * @throws {TimeoutError}, `signal.reason`
 * @throws what the agent throws; the pairing is refused then
 */
export async function pair(mgmt: Mgmt, index: number, device: DeviceLike, options: PairOptions = {}): Promise<MgmtPairingReport> {
  checkSequence("pair", mgmt, index, options, pairOptions);
  checkPairing("pair", options.agent, options);
  const { agent, ioCapability = ioCapabilityOf(agent), bond = true, identityKeys, signal, timeoutMs = PAIR_TIMEOUT_MS } = options;
  const peer = deviceId(device);
  using scope = new Deadline({ clock: mgmt.clock, operation: `pairing with ${peer.address} on hci${index}`, signal, timeoutMs });
  scope.signal.throwIfAborted();
  if (identityKeys) await loadIdentityKeys(mgmt, index, identityKeys, { signal: scope.signal });
  using _bondable = bond ? await holdBondable(mgmt, index, { signal: scope.signal }) : undefined;
  using subject = new Subject(mgmt, index, peer, identityKeys);
  const faulty = new AbortController();
  let fault: { readonly error: unknown } | undefined;
  const onFault = (error: unknown): void => {
    fault ??= { error };
    faulty.abort(error); // what was asked has been refused; a number that is not shown has to be cancelled
  };
  using _questions = new PairingQuestions(mgmt, index, { agent: agent ?? JUST_WORKS, isOurs: (asked) => subject.is(asked), onFault });
  try {
    return reportOf(await pairDevice(mgmt, index, { ...peer, ioCapability }, AbortSignal.any([scope.signal, faulty.signal])), subject.keys);
  } catch (error) {
    throw fault ? fault.error : error; // the program's own, and not the peer's refusal
  }
}

/** An adapter of BR/EDR alone has no identities to exchange. */
export async function loadIdentityKeys(mgmt: Mgmt, index: number, keys: IdentityKeys, options: OperationOptions): Promise<void> {
  try {
    await mgmt.loadIdentityResolvingKeys(index, keys, options);
  } catch (error) {
    if (!isLacking(error)) throw error;
  }
}

/** Who calls `pair` without an agent has said yes by doing so. */
const JUST_WORKS: MgmtPairingAgent = { confirm: () => true };

/**
 * The device under all its names, and the keys that are made for it. Another name is another device's, unless the kernel says that it is the
 * identity behind the private address, or a key that the caller gave says so.
 */
class Subject implements Disposable {
  readonly keys: PairedKey[] = [];
  readonly #names: Set<string>;
  readonly #listeners: Disposable[];

  constructor(mgmt: Mgmt, index: number, peer: DeviceId, known: IdentityKeys = []) {
    this.#names = new Set([deviceKey(peer)]);
    for (const key of known) if (resolves(key.value, peer)) this.#names.add(deviceKey(deviceId({ ...key, address: String(key.address) })));
    const ofClient = claims.get(mgmt) ?? new Set();
    claims.set(mgmt, ofClient);
    const claim = { index, isOurs: (other: DeviceId) => this.is(other) };
    ofClient.add(claim);
    this.#listeners = [
      { [Symbol.dispose]: () => ofClient.delete(claim) },
      listenForKeys(mgmt, index, (key, privateAddress) => {
        if (privateAddress && this.is(privateAddress)) this.#names.add(deviceKey(key));
        if (this.#hasAddress(key)) this.keys.push(key);
      }),
    ];
  }

  is(other: DeviceId): boolean {
    return this.#names.has(deviceKey(other));
  }

  /** Of whatever type: the link key that comes with an LE pairing has the same address as BR/EDR. */
  #hasAddress({ address }: DeviceId): boolean {
    return [0, 1, 2].some((addressType) => this.is({ address, addressType }));
  }

  [Symbol.dispose](): void {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
  }
}

/**
 * Pair Device, and Cancel Pair Device once `signal` aborts. A pairing that was complete before it could be cancelled is a success: the
 * keys are there.
 */
async function pairDevice(
  mgmt: Mgmt,
  index: number,
  parameters: DeviceId & { readonly ioCapability: number | keyof typeof IoCapability },
  signal: AbortSignal,
): Promise<DeviceId> {
  signal.throwIfAborted();
  const { address, addressType } = parameters;
  const givenUp = new AbortController();
  let cancelling: Promise<void> | undefined;
  const cancel = async (): Promise<void> => {
    await Promise.resolve(); // aborted by a listener to what is being sent, the pairing is yet to be written
    // The kernel answers the pairing before its cancellation: one that has no answer after that will get none.
    await putAway(mgmt.cancelPairDevice(index, { address, addressType }, { timeoutMs: CANCEL_TIMEOUT_MS }));
    givenUp.abort(signal.reason);
  };
  using _listener = onAbort(signal, () => {
    cancelling = cancel();
  });
  try {
    return await mgmt.pairDevice(index, parameters, { signal: givenUp.signal, timeoutMs: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    await cancelling; // no longer than CANCEL_TIMEOUT_MS: whether there are keys now is to be known
  }
}
