import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { BtsnoopReader, encodeBtsnoopHeader, encodeBtsnoopRecord, readBtsnoop } from "./btsnoop.ts";
import { type AnyCaptureRecord, isMonitorRecord } from "./record.ts";

const reset = fromHex("01 03 0c 00");
const complete = fromHex("04 0e 04 01 03 0c 00");
// 2024-02-29 12:34:56.789012 UTC
const timeMs = 1_709_210_096_789.012;

function fileOf(...packets: Uint8Array[]): Uint8Array {
  return concat(
    encodeBtsnoopHeader(),
    ...packets.map((packet, i) =>
      encodeBtsnoopRecord({
        direction: packet[0] === 4 ? "controller-to-host" : "host-to-controller",
        packet,
        timeMs: timeMs + i,
        drops: i,
      }),
    ),
  );
}

/** A file with another data link type and free flags, as other programs write it. */
function foreignFile(datalink: number, ...records: [flags: number, payload: string][]): Uint8Array {
  const header = encodeBtsnoopHeader();
  new DataView(header.buffer).setUint32(12, datalink);
  return concat(
    header,
    ...records.map(([flags, payload]) => {
      const record = encodeBtsnoopRecord({ direction: "host-to-controller", packet: fromHex(payload), timeMs });
      new DataView(record.buffer).setUint32(8, flags);
      return record;
    }),
  );
}

test("header and records have the layout of the format", () => {
  const file = fileOf(reset, complete);
  expect(toHex(file.subarray(0, 16))).toBe("6274736e6f6f7000" + "00000001" + "000003ea");
  // length, length, flags (sent, command), drops, microseconds since 0 AD
  expect(toHex(file.subarray(16, 40))).toBe(`${"00000004".repeat(2)}00000002${"00000000"}00e2f0378bd9e614`);
  expect(toHex(file.subarray(40, 44))).toBe("01030c00");
  expect(toHex(file.subarray(44, 60))).toBe(`${"00000007".repeat(2)}00000003${"00000001"}`);
});

test("what was written is read back, in pieces of any size", () => {
  const file = fileOf(reset, complete, fromHex("02 40 20 07 00 03 00 04 00 0a 03 00"));
  const whole = readBtsnoop(file);
  expect(whole.map((record) => [record.direction, toHex(record.packet), record.timeMs, record.drops])).toEqual([
    ["host-to-controller", "01030c00", timeMs, 0],
    ["controller-to-host", "040e0401030c00", timeMs + 1, 1],
    ["host-to-controller", "0240200700030004000a0300", timeMs + 2, 2],
  ]);
  for (let size = 1; size < file.length; size++) {
    const reader = new BtsnoopReader();
    const records: AnyCaptureRecord[] = [];
    for (let at = 0; at < file.length; at += size) records.push(...reader.push(file.subarray(at, at + size)));
    reader.end();
    expect(records).toEqual(whole);
  }
});

test("packets read from a Buffer are copies, as those from any other array", () => {
  const chunk = Buffer.from(fileOf(reset));
  const [record] = readBtsnoop(chunk);
  chunk.fill(0xff);
  expect(record?.packet).toEqual(reset);
  expect(Buffer.isBuffer(record?.packet)).toBe(false);
});

test("a file cut at any octet gives its whole records, then says where it ends", () => {
  const file = fileOf(reset, complete);
  const ends = [16, 44, 75];
  expect(file.length).toBe(75);
  for (let length = 0; length < file.length; length++) {
    const reader = new BtsnoopReader();
    const records = [...reader.push(file.subarray(0, length))];
    expect(records.length).toBe(ends.filter((end) => end <= length).length - (length >= 16 ? 1 : 0));
    if (ends.includes(length)) reader.end();
    else
      expect(() => reader.end()).toThrow(
        expect.objectContaining({ code: "ERR_CAPTURE", reason: length < 16 ? "not-a-capture" : "truncated" }),
      );
  }
  expect(() => readBtsnoop(file.subarray(0, 50))).toThrow("the capture ends inside record 2 at offset 44: 6 of 24 octets");
});

test("another kind of file, version, data link or an impossible length is told apart", () => {
  expect(() => readBtsnoop(fromHex("d4c3b2a1"))).toThrow('not a btsnoop capture: it does not begin with "btsnoop"');
  const version = encodeBtsnoopHeader();
  version[11] = 2;
  expect(() => readBtsnoop(version)).toThrow("btsnoop version 2: only version 1 is understood");
  expect(() => readBtsnoop(foreignFile(1003))).toThrow("btsnoop data link 1003");
  const damaged = fileOf(reset, complete);
  damaged[45] = 0xff;
  damaged[49] = 0xff;
  const reader = new BtsnoopReader();
  expect(() => [...reader.push(damaged)]).toThrow(expect.objectContaining({ reason: "damaged", offset: 44, records: 1 }));
  expect(() => [...reader.push(damaged)]).toThrow(expect.objectContaining({ reason: "damaged" })); // and stays so
});

test("files without H4 types and files of the Linux monitor are read as H4", () => {
  const hci = readBtsnoop(foreignFile(1001, [2, "030c00"], [3, "0e0401030c00"], [0, "402000"], [1, "402000"]));
  expect(hci.map((record) => [record.direction, toHex(record.packet)])).toEqual([
    ["host-to-controller", "01030c00"],
    ["controller-to-host", "040e0401030c00"],
    ["host-to-controller", "02402000"],
    ["controller-to-host", "02402000"],
  ]);
  expect(hci[0]?.originalLength).toBe(4);
  const monitorFile = foreignFile(2001, [0, "00"], [2, "030c00"], [0x0001_0005, "402000"], [0xffff_000c, "aa"]);
  const monitor = readBtsnoop(monitorFile);
  expect(monitor.map((record) => [record.index, toHex(record.packet), record.originalLength])).toEqual([
    [0, "01030c00", 4],
    [1, "02402000", 4],
  ]);
  const reader = new BtsnoopReader();
  const others = [...reader.push(monitorFile)].filter(isMonitorRecord);
  reader.end();
  expect(others).toEqual([
    { opcode: 0, index: 0, payload: fromHex("00"), timeMs, originalLength: 1, drops: 0 },
    { opcode: 12, index: 0xffff, payload: fromHex("aa"), timeMs, originalLength: 1, drops: 0 },
  ]);
});

test("any octets give records or a CaptureError", () => {
  const body = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(fc.boolean(), body, fc.integer({ min: 1, max: 64 }), (withHeader, octets, size) => {
      const file = withHeader ? concat(encodeBtsnoopHeader(), octets) : octets;
      const reader = new BtsnoopReader();
      try {
        for (let at = 0; at < file.length; at += size) for (const _ of reader.push(file.subarray(at, at + size)));
        reader.end();
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_CAPTURE" });
      }
    }),
  );
});
