import type { OperationOptions } from "../async/index.ts";
import { checkChoice, checkOptions, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, UnsupportedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { ControllerError, type Hci, HciError, HciErrorCode, LeFeature, LeReadPhy, LeSetPhy } from "../hci/index.ts";
import { LinkRequests } from "./link-requests.ts";

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
/** What every controller has. */
const LE_1M: LinkPhy = Object.freeze({ tx: "1M", rx: "1M" });

interface PhyUpdatesParts {
  readonly hci: Hci;
  readonly handle: number;
  readonly logger: Logger;
  readonly phy: PhyName | undefined;
  readonly onChange: (phy: LinkPhy) => void;
}

/** What was asked for, as masks of HCI_LE_Set_PHY. 0: no preference. */
interface Asked {
  readonly tx: number;
  readonly rx: number;
}

/**
 * Changes of one link's PHY. HCI_LE_PHY_Update_Complete does not say whose change it tells of (Vol 4 Part E 7.7.65.12): one is asked for at a
 * time, whoever gave up waiting for it, and an event answers it if each way is among what was asked for or as it was. Only the own procedure
 * is told of when it changes nothing, and only its failure.
 */
export class PhyUpdates {
  readonly #hci: Hci;
  readonly #handle: number;
  readonly #onChange: (phy: LinkPhy) => void;
  readonly #requests: LinkRequests<Asked, LinkPhy>;
  #phy: LinkPhy;
  #closed: BleError | undefined;

  /** @param at.phy what the link began on, both ways; LE 1M by default */
  constructor({ hci, handle, logger, phy, onChange }: PhyUpdatesParts) {
    this.#phy = phy === undefined ? LE_1M : Object.freeze({ tx: phy, rx: phy });
    this.#hci = hci;
    this.#handle = handle;
    this.#onChange = onChange;
    const onSilence = (): void => {
      this.read({}).catch((cause: unknown) => logger.info(() => `the PHY could not be read: ${String(cause)}`));
    };
    this.#requests = new LinkRequests({ clock: hci.clock, operation: "PHY update", explain: refusal, onSilence });
  }

  /** As far as the controller has told. */
  get phy(): LinkPhy {
    return this.#phy;
  }

  async set(preference: PhyPreference, options: OperationOptions): Promise<LinkPhy> {
    checkOptions("setPhy", preference ?? null, OPTIONS);
    const { coding } = preference;
    if (coding !== undefined) checkChoice("setPhy: coding", coding, CODINGS);
    const [tx, rx] = [namesOf("tx", preference.tx), namesOf("rx", preference.rx)];
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    if (!this.#hci.supports(LeSetPhy)) throw new UnsupportedError("the controller has LE 1M only (no LE Set PHY)");
    const [txPhys, rxPhys] = [this.#mask("tx", tx), this.#mask("rx", rx)];
    const allPhys = (txPhys === 0 ? 1 : 0) | (rxPhys === 0 ? 2 : 0);
    const phyOptions = coding === undefined ? 0 : CODINGS.indexOf(coding) + 1;
    const command = { connectionHandle: this.#handle, allPhys, txPhys, rxPhys, phyOptions };
    return await this.#requests.run({ tx: txPhys, rx: rxPhys }, () => this.#hci.send(LeSetPhy, command), options);
  }

  /** A controller refuses a mask with a PHY that it lacks. */
  #mask(way: "tx" | "rx", names: readonly PhyName[] | undefined): number {
    if (!names) return 0;
    const has = (name: PhyName): boolean => FEATURES[name] === undefined || this.#hci.hasLeFeature(FEATURES[name]);
    const mask = names.filter(has).reduce((bits, name) => bits | (1 << NAMES.indexOf(name)), 0);
    if (mask === 0) throw new UnsupportedError(`setPhy: ${way}: the controller has no LE ${names.join(", no LE ")}`);
    return mask;
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
    if (status !== HciErrorCode.Success) {
      this.#requests.reject(new HciError({ status, command: "LeSetPhy" }));
      return;
    }
    const { wanted } = this.#requests;
    const before = this.#phy;
    this.#take(txPhy, rxPhy);
    const isAnswer = (mask: number, now: number, was: PhyName): boolean =>
      mask === 0 || (mask & (1 << (now - 1))) !== 0 || NAMES[now - 1] === was;
    if (wanted && isAnswer(wanted.tx, txPhy, before.tx) && isAnswer(wanted.rx, rxPhy, before.rx)) this.#requests.resolve(this.#phy);
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
    this.#requests.close(reason);
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
