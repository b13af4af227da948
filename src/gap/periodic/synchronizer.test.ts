import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PeriodicController } from "../../../test/support/periodic-controller.ts";
import {
  advertisement,
  beginSyncs,
  CANCELLED,
  clock,
  controller,
  endSyncs,
  established,
  IDENTITY,
  OTHER,
  octets,
  PEER,
  PRIVATE,
  radio,
  report,
  reportOf,
  scanner,
  settled,
  synchronized,
  syncs,
  TARGET,
} from "../../../test/support/sync-stack.ts";
import { delay } from "../../async/clock.ts";
import { Address } from "../../core/address.ts";
import { TimeoutError } from "../../core/error.ts";
import { SeededRandom } from "../../core/random.ts";
import { HciErrorCode } from "../../hci/error.ts";
import { LeFeature } from "../../hci/features.ts";
import type { SynchronizeOptions, SyncTarget } from "./sync-options.ts";

// Looking for periodic advertising, on a controller that knows the rules of it (Vol 4 Part E 7.8.67 to 7.8.73).

beforeEach(beginSyncs);
afterEach(() => expect(endSyncs()).toEqual([]));

describe("a synchronization", () => {
  test("is looked for by a passive scan, which ends when it is there", async () => {
    const found = syncs.synchronize(TARGET, {});
    await settled();
    expect(controller.log).toEqual(["ScanParameters", "ScanEnable on", "PeriodicAdvertisingCreateSync"]);
    expect(controller.scanning).toMatchObject({ scanningPhys: 1, phys: [{ scanType: 0, scanInterval: 96, scanWindow: 48 }] });
    expect(controller.creating).toEqual({
      options: 0,
      advertisingSid: 5,
      advertiserAddressType: 1,
      advertiserAddress: PEER.bytes,
      skip: 0,
      syncTimeout: 2000,
      syncCteType: 0,
    });
    established({ handle: 0x0eff });
    const sync = await found;
    expect(sync).toMatchObject({ handle: 0x0eff, sid: 5, phy: "2M", intervalMs: 100, clockAccuracyPpm: 50, subevents: undefined });
    expect([sync.address.equals(PEER), sync.identity?.equals(PEER), sync.active, sync.receiving, syncs.all]).toEqual([
      true,
      true,
      true,
      true,
      [sync],
    ]);
    await settled();
    expect([controller.scanning, controller.log.at(-1)]).toEqual([undefined, "ScanEnable off"]);
  });

  test("has its events on before, and those of trains with responses where the controller has them", async () => {
    await synchronized();
    expect(controller.events).toEqual([
      "LePeriodicAdvertisingSyncEstablished",
      "LePeriodicAdvertisingReport",
      "LePeriodicAdvertisingSyncLost",
      "LePeriodicAdvertisingSyncTransferReceived",
      "LePeriodicAdvertisingSyncEstablishedV2",
      "LePeriodicAdvertisingReportV2",
      "LeEnhancedConnectionCompleteV2",
      "LePeriodicAdvertisingSyncTransferReceivedV2",
    ]);
    await synchronized({}, { handle: 2, address: OTHER });
    expect(controller.events.length).toBe(8);
  });

  test.each<[string, (at: PeriodicController) => void, string[]]>([
    [
      "a controller without responses and transfers",
      ({ features }) => {
        features.delete(LeFeature.PeriodicAdvertisingWithResponsesScanner);
        features.delete(LeFeature.PeriodicAdvertisingSyncTransferRecipient);
      },
      ["LePeriodicAdvertisingSyncEstablished", "LePeriodicAdvertisingReport", "LePeriodicAdvertisingSyncLost"],
    ],
    [
      "a controller that does not know the second versions after all",
      ({ unknownEvents }) => unknownEvents.add("LePeriodicAdvertisingReportV2"),
      [
        "LePeriodicAdvertisingSyncEstablished",
        "LePeriodicAdvertisingReport",
        "LePeriodicAdvertisingSyncLost",
        "LePeriodicAdvertisingSyncTransferReceived",
      ],
    ],
  ])("on %s has the events of the first version", async (_, prepare, events) => {
    prepare(controller);
    expect((await synchronized()).active).toBe(true);
    expect(controller.events).toEqual(events);
  });

  test.each<[string, SyncTarget, SynchronizeOptions, object, number]>([
    ["the address type", { address: OTHER, sid: 0 }, {}, { advertiserAddressType: 0, advertisingSid: 0, options: 0 }, 1],
    ["skip and timeout", TARGET, { skip: 499, syncTimeoutMs: 163_840 }, { skip: 0x01f3, syncTimeout: 0x4000 }, 1],
    ["the shortest timeout", TARGET, { syncTimeoutMs: 100 }, { syncTimeout: 10 }, 1],
    ["no reports at first", TARGET, { receive: false }, { options: 2 }, 1],
    ["no duplicates", TARGET, { duplicates: "filter" }, { options: 4 }, 1],
    ["LE Coded", TARGET, { phys: ["coded"] }, {}, 4],
    ["both PHYs", TARGET, { phys: ["1M", "coded"] }, {}, 5],
  ])("is asked for with %s", async (_, target, options, expected, phys) => {
    const found = syncs.synchronize(target, options);
    await settled();
    expect(controller.creating).toMatchObject(expected);
    expect(controller.scanning).toMatchObject({ scanningPhys: phys });
    established({ address: Address.from(target.address), sid: target.sid! });
    expect((await found).receiving).toBe(options.receive ?? true);
  });

  test("to what an advertisement told of has its address, set and PHY, and time for its interval", async () => {
    const found = syncs.synchronize(advertisement({ interval: 8000, primaryPhy: 3, type: 3 }), { skip: 1 });
    await settled();
    expect(controller.creating).toMatchObject({ advertisingSid: 5, advertiserAddressType: 1, syncTimeout: 12_000 });
    expect(controller.scanning).toMatchObject({ scanningPhys: 4 });
    established();
    await found;
  });

  test.each<[string, SyncTarget | SyncTarget[], SynchronizeOptions?]>([
    ["tells of no periodic advertising", advertisement({ interval: 0 })],
    ["expected an advertisement with an address", advertisement({ type: 0xff })],
    ["sid: expected a whole number from 0 to 15", { address: PEER, sid: 16 }],
    ["sid: expected a whole number", { address: PEER } as SyncTarget],
    ["device address", { address: "nobody", sid: 1 }],
    ["got null", null as never],
    ["at least one", []],
    ["skip: expected a whole number from 0 to 499", TARGET, { skip: 500 }],
    ["expected 100 to 163840 ms", TARGET, { syncTimeoutMs: 99 }],
    ["expected 100 to 163840 ms", TARGET, { syncTimeoutMs: 163_841 }],
    ["duplicates: expected", TARGET, { duplicates: "once" as never }],
    ["receive: expected true or false", TARGET, { receive: 1 as never }],
    ['phys: expected "1M", "coded"', TARGET, { phys: ["2M" as never] }],
    ["phys: expected an array", TARGET, { phys: "1M" as never }],
    ["unknown option", TARGET, { timeout: 5 } as never],
    ["timeoutMs", TARGET, { timeoutMs: -1 }],
  ])("is refused before anything is sent: %s", async (message, target, options = {}) => {
    await expect(syncs.synchronize(target, options)).rejects.toThrow(message);
    await expect(syncs.synchronize(target, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(controller.log).toEqual([]);
  });

  test.each<[string, SyncTarget | SyncTarget[], SynchronizeOptions, (at: PeriodicController) => void]>([
    ["follow periodic advertising", TARGET, {}, ({ features }) => features.delete(LeFeature.LePeriodicAdvertising)],
    ["follow periodic advertising", TARGET, {}, ({ unsupported }) => unsupported.add("LePeriodicAdvertisingCreateSync")],
    [
      "look for several",
      [TARGET, { address: OTHER, sid: 1 }],
      {},
      ({ unsupported }) => unsupported.add("LeAddDeviceToPeriodicAdvertiserList"),
    ],
    ["switch reports off", TARGET, { receive: false }, ({ unsupported }) => unsupported.add("LeSetPeriodicAdvertisingReceiveEnable")],
  ])("is refused by a controller that cannot %s", async (message, target, options, prepare) => {
    prepare(controller);
    await expect(syncs.synchronize(target, options)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining(message),
    });
  });

  test("that is there already is not asked for again, under whichever address", async () => {
    await synchronized({}, { address: PRIVATE });
    await expect(syncs.synchronize({ address: PRIVATE, sid: 5 }, {})).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(syncs.synchronize({ address: IDENTITY, sid: 5 }, {})).rejects.toMatchObject({ code: "ERR_STATE" });
    expect((await synchronized({}, { handle: 2, address: PRIVATE, sid: 6 })).sid).toBe(6);
  });

  test("to the first of several goes by the periodic advertiser list", async () => {
    const found = syncs.synchronize([TARGET, { address: OTHER, sid: 1 }, TARGET], {});
    await settled();
    expect(controller.log.slice(2)).toEqual([
      "ClearPeriodicAdvertiserList",
      "AddDeviceToPeriodicAdvertiserList",
      "AddDeviceToPeriodicAdvertiserList",
      "PeriodicAdvertisingCreateSync",
    ]);
    expect([controller.list, controller.creating]).toMatchObject([
      [`${PEER} 5`, `${OTHER} 1`],
      { options: 1, advertisingSid: 0, advertiserAddressType: 0, advertiserAddress: new Uint8Array(6) },
    ]);
    established({ address: OTHER, sid: 1 });
    expect((await found).address.equals(OTHER)).toBe(true);
  });

  test("to more than the list holds is refused as the controller says", async () => {
    const targets = [1, 2, 3, 4, 5].map((sid) => ({ address: PEER, sid }));
    await expect(syncs.synchronize(targets, {})).rejects.toMatchObject({ status: HciErrorCode.MemoryCapacityExceeded });
    await settled();
    expect(controller.scanning).toBeUndefined();
    await synchronized();
  });

  test("to a bonded peer with private addresses is looked for under the one that it has now", async () => {
    const found = syncs.synchronize({ address: IDENTITY, sid: 5 }, {});
    await settled();
    expect([controller.creating, controller.scanning]).toMatchObject([undefined, { filterDuplicates: 0 }]);
    for (const at of [
      { address: OTHER, type: 0 },
      { address: PRIVATE, sid: 6 },
      { address: PRIVATE, interval: 0 },
    ]) {
      scanner.onExtendedReport(...reportOf(at));
      await settled();
      expect(controller.creating).toBeUndefined();
    }
    scanner.onExtendedReport(...reportOf({ address: PRIVATE }));
    await settled();
    expect(controller.creating).toMatchObject({ advertiserAddressType: 1, advertiserAddress: PRIVATE.bytes });
    await delay(clock, 20_000); // it has another address by now
    expect(controller.creating).toBeUndefined();
    scanner.onExtendedReport(...reportOf({ address: PRIVATE }));
    await settled();
    established({ address: PRIVATE });
    expect((await found).identity?.equals(IDENTITY)).toBe(true);
  });

  test("waits for those that are asked for before", async () => {
    const first = syncs.synchronize(TARGET, {});
    const second = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    const third = syncs.synchronize({ address: OTHER, sid: 2 }, { timeoutMs: 100 });
    await expect(third).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(controller.creating).toMatchObject({ advertisingSid: 5 });
    established();
    await first;
    await settled();
    expect(controller.creating).toMatchObject({ advertisingSid: 1 });
    established({ handle: 2, address: OTHER, sid: 1 });
    expect((await second).handle).toBe(2);
  });
});

describe("an attempt", () => {
  test("that takes too long is cancelled, and the next one waits until the controller says so", async () => {
    controller.onSyncCancelled = undefined;
    await expect(syncs.synchronize(TARGET, { timeoutMs: 5000 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      timeoutMs: 5000,
      operation: `synchronizing to set 5 of ${PEER}`,
    });
    expect(clock.now()).toBeCloseTo(5000, -1);
    const next = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    await settled();
    expect([controller.log.at(-1), controller.creating]).toEqual(["PeriodicAdvertisingCreateSyncCancel", undefined]);
    established({ status: CANCELLED });
    await settled();
    expect(controller.creating).toMatchObject({ advertisingSid: 1 });
    established({ address: OTHER, sid: 1 });
    await next;
  });

  test("that is given up ends at once, and its scan with it", async () => {
    const leaving = new AbortController();
    const found = syncs.synchronize(TARGET, { signal: leaving.signal });
    await settled();
    leaving.abort(new Error("left"));
    await expect(found).rejects.toThrow("left");
    await settled();
    expect([controller.creating, controller.scanning]).toEqual([undefined, undefined]);
    await expect(syncs.synchronize(TARGET, { signal: leaving.signal })).rejects.toThrow("left");
  });

  test("that wins against its cancel is ended, and the next one waits for that", async () => {
    controller.onSyncCancelled = () => established();
    await expect(syncs.synchronize(TARGET, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(controller.log).toContain("PeriodicAdvertisingTerminateSync 1");
    expect([controller.syncs.size, syncs.all]).toEqual([0, []]);
  });

  test("whose cancel comes too late hears of the outcome", async () => {
    controller.refusals.set("LePeriodicAdvertisingCreateSyncCancel", HciErrorCode.CommandDisallowed);
    await expect(syncs.synchronize(TARGET, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    established();
    await settled();
    expect([controller.syncs.size, controller.log.at(-1)]).toEqual([0, "PeriodicAdvertisingTerminateSync 1"]);
  });

  test("of whose cancel nothing is heard is cancelled once more, which tells", async () => {
    controller.onSyncCancelled = undefined;
    await expect(syncs.synchronize(TARGET, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await delay(clock, 2001);
    const cancels = controller.log.filter((line) => line.startsWith("PeriodicAdvertisingCreateSyncCancel"));
    expect(cancels).toEqual(["PeriodicAdvertisingCreateSyncCancel", "PeriodicAdvertisingCreateSyncCancel refused"]);
    controller.onSyncCancelled = () => established({ status: CANCELLED });
    await synchronized();
  });

  test.each([HciErrorCode.MemoryCapacityExceeded, HciErrorCode.ConnectionAlreadyExists, HciErrorCode.UnsupportedFeatureOrParameterValue])(
    "that the controller refuses by status %i fails with that",
    async (status) => {
      controller.refusals.set("LePeriodicAdvertisingCreateSync", status);
      await expect(syncs.synchronize(TARGET, {})).rejects.toMatchObject({ code: "ERR_HCI", status });
      await settled();
      expect(controller.scanning).toBeUndefined();
    },
  );

  test("that ends with an error event fails with that; the first events not heard are another try", async () => {
    const found = syncs.synchronize(TARGET, {});
    await settled();
    established({ status: HciErrorCode.ConnectionFailedToBeEstablished });
    await delay(clock, 200);
    expect(controller.creating).toBeUndefined();
    await delay(clock, 100);
    expect(controller.creating).toMatchObject({ advertisingSid: 5 });
    established({ status: HciErrorCode.UnsupportedRemoteFeature });
    await expect(found).rejects.toMatchObject({ status: HciErrorCode.UnsupportedRemoteFeature });
  });

  test("is not answered by an event of another one", async () => {
    const found = syncs.synchronize(TARGET, {});
    await settled();
    for (const at of [{ address: OTHER, type: 0 }, { sid: 6 }]) {
      controller.syncs.add(9);
      const { creating } = controller;
      established({ handle: 9, ...at });
      controller.creating = creating;
      await settled();
    }
    established({ status: CANCELLED }); // of a cancel that nobody sent
    expect([controller.syncs.size, syncs.all]).toEqual([0, []]);
    established();
    expect((await found).handle).toBe(1);
    established({ handle: 3, sid: 7 });
    established({ status: HciErrorCode.ConnectionFailedToBeEstablished });
    await settled();
    expect([...controller.syncs]).toEqual([1]);
  });

  test("that the controller is at already, unknown to its host, is cancelled first", async () => {
    controller.creating = {};
    const found = syncs.synchronize(TARGET, {});
    await settled();
    expect(controller.log.slice(2)).toEqual([
      "PeriodicAdvertisingCreateSync refused",
      "PeriodicAdvertisingCreateSyncCancel",
      "PeriodicAdvertisingCreateSync",
    ]);
    established();
    await found;
    controller.creating = {};
    const several = syncs.synchronize(
      [1, 2].map((sid) => ({ address: OTHER, sid })),
      {},
    );
    await settled();
    expect(controller.creating).toMatchObject({ options: 1 });
    established({ handle: 2, address: OTHER, sid: 2 });
    await several;
  });

  test("whose command was not answered is cancelled", async () => {
    let failures = 1;
    controller.onAnswer = (name) => {
      if (name === "PeriodicAdvertisingCreateSync" && failures-- > 0) throw new TimeoutError(name, 1000);
    };
    await expect(syncs.synchronize(TARGET, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect([controller.creating, controller.scanning]).toEqual([undefined, undefined]);
    await synchronized();
  });

  test("ends where its scan does", async () => {
    controller.refusals.set("LeSetExtendedScanEnable", HciErrorCode.UnspecifiedError);
    await expect(syncs.synchronize(TARGET, {})).rejects.toMatchObject({ command: "LeSetExtendedScanEnable" });
    controller.refusals.clear();
    const found = syncs.synchronize(TARGET, {});
    await settled();
    scanner.close(new Error("no scans any more"));
    await expect(found).rejects.toThrow("no scans any more");
    await settled();
    expect(controller.creating).toBeUndefined();
  });

  test("goes on after a reset of the controller", async () => {
    const found = syncs.synchronize(TARGET, {});
    await settled();
    controller.reset();
    controller.log.length = 0;
    syncs.reset(new Error("reset"));
    radio.onReset();
    await settled();
    expect(controller.log).toEqual(["ScanParameters", "ScanEnable on", "PeriodicAdvertisingCreateSync"]);
    established();
    expect((await found).active).toBe(true);
  });

  test("ends with the device, and so do those that wait", async () => {
    const closed = new Error("closed");
    const first = syncs.synchronize(TARGET, {});
    const second = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    await settled();
    syncs.close(closed);
    await expect(first).rejects.toBe(closed);
    await expect(second).rejects.toBe(closed);
    await expect(syncs.synchronize(TARGET, {})).rejects.toBe(closed);
  });
});

test.each([1, 2, 3, 4, 5])("events at any moment, of any handle, leave nothing waiting and nothing that grows (seed %i)", async (seed) => {
  const random = new SeededRandom(seed);
  const octet = () => {
    const one = new Uint8Array(1);
    random.fill(one);
    return one[0]!;
  };
  let waiting = 0;
  const ask = (asked: Promise<unknown>): void => {
    waiting++;
    const done = () => void waiting--;
    asked.then(done, done);
  };
  const handle = () => octet() % 4;
  const address = () => (octet() % 2 ? PEER : OTHER);
  const statuses = [0, 0, 0, CANCELLED, HciErrorCode.ConnectionFailedToBeEstablished, HciErrorCode.MemoryCapacityExceeded];
  const refusals = ["LePeriodicAdvertisingTerminateSync", "LePeriodicAdvertisingCreateSyncCancel", "LePeriodicAdvertisingCreateSync"];
  for (let i = 0; i < 300; i++) {
    controller.refusals.clear();
    if (octet() < 40) controller.refusals.set(refusals[octet() % 3]!, [0x0c, 0x42, 0x1f][octet() % 3]!);
    switch (octet() % 8) {
      case 0:
        ask(syncs.synchronize({ address: address(), sid: octet() % 3 }, { timeoutMs: octet() * 10 }));
        break;
      case 1:
        established({ status: statuses[octet() % statuses.length]!, handle: handle(), address: address(), sid: octet() % 3 });
        break;
      case 2:
        syncs.onLost({ syncHandle: handle() });
        break;
      case 3:
        report(octets(octet() % 248), octet() % 3, { syncHandle: handle(), periodicEventCounter: octet(), subevent: octet() });
        break;
      case 4:
        for (const sync of syncs.all) if (octet() % 2) ask(sync.stop());
        break;
      case 5:
        if (octet() < 20) {
          controller.reset();
          syncs.reset(new Error("reset"));
          radio.onReset();
        }
        break;
      default:
        await delay(clock, octet());
    }
  }
  controller.refusals.clear();
  await delay(clock, 60_000);
  expect(waiting).toBe(0);
  for (const sync of syncs.all) await sync.stop();
  await delay(clock, 60_000);
  expect([syncs.all, controller.creating, controller.scanning]).toEqual([[], undefined, undefined]);
  await expect(synchronized()).resolves.toMatchObject({ active: true });
});
