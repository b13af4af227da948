import fc from "fast-check";
import { expect, test } from "vitest";
import { type OpenedHci, openScriptedHci } from "../../test/support/scripted-hci.ts";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { DisconnectedError, DisconnectionComplete, encodeEvent, NumberOfCompletedPackets } from "../hci/index.ts";
import { type ConnectionParameters, connectionParametersProblem, L2cap, type L2capLink, PDU_OFFSET } from "./index.ts";

interface Opened extends OpenedHci {
  link: L2capLink;
  /** The peer's PDU arrives on a channel. */
  receive: (channelId: number, pdu: string | Uint8Array) => void;
  /** PDUs sent since the last call, in hexadecimal, the channel in front. */
  sent: () => string[];
}

async function open(role: "central" | "peripheral" = "central"): Promise<Opened> {
  const opened = await openScriptedHci();
  const link = new L2cap(opened.hci).open({ handle: 0x40, role });
  return {
    ...opened,
    link,
    receive: (channelId, pdu) => {
      const octets = typeof pdu === "string" ? fromHex(pdu) : pdu;
      const size = octets.length + 4;
      const header = [2, 0x40, 0x20, size & 0xff, size >> 8, octets.length & 0xff, octets.length >> 8, channelId & 0xff, channelId >> 8];
      opened.controller.send(concat(Uint8Array.from(header), octets));
    },
    sent: () => {
      const packets = opened.controller.acl.splice(0);
      for (const _ of packets) opened.controller.send(completed(1));
      return packets.map((packet) => `${packet[7]} ${toHex(packet.subarray(9))}`);
    },
  };
}

const completed = (numCompletedPackets: number): Uint8Array =>
  encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: 0x40, numCompletedPackets }] });
const PARAMETERS: ConnectionParameters = { intervalMin: 24, intervalMax: 40, latency: 4, timeout: 500 };
const UPDATE_REQUEST = "12 05 0800 1800 2800 0400 f401";

test("each fixed channel gets its own PDUs, in place; other channels get nothing", async () => {
  const { link, receive, log } = await open();
  const got: string[] = [];
  link.att.onPdu = (bytes, offset, end) => got.push(`att ${offset} ${toHex(bytes.subarray(offset, end))}`);
  link.smp.onPdu = (bytes, offset, end) => got.push(`smp ${offset} ${toHex(bytes.subarray(offset, end))}`);
  receive(4, "0a0300");
  receive(6, "0b05");
  receive(4, "");
  for (const channelId of [0, 1, 2, 3, 7, 0x3f, 0x40, 0x104, 0xffff]) receive(channelId, "0102");
  expect(got).toEqual(["att 9 0a0300", "smp 9 0b05", "att 9 "]);
  expect(log.filter((line) => line.includes("unknown channel"))).toHaveLength(9);
});

test("a frame is allocated with its headers and sent without a copy", async () => {
  const { link, controller } = await open();
  const frame = link.att.allocate(3);
  expect(toHex(frame)).toBe("024000070003000400000000");
  frame.set([0x1b, 3, 0], PDU_OFFSET);
  link.att.sendFrame(frame);
  expect(controller.acl[0]).toBe(frame);
  link.smp.send(fromHex("0b05"));
  expect(toHex(controller.acl[1]!)).toBe("0240000600020006000b05");
  expect(() => link.att.allocate(0x10000)).toThrow("PDU of 65536 octets: expected at most 65535");
  expect(() => link.att.allocate(-1)).toThrow("PDU of -1 octets");
});

test("channels share the link's room and its end", async () => {
  const { link, controller } = await open();
  const reasons: string[] = [];
  link.att.onClose = (reason) => reasons.push(`att ${reason.code}`);
  link.smp.onClose = (reason) => reasons.push(`smp ${reason.code}`);
  for (let i = 0; i < 40; i++) link.att.send(fromHex("1b0300"));
  expect([link.att.writable, link.smp.writable]).toEqual([false, false]);
  const outcomes = Promise.allSettled([link.att.whenWritable(), link.smp.whenSent()]);
  controller.send(encodeEvent(DisconnectionComplete, { status: 0, connectionHandle: 0x40, reason: 0x08 }));
  expect((await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason as object)).toMatchObject([
    { reason: 8 },
    { reason: 8 },
  ]);
  expect(reasons).toEqual(["att ERR_DISCONNECTED", "smp ERR_DISCONNECTED"]);
  link.close(new DisconnectedError(0x16));
  link.att.send(fromHex("1b0300"));
  expect(reasons).toHaveLength(2);
  expect(link.ended).toMatchObject({ reason: 8 });
});

test("a channel whose onClose throws does not keep the others from hearing it", async () => {
  const { link } = await open("peripheral");
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const uncaught: unknown[] = [];
  process.once("uncaughtException", (error) => uncaught.push(error));
  link.att.onClose = () => {
    throw new Error("att");
  };
  const request = expect(link.parameterUpdate.request(PARAMETERS)).rejects.toMatchObject({ reason: 0x16 });
  link.close(new DisconnectedError(0x16));
  await request;
  await new Promise((resolve) => setImmediate(resolve));
  for (const listener of listeners) process.on("uncaughtException", listener);
  expect(uncaught).toEqual([new Error("att")]);
});

test("the peripheral asks for connection parameters and hears the answer", async () => {
  const { link, receive, sent, clock } = await open("peripheral");
  const accepted = link.parameterUpdate.request(PARAMETERS);
  expect(sent()).toEqual(["5 12010800180028000400f401"]);
  receive(5, "13 02 0200 0000"); // an identifier that nobody used
  receive(5, "13 01 0300 000000"); // malformed
  receive(5, "13 01 0200 0000");
  expect(await accepted).toBe(true);
  const refused = link.parameterUpdate.request(PARAMETERS);
  expect(sent()[0]).toMatch(/^5 1202/);
  receive(5, "13 02 0200 0100");
  expect(await refused).toBe(false);
  expect(clock.pending).toEqual([]);
});

test("a central that does not know the request is a typed error", async () => {
  const { link, receive } = await open("peripheral");
  const asking = link.parameterUpdate.request(PARAMETERS);
  receive(5, "01 01 0200 0000");
  await expect(asking).rejects.toMatchObject({ code: "ERR_L2CAP_COMMAND_REJECTED", reason: 0 });
});

test("RTX: an unanswered request fails after 30 s, or sooner as told; a late answer is not taken for another", async () => {
  const { link, receive, clock } = await open("peripheral");
  const first = expect(link.parameterUpdate.request(PARAMETERS)).rejects.toMatchObject({
    code: "ERR_TIMEOUT",
    timeoutMs: 30_000,
  });
  await clock.advance(30_000);
  await first;
  const second = expect(link.parameterUpdate.request(PARAMETERS, { timeoutMs: 50 })).rejects.toMatchObject({
    timeoutMs: 50,
  });
  receive(5, "13 01 0200 0000");
  await clock.advance(50);
  await second;
  const abort = new AbortController();
  const third = expect(link.parameterUpdate.request(PARAMETERS, { signal: abort.signal })).rejects.toThrow("enough");
  abort.abort(new Error("enough"));
  await third;
  expect(clock.pending).toEqual([]);
});

test("a request that cannot be made is refused before anything is sent", async () => {
  const { link, sent, controller } = await open("peripheral");
  const ask = (changes: Partial<ConnectionParameters>): Promise<boolean> => link.parameterUpdate.request({ ...PARAMETERS, ...changes });
  await expect(ask({ intervalMin: 5 })).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: "intervalMin 5: expected 6 to 3200 (units of 1.25 ms)",
  });
  await expect(ask({ intervalMax: 23 })).rejects.toThrow("intervalMax 23: expected 24 to 3200");
  await expect(ask({ latency: 500 })).rejects.toThrow("latency 500: expected 0 to 499");
  await expect(ask({ timeout: 9 })).rejects.toThrow("timeout 9: expected 10 to 3200");
  await expect(ask({ timeout: 50 })).rejects.toThrow("timeout 50: expected more than 50");
  expect(sent()).toEqual([]);
  const under = link.parameterUpdate.request(PARAMETERS);
  await expect(ask({})).rejects.toMatchObject({ code: "ERR_STATE" });
  controller.send(encodeEvent(DisconnectionComplete, { status: 0, connectionHandle: 0x40, reason: 0x13 }));
  await expect(under).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(ask({})).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  const central = await open("central");
  await expect(central.link.parameterUpdate.request(PARAMETERS)).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("identifiers go round from 1 to 255 and are never 0", async () => {
  const { link, receive, sent } = await open("peripheral");
  const identifiers = new Set<number>();
  for (let i = 0; i < 256; i++) {
    const asking = link.parameterUpdate.request(PARAMETERS);
    const identifier = Number.parseInt(sent()[0]!.slice(4, 6), 16);
    identifiers.add(identifier);
    receive(5, Uint8Array.of(0x13, identifier, 2, 0, 0, 0));
    await asking;
  }
  expect([identifiers.size, identifiers.has(0)]).toEqual([255, false]);
});

test("the central's user decides, at once or later; parameters out of range are not even shown", async () => {
  const { link, receive, sent } = await open("central");
  receive(5, UPDATE_REQUEST);
  expect(sent()).toEqual(["5 130502000100"]); // nobody decides: refused
  const asked: ConnectionParameters[] = [];
  link.parameterUpdate.onRequest = (parameters) => {
    asked.push(parameters);
    return true;
  };
  receive(5, UPDATE_REQUEST);
  expect(sent()).toEqual(["5 130502000000"]);
  expect(asked).toEqual([PARAMETERS]);
  receive(5, "12 06 0800 0500 2800 0400 f401");
  expect(sent()).toEqual(["5 130602000100"]);
  expect(asked).toHaveLength(1);

  let decide = (_accepted: boolean): void => {};
  link.parameterUpdate.onRequest = () =>
    new Promise((resolve) => {
      decide = resolve;
    });
  receive(5, UPDATE_REQUEST);
  receive(5, "12 06 0800 1800 2800 0400 f401"); // a second one meanwhile
  expect(sent()).toEqual(["5 130602000100"]);
  decide(true);
  await Promise.resolve();
  expect(sent()).toEqual(["5 130502000000"]);
});

test("an update request that is sent again while the user decides is answered once, with the decision", async () => {
  const { link, receive, sent } = await open("central");
  const decisions: ((accepted: boolean) => void)[] = [];
  link.parameterUpdate.onRequest = () => new Promise((resolve) => decisions.push(resolve));
  receive(5, UPDATE_REQUEST);
  receive(5, UPDATE_REQUEST);
  expect([sent(), decisions.length]).toEqual([[], 1]);
  decisions[0]!(true);
  await Promise.resolve();
  expect(sent()).toEqual(["5 130502000000"]);
  receive(5, UPDATE_REQUEST); // the identifier is free again
  expect(decisions).toHaveLength(2);
});

test.each([
  ["least", "0600 0600 0000 0a00", true],
  ["most", "800c 800c 0000 800c", true],
  ["the most latency", "0600 0600 f301 800c", true],
  ["an interval of 5", "0500 0600 0000 0a00", false],
  ["an interval of 3201", "0600 810c 0000 800c", false],
  ["a latency of 500", "0600 0600 f401 800c", false],
  ["a timeout of 9", "0600 0600 0000 0900", false],
  ["a timeout of 3201", "0600 0600 0000 810c", false],
  ["a timeout of twice the interval", "0600 2800 0000 0a00", false],
  ["a timeout of 2.05 intervals", "0600 2700 0000 0a00", true],
])("L2CAP/LE/CPU/BI: %s", async (_name, parameters, isTaken) => {
  const { link, receive, sent } = await open("central");
  link.parameterUpdate.onRequest = () => true;
  receive(5, `12 07 0800 ${parameters}`);
  expect(sent()).toEqual([isTaken ? "5 130702000000" : "5 130702000100"]);
});

test("a decision that fails is a refusal, and the fault is the program's", async () => {
  const uncaught: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error.message));
  try {
    const { link, receive, sent } = await open("central");
    link.parameterUpdate.onRequest = () => {
      throw new Error("undecided");
    };
    receive(5, UPDATE_REQUEST);
    expect(sent()).toEqual(["5 130502000100"]);
    link.parameterUpdate.onRequest = () => Promise.reject(new Error("later"));
    receive(5, UPDATE_REQUEST);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent()).toEqual(["5 130502000100"]);
    expect(uncaught).toEqual(["undecided", "later"]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});

test.each<readonly [string, "central" | "peripheral", string, readonly string[]]>([
  ["an unknown command", "central", "7f 09 0000", ["5 010902000000"]],
  [
    "LE Credit Based Connection Request that nobody listens for",
    "central",
    "14 09 0a00 8000 4000 1700 1700 0a00",
    ["5 15090a0000000000000000000200"],
  ],
  ["an update request to a peripheral", "peripheral", UPDATE_REQUEST, ["5 010502000000"]],
  ["an update request of wrong length", "central", "12 05 0700 1800 2800 0400 f4", ["5 010502000000"]],
  ["a length greater than the packet", "central", "12 05 0900 1800 2800 0400 f401", ["5 010502000000"]],
  ["a length less than the packet", "central", "12 05 0800 1800 2800 0400 f401 00", ["5 010502000000"]],
  ["two commands in one packet", "central", "7f 09 0000 7f 0a 0000", ["5 010902000000"]],
  ["more than MTUsig", "central", `7f 09 1400 ${"00".repeat(20)}`, ["5 0109040001001700"]],
  ["Disconnection Request for a channel that is not there", "central", "06 09 0400 4000 4100", ["5 01090600020040004100"]],
  ["Disconnection Request of wrong length", "central", "06 09 0200 4000", ["5 010902000000"]],
  ["Credit Ind for a channel that is not there", "central", "16 09 0400 4000 0100", []],
  ["Credit Ind of wrong length", "central", "16 09 0200 4000", ["5 010902000000"]],
  ["Credit Ind whose length lies", "central", "16 09 0400 4000", ["5 010902000000"]],
  ["a Credit Ind longer than MTUsig", "central", `16 09 1400 ${"00".repeat(20)}`, ["5 0109040001001700"]],
  ...[0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11].map(
    (code) =>
      [
        `0x${code.toString(16)}, which had a meaning once`,
        "peripheral",
        `${code.toString(16).padStart(2, "0")} 09 0200 4000`,
        ["5 010902000000"],
      ] as const,
  ),
  ...[0x02, 0x04, 0x08, 0x0a, 0x17, 0x19, 0x1b, 0x00, 0xff].map(
    (code) => [`request 0x${code.toString(16)}`, "central", `${code.toString(16).padStart(2, "0")} 09 0000`, ["5 010902000000"]] as const,
  ),
  ...[0x01, 0x03, 0x05, 0x07, 0x09, 0x0b, 0x13, 0x15, 0x18, 0x1a].map(
    (code) => [`answer 0x${code.toString(16)} of wrong length`, "central", `${code.toString(16).padStart(2, "0")} 09 0100 00`, []] as const,
  ),
  ["an answer that nobody waits for", "central", "13 09 0200 0000", []],
  ["a Command Reject that nobody waits for", "central", "01 09 0200 0000", []],
  ["a Command Reject without reason", "peripheral", "01 01 0000", []],
  ["an answer longer than MTUsig", "central", `15 09 1400 ${"00".repeat(20)}`, []],
  ["an answer whose length lies", "central", "15 09 0900", []],
  ["identifier 0", "central", "12 00 0800 1800 2800 0400 f401", []],
  ["less than a header", "central", "12 05 08", []],
  ["nothing", "central", "", []],
])("signalling: %s", async (_name, role, pdu, answers) => {
  const { receive, sent } = await open(role);
  receive(5, pdu);
  expect(sent()).toEqual(answers);
});

test("a peer that asks and asks without taking the answers gets no more of them", async () => {
  const { receive, controller, hci } = await open("central");
  for (let i = 0; i < 5000; i++) receive(5, "7f 09 0000");
  expect(controller.acl).toHaveLength(4);
  expect(controller.commands).toEqual([]); // and the link is not given up for it
  for (let i = 0; i < 20; i++) controller.send(completed(4));
  expect(controller.acl).toHaveLength(36);
  expect(hci.acl.freePackets).toBe(4);
});

test.each([["7f 09 0000"], ["16 09 0200 4000"], [`16 09 1400 ${"00".repeat(20)}`], ["16 09 0400 4000"]])(
  "rejects of %s are bounded too where nobody takes them",
  async (pdu) => {
    const { receive, controller } = await open("central");
    for (let i = 0; i < 2000; i++) receive(5, pdu);
    for (let i = 0; i < 20; i++) controller.send(completed(4));
    expect(controller.acl).toHaveLength(36);
  },
);

test("random signalling packets are answered or dropped, never thrown", async () => {
  const { link, receive, sent } = await open("central");
  link.parameterUpdate.onRequest = (parameters) => connectionParametersProblem(parameters) === undefined;
  const structured = fc
    .tuple(fc.integer({ min: 0, max: 0x1f }), fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 30 }))
    .map(([code, identifier, data]) => Uint8Array.of(code, identifier, data.length, 0, ...data));
  fc.assert(
    fc.property(fc.oneof(structured, fc.uint8Array({ maxLength: 40 })), (pdu) => {
      receive(5, pdu);
      const answers = sent();
      expect(answers.length).toBeLessThanOrEqual(1);
      for (const answer of answers) expect(answer.slice(4, 6)).toBe(toHex(pdu.subarray(1, 2)));
    }),
    { numRuns: 2000 },
  );
});
