import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/index.ts";
import { readBtsnoop } from "./btsnoop.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";

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
