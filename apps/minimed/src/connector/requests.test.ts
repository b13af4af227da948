import { fromHex, toHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import { describe, expect, test } from "vitest";
import { readVectors } from "../../test/vectors.ts";
import { e2eCrc } from "../data/e2e-crc.ts";
import { PumpError } from "../error.ts";
import { encodeStatusChanged } from "../idd/status-changed.ts";
import { SakeSession } from "../sake/session.ts";
import { type ControlPointName, PERMITTED_WRITES, PumpWrite, RequestEncoder, SUBSCRIBED_NAMES } from "./requests.ts";

interface Request {
  name: string;
  bytes: string;
  plaintext: string;
}
interface Vectors {
  cgm: { racp: { requests: Request[] }; socp: { requests: Request[] } };
  idd: { racp: { requests: Request[] }; status_reader: { requests: Request[] }; command_reads: { requests: Request[] } };
}
const { cgm, idd } = readVectors<Vectors>("minimed");

const keys = { key: new Uint8Array(16).fill(3), nonce: new Uint8Array(8).fill(4) };
const openSession = () => new SakeSession(keys, { nextSendSequence: 3, nextReceiveSequence: 2 });
const encoder = (session = openSession()) => new RequestEncoder(session, Logger.silent);
const allowed = (controlPoint: ControlPointName, opcode: number, operand: Uint8Array): boolean => {
  try {
    encoder().encode(controlPoint, opcode, operand, { e2eCrc: true });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_PUMP_FORBIDDEN" });
    return false;
  }
};

describe("requests to the pump", () => {
  test.each(cgm.racp.requests)("record access: $name", ({ bytes }) => {
    const [opcode, ...operand] = fromHex(bytes);
    const request = encoder().encode("cgmRecordAccess", opcode!, Uint8Array.from(operand), { e2eCrc: true });
    expect(toHex(request.take())).toBe(bytes);
  });
  test.each(cgm.socp.requests)("specific ops, encrypted with its CRC: $name", ({ plaintext }) => {
    const [opcode, ...operand] = fromHex(plaintext).subarray(0, -2);
    const session = openSession();
    const request = encoder(session).encode("cgmSpecificOps", opcode!, Uint8Array.from(operand), { e2eCrc: true });
    expect(session.nextSendSequence).toBe(3);
    const pump = new SakeSession(keys, { nextSendSequence: 2, nextReceiveSequence: 3 });
    expect(toHex(pump.decrypt(request.take()))).toBe(plaintext);
    expect(session.nextSendSequence).toBe(5);
  });

  const anyOperand = [0, 1, 2, 3, 5, 6, 10].flatMap((length) =>
    [0x00, 0x01, 0x04, 0x06, 0xff].map((octet) => new Uint8Array(length).fill(octet)),
  );
  test("of all operation codes only those that read can be encoded", () => {
    const encodable = (controlPoint: ControlPointName): number[] =>
      Array.from({ length: 256 }, (_, opcode) => opcode).filter((opcode) =>
        anyOperand.some((operand) => allowed(controlPoint, opcode, operand)),
      );
    expect(encodable("cgmRecordAccess")).toEqual([0x01, 0x03, 0x04]);
    expect(encodable("cgmSpecificOps")).toEqual([0x02, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x17, 0x81, 0x83, 0x8c, 0x90]);
  });
  test("operands of another form than the request's own are refused", () => {
    for (const operand of ["", "00", "0601", "03", "030100", "03010000ff", "04010000", "0401000000ff00", "07", "0302ff00"])
      expect(allowed("cgmRecordAccess", 1, fromHex(operand))).toBe(false);
    for (const operand of ["01", "05", "06", "0301ff00", "0201ff00", "040100000001"])
      expect(allowed("cgmRecordAccess", 1, fromHex(operand))).toBe(true);
    expect(allowed("cgmRecordAccess", 3, fromHex("01"))).toBe(false);
    expect(allowed("cgmSpecificOps", 0x90, fromHex("00"))).toBe(false);
    expect(allowed("cgmSpecificOps", 0x05, fromHex("ff"))).toBe(false);
  });
  test("nothing is encoded without an authenticated session, nor made beside the table", () => {
    const session = openSession();
    const request = encoder(session).encode("cgmSpecificOps", 0x90, new Uint8Array(), { e2eCrc: true });
    session[Symbol.dispose]();
    expect(() => request.take()).toThrow("session closed");
    expect(() => encoder(session).encode("cgmRecordAccess", 1, Uint8Array.of(6), { e2eCrc: true })).toThrow("no authenticated session");
    const forged = PumpWrite as unknown as new (key: symbol, at: object) => PumpWrite;
    expect(() => new forged(Symbol("any"), {})).toThrow("table of permitted writes");
  });
});

const wide = (plaintext: string): [opcode: number, operand: Uint8Array] => {
  const [low, high, ...operand] = fromHex(plaintext);
  return [low! | (high! << 8), Uint8Array.from(operand)];
};
const opened = (session: SakeSession, write: PumpWrite): string => {
  const pump = new SakeSession(keys, { nextSendSequence: 2, nextReceiveSequence: session.nextSendSequence });
  return toHex(pump.decrypt(write.take()));
};

describe("requests to the insulin delivery service", () => {
  test.each([
    ...idd.status_reader.requests.map((request) => ({ ...request, at: "iddStatusReader" as const })),
    ...idd.command_reads.requests.map((request) => ({ ...request, at: "iddCommand" as const })),
  ])("$at: $name is encrypted as it stands", ({ at, plaintext }) => {
    const session = openSession();
    expect(opened(session, encoder(session).encode(at, ...wide(plaintext), { e2eCrc: false }))).toBe(plaintext);
  });
  test.each(idd.racp.requests)("history record access, plain: $name", ({ bytes }) => {
    const [opcode, ...operand] = fromHex(bytes);
    for (const e2eCrc of [false, true]) {
      const session = openSession();
      const request = encoder(session).encode("iddRecordAccess", opcode!, Uint8Array.from(operand), { e2eCrc });
      expect([toHex(request.take()), session.nextSendSequence]).toEqual([bytes, 3]);
    }
  });

  /** What is read, and the one reset, by operation code with the operands that go with it. Written down once more, away from the table. */
  const selections = ["0f", "33", "3c"].map((selection) => `1300${selection}`);
  const counters = ["0f", "33", "3c", "55"].flatMap((type) => ["0f", "33"].map((selection) => type + selection));
  const LISTED: Readonly<Record<"iddStatusReader" | "iddCommand", Readonly<Record<number, readonly string[]>>>> = {
    iddStatusReader: {
      816: [""],
      854: selections,
      869: [""],
      917: [""],
      934: counters,
      960: [""],
      1011: [""],
      1021: [""],
      1023: [""],
      1025: [""],
      1027: [""],
      1029: [""],
      1031: [""],
    },
    iddCommand: { 5262: ["00", "01"], 5245: [""] },
  };
  const OPERANDS = ["", "00", "0f0f", "13000f", "00".repeat(16)].map(fromHex);

  test.each(["iddStatusReader", "iddCommand"] as const)("%s: of all 65,536 operation codes only the listed ones are encoded", (name) => {
    const session = openSession();
    const made = encoder(session);
    const depth = Error.stackTraceLimit;
    Error.stackTraceLimit = 0; // half a million refusals
    const passed = new Set<number>();
    try {
      for (let opcode = 0; opcode <= 0xffff; opcode++)
        for (const operand of OPERANDS)
          try {
            made.encode(name, opcode, operand, { e2eCrc: (opcode & 1) === 1 });
            passed.add(opcode);
          } catch (error) {
            if (!(error instanceof PumpError) || error.code !== "ERR_PUMP_FORBIDDEN") throw error;
          }
    } finally {
      Error.stackTraceLimit = depth;
    }
    expect([...passed]).toEqual(
      Object.keys(LISTED[name])
        .map(Number)
        .sort((a, b) => a - b),
    );
    expect(session.nextSendSequence).toBe(3); // nothing was sealed
  });

  test.each(["iddStatusReader", "iddCommand"] as const)("%s: a listed operation code takes its own operands and no other", (name) => {
    const every = [
      ...Array.from({ length: 256 }, (_, i) => Uint8Array.of(i)),
      ...[0x00, 0x0e, 0x0f, 0x33, 0x3c, 0x55, 0xff].flatMap((type) => Array.from({ length: 256 }, (_, i) => Uint8Array.of(type, i))),
      ...Array.from({ length: 256 }, (_, i) => Uint8Array.of(0x13, 0x00, i)),
      ...[0, 4, 5, 6, 8, 16].map((length) => new Uint8Array(length)),
    ];
    const depth = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      for (const [opcode, operands] of Object.entries(LISTED[name])) {
        const made = encoder();
        const taken = every.filter((operand) => {
          try {
            return made.encode(name, Number(opcode), operand, { e2eCrc: false });
          } catch {
            return false;
          }
        });
        expect(taken.map(toHex).sort(), opcode).toEqual([...operands].sort());
      }
    } finally {
      Error.stackTraceLimit = depth;
    }
  });

  test("history record access: report, abort and count, with their operators and a filter; deleting is none of them", () => {
    const encodable = Array.from({ length: 65_536 }, (_, i) => i).filter((i) => {
      const [opcode, octet] = [i >> 8, i & 0xff];
      return opcode === 0x3c || [0x33, 0x55, 0x5a].includes(opcode)
        ? ["", "0f", "33", "3c", "ff"].some((filter) =>
            allowed("iddRecordAccess", opcode, fromHex(octet.toString(16).padStart(2, "0") + filter)),
          )
        : octet === 0 &&
            ["", "0f", "330f", "660f", "690f", "5a0f0000000000000000"].some((rest) => allowed("iddRecordAccess", opcode, fromHex(rest)));
    });
    expect(encodable.map((i) => i.toString(16))).toEqual(["3333", "3366", "3369", "550f", "5a33", "5a66", "5a69"]);
    for (const operand of ["5a0f0000000000000000", "5a33ffffffffffffffff", "550f00000000", "3c3c01000000"])
      for (const opcode of [0x33, 0x5a]) expect(allowed("iddRecordAccess", opcode, fromHex(operand)), operand).toBe(true);
    const wrong = [
      "5a0f",
      "5a0f00000000",
      "5a0f000000000000",
      "5a0f000000000000000000",
      "5a100000000000000000",
      "550f",
      "550f0000000000",
      "330f00",
      "33ff",
      "0f0f",
    ];
    for (const operand of wrong)
      for (const opcode of [0x33, 0x5a]) expect(allowed("iddRecordAccess", opcode, fromHex(operand)), operand).toBe(false);
    for (const operand of ["", "00", "33", "0f0f"]) expect(allowed("iddRecordAccess", 0x55, fromHex(operand)), operand).toBe(false);
  });
});

describe("the reset of what has changed", () => {
  const RESET = 0x030c;
  const field = (...bits: number[]): Uint8Array => encodeStatusChanged(bits);
  const resets = (made: RequestEncoder, operand: Uint8Array): boolean => {
    try {
      made.encode("iddStatusReader", RESET, operand, { e2eCrc: false });
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_PUMP_FORBIDDEN" });
      return false;
    }
  };

  test("is refused for bits that the pump has not pushed, whatever else it has, and for none at all", () => {
    const made = encoder();
    for (const operand of [field(18), field(0), fromHex("0000"), fromHex("00800000"), fromHex("0080008000 00".replace(" ", ""))])
      expect(resets(made, operand)).toBe(false);
    made.onPushed([18, 19]);
    for (const operand of [
      field(18, 20),
      field(0),
      field(18, 19, 32),
      fromHex(""),
      fromHex("0c"),
      fromHex("0080"),
      fromHex("008004"),
      fromHex("0080040000"),
    ])
      expect(resets(made, operand), toHex(operand)).toBe(false);
    expect(resets(made, field(18, 19))).toBe(true); // what was refused took nothing away
  });
  test("of each bit is made once for a push of it, together or one by one", () => {
    const made = encoder();
    made.onPushed([2, 6, 17]);
    expect(resets(made, field(6))).toBe(true);
    expect(resets(made, field(6))).toBe(false);
    expect(resets(made, field(2, 6, 17))).toBe(false);
    expect(resets(made, field(2, 17))).toBe(true);
    expect(resets(made, field(2))).toBe(false);
    made.onPushed([6]);
    expect(resets(made, field(6))).toBe(true);
  });
  test("of several pushes is made in one request, in the length in which they came", () => {
    const made = encoder();
    made.onPushed([18]);
    made.onPushed([0]);
    made.onPushed([33]);
    const session = openSession();
    expect(resets(made, field(0, 18, 33))).toBe(true);
    const longer = encoder(session);
    longer.onPushed([2]);
    expect(opened(session, longer.encode("iddStatusReader", RESET, fromHex("048000800000"), { e2eCrc: false }))).toBe("0c03048000800000");
  });
  test("is not made again where the pump has refused it, nor with what the program changes behind its back", () => {
    const made = encoder();
    const pushed = [18];
    made.onPushed(pushed);
    pushed.push(0);
    expect(resets(made, field(0))).toBe(false);
    expect(resets(made, field(18))).toBe(true);
    // The pump answers 0303 0C03 70: the encoder does not hear of it, and has nothing left to reset.
    expect(resets(made, field(18))).toBe(false);
  });
});

describe("E2E protection of requests", () => {
  test("the insulin delivery service: a counter of its own for each control point, from 1 to 255 and 1 again, and the CRC over it", () => {
    const session = openSession();
    const made = encoder(session);
    const counters: number[] = [];
    for (let i = 0; i < 257; i++) {
      const octets = fromHex(opened(session, made.encode("iddStatusReader", 0x03f3, new Uint8Array(), { e2eCrc: true })));
      expect([octets.length, octets[0], octets[1]]).toEqual([5, 0xf3, 0x03]);
      expect(octets[3]! | (octets[4]! << 8)).toBe(e2eCrc(octets.subarray(0, 3)));
      counters.push(octets[2]!);
    }
    expect([counters[0], counters[254], counters[255], counters[256]]).toEqual([1, 255, 1, 2]);
    const other = fromHex(opened(session, made.encode("iddCommand", 0x148e, Uint8Array.of(1), { e2eCrc: true })));
    expect(toHex(other.subarray(0, 4))).toBe("8e140101");
  });
  test("a request that is made and never sent takes no counter", () => {
    const session = openSession();
    const made = encoder(session);
    made.encode("iddStatusReader", 0x03f3, new Uint8Array(), { e2eCrc: true });
    expect(fromHex(opened(session, made.encode("iddStatusReader", 0x03fd, new Uint8Array(), { e2eCrc: true })))[2]).toBe(1);
  });
});

describe("the table", () => {
  test("lists these characteristics and operation codes; it is closed, all the way down", () => {
    const listed = Object.fromEntries(
      Object.entries(PERMITTED_WRITES).map(([name, { requests }]) => [
        name,
        Object.keys(requests).map((code) => Number(code).toString(16)),
      ]),
    );
    expect(listed).toEqual({
      cgmMeasurement: [],
      cgmRecordAccess: ["1", "3", "4"],
      cgmSpecificOps: ["2", "5", "8", "b", "e", "11", "14", "17", "81", "83", "8c", "90"],
      cgmSensorExpiration: [],
      cgmSensorCalibrationTime: [],
      iddStatusReader: ["30c", "330", "356", "365", "395", "3a6", "3c0", "3f3", "3fd", "3ff", "401", "403", "405", "407"],
      iddCommand: ["147d", "148e"],
      iddRecordAccess: ["33", "55", "5a"],
      iddHistoryData: [],
      iddCommandData: [],
      iddStatusChanged: [],
    });
    for (const entry of [
      PERMITTED_WRITES,
      ...Object.values(PERMITTED_WRITES),
      ...Object.values(PERMITTED_WRITES).map(({ requests }) => requests),
    ])
      expect(Object.isFrozen(entry)).toBe(true);
    expect([...SUBSCRIBED_NAMES].sort()).toEqual(Object.keys(PERMITTED_WRITES).sort());
    expect(SUBSCRIBED_NAMES.at(-1)).toBe("iddStatusChanged"); // it sends as soon as it is asked to
  });

  test("a name, an operation code or an operand that is two things at once passes as neither", () => {
    const made = encoder();
    const encode = (name: unknown, opcode: unknown, operand: unknown): PumpWrite =>
      made.encode(name as ControlPointName, opcode as number, operand as Uint8Array, { e2eCrc: false });
    const none = new Uint8Array();
    for (const name of ["constructor", "__proto__", "toString", "", "iddFeatures", "cgmSessionStartTime"])
      expect(() => encode(name, 1, Uint8Array.of(6))).toThrow("may send");
    for (const opcode of ["1", "144", 144.5, Number.NaN, -1, 0x100 + 0x90, 0x10000 + 0x90, { valueOf: () => 0x1a, toString: () => "144" }])
      expect(() => encode("cgmSpecificOps", opcode, none)).toThrow("may send");
    // Looked at it is harmless, sent it would not be.
    class Shifty extends Uint8Array {
      #reads = 0;
      override *[Symbol.iterator](): ArrayIterator<number> {
        yield this.#reads++ === 0 ? 0x01 : 0x4b;
      }
    }
    const write = made.encode("iddCommand", 0x148e, new Shifty(1), { e2eCrc: false });
    const session = openSession();
    const again = encoder(session).encode("iddCommand", 0x148e, new Shifty(1), { e2eCrc: false });
    expect([PumpWrite.isGenuine(write), opened(session, again)]).toEqual([true, "8e1401"]);
  });
});
