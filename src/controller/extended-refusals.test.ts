import { expect, test } from "vitest";
import { EXTENDED, enableSets, extendedPair, octets, setData, setParameters } from "../../test/support/raw-extended.ts";
import { advertise, createConnection, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { Address } from "../core/index.ts";
import {
  HciErrorCode,
  LeClearAdvertisingSets,
  LeCreateConnection,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeSetAdvertisingEnable,
  LeSetAdvertisingSetRandomAddress,
  LeSetDataRelatedAddressChanges,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
  LeSetScanEnable,
  Reset,
} from "../hci/index.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownAdvertisingIdentifier;
const UNSUPPORTED = HciErrorCode.UnsupportedFeatureOrParameterValue;

test("parameters of a set: what is refused, and how (Vol 4 Part E 7.8.53)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { features: { extendedAdvertising: true }, maxAdvertisingSets: 2 });
  const check = async (more: object): Promise<number> =>
    (await host.command(LeSetExtendedAdvertisingParametersV2, setParameters(more))).status;
  for (const [more, status] of [
    [{}, OK],
    [{ advertisingHandle: 0xf0 }, INVALID],
    [{ advertisingEventProperties: 3 }, INVALID],
    [{ advertisingEventProperties: 0x08 }, INVALID],
    [{ advertisingEventProperties: 0x0d }, INVALID],
    [{ advertisingEventProperties: 0x21 }, INVALID],
    [{ advertisingEventProperties: 0x22 }, INVALID],
    [{ advertisingEventProperties: 0x11 }, INVALID],
    [{ advertisingEventProperties: 0x14 }, INVALID],
    [{ advertisingEventProperties: 0x30 }, INVALID],
    [{ advertisingEventProperties: 0x53 }, INVALID],
    [{ advertisingEventProperties: 0x80 }, INVALID],
    [{ advertisingEventProperties: 0x13 }, OK],
    [{ advertisingEventProperties: 0x13, primaryAdvertisingPhy: 3 }, INVALID],
    [{ advertisingEventProperties: 0x13, secondaryAdvertisingPhy: 0 }, OK],
    [{ advertisingEventProperties: 0x1d, primaryAdvertisingIntervalMin: 0 }, OK],
    [{ primaryAdvertisingIntervalMin: 0x1f }, INVALID],
    [{ primaryAdvertisingIntervalMin: 161 }, INVALID],
    [{ primaryAdvertisingIntervalMax: 0xffffff }, OK],
    [{ primaryAdvertisingChannelMap: 0 }, INVALID],
    [{ primaryAdvertisingChannelMap: 8 }, INVALID],
    [{ ownAddressType: 2 }, UNSUPPORTED],
    [{ ownAddressType: 4 }, INVALID],
    [{ advertisingEventProperties: 4, peerAddressType: 2 }, INVALID],
    [{ advertisingFilterPolicy: 4 }, INVALID],
    [{ advertisingTxPower: 21 }, INVALID],
    [{ advertisingTxPower: -128 }, INVALID],
    [{ advertisingTxPower: 20 }, OK],
    [{ primaryAdvertisingPhy: 2 }, UNSUPPORTED],
    [{ primaryAdvertisingPhy: 4 }, UNSUPPORTED],
    [{ secondaryAdvertisingPhy: 0 }, UNSUPPORTED],
    [{ secondaryAdvertisingPhy: 4 }, UNSUPPORTED],
    [{ advertisingSid: 16 }, INVALID],
    [{ primaryAdvertisingPhyOptions: 5 }, INVALID],
    [{ advertisingHandle: 7 }, OK],
    [{ advertisingHandle: 8 }, HciErrorCode.MemoryCapacityExceeded],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  const packet = { ...setParameters() };
  expect(await host.command(LeSetExtendedAdvertisingParameters, packet)).toEqual({ status: OK, selectedTxPower: 0 });
  await enableSets(host, {});
  expect(await check({})).toBe(DISALLOWED);
  air[Symbol.dispose]();
});

test("data that does not suit the kind of a set is refused, before and after the kind is chosen", async () => {
  const { air, advertiser: host } = await extendedPair();
  const set = async (advertisingEventProperties: number): Promise<number> =>
    (await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties }))).status;
  const data = async (length: number, operation = 3, isScanResponse = false): Promise<number> => {
    const common = { advertisingHandle: 0, operation, fragmentPreference: 0 };
    return isScanResponse
      ? (await host.command(LeSetExtendedScanResponseData, { ...common, scanResponseData: octets(length) })).status
      : (await host.command(LeSetExtendedAdvertisingData, { ...common, advertisingData: octets(length) })).status;
  };
  expect(await data(1)).toBe(UNKNOWN);
  expect(await data(1, 3, true)).toBe(UNKNOWN);
  for (const [kind, longest, longestResponse] of [
    [0x13, 31, 31],
    [0x10, 31, 0],
    [0x15, 0, 0],
    [0x00, 251, 0],
    [0x02, 0, 251],
    [0x01, 245, 0],
    [0x05, 239, 0],
  ] as const) {
    await host.command(Reset, {});
    expect(await set(kind)).toBe(OK);
    expect([kind, await data(longest), await data(longestResponse, 3, true)]).toEqual([kind, OK, OK]);
    if (longest < 251) expect([kind, await data(longest + 1)]).toEqual([kind, INVALID]);
    if (longestResponse < 251) expect([kind, await data(longestResponse + 1, 3, true)]).toEqual([kind, INVALID]);
    if (kind === 0x10) expect(await data(5, 1)).toBe(INVALID); // legacy data is complete
  }
  expect([await data(200), await set(0x02), await set(0x13), await set(0x00)]).toEqual([OK, INVALID, INVALID, OK]);
  for (const operation of [0, 1, 2]) expect(await data(0, operation)).toBe(INVALID);
  for (const operation of [0, 2]) expect(await data(1, operation)).toBe(DISALLOWED); // continues nothing
  expect([await data(1, 5), await data(1, 4), await data(1, 4, true)]).toEqual([INVALID, INVALID, INVALID]);
  expect(await data(10, 1)).toBe(OK);
  expect(await enableSets(host, {})).toBe(DISALLOWED); // the last fragment is missing
  expect([await data(10, 2), await enableSets(host, {})]).toEqual([OK, OK]);
  expect([await data(1, 1), await data(1, 3), await data(0, 4)]).toEqual([DISALLOWED, OK, OK]);
  air[Symbol.dispose]();
});

test("enabling: what is refused, and then nothing is enabled (Vol 4 Part E 7.8.56)", async () => {
  const { air, advertiser: host } = await extendedPair();
  expect(await enableSets(host)).toBe(INVALID);
  expect(await enableSets(host, {})).toBe(UNKNOWN);
  expect(await enableSets(host, { handle: 0xf0 })).toBe(INVALID);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  expect(await enableSets(host, {}, {})).toBe(INVALID);
  expect(await enableSets(host, {}, { handle: 1 })).toBe(UNKNOWN);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingHandle: 1, advertisingEventProperties: 2 }));
  expect(await enableSets(host, {}, { handle: 1 })).toBe(DISALLOWED); // scannable, without scan response data
  expect((await host.command(LeClearAdvertisingSets, {})).status).toBe(OK); // so none was on
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties: 0x1d }));
  expect([
    await enableSets(host, { duration: 0 }),
    await enableSets(host, { duration: 129 }),
    await enableSets(host, { duration: 128 }),
  ]).toEqual([INVALID, INVALID, OK]);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(DISALLOWED);
  expect((await host.command(LeClearAdvertisingSets, {})).status).toBe(DISALLOWED);
  const random = { randomAddress: Address.from("C0:00:00:00:00:07/random") };
  expect((await host.command(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 0, ...random })).status).toBe(DISALLOWED);
  expect((await host.command(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 5, ...random })).status).toBe(UNKNOWN);
  const off = async (...handles: number[]): Promise<number> => {
    const sets = handles.map((advertisingHandle) => ({ advertisingHandle, duration: 0, maxExtendedAdvertisingEvents: 0 }));
    return (await host.command(LeSetExtendedAdvertisingEnable, { enable: false, sets })).status;
  };
  expect([await off(5), await off(0, 0), await off(0), await off()]).toEqual([UNKNOWN, INVALID, OK, OK]);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(OK);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(UNKNOWN);
  expect((await host.command(LeSetDataRelatedAddressChanges, { advertisingHandle: 0, changeReasons: 1 })).status).toBe(UNKNOWN);
  air[Symbol.dispose]();
});

test("what a set can hold, and how many there are, is told", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { ...EXTENDED, maxAdvertisingSets: 3, maxAdvertisingDataLength: 100 });
  expect(await host.command(LeReadMaximumAdvertisingDataLength, {})).toEqual({ status: 0, maxAdvertisingDataLength: 100 });
  expect(await host.command(LeReadNumberOfSupportedAdvertisingSets, {})).toEqual({ status: 0, numSupportedAdvertisingSets: 3 });
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  expect([await setData(host, octets(101)), await setData(host, octets(100))]).toEqual([HciErrorCode.MemoryCapacityExceeded, OK]);
  air[Symbol.dispose]();
});

test("data that takes longer to send than the interval is refused as too long", async () => {
  const { air, advertiser: host } = await extendedPair();
  const slow = setParameters({ primaryAdvertisingIntervalMin: 0x20, primaryAdvertisingIntervalMax: 0x20, secondaryAdvertisingPhy: 3 });
  await host.command(LeSetExtendedAdvertisingParameters, slow);
  expect(await setData(host, octets(1000))).toBe(HciErrorCode.PacketTooLong);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ secondaryAdvertisingPhy: 3 }));
  expect(await setData(host, octets(1000))).toBe(OK);
  expect((await host.command(LeSetExtendedAdvertisingParameters, slow)).status).toBe(HciErrorCode.PacketTooLong);
  air[Symbol.dispose]();
});

test("scanning: what is refused, and how (Vol 4 Part E 7.8.64, 7.8.65)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { features: { extendedAdvertising: true } });
  const of = { scanType: 0, scanInterval: 16, scanWindow: 16 };
  const check = async (more: object): Promise<number> =>
    (await host.command(LeSetExtendedScanParameters, { ownAddressType: 0, scanningFilterPolicy: 0, scanningPhys: 1, phys: [of], ...more }))
      .status;
  for (const [more, status] of [
    [{}, OK],
    [{ scanningPhys: 0, phys: [] }, INVALID],
    [{ scanningPhys: 2 }, UNSUPPORTED],
    [{ scanningPhys: 8 }, UNSUPPORTED],
    [{ scanningPhys: 5, phys: [of, of] }, OK],
    [{ phys: [{ ...of, scanType: 2 }] }, INVALID],
    [{ phys: [{ ...of, scanInterval: 3, scanWindow: 3 }] }, INVALID],
    [{ phys: [{ ...of, scanWindow: 17 }] }, INVALID],
    [{ phys: [{ ...of, scanInterval: 0xffff }] }, OK],
    [{ scanningFilterPolicy: 2 }, UNSUPPORTED],
    [{ scanningFilterPolicy: 4 }, INVALID],
    [{ ownAddressType: 3 }, UNSUPPORTED],
    [{ ownAddressType: 1 }, OK],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  const enable = async (filterDuplicates: number, duration: number, period: number): Promise<number> =>
    (await host.command(LeSetExtendedScanEnable, { enable: true, filterDuplicates, duration, period })).status;
  expect(await enable(0, 0, 0)).toBe(INVALID); // no random address
  await check({});
  expect([await enable(3, 0, 0), await enable(2, 0, 1), await enable(2, 1, 0), await enable(0, 128, 1)]).toEqual([
    INVALID,
    INVALID,
    INVALID,
    INVALID,
  ]);
  expect([await enable(0, 127, 1), await enable(2, 127, 1), await check({})]).toEqual([OK, OK, DISALLOWED]);
  air[Symbol.dispose]();
});

test("a host uses legacy commands or extended ones, until the next reset (Vol 4 Part E 3.1.1)", async () => {
  const { air, advertiser: host, controllers } = await extendedPair();
  await advertise(host);
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters())).status).toBe(DISALLOWED);
  expect((await host.command(LeReadNumberOfSupportedAdvertisingSets, {})).status).toBe(DISALLOWED);
  await host.command(Reset, {});
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters())).status).toBe(OK);
  expect((await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).status).toBe(DISALLOWED);
  expect((await host.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false })).status).toBe(DISALLOWED);
  expect((await host.command(LeCreateConnection, createConnection(controllers.scanner.address))).status).toBe(DISALLOWED);
  air[Symbol.dispose]();
});
