import { fromHex } from "../../src/bytes/index.ts";
import { Address } from "../../src/core/index.ts";
import type { CommandDeclaration, EventDeclaration } from "../../src/hci/index.ts";
import * as hci from "../../src/hci/index.ts";

// Octets written by hand from the tables of Core 5.4, Vol 4 Part E 7.3, 7.7 and 7.8.

export const PEER = fromHex("665544332211");
const RANDOM = Address.from("D1:22:33:44:55:66/random");
const octets = (hex: string): Uint8Array => fromHex(hex);

const SET_PARAMETERS = {
  advertisingHandle: 0x01,
  advertisingEventProperties: 0x0013,
  primaryAdvertisingIntervalMin: 0x0000a0,
  primaryAdvertisingIntervalMax: 0x012345,
  primaryAdvertisingChannelMap: 7,
  ownAddressType: 1,
  peerAddressType: 0,
  peerAddress: PEER,
  advertisingFilterPolicy: 2,
  advertisingTxPower: -20,
  primaryAdvertisingPhy: 3,
  secondaryAdvertisingMaxSkip: 4,
  secondaryAdvertisingPhy: 2,
  advertisingSid: 0x0f,
  scanRequestNotificationEnable: true,
};
const SET_PARAMETERS_HEX = "01 1300 a00000 452301 07 01 00 665544332211 02 ec 03 04 02 0f 01";

export const PHY_1M = {
  scanInterval: 0x0060,
  scanWindow: 0x0030,
  connectionIntervalMin: 0x0006,
  connectionIntervalMax: 0x0c80,
  maxLatency: 0x01f3,
  supervisionTimeout: 0x0c80,
  minCeLength: 0,
  maxCeLength: 0xffff,
};
export const PHY_CODED = { ...PHY_1M, scanInterval: 0xffff, scanWindow: 0xfffe, maxCeLength: 1 };
const PHYS_HEX = "6000 3000 0600 800c f301 800c 0000 ffff  ffff feff 0600 800c f301 800c 0000 0100";

/** Declaration, parameters, whole packet. */
export const LE_COMMANDS: [CommandDeclaration, unknown, string][] = [
  [hci.LeSetAdvertisingSetRandomAddress, { advertisingHandle: 0xef, randomAddress: RANDOM }, "01 3520 07 ef 6655443322d1"],
  [hci.LeSetExtendedAdvertisingParameters, SET_PARAMETERS, `01 3620 19 ${SET_PARAMETERS_HEX}`],
  [
    hci.LeSetExtendedAdvertisingParametersV2,
    { ...SET_PARAMETERS, primaryAdvertisingPhyOptions: 3, secondaryAdvertisingPhyOptions: 4 },
    `01 7f20 1b ${SET_PARAMETERS_HEX} 03 04`,
  ],
  [
    hci.LeSetExtendedAdvertisingData,
    { advertisingHandle: 1, operation: 3, fragmentPreference: 1, advertisingData: octets("020106") },
    "01 3720 07 01 03 01 03 020106",
  ],
  [
    hci.LeSetExtendedScanResponseData,
    { advertisingHandle: 1, operation: 1, fragmentPreference: 0, scanResponseData: octets("0409616263") },
    "01 3820 09 01 01 00 05 0409616263",
  ],
  [
    hci.LeSetExtendedAdvertisingEnable,
    {
      enable: true,
      sets: [
        { advertisingHandle: 0, duration: 0x0102, maxExtendedAdvertisingEvents: 5 },
        { advertisingHandle: 7, duration: 0, maxExtendedAdvertisingEvents: 0xff },
      ],
    },
    "01 3920 0a 01 02 00 0201 05 07 0000 ff",
  ],
  [hci.LeSetExtendedAdvertisingEnable, { enable: false, sets: [] }, "01 3920 02 00 00"],
  [hci.LeReadMaximumAdvertisingDataLength, {}, "01 3a20 00"],
  [hci.LeReadNumberOfSupportedAdvertisingSets, {}, "01 3b20 00"],
  [hci.LeRemoveAdvertisingSet, { advertisingHandle: 3 }, "01 3c20 01 03"],
  [hci.LeClearAdvertisingSets, {}, "01 3d20 00"],
  [
    hci.LeSetPeriodicAdvertisingParameters,
    {
      advertisingHandle: 1,
      periodicAdvertisingIntervalMin: 0x0006,
      periodicAdvertisingIntervalMax: 0x1234,
      periodicAdvertisingProperties: 0x0040,
    },
    "01 3e20 07 01 0600 3412 4000",
  ],
  [
    hci.LeSetPeriodicAdvertisingParametersV2,
    {
      advertisingHandle: 1,
      periodicAdvertisingIntervalMin: 0x0006,
      periodicAdvertisingIntervalMax: 0x1234,
      periodicAdvertisingProperties: 0x0040,
      numSubevents: 0x80,
      subeventInterval: 6,
      responseSlotDelay: 0xfe,
      responseSlotSpacing: 2,
      numResponseSlots: 0xff,
    },
    "01 8620 0c 01 0600 3412 4000 80 06 fe 02 ff",
  ],
  [
    hci.LeSetPeriodicAdvertisingData,
    { advertisingHandle: 1, operation: 2, advertisingData: octets("03ffeeff") },
    "01 3f20 07 01 02 04 03ffeeff",
  ],
  [hci.LeSetPeriodicAdvertisingEnable, { enable: 3, advertisingHandle: 1 }, "01 4020 02 03 01"],
  [
    hci.LeSetExtendedScanParameters,
    { ownAddressType: 1, scanningFilterPolicy: 2, scanningPhys: 1, phys: [{ scanType: 1, scanInterval: 0x60, scanWindow: 0x30 }] },
    "01 4120 08 01 02 01 01 6000 3000",
  ],
  [
    hci.LeSetExtendedScanParameters,
    {
      ownAddressType: 0,
      scanningFilterPolicy: 0,
      scanningPhys: 5,
      phys: [
        { scanType: 1, scanInterval: 0x60, scanWindow: 0x30 },
        { scanType: 0, scanInterval: 0xffff, scanWindow: 4 },
      ],
    },
    "01 4120 0d 00 00 05 01 6000 3000 00 ffff 0400",
  ],
  [hci.LeSetExtendedScanEnable, { enable: true, filterDuplicates: 2, duration: 500, period: 8 }, "01 4220 06 01 02 f401 0800"],
  [
    hci.LeExtendedCreateConnection,
    {
      initiatorFilterPolicy: 0,
      ownAddressType: 1,
      peerAddressType: 1,
      peerAddress: PEER,
      initiatingPhys: 5,
      phys: [PHY_1M, PHY_CODED],
    },
    `01 4320 2a 00 01 01 665544332211 05 ${PHYS_HEX}`,
  ],
  [
    hci.LeExtendedCreateConnectionV2,
    {
      advertisingHandle: 2,
      subevent: 0x7f,
      initiatorFilterPolicy: 0,
      ownAddressType: 1,
      peerAddressType: 1,
      peerAddress: PEER,
      initiatingPhys: 5,
      phys: [PHY_1M, PHY_CODED],
    },
    `01 8520 2c 02 7f 00 01 01 665544332211 05 ${PHYS_HEX}`,
  ],
  [
    hci.LePeriodicAdvertisingCreateSync,
    {
      options: 6,
      advertisingSid: 0x0f,
      advertiserAddressType: 1,
      advertiserAddress: PEER,
      skip: 0x01f3,
      syncTimeout: 0x4000,
      syncCteType: 0x10,
    },
    "01 4420 0e 06 0f 01 665544332211 f301 0040 10",
  ],
  [hci.LePeriodicAdvertisingCreateSyncCancel, {}, "01 4520 00"],
  [hci.LePeriodicAdvertisingTerminateSync, { syncHandle: 0x0eff }, "01 4620 02 ff0e"],
  [
    hci.LeAddDeviceToPeriodicAdvertiserList,
    { advertiserAddressType: 1, advertiserAddress: PEER, advertisingSid: 2 },
    "01 4720 08 01 665544332211 02",
  ],
  [
    hci.LeRemoveDeviceFromPeriodicAdvertiserList,
    { advertiserAddressType: 0, advertiserAddress: PEER, advertisingSid: 3 },
    "01 4820 08 00 665544332211 03",
  ],
  [hci.LeClearPeriodicAdvertiserList, {}, "01 4920 00"],
  [hci.LeReadPeriodicAdvertiserListSize, {}, "01 4a20 00"],
  [hci.LeReadRfPathCompensation, {}, "01 4c20 00"],
  [hci.LeWriteRfPathCompensation, { rfTxPathCompensationValue: -1280, rfRxPathCompensationValue: 1280 }, "01 4d20 04 00fb 0005"],
  [
    hci.LeSetConnectionlessCteTransmitParameters,
    { advertisingHandle: 1, cteLength: 0x14, cteType: 2, cteCount: 0x10, antennaIds: [1, 2, 3] },
    "01 5120 08 01 14 02 10 03 010203",
  ],
  [hci.LeSetConnectionlessCteTransmitEnable, { advertisingHandle: 1, cteEnable: true }, "01 5220 02 01 01"],
  [
    hci.LeSetConnectionlessIqSamplingEnable,
    { syncHandle: 2, samplingEnable: true, slotDurations: 2, maxSampledCtes: 0, antennaIds: [0, 1] },
    "01 5320 08 0200 01 02 00 02 0001",
  ],
  [
    hci.LeSetConnectionCteReceiveParameters,
    { connectionHandle: 0x40, samplingEnable: true, slotDurations: 1, antennaIds: [0, 1] },
    "01 5420 07 4000 01 01 02 0001",
  ],
  [hci.LeSetConnectionCteTransmitParameters, { connectionHandle: 0x40, cteTypes: 7, antennaIds: [4, 5] }, "01 5520 06 4000 07 02 0405"],
  [
    hci.LeConnectionCteRequestEnable,
    { connectionHandle: 0x40, enable: true, cteRequestInterval: 0x0102, requestedCteLength: 2, requestedCteType: 1 },
    "01 5620 07 4000 01 0201 02 01",
  ],
  [hci.LeConnectionCteResponseEnable, { connectionHandle: 0x40, enable: false }, "01 5720 03 4000 00"],
  [hci.LeReadAntennaInformation, {}, "01 5820 00"],
  [hci.LeSetPeriodicAdvertisingReceiveEnable, { syncHandle: 2, enable: 3 }, "01 5920 03 0200 03"],
  [hci.LePeriodicAdvertisingSyncTransfer, { connectionHandle: 0x40, serviceData: 0x1234, syncHandle: 2 }, "01 5a20 06 4000 3412 0200"],
  [
    hci.LePeriodicAdvertisingSetInfoTransfer,
    { connectionHandle: 0x40, serviceData: 0x1234, advertisingHandle: 0xef },
    "01 5b20 05 4000 3412 ef",
  ],
  [
    hci.LeSetPeriodicAdvertisingSyncTransferParameters,
    { connectionHandle: 0x40, mode: 3, skip: 1, syncTimeout: 0x0a, cteType: 1 },
    "01 5c20 08 4000 03 0100 0a00 01",
  ],
  [
    hci.LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
    { mode: 2, skip: 0, syncTimeout: 0x4000, cteType: 0 },
    "01 5d20 06 02 0000 0040 00",
  ],
  [hci.LeModifySleepClockAccuracy, { action: 1 }, "01 5f20 01 01"],
  [hci.LeRequestPeerSca, { connectionHandle: 0x40 }, "01 6d20 02 4000"],
  [hci.LeSetHostFeature, { bitNumber: 38, bitValue: true }, "01 7420 02 26 01"],
  [hci.LeEnhancedReadTransmitPowerLevel, { connectionHandle: 0x40, phy: 4 }, "01 7620 03 4000 04"],
  [hci.LeReadRemoteTransmitPowerLevel, { connectionHandle: 0x40, phy: 1 }, "01 7720 03 4000 01"],
  [
    hci.LeSetPathLossReportingParameters,
    { connectionHandle: 0x40, highThreshold: 0xff, highHysteresis: 1, lowThreshold: 0x30, lowHysteresis: 2, minTimeSpent: 0x0102 },
    "01 7820 08 4000 ff 01 30 02 0201",
  ],
  [hci.LeSetPathLossReportingEnable, { connectionHandle: 0x40, enable: true }, "01 7920 03 4000 01"],
  [hci.LeSetTransmitPowerReportingEnable, { connectionHandle: 0x40, localEnable: false, remoteEnable: true }, "01 7a20 04 4000 00 01"],
  [hci.LeSetDataRelatedAddressChanges, { advertisingHandle: 1, changeReasons: 3 }, "01 7c20 02 01 03"],
  [
    hci.LeSetDefaultSubrate,
    { subrateMin: 1, subrateMax: 0x01f4, maxLatency: 2, continuationNumber: 3, supervisionTimeout: 0x0c80 },
    "01 7d20 0a 0100 f401 0200 0300 800c",
  ],
  [
    hci.LeSubrateRequest,
    { connectionHandle: 0x40, subrateMin: 1, subrateMax: 0x01f4, maxLatency: 2, continuationNumber: 3, supervisionTimeout: 0x0c80 },
    "01 7e20 0c 4000 0100 f401 0200 0300 800c",
  ],
  [
    hci.LeSetPeriodicAdvertisingSubeventData,
    {
      advertisingHandle: 1,
      subevents: [
        { subevent: 0, responseSlotStart: 1, responseSlotCount: 2, subeventData: octets("aabb") },
        { subevent: 0x7f, responseSlotStart: 0, responseSlotCount: 1, subeventData: octets("") },
      ],
    },
    "01 8220 0c 01 02 00 01 02 02 aabb 7f 00 01 00",
  ],
  [
    hci.LeSetPeriodicAdvertisingResponseData,
    {
      syncHandle: 2,
      requestEvent: 0x1234,
      requestSubevent: 3,
      responseSubevent: 4,
      responseSlot: 5,
      responseData: octets("ccdd"),
    },
    "01 8320 0a 0200 3412 03 04 05 02 ccdd",
  ],
  [
    hci.LeSetPeriodicSyncSubevent,
    { syncHandle: 2, periodicAdvertisingProperties: 0x0040, subevents: [1, 0x7f] },
    "01 8420 07 0200 4000 02 01 7f",
  ],
  [hci.LeReceiverTest, { rxChannel: 0x27 }, "01 1d20 01 27"],
  [hci.LeReceiverTestV2, { rxChannel: 1, phy: 3, modulationIndex: 1 }, "01 3320 03 01 03 01"],
  [
    hci.LeReceiverTestV3,
    { rxChannel: 1, phy: 2, modulationIndex: 0, expectedCteLength: 2, expectedCteType: 1, slotDurations: 2, antennaIds: [7, 8] },
    "01 4f20 09 01 02 00 02 01 02 02 0708",
  ],
  [hci.LeTransmitterTest, { txChannel: 2, testDataLength: 37, packetPayload: 7 }, "01 1e20 03 02 25 07"],
  [hci.LeTransmitterTestV2, { txChannel: 2, testDataLength: 255, packetPayload: 0, phy: 4 }, "01 3420 04 02 ff 00 04"],
  [
    hci.LeTransmitterTestV3,
    { txChannel: 2, testDataLength: 1, packetPayload: 2, phy: 1, cteLength: 2, cteType: 0, antennaIds: [1] },
    "01 5020 08 02 01 02 01 02 00 01 01",
  ],
  [
    hci.LeTransmitterTestV4,
    { txChannel: 2, testDataLength: 1, packetPayload: 2, phy: 1, cteLength: 0, cteType: 0, antennaIds: [], txPowerLevel: -127 },
    "01 7b20 08 02 01 02 01 00 00 00 81",
  ],
  [hci.LeTestEnd, {}, "01 1f20 00"],
  [hci.ReadEnhancedTransmitPowerLevel, { connectionHandle: 0x40, type: 1 }, "01 680c 03 4000 01"],
  [hci.ReadLeHostSupport, {}, "01 6c0c 00"],
  [hci.ReadAuthenticatedPayloadTimeout, { connectionHandle: 0x40 }, "01 7b0c 02 4000"],
  [hci.WriteAuthenticatedPayloadTimeout, { connectionHandle: 0x40, authenticatedPayloadTimeout: 3000 }, "01 7c0c 04 4000 b80b"],
];

const LINK = { status: 0, connectionHandle: 0x40 };
/** Declaration, return parameters, the octets of Command Complete from the opcode on. */
export const LE_RETURNS: [CommandDeclaration, unknown, string][] = [
  [hci.LeSetExtendedAdvertisingParameters, { status: 0, selectedTxPower: -7 }, "3620 00 f9"],
  [hci.LeSetExtendedAdvertisingParametersV2, { status: 0, selectedTxPower: 20 }, "7f20 00 14"],
  [hci.LeReadMaximumAdvertisingDataLength, { status: 0, maxAdvertisingDataLength: 0x0672 }, "3a20 00 7206"],
  [hci.LeReadNumberOfSupportedAdvertisingSets, { status: 0, numSupportedAdvertisingSets: 0xf0 }, "3b20 00 f0"],
  [hci.LeSetPeriodicAdvertisingParametersV2, { status: 0, advertisingHandle: 1 }, "8620 00 01"],
  [hci.LeSetPeriodicAdvertisingSubeventData, { status: 0, advertisingHandle: 1 }, "8220 00 01"],
  [hci.LeSetPeriodicAdvertisingResponseData, { status: 0, syncHandle: 2 }, "8320 00 0200"],
  [hci.LeSetPeriodicSyncSubevent, { status: 0, syncHandle: 2 }, "8420 00 0200"],
  [hci.LeReadPeriodicAdvertiserListSize, { status: 0, periodicAdvertiserListSize: 8 }, "4a20 00 08"],
  [hci.LeReadRfPathCompensation, { status: 0, rfTxPathCompensationValue: 1280, rfRxPathCompensationValue: -1 }, "4c20 00 0005 ffff"],
  [hci.LeSetConnectionlessIqSamplingEnable, { status: 0, syncHandle: 2 }, "5320 00 0200"],
  [hci.LeSetConnectionCteReceiveParameters, LINK, "5420 00 4000"],
  [hci.LeSetConnectionCteTransmitParameters, LINK, "5520 00 4000"],
  [hci.LeConnectionCteRequestEnable, LINK, "5620 00 4000"],
  [hci.LeConnectionCteResponseEnable, LINK, "5720 00 4000"],
  [
    hci.LeReadAntennaInformation,
    { status: 0, supportedSwitchingSamplingRates: 7, numAntennae: 0x4b, maxSwitchingPatternLength: 2, maxCteLength: 0x14 },
    "5820 00 07 4b 02 14",
  ],
  [hci.LePeriodicAdvertisingSyncTransfer, LINK, "5a20 00 4000"],
  [hci.LePeriodicAdvertisingSetInfoTransfer, LINK, "5b20 00 4000"],
  [hci.LeSetPeriodicAdvertisingSyncTransferParameters, LINK, "5c20 00 4000"],
  [
    hci.LeEnhancedReadTransmitPowerLevel,
    { ...LINK, phy: 3, currentTransmitPowerLevel: -4, maxTransmitPowerLevel: 20 },
    "7620 00 4000 03 fc 14",
  ],
  [hci.LeSetPathLossReportingParameters, LINK, "7820 00 4000"],
  [hci.LeSetPathLossReportingEnable, LINK, "7920 00 4000"],
  [hci.LeSetTransmitPowerReportingEnable, LINK, "7a20 00 4000"],
  [hci.LeTestEnd, { status: 0, numPackets: 0x1234 }, "1f20 00 3412"],
  [
    hci.ReadEnhancedTransmitPowerLevel,
    { ...LINK, transmitPowerLevelGfsk: 4, transmitPowerLevelDqpsk: -2, transmitPowerLevel8dpsk: -100 },
    "680c 00 4000 04 fe 9c",
  ],
  [hci.ReadLeHostSupport, { status: 0, leSupportedHost: true, unused: 0 }, "6c0c 00 01 00"],
  [hci.ReadAuthenticatedPayloadTimeout, { ...LINK, authenticatedPayloadTimeout: 3000 }, "7b0c 00 4000 b80b"],
  [hci.WriteAuthenticatedPayloadTimeout, LINK, "7c0c 00 4000"],
  ...[
    [hci.LeSetAdvertisingSetRandomAddress, "3520"],
    [hci.LeSetExtendedAdvertisingData, "3720"],
    [hci.LeSetExtendedScanResponseData, "3820"],
    [hci.LeSetExtendedAdvertisingEnable, "3920"],
    [hci.LeRemoveAdvertisingSet, "3c20"],
    [hci.LeClearAdvertisingSets, "3d20"],
    [hci.LeSetPeriodicAdvertisingParameters, "3e20"],
    [hci.LeSetPeriodicAdvertisingData, "3f20"],
    [hci.LeSetPeriodicAdvertisingEnable, "4020"],
    [hci.LeSetExtendedScanParameters, "4120"],
    [hci.LeSetExtendedScanEnable, "4220"],
    [hci.LePeriodicAdvertisingCreateSyncCancel, "4520"],
    [hci.LePeriodicAdvertisingTerminateSync, "4620"],
    [hci.LeAddDeviceToPeriodicAdvertiserList, "4720"],
    [hci.LeRemoveDeviceFromPeriodicAdvertiserList, "4820"],
    [hci.LeClearPeriodicAdvertiserList, "4920"],
    [hci.LeWriteRfPathCompensation, "4d20"],
    [hci.LeSetConnectionlessCteTransmitParameters, "5120"],
    [hci.LeSetConnectionlessCteTransmitEnable, "5220"],
    [hci.LeSetPeriodicAdvertisingReceiveEnable, "5920"],
    [hci.LeSetDefaultPeriodicAdvertisingSyncTransferParameters, "5d20"],
    [hci.LeModifySleepClockAccuracy, "5f20"],
    [hci.LeSetHostFeature, "7420"],
    [hci.LeSetDataRelatedAddressChanges, "7c20"],
    [hci.LeSetDefaultSubrate, "7d20"],
    [hci.LeReceiverTest, "1d20"],
    [hci.LeReceiverTestV2, "3320"],
    [hci.LeReceiverTestV3, "4f20"],
    [hci.LeTransmitterTest, "1e20"],
    [hci.LeTransmitterTestV2, "3420"],
    [hci.LeTransmitterTestV3, "5020"],
    [hci.LeTransmitterTestV4, "7b20"],
  ].map(([declaration, opcode]) => [declaration, { status: 0 }, `${opcode as string} 00`]),
] as [CommandDeclaration, unknown, string][];

/** Those that Command Status answers, since an event of their own ends them. */
export const STATUS_ONLY: CommandDeclaration[] = [
  hci.LeExtendedCreateConnection,
  hci.LeExtendedCreateConnectionV2,
  hci.LePeriodicAdvertisingCreateSync,
  hci.LeReadRemoteTransmitPowerLevel,
  hci.LeRequestPeerSca,
  hci.LeSubrateRequest,
];

const TRAIN = {
  advertisingSid: 0x0f,
  advertiserAddressType: 3,
  advertiserAddress: PEER,
  advertiserPhy: 2,
  periodicAdvertisingInterval: 0x1234,
  advertiserClockAccuracy: 7,
};
const TRAIN_HEX = "0f 03 665544332211 02 3412 07";
const SUBEVENTS = { numSubevents: 0x80, subeventInterval: 6, responseSlotDelay: 0xfe, responseSlotSpacing: 2 };
const RECEPTION = { txPower: 127, rssi: -60, cteType: 0xff };
const TONE = { rssi: -601, rssiAntennaId: 1, cteType: 2, slotDurations: 1, packetStatus: 0 };
const SAMPLES = [
  { iSample: 1, qSample: -2 },
  { iSample: -3, qSample: 4 },
];
const CONNECTION = {
  status: 0,
  connectionHandle: 0x40,
  role: 1,
  peerAddressType: 3,
  peerAddress: PEER,
  localResolvablePrivateAddress: Address.from("41:00:00:00:00:01/random"),
  peerResolvablePrivateAddress: Address.from("42:00:00:00:00:02/random"),
  connectionInterval: 24,
  peripheralLatency: 1,
  supervisionTimeout: 200,
  centralClockAccuracy: 5,
};
const REPORT = {
  eventType: 0x0025,
  addressType: 0xff,
  address: PEER,
  primaryPhy: 3,
  secondaryPhy: 2,
  advertisingSid: 0x0f,
  txPower: -12,
  rssi: -60,
  periodicAdvertisingInterval: 0x1234,
  directAddressType: 0xfe,
  directAddress: octets("010203040541"),
  data: octets("020106"),
};
export const REPORT_HEX = "2500 ff 665544332211 03 02 0f f4 c4 3412 fe 010203040541 03 020106";

/** Declaration, parameters, whole packet. */
export const LE_EVENTS: [EventDeclaration, unknown, string][] = [
  [hci.LeExtendedAdvertisingReport, { reports: [REPORT] }, `04 3e 1d 0d 01 ${REPORT_HEX}`],
  [
    hci.LeExtendedAdvertisingReport,
    { reports: [REPORT, { ...REPORT, eventType: 0x0013, txPower: 127, data: octets("") }] },
    `04 3e 35 0d 02 ${REPORT_HEX} 1300 ff 665544332211 03 02 0f 7f c4 3412 fe 010203040541 00`,
  ],
  [hci.LePeriodicAdvertisingSyncEstablished, { status: 0, syncHandle: 2, ...TRAIN }, `04 3e 10 0e 00 0200 ${TRAIN_HEX}`],
  [
    hci.LePeriodicAdvertisingSyncEstablishedV2,
    { status: 0, syncHandle: 2, ...TRAIN, ...SUBEVENTS },
    `04 3e 14 24 00 0200 ${TRAIN_HEX} 80 06 fe 02`,
  ],
  [
    hci.LePeriodicAdvertisingReport,
    { syncHandle: 2, ...RECEPTION, dataStatus: 1, data: octets("aabbcc") },
    "04 3e 0b 0f 0200 7f c4 ff 01 03 aabbcc",
  ],
  [
    hci.LePeriodicAdvertisingReportV2,
    { syncHandle: 2, ...RECEPTION, periodicEventCounter: 0x1234, subevent: 0x7f, dataStatus: 0, data: octets("aabbcc") },
    "04 3e 0e 25 0200 7f c4 ff 3412 7f 00 03 aabbcc",
  ],
  [hci.LePeriodicAdvertisingSyncLost, { syncHandle: 2 }, "04 3e 03 10 0200"],
  [hci.LeScanTimeout, {}, "04 3e 01 11"],
  [
    hci.LeAdvertisingSetTerminated,
    { status: 0x3c, advertisingHandle: 1, connectionHandle: 0x40, numCompletedExtendedAdvertisingEvents: 5 },
    "04 3e 06 12 3c 01 4000 05",
  ],
  [hci.LeScanRequestReceived, { advertisingHandle: 1, scannerAddressType: 2, scannerAddress: PEER }, "04 3e 09 13 01 02 665544332211"],
  [
    hci.LeConnectionlessIqReport,
    { syncHandle: 2, channelIndex: 0x27, ...TONE, periodicEventCounter: 0x1234, samples: SAMPLES },
    "04 3e 11 15 0200 27 a7fd 01 02 01 00 3412 02 01fe fd04",
  ],
  [
    hci.LeConnectionIqReport,
    { connectionHandle: 0x40, rxPhy: 2, dataChannelIndex: 0x24, ...TONE, connectionEventCounter: 0x1234, samples: SAMPLES },
    "04 3e 12 16 4000 02 24 a7fd 01 02 01 00 3412 02 01fe fd04",
  ],
  [hci.LeCteRequestFailed, { status: 0x1a, connectionHandle: 0x40 }, "04 3e 04 17 1a 4000"],
  [
    hci.LePeriodicAdvertisingSyncTransferReceived,
    { status: 0, connectionHandle: 0x40, serviceData: 0x5678, syncHandle: 2, ...TRAIN },
    `04 3e 14 18 00 4000 7856 0200 ${TRAIN_HEX}`,
  ],
  [
    hci.LePeriodicAdvertisingSyncTransferReceivedV2,
    { status: 0, connectionHandle: 0x40, serviceData: 0x5678, syncHandle: 2, ...TRAIN, ...SUBEVENTS },
    `04 3e 18 26 00 4000 7856 0200 ${TRAIN_HEX} 80 06 fe 02`,
  ],
  [hci.LeRequestPeerScaComplete, { status: 0, connectionHandle: 0x40, peerClockAccuracy: 7 }, "04 3e 05 1f 00 4000 07"],
  [hci.LePathLossThreshold, { connectionHandle: 0x40, currentPathLoss: 0xff, zoneEntered: 2 }, "04 3e 05 20 4000 ff 02"],
  [
    hci.LeTransmitPowerReporting,
    { status: 0, connectionHandle: 0x40, reason: 2, phy: 4, txPowerLevel: -127, txPowerLevelFlag: 1, delta: -3 },
    "04 3e 09 21 00 4000 02 04 81 01 fd",
  ],
  [
    hci.LeSubrateChange,
    { status: 0, connectionHandle: 0x40, subrateFactor: 0x01f4, peripheralLatency: 1, continuationNumber: 2, supervisionTimeout: 0x0c80 },
    "04 3e 0c 23 00 4000 f401 0100 0200 800c",
  ],
  [
    hci.LePeriodicAdvertisingSubeventDataRequest,
    { advertisingHandle: 1, subeventStart: 0x7f, subeventDataCount: 0x80 },
    "04 3e 04 27 01 7f 80",
  ],
  [
    hci.LePeriodicAdvertisingResponseReport,
    {
      advertisingHandle: 1,
      subevent: 2,
      txStatus: 0,
      responses: [
        { ...RECEPTION, responseSlot: 3, dataStatus: 0, data: octets("aabb") },
        { ...RECEPTION, responseSlot: 4, dataStatus: 0xff, data: octets("") },
      ],
    },
    "04 3e 13 28 01 02 00 02 7f c4 ff 03 00 02 aabb 7f c4 ff 04 ff 00",
  ],
  [
    hci.LeEnhancedConnectionCompleteV2,
    { ...CONNECTION, advertisingHandle: 0xff, syncHandle: 0xffff },
    "04 3e 22 29 00 4000 01 03 665544332211 010000000041 020000000042 1800 0100 c800 05 ff ffff",
  ],
  [hci.AuthenticatedPayloadTimeoutExpired, { connectionHandle: 0x40 }, "04 57 02 4000"],
];

/** The hexadecimal packet of a Command Complete event. */
export function completeHex(hex: string): string {
  const length = fromHex(hex).length + 1;
  return `04 0e ${length.toString(16).padStart(2, "0")} 01 ${hex}`;
}
