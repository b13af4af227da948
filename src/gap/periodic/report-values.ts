/** Data_Status of reports of periodic advertising and of responses to it, Vol 4 Part E 7.7.65.15 and 7.7.65.37. */
export const ReportStatus = Object.freeze({ Complete: 0x00, MoreToCome: 0x01, Truncated: 0x02, Missed: 0xff });

/** RSSI and TX power where the controller does not know them. */
const NOT_AVAILABLE = 127;

/** dBm, or nothing. */
export function valueOrUndefined(dbm: number): number | undefined {
  return dbm === NOT_AVAILABLE ? undefined : dbm;
}
