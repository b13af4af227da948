import { expect, test } from "vitest";
import { advertiseExtended, createExtended, octets, setParameters } from "../../test/support/raw-extended.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { PERIODIC, periodicReports } from "../../test/support/raw-periodic.ts";
import { feed, follow, parameters, RESPONDING, responsePair, startTrain } from "../../test/support/raw-responses.ts";
import type { Address } from "../core/index.ts";
import {
  DisconnectionComplete,
  HciErrorCode,
  LeAddDeviceToFilterAcceptList,
  LeCreateConnectionCancel,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  LeExtendedCreateConnectionV2,
  LeSetExtendedAdvertisingParameters,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParametersV2,
} from "../hci/index.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownAdvertisingIdentifier;

const connect = (peer: Address, more: object = {}) => ({
  advertisingHandle: 0,
  subevent: 2,
  ...createExtended(peer, { interval: 24 }),
  ...more,
});

test("a link from a subevent: AUX_CONNECT_REQ in place of data, events with handle of the set and of the train", async () => {
  for (const [phy, mode] of [
    [1, "radio"],
    [2, "radio"],
    [3, "radio"],
    [1, "instant"],
  ] as const) {
    const { air, clock } = makeAir({ seed: 3, mode });
    const advertiser = await makeHost(air, { ...RESPONDING, name: "advertiser" });
    const scanner = await makeHost(air, { ...RESPONDING, name: "scanner" });
    feed(advertiser.host, () => octets(3));
    await advertiser.host.command(LeSetExtendedAdvertisingParameters, setParameters({ secondaryAdvertisingPhy: phy, advertisingSid: 6 }));
    await advertiser.host.command(LeSetPeriodicAdvertisingParametersV2, parameters());
    await advertiser.host.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 });
    await advertiseExtended(advertiser.host, { secondaryAdvertisingPhy: phy, advertisingSid: 6 });
    const syncHandle = await follow(scanner.host, advertiser.controller.address, 2);
    await clock.advance(200);
    expect((await advertiser.host.command(LeExtendedCreateConnectionV2, connect(scanner.controller.address))).status).toBe(OK);
    expect((await advertiser.host.command(LeExtendedCreateConnectionV2, connect(scanner.controller.address))).status).toBe(DISALLOWED);
    await clock.advance(1000);
    const common = { status: OK, connectionInterval: 24, peripheralLatency: 0, supervisionTimeout: 100 };
    expect(advertiser.host.all(LeEnhancedConnectionCompleteV2)).toMatchObject([
      { ...common, role: 0, peerAddress: scanner.controller.address.bytes, advertisingHandle: 0, syncHandle: 0xffff },
    ]);
    expect(scanner.host.all(LeEnhancedConnectionCompleteV2)).toMatchObject([
      { ...common, role: 1, peerAddress: advertiser.controller.address.bytes, advertisingHandle: 0xff, syncHandle },
    ]);
    expect([...advertiser.host.all(DisconnectionComplete), ...scanner.host.all(DisconnectionComplete)]).toEqual([]);
    advertiser.host.sendAcl(advertiser.host.all(LeEnhancedConnectionCompleteV2)[0]!.connectionHandle, octets(20));
    await clock.advance(200);
    expect(scanner.host.acl.map(({ data }) => data.length)).toEqual([20]);
    // The train goes on beside the link.
    scanner.host.events.length = 0;
    await clock.advance(500);
    expect(periodicReports(scanner.host).length).toBeGreaterThanOrEqual(3);
    air[Symbol.dispose]();
  }
});

test("nobody answers: 0x3E with the set's handle; what else such a connection refuses", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  const peer = controllers.scanner.address;
  const create = async (more: object = {}): Promise<number> =>
    (await advertiser.command(LeExtendedCreateConnectionV2, connect(peer, more))).status;
  await advertiseExtended(advertiser, { advertisingHandle: 1 });
  for (const [more, status] of [
    [{ advertisingHandle: 0xff }, INVALID],
    [{ subevent: 0xff }, INVALID],
    [{ advertisingHandle: 0xf0 }, INVALID],
    [{ subevent: 0x80 }, INVALID],
    [{ subevent: 4 }, INVALID],
    [{ advertisingHandle: 2 }, UNKNOWN],
    [{ advertisingHandle: 1 }, DISALLOWED],
    [{ peerAddressType: 4 }, INVALID],
    [{ ownAddressType: 4 }, INVALID],
    [{ ownAddressType: 1 }, INVALID],
    [{ initiatorFilterPolicy: 9 }, OK],
  ] as const)
    expect([more, await create(more)]).toEqual([more, status]);
  // The list is free: it is not used.
  expect((await advertiser.command(LeAddDeviceToFilterAcceptList, { addressType: 0, address: peer.bytes })).status).toBe(OK);
  expect((await advertiser.command(LeCreateConnectionCancel, {})).status).toBe(OK);
  const failure = { role: 0, connectionHandle: 0, advertisingHandle: 0, syncHandle: 0xffff };
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)).toMatchObject([{ ...failure, status: HciErrorCode.UnknownConnectionIdentifier }]);
  expect(await create()).toBe(OK);
  await clock.advance(300);
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)[1]).toMatchObject({
    ...failure,
    status: HciErrorCode.ConnectionFailedToBeEstablished,
  });
  // Somebody who follows, and is not meant, keeps quiet, and hears no data there.
  const { controller: other } = await makeHost(air, { ...PERIODIC, name: "other" });
  await follow(scanner, controllers.advertiser.address, 2);
  await clock.advance(250);
  scanner.events.length = 0;
  expect((await advertiser.command(LeExtendedCreateConnectionV2, connect(other.address))).status).toBe(OK);
  await clock.advance(300);
  expect(scanner.all(LeEnhancedConnectionCompleteV2)).toEqual([]);
  expect(periodicReports(scanner).filter(({ dataStatus }) => dataStatus === 0xff)).toHaveLength(1);
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)[2]).toMatchObject({ status: HciErrorCode.ConnectionFailedToBeEstablished });
  expect(advertiser.all(LeEnhancedConnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("an answer that is lost makes a link at the device alone, which fails there", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  await follow(scanner, controllers.advertiser.address, 2);
  await clock.advance(250);
  air.onPacket(({ pdu, from, channel }) => (from === "scanner" && channel < 37 && (pdu[0]! & 0x0f) === 8 ? "lose" : undefined));
  await advertiser.command(LeExtendedCreateConnectionV2, connect(controllers.scanner.address));
  await clock.advance(1000);
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)).toMatchObject([{ status: HciErrorCode.ConnectionFailedToBeEstablished }]);
  expect(scanner.all(LeEnhancedConnectionCompleteV2)).toMatchObject([{ status: OK, role: 1 }]);
  expect(scanner.all(DisconnectionComplete)).toMatchObject([{ reason: HciErrorCode.ConnectionFailedToBeEstablished }]);
  air[Symbol.dispose]();
});

test("a train that ends, or a controller that is reset, ends the attempt: with 0x3E, and without a word", async () => {
  const { air, clock, advertiser, controllers } = await responsePair();
  const start = () => advertiser.command(LeExtendedCreateConnectionV2, connect(controllers.scanner.address));
  expect((await start()).status).toBe(OK);
  await advertiser.command(LeSetPeriodicAdvertisingEnable, { enable: 0, advertisingHandle: 0 });
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)).toMatchObject([{ status: HciErrorCode.ConnectionFailedToBeEstablished }]);
  await advertiser.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 });
  expect((await start()).status).toBe(OK);
  advertiser.events.length = 0;
  await advertiser.start();
  await clock.advance(500);
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)).toEqual([]);
  await startTrain(advertiser);
  expect((await start()).status).toBe(OK);
  air[Symbol.dispose]();
});

test("once AUX_CONNECT_REQ is on its way it is too late to cancel", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  await follow(scanner, controllers.advertiser.address, 2);
  await clock.advance(250);
  let cancelled: Promise<{ status: number }> | undefined;
  air.onPacket(({ pdu, from }) => {
    if (from === "advertiser" && (pdu[0]! & 0x0f) === 5) cancelled = advertiser.command(LeCreateConnectionCancel, {});
    return undefined;
  });
  await advertiser.command(LeExtendedCreateConnectionV2, connect(controllers.scanner.address));
  await clock.advance(500);
  expect((await cancelled)?.status).toBe(HciErrorCode.CommandDisallowed);
  expect(advertiser.all(LeEnhancedConnectionCompleteV2)).toMatchObject([{ status: OK }]);
  air[Symbol.dispose]();
});
