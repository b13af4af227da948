import { describe, expect, test } from "vitest";
import type { TransportClosed } from "../../hci/transport.ts";
import { openKernelSocket as openInPage } from "../kinds-browser.ts";
import { openKernelSocket as openByKind } from "../open-kernel-socket.ts";
import { openKernelSocket } from "./kernel-socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "./socket-calls.ts";

const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;

/** The kernel's end of one socket: a real pair, of which it holds the far end. */
class FarEnd {
  readonly log: string[] = [];
  far = -1;
  near = -1;
  mayForce = true;
  bindFails = 0;
  /** What the next writes result in: octets taken, or an error number below zero. */
  readonly writeResults: number[] = [];
  readonly written: Uint8Array[] = [];
  dropped = 0;
  #real = loadLinuxCalls("test");
  #errno = 0;

  readonly calls: LinuxCalls = {
    ...this.#real,
    socket: () => {
      const pair = new Int32Array(2);
      this.#real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
      [this.near, this.far] = [pair[0]!, pair[1]!];
      return this.near;
    },
    bind: (_descriptor, address) => {
      this.log.push(`bind ${[...address]}`);
      this.#errno = this.bindFails;
      return this.bindFails === 0 ? 0 : -1;
    },
    setsockopt: (_descriptor, level, name) => {
      this.log.push(`option ${level} ${name}`);
      return name === SO_RCVBUFFORCE && !this.mayForce ? -1 : 0;
    },
    getsockopt: (_descriptor, level, name, value, length) => {
      expect([level, name, value.length, length[0]]).toEqual([1, SO_MEMINFO, 36, 36]);
      new DataView(value.buffer).setUint32(32, this.dropped, true);
      return 0;
    },
    write: (descriptor, bytes, length) => {
      if (descriptor !== this.near) return this.#real.write(descriptor, bytes, length);
      const result = this.writeResults.shift() ?? length;
      this.#errno = result < 0 ? -result : 0;
      if (result >= 0) this.written.push(bytes.slice(0, length));
      return result < 0 ? -1 : result;
    },
    close: (descriptor) => {
      if (descriptor === this.near) this.log.push("closed");
      return this.#real.close(descriptor);
    },
    errno: () => this.#errno || this.#real.errno(),
  };

  say(packet: Uint8Array): number {
    return this.#real.write(this.far, packet, packet.length) < 0 ? this.#real.errno() : 0;
  }

  /** Whether the near end is closed: writing to it fails. */
  get isClosed(): boolean {
    return this.say(Uint8Array.of(1)) === Errno.EPIPE;
  }

  hangUp(): void {
    this.#real.close(this.far);
  }
}

describe.skipIf(process.platform !== "linux")("a socket of the kernel", () => {
  test.each([
    ["control", "mgmt", 3],
    ["monitor", "monitor", 2],
  ] as const)("%s is bound to no device, with a large receive buffer", async (channel, spec, number) => {
    const kernel = new FarEnd();
    const socket = await openKernelSocket(channel, { calls: kernel.calls });
    expect(socket.info).toEqual({ spec, remedy: expect.stringMatching(/^run "sudo setcap .*", or run as root$/) });
    expect(kernel.log).toEqual([`bind 31,0,255,255,${number},0`, "option 274 12", "option 1 33"]);
    await socket[Symbol.asyncDispose]();
    await socket[Symbol.asyncDispose]();
    expect(kernel.isClosed).toBe(true);
    kernel.hangUp();
  });

  test("who may not force the buffer gets what everybody gets", async () => {
    const kernel = new FarEnd();
    kernel.mayForce = false;
    const socket = await openKernelSocket("control", { calls: kernel.calls });
    expect(kernel.log.slice(-2)).toEqual(["option 1 33", "option 1 8"]);
    await socket[Symbol.asyncDispose]();
    kernel.hangUp();
  });

  test("one that may not be opened is explained, and closed", async () => {
    const kernel = new FarEnd();
    kernel.bindFails = Errno.EPERM;
    await expect(openKernelSocket("monitor", { calls: kernel.calls })).rejects.toMatchObject({
      code: "ERR_TRANSPORT",
      reason: "permission",
      message: expect.stringMatching(/^the kernel's Bluetooth monitor needs the right to read the network raw/),
    });
    expect(kernel.isClosed).toBe(true);
    kernel.hangUp();
  });

  test("packets that came before anybody listened come first, each with octets of its own", async () => {
    const kernel = new FarEnd();
    const socket = await openKernelSocket("control", { calls: kernel.calls });
    for (let i = 0; i < 3; i += 1) kernel.say(Uint8Array.of(i, 0, 0));
    const packets: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      socket.onPacket = (packet) => {
        if (packets.push(packet) === 3) kernel.say(Uint8Array.of(3, 0, 0));
        if (packets.length === 4) resolve();
      };
    });
    expect(packets).toEqual([0, 1, 2, 3].map((i) => Uint8Array.of(i, 0, 0)));
    expect(packets.every(({ buffer }) => buffer.byteLength === 3)).toBe(true);
    await socket[Symbol.asyncDispose]();
    kernel.hangUp();
  });

  test("a write is one packet; a result of 0 is no failure, and a failure has its name", async () => {
    const kernel = new FarEnd();
    const socket = await openKernelSocket("control", { calls: kernel.calls });
    const command = Uint8Array.of(1, 0, 0xff, 0xff, 0, 0);
    kernel.writeResults.push(6, 0, -Errno.ENETDOWN, -Errno.EINTR, -Errno.EINVAL, -Errno.EAGAIN);
    expect(socket.write(command)).toBeUndefined();
    expect(socket.write(command)).toBeUndefined();
    expect(socket.write(command)).toEqual({ errno: 100, code: "ENETDOWN" });
    expect(socket.write(command)).toEqual({ errno: 22, code: "EINVAL" });
    expect(socket.write(command)).toEqual({ errno: 11, code: "EAGAIN" });
    expect(kernel.written).toEqual([command, command]);
    await socket[Symbol.asyncDispose]();
    expect(socket.write(command)).toEqual({ errno: 9, code: "EBADF" });
    expect(kernel.written).toHaveLength(2);
    kernel.hangUp();
  });

  test("its end is told once, after the packets before it", async () => {
    const kernel = new FarEnd();
    const socket = await openKernelSocket("monitor", { calls: kernel.calls });
    const story: string[] = [];
    kernel.say(Uint8Array.of(7));
    kernel.dropped = 5;
    expect(socket.droppedPackets).toBe(5);
    kernel.hangUp();
    const ended = new Promise<void>((resolve) => {
      socket.onClose = (reason: TransportClosed) => {
        story.push(reason.code, reason.message);
        resolve();
      };
    });
    socket.onPacket = (packet) => story.push(`packet ${packet}`);
    await ended;
    expect(story).toEqual(["packet 7", "ERR_TRANSPORT_CLOSED", "monitor is gone: the other side closed it"]);
    kernel.dropped = 9; // by now another file's
    expect(socket.droppedPackets).toBe(5);
    await socket[Symbol.asyncDispose]();
    expect(story).toHaveLength(3);
  });

  test("opening can be given up, before and while its thread starts", async () => {
    const kernel = new FarEnd();
    await expect(openKernelSocket("control", { calls: kernel.calls, signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(kernel.log).toEqual([]);
    const controller = new AbortController();
    const opening = openKernelSocket("control", { calls: kernel.calls, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    expect(kernel.isClosed).toBe(true);
    kernel.hangUp();
  });

  test("once it is open, the signal that could give it up has no say any more", async () => {
    const kernel = new FarEnd();
    const controller = new AbortController();
    const socket = await openKernelSocket("control", { calls: kernel.calls, signal: controller.signal });
    controller.abort();
    const packet = new Promise((resolve) => {
      socket.onPacket = resolve;
    });
    kernel.say(Uint8Array.of(1));
    expect(await packet).toEqual(Uint8Array.of(1));
    await socket[Symbol.asyncDispose]();
    kernel.hangUp();
  });

  test("100,000 packets while the event loop has other work: all of them, in order, in bounded memory", async () => {
    const kernel = new FarEnd();
    const socket = await openKernelSocket("control", { calls: kernel.calls });
    const count = 100_000;
    let received = 0;
    let inOrder = true;
    const kept: Uint8Array[] = [];
    socket.onPacket = (packet) => {
      inOrder &&= new DataView(packet.buffer).getUint32(6, true) === received;
      if (received++ % 100 === 0) kept.push(packet); // as a slow receiver's queue would
    };
    const before = process.memoryUsage();
    let most = 0;
    const packet = new Uint8Array(60);
    const number = new DataView(packet.buffer);
    for (let i = 0; i < count; i += 1) {
      number.setUint32(6, i, true);
      while (kernel.say(packet) === Errno.EAGAIN) await new Promise(setImmediate);
      if (i % 5000 === 0) {
        for (const end = performance.now() + 5; performance.now() < end; ); // work
        most = Math.max(most, process.memoryUsage().arrayBuffers - before.arrayBuffers);
      }
    }
    while (received < count) await new Promise(setImmediate);
    expect(inOrder).toBe(true);
    expect(kept).toHaveLength(1000);
    expect(most).toBeLessThan(64 << 20);
    expect(kept.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)).toBe(60_000);
    await socket[Symbol.asyncDispose]();
    kernel.hangUp();
  });
});

test("in a page there is none", async () => {
  await expect(openInPage("control")).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "unsupported" });
});

test("through the platform's kinds it opens, or is explained", async () => {
  const outcome = await openByKind("control").then(
    async (socket) => {
      await socket[Symbol.asyncDispose]();
      return "opened";
    },
    (error: { code: string }) => error.code,
  );
  expect(["opened", "ERR_TRANSPORT"]).toContain(outcome);
});
