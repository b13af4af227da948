import { expect, test } from "vitest";
import { advertiseExtended, connectExtended, createExtended, EXTENDED, setParameters } from "../../test/support/raw-extended.ts";
import { advertise, createConnection, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import type { AirTraceEntry } from "../air/index.ts";
import { airTimeUs } from "../air/index.ts";
import { Address } from "../core/index.ts";
import {
  DisconnectionComplete,
  HciErrorCode,
  LeAdvertisingSetTerminated,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  LeCreateConnection,
  LeCreateConnectionCancel,
  LeEnhancedConnectionComplete,
  LeExtendedCreateConnection,
  LeReadPhy,
  LeSetEventMask,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
} from "../hci/index.ts";

const INVALID = HciErrorCode.InvalidHciCommandParameters;
const UNSUPPORTED = HciErrorCode.UnsupportedFeatureOrParameterValue;

async function pair(options: object = {}, features: object = EXTENDED) {
  const { air, clock } = makeAir({ seed: 1, ...options });
  const peripheral = await makeHost(air, { ...features, name: "peripheral" });
  const central = await makeHost(air, { ...features, name: "central" });
  return {
    air,
    clock,
    peripheral: peripheral.host,
    central: central.host,
    address: peripheral.controller.address,
    centralAddress: central.controller.address,
  };
}

test("a connection by AUX_CONNECT_REQ on each PHY: events in order, the PHY of the link, the first anchor", async () => {
  for (const [primary, secondary, phys, delayUs] of [
    [1, 1, 1, 2500],
    [1, 2, 3, 2500],
    [3, 3, 4, 3750],
    [1, 3, 5, 3750],
  ] as const) {
    const { air, clock, central, peripheral, address, centralAddress } = await pair({ idle: "simulate" });
    await advertiseExtended(peripheral, {
      advertisingHandle: 3,
      advertisingEventProperties: 1,
      primaryAdvertisingPhy: primary,
      secondaryAdvertisingPhy: secondary,
      data: Uint8Array.of(2, 1, 6),
    });
    const atPeripheral = peripheral.event(LeEnhancedConnectionComplete);
    const atCentral = central.event(LeEnhancedConnectionComplete);
    expect(await connectExtended(central, address, { phys })).toBe(0);
    const link = await atCentral;
    expect(link).toMatchObject({ status: 0, role: 0, peerAddressType: 0, peerAddress: address.bytes, connectionInterval: 12 });
    const other = await atPeripheral;
    expect(other).toMatchObject({ status: 0, role: 1, peerAddress: centralAddress.bytes, centralClockAccuracy: 5 });
    await clock.advance(100);
    expect(peripheral.all(LeAdvertisingSetTerminated)).toEqual([
      { status: 0, advertisingHandle: 3, connectionHandle: other.connectionHandle, numCompletedExtendedAdvertisingEvents: 0 },
    ]);
    for (const [host, connectionHandle] of [
      [central, link.connectionHandle],
      [peripheral, other.connectionHandle],
    ] as const) {
      expect(host.all(LeChannelSelectionAlgorithm)).toEqual([{ connectionHandle, channelSelectionAlgorithm: 1 }]);
      const names = host.events.map(({ declaration }) => declaration?.name);
      const at = names.indexOf("LeEnhancedConnectionComplete");
      expect(names[at + 1]).toBe("LeChannelSelectionAlgorithm");
      if (host === peripheral) expect(names[at + 2]).toBe("LeAdvertisingSetTerminated");
      expect(await host.command(LeReadPhy, { connectionHandle })).toMatchObject({ txPhy: secondary, rxPhy: secondary });
      expect(host.all(LeConnectionComplete)).toEqual([]);
    }
    const packets = air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");
    const request = packets.find(({ pdu, channel }) => channel < 37 && (pdu[0]! & 0x0f) === 5)!;
    const response = packets[packets.indexOf(request) + 1]!;
    expect([response.pdu[0]! & 0x0f, response.channel, response.timeUs - request.timeUs - airTimeUs(request.phy, 34)]).toEqual([
      8,
      request.channel,
      150,
    ]);
    const first = packets.find(({ accessAddress }) => accessAddress !== 0x8e89bed6)!;
    const winOffset = request.pdu[22]! | (request.pdu[23]! << 8);
    expect(first.timeUs).toBe(request.timeUs + airTimeUs(request.phy, 34) + delayUs + 1250 * winOffset);
    expect(first.phy).toBe(secondary);
    air[Symbol.dispose]();
  }
});

test("a lost AUX_CONNECT_RSP makes a link at the peripheral alone, which fails; the central goes on and gets its own", async () => {
  const { air, central, peripheral, address } = await pair();
  await advertiseExtended(peripheral, { advertisingEventProperties: 1 });
  let isLost = false;
  air.onPacket(({ pdu, channel }) => {
    if (isLost || channel > 36 || (pdu[0]! & 0x0f) !== 8) return undefined;
    isLost = true;
    return "lose";
  });
  const atCentral = central.event(LeEnhancedConnectionComplete);
  await connectExtended(central, address);
  await peripheral.event(LeAdvertisingSetTerminated);
  expect(central.all(LeEnhancedConnectionComplete)).toEqual([]);
  const gone = await peripheral.event(DisconnectionComplete);
  expect(gone.reason).toBe(HciErrorCode.ConnectionFailedToBeEstablished);
  await peripheral.command(LeSetExtendedAdvertisingEnable, {
    enable: true,
    sets: [{ advertisingHandle: 0, duration: 0, maxExtendedAdvertisingEvents: 0 }],
  });
  expect((await atCentral).status).toBe(0);
  air[Symbol.dispose]();
});

test("legacy PDUs of an advertising set are connected to by either command, with the algorithm that both know", async () => {
  for (const [peripheralHas, centralHas, algorithm] of [
    [true, true, 1],
    [true, false, undefined],
    [false, true, 0],
  ] as const) {
    const { air, clock } = makeAir({ seed: 1 });
    const peripheral = await makeHost(air, { ...(peripheralHas && EXTENDED), name: "peripheral" });
    const central = await makeHost(air, { ...(centralHas && EXTENDED), name: "central" });
    if (peripheralHas) await advertiseExtended(peripheral.host, { advertisingEventProperties: 0x13 });
    else await advertise(peripheral.host);
    if (centralHas) await connectExtended(central.host, peripheral.controller.address);
    else await central.host.command(LeCreateConnection, createConnection(peripheral.controller.address));
    await clock.advance(500);
    const events = centralHas ? central.host.all(LeEnhancedConnectionComplete) : central.host.all(LeConnectionComplete);
    expect(events).toMatchObject([{ status: 0 }]);
    expect(central.host.all(LeChannelSelectionAlgorithm).map(({ channelSelectionAlgorithm }) => channelSelectionAlgorithm)).toEqual(
      algorithm === undefined ? [] : [algorithm],
    );
    if (peripheralHas) expect(peripheral.host.all(LeAdvertisingSetTerminated)).toHaveLength(1);
    air[Symbol.dispose]();
  }
});

test("without the enhanced event in its mask the host gets LE Connection Complete", async () => {
  const { air, central, peripheral, address } = await pair();
  await central.command(LeSetEventMask, { leEventMask: 0x1fn });
  await advertiseExtended(peripheral, { advertisingEventProperties: 1 });
  await connectExtended(central, address);
  expect(await central.event(LeConnectionComplete)).toMatchObject({ status: 0, role: 0 });
  air[Symbol.dispose]();
});

test("an attempt is cancelled, and told by the enhanced event; a second one meanwhile is refused", async () => {
  const { air, central, address } = await pair();
  await connectExtended(central, address);
  expect(await connectExtended(central, address)).toBe(HciErrorCode.CommandDisallowed);
  const complete = central.event(LeEnhancedConnectionComplete);
  expect((await central.command(LeCreateConnectionCancel, {})).status).toBe(0);
  expect((await complete).status).toBe(HciErrorCode.UnknownConnectionIdentifier);
  expect(central.all(LeChannelSelectionAlgorithm)).toEqual([]);
  air[Symbol.dispose]();
});

test("what LE Extended Create Connection refuses, and how (Vol 4 Part E 7.8.66)", async () => {
  const { air, central, peripheral, address } = await pair({}, { features: { extendedAdvertising: true } });
  const good = createExtended(address);
  const of = good.phys[0]!;
  const check = async (more: object): Promise<number> => (await central.command(LeExtendedCreateConnection, { ...good, ...more })).status;
  for (const [more, status] of [
    [{ initiatingPhys: 0, phys: [] }, INVALID],
    [{ initiatingPhys: 2 }, INVALID],
    [{ initiatingPhys: 8 }, UNSUPPORTED],
    [{ initiatorFilterPolicy: 2 }, INVALID],
    [{ ownAddressType: 1 }, INVALID],
    [{ ownAddressType: 2 }, UNSUPPORTED],
    [{ ownAddressType: 4 }, INVALID],
    [{ peerAddressType: 2 }, UNSUPPORTED],
    [{ peerAddressType: 4 }, INVALID],
    [{ phys: [{ ...of, scanInterval: 3, scanWindow: 3 }] }, INVALID],
    [{ phys: [{ ...of, scanWindow: 97 }] }, INVALID],
    [{ phys: [{ ...of, connectionIntervalMin: 5 }] }, INVALID],
    [{ phys: [{ ...of, minCeLength: 1 }] }, INVALID],
    [{ initiatingPhys: 5, phys: [of, { ...of, supervisionTimeout: 3 }] }, INVALID],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  await advertiseExtended(peripheral, { advertisingEventProperties: 1 });
  expect(await check({})).toBe(0);
  await central.event(LeEnhancedConnectionComplete);
  expect(await check({})).toBe(HciErrorCode.ConnectionAlreadyExists);
  air[Symbol.dispose]();
});

test("an attempt takes directed advertising that is for it, and leaves what is for others or cannot be connected to", async () => {
  for (const [properties, forUs, connects] of [
    [5, true, true],
    [5, false, false],
    [0, true, false],
    [4, true, false],
    [0x15, true, true],
  ] as const) {
    const { air, clock, central, peripheral, address, centralAddress } = await pair();
    const peerAddress = forUs ? centralAddress.bytes : Address.from("00:00:00:00:00:77").bytes;
    await advertiseExtended(peripheral, { advertisingEventProperties: properties, peerAddress });
    await connectExtended(central, address);
    await clock.advance(600);
    expect([properties, forUs, central.all(LeEnhancedConnectionComplete).length > 0]).toEqual([properties, forUs, connects]);
    air[Symbol.dispose]();
  }
});

test("a connectable set with all links taken is not enabled, and a full controller takes no AUX_CONNECT_REQ", async () => {
  const { air, clock } = makeAir({ seed: 1 });
  const { host: peripheral, controller } = await makeHost(air, { ...EXTENDED, name: "peripheral", maxConnections: 1 });
  const { host: central } = await makeHost(air, { ...EXTENDED, name: "central" });
  for (const advertisingHandle of [0, 1]) await advertiseExtended(peripheral, { advertisingHandle, advertisingEventProperties: 1 });
  await connectExtended(central, controller.address);
  await central.event(LeEnhancedConnectionComplete);
  await clock.advance(10);
  const [ended] = peripheral.all(LeAdvertisingSetTerminated);
  await peripheral.command(
    LeSetExtendedAdvertisingParameters,
    setParameters({ advertisingHandle: ended!.advertisingHandle, advertisingEventProperties: 1 }),
  );
  const sets = [{ advertisingHandle: ended!.advertisingHandle, duration: 0, maxExtendedAdvertisingEvents: 0 }];
  const { host: late } = await makeHost(air, { ...EXTENDED, name: "late" });
  await connectExtended(late, controller.address);
  await clock.advance(2000);
  expect([peripheral, late].map((host) => host.all(LeEnhancedConnectionComplete).length)).toEqual([1, 0]);
  expect((await peripheral.command(LeSetExtendedAdvertisingEnable, { enable: true, sets })).status).toBe(
    HciErrorCode.ConnectionLimitExceeded,
  );
  air[Symbol.dispose]();
});

test("without radio time a set is connected to as well", async () => {
  const { air, central, peripheral, address } = await pair({ mode: "instant" });
  await advertiseExtended(peripheral, { advertisingEventProperties: 1, secondaryAdvertisingPhy: 2 });
  const atPeripheral = peripheral.event(LeEnhancedConnectionComplete);
  await connectExtended(central, address, { phys: 3 });
  expect((await atPeripheral).status).toBe(0);
  air[Symbol.dispose]();
});
