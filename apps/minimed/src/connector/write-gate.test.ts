import { fromHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import type { HciTransport, TransportClosed } from "jelling/hci";
import { describe, expect, test } from "vitest";
import { WriteGate } from "./write-gate.ts";

const HANDLE = 0x0040;

/** A gate over a transport that keeps what reaches it. */
function gated(): { gate: WriteGate; sent: Uint8Array[]; closed: () => number; reasons: TransportClosed[] } {
  const sent: Uint8Array[] = [];
  const reasons: TransportClosed[] = [];
  let closed = 0;
  const transport: HciTransport = {
    info: { spec: "test:" },
    onPacket: undefined,
    onClose: undefined,
    writable: true,
    onWritable: undefined,
    send: (packet) => void sent.push(packet),
    [Symbol.asyncDispose]: () => {
      closed++;
      return Promise.resolve();
    },
  };
  const gate = new WriteGate(transport, Logger.silent);
  gate.onClose = (reason) => void reasons.push(reason);
  return { gate, sent, closed: () => closed, reasons };
}

/** An ACL packet with a whole L2CAP frame, or with what is said of it. */
function acl(pdu: string, { cid = 4, flags = 0, length }: { cid?: number; flags?: number; length?: number } = {}): Uint8Array {
  const content = fromHex(pdu);
  const said = length ?? content.length;
  const octets = content.length + 4;
  return Uint8Array.of(2, HANDLE, flags << 4, octets & 0xff, octets >> 8, said & 0xff, said >> 8, cid & 0xff, cid >> 8, ...content);
}
const passes = (packet: Uint8Array): boolean => {
  const { gate, sent } = gated();
  gate.send(packet);
  return sent.length === 1;
};

describe("of the ATT PDUs", () => {
  test("of all opcodes those of a server, the confirmation and six reading requests pass", () => {
    const passing = Array.from({ length: 256 }, (_, opcode) => opcode).filter((opcode) =>
      passes(acl(`${opcode.toString(16).padStart(2, "0")}0300`)),
    );
    expect(passing.filter((opcode) => opcode % 2 === 0)).toEqual([0x04, 0x06, 0x08, 0x0a, 0x0c, 0x10, 0x1e]);
    expect(passing.filter((opcode) => opcode % 2 === 1)).toEqual(Array.from({ length: 18 }, (_, i) => 2 * i + 1));
  });

  test("a Write Request passes once, octet for octet, on its connection and while it is permitted", () => {
    const pdu = fromHex("1226000106");
    const other = { value: "1226000107", handle: "1227000106", longer: "122600010600", shorter: "12260001" };
    for (const wrong of Object.values(other)) {
      const { gate, sent } = gated();
      gate.permit(HANDLE, pdu);
      gate.send(acl(wrong));
      expect(sent).toEqual([]);
    }
    const elsewhere = gated();
    elsewhere.gate.permit(HANDLE + 1, pdu);
    elsewhere.gate.send(acl("1226000106"));
    expect(elsewhere.sent).toEqual([]);
    const over = gated();
    over.gate.permit(HANDLE, pdu)[Symbol.dispose]();
    over.gate.send(acl("1226000106"));
    expect(over.sent).toEqual([]);
    const { gate, sent } = gated();
    const given = pdu.slice();
    gate.permit(HANDLE, given);
    given.fill(0); // what was announced is what counts
    gate.send(acl("1226000106"));
    expect(sent).toHaveLength(1);
    gate.send(acl("1226000106"));
    expect(sent).toHaveLength(1);
  });

  test("a Write Request that was given up before it came is dropped, once, and the gate stays open", () => {
    const pdu = fromHex("1226000106");
    const { gate, sent, closed, reasons } = gated();
    gate.permit(HANDLE, pdu)[Symbol.dispose]();
    gate.send(acl("1226000106"));
    expect([sent, closed(), reasons]).toEqual([[], 0, []]);
    gate.permit(HANDLE, pdu); // the same, asked for anew
    gate.send(acl("1226000106"));
    expect(sent).toHaveLength(1);
    gate.send(acl("1226000106"));
    expect([sent.length, closed()]).toEqual([1, 1]);
  });

  test("a Write Request whose ground is gone when it comes is dropped, although nobody has given it up yet", () => {
    const { gate, sent, closed } = gated();
    let stands = false;
    gate.permit(HANDLE, fromHex("1226000106"), () => stands);
    gate.send(acl("1226000106"));
    expect([sent, closed()]).toEqual([[], 0]);
    stands = true;
    gate.permit(HANDLE, fromHex("1226000106"), () => stands);
    gate.send(acl("1226000106"));
    expect(sent).toHaveLength(1);
  });

  test("one that was sent in time does not excuse a second one, and of those given up the last sixteen are remembered", () => {
    const inTime = gated();
    const permit = inTime.gate.permit(HANDLE, fromHex("1226000106"));
    inTime.gate.send(acl("1226000106"));
    permit[Symbol.dispose]();
    inTime.gate.send(acl("1226000106"));
    expect(inTime.closed()).toBe(1);
    const text = (i: number): string => `122600${i.toString(16).padStart(2, "0")}`;
    for (const [i, shut] of [
      [0, 1],
      [1, 0],
      [16, 0],
    ] as const) {
      const { gate, closed } = gated();
      for (let n = 0; n <= 16; n++) gate.permit(HANDLE, fromHex(text(n)))[Symbol.dispose]();
      gate.send(acl(text(i)));
      expect(closed(), text(i)).toBe(shut);
    }
  });

  test("a permit is for the request: no command, no prepared write passes with its octets", () => {
    for (const opcode of ["52", "16", "d2", "18"]) {
      const { gate, sent } = gated();
      gate.permit(HANDLE, fromHex(`${opcode}26000106`));
      gate.send(acl(`${opcode}26000106`));
      expect(sent, opcode).toEqual([]);
    }
  });

  test("23 octets are the most, and a PDU is whole or held", () => {
    expect(passes(acl(`1b2600${"00".repeat(20)}`))).toBe(true);
    expect(passes(acl(`1b2600${"00".repeat(21)}`))).toBe(false);
    expect(passes(acl("0a26", { length: 3 }))).toBe(false);
    expect(passes(acl("0a260000", { length: 3 }))).toBe(false);
    expect(passes(acl(""))).toBe(false);
    expect(passes(acl("0a2600", { flags: 0b10 }))).toBe(true);
    expect(passes(acl("1226000106", { flags: 0b10 }))).toBe(false);
    const { gate, sent } = gated();
    gate.send(acl("0a2600"));
    gate.send(Uint8Array.of(2, HANDLE, 0x10, 1, 0, 0x12)); // a continuation of it
    expect(sent).toHaveLength(1);
  });
});

describe("of the rest", () => {
  test("signalling and Security Manager frames pass, whole or in parts, and no other channel", () => {
    expect(passes(acl("0b05", { cid: 6 }))).toBe(true);
    expect(passes(acl("01010200", { cid: 5 }))).toBe(true);
    for (const cid of [0x0001, 0x0002, 0x0003, 0x0007, 0x0040, 0x007f]) expect(passes(acl("1226000106", { cid })), `${cid}`).toBe(false);
    const { gate, sent } = gated();
    gate.send(acl("0c0102", { cid: 6, length: 5 }));
    gate.send(Uint8Array.of(2, HANDLE, 0x10, 2, 0, 3, 4));
    expect(sent).toHaveLength(2);
    gate.send(Uint8Array.of(2, HANDLE, 0x10, 1, 0, 5)); // one octet too many
    expect(sent).toHaveLength(2);
  });

  test("commands pass; synchronous and isochronous data, events and packets without a header do not", () => {
    expect(passes(fromHex("01030c00"))).toBe(true);
    for (const packet of ["03", "04", "05", "", "0240", "02400002000000", "0240000000"])
      expect(passes(fromHex(packet)), packet).toBe(false);
  });
});

test("what is held shuts the gate: nothing passes any more, the transport is closed, and the host is told why", async () => {
  const { gate, sent, closed, reasons } = gated();
  gate.send(acl("5226000106"));
  gate.send(fromHex("01030c00"));
  expect([sent.length, closed(), reasons]).toEqual([0, 1, []]); // not from within `send`
  await Promise.resolve();
  expect(reasons).toHaveLength(1);
  expect(reasons[0]).toMatchObject({ code: "ERR_TRANSPORT_CLOSED", cause: { code: "ERR_PUMP_FORBIDDEN" } });
  expect((reasons[0]!.cause as Error).message).toContain("0x52");
});

test("an L2CAP frame of less than its header does not pass, whatever its octets would be", () => {
  for (let octets = 0; octets < 4; octets++)
    for (const cid of [4, 5, 6]) {
      const whole = acl("", { cid });
      expect(passes(Uint8Array.of(2, HANDLE, 0, octets, 0, ...whole.subarray(5, 5 + octets)))).toBe(false);
    }
  expect(passes(acl("", { cid: 5 }))).toBe(true); // with its header, and without content, it is one
});
