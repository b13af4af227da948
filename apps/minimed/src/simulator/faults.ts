import { checkChoice, checkInteger, checkOctets } from "jelling/core";
import type { LocalDateTime } from "../data/date-time.ts";
import type { PumpLife } from "./pump-life.ts";

/** The faults that are counted: each strikes so many times, then no more. */
const COUNTED_FAULTS = ["wrongCrcs", "wrongTags", "busyWrites", "unansweredRequests", "uncompletedRequests", "refusedResets"] as const;
export type CountedFault = (typeof COUNTED_FAULTS)[number];

/** What faults do to a pump. */
export interface FaultTargets {
  readonly life: PumpLife;
  /** @param forMs undefined: until it speaks again, or the link is lost */
  readonly fallSilent: (forMs: number | undefined) => void;
  readonly speakAgain: () => void;
  readonly loseLink: () => Promise<void>;
  readonly loseBond: (side: "pump" | "phone") => Promise<void>;
  readonly updateFirmware: () => Promise<void>;
}

/** Types of events that nobody knows, or that no pump was seen to send. */
const UNKNOWN_EVENTS = [0xf003, 0xf020, 0x0330, 0xf0aa];

/**
 * What goes wrong with a simulated pump, on command. A number says how often a fault strikes from now on (`Infinity`: until it is set to 0); all
 * are 0 at first. Everything here may be changed or called at any time.
 */
export class SimulatedPumpFaults implements Record<CountedFault, number> {
  readonly #targets: () => FaultTargets;

  /** Made by the pump. */
  constructor(targets: () => FaultTargets) {
    this.#targets = targets;
  }

  /** Values with an E2E-CRC that get a wrong one. */
  wrongCrcs = 0;
  /** Encrypted values that the pump sends with a wrong tag. */
  wrongTags = 0;
  /** Writes to control points that are refused with Procedure Already in Progress. */
  busyWrites = 0;
  /** Requests to control points that are taken and never answered. */
  unansweredRequests = 0;
  /** Requests to control points that are answered with "procedure not completed". */
  uncompletedRequests = 0;
  /** Resets of the bits of IDD Status Changed that are refused. */
  refusedResets = 0;
  /** What has changed is not pushed. */
  withholdsPushes = false;
  /** A transfer of history records stops after so many of them, without a word, until it is aborted; once. */
  stopTransferAfter: number | undefined;
  /** So many of the oldest records are gone in the middle of the next transfer; once. */
  vanishingRecords = 0;

  /** Whether a counted fault strikes now. */
  strike(fault: CountedFault): boolean {
    if (this[fault] <= 0) return false;
    this[fault]--;
    return true;
  }

  // --- the link -----------------------------------------------------------------------------------------------------------------

  /** Nothing is heard of the pump any more, though the link is there. @param forMs until it speaks again; without it until the link is lost */
  fallSilent(forMs?: number): void {
    if (forMs !== undefined) checkInteger("forMs", forMs, 1, Number.MAX_SAFE_INTEGER);
    this.#targets().fallSilent(forMs);
  }
  speakAgain(): void {
    this.#targets().speakAgain();
  }
  /** As if its battery were taken out: the link ends, and the pump comes back by itself. */
  loseLink(): Promise<void> {
    return this.#targets().loseLink();
  }
  /**
   * One side has lost the bond, and the link. A pump that lost it does not come back. To one whose phone lost it this looks like a phone that does
   * not know its key; it goes on trying.
   *
   * @throws {StateError} there is no bond to lose
   */
  async loseBond(side: "pump" | "phone"): Promise<void> {
    checkChoice("side", side, ["pump", "phone"]);
    await this.#targets().loseBond(side);
  }
  /** The pump starts anew, with other software whose attributes are elsewhere. */
  updateFirmware(): Promise<void> {
    return this.#targets().updateFirmware();
  }

  // --- the history and the clock ------------------------------------------------------------------------------------------------

  /** Records an event of a type that nobody knows, or of the one that is given. */
  recordUnknownEvent(type: number = UNKNOWN_EVENTS[0]!, data: Uint8Array = new Uint8Array()): void {
    checkInteger("type", type, 0, 0xffff);
    checkOctets("data", data, { maxLength: 200 });
    this.#targets().life.record(type, data);
  }
  /** Records octets that are no record, or a record that is cut short. */
  recordGarbage(octets?: Uint8Array): void {
    if (octets !== undefined) checkOctets("octets", octets, { maxLength: 200 });
    this.#targets().life.recordGarbage(octets);
  }
  /** So many sequence numbers are left out. */
  leaveHole(count: number): void {
    checkInteger("count", count, 1, 1_000_000);
    this.#targets().life.skipNumbers(count);
  }
  /** The memory fails: its records are gone, and numbers begin at 1. */
  restartNumbering(): void {
    this.#targets().life.restartNumbering();
  }
  /** The clock is lost; it begins with a default date, until it is set. */
  loseClock(): void {
    this.#targets().life.setClock({ kind: "lost" });
  }
  /** The user sets the clock; without a time to what it would show had it not been lost. */
  setClock(local?: LocalDateTime): void {
    const { life } = this.#targets();
    if (local) life.setClockTo(local);
    else life.setClock({ kind: "restored" });
  }
}
