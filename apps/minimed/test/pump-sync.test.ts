import { delay } from "jelling/async";
import { toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { isFull } from "../../../test/support/left-out.ts";
import { HistoryAccessOpcode, HistoryOperator } from "../src/history/record-access.ts";
import { type PumpHistory, syncHistory } from "../src/store/index.ts";
import { Scenario } from "./scenario.ts";
import { openStore, SERIAL, TemporaryFolder } from "./temporary-store.ts";

const INTERVAL_MS = 125;
/** Between two packets, Vol 6 Part B 4.1.1. */
const T_IFS_US = 150;
/** Of a packet on LE 1M: preamble, access address, header and CRC; what encryption adds to one that is not empty. */
const PACKET_OCTETS = 10;
const MIC_OCTETS = 4;
/** Without data length extension. */
const LARGEST_PAYLOAD = 27;
/** In front of a value: L2CAP and ATT; behind it what SAKE adds. */
const NOTIFICATION_OCTETS = 4 + 3 + 3;

/** Microseconds on the air of a record, in notifications upon notifications, each packet with the empty one that acknowledges it. */
function radioUs(record: Uint8Array): number {
  const octets = record.length + NOTIFICATION_OCTETS;
  const packets = Math.ceil(octets / LARGEST_PAYLOAD);
  return 8 * (octets + packets * (2 * PACKET_OCTETS + MIC_OCTETS)) + packets * 2 * T_IFS_US;
}

/** Two looks at what the handles are and the write: a request goes in one connection event, its response in the next, the next request behind it. */
const QUESTION_MS = 3 * 2 * INTERVAL_MS;

/** What the history's control point was asked for, without what was asked before a write. */
function watchRequests(scenario: Scenario): string[] {
  const handle = scenario.pump.device.gattServer.characteristic("00000100-0000-1000-0000-009132591325", 0x2a52)!.valueHandle;
  const asked: string[] = [];
  scenario.phoneController.onHciPacket(({ direction, packet }) => {
    const isWrite = direction === "to-controller" && packet[0] === 2 && packet[9] === 0x12;
    if (isWrite && (packet[10]! | (packet[11]! << 8)) === handle) asked.push(toHex(packet.subarray(12)));
    return undefined;
  });
  return asked;
}
const bytesOf = (history: PumpHistory): Uint8Array[] => [...history.records()].map(({ bytes }) => bytes);
const ALL = toHex(Uint8Array.of(HistoryAccessOpcode.Report, HistoryOperator.All, 0x0f));
const FROM = toHex(Uint8Array.of(HistoryAccessOpcode.Report, HistoryOperator.GreaterOrEqual, 0x0f));

test.each(isFull ? [2, 23] : [2])(
  "a first sync of %i days takes as long as the link needs for the octets; a later one a second",
  async (days) => {
    await using scenario = await Scenario.open({ traceCapacity: 0, pump: { historyDays: days } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const asked = watchRequests(scenario);
    const { clock, pump } = scenario;
    await delay(clock, 1000); // what came before wants a pause
    const startMs = clock.now();
    const { records, bounds } = await syncHistory(history, session);
    const tookMs = clock.now() - startMs;
    // What comes waits for its first event.
    const linkMs = INTERVAL_MS + bytesOf(history).reduce((sum, bytes) => sum + radioUs(bytes), 0) / 1000;
    expect(records).toBeGreaterThan(days * 850);
    expect(bounds).toEqual({ count: pump.history.count, first: pump.history.first, last: pump.history.last });
    expect(asked).toEqual([ALL]);
    // Of a short history the question is a part that counts.
    expect(tookMs).toBeLessThan(1.05 * (days > 20 ? linkMs : linkMs + QUESTION_MS));
    asked.length = 0;
    await delay(clock, 3600_000);
    const againMs = clock.now();
    const later = await syncHistory(history, session);
    expect(later.records).toBeGreaterThan(0);
    expect(clock.now() - againMs).toBeLessThan(1000);
    expect(asked).toEqual([expect.stringMatching(new RegExp(`^${FROM}`))]);
    expect(bytesOf(history)).toHaveLength(pump.history.count);
    for (const { bytes, ref } of history.records()) expect(bytes).toEqual(pump.history.record(ref.sequenceNumber));
  },
);

test("live reads get their turn in the middle of a stream, which goes on where it was", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0, pump: { historyDays: 2 } });
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  const history = store.pump(SERIAL);
  const asked = watchRequests(scenario);
  let pages = 0;
  const waits: Promise<number>[] = [];
  const result = await syncHistory(history, session, {
    onProgress: () => {
      if (++pages > 2) return;
      const askedMs = scenario.clock.now();
      waits.push(session.readBattery().then(() => scenario.clock.now() - askedMs));
    },
  });
  expect(result).toMatchObject({ restarted: false, records: scenario.pump.history.count });
  expect(asked.filter((request) => request === ALL)).toHaveLength(1);
  expect(asked.filter((request) => request.startsWith(FROM)).length).toBeGreaterThan(0);
  for (const waitedMs of await Promise.all(waits)) expect(waitedMs).toBeLessThan(3000);
  expect(history.gaps().filter(({ gone }) => !gone)).toEqual([]);
});
