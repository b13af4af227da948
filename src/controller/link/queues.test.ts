import { expect, test } from "vitest";
import { SeededRandom } from "../../core/index.ts";
import type { HostInterface } from "../host-interface.ts";
import { AclQueue, copyInto } from "./acl-queue.ts";
import { areConnectionParametersValid, drawnInterval } from "./connection-parameters.ts";
import { ReceiveQueue } from "./receive-queue.ts";

/** What arrives at a host that takes so much. */
function receiving() {
  const got: string[] = [];
  const host = {
    acceptsAcl: true,
    hasAclCredit: true,
    maxAclOctets: 4,
    acl: (handle: number, isStart: boolean, bytes: Uint8Array, at: number, end: number) =>
      got.push(`${handle} ${isStart ? "start" : "more"} ${bytes.subarray(at, end).join()}`),
  };
  return { host, got, queue: new ReceiveQueue(host as unknown as HostInterface, 7) };
}

test("what the peer sends reaches the host at once, in parts of the host's size", () => {
  const { queue, got } = receiving();
  queue.push(true, Uint8Array.of(9, 9, 1, 2, 3, 4), 2);
  queue.push(false, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 0);
  expect(got).toEqual(["7 start 1,2,3,4", "7 more 1,2,3,4", "7 more 5,6,7,8", "7 more 9"]);
  queue.push(true, Uint8Array.of(1, 2, 3, 4, 5), 0);
  expect(got.slice(4)).toEqual(["7 start 1,2,3,4", "7 more 5"]);
});

test("what waits for the host keeps its order and its octets; four are as many as are kept", () => {
  const { queue, got, host } = receiving();
  host.acceptsAcl = false;
  const buffer = Uint8Array.of(1, 2);
  queue.push(true, buffer, 0);
  buffer.fill(0xee);
  host.acceptsAcl = true;
  queue.push(false, Uint8Array.of(3), 0);
  expect(got.splice(0)).toEqual(["7 start 1,2", "7 more 3"]);
  host.acceptsAcl = false;
  for (const [octet, isFull] of [
    [1, false],
    [2, false],
    [3, false],
    [4, true],
  ] as const) {
    queue.push(true, Uint8Array.of(octet), 0);
    expect([octet, queue.isFull]).toEqual([octet, isFull]);
  }
  queue.drain();
  expect(got).toEqual([]);
  // At the end of a link room does not matter, credit does.
  host.hasAclCredit = false;
  queue.drain({ isLast: true });
  expect(got).toEqual([]);
  host.hasAclCredit = true;
  queue.drain({ isLast: true });
  expect([got.length, queue.isFull]).toEqual([4, false]);
});

test("what is cleared is not delivered", () => {
  const { queue, got, host } = receiving();
  host.acceptsAcl = false;
  queue.push(true, Uint8Array.of(1), 0);
  queue.clear();
  host.acceptsAcl = true;
  queue.drain();
  expect(got).toEqual([]);
});

test("packets of the host are cut into PDUs; boundary flag 0b01 continues, and the last PDU is known", () => {
  const queue = new AclQueue();
  expect([queue.take(27), queue.nextOctets(27)]).toEqual([undefined, 0]);
  queue.push(Uint8Array.of(2, 1, 0x00, 5, 0, 1, 2, 3, 4, 5));
  queue.push(Uint8Array.of(2, 1, 0x10, 1, 0, 6));
  queue.push(Uint8Array.of(2, 1, 0x20, 1, 0, 7));
  expect([queue.size, queue.nextOctets(3), queue.nextOctets(9)]).toEqual([3, 3, 5]);
  expect([[...queue.take(3)!], queue.isLast, queue.nextOctets(27)]).toEqual([[2, 3, 1, 2, 3], false, 2]);
  expect([[...queue.take(3)!], queue.isLast]).toEqual([[1, 2, 4, 5], true]);
  expect([[...queue.take(27)!], queue.isLast]).toEqual([[1, 1, 6], true]);
  expect([...queue.take(27)!]).toEqual([2, 1, 7]);
  expect(queue.size).toBe(3); // until they are acknowledged
  queue.push(Uint8Array.of(2, 1, 0x00, 1, 0, 8));
  queue.clear();
  expect([queue.size, queue.take(27)]).toEqual([0, undefined]);
});

test.each([0, 1, 64, 65, 200])("%i octets are copied, and no other", (length) => {
  const source = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
  const target = new Uint8Array(300).fill(0xee);
  copyInto(source, 7, length, target, 3);
  expect([...target.subarray(3, 3 + length)]).toEqual([...source.subarray(7, 7 + length)]);
  expect([target.subarray(0, 3), target.subarray(3 + length)].every((rest) => rest.every((octet) => octet === 0xee))).toBe(true);
});

test("connection parameters: where each range begins and ends (Vol 4 Part E 7.8.12)", () => {
  const valid = { intervalMin: 6, intervalMax: 0x0c80, latency: 0, timeout: 0x0c80 };
  for (const [more, isValid] of [
    [{}, true],
    [{ intervalMin: 5 }, false],
    [{ intervalMax: 0x0c81 }, false],
    [{ intervalMin: 0x0c80 }, true],
    [{ intervalMin: 7, intervalMax: 6 }, false],
    [{ intervalMax: 6, latency: 0x01f3 }, true],
    [{ intervalMax: 6, latency: 0x01f4 }, false],
    [{ intervalMax: 6, timeout: 10 }, true],
    [{ intervalMax: 6, timeout: 9 }, false],
    [{ timeout: 0x0c81 }, false],
    [{ intervalMax: 40, timeout: 10 }, false], // 100 ms is not more than twice 50 ms
    [{ intervalMax: 39, timeout: 10 }, true],
    [{ intervalMax: 8, latency: 4, timeout: 10 }, false],
    [{ intervalMax: 8, latency: 4, timeout: 11 }, true],
  ] as const)
    expect([more, areConnectionParametersValid({ ...valid, ...more })]).toEqual([more, isValid]);
});

test("of an open interval any is drawn, ends included", () => {
  const random = new SeededRandom(1, "interval");
  const drawn = new Set(Array.from({ length: 200 }, () => drawnInterval(random, { intervalMin: 6, intervalMax: 9 })));
  expect([...drawn].toSorted((a, b) => a - b)).toEqual([6, 7, 8, 9]);
  expect(drawnInterval(random, { intervalMin: 6, intervalMax: 6 })).toBe(6);
});
