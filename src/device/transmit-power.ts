import { Deadline, type OperationOptions } from "../async/index.ts";
import { checkBoolean, checkChoice, checkOperation, checkOptions, optionNames } from "../core/arguments.ts";
import { type BleError, UnsupportedError } from "../core/error.ts";
import {
  ControllerError,
  type Hci,
  HciError,
  HciErrorCode,
  LeEnhancedReadTransmitPowerLevel,
  LeReadRemoteTransmitPowerLevel,
  LeSetTransmitPowerReportingEnable,
  LeTransmitPowerReporting,
  ReadTransmitPowerLevel,
} from "../hci/index.ts";
import type { LinkCommands } from "./link-commands.ts";
import { LinkRequests } from "./link-requests.ts";
import type { LinkPhy } from "./phy-updates.ts";

/** A PHY as far as power is concerned: each coding of LE Coded has its own. */
export type PowerPhy = "1M" | "2M" | "coded S=8" | "coded S=2";

export interface PowerOptions extends OperationOptions {
  /** The one that the link uses by default; of LE Coded that is S=8. */
  readonly phy?: PowerPhy | undefined;
}

/** How strongly this side sends. */
export interface TransmitPower {
  /** dBm; `undefined` where the controller does not know. */
  readonly currentDbm: number | undefined;
  /** What it could be, in dBm. */
  readonly maxDbm: number | undefined;
}

/** How strongly one side sends on a PHY, as its controller tells the other. */
export interface PowerLevel {
  readonly phy: PowerPhy;
  /** dBm; `undefined` where it is not known, or not managed. */
  readonly powerDbm: number | undefined;
  /** False: that side does not manage its power on this PHY. */
  readonly isManaged: boolean;
  readonly isMinimum: boolean;
  readonly isMaximum: boolean;
}

export interface PowerChange extends PowerLevel {
  /** Whose power changed. */
  readonly side: "local" | "remote";
  /** By how much, in dB; `undefined` where that is not known. */
  readonly deltaDb: number | undefined;
}

/** Whose changes of power are told by the event "transmitPower"; nobody's by default. */
export interface PowerReporting {
  readonly local?: boolean | undefined;
  readonly remote?: boolean | undefined;
}

/** By their values from 1 on. */
const PHYS: readonly PowerPhy[] = ["1M", "2M", "coded S=8", "coded S=2"];
const OPTIONS = optionNames<PowerOptions>({ phy: true, signal: true, timeoutMs: true });
const REPORTING_OPTIONS = optionNames<PowerReporting>({ local: true, remote: true });
const READING = "reading the transmit power";
/** Values in which a controller says that there is none. */
const NOT_MANAGED = 126;
const NOT_AVAILABLE = 127;
/** Bits of TX_Power_Level_Flag. */
const AT_MINIMUM = 1;
const AT_MAXIMUM = 2;
/** Reasons of HCI_LE_Transmit_Power_Reporting, Vol 4 Part E 7.7.65.33. */
const SIDES = ["local", "remote"] as const;
const ANSWER = 2;
/** Type of HCI_Read_Transmit_Power_Level. */
const CURRENT = 0;
const MAXIMUM = 1;

export interface TransmitPowersParts {
  readonly hci: Hci;
  readonly handle: number;
  readonly commands: LinkCommands;
  readonly phy: () => LinkPhy;
  readonly onChange: (change: PowerChange) => void;
}

/** How strongly the two sides of one link send, Vol 6 Part B 5.1.17 and 5.1.18. */
export class TransmitPowers {
  readonly #parts: TransmitPowersParts;
  /** Of the peer's power, by the value of the PHY. */
  readonly #readings: LinkRequests<number, PowerLevel>;

  constructor(parts: TransmitPowersParts) {
    this.#parts = parts;
    this.#readings = new LinkRequests({ clock: parts.hci.clock, operation: "reading the peer's transmit power", explain: refusal });
  }

  async local(options: PowerOptions): Promise<TransmitPower> {
    checkOperation("transmitPower", options, OPTIONS);
    const { phy, ...terms } = options;
    const { hci, handle: connectionHandle, commands } = this.#parts;
    if (phy === undefined && !hci.supports(LeEnhancedReadTransmitPowerLevel)) return await this.#ofAnyPhy(terms);
    const value = phyValue("transmitPower", phy ?? inUse(this.#parts.phy().tx));
    const answer = await commands.ask(LeEnhancedReadTransmitPowerLevel, { connectionHandle, phy: value }, terms).catch((error: unknown) => {
      throw refusal(error);
    });
    if (answer.phy !== value) {
      const { name } = LeEnhancedReadTransmitPowerLevel;
      throw new ControllerError(`the controller answered ${name} about PHY ${answer.phy}, and was asked about ${value}`);
    }
    return { currentDbm: known(answer.currentTransmitPowerLevel), maxDbm: known(answer.maxTransmitPowerLevel) };
  }

  /** Controllers before version 5.2 have one power for all PHYs (Vol 4 Part E 7.3.35). */
  async #ofAnyPhy({ signal, timeoutMs }: OperationOptions): Promise<TransmitPower> {
    const { hci, handle: connectionHandle, commands } = this.#parts;
    using deadline = new Deadline({ clock: hci.clock, operation: READING, signal, timeoutMs });
    const within = { signal: deadline.signal };
    const current = await commands.ask(ReadTransmitPowerLevel, { connectionHandle, type: CURRENT }, within);
    const maximum = await commands.ask(ReadTransmitPowerLevel, { connectionHandle, type: MAXIMUM }, within);
    return { currentDbm: known(current.transmitPowerLevel), maxDbm: known(maximum.transmitPowerLevel) };
  }

  async remote(options: PowerOptions): Promise<PowerLevel> {
    checkOperation("remoteTransmitPower", options, OPTIONS);
    const { phy, signal, timeoutMs } = options;
    const { hci, handle: connectionHandle, commands } = this.#parts;
    const value = phyValue("remoteTransmitPower", phy ?? inUse(this.#parts.phy().rx));
    using deadline = new Deadline({ clock: hci.clock, operation: READING, signal, timeoutMs });
    const within = { signal: deadline.signal };
    await commands.enable(LeTransmitPowerReporting, LeReadRemoteTransmitPowerLevel, within);
    const send = (): Promise<void> => hci.send(LeReadRemoteTransmitPowerLevel, { connectionHandle, phy: value });
    return await this.#readings.run(value, send, within);
  }

  async report(reporting: PowerReporting, { signal, timeoutMs }: OperationOptions): Promise<void> {
    checkOptions("reportTransmitPower", reporting ?? null, REPORTING_OPTIONS);
    const { local: localEnable = false, remote: remoteEnable = false } = reporting;
    checkBoolean("reportTransmitPower: local", localEnable);
    checkBoolean("reportTransmitPower: remote", remoteEnable);
    const { hci, handle: connectionHandle, commands } = this.#parts;
    using deadline = new Deadline({ clock: hci.clock, operation: "reporting of transmit power", signal, timeoutMs });
    const within = { signal: deadline.signal };
    await commands.enable(LeTransmitPowerReporting, LeSetTransmitPowerReportingEnable, within);
    await commands.ask(LeSetTransmitPowerReportingEnable, { connectionHandle, localEnable, remoteEnable }, within);
  }

  /** The event. */
  onReporting({ status, reason, phy, txPowerLevel, txPowerLevelFlag, delta }: LeTransmitPowerReporting): void {
    // The status is the answer's (7.7.65.33).
    if (reason === ANSWER && status !== HciErrorCode.Success) {
      this.#readings.reject(new HciError({ status, command: LeReadRemoteTransmitPowerLevel.name }));
      return;
    }
    const name = PHYS[phy - 1];
    if (!name) return;
    const powerDbm = known(txPowerLevel);
    const level = {
      phy: name,
      powerDbm,
      isManaged: txPowerLevel !== NOT_MANAGED,
      isMinimum: powerDbm !== undefined && (txPowerLevelFlag & AT_MINIMUM) !== 0,
      isMaximum: powerDbm !== undefined && (txPowerLevelFlag & AT_MAXIMUM) !== 0,
    };
    const side = SIDES[reason];
    if (side) this.#parts.onChange({ side, ...level, deltaDb: delta === NOT_AVAILABLE ? undefined : delta });
    else if (reason === ANSWER && this.#readings.wanted === phy) this.#readings.resolve(level);
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#readings.close(reason);
  }
}

function phyValue(what: string, phy: PowerPhy): number {
  return PHYS.indexOf(checkChoice(`${what}: phy`, phy, PHYS)) + 1;
}

function inUse(phy: LinkPhy["tx"]): PowerPhy {
  return phy === "coded" ? "coded S=8" : phy;
}

function known(levelDbm: number): number | undefined {
  return levelDbm === NOT_AVAILABLE || levelDbm === NOT_MANAGED ? undefined : levelDbm;
}

/** What lies in the peer or in the controller can be told from what lies in the moment. */
function refusal(error: unknown): unknown {
  if (!(error instanceof HciError)) return error;
  if (error.status === HciErrorCode.UnsupportedRemoteFeature)
    return new UnsupportedError("the peer's controller has no power control", { cause: error });
  if (error.status === HciErrorCode.UnsupportedFeatureOrParameterValue)
    return new UnsupportedError("the controller does not have this PHY", { cause: error });
  return error;
}
