import fc from "fast-check";
import { expect, test } from "vitest";
import { type OpenedHci, openScriptedHci } from "../../test/support/scripted-hci.ts";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { VirtualClock } from "../async/index.ts";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { ArgumentError, Logger } from "../core/index.ts";
import { type AclLink, AclManager, DisconnectedError, DisconnectionComplete, encodeEvent, NumberOfCompletedPackets } from "./index.ts";

/** A whole frame for channel 4, as L2CAP makes it. */
function frameOf(handle: number, length: number, fill = 0): Uint8Array {
  const frame = new Uint8Array(9 + length).fill(fill, 9);
  const dataLength = length + 4;
  frame.set([2, handle & 0xff, handle >> 8, dataLength & 0xff, (dataLength >> 8) & 0xff, length & 0xff, length >> 8, 4, 0]);
  return frame;
}

function aclPacket(handle: number, boundary: number, data: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(2, handle & 0xff, (handle >> 8) | (boundary << 4), data.length & 0xff, data.length >> 8), data);
}

const completed = (...pairs: [handle: number, count: number][]): Uint8Array =>
  encodeEvent(NumberOfCompletedPackets, {
    handles: pairs.map(([connectionHandle, numCompletedPackets]) => ({ connectionHandle, numCompletedPackets })),
  });
const disconnection = (connectionHandle: number): Uint8Array =>
  encodeEvent(DisconnectionComplete, { status: 0, connectionHandle, reason: 0x13 });

function collect(link: AclLink): number[][] {
  const pdus: number[][] = [];
  link.onPdu = (bytes, offset, end) => pdus.push([...bytes.subarray(offset, end)]);
  return pdus;
}

/** Joins what the controller got on a handle into PDUs again, checking the headers on the way. */
function recombine(packets: Uint8Array[], handle: number, packetLength: number): Uint8Array[] {
  const pdus: Uint8Array[] = [];
  for (const packet of packets) {
    if ((packet[1]! | ((packet[2]! & 0x0f) << 8)) !== handle) continue;
    const data = packet.subarray(5);
    expect(packet[3]! | (packet[4]! << 8)).toBe(data.length);
    expect(data.length).toBeLessThanOrEqual(packetLength);
    const boundary = packet[2]! >> 4;
    if (boundary === 0b00) pdus.push(data);
    else {
      expect(boundary).toBe(0b01);
      pdus.push(concat(pdus.pop()!, data));
    }
  }
  return pdus;
}

const orderOf = ({ controller }: OpenedHci): string => controller.acl.map((packet) => packet[1]).join(" ");

test("a frame that fits is sent as it is, without a copy", async () => {
  const { hci, controller } = await openScriptedHci();
  const frame = frameOf(0x123, 23);
  hci.acl.open(0x123).sendFrame(frame);
  expect(controller.acl[0]).toBe(frame);
  expect(hci.acl.freePackets).toBe(3);
});

test("a longer frame is cut at the controller's packet length, the first fragment marked 00, the others 01", async () => {
  const { hci, controller } = await openScriptedHci();
  const frame = frameOf(1, 60, 7);
  const whole = frame.slice(5);
  hci.acl.open(1).sendFrame(frame);
  expect(controller.acl.map((packet) => [packet[2]! >> 4, packet.length - 5])).toEqual([
    [0, 27],
    [1, 27],
    [1, 10],
  ]);
  expect(recombine(controller.acl, 1, 27)).toEqual([whole]);
});

test("the longest PDU there is goes through", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  hci.acl.open(1).sendFrame(frameOf(1, 0xffff, 3));
  while (hci.acl.freePackets < 4) controller.send(completed([1, 4 - hci.acl.freePackets]));
  expect(recombine(controller.acl, 1, 27)).toEqual([frameOf(1, 0xffff, 3).slice(5)]);
});

test("no more packets are under way than the controller granted", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  const link = hci.acl.open(1);
  for (let i = 0; i < 6; i++) link.sendFrame(frameOf(1, 10));
  expect(controller.acl).toHaveLength(4);
  controller.send(completed([1, 1]));
  expect(controller.acl).toHaveLength(5);
  controller.send(completed([1, 3]));
  expect(controller.acl).toHaveLength(6);
  expect(hci.acl.freePackets).toBe(2);
});

test("links take turns, and none takes the last buffer from one that has nothing under way", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  const [a, b] = [hci.acl.open(1), hci.acl.open(2)];
  for (let i = 0; i < 6; i++) a.sendFrame(frameOf(1, 10));
  expect(orderOf(opened)).toBe("1 1 1"); // one of four is kept for b
  for (let i = 0; i < 3; i++) b.sendFrame(frameOf(2, 40));
  expect(orderOf(opened)).toBe("1 1 1 2");
  controller.send(completed([1, 2], [2, 1]));
  expect(orderOf(opened)).toBe("1 1 1 2 2 1 2"); // 2 waited longer
});

test("a third link, and the shares grow again when links go", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  const links = [1, 2, 3].map((handle) => hci.acl.open(handle));
  for (let i = 0; i < 6; i++) links[0]!.sendFrame(frameOf(1, 10));
  expect(orderOf(opened)).toBe("1 1");
  controller.send(disconnection(2));
  expect(orderOf(opened)).toBe("1 1 1");
  controller.send(disconnection(3));
  expect(orderOf(opened)).toBe("1 1 1 1");
});

test("a disconnection gives the dead link's buffers to the others at once, and drops what it had queued", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  const [a, b] = [hci.acl.open(1), hci.acl.open(2)];
  for (let i = 0; i < 6; i++) a.sendFrame(frameOf(1, 10));
  for (let i = 0; i < 6; i++) b.sendFrame(frameOf(2, 10));
  expect(orderOf(opened)).toBe("1 1 1 2");
  controller.send(disconnection(1));
  expect(orderOf(opened)).toBe("1 1 1 2 2 2 2");
  controller.send(completed([1, 3])); // reported all the same: not counted twice
  expect(orderOf(opened)).toBe("1 1 1 2 2 2 2");
});

test("a link closed on this side keeps its buffers until the controller reports them or the disconnection", async () => {
  const opened = await openScriptedHci();
  const { hci, controller } = opened;
  const link = hci.acl.open(1);
  for (let i = 0; i < 4; i++) link.sendFrame(frameOf(1, 10));
  link.close(new DisconnectedError(0x16));
  expect(hci.acl.freePackets).toBe(0);
  controller.send(completed([1, 1]));
  expect(hci.acl.freePackets).toBe(1);
  controller.send(disconnection(1));
  expect(hci.acl.freePackets).toBe(4);
  controller.send(disconnection(1));
  expect(hci.acl.freePackets).toBe(4);
});

test("a handle that comes again without a disconnection ends the old link", async () => {
  const { hci } = await openScriptedHci();
  const old = hci.acl.open(1);
  old.sendFrame(frameOf(1, 10));
  const reasons: string[] = [];
  old.onClose = (reason) => reasons.push(reason.code);
  const link = hci.acl.open(1);
  expect(reasons).toEqual(["ERR_CLOSED"]);
  expect(hci.acl.freePackets).toBe(4);
  old.close(new DisconnectedError(8));
  expect(link.ended).toBeUndefined();
  expect(reasons).toHaveLength(1);
});

test("reports of packets that nobody sent are not believed", async () => {
  const { hci, controller, log } = await openScriptedHci();
  const link = hci.acl.open(1);
  link.sendFrame(frameOf(1, 10));
  controller.send(completed([1, 5], [9, 3]));
  expect(hci.acl.freePackets).toBe(4);
  expect(log.some((line) => line.includes("more packets completed"))).toBe(true);
});

test("whenWritable waits for room, whenSent for the controller's report", async () => {
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  await link.whenSent();
  const log: string[] = [];
  for (let i = 0; i < 36; i++) link.sendFrame(frameOf(1, 10)); // 4 under way, 32 waiting
  expect(link.writable).toBe(false);
  void link.whenWritable().then(() => log.push("writable"));
  void link.whenSent().then(() => log.push("sent"));
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 3; i++) controller.send(completed([1, 4]));
  await settle();
  expect([link.writable, log]).toEqual([true, []]);
  controller.send(completed([1, 4]));
  await settle();
  expect(log).toEqual(["writable"]);
  await link.whenWritable();
  link.sendFrame(frameOf(1, 10)); // after whenSent was asked: not its business
  for (let i = 0; i < 5; i++) controller.send(completed([1, 4]));
  await settle();
  expect(log).toEqual(["writable", "sent"]);
});

test("whenSent counts every fragment", async () => {
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  link.sendFrame(frameOf(1, 60)); // three packets
  let sent = false;
  const done = link.whenSent().then(() => {
    sent = true;
  });
  controller.send(completed([1, 2]));
  await Promise.resolve();
  expect(sent).toBe(false);
  controller.send(completed([1, 1]));
  await done;
});

test("waiting ends with the signal, the time or the link", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  const link = hci.acl.open(1);
  for (let i = 0; i < 40; i++) link.sendFrame(frameOf(1, 10));
  const abort = new AbortController();
  const outcomes = Promise.allSettled([
    link.whenWritable({ signal: abort.signal }),
    link.whenSent({ signal: abort.signal }),
    link.whenSent({ timeoutMs: 100 }),
    link.whenWritable(),
    link.whenSent(),
  ]);
  abort.abort(new Error("enough"));
  await clock.advance(100);
  controller.send(disconnection(1));
  expect((await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason as object)).toMatchObject([
    { message: "enough" },
    { message: "enough" },
    { code: "ERR_TIMEOUT" },
    { code: "ERR_DISCONNECTED", reason: 0x13 },
    { code: "ERR_DISCONNECTED", reason: 0x13 },
  ]);
  await expect(link.whenWritable()).rejects.toBe(link.ended);
  await expect(link.whenSent()).rejects.toBe(link.ended);
  expect(link.writable).toBe(false);
  link.sendFrame(frameOf(1, 10));
  expect(clock.pending).toEqual([]);
});

test("a link on which far too much waits is disconnected", async () => {
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  for (let i = 0; i < 2000; i++) link.sendFrame(frameOf(1, 10));
  expect(controller.commands).toEqual(["Disconnect"]);
  expect(controller.parameters).toEqual([{ connectionHandle: 1, reason: 0x14 }]);
  controller.send(disconnection(1));
  expect(link.ended).toMatchObject({ code: "ERR_DISCONNECTED" });
});

test("a PDU in one packet is handed out in place; boundary flags 10 and 00 both start one", async () => {
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  const got: [Uint8Array, number, number][] = [];
  link.onPdu = (...pdu) => got.push(pdu);
  const packets = [0b10, 0b00].map((boundary) => aclPacket(1, boundary, fromHex("0200 0400 aabb")));
  controller.send(...packets);
  expect(got).toEqual(packets.map((packet) => [packet, 5, 11]));
  expect(got[0]![0]).toBe(packets[0]);
});

test("a PDU cut anywhere is put together again, down to one octet a packet", async () => {
  const { hci, controller } = await openScriptedHci();
  const pdus = collect(hci.acl.open(1));
  const pdu = concat(fromHex("0a00 0400"), new Uint8Array(10).fill(9));
  for (let first = 1; first < pdu.length; first++) {
    controller.send(aclPacket(1, 0b10, pdu.subarray(0, first)));
    for (let at = first; at < pdu.length; at++)
      controller.send(aclPacket(1, 0b01, pdu.subarray(at, at + 1)), aclPacket(1, 0b01, new Uint8Array(0)));
  }
  expect(pdus).toEqual(Array.from({ length: pdu.length - 1 }, () => [...pdu]));
});

test("PDUs of any length cut into packets of any length are put together, whatever becomes of the packets", async () => {
  const { hci, controller } = await openScriptedHci();
  const pdus = collect(hci.acl.open(1));
  const length = fc.oneof(fc.nat(80), fc.nat(600), fc.nat(5000));
  fc.assert(
    fc.property(fc.array(fc.tuple(length, fc.nat(255), fc.array(fc.nat(300), { maxLength: 8 })), { maxLength: 8 }), (cases) => {
      const sent = cases.map(([size, fill, cuts]) => {
        const pdu = concat(
          Uint8Array.of(size & 0xff, size >> 8, 4, 0),
          new Uint8Array(size).map((_, i) => fill + i),
        );
        for (let at = 0, cut = 0; at === 0 || at < pdu.length; cut++) {
          const end = at + (at === 0 ? Math.max(1, cuts[cut] ?? 4000) : (cuts[cut] ?? 4000));
          const packet = aclPacket(1, at === 0 ? 0b10 : 0b01, pdu.subarray(at, end));
          controller.send(packet);
          packet.fill(0xee);
          at = end;
        }
        return [...pdu];
      });
      expect(pdus.splice(0)).toEqual(sent);
    }),
  );
});

test("whatever kind of Uint8Array a transport gives, a PDU is in a plain one", async () => {
  class Odd extends Uint8Array {
    override subarray(): never {
      throw new Error("not for packets");
    }
    override slice(): never {
      throw new Error("not for packets");
    }
  }
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  const got: string[] = [];
  link.onPdu = (bytes, offset, end) =>
    got.push(`${Object.getPrototypeOf(bytes) === Uint8Array.prototype} ${toHex(bytes.slice(offset, end))}`);
  const short = fromHex("0200 0400 aabb");
  const long = concat(fromHex("c800 0400"), new Uint8Array(200).fill(3));
  for (const kind of [(octets: Uint8Array) => Buffer.from(octets), (octets: Uint8Array) => Odd.from(octets)]) {
    controller.send(kind(aclPacket(1, 0b10, short)));
    controller.send(kind(aclPacket(1, 0b10, short.subarray(0, 3))), kind(aclPacket(1, 0b01, short.subarray(3))));
    controller.send(kind(aclPacket(1, 0b10, long.subarray(0, 100))), kind(aclPacket(1, 0b01, long.subarray(100))));
    expect(got.splice(0)).toEqual([`true ${toHex(short)}`, `true ${toHex(short)}`, `true ${toHex(long)}`]);
  }
  const uncaught = await uncaughtDuring(() => controller.send([2, 1, 0x20, 6, 0, ...short] as never));
  expect([got, uncaught]).toEqual([[], [new ArgumentError("the transport gave an array, expected a Uint8Array")]]);
});

test("what does not add up is dropped, and the next PDU is whole again", async () => {
  const { hci, controller, log } = await openScriptedHci();
  const pdus = collect(hci.acl.open(1));
  const good = fromHex("0200 0400 aabb");
  const bad: Uint8Array[][] = [
    [aclPacket(1, 0b10, fromHex("0200 0400 aabbcc"))], // more than its length
    [aclPacket(1, 0b10, fromHex("0400 0400 aa"))], // left incomplete by the next start
    [aclPacket(1, 0b01, fromHex("aabb"))], // continues nothing
    [aclPacket(1, 0b10, fromHex("0200 0400 aa")), aclPacket(1, 0b01, fromHex("bbcc"))], // grows past its length
    [aclPacket(1, 0b10, fromHex("02")), aclPacket(1, 0b10, fromHex("0200 04"))], // two beginnings
    [aclPacket(1, 0b11, good)], // no such flag on LE
    [aclPacket(1, 0b10, new Uint8Array(0))],
    [aclPacket(7, 0b10, good)], // no such link
    [fromHex("02 0120 0700 0200 0400 aabb")], // ACL length too long
    [fromHex("02 0120 0500 0200 0400 aabb")], // and too short
    [fromHex("02 0120 06")],
  ];
  for (const packets of bad) {
    controller.send(...packets, aclPacket(1, 0b10, good));
    expect(pdus.splice(0)).toEqual([[...good]]);
  }
  expect(log.filter((line) => line.includes("dropped")).length).toBeGreaterThanOrEqual(bad.length);
});

test("an empty PDU is a PDU", async () => {
  const { hci, controller } = await openScriptedHci();
  const pdus = collect(hci.acl.open(1));
  controller.send(aclPacket(1, 0b10, fromHex("0000 0400")), aclPacket(1, 0b10, fromHex("0000")), aclPacket(1, 0b01, fromHex("0400")));
  expect(pdus).toEqual([
    [0, 0, 4, 0],
    [0, 0, 4, 0],
  ]);
});

test("nothing arrives on a link once it is closed, even when it is closed by a PDU", async () => {
  const { hci, controller } = await openScriptedHci();
  const link = hci.acl.open(1);
  let got = 0;
  link.onPdu = () => {
    got++;
    link.close(new DisconnectedError(0x16));
  };
  const pdu = aclPacket(1, 0b10, fromHex("0200 0400 aabb"));
  controller.send(pdu, pdu);
  expect(got).toBe(1);
});

test("any traffic on any number of links: nothing is lost, reordered or sent beyond the grant", () => {
  const step = fc.oneof(
    fc.record({ send: fc.nat(3), length: fc.nat(90) }),
    fc.record({ complete: fc.nat(3), count: fc.integer({ min: 1, max: 4 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.array(step, { maxLength: 80 }), (total, isSynchronous, steps) => {
      const sent: Uint8Array[] = [];
      const underWay = [0, 0, 0, 0];
      const complete = (handle: number, count: number): void => {
        underWay[handle]! -= count;
        acl.onCompleted(completed([handle, count]));
      };
      const acl = new AclManager({
        clock: new VirtualClock({ auto: false }),
        logger: Logger.silent,
        transmit: (packet) => {
          sent.push(packet.slice());
          underWay[packet[1]!]!++;
          expect(underWay.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(total);
          // A controller in the same process may report a packet before `transmit` returns.
          if (isSynchronous && sent.length % 3 === 0) complete(packet[1]!, 1);
        },
        onOverflow: () => expect.unreachable(),
      });
      acl.configure(30, total);
      const links = [0, 1, 2, 3].map((handle) => acl.open(handle));
      const queued: Uint8Array[][] = [[], [], [], []];
      for (const [i, action] of steps.entries()) {
        if ("send" in action) {
          const frame = frameOf(action.send, action.length, i & 0xff);
          queued[action.send]!.push(frame.slice(5));
          links[action.send]!.sendFrame(frame);
        } else complete(action.complete, Math.min(action.count, underWay[action.complete]!));
      }
      for (let i = 0; underWay.some((count) => count > 0); i++) complete(i % 4, underWay[i % 4]!);
      for (const handle of [0, 1, 2, 3]) expect(recombine(sent, handle, 30)).toEqual(queued[handle]);
      expect(acl.freePackets).toBe(total);
    }),
  );
});

test("credits that come back inside the sending do not nest it, however much waits", () => {
  const clock = new VirtualClock();
  let depth = 0;
  let deepest = 0;
  let sent = 0;
  const acl: AclManager = new AclManager({
    clock,
    logger: Logger.silent,
    transmit: () => {
      sent++;
      deepest = Math.max(deepest, ++depth);
      if (sent > 1) acl.onCompleted(completed([1, 1]));
      depth--;
    },
    onOverflow: () => {},
  });
  acl.configure(27, 1);
  const link = acl.open(1);
  for (let i = 0; i < 500; i++) link.sendFrame(frameOf(1, 20));
  expect(sent).toBe(1);
  acl.onCompleted(completed([1, 1]));
  expect([sent, deepest, acl.freePackets]).toEqual([500, 1, 1]);
});

test("1024 frames may wait; with one more the link is given up, and takes nothing from then on", () => {
  const overflows: number[] = [];
  const acl = new AclManager({
    clock: new VirtualClock(),
    logger: Logger.silent,
    transmit: () => {},
    onOverflow: (handle) => overflows.push(handle),
  });
  acl.configure(27, 1);
  const link = acl.open(7);
  link.sendFrame(frameOf(7, 20)); // under way
  for (let i = 0; i < 1024; i++) link.sendFrame(frameOf(7, 20));
  expect([overflows, link.waiting]).toEqual([[], 1024]);
  for (let i = 0; i < 5; i++) link.sendFrame(frameOf(7, 20));
  expect([overflows, link.waiting]).toEqual([[7], 1024]);
  acl.onCompleted(completed([7, 1]));
  link.sendFrame(frameOf(7, 20));
  expect([overflows, link.waiting]).toEqual([[7], 1023]);
});
