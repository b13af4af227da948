import { equalBytes } from "../../../bytes/index.ts";
import { randomBytes } from "../../../core/index.ts";
import { AddressType, DisconnectReason, events, IoCapability, Status, type StatusName } from "../../../mgmt-protocol/index.ts";
import type { Answer, Link, LinkPairing, Question } from "../air/link.ts";
import { closeLink, idle } from "../air/links.ts";
import type { KernelCore, ManagementSocket } from "../core.ts";
import type { KernelPairing } from "../options.ts";
import { drawKeys, type PairingResult, tellKeys } from "./keys.ts";
import { isRefused, type PairingMethod, pairingMethod } from "./method.ts";

/** From the link to the first question, for the keys to be made. */
const FIRST_QUESTION_MS = 30;
/** How long an answer takes to the other side and back. */
const EXCHANGE_MS = 2;
/** A user who types a passkey takes so long for a digit. */
const DIGIT_MS = 100;
const DIGITS = 6;
/** The Security Manager waits no longer, Vol 3 Part H 3.4. */
const SMP_TIMEOUT_MS = 30_000;
const A_MILLION = 1_000_000;

/** What a device's user can do, by the way in which it pairs. */
const CAPABILITIES: Readonly<Record<KernelPairing, number>> = {
  justWorks: IoCapability.NoInputNoOutput,
  compare: IoCapability.DisplayYesNo,
  devicePasskey: IoCapability.DisplayOnly,
  hostPasskey: IoCapability.KeyboardOnly,
  pin: IoCapability.NoInputNoOutput,
  refuse: IoCapability.NoInputNoOutput,
  never: IoCapability.NoInputNoOutput,
};

interface Asked {
  readonly question: Question;
  /** What has to be answered; undefined where any yes will do. */
  readonly expected: Answer;
  answer: Answer;
  isAnswered: boolean;
}

/** One pairing, from the first question to the keys or the failure, at one end or at both. */
export class PairingProcedure implements LinkPairing {
  readonly #core: KernelCore;
  readonly #link: Link;
  readonly #ends: readonly Link[];
  readonly #method: PairingMethod | "pin";
  readonly #isSecureConnections: boolean;
  readonly #isRefused: boolean;
  /** Whose Pair Device it is; it gets the reply in place of an event. */
  readonly #issuer: ManagementSocket | undefined;
  readonly #ended: (status: StatusName) => void;
  readonly #asked = new Map<Link, Asked>();
  readonly #timers = new Set<Disposable>();
  #isOver = false;
  #pinLength = 0;

  /** @param at.ended called once: with what Pair Device is answered, and before the link is closed after a failure */
  constructor(
    core: KernelCore,
    link: Link,
    at: { ioCapability: number; issuer: ManagementSocket | undefined; ended: (status: StatusName) => void },
  ) {
    this.#core = core;
    this.#link = link;
    this.#ends = link.other ? [link, link.other] : [link];
    this.#issuer = at.issuer;
    this.#ended = at.ended;
    this.#isSecureConnections =
      this.#ends.every(({ controller }) => controller.has("SecureConnections")) && (link.device?.secureConnections ?? true);
    const peerCapability = link.other?.controller.ioCapability ?? CAPABILITIES[link.device!.pairing];
    const capabilities = link.isInitiator ? ([at.ioCapability, peerCapability] as const) : ([peerCapability, at.ioCapability] as const);
    const isClassic = link.addressType === AddressType.BREDR;
    // BR/EDR compares numbers with Secure Simple Pairing already, and without it has nothing but PINs.
    const needsPin = link.device?.pairing === "pin" || (isClassic && !link.controller.has("SecureSimplePairing"));
    this.#method = needsPin ? "pin" : pairingMethod(...capabilities, this.#isSecureConnections || isClassic);
    this.#isRefused = this.#method !== "pin" && !isClassic && isRefused(this.#method, ...capabilities);
    for (const end of this.#ends) end.pairing = this;
    this.#after(FIRST_QUESTION_MS, () => this.#begin());
  }

  questionAt(link: Link): Question | undefined {
    return this.#asked.get(link)?.question;
  }

  answer(link: Link, answer: Answer): void {
    const asked = this.#asked.get(link);
    if (!asked || asked.isAnswered || this.#isOver) return;
    asked.isAnswered = true;
    asked.answer = answer;
    if (answer === undefined || answer === false) {
      // This end knows before the other one does, and before the answer is confirmed.
      this.#tellFailure(link);
      this.#after(EXCHANGE_MS / 2, () => this.#fail(link));
    } else this.#after(EXCHANGE_MS, () => this.#proceed());
  }

  abort(status: StatusName): void {
    if (this.#isOver) return;
    this.#finish();
    this.#ended(status);
  }

  #begin(): void {
    const { device } = this.#link;
    const isBondable = device?.isBondable ?? this.#link.controller.has("Bondable");
    const isOneSided = this.#ends.some(({ controller }) => controller.has("Bondable") !== isBondable);
    if (isOneSided) this.#fail();
    else if (device?.pairing === "never") this.#after(SMP_TIMEOUT_MS, () => this.#fail());
    else if (device?.pairing === "refuse" || this.#isRefused) this.#after(EXCHANGE_MS, () => this.#fail());
    else this.#ask();
  }

  #ask(): void {
    const { device, isInitiator, other } = this.#link;
    const passkey = device?.passkey ?? drawNumber(this.#core);
    const [initiator, responder] = isInitiator ? [this.#link, other] : [other, this.#link];
    const ask: Record<PairingMethod | "pin", () => void> = {
      pin: () => this.#askPin(this.#link, new TextEncoder().encode(device?.pin ?? "")),
      compare: () => this.#askBothToConfirm(false),
      justWorks: () => this.#askBothToConfirm(true), // legacy pairing too, and also where nobody can be asked
      initiatorTypes: () => this.#passkey(responder, initiator, passkey),
      responderTypes: () => this.#passkey(initiator, responder, passkey),
      bothType: () => {
        for (const end of this.#ends) this.#askForPasskey(end, undefined);
      },
    };
    ask[this.#method]();
  }

  #askBothToConfirm(isHint: boolean): void {
    const value = drawNumber(this.#core);
    for (const end of [...this.#ends].reverse()) this.#askToConfirm(end, isHint, value);
  }

  #askPin(end: Link, expected: Uint8Array): void {
    this.#asked.set(end, { question: "pin", expected, answer: undefined, isAnswered: false });
    this.#core.send(events.pinCodeRequest, end.controller.index, { address: end.address, addressType: end.addressType, secure: 0 });
  }

  #askToConfirm(end: Link, isHint: boolean, value: number): void {
    const { address, addressType } = end;
    this.#asked.set(end, { question: "confirm", expected: undefined, answer: undefined, isAnswered: false });
    this.#core.send(events.userConfirmationRequest, end.controller.index, { address, addressType, confirmHint: isHint ? 1 : 0, value });
  }

  #askForPasskey(end: Link, expected: number | undefined): void {
    this.#asked.set(end, { question: "passkey", expected, answer: undefined, isAnswered: false });
    this.#core.send(events.userPasskeyRequest, end.controller.index, { address: end.address, addressType: end.addressType });
  }

  /** One side shows a passkey, the other types it; the side that is not here does its part by itself. */
  #passkey(shows: Link | undefined, types: Link | undefined, passkey: number): void {
    if (shows) this.#show(shows, passkey, 0);
    if (types) this.#askForPasskey(types, passkey);
    else this.#type(shows, passkey);
  }

  /** The device's user types what is shown, digit by digit. */
  #type(shows: Link | undefined, passkey: number): void {
    const isClassic = shows?.addressType === AddressType.BREDR;
    for (let digit = 1; digit <= DIGITS; digit++)
      this.#after(digit * DIGIT_MS, () => {
        if (shows && isClassic) this.#show(shows, passkey, digit);
        if (digit === DIGITS) this.#after(EXCHANGE_MS, () => this.#succeed());
      });
  }

  #show({ controller, address, addressType }: Link, passkey: number, entered: number): void {
    this.#core.send(events.passkeyNotify, controller.index, { address, addressType, passkey, entered });
  }

  /** Goes on when everybody who was asked has answered. */
  #proceed(): void {
    for (const asked of this.#asked.values()) if (!asked.isAnswered) return;
    const answers = [...this.#asked.values()];
    const isDifferent = this.#method === "bothType" && answers[0]?.answer !== answers[1]?.answer;
    const isWrong = answers.some(({ expected, answer }) => expected !== undefined && !isSame(expected, answer));
    const [first] = answers;
    if (first?.question === "pin") this.#pinLength = (first.answer as Uint8Array).length;
    if (isDifferent || isWrong) this.#fail();
    else this.#succeed();
  }

  #succeed(): void {
    if (this.#isOver) return;
    const { device } = this.#link;
    this.#finish();
    const result: PairingResult = {
      isAuthenticated: this.#method !== "justWorks",
      isBonded: this.#link.controller.has("Bondable") && (device?.isBondable ?? true),
      isSecureConnections: this.#isSecureConnections,
      pinLength: this.#pinLength,
    };
    const keys = drawKeys(this.#core);
    const [first, ...rest] = this.#ends;
    tellKeys(this.#core, first!, result, keys);
    this.#ended("Success");
    for (const end of rest) tellKeys(this.#core, end, result, keys);
    idle(this.#core, this.#link.isInitiator ? this.#link : (this.#link.other ?? this.#link));
  }

  #tellFailure({ controller, address, addressType }: Link): void {
    const isIssuers = controller === this.#link.controller;
    const failed = { address, addressType, status: Status.AuthenticationFailed };
    this.#core.send(events.authenticationFailed, controller.index, failed, isIssuers ? this.#issuer : undefined);
  }

  /** @param told the end whose programs know already */
  #fail(told?: Link): void {
    if (this.#isOver) return;
    this.#finish();
    for (const end of this.#ends) if (end !== told) this.#tellFailure(end);
    this.#ended("AuthenticationFailed");
    closeLink(this.#core, this.#link, DisconnectReason.Unspecified, DisconnectReason.Unspecified);
  }

  #finish(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    for (const end of this.#ends) end.pairing = undefined;
  }

  #after(ms: number, fire: () => void): void {
    const timer = this.#core.clock.setTimer(ms, "pairing", () => {
      this.#timers.delete(timer);
      fire();
    });
    this.#timers.add(timer);
  }
}

function drawNumber(core: KernelCore): number {
  return new DataView(randomBytes(core.random, 4).buffer).getUint32(0, true) % A_MILLION;
}

function isSame(expected: Answer, answer: Answer): boolean {
  if (!(expected instanceof Uint8Array) || !(answer instanceof Uint8Array)) return expected === answer;
  return equalBytes(expected, answer);
}
