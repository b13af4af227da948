import { expect, test } from "vitest";
import type { RawHost } from "../../test/support/raw-host.ts";
import { connectedPair, type RawPair } from "../../test/support/raw-pair.ts";
import { ArgumentError } from "../core/index.ts";
import {
  Disconnect,
  DisconnectionComplete,
  encodeCommand,
  HciErrorCode,
  LeEnhancedReadTransmitPowerLevel,
  LePathLossThreshold,
  LePhyUpdateComplete,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeReadRemoteTransmitPowerLevel,
  LeSetPathLossReportingEnable,
  LeSetPathLossReportingParameters,
  LeSetPhy,
  LeSetTransmitPowerReportingEnable,
  LeTransmitPowerReporting,
  ReadRssi,
  ReadTransmitPowerLevel,
} from "../hci/index.ts";

const UNKNOWN = HciErrorCode.UnknownConnectionIdentifier;
const UNSUPPORTED = HciErrorCode.UnsupportedFeatureOrParameterValue;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const AT_MINIMUM = 1;
const AT_MAXIMUM = 2;
const none = { features: { powerControl: false } };

/** Control PDUs of power on air: opcode and its octets, signed. */
const powerPdus = ({ air }: RawPair): number[][] =>
  air.trace.entries.flatMap((entry) => {
    if (entry.kind !== "air" || entry.channel >= 37 || (entry.pdu[0]! & 3) !== 3) return [];
    const opcode = entry.pdu[2]!;
    return opcode >= 0x23 && opcode <= 0x25 ? [[opcode, ...new Int8Array(entry.pdu.slice(3))]] : [];
  });

const reports = (host: RawHost) =>
  host
    .all(LeTransmitPowerReporting)
    .map(({ status, reason, phy, txPowerLevel, txPowerLevelFlag, delta }) => [status, reason, phy, txPowerLevel, txPowerLevelFlag, delta]);

const zones = (host: RawHost) => host.all(LePathLossThreshold).map(({ currentPathLoss, zoneEntered }) => [currentPathLoss, zoneEntered]);

async function report(host: RawHost, connectionHandle: number, localEnable: boolean, remoteEnable: boolean): Promise<void> {
  expect(await host.command(LeSetTransmitPowerReportingEnable, { connectionHandle, localEnable, remoteEnable })).toEqual({
    status: 0,
    connectionHandle,
  });
}

/** Middle zone from 55 to 65 dB on the way up, 61 to 51 on the way down. */
const boundaries = { highThreshold: 63, highHysteresis: 2, lowThreshold: 53, lowHysteresis: 2, minTimeSpent: 0 };

async function watch(host: RawHost, connectionHandle: number, changed: Partial<typeof boundaries> = {}): Promise<void> {
  const answer = { status: 0, connectionHandle };
  expect(await host.command(LeSetPathLossReportingParameters, { connectionHandle, ...boundaries, ...changed })).toEqual(answer);
  expect(await host.command(LeSetPathLossReportingEnable, { connectionHandle, enable: true })).toEqual(answer);
}

test("a host reads the power of a link on each PHY of its controller", async () => {
  const { air, central, handles } = await connectedPair({ central: { txPowerDbm: 8, features: { leCoded: false } } });
  const connectionHandle = handles.central;
  for (const phy of [1, 2])
    expect(await central.command(LeEnhancedReadTransmitPowerLevel, { connectionHandle, phy })).toEqual({
      status: 0,
      connectionHandle,
      phy,
      currentTransmitPowerLevel: 8,
      maxTransmitPowerLevel: 8,
    });
  for (const phy of [0, 3, 4, 5, 255]) {
    expect((await central.command(LeEnhancedReadTransmitPowerLevel, { connectionHandle, phy })).status).toBe(UNSUPPORTED);
    expect(await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle, phy })).toEqual({ status: UNSUPPORTED });
  }
  expect((await central.command(LeEnhancedReadTransmitPowerLevel, { connectionHandle: 0x777, phy: 1 })).status).toBe(UNKNOWN);
  expect(await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle: 0x777, phy: 1 })).toEqual({ status: UNKNOWN });
  air[Symbol.dispose]();
});

test("the feature has two bits, and path loss monitoring is not without it", async () => {
  const bits = async (features: object): Promise<number[]> => {
    const { air, central } = await connectedPair({ central: { features } });
    const { leFeatures } = await central.command(LeReadLocalSupportedFeatures, {});
    air[Symbol.dispose]();
    return [33n, 34n, 35n].map((bit) => Number((leFeatures >> bit) & 1n));
  };
  expect(await bits({})).toEqual([1, 1, 1]);
  expect(await bits({ pathLossMonitoring: false })).toEqual([1, 1, 0]);
  expect(await bits({ powerControl: false })).toEqual([0, 0, 0]);
});

test("the peer's power is asked for on the air, on any PHY, and told with reason 2", async () => {
  const pair = await connectedPair({ peripheral: { txPowerDbm: 4 }, central: { txPowerDbm: -3 } });
  const { air, central, peripheral, handles } = pair;
  const connectionHandle = handles.central;
  for (const [phy, mask] of [
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 8],
  ] as const) {
    const told = central.event(LeTransmitPowerReporting);
    expect(await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle, phy })).toEqual({ status: 0 });
    expect(await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle, phy })).toEqual({ status: 0x0c }); // one at a time
    expect(await told).toEqual({ status: 0, connectionHandle, reason: 2, phy, txPowerLevel: 4, txPowerLevelFlag: AT_MAXIMUM, delta: 0 });
    expect(powerPdus(pair).slice(-2)).toEqual([
      [0x23, mask, 0, -3],
      [0x24, AT_MAXIMUM, 0, 4, -1],
    ]);
  }
  expect(reports(peripheral)).toEqual([]);
  air[Symbol.dispose]();
});

test.each([false, true])("a peer without power control: Unsupported Remote Feature, known before: %s", async (isKnown) => {
  const pair = await connectedPair({ peripheral: none });
  const { air, central, handles } = pair;
  const connectionHandle = handles.central;
  if (isKnown) {
    const read = central.event(LeReadRemoteFeaturesComplete);
    await central.command(LeReadRemoteFeatures, { connectionHandle });
    await read;
  }
  const told = central.event(LeTransmitPowerReporting);
  expect(await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle, phy: 1 })).toEqual({ status: 0 });
  expect(await told).toMatchObject({ status: HciErrorCode.UnsupportedRemoteFeature, reason: 2, txPowerLevel: 127, delta: 127 });
  expect(powerPdus(pair).length).toBe(isKnown ? 0 : 1);
  await watch(central, connectionHandle);
  await pair.clock.advance(1000);
  expect(zones(central)).toEqual([[255, 0]]); // there is no path loss to be had
  air[Symbol.dispose]();
});

test("a PHY that the peer does not have is refused by it (0x20)", async () => {
  const { air, central, handles } = await connectedPair({ peripheral: { features: { le2M: false } } });
  const told = central.event(LeTransmitPowerReporting);
  await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle: handles.central, phy: 2 });
  expect(await told).toMatchObject({ status: HciErrorCode.UnsupportedLlParameterValue, reason: 2, phy: 2 });
  air[Symbol.dispose]();
});

test("a change of power is told to hosts that asked for it, and arrives with the strength of the link", async () => {
  const pair = await connectedPair({ peripheral: { txPowerDbm: 0 } });
  const { air, central, peripheral, peripheralController, handles, clock } = pair;
  const rssi = async (): Promise<number> => (await central.command(ReadRssi, { handle: handles.central })).rssi;
  await report(central, handles.central, false, true); // asks the peer, so that it tells
  await report(peripheral, handles.peripheral, true, false);
  await clock.advance(100);
  expect([await rssi(), reports(central), reports(peripheral)]).toEqual([-40, [], []]);
  peripheralController.setLinkPower(-12);
  await clock.advance(100);
  expect(await rssi()).toBe(-52);
  peripheralController.setLinkPower(-12); // no change
  peripheralController.setLinkPower(-20);
  await clock.advance(100);
  expect(await rssi()).toBe(-60);
  expect(reports(central)).toEqual([
    [0, 1, 1, -12, 0, -12],
    [0, 1, 1, -20, AT_MINIMUM, -8],
  ]);
  expect(reports(peripheral)).toEqual([
    [0, 0, 1, -12, 0, -12],
    [0, 0, 1, -20, AT_MINIMUM, -8],
  ]);
  expect(powerPdus(pair).slice(2)).toEqual([
    [0x25, 1, 0, -12, -12],
    [0x25, 1, AT_MINIMUM, -8, -20],
  ]);
  const { connectionHandle, ...level } = await peripheral.command(LeEnhancedReadTransmitPowerLevel, {
    connectionHandle: handles.peripheral,
    phy: 1,
  });
  expect([connectionHandle, level.currentTransmitPowerLevel, level.maxTransmitPowerLevel]).toEqual([handles.peripheral, -20, 0]);
  for (const [type, transmitPowerLevel] of [
    [0, -20],
    [1, 0],
  ] as const)
    expect(await peripheral.command(ReadTransmitPowerLevel, { connectionHandle: handles.peripheral, type })).toMatchObject({
      transmitPowerLevel,
    });
  await report(central, handles.central, false, false);
  await report(peripheral, handles.peripheral, false, false);
  peripheralController.setLinkPower(0);
  await clock.advance(100);
  expect([reports(central).length, reports(peripheral).length, await rssi()]).toEqual([2, 2, -40]);
  air[Symbol.dispose]();
});

test("changes in quick succession are told one after the other", async () => {
  const pair = await connectedPair();
  const { air, central, peripheral, peripheralController, handles, clock } = pair;
  await report(central, handles.central, false, true);
  await report(peripheral, handles.peripheral, true, false);
  await clock.advance(100);
  for (const dbm of [-12, -15, 0, 0]) peripheralController.setLinkPower(dbm);
  await clock.advance(200);
  const changes = [
    [1, -12, 0, -12],
    [1, -15, 0, -3],
    [1, 0, AT_MAXIMUM, 15],
  ];
  expect(reports(central)).toEqual(changes.map((change) => [0, 1, ...change]));
  expect(reports(peripheral)).toEqual(changes.map((change) => [0, 0, ...change]));
  expect((await central.command(ReadRssi, { handle: handles.central })).rssi).toBe(-40);
  air[Symbol.dispose]();
});

test("nobody is told who has not asked", async () => {
  const pair = await connectedPair();
  const { air, central, peripheralController, handles, clock } = pair;
  peripheralController.setLinkPower(-10);
  await clock.advance(500);
  expect(powerPdus(pair)).toEqual([]);
  expect((await central.command(ReadRssi, { handle: handles.central })).rssi).toBe(-50);
  for (const dbm of [-21, 1, 0.5, Number.NaN]) expect(() => peripheralController.setLinkPower(dbm)).toThrow(ArgumentError);
  air[Symbol.dispose]();
});

test("each PHY has a level of its own", async () => {
  const { air, central, peripheral, peripheralController, handles, clock } = await connectedPair();
  await report(central, handles.central, false, true);
  await clock.advance(100);
  peripheralController.setLinkPower(-10);
  const changed = peripheral.event(LePhyUpdateComplete);
  await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  await changed;
  await clock.advance(200);
  expect((await central.command(ReadRssi, { handle: handles.central })).rssi).toBe(-40);
  const level = async (phy: number): Promise<number> =>
    (await peripheral.command(LeEnhancedReadTransmitPowerLevel, { connectionHandle: handles.peripheral, phy })).currentTransmitPowerLevel;
  expect([await level(1), await level(2)]).toEqual([-10, 0]);
  air[Symbol.dispose]();
});

test("a controller with a golden range has its peer sent louder as it goes away, up to the maximum, and softer when it comes", async () => {
  const pair = await connectedPair({
    central: { txPowerDbm: 20, goldenRange: { lowDbm: -75, highDbm: -65 }, position: { x: 0, y: 0 } },
    peripheral: { txPowerDbm: 10, position: { x: 10, y: 0 } },
  });
  const { air, central, peripheral, peripheralController, handles, clock } = pair;
  const state = async (): Promise<number[]> => {
    await clock.advance(500);
    const { rssi } = await central.command(ReadRssi, { handle: handles.central });
    const level = { connectionHandle: handles.peripheral, phy: 1 };
    return [rssi, (await peripheral.command(LeEnhancedReadTransmitPowerLevel, level)).currentTransmitPowerLevel];
  };
  await report(peripheral, handles.peripheral, true, false);
  expect(await state()).toEqual([-70, -10]); // 60 dB on the way: 20 dB too loud
  peripheralController.move({ x: 100, y: 0 });
  expect(await state()).toEqual([-70, 10]);
  peripheralController.move({ x: 1000, y: 0 });
  expect(await state()).toEqual([-90, 10]); // it can no more
  const asked = powerPdus(pair).length;
  await clock.advance(5000);
  expect(powerPdus(pair).length).toBe(asked);
  peripheralController.move({ x: 1, y: 0 });
  expect(await state()).toEqual([-60, -20]); // nor less than that
  expect(reports(peripheral)).toEqual([
    [0, 0, 1, -10, 0, -20],
    [0, 0, 1, 10, AT_MAXIMUM, 20],
    [0, 0, 1, -20, AT_MINIMUM, -30],
  ]);
  air[Symbol.dispose]();
});

test.each([
  { lowDbm: -40, highDbm: -30 },
  { lowDbm: -50, highDbm: -40 },
])("the bounds of a golden range belong to it: %o", async (goldenRange) => {
  const pair = await connectedPair({ central: { goldenRange } });
  await pair.clock.advance(1000);
  expect(powerPdus(pair)).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("whoever has read the peer's power is told of its changes, and needs not ask for it to know the path loss", async () => {
  const pair = await connectedPair();
  const { air, central, peripheralController, handles, clock } = pair;
  const read = central.event(LeTransmitPowerReporting);
  await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle: handles.central, phy: 1 });
  await read;
  await watch(central, handles.central);
  await report(central, handles.central, false, true);
  peripheralController.setLinkPower(-7);
  await clock.advance(200);
  expect(zones(central)).toEqual([[40, 0]]);
  expect(reports(central).slice(1)).toEqual([[0, 1, 1, -7, 0, -7]]);
  expect(powerPdus(pair).map(([opcode]) => opcode)).toEqual([0x23, 0x24, 0x25]);
  air[Symbol.dispose]();
});

test("a golden range of a peer without power control is left alone", async () => {
  const pair = await connectedPair({ central: { goldenRange: { lowDbm: -20, highDbm: -10 } }, peripheral: none });
  await pair.clock.advance(2000);
  expect(powerPdus(pair)).toHaveLength(1);
  expect(pair.central.all(DisconnectionComplete)).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("acceptable power reduction: what arrives above what is wanted", async () => {
  const pair = await connectedPair({ peripheral: { goldenRange: { lowDbm: -75, highDbm: -30 } } });
  const { air, central, handles } = pair;
  const told = central.event(LeTransmitPowerReporting);
  await central.command(LeReadRemoteTransmitPowerLevel, { connectionHandle: handles.central, phy: 1 });
  await told;
  expect(powerPdus(pair).at(-1)).toEqual([0x24, AT_MAXIMUM, 0, 0, 35]);
  air[Symbol.dispose]();
});

test.each(["radio", "instant"] as const)("path loss crosses zones as the peer moves, with hysteresis: %s", async (mode) => {
  const pair = await connectedPair({ mode, central: { position: { x: 0, y: 0 } }, peripheral: { position: { x: 1, y: 0 } } });
  const { air, central, peripheral, peripheralController, handles, clock } = pair;
  await watch(central, handles.central);
  await clock.advance(200);
  const at = async (lossDb: number): Promise<void> => {
    peripheralController.move({ x: 10 ** ((lossDb - 40) / 20), y: 0 });
    await clock.advance(200);
  };
  expect(zones(central)).toEqual([[40, 0]]); // at once
  await at(54); // over the threshold, not over its upper boundary
  expect(zones(central)).toHaveLength(1);
  await at(55);
  await at(64);
  await at(52);
  expect(zones(central).slice(1)).toEqual([[55, 1]]);
  await at(65);
  await at(62);
  expect(zones(central).slice(2)).toEqual([[65, 2]]);
  await at(61);
  await at(51);
  expect(zones(central).slice(3)).toEqual([
    [61, 1],
    [51, 0],
  ]);
  await at(70); // over both
  await at(45);
  expect(zones(central).slice(5)).toEqual([
    [70, 2],
    [45, 0],
  ]);
  await central.command(LeSetPathLossReportingEnable, { connectionHandle: handles.central, enable: false });
  await at(70);
  await central.command(LeSetPathLossReportingEnable, { connectionHandle: handles.central, enable: true });
  await central.command(LeSetPathLossReportingEnable, { connectionHandle: handles.central, enable: true }); // no effect
  await clock.advance(100);
  expect(zones(central).slice(7)).toEqual([[70, 2]]);
  expect(zones(peripheral)).toEqual([]);
  air[Symbol.dispose]();
});

test("a zone counts after Min_Time_Spent connection events in it", async () => {
  const pair = await connectedPair({ interval: 40, central: { position: { x: 0, y: 0 } }, peripheral: { position: { x: 1, y: 0 } } });
  const { air, central, peripheralController, handles, clock } = pair;
  await watch(central, handles.central, { minTimeSpent: 20 }); // one second
  await clock.advance(500);
  peripheralController.move({ x: 10, y: 0 });
  await clock.advance(900);
  peripheralController.move({ x: 1, y: 0 });
  await clock.advance(3000);
  expect(zones(central)).toEqual([[40, 0]]); // it was there for too short a time
  peripheralController.move({ x: 10, y: 0 });
  await clock.advance(900);
  peripheralController.move({ x: 100, y: 0 }); // another zone: from the beginning
  await clock.advance(950);
  expect(zones(central)).toHaveLength(1);
  await clock.advance(150);
  expect(zones(central).slice(1)).toEqual([[80, 2]]);
  // New parameters hold at once.
  await central.command(LeSetPathLossReportingParameters, {
    connectionHandle: handles.central,
    ...boundaries,
    highThreshold: 100,
    minTimeSpent: 0,
  });
  await clock.advance(100);
  expect(zones(central).slice(2)).toEqual([[80, 1]]);
  air[Symbol.dispose]();
});

test.each([
  [52, 0],
  [53, 1],
  [62, 1],
  [63, 2],
])("a path loss of %i dB is in zone %i at first, by the thresholds alone", async (lossDb, zone) => {
  const { air, central, handles, clock } = await connectedPair({ pathLossAt1mDb: lossDb });
  await watch(central, handles.central, { minTimeSpent: 100 });
  await clock.advance(200);
  expect(zones(central)).toEqual([[lossDb, zone]]);
  air[Symbol.dispose]();
});

test.each([{}, none])("nothing is told of path loss that nobody watches, nor when the link is over: peer %o", async (peer) => {
  const { air, central, peripheralController, handles, clock } = await connectedPair({
    central: { position: { x: 0, y: 0 } },
    peripheral: { ...peer, position: { x: 1, y: 0 } },
  });
  const connectionHandle = handles.central;
  await central.command(LeSetPathLossReportingParameters, { connectionHandle, ...boundaries, minTimeSpent: 100 });
  await report(central, connectionHandle, false, true); // the peer's power is asked for
  await clock.advance(500);
  expect(zones(central)).toEqual([]);
  await central.command(LeSetPathLossReportingEnable, { connectionHandle, enable: true });
  await clock.advance(500);
  expect(zones(central)).toHaveLength(1);
  peripheralController.move({ x: 10, y: 0 });
  await clock.advance(500);
  await central.command(Disconnect, { connectionHandle, reason: 0x13 });
  await clock.advance(5000);
  expect([zones(central).length, central.all(DisconnectionComplete).length]).toEqual([1, 1]);
  air[Symbol.dispose]();
});

test("path loss is what lies between, whatever the peer's power", async () => {
  const pair = await connectedPair({ peripheral: { txPowerDbm: 10 } });
  const { air, central, peripheralController, handles, clock } = pair;
  await watch(central, handles.central);
  await clock.advance(200);
  for (const dbm of [-20, 10, -5]) {
    peripheralController.setLinkPower(dbm);
    await clock.advance(200);
  }
  const phy = central.event(LePhyUpdateComplete);
  await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  await phy;
  await clock.advance(500);
  expect(zones(central)).toEqual([[40, 0]]);
  expect(powerPdus(pair).at(-2)).toEqual([0x23, 2, 0, 0]); // the level of the new PHY is another one
  air[Symbol.dispose]();
});

test("what these commands refuse", async () => {
  const { air, central, handles } = await connectedPair();
  const connectionHandle = handles.central;
  const enable = (host: RawHost, handle: number) => host.command(LeSetPathLossReportingEnable, { connectionHandle: handle, enable: true });
  expect(await enable(central, connectionHandle)).toEqual({ status: HciErrorCode.CommandDisallowed, connectionHandle }); // no parameters
  expect(await enable(central, 0x777)).toEqual({ status: UNKNOWN, connectionHandle: 0x777 });
  const set = (changed: Partial<typeof boundaries>, handle = connectionHandle) =>
    central.command(LeSetPathLossReportingParameters, { connectionHandle: handle, ...boundaries, ...changed });
  for (const wrong of [
    { highThreshold: 0xff, highHysteresis: 1 },
    { lowThreshold: 3, lowHysteresis: 4 },
    { lowThreshold: 70 },
    { highHysteresis: 5, lowHysteresis: 6 },
  ])
    expect([wrong, await set(wrong)]).toEqual([wrong, { status: INVALID, connectionHandle }]);
  for (const right of [
    { highThreshold: 0xff, highHysteresis: 0 },
    { lowThreshold: 4, lowHysteresis: 4 },
    { highHysteresis: 5, lowHysteresis: 5 },
    { lowThreshold: 63, lowHysteresis: 0, highHysteresis: 0, minTimeSpent: 0xffff },
  ])
    expect([right, await set(right)]).toEqual([right, { status: 0, connectionHandle }]);
  expect(await set({}, 0x777)).toEqual({ status: UNKNOWN, connectionHandle: 0x777 });
  const reporting = { connectionHandle: 0x777, localEnable: true, remoteEnable: true };
  expect(await central.command(LeSetTransmitPowerReportingEnable, reporting)).toEqual({ status: UNKNOWN, connectionHandle: 0x777 });
  const reserved = async (packet: Uint8Array, at: number, opcode: number): Promise<unknown> => {
    const changed = packet.slice();
    changed[at] = 2;
    return await central.raw(changed, opcode);
  };
  const known = { ...reporting, connectionHandle };
  for (const at of [6, 7])
    expect(
      await reserved(encodeCommand(LeSetTransmitPowerReportingEnable, known), at, LeSetTransmitPowerReportingEnable.opcode),
    ).toMatchObject({ status: INVALID });
  expect(
    await reserved(encodeCommand(LeSetPathLossReportingEnable, { connectionHandle, enable: true }), 6, LeSetPathLossReportingEnable.opcode),
  ).toMatchObject({ status: INVALID });
  air[Symbol.dispose]();
});
