import { expect, test } from "vitest";
import { fromHex } from "../bytes/index.ts";
import { CaptureReader, readCapture } from "./capture-reader.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";

test.each(["btsnoop", "pcapng", "pcap"] as const)("the first octets of a %s file tell what it is, however they come", (format) => {
  const sink = new MemorySink();
  new CaptureWriter(sink, { format }).write("sent", fromHex("01030c00"), 0);
  const file = sink.bytes();
  for (const size of [1, 3, 8, 1000]) {
    const reader = new CaptureReader();
    expect(reader.format).toBeUndefined();
    const records = [];
    for (let at = 0; at < file.length; at += size) records.push(...reader.push(file.subarray(at, at + size)));
    reader.end();
    expect([reader.format, records.length, reader.drops]).toEqual([format, 1, 0]);
  }
});

test("a file of another kind, and a start of none, is told at once and stays so", () => {
  const reader = new CaptureReader();
  expect(() => [...reader.push(fromHex("0a00ffff"))]).toThrow(expect.objectContaining({ reason: "not-a-capture", offset: 0, records: 0 }));
  expect(() => [...reader.push(fromHex("62"))]).toThrow("not a capture: it begins as none of btsnoop, pcapng, pcap and pklg does");
  expect(() => reader.end()).toThrow("not a capture");
  for (const start of ["", "00", "0a", "0a0d0d", "627473", "a1b2", "d4c3b2", "00000011"]) {
    expect(() => readCapture(fromHex(start))).toThrow(`not a capture: it has ${start.length / 2} octets`);
  }
});
