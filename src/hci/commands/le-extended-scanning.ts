import { bool8, bytes, struct, u8, u16 } from "../../bytes/index.ts";
import { bitCount, dependent, items } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

const scanParametersOfPhy = struct({
  scanType: u8, // 0 passive, 1 active
  scanInterval: u16, // units of 0.625 ms, 0x0004 to 0xFFFF
  scanWindow: u16, // units of 0.625 ms, at most the interval
});

/** HCI_LE_Set_Extended_Scan_Parameters, Vol 4 Part E 7.8.64. `phys` has one element for each bit of `scanningPhys`, lowest bit first. */
export const LeSetExtendedScanParameters = command("LeSetExtendedScanParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0041,
  supported: [37, 5],
  parameters: dependent(
    struct({
      ownAddressType: u8, // 0 public, 1 random, 2 resolvable or public, 3 resolvable or random
      scanningFilterPolicy: u8, // bit 0: Filter Accept List only, bit 1: directed advertising with unresolved target too
      scanningPhys: u8, // bit 0 LE 1M, bit 2 LE Coded
    }),
    ({ scanningPhys }) => struct({ phys: items(bitCount(scanningPhys), scanParametersOfPhy) }),
  ),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Extended_Scan_Enable, Vol 4 Part E 7.8.65. With a duration and no period, LeScanTimeout tells the end. */
export const LeSetExtendedScanEnable = command("LeSetExtendedScanEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0042,
  supported: [37, 6],
  parameters: struct({
    enable: bool8,
    filterDuplicates: u8, // 0 off, 1 on, 2 on and reset for each scan period
    duration: u16, // units of 10 ms; 0 scans until disabled
    period: u16, // units of 1.28 s; 0 scans continuously
  }),
  returns: struct({ status: u8 }),
});

const initiatingParametersOfPhy = struct({
  scanInterval: u16, // units of 0.625 ms, 0x0004 to 0xFFFF
  scanWindow: u16, // units of 0.625 ms, at most the interval
  connectionIntervalMin: u16, // units of 1.25 ms, 0x0006 to 0x0C80
  connectionIntervalMax: u16, // units of 1.25 ms, 0x0006 to 0x0C80
  maxLatency: u16, // connection events, at most 0x01F3
  supervisionTimeout: u16, // units of 10 ms, 0x000A to 0x0C80
  minCeLength: u16, // units of 0.625 ms
  maxCeLength: u16, // units of 0.625 ms
});

const initiatingParameters = {
  initiatorFilterPolicy: u8, // 0: the peer address below, 1: the Filter Accept List
  ownAddressType: u8, // 0 public, 1 random, 2 resolvable or public, 3 resolvable or random
  peerAddressType: u8, // 0 public or public identity, 1 random or random identity
  peerAddress: bytes(6),
  initiatingPhys: u8, // bit 0 LE 1M, bit 1 LE 2M (no scanning: connection parameters alone), bit 2 LE Coded
};

/**
 * HCI_LE_Extended_Create_Connection [v1], Vol 4 Part E 7.8.66. `phys` has one element for each bit of `initiatingPhys`, lowest bit first.
 * Ends with LeEnhancedConnectionComplete or its second version.
 */
export const LeExtendedCreateConnection = command("LeExtendedCreateConnection", {
  ogf: Ogf.LeController,
  ocf: 0x0043,
  supported: [37, 7],
  parameters: dependent(struct(initiatingParameters), ({ initiatingPhys }) =>
    struct({ phys: items(bitCount(initiatingPhys), initiatingParametersOfPhy) }),
  ),
});

/** HCI_LE_Extended_Create_Connection [v2], Vol 4 Part E 7.8.66. As the first version, and to devices that hear a periodic advertiser. */
export const LeExtendedCreateConnectionV2 = command("LeExtendedCreateConnectionV2", {
  ogf: Ogf.LeController,
  ocf: 0x0085,
  supported: [47, 0],
  parameters: dependent(
    struct({
      advertisingHandle: u8, // 0x00 to 0xEF the periodic advertising with responses to connect from, 0xFF none
      subevent: u8, // 0x00 to 0x7F where the connection request is sent, 0xFF none
      ...initiatingParameters,
    }),
    ({ initiatingPhys }) => struct({ phys: items(bitCount(initiatingPhys), initiatingParametersOfPhy) }),
  ),
});
