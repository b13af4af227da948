/** Event_Type, Address_Type, Address, Data_Length before the data of an advertising report, RSSI after it (Vol 4 Part E 7.7.65.2). */
const DATA_LENGTH_AT = 8;
const OVERHEAD = 10;
/** All the fields of an extended advertising report are before its data, Data_Length the last of them (Vol 4 Part E 7.7.65.13). */
const EXTENDED_DATA_LENGTH_AT = 23;
const EXTENDED_OVERHEAD = 24;

/** Where the report that begins at `at` ends; past the end of the packet where it is cut off. */
export function reportEnd(packet: Uint8Array, at: number, isExtended: boolean): number {
  if (isExtended) return at + EXTENDED_OVERHEAD + (packet[at + EXTENDED_DATA_LENGTH_AT] ?? 0xff);
  return at + OVERHEAD + (packet[at + DATA_LENGTH_AT] ?? 0xff);
}
