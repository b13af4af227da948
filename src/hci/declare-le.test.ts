import { expect, test } from "vitest";
import {
  completeHex,
  LE_COMMANDS,
  LE_EVENTS,
  LE_RETURNS,
  PEER,
  PHY_1M,
  PHY_CODED,
  REPORT_HEX,
  STATUS_ONLY,
} from "../../test/support/hci-octets.ts";
import { DecodeError, fromHex, toHex } from "../bytes/index.ts";
import * as hci from "./index.ts";
import { decodeCommand, decodeEvent, encodeCommand, encodeCommandComplete, encodeEvent } from "./index.ts";

const compact = (hex: string): string => hex.replaceAll(" ", "");

test.each(LE_COMMANDS.map((row) => [row[0].name, ...row] as const))("command %s, both ways", (_name, declaration, parameters, hex) => {
  expect(toHex(encodeCommand(declaration, parameters))).toBe(compact(hex));
  expect(decodeCommand(fromHex(hex))).toEqual({ declaration, name: declaration.name, opcode: declaration.opcode, parameters });
});

test.each(LE_RETURNS.map((row) => [row[0].name, ...row] as const))(
  "return parameters of %s, both ways",
  (_name, declaration, returns, hex) => {
    expect(toHex(encodeCommandComplete(declaration, returns))).toBe(compact(completeHex(hex)));
    expect(decodeEvent(fromHex(completeHex(hex))).answers).toEqual({ declaration, name: declaration.name, returns });
  },
);

test.each(LE_EVENTS.map((row) => [row[0].name, ...row] as const))("event %s, both ways", (_name, declaration, parameters, hex) => {
  expect(toHex(encodeEvent(declaration, parameters))).toBe(compact(hex));
  expect(decodeEvent(fromHex(hex))).toMatchObject({ declaration, name: declaration.name, parameters });
});

test("commands stand at their bits of Supported_Commands (6.27)", () => {
  const names = new Map([...hci.commands.values()].map(({ name, supported }) => [supported?.join("."), name]));
  const shown: string[] = [];
  for (const octet of [24, 28, 32, 35, 36, 37, 38, 39, 40, 41, 43, 44, 45, 46, 47])
    for (let bit = 0; bit < 8; bit++) shown.push(`${octet}.${bit} ${names.get(`${octet}.${bit}`) ?? "-"}`);
  expect(shown).toEqual([
    "24.0 ReadEnhancedTransmitPowerLevel",
    "24.1 -",
    "24.2 -",
    "24.3 -",
    "24.4 -",
    "24.5 ReadLeHostSupport",
    "24.6 WriteLeHostSupport",
    "24.7 -",
    "28.0 LeEnableEncryption",
    "28.1 LeLongTermKeyRequestReply",
    "28.2 LeLongTermKeyRequestNegativeReply",
    "28.3 LeReadSupportedStates",
    "28.4 LeReceiverTest",
    "28.5 LeTransmitterTest",
    "28.6 LeTestEnd",
    "28.7 -",
    "32.0 -",
    "32.1 -",
    "32.2 -",
    "32.3 -",
    "32.4 ReadAuthenticatedPayloadTimeout",
    "32.5 WriteAuthenticatedPayloadTimeout",
    "32.6 -",
    "32.7 -",
    "35.0 LeReadLocalResolvableAddress",
    "35.1 LeSetAddressResolutionEnable",
    "35.2 LeSetResolvablePrivateAddressTimeout",
    "35.3 LeReadMaximumDataLength",
    "35.4 LeReadPhy",
    "35.5 LeSetDefaultPhy",
    "35.6 LeSetPhy",
    "35.7 LeReceiverTestV2",
    "36.0 LeTransmitterTestV2",
    "36.1 LeSetAdvertisingSetRandomAddress",
    "36.2 LeSetExtendedAdvertisingParameters",
    "36.3 LeSetExtendedAdvertisingData",
    "36.4 LeSetExtendedScanResponseData",
    "36.5 LeSetExtendedAdvertisingEnable",
    "36.6 LeReadMaximumAdvertisingDataLength",
    "36.7 LeReadNumberOfSupportedAdvertisingSets",
    "37.0 LeRemoveAdvertisingSet",
    "37.1 LeClearAdvertisingSets",
    "37.2 LeSetPeriodicAdvertisingParameters",
    "37.3 LeSetPeriodicAdvertisingData",
    "37.4 LeSetPeriodicAdvertisingEnable",
    "37.5 LeSetExtendedScanParameters",
    "37.6 LeSetExtendedScanEnable",
    "37.7 LeExtendedCreateConnection",
    "38.0 LePeriodicAdvertisingCreateSync",
    "38.1 LePeriodicAdvertisingCreateSyncCancel",
    "38.2 LePeriodicAdvertisingTerminateSync",
    "38.3 LeAddDeviceToPeriodicAdvertiserList",
    "38.4 LeRemoveDeviceFromPeriodicAdvertiserList",
    "38.5 LeClearPeriodicAdvertiserList",
    "38.6 LeReadPeriodicAdvertiserListSize",
    "38.7 LeReadTransmitPower",
    "39.0 LeReadRfPathCompensation",
    "39.1 LeWriteRfPathCompensation",
    "39.2 LeSetPrivacyMode",
    "39.3 LeReceiverTestV3",
    "39.4 LeTransmitterTestV3",
    "39.5 LeSetConnectionlessCteTransmitParameters",
    "39.6 LeSetConnectionlessCteTransmitEnable",
    "39.7 LeSetConnectionlessIqSamplingEnable",
    "40.0 LeSetConnectionCteReceiveParameters",
    "40.1 LeSetConnectionCteTransmitParameters",
    "40.2 LeConnectionCteRequestEnable",
    "40.3 LeConnectionCteResponseEnable",
    "40.4 LeReadAntennaInformation",
    "40.5 LeSetPeriodicAdvertisingReceiveEnable",
    "40.6 LePeriodicAdvertisingSyncTransfer",
    "40.7 LePeriodicAdvertisingSetInfoTransfer",
    "41.0 LeSetPeriodicAdvertisingSyncTransferParameters",
    "41.1 LeSetDefaultPeriodicAdvertisingSyncTransferParameters",
    "41.2 LeGenerateDhKeyV2",
    "41.3 -",
    "41.4 LeModifySleepClockAccuracy",
    "41.5 LeReadBufferSizeV2",
    "41.6 -",
    "41.7 -",
    "43.0 -",
    "43.1 -",
    "43.2 LeRequestPeerSca",
    "43.3 -",
    "43.4 -",
    "43.5 -",
    "43.6 -",
    "43.7 -",
    "44.0 -",
    "44.1 LeSetHostFeature",
    "44.2 -",
    "44.3 LeEnhancedReadTransmitPowerLevel",
    "44.4 LeReadRemoteTransmitPowerLevel",
    "44.5 LeSetPathLossReportingParameters",
    "44.6 LeSetPathLossReportingEnable",
    "44.7 LeSetTransmitPowerReportingEnable",
    "45.0 LeTransmitterTestV4",
    "45.1 -",
    "45.2 -",
    "45.3 -",
    "45.4 -",
    "45.5 -",
    "45.6 LeSetDataRelatedAddressChanges",
    "45.7 -",
    "46.0 LeSetDefaultSubrate",
    "46.1 LeSubrateRequest",
    "46.2 LeSetExtendedAdvertisingParametersV2",
    "46.3 -",
    "46.4 -",
    "46.5 LeSetPeriodicAdvertisingSubeventData",
    "46.6 LeSetPeriodicAdvertisingResponseData",
    "46.7 LeSetPeriodicSyncSubevent",
    "47.0 LeExtendedCreateConnectionV2",
    "47.1 LeSetPeriodicAdvertisingParametersV2",
    "47.2 -",
    "47.3 -",
    "47.4 -",
    "47.5 -",
    "47.6 -",
    "47.7 -",
  ]);
});

test("every command of the table has its answer in one of the tables", () => {
  const answered = new Set([...LE_RETURNS.map(([{ name }]) => name), ...STATUS_ONLY.map(({ name }) => name)]);
  expect([...new Set(LE_COMMANDS.map(([{ name }]) => name))].filter((name) => !answered.has(name))).toEqual([]);
  for (const { returns, name } of STATUS_ONLY) expect([name, returns]).toEqual([name, undefined]);
});

function withLength(packet: Uint8Array, lengthAt: number): Uint8Array {
  packet[lengthAt] = packet.length - lengthAt - 1;
  return packet;
}

test("a packet cut short anywhere, or with an octet too many, is a DecodeError", () => {
  const check = (decode: (packet: Uint8Array) => unknown, packet: Uint8Array, lengthAt: number): void => {
    for (let length = 0; length < packet.length; length++) {
      const cut = packet.slice(0, length);
      expect(() => decode(cut), `${toHex(packet)} to ${length}`).toThrow(DecodeError);
      if (length > lengthAt) expect(() => decode(withLength(cut, lengthAt)), `${toHex(packet)} to ${length}`).toThrow(DecodeError);
    }
    expect(() => decode(withLength(Uint8Array.of(...packet, 0), lengthAt)), toHex(packet)).toThrow(DecodeError);
  };
  for (const [, , hex] of LE_COMMANDS) check(decodeCommand, fromHex(hex), 3);
  for (const [, , hex] of LE_EVENTS) check(decodeEvent, fromHex(hex), 2);
  for (const [, , hex] of LE_RETURNS) {
    const packet = fromHex(completeHex(hex));
    for (let length = 7; length < packet.length; length++)
      expect(() => decodeEvent(withLength(packet.slice(0, length), 2)), `${hex} to ${length}`).toThrow(DecodeError);
    expect(() => decodeEvent(withLength(Uint8Array.of(...packet, 0), 2)), hex).toThrow(DecodeError);
  }
});

test.each([
  [
    "sets, one more than there are",
    "01 3920 06 01 02 00 0201 05",
    "LeSetExtendedAdvertisingEnable.sets[1].advertisingHandle: needs 1 byte",
  ],
  ["sets, one fewer", "01 3920 0a 01 01 00 0201 05 07 0000 ff", "4 unread bytes"],
  ["advertising data longer than it is", "01 3720 07 01 03 01 04 020106", "advertisingData: needs 4 bytes, has 3"],
  ["advertising data shorter", "01 3720 07 01 03 01 02 020106", "1 unread byte"],
  ["parameters of two PHYs for one", "01 4120 0d 00 00 01 01 6000 3000 00 ffff 0400", "5 unread bytes"],
  [
    "parameters of one PHY for two",
    "01 4120 08 01 02 05 01 6000 3000",
    "LeSetExtendedScanParameters.phys[1].scanType: needs 1 byte, has 0",
  ],
  ["of three PHYs", "01 4120 0d 00 00 07 01 6000 3000 00 ffff 0400", "LeSetExtendedScanParameters.phys[2].scanType"],
  ["of none", "01 4120 08 01 02 00 01 6000 3000", "5 unread bytes"],
  ["subevents", "01 8420 07 0200 4000 03 01 7f", "LeSetPeriodicSyncSubevent.subevents[2]: needs 1 byte"],
  ["a subevent's data", "01 8220 08 01 01 00 01 02 03 aabb", "subevents[0].subeventData: needs 3 bytes, has 2"],
  ["antennas", "01 5520 06 4000 07 03 0405", "LeSetConnectionCteTransmitParameters.antennaIds[2]"],
])("a command with a wrong count: %s", (_name, hex, problem) => {
  expect(() => decodeCommand(fromHex(hex))).toThrow(problem);
});

test.each([
  [
    "reports, one more than there are",
    `04 3e 1d 0d 02 ${REPORT_HEX}`,
    "LeExtendedAdvertisingReport.reports[1].eventType: needs 2 bytes, has 0",
  ],
  ["no reports and one there", `04 3e 1d 0d 00 ${REPORT_HEX}`, "27 unread bytes"],
  ["a report's data", `04 3e 1d 0d 01 ${REPORT_HEX.replace("03 020106", "04 020106")}`, "reports[0].data: needs 4 bytes, has 3"],
  ["samples", "04 3e 11 15 0200 27 a7fd 01 02 01 00 3412 03 01fe fd04", "LeConnectionlessIqReport.samples[2].iSample"],
  ["responses", "04 3e 0d 28 01 02 00 02 7f c4 ff 03 00 02 aabb", "LePeriodicAdvertisingResponseReport.responses[1].txPower"],
])("an event with a wrong count: %s", (_name, hex, problem) => {
  expect(() => decodeEvent(fromHex(hex))).toThrow(problem);
});

test("what the caller's counts contradict is refused before it leaves", () => {
  const phys = [PHY_1M, PHY_CODED];
  const parameters = { initiatorFilterPolicy: 0, ownAddressType: 0, peerAddressType: 0, peerAddress: PEER };
  expect(() => encodeCommand(hci.LeExtendedCreateConnection, { ...parameters, initiatingPhys: 1, phys })).toThrow(
    "phys: 2 items: expected 1",
  );
  expect(() => encodeCommand(hci.LeExtendedCreateConnection, { ...parameters, initiatingPhys: 7, phys })).toThrow(
    "phys: 2 items: expected 3",
  );
  expect(encodeCommand(hci.LeExtendedCreateConnection, { ...parameters, initiatingPhys: 6, phys })).toHaveLength(4 + 10 + 32);
  const data = { advertisingHandle: 0, operation: 3, fragmentPreference: 0 };
  expect(encodeCommand(hci.LeSetExtendedAdvertisingData, { ...data, advertisingData: new Uint8Array(251) })).toHaveLength(4 + 255);
  expect(() => encodeCommand(hci.LeSetExtendedAdvertisingData, { ...data, advertisingData: new Uint8Array(252) })).toThrow(
    "256 octets of parameters, a packet holds 255",
  );
  const periodic = { advertisingHandle: 0, operation: 3 };
  expect(encodeCommand(hci.LeSetPeriodicAdvertisingData, { ...periodic, advertisingData: new Uint8Array(252) })).toHaveLength(4 + 255);
  expect(() => encodeCommand(hci.LeSetPeriodicAdvertisingData, { ...periodic, advertisingData: new Uint8Array(253) })).toThrow(
    "256 octets of parameters, a packet holds 255",
  );
});

test("a refusal is padded to the table's length, whatever the command", () => {
  expect(toHex(encodeCommandComplete(hci.LeEnhancedReadTransmitPowerLevel, { status: 0x02 }))).toBe("040e09017620020000000000");
  expect(toHex(encodeCommandComplete(hci.LeSetExtendedAdvertisingParameters, { status: 0x12 }))).toBe("040e050136201200");
});

test("the reserved bits of a Sync_Handle are ignored", () => {
  expect(decodeEvent(fromHex("04 3e 03 10 02f0")).parameters).toEqual({ syncHandle: 2 });
});
