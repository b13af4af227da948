import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import type { TransportClosed } from "../../hci/transport.ts";
import { bluetoothSocketAddress, HciChannel, NO_DEVICE, openBluetoothSocket } from "./bluetooth-socket.ts";
import { DescriptorTransport } from "./socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, loadLinuxCallsWith, O_CLOEXEC, O_NONBLOCK } from "./socket-calls.ts";

test.each([
  ["control, no controller", NO_DEVICE, HciChannel.Control, [0x1f, 0, 0xff, 0xff, 3, 0]],
  ["monitor", NO_DEVICE, HciChannel.Monitor, [0x1f, 0, 0xff, 0xff, 2, 0]],
  ["logging", NO_DEVICE, HciChannel.Logging, [0x1f, 0, 0xff, 0xff, 4, 0]],
  ["raw, hci0", 0, HciChannel.Raw, [0x1f, 0, 0, 0, 0, 0]],
  ["user, hci1", 1, HciChannel.User, [0x1f, 0, 1, 0, 1, 0]],
])("the address of a socket: %s", (_name, device, channel, octets) => {
  expect([...bluetoothSocketAddress(device, channel)]).toEqual(octets);
});

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const ECONNRESET = 104;

/** A pair of sockets that keep packets whole, as the kernel's Bluetooth sockets do. */
async function openPair() {
  const calls = loadLinuxCalls("test");
  const pair = new Int32Array(2);
  expect(calls.socketpair(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC | O_NONBLOCK, 0, pair)).toBe(0);
  const [near, far] = [pair[0]!, pair[1]!];
  const transport = await DescriptorTransport.open(calls, near, { info: { spec: "pair:" } });
  const write = (packet: Uint8Array): number => (calls.write(far, packet, packet.length) < 0 ? calls.errno() : 0);
  return { calls, transport, near, far, write };
}

function collect(transport: DescriptorTransport<{ spec: string }>, count: number): Promise<Uint8Array[]> {
  const packets: Uint8Array[] = [];
  return new Promise((resolve) => {
    transport.onPacket = (packet) => {
      packets.push(packet);
      if (packets.length === count) resolve(packets);
    };
  });
}

describe.skipIf(process.platform !== "linux")("a packet descriptor", () => {
  test("delivers whole packets of every length up to 64 KiB, in order", async () => {
    const { transport, write, far, calls } = await openPair();
    const lengths = [1, 2, 3, 4, 5, 255, 1028, 4096, 65_535, 65_536, 65_540, 7];
    const received = collect(transport, lengths.length);
    const sent = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
    for (const packet of sent) {
      while (write(packet) === Errno.EAGAIN) await new Promise(setImmediate);
    }
    expect(await received).toEqual(sent);
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("packets that come together hold on to 4 KiB or to themselves", async () => {
    const { transport, write, far, calls } = await openPair();
    const sent = Array.from({ length: 1500 }, (_, i) => new Uint8Array(i % 100 === 99 ? 10_000 : 100 + (i % 300)).fill(i));
    for (const packet of sent) while (write(packet) === Errno.EAGAIN) await new Promise(setImmediate);
    const received = await collect(transport, sent.length);
    expect(received).toEqual(sent);
    expect(received.filter(({ buffer, length }) => buffer.byteLength > Math.max(4096, 4 + length + 3))).toEqual([]);
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("keeps packets in bounded memory until somebody listens, and loses none", async () => {
    const { transport, write, far, calls } = await openPair();
    const packet = (i: number) => new Uint8Array(997).fill(i & 0xff);
    let sent = 0;
    // Goes on until the ring and the socket are both full: the thread waits instead of taking memory.
    // Whether they are is not told: a busy machine may refuse often before the thread's turn comes.
    for (let refused = 0; refused < 200 || sent * 1000 <= 900_000; ) {
      if (write(packet(sent)) === 0) {
        sent += 1;
        refused = 0;
      } else {
        refused += 1;
        await new Promise(setImmediate);
      }
      expect(sent * 997).toBeLessThan(4 << 20);
    }
    const received = await collect(transport, sent);
    expect(received.every((bytes, i) => bytes.length === 997 && bytes[0] === (i & 0xff) && bytes[996] === (i & 0xff))).toBe(true);
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("a packet's bytes are the receiver's: later packets do not change them", async () => {
    const { transport, write, far, calls } = await openPair();
    const first = collect(transport, 1);
    write(Uint8Array.of(1, 2, 3));
    const [kept] = await first;
    const rest = collect(transport, 3000);
    for (let i = 0; i < 3000; i += 1) while (write(new Uint8Array(1000).fill(9)) !== 0) await new Promise(setImmediate);
    await rest;
    expect(kept).toEqual(Uint8Array.of(1, 2, 3));
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("a receiver may go away in the middle of a flood, and its successor gets the rest, in order", async () => {
    const { transport, write, far, calls } = await openPair();
    const count = 20_000;
    const received: number[] = [];
    const take = (packet: Uint8Array): void => {
      if (received.push(new DataView(packet.buffer, packet.byteOffset).getUint32(0)) % 3000 !== 0) return;
      transport.onPacket = undefined;
      if (received.length % 2000 === 0) transport.onPacket = take;
      else setImmediate(() => Object.assign(transport, { onPacket: take }));
    };
    transport.onPacket = take;
    for (let i = 0; i < count; i += 1) {
      const packet = new Uint8Array(new Uint32Array([i]).buffer).reverse();
      while (write(packet) === Errno.EAGAIN) await new Promise(setImmediate);
    }
    while (received.length < count) await new Promise(setImmediate);
    expect(received.every((value, i) => value === i)).toBe(true);
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("opening can be given up, and the descriptor is closed", async () => {
    const calls = loadLinuxCalls("test");
    const pair = new Int32Array(2);
    calls.socketpair(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC | O_NONBLOCK, 0, pair);
    const controller = new AbortController();
    const opening = DescriptorTransport.open(calls, pair[0]!, { info: { spec: "pair:" }, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    expect(calls.write(pair[1]!, Uint8Array.of(1), 1)).toBe(-1);
    expect(calls.errno()).toBe(Errno.EPIPE);
    calls.close(pair[1]!);
  });

  test("sending never blocks: a full socket queues, says so, and says when it is free again", async () => {
    const { transport, far, calls } = await openPair();
    let sent = 0;
    for (; transport.writable; sent += 1) transport.send(new Uint8Array(1000).fill(sent));
    transport.send(new Uint8Array(1000).fill(sent));
    sent += 1;
    const writable = new Promise<void>((resolve) => {
      transport.onWritable = resolve;
    });
    const into = new Uint8Array(2000);
    for (let i = 0; i < sent; i += 1) {
      while (calls.read(far, into, into.length) < 0) await new Promise(setImmediate);
      expect(into[0]).toBe(i & 0xff);
    }
    await writable;
    expect(transport.writable).toBe(true);
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("a kernel that takes nothing for 1024 packets ends the transport", async () => {
    const { transport, far, calls } = await openPair();
    const closed = new Promise<TransportClosed>((resolve) => {
      transport.onClose = resolve;
    });
    for (let i = 0; i < 20_000; i += 1) transport.send(new Uint8Array(1000));
    expect((await closed).message).toBe("pair: is gone: it took none of the last 1024 packets");
    await transport[Symbol.asyncDispose]();
    calls.close(far);
  });

  test("the end of the other side is told once, after the packets before it", async () => {
    const { transport, write, far, calls } = await openPair();
    const story: string[] = [];
    for (let i = 0; i < 5; i += 1) write(Uint8Array.of(i));
    calls.close(far);
    transport.onPacket = (packet) => story.push(`packet ${packet[0]}`);
    await new Promise<void>((resolve) => {
      transport.onClose = (reason) => {
        story.push(reason.code);
        resolve();
      };
    });
    expect(story).toEqual(["packet 0", "packet 1", "packet 2", "packet 3", "packet 4", "ERR_TRANSPORT_CLOSED"]);
    transport.send(Uint8Array.of(1)); // dropped silently
    await transport[Symbol.asyncDispose]();
    expect(story).toHaveLength(6);
  });

  // How long it takes is measured in the kernel lab (lab/checks/transports.mjs).
  test.each([false, true])("closes while its thread waits, and closes the descriptor (full ring: %s)", async (flood) => {
    for (let round = 0; round < 3; round += 1) {
      const { transport, write, far, calls } = await openPair();
      for (let refused = flood ? 0 : 100; refused < 100; refused += 1) {
        while (write(new Uint8Array(1000)) === 0) refused = 0;
        await new Promise(setImmediate);
      }
      let told = 0;
      transport.onClose = () => {
        told += 1;
      };
      await transport[Symbol.asyncDispose]();
      await transport[Symbol.asyncDispose]();
      expect(told).toBe(0);
      expect(write(Uint8Array.of(1))).toBe(flood ? ECONNRESET : Errno.EPIPE); // reset, since packets were left unread
      calls.close(far);
    }
  });

  test("a thread that does not start is an error, and the descriptor is closed", async () => {
    const calls = loadLinuxCalls("test");
    const pair = new Int32Array(2);
    calls.socketpair(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC | O_NONBLOCK, 0, pair);
    const broken: LinuxCalls = { ...calls, package: "/nowhere/koffi" };
    await expect(DescriptorTransport.open(broken, pair[0]!, { info: { spec: "pair:" } })).rejects.toMatchObject({
      code: "ERR_TRANSPORT",
      reason: "io",
    });
    expect(calls.write(pair[1]!, Uint8Array.of(1), 1)).toBe(-1);
    expect(calls.errno()).toBe(Errno.EPIPE);
    calls.close(pair[1]!);
  });

  test("what must happen after closing happens before the disposal is over", async () => {
    const calls = loadLinuxCalls("test");
    const pair = new Int32Array(2);
    calls.socketpair(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC | O_NONBLOCK, 0, pair);
    let after = false;
    const transport = await DescriptorTransport.open(calls, pair[0]!, {
      info: { spec: "pair:" },
      early: [Uint8Array.of(7)],
      afterClose: async () => {
        expect(calls.write(pair[1]!, Uint8Array.of(1), 1)).toBe(-1);
        after = true;
      },
    });
    expect(await collect(transport, 1)).toEqual([Uint8Array.of(7)]);
    await transport[Symbol.asyncDispose]();
    expect(after).toBe(true);
    calls.close(pair[1]!);
  });
});

test("a missing FFI package is named, with the line that installs it", () => {
  const nowhere = createRequire("/nowhere/file.js");
  expect(() => loadLinuxCallsWith("hci:0", nowhere)).toThrowError(/hci:0 needs the package koffi.*npm install koffi/);
});

test("the address of a Bluetooth socket is family, device and channel; a refused bind closes the socket", () => {
  const seen: unknown[] = [];
  const calls = {
    socket(...args: number[]) {
      seen.push(args);
      return 9;
    },
    bind(_descriptor: number, address: Uint8Array) {
      seen.push([...address]);
      return -1;
    },
    close: (descriptor: number) => seen.push(`close ${descriptor}`),
    errno: () => Errno.EBUSY,
  } as unknown as LinuxCalls;
  expect(() => openBluetoothSocket(calls, "hci:258", 258, HciChannel.User)).toThrowError(/^hci258 is busy/);
  expect(seen).toEqual([[31, 3 | 0x80000 | 0x800, 1], [31, 0, 2, 1, 1, 0], "close 9"]);
});
