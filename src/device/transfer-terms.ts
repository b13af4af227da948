import { checkChoice } from "../core/arguments.ts";
import { checkReceptionOptions, type PeriodicSync, type ReceptionParameters, type SyncReception } from "../gap/index.ts";
import { type Hci, LeFeature } from "../hci/index.ts";

/** Periodic advertising that a peer has handed over. */
export interface ReceivedSync {
  readonly sync: PeriodicSync;
  /** What the program at the other end says of it, 0 to 0xFFFF. */
  readonly serviceData: number;
}

/** Mode of the parameters of sync transfer, Vol 4 Part E 7.8.91. */
const Mode = { Ignore: 0, Silent: 1, Reports: 2, NewReports: 3 } as const;

/** What a controller is told to do with what peers hand over; `undefined`: nothing. */
export function transferParameters(
  hci: Hci,
  terms: ReceptionParameters | undefined,
): { mode: number; skip: number; syncTimeout: number; cteType: number } {
  if (!terms) return { mode: Mode.Ignore, skip: 0, syncTimeout: 0x000a, cteType: 0 };
  const { receives, isFiltered, skip, syncTimeout } = terms;
  const reports = isFiltered && hci.hasLeFeature(LeFeature.PeriodicAdvertisingAdiSupport) ? Mode.NewReports : Mode.Reports;
  return { mode: receives ? reports : Mode.Silent, skip, syncTimeout, cteType: 0 };
}

/** Terms as a program gives them; `undefined`: nothing is taken. @throws {ArgumentError} */
export function checkTransferTerms(what: string, terms: SyncReception | "ignore"): ReceptionParameters | undefined {
  if (typeof terms !== "string") return checkReceptionOptions(what, terms);
  checkChoice(what, terms, ["ignore"]);
  return undefined;
}
