import { fromHex, toHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import { describe, expect, test } from "vitest";
import { readVectors } from "../../test/vectors.ts";
import { SakeSession } from "../sake/session.ts";
import { type ControlPointName, PumpWrite, RequestEncoder } from "./requests.ts";

interface Vectors {
  cgm: { racp: { requests: { name: string; bytes: string }[] }; socp: { requests: { name: string; plaintext: string }[] } };
}
const { cgm } = readVectors<Vectors>("minimed");

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
