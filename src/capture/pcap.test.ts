import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/index.ts";
import { CaptureReader, readCapture } from "./capture-reader.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";
import type { CaptureError } from "./error.ts";
import { PcapReader } from "./pcap.ts";
import { type AnyCaptureRecord, isMonitorRecord } from "./record.ts";

type Order = "big" | "little";
const word = (order: Order, value: number): string => {
  const hex = value.toString(16).padStart(8, "0");
  return order === "big" ? hex : toHex(fromHex(hex).reverse());
};
const half = (order: Order, value: number): string => (order === "big" ? word("big", value).slice(4) : word("little", value).slice(0, 4));

/** As the format is described: magic number, version 2.4, two zeros, snap length, link type. */
function header(
  linkType: number,
  { order = "little", magic = 0xa1b2c3d4, major = 2 }: { order?: Order; magic?: number; major?: number } = {},
) {
  return [word(order, magic), half(order, major), half(order, 4), "00".repeat(8), word(order, 0x40000), word(order, linkType)].join("");
}

function record(order: Order, seconds: number, fraction: number, hex: string, originalLength = hex.length / 2): string {
  return [seconds, fraction, hex.length / 2, originalLength].map((value) => word(order, value)).join("") + hex;
}

const said = (records: readonly AnyCaptureRecord[]): unknown[] =>
  records.map((each) =>
    isMonitorRecord(each)
      ? [each.opcode, each.index, toHex(each.payload), each.timeMs]
      : [each.direction === "host-to-controller" ? ">" : "<", toHex(each.packet), each.timeMs, each.index, each.originalLength],
  );

const fault = (act: () => unknown): Partial<CaptureError> => {
  try {
    act();
  } catch (error) {
    const { reason, offset, records, message } = error as CaptureError;
    return { reason, offset, records, message };
  }
  return {};
};

describe.each(["big", "little"] as const)("a %s-endian pcap file", (order) => {
  const file = (linkType: number, ...records: string[]): Uint8Array => fromHex(header(linkType, { order }) + records.join(""));

  test("of H4 with a direction (201)", () => {
    const octets = file(201, record(order, 1, 500_001, "0000000001030c00"), record(order, 2, 7, "00000001040e0401030c00", 99));
    expect(said(readCapture(octets))).toEqual([
      [">", "01030c00", 1500.001, undefined, 4],
      ["<", "040e0401030c00", 2000.007, undefined, 95],
    ]);
  });

  test("of plain H4 (187), where data goes the way of its first fragment", () => {
    const packets = ["01030c00", "040e0401030c00", "02400001000a", "02401001000b", "02402001000c", "02401001000d"];
    const octets = file(187, ...packets.map((hex) => record(order, 0, 0, hex)));
    expect(said(readCapture(octets)).map((each) => (each as string[]).slice(0, 2).join(" "))).toEqual(
      [">", "<", ">", ">", "<", "<"].map((way, i) => `${way} ${packets[i]}`),
    );
  });

  test("of the Linux monitor (254)", () => {
    const octets = file(254, record(order, 3, 0, "00010002030c00"), record(order, 4, 0, "ffff000c6869"), record(order, 4, 0, "ffff"));
    expect(said(readCapture(octets))).toEqual([
      [">", "01030c00", 3000, 1, 4],
      [12, 0xffff, "6869", 4000],
    ]);
  });

  test("with nanoseconds", () => {
    const octets = fromHex(header(201, { order, magic: 0xa1b23c4d }) + record(order, 1, 999_999_999, "0000000001030c00"));
    expect(said(readCapture(octets))).toEqual([[">", "01030c00", 1999.999, undefined, 4]]);
  });

  test("in pieces of any size, whose memory is the caller's", () => {
    const octets = file(201, record(order, 0, 1, "0000000001030c00"), record(order, 0, 2, "00000001040e0401030c00"));
    for (let size = 1; size < octets.length; size += 3) {
      const reader = new CaptureReader();
      const records: AnyCaptureRecord[] = [];
      for (let at = 0; at < octets.length; at += size) {
        const piece = octets.slice(at, at + size);
        records.push(...reader.push(piece));
        piece.fill(0);
      }
      reader.end();
      expect([reader.format, reader.drops]).toEqual(["pcap", 0]);
      expect(said(records)).toEqual(said(readCapture(octets)));
    }
  });

  test("that is cut says where, behind what came before", () => {
    const first = record(order, 0, 0, "0000000001030c00");
    const octets = file(201, first, record(order, 0, 0, "00000001040e0401030c00"));
    for (let length = 24 + 24 + 1; length < octets.length; length++) {
      const reader = new PcapReader();
      expect([...reader.push(octets.subarray(0, length))]).toHaveLength(1);
      const needed = length < 48 + 16 ? 16 : 27;
      expect(fault(() => reader.end())).toEqual({
        reason: "truncated",
        offset: 48,
        records: 1,
        message: `the capture ends inside record 2 at offset 48: ${length - 48} of ${needed} octets`,
      });
    }
    for (let length = 0; length < 24; length++) {
      const reader = new PcapReader();
      expect([...reader.push(octets.subarray(0, length))]).toEqual([]);
      expect(fault(() => reader.end())).toMatchObject({ reason: "not-a-capture", offset: 0, records: 0 });
    }
  });

  test("with a length that cannot be is damaged, and stays so", () => {
    const reader = new PcapReader();
    const records: AnyCaptureRecord[] = [];
    const damaged = word(order, 0) + word(order, 0) + word(order, 0x10015) + word(order, 0x10015);
    const octets = file(201, record(order, 0, 0, "0000000001030c00"), damaged);
    const expected = {
      reason: "damaged",
      offset: 48,
      records: 1,
      message: expect.stringContaining("record 2 at offset 48 claims 65557 octets"),
    };
    expect(
      fault(() => {
        for (const each of reader.push(octets)) records.push(each);
      }),
    ).toEqual(expected);
    expect(records).toHaveLength(1);
    expect(fault(() => reader.end())).toEqual(expected);
    expect(fault(() => [...reader.push(fromHex("00"))])).toEqual(expected);
  });

  test("may hold the longest packet there is", () => {
    const packet = `00000000024000ffff${"00".repeat(0xffff)}`;
    expect(readCapture(file(201, record(order, 0, 0, packet)))).toMatchObject([{ originalLength: 5 + 0xffff }]);
  });
});

test("another network, another version and no pcap at all are refused", () => {
  expect(fault(() => readCapture(fromHex(header(1))))).toMatchObject({
    reason: "unsupported",
    message: "pcap link type 1: only 187, 201, 254 are understood",
  });
  expect(fault(() => readCapture(fromHex(header(201, { major: 3 }))))).toMatchObject({
    reason: "unsupported",
    message: "pcap version 3: only version 2 is understood",
  });
  expect(fault(() => [...new PcapReader().push(fromHex("a1b2c3d5"))])).toMatchObject({ reason: "not-a-capture", offset: 0 });
  expect(fault(() => [...new PcapReader().push(fromHex("a1b3"))])).toMatchObject({ reason: "not-a-capture" });
});

test("the octets of a frame check sequence do not hide the link type", () => {
  expect(readCapture(fromHex(header(0x1400_00c9)))).toEqual([]);
});

describe("a pcap file that is written", () => {
  const written = (content: "hci" | "monitor", ...records: AnyCaptureRecord[]): Uint8Array => {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format: "pcap", content, secrets: true });
    for (const each of records) writer.writeRecord(each);
    void writer.close();
    return sink.bytes();
  };
  const packet = (direction: "host-to-controller" | "controller-to-host", hex: string, timeMs: number, index?: number) => ({
    direction,
    packet: fromHex(hex),
    timeMs,
    index,
    originalLength: hex.length / 2,
    drops: 0,
  });

  test("has the octets of the format", () => {
    const octets = written("hci", packet("host-to-controller", "01030c00", 1500.001), packet("controller-to-host", "0400", 2000));
    expect(toHex(octets)).toBe(
      "d4c3b2a1020004000000000000000000" +
        "14000100c9000000" +
        "0100000021a107000800000008000000" +
        "0000000001030c00" +
        "02000000000000000600000006000000" +
        "000000010400",
    );
  });

  test("is read as it was, with lengths of packets that were cut", () => {
    const cut = { ...packet("controller-to-host", "02402005", 1e12 + 0.125, 2), originalLength: 300, drops: 3 };
    expect(said(readCapture(written("hci", cut)))).toEqual([["<", "02402005", 1e12 + 0.125, undefined, 300]]);
    const note = { opcode: 12, index: 0xffff, payload: fromHex("6800"), timeMs: 5 };
    expect(said(readCapture(written("monitor", note, cut)))).toEqual([
      [12, 0xffff, "6800", 5],
      ["<", "02402005", 1e12 + 0.125, 2, 300],
    ]);
    expect(said(readCapture(written("hci", packet("host-to-controller", "01030c00", -5))))).toEqual([[">", "01030c00", 0, undefined, 4]]);
  });

  test("holds one adapter", () => {
    expect(() => written("hci", packet("host-to-controller", "01030c00", 0, 0), packet("host-to-controller", "01030c00", 0, 1))).toThrow(
      expect.objectContaining({ code: "ERR_ARGUMENT", message: expect.stringContaining("packets of two adapters") }),
    );
    expect(
      readCapture(written("hci", packet("host-to-controller", "01030c00", 0, 1), packet("host-to-controller", "01030c00", 0, 1))),
    ).toHaveLength(2);
  });
});
