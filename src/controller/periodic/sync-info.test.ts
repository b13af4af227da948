import { expect, test } from "vitest";
import { fromHex, toHex } from "../../bytes/index.ts";
import { decodeControlPdu } from "../link/control-pdus.ts";
import { decodeSyncInfo, encodeChannelMapUpdate, encodeResponseTiming, encodeSyncInfo, MAX_OFFSET_US, readAcad } from "./sync-info.ts";
import { LlPeriodicSyncInd, LlPeriodicSyncWrInd } from "./transfer-pdus.ts";

// SyncInfo, Vol 6 Part B 2.3.4.6: offset, interval, channel map and clock accuracy, access address, CRCInit, event counter.
const COMMON = {
  interval: 0x1234,
  channelMap: Uint8Array.of(0xff, 0x01, 0x02, 0x03, 0x1f),
  sca: 5,
  accessAddress: 0x8b2a6ec1,
  crcInit: 0x563412,
  eventCounter: 0xbeef,
};
const TAIL = "3412ff010203bfc16e2a8b123456efbe";

test("SyncInfo both ways: in units of 30 us up to 245.7 ms, of 300 us up to 2.4573 s, and with the adjustment", () => {
  for (const [offsetUs, head, unitUs, told] of [
    [30, "0100", 30, 30],
    [59, "0100", 30, 30],
    [245_699, "fd1f", 30, 245_670],
    [245_700, "3323", 300, 245_700],
    [2_457_300, "ff3f", 300, 2_457_300],
    [2_457_900, "0160", 300, 2_457_900],
    [MAX_OFFSET_US, "ff7f", 300, MAX_OFFSET_US],
  ] as const) {
    const octets = encodeSyncInfo({ ...COMMON, offsetUs });
    expect(toHex(octets)).toBe(head + TAIL);
    expect(decodeSyncInfo(octets)).toEqual({ ...COMMON, offsetUs: told, unitUs });
    expect(decodeSyncInfo(Uint8Array.of(1, 2, ...octets), 2)).toEqual({ ...COMMON, offsetUs: told, unitUs });
  }
  expect(MAX_OFFSET_US).toBe(4_914_900);
});

test("an offset that is too far is 0, and tells no time; neither do short octets and intervals that cannot be", () => {
  const far = encodeSyncInfo({ ...COMMON, offsetUs: MAX_OFFSET_US + 1 });
  expect(toHex(far.subarray(0, 2))).toBe("0000");
  expect(decodeSyncInfo(far)).toBeUndefined();
  const near = encodeSyncInfo({ ...COMMON, offsetUs: 300 });
  expect(decodeSyncInfo(near.subarray(0, 17))).toBeUndefined();
  expect(decodeSyncInfo(near, 1)).toBeUndefined();
  expect(decodeSyncInfo(encodeSyncInfo({ ...COMMON, offsetUs: 300, interval: 5 }))).toBeUndefined();
  expect(decodeSyncInfo(encodeSyncInfo({ ...COMMON, offsetUs: 300, interval: 6 }))).toMatchObject({ interval: 6 });
});

test("ACAD: a change of channels and the timing of responses are found among other structures; what lies ends it", () => {
  const update = { channelMap: Uint8Array.of(1, 2, 3, 4, 5), instant: 0x1234 };
  const timing = {
    accessAddress: 0x8b2a6ec1,
    numSubevents: 128,
    subeventInterval: 6,
    responseSlotDelay: 2,
    responseSlotSpacing: 255,
  };
  const other = Uint8Array.of(2, 0x09, 0x41);
  const [change, responses] = [encodeChannelMapUpdate(update), encodeResponseTiming(timing)];
  expect([toHex(change), toHex(responses)]).toEqual(["082801020304053412", "0932c16e2a8b800602ff"]);
  expect(readAcad(Uint8Array.of(...other, ...change, ...other, ...responses))).toEqual({ update, timing });
  expect(readAcad(responses)).toEqual({ timing });
  for (const octets of [
    new Uint8Array(0),
    Uint8Array.of(0, ...change),
    change.subarray(0, 8),
    responses.subarray(0, 9),
    Uint8Array.of(7, 0x28, 1, 2, 3, 4, 5, 6),
    Uint8Array.of(8, 0x32, 1, 2, 3, 4, 5, 6, 7),
    Uint8Array.of(9, 0x32, 1, 2, 3, 4, 0, 6, 1, 2),
    Uint8Array.of(9, 0x32, 1, 2, 3, 4, 129, 6, 1, 2),
    Uint8Array.of(9, 0x32, 1, 2, 3, 4, 1, 5, 1, 2),
    other,
  ])
    expect([toHex(octets), readAcad(octets)]).toEqual([toHex(octets), {}]);
});

test("LL_PERIODIC_SYNC_IND and LL_PERIODIC_SYNC_WR_IND: opcode, length, places of their fields", () => {
  const hex = `efbe0001${TAIL}34127856${"b3"}02c1c2c3c4c5c6bc9a`;
  const fields = {
    id: 0xbeef,
    syncInfo: fromHex(`0001${TAIL}`),
    connEventCount: 0x1234,
    lastPaEventCounter: 0x5678,
    sidAndAccuracy: 0xb3,
    phy: 2,
    advA: fromHex("c1c2c3c4c5c6"),
    syncConnEventCount: 0x9abc,
  };
  expect(decodeControlPdu(LlPeriodicSyncInd, fromHex(`1c${hex}`))).toEqual(fields);
  expect(fromHex(`1c${hex}`).length).toBe(LlPeriodicSyncInd.octets);
  const more = { rspAA: 0x8b2a6ec1, numSubevents: 4, subeventInterval: 16, responseSlotDelay: 5, responseSlotSpacing: 12 };
  expect(decodeControlPdu(LlPeriodicSyncWrInd, fromHex(`2a${hex}c16e2a8b0410050c`))).toEqual({ ...fields, ...more });
  expect([LlPeriodicSyncInd.opcode, LlPeriodicSyncWrInd.opcode, LlPeriodicSyncWrInd.octets]).toEqual([0x1c, 0x2a, 43]);
});
