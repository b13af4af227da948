import { Emitter, type OperationOptions, onAbort, rethrowLater } from "../../async/index.ts";
import { ArgumentError, checkFunction, optionNames } from "../../core/index.ts";
import { statusName } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { holdBondable } from "./bondable.ts";
import { type DeviceId, deviceKey } from "./device-id.ts";
import { checkSequence } from "./edge.ts";
import { onAdapterGone } from "./gone.ts";
import { checkPairing, isClaimed, loadIdentityKeys, type PairingOptions } from "./pair.ts";
import { ioCapabilityOf, type MgmtPairingAgent, PairingQuestions } from "./pairing-agent.ts";
import { isProof, listenForKeys, type MgmtPairingReport, type PairedKey, reportOf } from "./pairing-keys.ts";
import { putAwaySoon } from "./put-away.ts";

/** No event says that a pairing is complete: its keys come together, and it is when none has come for so long. */
const KEYS_TOGETHER_MS = 250;
/** Devices whose keys are being waited for. */
const PAIRING_CAPACITY = 64;

/** A pairing that failed: a refusal on either side, a wrong number, a device that lacks its key. */
export interface PairingFailure extends DeviceId {
  readonly status: number;
  readonly statusName: string;
  /** What the agent threw: then it is the program that refused, by a fault of its own. */
  readonly agentError?: unknown;
}

export interface AcceptPairingsOptions extends OperationOptions, PairingOptions {
  readonly onPaired?: ((report: MgmtPairingReport) => void) | undefined;
  /** An exception of the agent is told here; where nobody listens, it is thrown in a turn of its own. */
  readonly onFailed?: ((failure: PairingFailure) => void) | undefined;
}

const acceptOptions = optionNames<AcceptPairingsOptions>({
  ioCapability: true,
  bond: true,
  identityKeys: true,
  onPaired: true,
  onFailed: true,
  signal: true,
  timeoutMs: true,
});

/** Answers others' pairings. Disposal refuses what is being asked, restores Bondable, and answers nothing any more. */
export interface PairingResponder extends AsyncDisposable {
  /** Settles when it no longer answers: undefined when disposed of, an error when the adapter or the client is gone. Never rejects. */
  readonly ended: Promise<Error | undefined>;
}

/**
 * Lets others pair with this machine, and has `agent` answer, until the result is disposed of. Devices that a `pair` of this client deals
 * with are left to it. Whether others can connect at all is another matter: Connectable, and for LE an advertising instance.
 *
 * Bondable is restored at the end. The IO capability is not, because the kernel does not tell what it was.
 *
 * @param options.timeoutMs of each command
 * @param options.signal ends it, as disposal does
 * @throws {MgmtError}, `signal.reason`
 */
export async function acceptPairings(
  mgmt: Mgmt,
  index: number,
  agent: MgmtPairingAgent,
  options: AcceptPairingsOptions = {},
): Promise<PairingResponder> {
  checkSequence("acceptPairings", mgmt, index, options, acceptOptions);
  if (agent === undefined) throw new ArgumentError("acceptPairings: expected an agent, got undefined");
  checkPairing("acceptPairings", agent, options);
  checkFunction("acceptPairings: onPaired", options.onPaired);
  checkFunction("acceptPairings: onFailed", options.onFailed);
  const { ioCapability = ioCapabilityOf(agent), bond = true, identityKeys, signal, timeoutMs } = options;
  signal?.throwIfAborted();
  if (identityKeys) await loadIdentityKeys(mgmt, index, identityKeys, { signal, timeoutMs });
  await mgmt.setIoCapability(index, ioCapability, { signal, timeoutMs });
  const bondable = bond ? await holdBondable(mgmt, index, { signal, timeoutMs }) : undefined;
  const responder = new Responder(mgmt, index, { agent, bondable, options });
  if (signal?.aborted) {
    await responder[Symbol.asyncDispose]();
    throw signal.reason;
  }
  return responder;
}

/** Keys of a device that has just paired. */
interface Pairing {
  readonly keys: PairedKey[];
  timer: Disposable;
}

class Responder implements PairingResponder {
  readonly ended: Promise<Error | undefined>;
  readonly #mgmt: Mgmt;
  readonly #outcomes = new Emitter<{ paired: MgmtPairingReport; failed: PairingFailure }>();
  readonly #bondable: Disposable | undefined;
  readonly #questions: PairingQuestions;
  readonly #listeners: Disposable[];
  /** By address: the keys of both transports of a device belong together. */
  readonly #pairings = new Map<string, Pairing>();
  /** What the agent threw, until the failure that comes of it is told. */
  readonly #faults = new Map<string, unknown>();
  #tell!: (error: Error | undefined) => void;
  #ending: Promise<void> | undefined;

  constructor(
    mgmt: Mgmt,
    index: number,
    at: { agent: MgmtPairingAgent; bondable: Disposable | undefined; options: AcceptPairingsOptions },
  ) {
    this.#mgmt = mgmt;
    this.#bondable = at.bondable;
    this.ended = new Promise((resolve) => {
      this.#tell = resolve;
    });
    const isOurs = (peer: DeviceId): boolean => !isClaimed(mgmt, index, peer);
    const ofThis = (event: { readonly index: number }): boolean => event.index === index;
    const ofOurs = (event: DeviceId & { readonly index: number }): boolean => ofThis(event) && isOurs(event);
    const { signal, onPaired, onFailed } = at.options;
    const onFault = (error: unknown, { address, addressType }: DeviceId): void => {
      if (!onFailed) rethrowLater(error);
      else this.#faults.set(deviceKey({ address, addressType }), error);
    };
    this.#questions = new PairingQuestions(mgmt, index, { agent: at.agent, isOurs, onFault });
    if (onPaired) this.#outcomes.on("paired", onPaired);
    if (onFailed) this.#outcomes.on("failed", onFailed);
    this.#listeners = [
      onAbort(signal, () => void this.#end(undefined)),
      listenForKeys(mgmt, index, (key, privateAddress) => {
        if (privateAddress ? !isOurs(privateAddress) : !isOurs(key)) return;
        if (privateAddress) this.#questions.ended(privateAddress);
        this.#questions.ended(key);
        this.#collect(key);
      }),
      mgmt.on("authenticationFailed", (event) => ofOurs(event) && this.#failed(event)),
      mgmt.on("deviceDisconnected", (event) => {
        if (!ofOurs(event)) return;
        this.#questions.ended(event);
        this.#faults.delete(deviceKey(event));
        this.#complete(event.address);
      }),
      ...onAdapterGone(mgmt, index, (reason) => void this.#end(reason)),
      mgmt.on("close", (reason) => void this.#end(reason)),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(undefined);
  }

  #collect(key: PairedKey): void {
    const { address } = key;
    const before = this.#pairings.get(address);
    before?.timer[Symbol.dispose]();
    if (!before && this.#pairings.size >= PAIRING_CAPACITY) this.#complete(this.#pairings.keys().next().value!);
    const timer = this.#mgmt.clock.setTimer(KEYS_TOGETHER_MS, "keys of a pairing", () => this.#complete(address));
    this.#pairings.set(address, { keys: [...(before?.keys ?? []), key], timer });
  }

  #complete(address: string): void {
    const pairing = this.#pairings.get(address);
    if (!pairing) return;
    this.#pairings.delete(address);
    pairing.timer[Symbol.dispose]();
    const proof = pairing.keys.find(isProof);
    if (proof) this.#outcomes.emit("paired", reportOf(proof, pairing.keys));
  }

  #failed({ address, addressType, status }: DeviceId & { readonly status: number }): void {
    this.#questions.ended({ address, addressType });
    const key = deviceKey({ address, addressType });
    const fault = this.#faults.has(key) ? { agentError: this.#faults.get(key) } : {};
    this.#faults.delete(key);
    this.#outcomes.emit("failed", { address, addressType, status, statusName: statusName(status), ...fault });
  }

  #end(error: Error | undefined): Promise<void> {
    this.#ending ??= this.#putAway(error);
    return this.#ending;
  }

  async #putAway(error: Error | undefined): Promise<void> {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    for (const address of [...this.#pairings.keys()]) this.#complete(address);
    const refused = this.#questions.refuseAll(); // in the kernel's hands before Bondable is
    this.#bondable?.[Symbol.dispose]();
    await putAwaySoon(this.#mgmt.clock, refused);
    this.#tell(error);
  }
}
