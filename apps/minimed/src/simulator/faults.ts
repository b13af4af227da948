/** The faults that are counted: each strikes so many times, then no more. */
export const COUNTED_FAULTS = [
  "wrongCrcs",
  "wrongTags",
  "busyWrites",
  "unansweredRequests",
  "uncompletedRequests",
  "refusedResets",
] as const;
export type CountedFault = (typeof COUNTED_FAULTS)[number];

/**
 * What goes wrong with a simulated pump, on command. A number says how often a fault strikes from now on (`Infinity`: until it is set to 0); all
 * are 0 at first. Everything here may be changed at any time.
 */
export class SimulatedPumpFaults implements Record<CountedFault, number> {
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
}
