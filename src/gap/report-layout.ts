/** Event_Type of HCI_LE_Advertising_Report, Vol 4 Part E 7.7.65.2. */
export const AdvertisingEventType = Object.freeze({
  ConnectableUndirected: 0x00, // ADV_IND
  ConnectableDirected: 0x01, // ADV_DIRECT_IND
  ScannableUndirected: 0x02, // ADV_SCAN_IND
  NonConnectableUndirected: 0x03, // ADV_NONCONN_IND
  ScanResponse: 0x04, // SCAN_RSP
});
export type AdvertisingEventType = (typeof AdvertisingEventType)[keyof typeof AdvertisingEventType];

/** Where the parts of an advertising report are, counted from its Event_Type. */
export interface ReportLayout {
  readonly isExtended: boolean;
  /** Address_Type, the address behind it. */
  readonly addressAt: number;
  readonly dataAt: number;
  /** Octets behind the data. */
  readonly tail: number;
}

/** HCI_LE_Advertising_Report: Event_Type (1), Address_Type (1), Address (6), Data_Length (1), Data, RSSI (1). Vol 4 Part E 7.7.65.2. */
export const LEGACY_REPORT: ReportLayout = Object.freeze({ isExtended: false, addressAt: 1, dataAt: 9, tail: 1 });

/**
 * HCI_LE_Extended_Advertising_Report: Event_Type (2), Address_Type (1), Address (6), Primary_PHY (1), Secondary_PHY (1), Advertising_SID (1),
 * TX_Power (1), RSSI (1), Periodic_Advertising_Interval (2), Direct_Address_Type (1), Direct_Address (6), Data_Length (1), Data. Vol 4 Part E
 * 7.7.65.13.
 */
export const EXTENDED_REPORT: ReportLayout = Object.freeze({ isExtended: true, addressAt: 2, dataAt: 24, tail: 0 });

export const PRIMARY_PHY_AT = 9;
export const SECONDARY_PHY_AT = 10;
export const SID_AT = 11;
export const TX_POWER_AT = 12;
export const RSSI_AT = 13;
export const PERIODIC_INTERVAL_AT = 14;
export const DIRECT_ADDRESS_AT = 16;

// Bits of Event_Type of an extended report.
export const CONNECTABLE = 0x01;
export const SCANNABLE = 0x02;
export const DIRECTED = 0x04;
export const SCAN_RESPONSE = 0x08;
export const LEGACY_PDU = 0x10;

/** Whether the report at `offset` is a scan response. */
export function isScanResponse(packet: Uint8Array, offset: number, { isExtended }: ReportLayout): boolean {
  return isExtended ? (packet[offset]! & SCAN_RESPONSE) !== 0 : packet[offset] === AdvertisingEventType.ScanResponse;
}

/** Whether its advertiser answers scan requests: of legacy reports ADV_IND, ADV_SCAN_IND and SCAN_RSP. */
export function isScannable(packet: Uint8Array, offset: number, { isExtended }: ReportLayout): boolean {
  if (isExtended) return (packet[offset]! & SCANNABLE) !== 0;
  const type = packet[offset]!;
  return type <= AdvertisingEventType.ScanResponse && (type & 1) === 0;
}

/** Four octets as one number of 32 bits, signed. */
export function fourAt(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}

/** Data status, bits 5 and 6 of Event_Type. */
export const DATA_STATUS = 0x60;
export const DataStatus = Object.freeze({ Complete: 0, MoreToCome: 0x20, Truncated: 0x40 });
/** Address_Type of an advertisement without an address. */
export const ANONYMOUS = 0xff;
/** Direct_Address_Type of a resolvable private address that the controller could not resolve. */
export const UNRESOLVED_TARGET = 0xfe;

/** One report of HCI_LE_Directed_Advertising_Report, Vol 4 Part E 7.7.65.11. */
export interface DirectedReport {
  readonly addressType: number;
  readonly address: Uint8Array;
  readonly directAddress: Uint8Array;
  readonly rssi: number;
}

/** The same, ADV_DIRECT_IND to a target that the controller could not resolve, as the controller would say it by the extended event. */
export function asExtendedReport({ addressType, address, directAddress, rssi }: DirectedReport): Uint8Array {
  const octets = new Uint8Array(EXTENDED_REPORT.dataAt);
  octets[0] = CONNECTABLE | DIRECTED | LEGACY_PDU;
  octets[EXTENDED_REPORT.addressAt] = addressType;
  octets.set(address, EXTENDED_REPORT.addressAt + 1);
  octets[PRIMARY_PHY_AT] = 1;
  octets[SID_AT] = 0xff;
  octets[TX_POWER_AT] = 127;
  octets[RSSI_AT] = rssi;
  octets[DIRECT_ADDRESS_AT] = UNRESOLVED_TARGET;
  octets.set(directAddress, DIRECT_ADDRESS_AT + 1);
  return octets;
}
