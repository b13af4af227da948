import { Emitter, type OperationOptions } from "../../async/index.ts";
import { statusName } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { holdBondable } from "./bondable.ts";
import type { DeviceId } from "./device-id.ts";
import { onAdapterGone } from "./gone.ts";
import { isClaimed, type PairingOptions } from "./pair.ts";
import { ioCapabilityOf, type MgmtPairingAgent, PairingQuestions } from "./pairing-agent.ts";
import { isProof, listenForKeys, type MgmtPairingReport, type PairedKey, reportOf } from "./pairing-keys.ts";
import { putAway } from "./put-away.ts";

/** No event says that a pairing is complete: its keys come together, and it is when none has come for so long. */
const KEYS_TOGETHER_MS = 250;
/** Devices whose keys are being waited for. */
const PAIRING_CAPACITY = 64;

/** A pairing that failed: a refusal on either side, a wrong number, a device that lacks its key. */
export interface PairingFailure extends DeviceId {
  readonly status: number;
  readonly statusName: string;
}

export interface AcceptPairingsOptions extends OperationOptions, PairingOptions {
  readonly onPaired?: ((report: MgmtPairingReport) => void) | undefined;
  readonly onFailed?: ((failure: PairingFailure) => void) | undefined;
}

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
  const { ioCapability = ioCapabilityOf(agent), bond = true, identityKeys, signal, timeoutMs } = options;
  signal?.throwIfAborted();
  if (identityKeys) await mgmt.loadIdentityResolvingKeys(index, identityKeys, { signal, timeoutMs });
  await mgmt.setIoCapability(index, ioCapability, { signal, timeoutMs });
  const bondable = bond ? await holdBondable(mgmt, index) : undefined;
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
  readonly #bondable: AsyncDisposable | undefined;
  readonly #questions: PairingQuestions;
  readonly #listeners: Disposable[];
  /** By address: the keys of both transports of a device belong together. */
  readonly #pairings = new Map<string, Pairing>();
  #tell!: (error: Error | undefined) => void;
  #ending: Promise<void> | undefined;

  constructor(
    mgmt: Mgmt,
    index: number,
    at: { agent: MgmtPairingAgent; bondable: AsyncDisposable | undefined; options: AcceptPairingsOptions },
  ) {
    this.#mgmt = mgmt;
    this.#bondable = at.bondable;
    this.ended = new Promise((resolve) => {
      this.#tell = resolve;
    });
    const isOurs = (peer: DeviceId): boolean => !isClaimed(mgmt, index, peer);
    const ofThis = (event: { readonly index: number }): boolean => event.index === index;
    const ofOurs = (event: DeviceId & { readonly index: number }): boolean => ofThis(event) && isOurs(event);
    this.#questions = new PairingQuestions(mgmt, index, at.agent, isOurs);
    const { signal, onPaired, onFailed } = at.options;
    if (onPaired) this.#outcomes.on("paired", onPaired);
    if (onFailed) this.#outcomes.on("failed", onFailed);
    const onAbort = (): void => void this.#end(undefined);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#listeners = [
      { [Symbol.dispose]: () => signal?.removeEventListener("abort", onAbort) },
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
    this.#outcomes.emit("failed", { address, addressType, status, statusName: statusName(status) });
  }

  #end(error: Error | undefined): Promise<void> {
    this.#ending ??= this.#putAway(error);
    return this.#ending;
  }

  async #putAway(error: Error | undefined): Promise<void> {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    for (const address of [...this.#pairings.keys()]) this.#complete(address);
    await this.#questions.refuseAll();
    if (this.#bondable) await putAway(Promise.resolve(this.#bondable[Symbol.asyncDispose]()));
    this.#tell(error);
  }
}
