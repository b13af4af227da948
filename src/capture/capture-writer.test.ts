import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { readBtsnoop } from "./btsnoop.ts";
import { CaptureReader } from "./capture-reader.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";
import { CaptureDecoder } from "./decoder.ts";
import { type CaptureRecord, isMonitorRecord } from "./record.ts";

const KEY = "f00102030405060708090a0b0c0d0e0f";
const ZERO = "00".repeat(16);

test("a writer leaves keys out unless asked, and never changes the packet it was given", async () => {
  const packet = fromHex(`011a2012 4000 ${KEY}`);
  const before = toHex(packet);
  for (const secrets of [false, true]) {
    const sink = new MemorySink();
    await using writer = new CaptureWriter(sink, { secrets });
    writer.write("host-to-controller", packet, 5);
    expect(toHex(packet)).toBe(before);
    const [record] = readBtsnoop(sink.bytes());
    expect(toHex(record!.packet).endsWith(secrets ? KEY : ZERO)).toBe(true);
    expect(record!.timeMs).toBe(946_684_800_005);
  }
});

test("a sink that is full costs packets, and the records after them say how many", () => {
  const sink = new MemorySink(16 + 2 * 28);
  const writer = new CaptureWriter(sink);
  for (let i = 0; i < 5; i++) writer.write("host-to-controller", fromHex("01030c00"), i);
  expect([writer.records, writer.dropped]).toEqual([2, 3]);
  expect(readBtsnoop(sink.bytes())).toHaveLength(2);
});

test.each([
  [{ format: "pklg" }, 'CaptureWriter format: expected "btsnoop", "pcapng"'],
  [{ content: "acl" }, 'CaptureWriter content: expected "hci", "monitor"'],
  [{ secret: true }, 'unknown option "secret", did you mean "secrets"?'],
  [{ secrets: true, anonymous: true }, "expected one of them at most"],
])("%j is refused", (options, message) => {
  expect(() => new CaptureWriter(new MemorySink(), options as object)).toThrow(message);
});

/** The first half of an ATT write on one adapter, a whole read on another, the second half: with one handle. */
const FIRST = fromHex("0240000500 0500 0400 12");
const OTHER = fromHex("0240000700 0300 0400 0a 0100");
const SECOND = fromHex("0240100400 0300aabb");

test("links of several adapters keep apart in pcapng: one interface each", () => {
  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  writer.adapter(3)("sent", FIRST, 1);
  writer.adapter(0)("sent", OTHER, 2);
  writer.write("sent", OTHER, 3);
  writer.adapter(3)("sent", SECOND, 4);
  const records = [...new CaptureReader().push(sink.bytes())] as CaptureRecord[];
  expect(records.map(({ index }) => index)).toEqual([3, 0, undefined, 3]);
  const decoder = new CaptureDecoder();
  expect(records.map((record) => decoder.decode(record).name)).toEqual(["AclFragment", "AttReadReq", "AttReadReq", "AttWriteReq"]);
});

test("an interface whose description the disk refused is described with the next packet", () => {
  const chunks: Uint8Array[] = [];
  let refuse = false;
  const sink = { write: (chunk: Uint8Array) => !refuse && chunks.push(chunk) > 0, close: () => Promise.resolve() };
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  refuse = true;
  writer.adapter(7)("sent", OTHER, 1);
  refuse = false;
  writer.adapter(7)("sent", OTHER, 2);
  writer.adapter(7)("sent", OTHER, 3);
  const records = [...new CaptureReader().push(concat(...chunks))];
  expect(records.map(({ index }) => index)).toEqual([7, 7]);
});

test("btsnoop holds HCI packets of one adapter and refuses those of another; as a monitor capture it tells them apart", () => {
  const refusing = new CaptureWriter(new MemorySink());
  refusing.adapter(1)("sent", FIRST, 1);
  expect(() => refusing.adapter(0)("sent", OTHER, 2)).toThrow(
    "a packet of hci0 behind those of hci1: btsnoop holds HCI packets of one adapter",
  );
  expect(() => refusing.write("sent", OTHER, 2)).toThrow("an adapter without a number");
  refusing.adapter(1)("sent", SECOND, 3);
  expect(refusing.records).toBe(2);

  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { content: "monitor" });
  writer.adapter(1)("sent", FIRST, 1);
  writer.adapter(0)("sent", OTHER, 2);
  const records = [...new CaptureReader().push(sink.bytes())];
  expect(records.map((record) => [record.index, isMonitorRecord(record)])).toEqual([
    [1, false],
    [0, false],
  ]);
});
