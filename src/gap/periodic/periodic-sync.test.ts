import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  beginSyncs,
  clock,
  controller,
  endSyncs,
  established,
  OTHER,
  octets,
  PEER,
  report,
  settled,
  stuck,
  synchronized,
  syncs,
} from "../../../test/support/sync-stack.ts";
import { delay } from "../../async/clock.ts";
import { SeededRandom } from "../../core/random.ts";
import { HciErrorCode } from "../../hci/error.ts";
import { LeFeature } from "../../hci/features.ts";
import { createKeyMaterial, decryptAdvertisingData, encryptAdvertisingData } from "../encrypted-data.ts";

// Following periodic advertising, on a controller that knows the rules of it (Vol 4 Part E 7.8.69, 7.8.88, 7.8.126, 7.8.127).

beforeEach(beginSyncs);
afterEach(() => expect(endSyncs()).toEqual([]));

describe("the end", () => {
  test("by the program: no report follows, and the controller ends it", async () => {
    const sync = await synchronized();
    const reports = sync.reports();
    const stopping = sync.stop();
    report(octets(3));
    await stopping;
    expect([controller.log.at(-1), (await reports.next()).done, await sync.closed]).toEqual([
      "PeriodicAdvertisingTerminateSync 1",
      true,
      { reason: "stopped", error: undefined },
    ]);
    await sync.stop();
    await expect(sync.setReceiving(true)).rejects.toMatchObject({ code: "ERR_STATE" });
    expect([sync.active, syncs.all, controller.syncs.size]).toEqual([false, [], 0]);
  });

  test("with the train: loops throw, and commands too", async () => {
    const sync = await synchronized();
    const reports = sync.reports();
    report(octets(3));
    syncs.onLost({ syncHandle: 2 });
    expect(sync.active).toBe(true);
    syncs.onLost({ syncHandle: 1 });
    expect((await reports.next()).value?.data.bytes).toEqual(octets(3));
    await expect(reports.next()).rejects.toMatchObject({ code: "ERR_SYNC_LOST", sid: 5, address: PEER });
    await expect(sync.setReceiving(false)).rejects.toMatchObject({ code: "ERR_SYNC_LOST" });
    expect((await sync.closed).reason).toBe("lost");
    await sync.stop();
    expect(controller.log.filter((line) => line.startsWith("PeriodicAdvertisingTerminate"))).toEqual([]);
    await synchronized();
  });

  test("with a reset of the controller", async () => {
    const sync = await synchronized();
    const cause = new Error("reset");
    syncs.reset(cause);
    expect(sync.ended).toMatchObject({ reason: "lost", error: { code: "ERR_SYNC_LOST", cause } });
  });

  test("where the controller does not know it any more, or gives its handle to another one", async () => {
    const first = await synchronized();
    controller.syncs.clear();
    await expect(first.setReceiving(false)).rejects.toMatchObject({ code: "ERR_SYNC_LOST" });
    await settled();
    const second = await synchronized();
    const third = await synchronized({}, { address: OTHER });
    expect([second.ended?.reason, third.active, syncs.all]).toEqual(["lost", true, [third]]);
    controller.syncs.clear();
    await third.stop(); // it is gone, which is what was asked for
    expect(stuck).toEqual([]);
  });

  test("that the controller refuses is tried again, and at last the controller is given up", async () => {
    const sync = await synchronized();
    controller.refusals.set("LePeriodicAdvertisingTerminateSync", HciErrorCode.UnspecifiedError);
    await expect(sync.stop()).rejects.toMatchObject({ status: HciErrorCode.UnspecifiedError });
    expect(sync.active).toBe(false);
    controller.refusals.clear();
    await delay(clock, 501);
    expect(controller.syncs.size).toBe(0);
    const again = await synchronized();
    controller.refusals.set("LePeriodicAdvertisingTerminateSync", HciErrorCode.UnspecifiedError);
    await expect(again.stop()).rejects.toMatchObject({ code: "ERR_HCI" });
    await delay(clock, 500 + 1000 + 2000);
    expect(stuck).toEqual([]);
    await delay(clock, 4001);
    expect(stuck).toMatchObject([{ code: "ERR_CONTROLLER" }]);
  });

  test("that the controller disallows, though it looks for nothing, is tried again later", async () => {
    const sync = await synchronized();
    controller.refusals.set("LePeriodicAdvertisingTerminateSync", HciErrorCode.CommandDisallowed);
    controller.log.length = 0;
    await expect(sync.stop()).rejects.toMatchObject({ status: HciErrorCode.CommandDisallowed });
    expect(controller.log).toEqual(["PeriodicAdvertisingTerminateSync 1 refused"]);
    controller.refusals.clear();
    await delay(clock, 501);
    expect(controller.syncs.size).toBe(0);
  });

  test("of one that is gone while another is being looked for is no failure", async () => {
    const sync = await synchronized();
    const next = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    await settled();
    controller.onSyncCancelled = () => {
      controller.syncs.delete(1);
      established({ status: HciErrorCode.OperationCancelledByHost });
    };
    await sync.stop();
    await settled();
    established({ handle: 2, address: OTHER, sid: 1 });
    expect((await next).active).toBe(true);
  });

  test("of one that is lost meanwhile does not end the one that was found then, and has its handle", async () => {
    const sync = await synchronized();
    const next = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    await settled();
    // The cancel comes too late.
    controller.onSyncCancelled = () => {
      syncs.onLost({ syncHandle: 1 });
      established({ handle: 1, address: OTHER, sid: 1 });
    };
    await sync.stop();
    const found = await next;
    await settled();
    expect([found.active, found.handle, [...controller.syncs]]).toEqual([true, 1, [1]]);
  });

  test("whose answer was lost is asked for again; that it is gone by itself ends that", async () => {
    const sync = await synchronized();
    controller.refusals.set("LePeriodicAdvertisingTerminateSync", HciErrorCode.UnspecifiedError);
    await expect(sync.stop()).rejects.toThrow();
    syncs.onLost({ syncHandle: 1 });
    controller.log.length = 0;
    await delay(clock, 10_000);
    expect(controller.log).toEqual([]);
  });

  test("waits for no other that is being looked for: the controller stops looking for a moment", async () => {
    const sync = await synchronized();
    const next = syncs.synchronize({ address: OTHER, sid: 1 }, {});
    await settled();
    controller.log.length = 0;
    await sync.stop();
    await settled();
    expect(controller.log).toEqual([
      "PeriodicAdvertisingTerminateSync 1 refused",
      "PeriodicAdvertisingCreateSyncCancel",
      "PeriodicAdvertisingTerminateSync 1",
      "PeriodicAdvertisingCreateSync",
    ]);
    established({ handle: 2, address: OTHER, sid: 1 });
    expect((await next).active).toBe(true);
  });
});

describe("reports", () => {
  test("come whole, with what the controller says of their reception", async () => {
    const sync = await synchronized();
    const reports = sync.reports();
    report(octets(3), 0, { txPower: 4, rssi: 127 });
    report(octets(200), 1);
    report(octets(100), 1);
    report(octets(50), 0);
    report(octets(10), 2);
    report(octets(247), 1);
    report(octets(1), 2);
    report(new Uint8Array(0));
    const told = [];
    for (let i = 0; i < 5; i++) {
      const { status, data, rssiDbm, txPowerDbm, subevent, eventCounter } = (await reports.next()).value!;
      told.push([status, data.bytes.length, rssiDbm, txPowerDbm, subevent, eventCounter]);
    }
    expect(told).toEqual([
      ["complete", 3, undefined, 4, undefined, undefined],
      ["complete", 350, -60, undefined, undefined, undefined],
      ["truncated", 10, -60, undefined, undefined, undefined],
      ["truncated", 248, -60, undefined, undefined, undefined],
      ["complete", 0, -60, undefined, undefined, undefined],
    ]);
  });

  test("have at most 1650 octets, whatever the controller sends", async () => {
    const sync = await synchronized();
    const reports = sync.reports();
    for (let i = 0; i < 100; i++) report(octets(247), 1);
    report(octets(1));
    const { status, data } = (await reports.next()).value!;
    expect([status, data.bytes.length]).toEqual(["truncated", 1650]);
  });

  test("that came before the first loop are in it, of many the last ones", async () => {
    const sync = await synchronized();
    for (let i = 0; i < 40; i++) report(octets(1, i));
    const reports = sync.reports();
    report(octets(1, 99));
    const firsts = [];
    for (let i = 0; i < 33; i++) firsts.push((await reports.next()).value!.data.bytes[0]);
    expect(firsts).toEqual([...Array.from({ length: 32 }, (_, i) => i + 8), 99]);
    const later = sync.reports({ signal: AbortSignal.abort(new Error("left")) });
    await expect(later.next()).rejects.toThrow("left");
    expect(() => sync.reports({ sig: 1 } as never)).toThrow("unknown option");
  });

  test("of other handles are nobody's", async () => {
    const sync = await synchronized();
    report(octets(1), 0, { syncHandle: 2 });
    report(octets(2));
    expect((await sync.reports().next()).value!.data.bytes).toEqual(octets(2));
  });

  test("that say nothing new are not told where that is asked for", async () => {
    const sync = await synchronized({ duplicates: "filter" });
    const reports = sync.reports();
    for (const data of [octets(1), octets(1), octets(2), octets(1), octets(1)]) report(data);
    report(octets(1), 2);
    report(octets(3));
    const told = [];
    for (let i = 0; i < 5; i++) told.push((await reports.next()).value!.data.bytes.length);
    expect(told).toEqual([1, 2, 1, 1, 3]);
  });

  test("are switched off and on", async () => {
    const sync = await synchronized({ receive: false });
    report(octets(1));
    await sync.setReceiving(true);
    expect([sync.receiving, controller.last("LeSetPeriodicAdvertisingReceiveEnable")]).toEqual([true, { syncHandle: 1, enable: 1 }]);
    report(octets(2));
    expect((await sync.reports().next()).value!.data.bytes).toEqual(octets(2));
    await sync.setReceiving(true, { duplicates: "filter" });
    expect(controller.last("LeSetPeriodicAdvertisingReceiveEnable")).toEqual({ syncHandle: 1, enable: 3 });
    await sync.setReceiving(false);
    expect([sync.receiving, controller.last("LeSetPeriodicAdvertisingReceiveEnable")]).toEqual([false, { syncHandle: 1, enable: 0 }]);
    controller.features.delete(LeFeature.PeriodicAdvertisingAdiSupport);
    await sync.setReceiving(true);
    expect(controller.last("LeSetPeriodicAdvertisingReceiveEnable")).toEqual({ syncHandle: 1, enable: 1 });
    await expect(sync.setReceiving(1 as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(sync.setReceiving(true, { duplicates: "once" as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    controller.unsupported.add("LeSetPeriodicAdvertisingReceiveEnable");
    await expect(sync.setReceiving(true)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test("may be encrypted (Supplement Part A 1.23)", async () => {
    const material = createKeyMaterial(new SeededRandom(3));
    const { data } = encryptAdvertisingData(material, { name: "Ward 3" });
    const sync = await synchronized();
    report(Uint8Array.of(data.length + 1, 0x31, ...data));
    const { value } = await sync.reports().next();
    expect(decryptAdvertisingData(material, value!.data)?.name).toBe("Ward 3");
  });
});

describe("a train with responses", () => {
  const SUBEVENTS = { numSubevents: 4, subeventInterval: 16, responseSlotDelay: 4, responseSlotSpacing: 8 };
  const withSubevents = () => synchronized({}, SUBEVENTS);

  test("tells of its subevents and slots", async () => {
    expect((await withSubevents()).subevents).toEqual({ count: 4, intervalMs: 20, responses: { delayMs: 5, spacingMs: 1 } });
    const other = await synchronized({}, { handle: 2, address: OTHER, numSubevents: 1, subeventInterval: 6 } as object);
    expect(other.subevents).toEqual({ count: 1, intervalMs: 7.5, responses: undefined });
  });

  test("is heard in the subevents that are selected", async () => {
    const sync = await withSubevents();
    await sync.selectSubevents([0, 3, 0]);
    expect(controller.last("LeSetPeriodicSyncSubevent")).toEqual({ syncHandle: 1, periodicAdvertisingProperties: 0, subevents: [0, 3] });
    await sync.selectSubevents([1], { includeTxPower: true });
    expect(controller.last("LeSetPeriodicSyncSubevent")).toMatchObject({ periodicAdvertisingProperties: 0x40 });
    for (const wrong of [[], [4], [-1], ["1"], 1])
      await expect(sync.selectSubevents(wrong as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    const plain = await synchronized({}, { handle: 2, address: OTHER });
    await expect(plain.selectSubevents([0])).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("is reported by subevent, and what was not heard is told", async () => {
    const sync = await withSubevents();
    const reports = sync.reports();
    const at = (periodicEventCounter: number, subevent: number) => ({ periodicEventCounter, subevent });
    report(octets(100), 1, at(7, 0));
    report(octets(5), 0, at(7, 1));
    report(octets(100), 0, at(7, 0));
    report(octets(100), 1, at(8, 2)); // the rest never comes
    report(octets(9), 0, at(9, 2));
    report(octets(100), 1, at(9, 3));
    report(octets(0), 0xff, at(9, 3));
    report(octets(1), 0, at(9, 0xff));
    const told = [];
    for (let i = 0; i < 5; i++) {
      const { status, data, subevent, eventCounter } = (await reports.next()).value!;
      told.push([eventCounter, subevent, status, data.bytes.length]);
    }
    expect(told).toEqual([
      [7, 1, "complete", 5],
      [7, 0, "complete", 200],
      [9, 2, "complete", 9],
      [9, 3, "missed", 0],
      [9, undefined, "complete", 1],
    ]);
  });

  test("is answered in a slot of the same subevent or of another", async () => {
    const sync = await withSubevents();
    report(octets(3), 0, { periodicEventCounter: 0xfffe, subevent: 2 });
    const { value } = await sync.reports().next();
    await sync.respond({ to: value!, slot: 5, data: { name: "a" } });
    expect(controller.last("LeSetPeriodicAdvertisingResponseData")).toEqual({
      syncHandle: 1,
      requestEvent: 0xfffe,
      requestSubevent: 2,
      responseSubevent: 2,
      responseSlot: 5,
      responseData: Uint8Array.of(2, 9, 97),
    });
    await sync.respond({ to: value!, subevent: 3, slot: 255, data: octets(247) });
    expect(controller.last("LeSetPeriodicAdvertisingResponseData")).toMatchObject({ responseSubevent: 3, responseSlot: 255 });
    for (const wrong of [
      { to: value!, slot: 256, data: octets(1) },
      { to: value!, slot: 0, data: octets(248) },
      { to: value!, slot: 0, subevent: 4, data: octets(1) },
      { to: { ...value!, eventCounter: undefined }, slot: 0, data: octets(1) },
      { to: value!, slot: 0, data: octets(1), more: 1 } as never,
    ])
      await expect(sync.respond(wrong)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    controller.refusals.set("LeSetPeriodicAdvertisingResponseData", HciErrorCode.TooLate);
    await expect(sync.respond({ to: value!, slot: 0, data: octets(1) })).rejects.toMatchObject({ status: HciErrorCode.TooLate });
    controller.unsupported.add("LeSetPeriodicAdvertisingResponseData");
    await expect(sync.respond({ to: value!, slot: 0, data: octets(1) })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
