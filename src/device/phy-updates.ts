import { Deadline, type OperationOptions, Pending, Semaphore } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import { checkChoice, checkOptions, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, TimeoutError, UnsupportedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { ControllerError, type Hci, HciError, HciErrorCode, LeFeature, LeReadPhy, LeSetPhy } from "../hci/index.ts";

/** Physical layers of LE: 1 and 2 megasymbols a second, and LE Coded, slow and far. */
export type PhyName = "1M" | "2M" | "coded";

/** What a link uses: to the peer, and from it. */
export interface LinkPhy {
  readonly tx: PhyName;
  readonly rx: PhyName;
}

export interface PhyPreference {
  /** What may be used to the peer: one, or several; any that both can by default. The fastest that both want is taken. */
  readonly tx?: PhyName | readonly PhyName[] | undefined;
  /** The same from the peer. */
  readonly rx?: PhyName | readonly PhyName[] | undefined;
  /** What is preferred for LE Coded to the peer: 500 (S=2) or 125 kbit/s (S=8). No preference by default. */
  readonly coding?: "S=2" | "S=8" | undefined;
}

const NAMES: readonly PhyName[] = ["1M", "2M", "coded"];
const OPTIONS = optionNames<PhyPreference>({ tx: true, rx: true, coding: true });
const CODINGS = ["S=2", "S=8"] as const;
/** Feature of a controller that has the PHY. */
const FEATURES: Readonly<Record<PhyName, number | undefined>> = { "1M": undefined, "2M": LeFeature.Le2mPhy, coded: LeFeature.LeCodedPhy };
const WHAT = "PHY update";
/** The link layer ends a procedure of its own after 40 s without an answer, and with it the link (Vol 6 Part B 5.2). */
const UPDATE_TIMEOUT_MS = 45_000;
/** Every link begins on LE 1M: no other is initiated on (Vol 6 Part B 4.5.1). */
const INITIAL: LinkPhy = Object.freeze({ tx: "1M", rx: "1M" });

/** What was asked for, as masks of HCI_LE_Set_PHY, and who waits for it. 0: no preference. */
interface Asked {
  readonly tx: number;
  readonly rx: number;
  readonly pending: Pending<LinkPhy>;
}

/**
 * Changes of one link's PHY. HCI_LE_PHY_Update_Complete does not say whose change it tells of (Vol 4 Part E 7.7.65.12): one is asked for at a
 * time, whoever gave up waiting for it, and an event answers it if each way is among what was asked for or as it was. Only the own procedure
 * is told of when it changes nothing, and only its failure.
 */
export class PhyUpdates {
  readonly #hci: Hci;
  readonly #handle: number;
  readonly #logger: Logger;
  readonly #onChange: (phy: LinkPhy) => void;
  readonly #turns: Semaphore;
  #phy = INITIAL;
  #asked: Asked | undefined;
  #closed: BleError | undefined;

  constructor(at: { hci: Hci; handle: number; logger: Logger; onChange: (phy: LinkPhy) => void }) {
    this.#hci = at.hci;
    this.#handle = at.handle;
    this.#logger = at.logger;
    this.#onChange = at.onChange;
    this.#turns = new Semaphore(at.hci.clock);
  }

  /** As far as the controller has told. */
  get phy(): LinkPhy {
    return this.#phy;
  }

  async set(preference: PhyPreference, { signal, timeoutMs = UPDATE_TIMEOUT_MS }: OperationOptions): Promise<LinkPhy> {
    checkOptions("setPhy", preference ?? null, OPTIONS);
    const { coding } = preference;
    if (coding !== undefined) checkChoice("setPhy: coding", coding, CODINGS);
    const [tx, rx] = [namesOf("tx", preference.tx), namesOf("rx", preference.rx)];
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    if (!this.#hci.supports(LeSetPhy)) throw new UnsupportedError("the controller has LE 1M only (no LE Set PHY)");
    const wanted = { tx: this.#mask("tx", tx), rx: this.#mask("rx", rx), coding };
    const { clock } = this.#hci;
    using deadline = new Deadline({ clock, operation: WHAT, signal, timeoutMs });
    const turn = await this.#turns.acquire({ signal: deadline.signal }, WHAT);
    // The controllers go on with it when the caller has left, and until they are done no other may be asked for.
    const procedure = this.#ask(wanted).finally(() => turn[Symbol.dispose]());
    return await ownTerms(clock, WHAT, procedure, { signal: deadline.signal });
  }

  /** A controller refuses a mask with a PHY that it lacks. */
  #mask(way: "tx" | "rx", names: readonly PhyName[] | undefined): number {
    if (!names) return 0;
    const has = (name: PhyName): boolean => FEATURES[name] === undefined || this.#hci.hasLeFeature(FEATURES[name]);
    const mask = names.filter(has).reduce((bits, name) => bits | (1 << NAMES.indexOf(name)), 0);
    if (mask === 0) throw new UnsupportedError(`setPhy: ${way}: the controller has no LE ${names.join(", no LE ")}`);
    return mask;
  }

  async #ask({ tx, rx, coding }: { tx: number; rx: number; coding: PhyPreference["coding"] }): Promise<LinkPhy> {
    if (this.#closed) throw this.#closed;
    const pending: Pending<LinkPhy> = new Pending<LinkPhy>({
      clock: this.#hci.clock,
      operation: WHAT,
      timeoutMs: UPDATE_TIMEOUT_MS,
      onSettled: () => {
        if (this.#asked?.pending === pending) this.#asked = undefined;
      },
    });
    this.#asked = { tx, rx, pending };
    const allPhys = (tx === 0 ? 1 : 0) | (rx === 0 ? 2 : 0);
    const phyOptions = coding === undefined ? 0 : CODINGS.indexOf(coding) + 1;
    this.#hci
      .send(LeSetPhy, { connectionHandle: this.#handle, allPhys, txPhys: tx, rxPhys: rx, phyOptions })
      .catch((error: unknown) => pending.reject(this.#closed ?? refusal(error)));
    try {
      return await pending.promise;
    } catch (error) {
      // Nobody has said what is in force now.
      if (error instanceof TimeoutError && !this.#closed)
        this.read({}).catch((cause: unknown) => this.#logger.info(() => `the PHY could not be read: ${String(cause)}`));
      throw error;
    }
  }

  /** Asks the controller. */
  async read(options: OperationOptions): Promise<LinkPhy> {
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    if (!this.#hci.supports(LeReadPhy)) return this.#phy; // which has one only
    try {
      const { connectionHandle, txPhy, rxPhy } = await this.#hci.send(LeReadPhy, { connectionHandle: this.#handle }, options);
      if (connectionHandle !== this.#handle)
        throw new ControllerError(
          `the controller answered LeReadPhy about handle ${connectionHandle}, and was asked about ${this.#handle}`,
        );
      this.#take(txPhy, rxPhy);
      return this.#phy;
    } catch (error) {
      throw this.#closed ?? error;
    }
  }

  /** The event. */
  onComplete(status: number, txPhy: number, rxPhy: number): void {
    const asked = this.#asked;
    if (status !== HciErrorCode.Success) {
      asked?.pending.reject(refusal(new HciError({ status, command: "LeSetPhy" })));
      return;
    }
    const before = this.#phy;
    this.#take(txPhy, rxPhy);
    const isAnswer = (mask: number, now: number, was: PhyName): boolean =>
      mask === 0 || (mask & (1 << (now - 1))) !== 0 || NAMES[now - 1] === was;
    if (asked && isAnswer(asked.tx, txPhy, before.tx) && isAnswer(asked.rx, rxPhy, before.rx)) asked.pending.resolve(this.#phy);
  }

  #take(txPhy: number, rxPhy: number): void {
    // A value that the specification does not have changes nothing.
    const phy: LinkPhy = { tx: NAMES[txPhy - 1] ?? this.#phy.tx, rx: NAMES[rxPhy - 1] ?? this.#phy.rx };
    if (phy.tx === this.#phy.tx && phy.rx === this.#phy.rx) return;
    this.#phy = Object.freeze(phy);
    this.#onChange(this.#phy);
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#closed = reason;
    this.#turns.close(reason);
    this.#asked?.pending.reject(reason);
  }
}

function namesOf(way: "tx" | "rx", value: PhyPreference["tx"]): readonly PhyName[] | undefined {
  if (value === undefined) return undefined;
  const names = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  if (names.length === 0) throw new ArgumentError(`setPhy: ${way}: expected one PHY at least`);
  return names.map((name) => checkChoice(`setPhy: ${way}`, name, NAMES));
}

/** What lies in the peer or in the controller can be told from what lies in the moment. */
function refusal(error: unknown): unknown {
  if (!(error instanceof HciError)) return error;
  if (error.status === HciErrorCode.UnsupportedRemoteFeature)
    return new UnsupportedError("the peer's controller cannot change the PHY", { cause: error });
  if (error.status === HciErrorCode.UnsupportedFeatureOrParameterValue)
    return new UnsupportedError("the controller does not have this PHY", { cause: error });
  return error;
}
