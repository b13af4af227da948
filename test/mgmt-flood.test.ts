import v8 from "node:v8";
import vm from "node:vm";
import { describe, expect, test } from "vitest";
import { type Clock, SystemClock, turn, VirtualClock } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { type Mgmt, type MgmtEventOf, openMgmt } from "../src/mgmt/index.ts";
import { encodeEvent, events } from "../src/mgmt-protocol/index.ts";
import { SimulatedKernel } from "../src/testing/index.ts";
import { openKernelSocket } from "../src/transport/linux/kernel-socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "../src/transport/linux/socket-calls.ts";
import { isFull } from "./support/left-out.ts";

/*
 * Devices found, faster than anybody reads: nothing grows, nothing changes places, and what is lost is counted. A hundred thousand of them where
 * everything is tried.
 */
const FLOOD = isFull ? 100_000 : 25_000;
/** Packets between two looks at the queues. */
const BATCH = 1000;

const eirData = new Uint8Array(200).fill(7);

/** The n-th of the flood: its number is its address. */
function found(n: number): { address: Address; addressType: 2; rssi: number; flags: number; eirData: Uint8Array } {
  const octets = Uint8Array.of(n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, n >> 24, 0, 0xc0);
  return { address: new Address(octets, 1), addressType: 2, rssi: -60, flags: 0, eirData };
}

function numberOf({ address }: MgmtEventOf<"deviceFound">): number {
  return Number.parseInt(address.split(":").slice(2).join(""), 16);
}

function expectConsecutive(numbers: readonly number[], first: number): void {
  // One comparison: a hundred thousand of them take longer than the flood.
  expect(numbers.findIndex((number, i) => number !== first + i)).toBe(-1);
}

/** Octets that are still held once everything that can be freed is freed. */
async function heldOctets(): Promise<number> {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    await turn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A way for packets of a kernel to a client. */
interface Way {
  readonly clock: Clock;
  readonly mgmt: Mgmt;
  /** Sends the packets [from, to), waiting for room where the kernel does. */
  flood(from: number, to: number): Promise<void>;
  /** Until everything sent so far has been handed to the client. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

async function simulated(): Promise<Way> {
  const clock = new VirtualClock({ auto: false });
  const kernel = new SimulatedKernel({ clock });
  const mgmt = await openMgmt({ socket: kernel.openSocket(), clock });
  return {
    clock,
    mgmt,
    flood: async (from, to) => {
      for (let n = from; n < to; n++) kernel.send(events.deviceFound, 0, found(n));
    },
    settled: turn,
    close: () => mgmt[Symbol.asyncDispose](),
  };
}

/** A pair of sockets of this machine's kernel: what the far end writes is read as from the management channel. */
async function socketPair(): Promise<Way> {
  const real = loadLinuxCalls("test");
  const pair = new Int32Array(2);
  const calls: LinuxCalls = {
    ...real,
    socket: () => {
      real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
      return pair[0]!;
    },
    bind: () => 0,
  };
  const clock = new SystemClock();
  const mgmt = await openMgmt({ socket: await openKernelSocket("control", { calls }), clock });
  let [sent, received] = [0, 0];
  mgmt.on("packet", ({ direction }) => {
    if (direction === "received") received++;
  });
  return {
    clock,
    mgmt,
    flood: async (from, to) => {
      for (let n = from; n < to; n++, sent++) {
        const packet = encodeEvent(events.deviceFound, 0, found(n));
        while (real.write(pair[1]!, packet, packet.length) < 0) {
          expect(real.errno()).toBe(Errno.EAGAIN);
          await turn(); // the queue is full: the reader's turn
        }
      }
    },
    settled: async () => {
      while (received < sent) await turn();
    },
    close: async () => {
      await mgmt[Symbol.asyncDispose]();
      real.close(pair[1]!);
    },
  };
}

const ways: readonly (readonly [string, () => Promise<Way>])[] = [
  ["through the simulated kernel", simulated],
  ...(process.platform === "linux" ? [["through a real socket", socketPair] as const] : []),
];

describe.each(ways)("a flood of 100,000 devices %s", (_, open) => {
  test("a reader that keeps up and a listener get every one, in order, and commands do not mind", { timeout: 300_000 }, async () => {
    const { mgmt, flood, settled, close } = await open();
    const reader = mgmt.events("deviceFound", { capacity: 64 * BATCH });
    const heard: number[] = [];
    mgmt.on("deviceFound", (event) => heard.push(numberOf(event)));
    const abort = new AbortController();
    const command = mgmt.readControllerInformation(0, { signal: abort.signal }).catch((error: unknown) => error);
    const numbers: number[] = [];
    const read = async (): Promise<void> => {
      await settled();
      while (reader.size > 0) numbers.push(numberOf((await reader.next()).value));
    };
    for (let n = 0; n < FLOOD; n += BATCH) {
      await flood(n, n + BATCH);
      await read();
    }
    expect(numbers).toHaveLength(FLOOD);
    expectConsecutive(numbers, 0);
    expect(reader.dropped).toBe(0);
    expect(heard).toEqual(numbers);
    abort.abort();
    await command;
    await close();
  });

  test("one that does not read holds its capacity and no more, loses the oldest, and is told how many", { timeout: 300_000 }, async () => {
    const { mgmt, flood, settled, close } = await open();
    const [small, large] = [mgmt.events("deviceFound", { capacity: 10 }), mgmt.events({ capacity: 777 })];
    await flood(0, 2 * BATCH); // everything that is made once is made
    await settled();
    const before = await heldOctets();
    let most = 0;
    for (let n = 2 * BATCH; n < FLOOD; n += BATCH) {
      await flood(n, n + BATCH);
      await settled();
      most = Math.max(most, small.size, large.size);
    }
    const grown = (await heldOctets()) - before;
    // A single copy of each packet would be more than 20 MB.
    expect(grown).toBeLessThan(4 << 20);
    expect(most).toBe(777);
    expect([small.dropped, large.dropped]).toEqual([FLOOD - 10, FLOOD - 777]);
    const left: number[] = [];
    while (large.size > 0) left.push(numberOf((await large.next()).value as MgmtEventOf<"deviceFound">));
    expectConsecutive(left, FLOOD - 777);
    expect(left).toHaveLength(777);
    await close();
  });
});

test("what the kernel itself throws away, because nobody reads its socket, is counted there", async () => {
  const kernel = new SimulatedKernel({ clock: new VirtualClock({ auto: false }), receiveQueuePackets: 500 });
  const socket = kernel.openSocket();
  for (let n = 0; n < FLOOD; n++) kernel.send(events.deviceFound, 0, found(n));
  expect(socket.droppedPackets).toBe(FLOOD - 500);
  const numbers: number[] = [];
  socket.onPacket = (packet) => numbers.push(new DataView(packet.buffer).getUint32(6, true));
  await turn();
  expect(numbers).toHaveLength(500);
  expectConsecutive(numbers, 0); // the newest are lost, as in Linux
});

test("a client tells what was lost in the kernel, apart from what its own readers lost", async () => {
  const clock = new VirtualClock({ auto: false });
  const kernel = new SimulatedKernel({ clock, receiveQueuePackets: 500 });
  await using mgmt = await openMgmt({ clock, socket: kernel.openSocket() });
  const reader = mgmt.events("deviceFound", { capacity: 450 });
  expect(mgmt.droppedByKernel).toBe(0);
  for (let n = 0; n < 600; n++) kernel.send(events.deviceFound, 0, found(n));
  await turn();
  expect([mgmt.droppedByKernel, reader.dropped, reader.size]).toEqual([100, 50, 450]);
});
