import { Phy } from "../../air/index.ts";
import { HciErrorCode, LeFeature, LeTransmitPowerReporting } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import type { ControlContext, LinkControl, Procedure } from "./control.ts";
import { LlPowerChangeInd, LlPowerControlReq, LlPowerControlRsp } from "./control-pdus.ts";

/** What powers read of a connection, and tell it. */
export interface PoweredLink {
  readonly txPhy: Phy;
  readonly rxPhy: Phy;
  /** Whether the peer is known to lack a feature. */
  peerLacks(bit: number): boolean;
  /** The PHY that it sends on has another level. */
  onPowerChange(): void;
}

/** What a controller can do about its power. */
export interface PowerRange {
  /** dBm, of the radio. */
  readonly leastDbm: number;
  readonly mostDbm: number;
  /** Where it wants to receive its peers, in dBm; without it, whatever comes. */
  readonly golden: { readonly lowDbm: number; readonly highDbm: number } | undefined;
  /** Mask of PHYs: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded of either coding. */
  readonly supportedPhys: number;
}

/** What the peer said of its power on a PHY. */
interface RemoteLevel {
  readonly dbm: number;
  /** Bit 0 at its minimum, bit 1 at its maximum. */
  readonly limits: number;
}

const REASON = { local: 0, remote: 1, read: 2 } as const;
/** TX_Power_Level and Delta where there is none. */
const NOT_AVAILABLE = 127;
/** In LL_POWER_CONTROL_REQ: as loud as it can. */
const TO_THE_MAXIMUM = 127;
/** Acceptable power reduction, where nothing is said of it. */
const NO_REDUCTION_KNOWN = 0xff;
const ALL_PHYS: readonly Phy[] = [Phy.Le1M, Phy.Le2M, Phy.LeCodedS8, Phy.LeCodedS2];

/**
 * Power levels of both ends, each PHY for itself: the LE Power Control Request procedure and the Power Change Indication procedure (Vol 6
 * Part B 5.1.17, 5.1.18), and what the host hears of them.
 */
export class LinkPower {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #link: PoweredLink;
  readonly #range: PowerRange;
  /** As it is sent, and as it will be when what tells of it has its turn. */
  readonly #levels = new Map<Phy, number>();
  readonly #decided = new Map<Phy, number>();
  readonly #remote = new Map<Phy, RemoteLevel>();
  readonly #onRemoteKnown: () => void;
  #reportsLocal = false;
  #reportsRemote = false;
  /** The peer has asked once, and is told of changes from then on. */
  #isAsked = false;
  /** Strength that the peer was asked last about; it did what it could. */
  #regulatedDbm: number | undefined;
  /** The peer does not know how to change its power. */
  #isRefused = false;
  /** The peer was asked at least once, and tells of its changes from then on. */
  #hasAsked = false;
  /** What the peer sends at matters to somebody here, whatever PHY it is on. */
  #follows = false;

  /** @param onRemoteKnown the peer's power on some PHY is known, or will not be */
  constructor(control: LinkControl, link: PoweredLink, range: PowerRange, onRemoteKnown: () => void) {
    this.#control = control;
    this.#context = control.context;
    this.#link = link;
    this.#range = range;
    this.#onRemoteKnown = onRemoteKnown;
    if (hasFeature(this.#context.features, LeFeature.LePowerControlRequest)) this.#serve();
  }

  /** What this end sends at on a PHY, in dBm. */
  level(phy: Phy): number {
    return this.#levels.get(phy) ?? this.#range.mostDbm;
  }

  /** What the peer sends at, as far as is known. */
  remoteDbm(phy: Phy): number | undefined {
    return this.#remote.get(phy)?.dbm;
  }

  /** Whether this controller has the PHY. */
  supports(phy: number): boolean {
    const bit = { [Phy.Le1M]: 1, [Phy.Le2M]: 2, [Phy.LeCodedS8]: 4, [Phy.LeCodedS2]: 4 }[phy] ?? 0;
    return (this.#range.supportedPhys & bit) !== 0;
  }

  /** Whether the peer is being asked for the host. */
  get isReading(): boolean {
    return this.#control.has("power reading");
  }

  /** Asks the peer for its power; the host hears of it by LE Transmit Power Reporting. */
  readRemote(phy: Phy): void {
    this.#request({
      name: "power reading",
      phy,
      delta: 0,
      onRejected: (status) => this.#report(REASON.read, phy, undefined, NOT_AVAILABLE, status),
    });
  }

  /** Asks the peer for its power on the PHY that it sends on, where that is not known. */
  learnRemote(): void {
    this.#follows = true;
    const phy = this.#link.rxPhy;
    if (this.#hasAsked && this.#remote.has(phy)) this.#onRemoteKnown();
    else if (!this.#control.has("power learning"))
      this.#request({ name: "power learning", phy, delta: 0, onRejected: () => this.#onRemoteKnown() });
  }

  /** The peer sends on another PHY, with a power of its own. */
  onPhyChange(): void {
    if (this.#follows) this.learnRemote();
  }

  /** LE Set Transmit Power Reporting Enable. */
  setReporting(local: boolean, remote: boolean): void {
    this.#reportsLocal = local;
    const isNew = remote && !this.#reportsRemote;
    this.#reportsRemote = remote;
    // A peer tells of its changes only whoever has asked before.
    if (isNew) this.learnRemote();
  }

  /** This end sends at another power from now on. */
  change(dbm: number): void {
    const phy = this.#link.txPhy;
    const delta = this.#decide(phy, dbm);
    if (delta === 0) return;
    if (!this.#isAsked) {
      this.#set(phy, dbm);
      return;
    }
    const limits = this.#limits(dbm);
    this.#control.send(
      LlPowerChangeInd,
      { phy: bitOf(phy), limits, delta, txPower: dbm },
      { onTaken: () => this.#set(phy, dbm) }, // what tells of it is the first that is sent so
    );
  }

  /** A connection event is over: the peer may be too loud or too soft. */
  regulate(): void {
    const { golden } = this.#range;
    if (!golden || this.#isRefused || this.#control.has("power request") || this.#link.peerLacks(LeFeature.LePowerControlRequest)) return;
    const meanDbm = this.#context.link.meanDbm(this.#context.role);
    if (meanDbm === undefined || meanDbm === this.#regulatedDbm || (meanDbm >= golden.lowDbm && meanDbm <= golden.highDbm)) return;
    this.#regulatedDbm = meanDbm;
    const delta = Math.round((golden.lowDbm + golden.highDbm) / 2 - meanDbm);
    const refuse = (): void => {
      this.#isRefused = true;
    };
    this.#request({ name: "power request", phy: this.#link.rxPhy, delta: Math.max(-126, Math.min(126, delta)), onRejected: refuse });
  }

  #request({ name, phy, delta, onRejected }: { name: string; phy: Phy; delta: number; onRejected: (status: number) => void }): void {
    const control = this.#control;
    if (!hasFeature(this.#context.features, LeFeature.LePowerControlRequest) || this.#link.peerLacks(LeFeature.LePowerControlRequest)) {
      onRejected(HciErrorCode.UnsupportedRemoteFeature);
      return;
    }
    const procedure: PowerProcedure = {
      name,
      requestOpcode: LlPowerControlReq.opcode,
      hasInstant: false,
      phy,
      begin: () => {
        control.send(LlPowerControlReq, () => ({ phy: bitOf(phy), delta, txPower: this.level(phy) }));
        control.awaitResponse();
      },
      onRejected,
    };
    control.start(procedure);
  }

  #serve(): void {
    const control = this.#control;
    control.on(LlPowerControlReq, ({ phy: mask, delta, txPower }) => {
      const phy = ALL_PHYS.find((candidate) => bitOf(candidate) === mask);
      if (phy === undefined || !this.supports(phy)) {
        control.reject(LlPowerControlReq.opcode, HciErrorCode.UnsupportedLlParameterValue, true);
        return;
      }
      this.#isAsked = true;
      const known = this.#remote.get(phy);
      this.#remote.set(phy, { dbm: txPower, limits: known?.dbm === txPower ? known.limits : 0 });
      const { leastDbm, mostDbm } = this.#range;
      const before = this.#decided.get(phy) ?? mostDbm;
      const dbm = delta === TO_THE_MAXIMUM ? mostDbm : Math.max(leastDbm, Math.min(mostDbm, before + delta));
      const response = {
        limits: this.#limits(dbm),
        delta: this.#decide(phy, dbm),
        txPower: dbm,
        acceptableReduction: this.#acceptableReduction(phy),
      };
      control.send(LlPowerControlRsp, response, { onTaken: () => this.#set(phy, dbm) });
    });
    control.on(LlPowerControlRsp, ({ limits, delta, txPower }) => {
      const { active } = control;
      if (!active || !isPowerProcedure(active)) return;
      control.responded();
      this.#hasAsked = true;
      const { phy, name } = active;
      if (name === "power reading") {
        this.#remote.set(phy, { dbm: txPower, limits });
        this.#report(REASON.read, phy, { dbm: txPower, limits }, delta);
      } else this.#note(phy, { dbm: txPower, limits }, delta);
      control.finish(active);
      this.#onRemoteKnown();
    });
    control.on(LlPowerChangeInd, ({ phy: mask, limits, delta, txPower }) => {
      for (const phy of ALL_PHYS) if (mask & bitOf(phy)) this.#note(phy, { dbm: txPower, limits }, delta);
      this.#onRemoteKnown();
    });
  }

  /** The peer sends at this level; the host is told where it is another one than before. */
  #note(phy: Phy, level: RemoteLevel, delta: number): void {
    this.#remote.set(phy, level);
    if (this.#reportsRemote && delta !== 0) this.#report(REASON.remote, phy, level, delta);
  }

  /** Gives the change, in dB. */
  #decide(phy: Phy, dbm: number): number {
    const before = this.#decided.get(phy) ?? this.#range.mostDbm;
    this.#decided.set(phy, dbm);
    return dbm - before;
  }

  #set(phy: Phy, dbm: number): void {
    const delta = dbm - this.level(phy);
    if (delta === 0) return;
    const change = (): void => {
      this.#levels.set(phy, dbm);
      this.#link.onPowerChange();
    };
    this.#context.link.changeStrength(change);
    if (this.#reportsLocal) this.#report(REASON.local, phy, { dbm, limits: this.#limits(dbm) }, delta);
  }

  #limits(dbm: number): number {
    return (dbm <= this.#range.leastDbm ? 1 : 0) | (dbm >= this.#range.mostDbm ? 2 : 0);
  }

  /** How much less the peer might send: what it arrives with above the range that this end wants. */
  #acceptableReduction(phy: Phy): number {
    const { golden } = this.#range;
    const meanDbm = this.#context.link.meanDbm(this.#context.role);
    if (!golden || meanDbm === undefined || phy !== this.#link.rxPhy) return NO_REDUCTION_KNOWN;
    return Math.max(0, Math.min(254, Math.floor(meanDbm - golden.lowDbm)));
  }

  #report(reason: number, phy: Phy, level: RemoteLevel | undefined, delta: number, status: number = HciErrorCode.Success): void {
    const { host, handle: connectionHandle } = this.#context;
    const txPowerLevel = level?.dbm ?? NOT_AVAILABLE;
    host.event(LeTransmitPowerReporting, {
      status,
      connectionHandle,
      reason,
      phy,
      txPowerLevel,
      txPowerLevelFlag: level?.limits ?? 0,
      delta,
    });
  }
}

interface PowerProcedure extends Procedure {
  readonly phy: Phy;
}

function isPowerProcedure(procedure: Procedure): procedure is PowerProcedure {
  return procedure.requestOpcode === LlPowerControlReq.opcode;
}

function bitOf(phy: Phy): number {
  return 1 << (phy - 1);
}
