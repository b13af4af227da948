import { Pending } from "../../async/index.ts";
import { ArgumentError, checkFunction, kindOf, nearestName, optionNames } from "../../core/index.ts";
import { IoCapability } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { type DeviceId, deviceKey } from "./device-id.ts";
import { PUT_AWAY_MS, putAway } from "./put-away.ts";

/** A user who has not answered by then has refused: before the 30 s of the devices are over, so that the refusal still reaches the other. */
const QUESTION_TIMEOUT_MS = 28_000;
const LARGEST_PASSKEY = 999_999;
const LONGEST_PIN = 16;
/** Devices that are asked about at the same time. */
const CONVERSATION_CAPACITY = 64;

/** What is being asked, and by whom. `signal` aborts when the pairing ended meanwhile. */
export interface MgmtPairingQuestion {
  readonly peer: DeviceId;
  readonly signal: AbortSignal;
}

/**
 * The user side of pairing. Every question is a promise; a missing method, a missing answer and no answer within 28 s are refusals. An
 * exception refuses too, and is the program's own: `pair` rejects with it. Which methods there are is what the other side is told this one
 * can do.
 */
export interface MgmtPairingAgent {
  /** Pair with this device? There is no number to compare. */
  confirm?(question: MgmtPairingQuestion): Promise<boolean> | boolean;
  /** Do both devices show this six-digit number? */
  compare?(question: MgmtPairingQuestion & { readonly value: number }): Promise<boolean> | boolean;
  /** The number that the peer shows, 0 to 999,999; `undefined` refuses. */
  enterPasskey?(question: MgmtPairingQuestion): Promise<number | undefined> | number | undefined;
  /** Show this number until `signal` aborts: the peer's user types it, and has typed `entered` digits. Called again when that changes. */
  displayPasskey?(question: MgmtPairingQuestion & { readonly passkey: number; readonly entered: number }): Promise<void> | void;
  /** A PIN of old BR/EDR devices, 1 to 16 octets of UTF-8, all 16 if `secure`; `undefined` refuses. */
  enterPin?(question: MgmtPairingQuestion & { readonly secure: boolean }): Promise<string | undefined> | string | undefined;
}

const AGENT_METHODS = optionNames<MgmtPairingAgent>({
  confirm: true,
  compare: true,
  enterPasskey: true,
  displayPasskey: true,
  enterPin: true,
});

/** An object with at least one of the methods, each a function: with a mistyped name it would refuse everything. @throws {ArgumentError} */
export function checkAgent(what: string, agent: unknown): void {
  if (typeof agent !== "object" || agent === null) throw new ArgumentError(`${what}: agent: expected an object, got ${kindOf(agent)}`);
  for (const name of AGENT_METHODS) checkFunction(`${what}: agent.${name}`, (agent as Record<string, unknown>)[name]);
  if (Object.getPrototypeOf(agent) !== Object.prototype) return; // a class may have names of its own
  for (const [name, value] of Object.entries(agent)) {
    if (typeof value !== "function" || AGENT_METHODS.has(name)) continue;
    const nearest = nearestName(name, AGENT_METHODS) ?? [...AGENT_METHODS].join(", ");
    throw new ArgumentError(`${what}: agent.${name} is no question of a pairing: did you mean ${nearest}?`);
  }
}

/** The value of IoCapability that fits what an agent can do. */
export function ioCapabilityOf(agent: MgmtPairingAgent | undefined): number {
  if (agent?.enterPasskey) return agent.compare || agent.displayPasskey ? IoCapability.KeyboardDisplay : IoCapability.KeyboardOnly;
  if (agent?.compare) return IoCapability.DisplayYesNo;
  return agent?.displayPasskey ? IoCapability.DisplayOnly : IoCapability.NoInputNoOutput;
}

/** A refusal that is not answered is not waited for. */
const REFUSAL = { timeoutMs: PUT_AWAY_MS };

interface Open {
  readonly peer: DeviceId;
  readonly refuse: () => Promise<unknown>;
}

/** Puts the kernel's questions about some devices to an agent, and gives its answers to the kernel. */
export class PairingQuestions implements Disposable {
  readonly #mgmt: Mgmt;
  readonly #index: number;
  readonly #agent: MgmtPairingAgent;
  readonly #onFault: (error: unknown, peer: DeviceId) => void;
  readonly #listeners: Disposable[];
  /** One signal for all questions of a device's pairing. */
  readonly #conversations = new Map<string, AbortController>();
  readonly #open = new Set<Open>();

  /**
   * @param at.isOurs whether a question about this device is to be answered here
   * @param at.onFault the agent threw; what it was asked has been refused
   */
  constructor(
    mgmt: Mgmt,
    index: number,
    at: { agent: MgmtPairingAgent; isOurs: (peer: DeviceId) => boolean; onFault: (error: unknown, peer: DeviceId) => void },
  ) {
    const { isOurs } = at;
    this.#mgmt = mgmt;
    this.#index = index;
    this.#agent = at.agent;
    this.#onFault = at.onFault;
    const ours = (event: DeviceId & { index: number }): DeviceId | undefined => {
      const { address, addressType } = event;
      return event.index === index && isOurs({ address, addressType }) ? { address, addressType } : undefined;
    };
    this.#listeners = [
      mgmt.on("userConfirmationRequest", (event) => {
        const peer = ours(event);
        if (peer) void this.#confirm(peer, event.confirmHint === 1 ? undefined : event.value);
      }),
      mgmt.on("userPasskeyRequest", (event) => {
        const peer = ours(event);
        if (peer) void this.#enterPasskey(peer);
      }),
      mgmt.on("pinCodeRequest", (event) => {
        const peer = ours(event);
        if (peer) void this.#enterPin(peer, event.secure === 1);
      }),
      mgmt.on("passkeyNotify", (event) => {
        const peer = ours(event);
        if (peer) this.#displayPasskey(peer, event.passkey, event.entered);
      }),
    ];
  }

  /** The pairing with a device is over: whoever is asked need not answer. */
  ended(peer: DeviceId): void {
    const key = deviceKey(peer);
    this.#conversations.get(key)?.abort();
    this.#conversations.delete(key);
  }

  /** Refuses what has not been answered. */
  async refuseAll(): Promise<void> {
    const open = [...this.#open];
    this[Symbol.dispose]();
    await Promise.all(open.map(({ refuse }) => putAway(refuse())));
  }

  /** Asks and answers nothing any more. */
  [Symbol.dispose](): void {
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    for (const conversation of this.#conversations.values()) conversation.abort();
    this.#conversations.clear();
  }

  async #confirm(peer: DeviceId, value: number | undefined): Promise<void> {
    const agent = this.#agent;
    await this.#ask(
      peer,
      (question) => (value === undefined ? agent.confirm?.(question) : agent.compare?.({ ...question, value })),
      (answer) => (answer === true ? () => this.#mgmt.userConfirmationReply(this.#index, peer) : undefined),
      () => this.#mgmt.userConfirmationNegativeReply(this.#index, peer, REFUSAL),
    );
  }

  async #enterPasskey(peer: DeviceId): Promise<void> {
    await this.#ask(
      peer,
      (question) => this.#agent.enterPasskey?.(question),
      (passkey) =>
        typeof passkey === "number" && Number.isInteger(passkey) && passkey >= 0 && passkey <= LARGEST_PASSKEY
          ? () => this.#mgmt.userPasskeyReply(this.#index, { ...peer, passkey })
          : undefined,
      () => this.#mgmt.userPasskeyNegativeReply(this.#index, peer, REFUSAL),
    );
  }

  async #enterPin(peer: DeviceId, secure: boolean): Promise<void> {
    await this.#ask(
      peer,
      (question) => this.#agent.enterPin?.({ ...question, secure }),
      (pin) => {
        const pinCode = typeof pin === "string" ? new TextEncoder().encode(pin) : new Uint8Array(0);
        const fits = pinCode.length >= (secure ? LONGEST_PIN : 1) && pinCode.length <= LONGEST_PIN;
        return fits ? () => this.#mgmt.pinCodeReply(this.#index, { ...peer, pinCode }) : undefined;
      },
      () => this.#mgmt.pinCodeNegativeReply(this.#index, peer, REFUSAL),
    );
  }

  /** Nothing is answered. An agent that cannot show it leaves the other side's user without a number, and the pairing to its timeout. */
  #displayPasskey(peer: DeviceId, passkey: number, entered: number): void {
    const question = this.#question(peer);
    const show = async (): Promise<void> => await this.#agent.displayPasskey?.({ ...question, passkey, entered });
    // async so that an agent that throws stops nothing here
    show().catch((error: unknown) => {
      if (!question.signal.aborted) this.#onFault(error, peer);
    });
  }

  /**
   * @param accept what sends the answer; undefined when it is a refusal
   * A reply that fails comes too late, and what becomes of the pairing is told elsewhere.
   */
  async #ask<T>(
    peer: DeviceId,
    put: (question: MgmtPairingQuestion) => T,
    accept: (answer: Awaited<T>) => (() => Promise<unknown>) | undefined,
    refuse: () => Promise<unknown>,
  ): Promise<void> {
    const question = this.#question(peer);
    const open: Open = { peer, refuse };
    this.#open.add(open);
    const answer = new Pending<Awaited<T> | undefined>({
      clock: this.#mgmt.clock,
      operation: "pairing question",
      timeoutMs: QUESTION_TIMEOUT_MS,
      signal: question.signal,
    });
    const asked = async (): Promise<Awaited<T>> => await put(question); // async so that an agent that throws is one that rejects
    let fault: { readonly error: unknown } | undefined;
    asked().then(
      (value) => answer.resolve(value),
      (error: unknown) => {
        // An agent that gives up because its question is over is not at fault.
        if (!question.signal.aborted) fault = { error };
        answer.resolve(undefined);
      },
    );
    const send = await answer.promise.then(
      (value) => (value === undefined ? undefined : accept(value)),
      () => undefined,
    );
    this.#open.delete(open);
    if (question.signal.aborted) return;
    const sending = putAway(send ? send() : refuse());
    if (fault) this.#onFault(fault.error, peer);
    await sending;
  }

  #question(peer: DeviceId): MgmtPairingQuestion {
    const key = deviceKey(peer);
    const conversation = this.#conversations.get(key) ?? new AbortController();
    this.#conversations.set(key, conversation);
    if (this.#conversations.size > CONVERSATION_CAPACITY) {
      const [oldest, forgotten] = this.#conversations.entries().next().value!;
      this.#conversations.delete(oldest);
      forgotten.abort();
    }
    return { peer, signal: conversation.signal };
  }
}
