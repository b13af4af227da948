import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/index.ts";
import { CaptureReader, readCapture } from "./capture-reader.ts";
import { CaptureDecoder } from "./decoder.ts";
import type { CaptureError } from "./error.ts";
import { PacketLoggerReader, packetLoggerOrder } from "./packet-logger.ts";
import { type AnyCaptureRecord, isMonitorRecord } from "./record.ts";

type Order = "big" | "little";
const word = (order: Order, value: number): string => {
  const hex = value.toString(16).padStart(8, "0");
  return order === "big" ? hex : toHex(fromHex(hex).reverse());
};

function record(order: Order, seconds: number, microseconds: number, kind: number, hex: string): string {
  const words = [9 + hex.length / 2, seconds, microseconds].map((value) => word(order, value));
  return `${words.join("")}${kind.toString(16).padStart(2, "0")}${hex}`;
}

const text = (words: string): string => toHex(new TextEncoder().encode(words));

const said = (records: readonly AnyCaptureRecord[]): unknown[] =>
  records.map((each) =>
    isMonitorRecord(each)
      ? [each.opcode, each.index, toHex(each.payload), each.timeMs]
      : [each.direction === "host-to-controller" ? ">" : "<", toHex(each.packet), each.timeMs],
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

describe.each(["big", "little"] as const)("a %s-endian file of PacketLogger", (order) => {
  const whole = [
    record(order, 1, 500_001, 0x00, "030c00"),
    record(order, 1, 500_002, 0x01, "0e0401030c00"),
    record(order, 2, 0, 0x02, "40000100aa"),
    record(order, 2, 1, 0x03, "40200100bb"),
    record(order, 2, 2, 0x08, "400001cc"),
    record(order, 2, 3, 0x09, "400001dd"),
  ];

  test("holds packets, with their directions and times", () => {
    expect(said(readCapture(fromHex(whole.join(""))))).toEqual([
      [">", "01030c00", 1500.001],
      ["<", "040e0401030c00", 1500.002],
      [">", "0240000100aa", 2000],
      ["<", "0240200100bb", 2000.001],
      [">", "03400001cc", 2000.002],
      ["<", "03400001dd", 2000.003],
    ]);
    expect(readCapture(fromHex(whole[0]!))).toMatchObject([{ originalLength: 4, drops: 0 }]);
  });

  test("holds what the system says, and more that is passed over", () => {
    for (const kind of [0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc]) {
      const [note] = readCapture(fromHex(record(order, 1, 0, kind, text("a note\0"))));
      expect(said([note!])).toEqual([[12, 0xffff, text("a note\0"), 1000]]);
      expect(new CaptureDecoder().decode(note!)).toMatchObject({ layer: "mon", name: "SystemNote", fields: { text: "a note" } });
    }
    for (const kind of [0x0a, 0x0b, 0xfd, 0xfe]) expect(readCapture(fromHex(record(order, 1, 0, kind, "00") + whole[0]))).toHaveLength(1);
    // Behind the first record a kind that nobody knows is passed over as well.
    expect(readCapture(fromHex(whole[0] + record(order, 1, 0, 0x77, "00") + whole[1]))).toHaveLength(2);
  });

  test("in pieces of any size, whose memory is the caller's", () => {
    const octets = fromHex(whole.join(""));
    for (let size = 1; size < 40; size += 3) {
      const reader = new CaptureReader();
      const records: AnyCaptureRecord[] = [];
      for (let at = 0; at < octets.length; at += size) {
        const piece = octets.slice(at, at + size);
        records.push(...reader.push(piece));
        piece.fill(0);
      }
      reader.end();
      expect([reader.format, reader.drops]).toEqual(["pklg", 0]);
      expect(said(records)).toEqual(said(readCapture(octets)));
    }
  });

  test("that is cut says where, behind what came before", () => {
    const octets = fromHex(whole[0]! + whole[1]!);
    for (let length = 17; length < octets.length; length++) {
      const reader = new PacketLoggerReader();
      expect([...reader.push(octets.subarray(0, length))]).toHaveLength(1);
      expect(fault(() => reader.end())).toEqual({
        reason: "truncated",
        offset: 16,
        records: 1,
        message: `the capture ends inside record 2 at offset 16: ${length - 16} of ${length < 20 ? 13 : 19} octets`,
      });
    }
    for (let length = 0; length < 13; length++) {
      const reader = new PacketLoggerReader();
      expect([...reader.push(octets.subarray(0, length))]).toEqual([]);
      expect(fault(() => reader.end())).toMatchObject({ reason: "not-a-capture", offset: 0, records: 0 });
    }
  });

  test("with a length that cannot be is damaged, and stays so", () => {
    for (const length of [8, 9 + 0x10004]) {
      const reader = new PacketLoggerReader();
      const records: AnyCaptureRecord[] = [];
      const expected = { reason: "damaged", offset: 16, records: 1, message: expect.stringContaining(`claims a length of ${length}`) };
      expect(
        fault(() => {
          for (const each of reader.push(fromHex(whole[0]! + word(order, length)))) records.push(each);
        }),
      ).toEqual(expected);
      expect(records).toHaveLength(1);
      expect(fault(() => reader.end())).toEqual(expected);
      expect(fault(() => [...reader.push(fromHex("00"))])).toEqual(expected);
    }
  });

  test("may hold the longest packet and the shortest record there is", () => {
    const packet = `4000ffff${"00".repeat(0xffff)}`;
    expect(readCapture(fromHex(record(order, 0, 0, 0x02, packet)))).toMatchObject([{ originalLength: 5 + 0xffff }]);
    expect(readCapture(fromHex(record(order, 0, 999_999, 0xfc, "")))).toMatchObject([{ timeMs: 999.999 }]);
  });

  test("is known by its first record", () => {
    expect(packetLoggerOrder(fromHex(whole[0]!))).toBe(order);
    expect(packetLoggerOrder(fromHex(whole[0]!.slice(0, 24)))).toBe("undecided");
    const no = [record(order, 0, 1_000_000, 0, ""), record(order, 0, 0, 0x77, ""), word(order, 8), word(order, 0x1000d)];
    for (const hex of no) expect([hex, packetLoggerOrder(fromHex(hex))]).toEqual([hex, undefined]);
  });
});

test("a file that begins otherwise is none, and stays so", () => {
  const reader = new PacketLoggerReader();
  const expected = { reason: "not-a-capture", offset: 0, records: 0, message: "not a PacketLogger capture: its first record cannot be" };
  expect(fault(() => [...reader.push(fromHex("ffffffff"))])).toEqual(expected);
  expect(fault(() => reader.end())).toEqual(expected);
  expect(packetLoggerOrder(fromHex("00"))).toBe("undecided");
  expect(packetLoggerOrder(new Uint8Array(0))).toBe("undecided");
});
