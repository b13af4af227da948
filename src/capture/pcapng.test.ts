import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { readCapture } from "./capture-reader.ts";
import { CaptureWriter, MemorySink } from "./capture-writer.ts";
import { encodePcapngHeader, encodePcapngMonitorRecord, encodePcapngRecord, encodePcapngStatistics, PcapngReader } from "./pcapng.ts";
import { type AnyCaptureRecord, type CaptureRecord, isMonitorRecord, MonitorOpcode } from "./record.ts";

const reset = fromHex("01 03 0c 00");
const complete = fromHex("04 0e 04 01 03 0c 00");
const data = fromHex("02 40 20 07 00 03 00 04 00 0a 03 00");
// 2024-02-29 12:34:56.789012 UTC
const timeMs = 1_709_210_096_789.012;

function read(file: Uint8Array, size = file.length): { records: AnyCaptureRecord[]; reader: PcapngReader } {
  const reader = new PcapngReader();
  const records: AnyCaptureRecord[] = [];
  for (let at = 0; at < file.length; at += Math.max(1, size)) records.push(...reader.push(file.subarray(at, at + size)));
  reader.end();
  return { records, reader };
}

function told(record: AnyCaptureRecord): unknown[] {
  if (isMonitorRecord(record)) return [record.opcode, record.index, toHex(record.payload)];
  return [record.direction === "host-to-controller" ? ">" : "<", record.index, toHex(record.packet)];
}

/** Blocks as another program writes them, in either byte order. */
class Foreign {
  readonly #little: boolean;
  readonly #blocks: Uint8Array[] = [];

  constructor(little: boolean) {
    this.#little = little;
  }

  words(...values: [bits: 16 | 32 | 64, value: number | bigint][]): Uint8Array {
    return concat(
      ...values.map(([bits, value]) => {
        const bytes = new Uint8Array(bits / 8);
        const view = new DataView(bytes.buffer);
        if (bits === 16) view.setUint16(0, Number(value), this.#little);
        else if (bits === 32) view.setUint32(0, Number(value), this.#little);
        else view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), this.#little);
        return bytes;
      }),
    );
  }

  pad(bytes: Uint8Array): Uint8Array {
    return concat(bytes, new Uint8Array(-bytes.length & 3));
  }

  option(code: number, value: Uint8Array): Uint8Array {
    return concat(this.words([16, code], [16, value.length]), this.pad(value));
  }

  block(type: number, ...parts: Uint8Array[]): this {
    const body = this.pad(concat(...parts));
    const length = this.words([32, 12 + body.length]);
    this.#blocks.push(concat(this.words([32, type]), length, body, length));
    return this;
  }

  section(major = 1): this {
    return this.block(0x0a0d0d0a, this.words([32, 0x1a2b3c4d], [16, major], [16, 0], [64, -1n]));
  }

  interface(linkType: number, { snap = 0, options = [] as Uint8Array[] } = {}): this {
    return this.block(1, this.words([16, linkType], [16, 0], [32, snap]), ...options);
  }

  packet(origin: number, time: bigint, packet: Uint8Array, { original = packet.length, options = [] as Uint8Array[] } = {}): this {
    const head = this.words([32, origin], [32, time >> 32n], [32, time & 0xffffffffn], [32, packet.length], [32, original]);
    return this.block(6, head, this.pad(packet), ...options);
  }

  flags(value: number): Uint8Array {
    return this.option(2, this.words([32, value]));
  }

  file(): Uint8Array {
    return concat(...this.#blocks);
  }
}

test("blocks have the layout of the format", () => {
  expect(toHex(encodePcapngHeader())).toBe(
    "0a0d0d0a" +
      "2c000000" +
      "4d3c2b1a" +
      "01000000" +
      "ffffffffffffffff" +
      "04000700" +
      "6a656c6c696e6700" +
      "00000000" +
      "2c000000" +
      ("01000000" + "20000000" + "c9000000" + "00000000" + "09000100" + "06000000" + "00000000" + "20000000"),
  );
  // interface, time in microseconds (upper half first), lengths, direction, packet, flags: inbound
  expect(toHex(encodePcapngRecord({ direction: "controller-to-host", packet: complete, timeMs: 0.5 }))).toBe(
    "06000000" +
      "38000000" +
      "00000000" +
      "00000000" +
      "f4010000" +
      "0b000000" +
      "0b000000" +
      "00000001" +
      "040e0401030c0000" +
      ("02000400" + "01000000" + "00000000" + "38000000"),
  );
  expect(toHex(encodePcapngMonitorRecord({ opcode: 2, index: 1, payload: fromHex("030c00"), timeMs: 4_294_967.296 }))).toBe(
    "06000000" + "28000000" + "00000000" + "01000000" + "00000000" + "07000000" + "07000000" + "00010002" + "030c0000" + "28000000",
  );
  expect(toHex(encodePcapngStatistics({ drops: 3, timeMs: 0 }))).toBe(
    "05000000" + "28000000" + "00000000" + "0000000000000000" + "05000800" + "0300000000000000" + "00000000" + "28000000",
  );
});

test("what was written is read back, in pieces of any size", () => {
  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { format: "pcapng", epochMs: 0 });
  writer.write("sent", reset, timeMs);
  writer.write("received", complete, timeMs + 1);
  writer.write("received", data, timeMs + 2);
  const file = sink.bytes();
  const whole = readCapture(file) as CaptureRecord[];
  expect(whole.map((record) => [...told(record), record.timeMs, record.originalLength, record.drops])).toEqual([
    [">", undefined, "01030c00", timeMs, 4, 0],
    ["<", undefined, "040e0401030c00", timeMs + 1, 7, 0],
    ["<", undefined, "0240200700030004000a0300", timeMs + 2, 12, 0],
  ]);
  for (let size = 1; size < file.length; size++) expect(read(file, size).records).toEqual(whole);
});

test.each([true, false])("files of other programs are read, little-endian %s", (little) => {
  const other = new Foreign(little);
  const at = BigInt(Math.round(timeMs * 1000));
  const hci = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
  const file = other
    .section()
    .block(0x0bad, other.words([32, 1], [32, 2])) // nobody knows it
    .interface(1) // Ethernet
    .interface(187, { options: [other.option(9, hci(6)), other.option(0, hci())] })
    .interface(201, { options: [other.option(2, new TextEncoder().encode("bluetooth3"))] })
    .interface(254)
    .interface(187, { options: [other.option(9, hci(0x80 | 10)), other.option(14, other.words([64, 1_000_000_000]))] })
    .packet(0, at, new Uint8Array(60))
    .packet(1, at, reset)
    .packet(1, at, complete, { options: [other.option(1, new TextEncoder().encode("a comment")), other.flags(1)] })
    .packet(1, at, data, { options: [other.flags(2), other.option(0, hci())] })
    .packet(2, at, concat(fromHex("00000001"), data), { original: 400 })
    .packet(3, at, concat(fromHex("0001 0003"), complete.subarray(1)))
    .packet(3, at, concat(fromHex("ffff 000c"), new TextEncoder().encode("note\0")))
    .packet(4, 1024n * 5n + 512n, reset)
    .block(5, other.words([32, 1], [32, 0], [32, 0]), other.option(5, other.words([64, 7])), other.option(0, hci()))
    .section()
    .interface(187, { snap: 5 })
    .block(3, other.words([32, 12]), data.subarray(0, 5))
    .packet(0, at, reset, { options: [other.option(4, other.words([64, 2]))] })
    .file();
  const { records, reader } = read(file);
  expect(records.map(told)).toEqual([
    [">", undefined, "01030c00"],
    ["<", undefined, "040e0401030c00"],
    [">", undefined, toHex(data)],
    ["<", 3, toHex(data)],
    ["<", 1, "040e0401030c00"],
    [MonitorOpcode.SystemNote, 0xffff, "6e6f746500"],
    [">", 3, "01030c00"], // the fourth Bluetooth interface, without a name
    ["<", undefined, toHex(data.subarray(0, 5))],
    [">", undefined, "01030c00"],
  ]);
  expect(records.map((record) => record.timeMs)).toEqual([
    timeMs,
    timeMs,
    timeMs,
    timeMs,
    timeMs,
    timeMs,
    1_000_000_005_500, // 5.5 s of 1024 parts each, an offset of 1,000,000,000 s
    1_000_000_005_500, // a simple packet has no time
    timeMs,
  ]);
  expect(records.map((record) => record.originalLength)).toEqual([4, 7, 12, 396, 7, 5, 4, 12, 4]);
  expect(records.at(-1)?.drops).toBe(9);
  expect(reader.drops).toBe(9);
  for (const size of [1, 7, 64]) expect(read(file, size).records).toEqual(records);
});

test("a number of lost packets that cannot be is forgotten with the next", () => {
  const other = new Foreign(true).section().interface(201).interface(201);
  const statistics = (origin: number, lost: bigint): Uint8Array =>
    concat(other.words([32, origin], [32, 0], [32, 0]), other.option(5, other.words([64, lost])));
  other
    .block(5, statistics(0, 3n))
    .block(5, statistics(1, 1n << 62n))
    .block(5, statistics(1, 5n));
  expect(read(other.file()).reader.drops).toBe(8);
});

test("H4 without a direction is told by what it is", () => {
  const other = new Foreign(true).section().interface(187);
  for (const hex of ["01030c00", "040e0401030c00", "0240000000", "0240100000", "0240200000", "0240100000", "03400000"])
    other.packet(0, 0n, fromHex(hex));
  expect(read(other.file()).records.map((record) => told(record)[0])).toEqual([">", "<", ">", ">", "<", "<", "<"]);
});

test("a file cut at any octet gives its whole records, then says where it ends", () => {
  const ends = [encodePcapngHeader().length];
  const parts = [encodePcapngHeader()];
  for (const packet of [reset, complete]) {
    parts.push(encodePcapngRecord({ direction: "host-to-controller", packet, timeMs }));
    ends.push(ends.at(-1)! + parts.at(-1)!.length);
  }
  const file = concat(...parts);
  for (let length = 0; length < file.length; length++) {
    const reader = new PcapngReader();
    const records = [...reader.push(file.subarray(0, length))];
    expect(records).toHaveLength(ends.slice(1).filter((end) => end <= length).length);
    if (ends.includes(length) || length === 44) reader.end();
    else
      expect(() => reader.end(), `${length}`).toThrow(
        expect.objectContaining({ code: "ERR_CAPTURE", reason: length < 44 ? "not-a-capture" : "truncated" }),
      );
  }
});

test.each([
  ["no section header", () => fromHex("d4c3b2a1 00000000"), "not-a-capture", "it begins with no section header"],
  ["no byte order", () => fromHex("0a0d0d0a 1c000000 00000000"), "damaged", "no byte order"],
  ["another version", () => new Foreign(true).section(2).file(), "unsupported", "pcapng version 2"],
  ["a length that is not of words", () => patched(44 + 4, 33), "damaged", "claims a length of 33"],
  ["a length shorter than the block's fields", () => patched(44 + 4, 16), "damaged", "claims a length of 16"],
  ["a block of 16 MiB", () => patched(76 + 4, 0x0100_0000), "damaged", "claims a length of 16777216"],
  ["lengths that differ", () => patched(44 + 28, 36), "damaged", "begins with length 32 and ends with 36"],
  ["a packet longer than its block", () => patched(76 + 20, 24), "damaged", "claims 24 octets of a packet"],
  ["a simple packet longer than any", () => simplePacket(0x8000_0000), "damaged", "claims 2147483648 octets of a packet"],
  ["a simple packet whose padding passes the end of numbers", () => simplePacket(0xffff_ffff), "damaged", "claims 4294967295 octets"],
  ["an interface that was not described", () => patched(76 + 8, 1), "damaged", "names interface 1 of 1"],
  ["an option longer than its block", () => patched(44 + 16, 0x0100_0009), "damaged", "an option that is longer than the block"],
  ["other networks only", () => new Foreign(false).section().interface(1).packet(0, 0n, reset).file(), "unsupported", "pcapng link type 1"],
] as const)("%s is a CaptureError", (_what, file, reason, problem) => {
  expect(() => read(file())).toThrow(expect.objectContaining({ code: "ERR_CAPTURE", reason, message: expect.stringContaining(problem) }));
});

function simplePacket(length: number): Uint8Array {
  const other = new Foreign(true).section().interface(254);
  return other.block(3, other.words([32, length]), fromHex("00000002 030c00 00")).file();
}

/** Header (44 + 32 octets) and a packet, with another 32-bit number somewhere. */
function patched(at: number, value: number): Uint8Array {
  const file = concat(encodePcapngHeader(), encodePcapngRecord({ direction: "host-to-controller", packet: reset, timeMs }));
  new DataView(file.buffer).setUint32(at, value, true);
  return file;
}

test("a long block that nobody reads is passed over without holding it", () => {
  const length = 64 * 1024 * 1024;
  const other = new Foreign(true).section().interface(201);
  const reader = new PcapngReader();
  const records = [...reader.push(concat(other.file(), other.words([32, 10], [32, length])))];
  const piece = new Uint8Array(1024 * 1024);
  for (let left = length - 12; left > 0; left -= piece.length)
    records.push(...reader.push(piece.subarray(0, Math.min(left, piece.length))));
  const next = encodePcapngRecord({ direction: "host-to-controller", packet: reset, timeMs });
  records.push(...reader.push(concat(other.words([32, length]), next)));
  reader.end();
  expect(records.map(told)).toEqual([[">", undefined, "01030c00"]]);
});

test("a failure stays", () => {
  const reader = new PcapngReader();
  expect(() => [...reader.push(fromHex("00"))]).toThrow("not a pcapng capture");
  expect(() => [...reader.push(encodePcapngHeader())]).toThrow("not a pcapng capture");
  expect(() => reader.end()).toThrow("not a pcapng capture");
});

test("packets that the sink refused are counted in the statistics at the end", async () => {
  const sink = new MemorySink(encodePcapngHeader().length + 2 * 56);
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  for (let i = 0; i < 5; i++) writer.write("sent", reset, i);
  await writer.close();
  const { records, reader } = read(sink.bytes());
  expect([writer.records, writer.dropped, records.length, reader.drops]).toEqual([2, 3, 2, 3]);
});

test("any packets are read back as they were written", () => {
  const packet = fc.tuple(fc.constantFrom(2, 3, 5), fc.uint8Array({ maxLength: 60 })).map(([type, rest]) => Uint8Array.of(type, ...rest));
  const monitor = fc.record({
    opcode: fc.constantFrom(0, 1, 12, 13, 16, 17, 4711),
    index: fc.integer({ min: 0, max: 0xffff }),
    payload: fc.uint8Array({ maxLength: 60 }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), packet, monitor)), fc.constantFrom("btsnoop", "pcapng"), (all, format) => {
      const sink = new MemorySink();
      const writer = new CaptureWriter(sink, { format, content: "monitor", secrets: true });
      const written = all.map(([isHci, octets, record], i): AnyCaptureRecord => {
        const about = { timeMs: 1_700_000_000_000 + i, drops: 0 };
        if (!isHci) return { ...record, ...about, originalLength: record.payload.length };
        return { direction: "controller-to-host", packet: octets, index: i, ...about, originalLength: octets.length };
      });
      for (const record of written) writer.writeRecord(record);
      expect(readCapture(sink.bytes())).toEqual(written);
    }),
  );
});

test("any octets give records or a CaptureError", () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 12, 20, 28, 32, 187, 201, 254, 0x0a0d0d0a, 0x1a2b3c4d), fc.nat());
  const body = fc.array(word, { maxLength: 60 }).map((words) => new Uint8Array(Uint32Array.from(words).buffer));
  fc.assert(
    fc.property(fc.boolean(), body, fc.integer({ min: 1, max: 64 }), (withHeader, octets, size) => {
      try {
        read(withHeader ? concat(encodePcapngHeader(), octets) : octets, size);
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_CAPTURE" });
      }
    }),
  );
});
