import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import type { Connection } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import type { BleEventOf, BleOptions } from "../src/micropython/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { connect, Instance, ORDERS, openTwo, type Two } from "./support/micropython.ts";

const FAST = [0, 30_000, 30_000] as const;
const NOBODY = [0xffff, 0xff, "000000000000"];

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
/** The one link of an instance, as the host has it: for what no method of the API does. */
const hostLink = ({ ble }: Instance): Connection => ble.device!.links[0]!;
const addressOf = ({ ble }: Instance): [number, Uint8Array] => {
  const { addrType, addr } = ble.config("mac");
  return [addrType, addr];
};
const fields = ({ connHandle, addrType, addr }: BleEventOf<"peripheralDisconnect">): unknown[] => [connHandle, addrType, hex(addr)];

/** Everything heard of others in so many milliseconds, each kind of report once: type and data. */
async function heard({ central, air }: Two, ms = 500, active = false): Promise<string[]> {
  await central.ble.gapScan(ms, 30_000, 30_000, active);
  central.clear();
  await delay(air.clock, ms + 100);
  const reports = central.events.flatMap((event) => (event.type === "scanResult" ? [`${event.advType} ${hex(event.advData)}`] : []));
  expect(central.types.at(-1)).toBe("scanDone");
  return [...new Set(reports)].toSorted();
}

/** Controllers whose commands are the legacy ones. */
const LEGACY = { radio: { features: { extendedAdvertising: false } } };

describe("gapAdvertise", () => {
  test("can be connected to or scanned, and is replaced while it is on the air", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    await ble.gapAdvertise(20_000, octets(1, 2, 3));
    expect(await heard(two)).toEqual(["0 010203"]);
    await ble.gapAdvertise(20_000, octets(1, 2, 3), { connectable: false });
    expect(await heard(two)).toEqual(["2 010203"]);
    await ble.gapAdvertise(20_000, "text", { connectable: 1, respData: "answer" });
    expect(await heard(two)).toEqual(["0 74657874"]);
    expect(await heard(two, 500, true)).toEqual(["0 74657874", "4 616e73776572"]);
    await ble.gapAdvertise(null);
    expect(await heard(two)).toEqual([]);
  });

  test("data outlive a stop until they are cleared; nothing is put in by us, and nothing is needed", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    await ble.gapAdvertise(20_000);
    expect(await heard(two, 500, true)).toEqual(["0 ", "4 "]);
    await ble.gapAdvertise(20_000, octets(1, 2), { respData: octets(3) });
    await ble.gapAdvertise(null);
    await ble.gapAdvertise(20_000);
    expect(await heard(two, 500, true)).toEqual(["0 0102", "4 03"]);
    await ble.gapAdvertise(20_000, octets(4));
    expect(await heard(two, 500, true)).toEqual(["0 04", "4 03"]);
    await ble.gapAdvertise(20_000, null, { respData: "" });
    expect(await heard(two, 500, true)).toEqual(["0 04", "4 "]);
    await ble.gapAdvertise(20_000, "");
    expect(await heard(two, 500, true)).toEqual(["0 ", "4 "]);
    await ble.gapAdvertise(20_000, octets(5));
    await ble.active(false);
    await ble.active(true);
    await ble.gapAdvertise(20_000);
    expect(await heard(two)).toEqual(["0 "]);
  });

  test("intervals are asked for in units of 0.625 ms", async () => {
    await using two = await openTwo(undefined, LEGACY);
    for (const [intervalUs, units] of [
      [20_000, 32],
      [50_000, 80],
      [100_624, 160],
      [500_000, 800],
      [10_240_000, 16_384],
      [undefined, 800],
      [0, 48],
      [624, 48],
    ] as const) {
      await two.peripheral.ble.gapAdvertise(intervalUs);
      expect([intervalUs, two.peripheral.asked("LeSetAdvertisingParameters")]).toMatchObject([
        intervalUs,
        { advertisingIntervalMin: units },
      ]);
    }
  });

  test.each(["fixed", "strict"] as const)("what does not fit is refused, and what is on the air stays there (%s)", async (compat) => {
    await using two = await openTwo("central first", { compat });
    const { ble } = two.peripheral;
    await ble.gapAdvertise(20_000, octets(1));
    for (const [args, error, strictErrno] of [
      [[19_999], { code: "EINVAL", hciStatus: 0x12 }, -530],
      [[625], { code: "EINVAL", hciStatus: 0x12 }, -530],
      [[10_240_625], { code: "EINVAL", hciStatus: 0x12 }, -530],
      [[20_000, new Uint8Array(32)], { code: "EINVAL" }, -18],
      [[20_000, "", { respData: "x".repeat(32) }], { code: "EINVAL" }, -18],
    ] as const)
      await expect(ble.gapAdvertise(...(args as unknown as [number]))).rejects.toMatchObject({
        ...error,
        errno: compat === "strict" ? strictErrno : 22,
      });
    expect(await heard(two)).toEqual(["0 01"]);
  });

  test("what are no arguments", async () => {
    await using two = await openTwo();
    for (const [args, pythonName] of [
      [["20000"], "TypeError"],
      [[20_000.5], "TypeError"],
      [[-1], "ValueError"],
      [[20_000, 5], "TypeError"],
      [[20_000, "", { respData: 5 }], "TypeError"],
      [[20_000, "", { connectable: "no" }], "TypeError"],
      [[20_000, "", { resp_data: "" }], "TypeError"],
      [[20_000, "", null], "TypeError"],
    ] as const)
      await expect(two.peripheral.ble.gapAdvertise(...(args as unknown as [number]))).rejects.toMatchObject({ pythonName });
  });

  test("ends with a connection, and is not begun again; it may be begun while connected", async () => {
    await using two = await openTwo();
    await connect(two);
    expect(await heard(two, 300)).toEqual([]);
    await two.peripheral.ble.gapAdvertise(20_000, octets(9));
    expect(await heard(two, 300)).toEqual(["0 09"]);
    await two.central.ble.gapDisconnect(hostLink(two.central).handle);
    await two.peripheral.next("centralDisconnect");
    expect(await heard(two, 300)).toEqual(["0 09"]);
  });

  test("without room for another connection it is ENOMEM; what cannot be connected to is advertised all the same", async () => {
    await using air = new SimulatedAir();
    const peripheral = new Instance(air, "peripheral", {}, { maxConnections: 1 });
    const central = new Instance(air, "central");
    await peripheral.ble.active(true);
    await central.ble.active(true);
    const two = { air, central, peripheral } as unknown as Two;
    await connect(two);
    await expect(peripheral.ble.gapAdvertise(20_000)).rejects.toMatchObject({ code: "ENOMEM" });
    await peripheral.ble.gapAdvertise(20_000, octets(7), { connectable: false });
    expect(await heard(two, 300)).toEqual(["2 07"]);
    await peripheral.ble.close();
    await central.ble.close();
  });

  test("a controller that does not allow it has no room where there is a connection, and is busy where there is none", async () => {
    await using two = await openTwo(undefined, LEGACY);
    const { central, peripheral } = two;
    const refusing = (): Disposable =>
      peripheral.controller.onHciPacket(({ packet }) => {
        const isEnable = packet[0] === 4 && packet[1] === 0x0e && packet[4] === 0x0a && packet[5] === 0x20; // LE Set Advertising Enable
        return isEnable ? octets(...packet.subarray(0, 6), 0x0c) : undefined;
      });
    const first = refusing();
    await expect(peripheral.ble.gapAdvertise(20_000)).rejects.toMatchObject({ code: "EBUSY", hciStatus: 0x0c });
    first[Symbol.dispose]();
    await delay(two.air.clock, 3000);
    const { c } = await connect(two);
    const second = refusing();
    await expect(peripheral.ble.gapAdvertise(20_000)).rejects.toMatchObject({ code: "ENOMEM", hciStatus: 0x0c });
    await expect(peripheral.ble.gapAdvertise(20_000, null, { connectable: false })).rejects.toMatchObject({ code: "EBUSY" });
    second[Symbol.dispose]();
    expect(await central.ble.gapDisconnect(c)).toBe(true);
    await peripheral.next("centralDisconnect");
  });

  test("calls at once take effect one after the other", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    await Promise.all([
      ble.gapAdvertise(20_000, octets(1)),
      ble.gapAdvertise(null),
      ble.gapAdvertise(20_000, octets(2)),
      ble.gapAdvertise(20_000, octets(3)),
    ]);
    expect(await heard(two)).toEqual(["0 03"]);
  });
});

describe("gapScan", () => {
  test("reports every advertisement, with address, type and strength", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    await peripheral.ble.gapAdvertise(20_000, octets(1, 2));
    await central.ble.gapScan(...FAST);
    await delay(air.clock, 1000);
    await central.ble.gapScan(null);
    const reports = central.events.filter((event) => event.type === "scanResult");
    expect(reports.length).toBeGreaterThan(20); // no duplicate is filtered
    const [addrType, addr] = addressOf(peripheral);
    for (const report of reports) expect(report).toMatchObject({ code: 5, addrType, addr, advType: 0, advData: octets(1, 2) });
    expect(reports[0]!.rssi).toBeLessThan(0);
    reports[0]!.advData[0] = 9;
    expect(reports[1]!.advData[0]).toBe(1);
    expect(central.types.at(-1)).toBe("scanDone");
    await delay(air.clock, 200);
    expect(central.types.at(-1)).toBe("scanDone");
  });

  test("sees in 6 s, at 30 ms, both what can be connected to and what cannot", async () => {
    await using two = await openTwo("peripheral first");
    const { peripheral, air } = two;
    await peripheral.ble.gapAdvertise(500_000, "fixed");
    const all = heard(two, 6000);
    await delay(air.clock, 3000);
    await peripheral.ble.gapAdvertise(500_000, "fixed", { connectable: false });
    expect(await all).toEqual(["0 6669786564", "2 6669786564"]);
  });

  test("is passive unless asked", async () => {
    await using two = await openTwo();
    await two.peripheral.ble.gapAdvertise(20_000, octets(1), { respData: octets(2) });
    expect(await heard(two)).toEqual(["0 01"]);
    expect(two.air.trace("ScanReq")).toEqual([]);
    expect(await heard(two, 500, true)).toEqual(["0 01", "4 02"]);
  });

  test("ends after its duration, or when it is stopped, and says so once; stopping without a scan says nothing", async () => {
    await using two = await openTwo();
    const { central, air } = two;
    await central.ble.gapScan(null);
    await central.ble.gapScan(1000);
    await delay(air.clock, 990);
    expect(central.types).toEqual([]);
    await delay(air.clock, 30);
    expect(central.types).toEqual(["scanDone"]);
    await central.ble.gapScan(1000);
    await central.ble.gapScan(null);
    expect(central.types).toEqual(["scanDone", "scanDone"]);
    await delay(air.clock, 2000);
    await central.ble.gapScan(null);
    expect(central.types).toEqual(["scanDone", "scanDone"]);
    await central.ble.gapScan(0);
    await delay(air.clock, 100_000);
    expect(central.types).toHaveLength(2);
    await Promise.all([central.ble.gapScan(null), central.ble.gapScan(null)]);
    expect(central.types).toHaveLength(3);
  });

  test("stopped while it begins, it ends", async () => {
    await using two = await openTwo();
    const { central, air } = two;
    await Promise.all([central.ble.gapScan(0), central.ble.gapScan(null)]);
    await delay(air.clock, 100);
    expect(central.types).toEqual(["scanDone"]);
    await central.ble.gapScan(100);
  });

  test("one at a time, and not while connecting", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const first = ble.gapScan();
    await expect(ble.gapScan()).rejects.toMatchObject({ code: "EALREADY", errno: 114 });
    await first;
    await expect(ble.gapScan()).rejects.toMatchObject({ code: "EALREADY" });
    await ble.gapScan(null);
    await ble.gapConnect(1, "C0:00:00:00:00:01");
    await expect(ble.gapScan()).rejects.toMatchObject({ code: "EBUSY", errno: 16 });
    await ble.gapConnect(null);
    await ble.gapScan(100);
  });

  test("intervals and windows are asked for in units of 0.625 ms, and held within what there is", async () => {
    await using two = await openTwo(undefined, LEGACY);
    const { ble } = two.central;
    for (const [args, interval, window] of [
      [[], 2048, 18],
      [[0, 30_000, 30_000], 48, 48],
      [[0, 1, 0], 4, 4],
      [[0, 99_999_999, 99_999_999], 16_384, 16_384],
      [[0, 30_624, 11_249], 48, 17],
    ] as const) {
      await ble.gapScan(...args);
      await ble.gapScan(null);
      expect([args, two.central.asked("LeSetScanParameters")]).toMatchObject([args, { leScanInterval: interval, leScanWindow: window }]);
    }
  });

  test("what is refused", async () => {
    await using two = await openTwo();
    for (const [args, error] of [
      [[0, 30_000, 60_000], { code: "EINVAL" }],
      [["0"], { pythonName: "TypeError" }],
      [[-1], { pythonName: "ValueError" }],
      [[0, null], { pythonName: "TypeError" }],
      [[0, 30_000, -5], { pythonName: "ValueError" }],
      [[0, 30_000, 30_000, "yes"], { pythonName: "TypeError" }],
    ] as const)
      await expect(two.central.ble.gapScan(...(args as unknown as []))).rejects.toMatchObject(error);
    await two.central.ble.gapScan(10);
  });

  test("a controller that refuses has not begun; one that does not end it is told of, and the scan is over", async () => {
    await using two = await openTwo(undefined, LEGACY);
    const { central, air } = two;
    const enable = 0x0c;
    const faults = { on: true, off: false };
    const hook = central.controller.onHciPacket(({ packet }) => {
      if (packet[0] !== 1 || packet[1] !== enable || packet[2] !== 0x20) return undefined;
      return (packet[4] === 1 ? faults.on : faults.off) ? octets(1, 0xff, 0xff, 0) : undefined; // another, unknown command
    });
    const refused = central.ble.gapScan();
    await expect(refused).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(central.types).toEqual([]);
    faults.on = false;
    await delay(air.clock, 1000);
    await central.ble.gapScan(100);
    faults.off = true;
    await delay(air.clock, 5000);
    hook[Symbol.dispose]();
    await delay(air.clock, 5000);
    expect(central.types.filter((type) => type === "scanDone")).toHaveLength(1);
  });

  test.each([
    [16, 1, 1], // the one in hand: the end of the scan takes the place of the one that waited
    [40, 3, 3],
    [1000, 20, 60],
  ])("a handler that takes its time is told of what rxbuf holds: %i octets", async (rxbuf, least, most) => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    await central.ble.config({ rxbuf });
    await peripheral.ble.gapAdvertise(20_000);
    let release: () => void = () => undefined;
    central.handle = ({ type }) => {
      if (type === "scanResult" && central.events.length === 1) return new Promise<void>((resolve) => (release = resolve));
      return undefined;
    };
    await central.ble.gapScan(...FAST);
    await delay(air.clock, 1000);
    await central.ble.gapScan(null);
    expect(central.types).toEqual(["scanResult"]);
    release();
    await central.next("scanDone");
    const reports = central.types.filter((type) => type === "scanResult").length;
    expect(reports).toBeGreaterThanOrEqual(least);
    expect(reports).toBeLessThanOrEqual(most);
  });

  test("knows a bonded peer behind its private address, and can connect to what it knows", async () => {
    const irk = new Uint8Array(16).fill(5);
    await using air = new SimulatedAir();
    const peripheral = new Instance(air, "peripheral", { irk });
    await peripheral.ble.active(true);
    const bonds = new MemoryBondStore();
    const identity = peripheral.ble.device!.identity;
    await bonds.save({ ...BOND, identity, peerIrk: irk });
    const central = new Instance(air, "central", { bonds });
    await central.ble.active(true);
    await peripheral.ble.config({ addrMode: 2 });
    await peripheral.ble.gapAdvertise(20_000);
    await central.ble.gapScan(...FAST);
    const { addrType, addr } = await central.next("scanResult");
    expect([addrType, hex(addr)]).toEqual([2, hex(peripheral.ble.config("mac").addr)]);
    await central.ble.gapConnect(addrType, addr);
    const connected = await central.next("peripheralConnect");
    expect([connected.addrType, hex(connected.addr)]).toEqual([0, hex(addr)]);
    await expect(central.ble.gapConnect(0, addr)).rejects.toMatchObject({ code: "EALREADY" });
    await central.ble.close();
    await peripheral.ble.close();
  });
});

const BOND = { localIrkDistributed: false, authenticated: false, secureConnections: true };

describe("gapConnect", () => {
  test.each(ORDERS)("two connect, one ends it, both hear of it; they connect again (%s)", async (order) => {
    await using two = await openTwo(order);
    const { central, peripheral } = two;
    for (const [who, at] of [
      [central, "c"],
      [peripheral, "p"],
    ] as const) {
      const handles = await connect(two);
      expect(await who.ble.gapDisconnect(handles[at])).toBe(true);
      const [atCentral, atPeripheral] = await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
      expect([atCentral.connHandle, atPeripheral.connHandle]).toEqual([handles.c, handles.p]);
      expect([atCentral.reason, atPeripheral.reason]).toEqual(who === central ? [0x16, 0x13] : [0x13, 0x16]);
      expect(await who.ble.gapDisconnect(handles[at])).toBe(false);
    }
    const named = (instance: Instance): unknown[] =>
      instance.events.flatMap((event) => (/connect$/i.test(event.type) ? [[event.type, hex((event as { addr: Uint8Array }).addr)]] : []));
    const peripheralAddress = hex(addressOf(peripheral)[1]);
    const centralAddress = hex(addressOf(central)[1]);
    const twice = <T>(...values: T[]): T[] => [...values, ...values];
    expect(named(central)).toEqual(twice(["peripheralConnect", peripheralAddress], ["peripheralDisconnect", peripheralAddress]));
    expect(named(peripheral)).toEqual(twice(["centralConnect", centralAddress], ["centralDisconnect", centralAddress]));
  });

  test("takes an address as octets, in a view, or as text; the peer may begin to advertise later", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    const [addrType, addr] = addressOf(peripheral);
    const text = hex(addr).match(/../g)!.join(":");
    for (const given of [addr, new DataView(addr.buffer), text, text.toUpperCase()]) {
      await central.ble.gapConnect(addrType, given);
      await delay(air.clock, 500);
      await peripheral.ble.gapAdvertise(20_000);
      const { connHandle } = await central.next("peripheralConnect");
      await central.ble.gapDisconnect(connHandle);
      await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
    }
  });

  test("intervals are asked for in units of 1.25 ms", async () => {
    await using two = await openTwo(undefined, LEGACY);
    const { central, peripheral } = two;
    for (const [args, min, max] of [
      [[], 30, 50],
      [[null, null, null], 30, 50],
      [[2000, 12_500, 12_500], 12.5, 12.5],
      [[2000, 12_500], 12.5, 50],
      [[2000, 31_249, 31_250], 30, 31.25],
      [[2000, null, 100_000], 30, 100],
      [[2000, 7500, 1_278_750], 7.5, 1278.75],
    ] as const) {
      await peripheral.ble.gapAdvertise(20_000);
      await central.ble.gapConnect(...addressOf(peripheral), ...args);
      const { connHandle } = await central.next("peripheralConnect");
      expect([args, central.asked("LeCreateConnection")]).toMatchObject([
        args,
        {
          leScanInterval: 16,
          leScanWindow: 16,
          connectionIntervalMin: min / 1.25,
          connectionIntervalMax: max / 1.25,
          maxLatency: 0,
          supervisionTimeout: 256,
        },
      ]);
      const { intervalMs, supervisionTimeoutMs } = hostLink(central).parameters;
      expect([intervalMs >= min && intervalMs <= max, supervisionTimeoutMs]).toEqual([true, 2560]);
      await central.ble.gapDisconnect(connHandle);
      await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
    }
  });

  test.each([
    [undefined, 2000],
    [null, 2000],
    [500, 500],
    [0, 30_000],
  ])("gives up after %s: %i ms, and tells", async (scanDurationMs, ms) => {
    await using two = await openTwo();
    const { central, air } = two;
    const startMs = air.nowMs;
    await central.ble.gapConnect(1, "C0:00:00:00:00:01", scanDurationMs);
    const event = await central.next("peripheralDisconnect");
    expect(fields(event)).toEqual(NOBODY);
    expect(event.reason).toBe(0x08);
    expect(Math.abs(air.nowMs - startMs - ms)).toBeLessThan(20);
    await central.ble.gapScan(10); // nothing is left of it
  });

  test("is cancelled with an event; without an attempt that is EALREADY", async () => {
    await using two = await openTwo();
    const { central, air } = two;
    await expect(central.ble.gapConnect(null)).rejects.toMatchObject({ code: "EALREADY" });
    await central.ble.gapConnect(1, "C0:00:00:00:00:01");
    await delay(air.clock, 100);
    await central.ble.gapConnect(null);
    expect(central.types).toEqual(["peripheralDisconnect"]);
    expect(fields(central.events[0] as never)).toEqual(NOBODY);
    expect(central.events[0]).toMatchObject({ reason: 0x44 });
    await expect(central.ble.gapConnect(null)).rejects.toMatchObject({ code: "EALREADY" });
    // Before the controller was asked, too.
    await Promise.all([central.ble.gapConnect(1, "C0:00:00:00:00:01"), central.ble.gapConnect(null)]);
    expect(central.types).toEqual(["peripheralDisconnect", "peripheralDisconnect"]);
    await delay(air.clock, 5000);
    expect(central.types).toHaveLength(2);
  });

  test.each<[Partial<BleOptions>, string]>([
    [{}, "EALREADY"],
    [{ compat: "strict" }, "EIO"],
  ])("one attempt at a time, and one connection to a peer (%j: %s)", async (options, code) => {
    await using two = await openTwo("central first", options);
    const { central, peripheral } = two;
    const first = central.ble.gapConnect(...addressOf(peripheral));
    await expect(central.ble.gapConnect(...addressOf(peripheral))).rejects.toMatchObject({ code: "EALREADY" });
    await first;
    await expect(central.ble.gapConnect(1, "C0:00:00:00:00:01")).rejects.toMatchObject({ code: "EALREADY" });
    await peripheral.ble.gapAdvertise(20_000);
    await central.next("peripheralConnect");
    await expect(central.ble.gapConnect(...addressOf(peripheral))).rejects.toMatchObject({ code });
    expect(central.types.filter((type) => type === "peripheralDisconnect")).toEqual([]);
  });

  test("ends a scan first, which says so first", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    await peripheral.ble.gapAdvertise(20_000);
    await central.ble.gapScan(...FAST);
    await central.next("scanResult");
    await central.ble.gapConnect(...addressOf(peripheral));
    await central.next("peripheralConnect");
    const order = central.types.filter((type) => type !== "scanResult" && !type.endsWith("Update"));
    expect(order).toEqual(["scanDone", "peripheralConnect"]);
    expect(central.types.lastIndexOf("scanResult")).toBeLessThan(central.types.indexOf("scanDone"));
  });

  test("what is refused, without an event", async () => {
    await using two = await openTwo();
    const { central, air } = two;
    for (const [args, error] of [
      [[0, octets(1, 2, 3, 4, 5)], { pythonName: "ValueError", message: "invalid addr: expected 6 octets, got 5" }],
      [[0, "00:11:22:33:44"], { pythonName: "ValueError" }],
      [[0, 5], { pythonName: "TypeError" }],
      [[0], { pythonName: "TypeError" }],
      [[], { pythonName: "TypeError" }],
      [[null, octets(1, 2, 3, 4, 5, 6)], { pythonName: "TypeError" }],
      [["0", octets(1, 2, 3, 4, 5, 6)], { pythonName: "TypeError" }],
      [[4, octets(1, 2, 3, 4, 5, 6)], { code: "EINVAL" }],
      [[0, octets(1, 2, 3, 4, 5, 6), -1], { pythonName: "ValueError" }],
      [[0, octets(1, 2, 3, 4, 5, 6), "1"], { pythonName: "TypeError" }],
      [[0, octets(1, 2, 3, 4, 5, 6), 1, 5000], { code: "EINVAL", hciStatus: 0x12 }],
      [[0, octets(1, 2, 3, 4, 5, 6), 1, 50_000, 30_000], { code: "EINVAL", hciStatus: 0x12 }],
      [[0, octets(1, 2, 3, 4, 5, 6), 1, 60_000], { code: "EINVAL" }],
      [[0, octets(1, 2, 3, 4, 5, 6), 1, 30_000, 1_280_000], { code: "EINVAL", hciStatus: 0x12 }],
      [[0, octets(1, 2, 3, 4, 5, 6), 1, 30_000, 4_001_250], { code: "EINVAL", hciStatus: 0x12 }],
    ] as const)
      await expect(central.ble.gapConnect(...(args as unknown as [number, string]))).rejects.toMatchObject(error);
    await delay(air.clock, 100);
    expect(central.types).toEqual([]);
    await central.ble.gapScan(10);
  });

  test("six characters are six octets", async () => {
    await using two = await openTwo(undefined, LEGACY);
    await two.central.ble.gapConnect(0, "abcdef", 10);
    expect(two.central.asked("LeCreateConnection")).toMatchObject({
      peerAddress: Address.from("61:62:63:64:65:66"),
    });
    await two.central.next("peripheralDisconnect");
  });

  test("without room for another connection it is ENOMEM", async () => {
    await using air = new SimulatedAir();
    const central = new Instance(air, "central", {}, { maxConnections: 1 });
    const peripheral = new Instance(air, "peripheral");
    await central.ble.active(true);
    await peripheral.ble.active(true);
    await connect({ air, central, peripheral } as unknown as Two);
    await expect(central.ble.gapConnect(1, "C0:00:00:00:00:01")).rejects.toMatchObject({ code: "ENOMEM", errno: 12 });
    await central.ble.close();
    await peripheral.ble.close();
  });

  test("a peer that does not answer on its new link is tried again, and the program hears of what lasts", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    peripheral.handle = async ({ type }) => {
      if (type === "centralDisconnect") await peripheral.ble.gapAdvertise(20_000);
    };
    let lost = 0;
    const hook = air.onAirPacket(({ channel, pdu }) => {
      if (channel < 37 || (pdu[0]! & 0x0f) !== 5 || lost > 0) return undefined; // CONNECT_IND
      lost++;
      return "lose";
    });
    await connect(two);
    hook[Symbol.dispose]();
    expect([lost, central.types.filter((type) => /connect$/i.test(type))]).toEqual([1, ["peripheralConnect"]]);
  });

  test("the time is one for looking: a link that came in time may prove itself after it", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    await central.ble.gapConnect(...addressOf(peripheral), 1000, 500_000, 500_000);
    await delay(air.clock, 900);
    await peripheral.ble.gapAdvertise(20_000);
    await central.next("peripheralConnect");
    await delay(air.clock, 2000);
    expect(central.types.filter((type) => /connect$/i.test(type))).toEqual(["peripheralConnect"]);
  });

  test("the connection comes first, whatever the peer does with it at once, and its end last", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    peripheral.handle = ({ type }) => {
      if (type === "centralConnect")
        void hostLink(peripheral)
          .att.exchangeMtu()
          .catch(() => undefined);
    };
    const { c } = await connect(two);
    await central.next("mtuExchanged");
    const ended = central.next("peripheralDisconnect");
    await central.ble.gapDisconnect(c);
    await ended;
    expect([central.types[0], central.types.at(-1)]).toEqual(["peripheralConnect", "peripheralDisconnect"]);
    expect(central.types).toContain("mtuExchanged");
  });
});

test("the device below may be used at the same time: its connections have their events, too", async () => {
  await using two = await openTwo();
  const { central, peripheral, air } = two;
  const third = new Instance(air, "third");
  await third.ble.active(true);
  await peripheral.ble.gapAdvertise(20_000);
  await third.ble.gapAdvertise(20_000);
  const attempt = central.ble.gapConnect(1, "C0:00:00:00:00:01"); // of which nothing comes
  const mine = await central.ble.device!.connect(peripheral.ble.device!.identity);
  expect(await central.next("peripheralConnect")).toMatchObject({ connHandle: mine.handle });
  await attempt;
  const mtu = await mine.att.exchangeMtu();
  expect(await central.next("mtuExchanged")).toMatchObject({ connHandle: mine.handle, mtu });
  expect(await central.ble.gapDisconnect(mine.handle)).toBe(true);
  await central.next("peripheralDisconnect");
  await third.ble.close();
});

test("a peer that we look for may connect to us meanwhile, and is told of at once", async () => {
  await using two = await openTwo();
  const { central, peripheral } = two;
  await peripheral.ble.gapConnect(...addressOf(central), 30_000); // it looks for the other, and is found by it
  await peripheral.ble.gapAdvertise(20_000);
  await central.ble.gapConnect(...addressOf(peripheral));
  const [atPeripheral] = await Promise.all([peripheral.next("centralConnect"), central.next("peripheralConnect")]);
  expect(await peripheral.ble.gapDisconnect(atPeripheral.connHandle)).toBe(true);
  await central.next("peripheralDisconnect");
  await peripheral.ble.gapConnect(null);
});

describe("gapDisconnect", () => {
  test.each<[Partial<BleOptions>, boolean]>([
    [{}, true],
    [{ compat: "strict" }, false],
  ])("of what is being ended is done already (%j: %s), of what is not there is false", async (options, isDone) => {
    await using two = await openTwo("central first", options);
    const { ble } = two.central;
    const { c } = await connect(two);
    expect(await ble.gapDisconnect(c + 1)).toBe(false);
    const first = ble.gapDisconnect(c);
    if (isDone) expect(await ble.gapDisconnect(c)).toBe(true);
    else await expect(ble.gapDisconnect(c)).rejects.toMatchObject({ code: "EALREADY" });
    expect(await first).toBe(true);
    await two.central.next("peripheralDisconnect");
    expect(await ble.gapDisconnect(c)).toBe(false);
    for (const handle of ["1", null, 1.5])
      await expect(ble.gapDisconnect(handle as never)).rejects.toMatchObject({ pythonName: "TypeError" });
    for (const handle of [-1, 0x10000]) await expect(ble.gapDisconnect(handle)).rejects.toMatchObject({ pythonName: "ValueError" });
  });

  test("that the controller refuses leaves the connection, which can be ended again", async () => {
    await using two = await openTwo("central first", { compat: "strict" });
    const { central, air } = two;
    const { c } = await connect(two);
    const hook = central.controller.onHciPacket(({ packet }) =>
      packet[0] === 4 && packet[1] === 0x0f && packet[5] === 0x06 && packet[6] === 0x04 ? octets(4, 0x0f, 4, 0x1f, 1, 6, 4) : undefined,
    ); // Command Status of Disconnect
    const dropped = central.controller.onHciPacket(({ packet }) =>
      packet[0] === 1 && packet[1] === 0x06 ? octets(1, 6, 4, 3, 0xff, 0, 0x13) : undefined,
    );
    expect(await central.ble.gapDisconnect(c)).toBe(true);
    await delay(air.clock, 100);
    hook[Symbol.dispose]();
    dropped[Symbol.dispose]();
    expect(central.types).not.toContain("peripheralDisconnect");
    expect(await central.ble.gapDisconnect(c)).toBe(true);
    await central.next("peripheralDisconnect");
  });

  test("a peer out of reach is told of after the supervision timeout, with its reason", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    await connect(two);
    const cut = air.cut(central.controller, peripheral.controller);
    const [atCentral, atPeripheral] = await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
    expect([atCentral.reason, atPeripheral.reason]).toEqual([0x08, 0x08]);
    cut[Symbol.dispose]();
  });
});

describe("connection updates", () => {
  test("are told on both sides, in the units of the air; the first parameters are not", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    await connect(two);
    expect([...central.types, ...peripheral.types]).not.toContain("connectionUpdate");
    const told = Promise.all([central.next("connectionUpdate"), peripheral.next("connectionUpdate")]);
    await hostLink(central).updateParameters({ intervalMs: 50, latency: 2, supervisionTimeoutMs: 3000 });
    for (const event of await told)
      expect(event).toMatchObject({ connInterval: 40, connLatency: 2, supervisionTimeout: 300, status: 0, hciStatus: 0 });
  });

  test("that fail are told with what is in force", async () => {
    await using air = new SimulatedAir();
    const central = await air.device({ policy: { parameterRequests: "refuse" } });
    const peripheral = new Instance(air, "peripheral");
    await peripheral.ble.active(true);
    await peripheral.ble.gapAdvertise(20_000);
    await central.connect(peripheral.ble.device!.identity, { intervalMs: 30, supervisionTimeoutMs: 2560 });
    await expect(hostLink(peripheral).updateParameters({ intervalMs: 100 })).rejects.toThrow();
    expect(await peripheral.next("connectionUpdate")).toMatchObject({
      connInterval: 24,
      connLatency: 0,
      supervisionTimeout: 256,
      status: 1,
      hciStatus: 0x3b,
    });
    await peripheral.ble.close();
  });

  test("longer packets and other physical layers are told beside MicroPython's events", async () => {
    await using two = await openTwo();
    const { central } = two;
    await connect(two);
    await delay(two.air.clock, 500);
    expect(central.events.find(({ type }) => type === "dataLengthUpdate")).toMatchObject({ code: 102, txOctets: 251, rxOctets: 251 });
    const told = central.next("phyUpdate");
    await hostLink(central).setPhy({ tx: "2M", rx: "2M" });
    expect(await told).toMatchObject({ code: 101, txPhy: 2, rxPhy: 2 });
  });
});
