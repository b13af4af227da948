import { AirEvent } from "../../air/index.ts";
import { LePathLossThreshold } from "../../hci/index.ts";
import type { ControlContext } from "./control.ts";

/** LE Set Path Loss Reporting Parameters: dB; connection events. */
export interface PathLossParameters {
  readonly highThreshold: number;
  readonly highHysteresis: number;
  readonly lowThreshold: number;
  readonly lowHysteresis: number;
  readonly minTimeSpent: number;
}

/** What the monitor reads of its connection. */
export interface MeasuredLink {
  /** From one connection event to the next. */
  readonly intervalUs: number;
  /** What the peer sends at less what arrives, in dB; undefined while one of them is not known. */
  readonly pathLossDb: number | undefined;
}

const ZONE = { low: 0, middle: 1, high: 2 } as const;
/** Current_Path_Loss where the peer's power is not to be known. */
const NOT_AVAILABLE = 0xff;

/** Boundaries in their order and in the range of an octet, Vol 4 Part E 7.8.119; so are the thresholds then. */
export function arePathLossParametersValid({ highThreshold, highHysteresis, lowThreshold, lowHysteresis }: PathLossParameters): boolean {
  return (
    highThreshold + highHysteresis <= 0xff &&
    lowThreshold >= lowHysteresis &&
    lowThreshold + lowHysteresis <= highThreshold - highHysteresis
  );
}

/** In which zone the path loss is, told to the host when it has stayed in another one for long enough: Vol 6 Part B 4.5.16. */
export class PathLossMonitor {
  readonly #context: ControlContext;
  readonly #link: MeasuredLink;
  #parameters: PathLossParameters | undefined;
  #isEnabled = false;
  #zone: number | undefined;
  /** The zone in which it has been lately. */
  #candidate: number | undefined;
  readonly #due: AirEvent;

  constructor(context: ControlContext, link: MeasuredLink) {
    this.#context = context;
    this.#link = link;
    this.#due = new AirEvent(() => this.#enter());
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  /** While it is enabled they hold from now on. */
  set parameters(parameters: PathLossParameters) {
    this.#parameters = parameters;
    this.#forget();
    this.measure();
  }

  /** Whether there are parameters, without which it cannot be enabled. */
  get hasParameters(): boolean {
    return this.#parameters !== undefined;
  }

  /** Gives whether it was disabled before. */
  enable(): boolean {
    if (this.#isEnabled) return false;
    this.#isEnabled = true;
    this.#zone = undefined;
    return true;
  }

  disable(): void {
    this.#isEnabled = false;
    this.#forget();
  }

  /** There is no measuring: the peer does not tell its power. */
  giveUp(): void {
    if (!this.#isEnabled) return;
    this.disable();
    this.#tell(NOT_AVAILABLE, ZONE.low);
  }

  /** Looks where the path loss is now. */
  measure(): void {
    const parameters = this.#parameters;
    const lossDb = this.#link.pathLossDb;
    if (!this.#isEnabled || !parameters || lossDb === undefined) return;
    if (this.#zone === undefined) {
      this.#zone = firstZone(parameters, lossDb);
      this.#tell(lossDb, this.#zone);
      return;
    }
    const zone = nextZone(parameters, lossDb, this.#zone);
    if (zone === this.#zone) this.#forget();
    else if (zone !== this.#candidate) {
      this.#candidate = zone;
      const { scheduler } = this.#context;
      const spentUs = parameters.minTimeSpent * this.#link.intervalUs;
      if (spentUs === 0) this.#enter();
      else scheduler.set(this.#due, scheduler.nowUs + Math.round(spentUs));
    }
  }

  close(): void {
    this.disable();
  }

  #enter(): void {
    const lossDb = this.#link.pathLossDb;
    const zone = this.#candidate;
    this.#forget();
    if (zone === undefined || lossDb === undefined) return;
    this.#zone = zone;
    this.#tell(lossDb, zone);
  }

  #forget(): void {
    this.#candidate = undefined;
    this.#context.scheduler.clear(this.#due);
  }

  #tell(currentPathLoss: number, zoneEntered: number): void {
    this.#context.host.event(LePathLossThreshold, { connectionHandle: this.#context.handle, currentPathLoss, zoneEntered });
  }
}

function firstZone({ lowThreshold, highThreshold }: PathLossParameters, lossDb: number): number {
  if (lossDb < lowThreshold) return ZONE.low;
  return lossDb < highThreshold ? ZONE.middle : ZONE.high;
}

/** A boundary upwards is the threshold and the hysteresis, downwards the threshold less the hysteresis. */
function nextZone(parameters: PathLossParameters, lossDb: number, zone: number): number {
  const { lowThreshold, lowHysteresis, highThreshold, highHysteresis } = parameters;
  if (lossDb >= highThreshold + highHysteresis) return ZONE.high;
  if (lossDb <= lowThreshold - lowHysteresis) return ZONE.low;
  if (zone === ZONE.low) return lossDb >= lowThreshold + lowHysteresis ? ZONE.middle : zone;
  if (zone === ZONE.high) return lossDb <= highThreshold - highHysteresis ? ZONE.middle : zone;
  return zone;
}
