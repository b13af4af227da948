import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { openMgmtSync } from "../../mgmt/index.ts";
import { commands, decodeCommand, encodeCommandComplete, encodeEvent, events, Status } from "../../mgmt-protocol/index.ts";
import { openBlockingKernelSocket as openInPage } from "../kinds-browser.ts";
import { openBlockingKernelSocket } from "./blocking-socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "./socket-calls.ts";

/** The C library with sockets that are pairs, whose far end is the test's. */
class Pair {
  near = -1;
  far = -1;
  closed = 0;
  /** Calls of poll that a signal interrupts. */
  interruptions = 0;
  /** What happens while poll would block. */
  meanwhile: (() => void) | undefined;
  waitedMs: number[] = [];
  readonly real = loadLinuxCalls("test");
  #errno = 0;
  readonly calls: LinuxCalls = {
    ...this.real,
    socket: () => {
      const ends = new Int32Array(2);
      this.real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, ends);
      [this.near, this.far] = [ends[0]!, ends[1]!];
      return this.near;
    },
    bind: () => 0,
    setsockopt: () => 0,
    poll: (descriptors, count, ms) => {
      this.waitedMs.push(ms);
      this.#errno = 0;
      this.meanwhile?.();
      this.meanwhile = undefined;
      if (this.interruptions-- > 0) {
        this.#errno = Errno.EINTR;
        return -1;
      }
      return this.real.poll(descriptors, count, ms);
    },
    read: (...args) => {
      this.#errno = 0;
      return this.real.read(...args);
    },
    close: (descriptor) => {
      this.closed++;
      return this.real.close(descriptor);
    },
    errno: () => this.#errno || this.real.errno(),
  };

  say(packet: Uint8Array): void {
    this.real.write(this.far, packet, packet.length);
  }

  heard(): Uint8Array {
    const buffer = new Uint8Array(2000);
    return buffer.slice(0, Math.max(0, this.real.read(this.far, buffer, buffer.length)));
  }
}

describe.skipIf(process.platform !== "linux")("a socket for a program that blocks", () => {
  test("gives packets one after the other, whole, and undefined when none comes in time", () => {
    const pair = new Pair();
    using socket = openBlockingKernelSocket("control", { calls: pair.calls });
    const long = new Uint8Array(60_000).fill(7);
    pair.say(Uint8Array.of(1, 2, 3));
    pair.say(long);
    expect(socket.read(0)).toEqual(Uint8Array.of(1, 2, 3));
    expect(socket.read(1_000)?.length).toBe(long.length);
    expect(socket.read(0)).toBeUndefined();
    const before = socket.now();
    expect(socket.read(20)).toBeUndefined();
    expect(socket.now() - before).toBeGreaterThanOrEqual(20);
    expect(pair.waitedMs).toEqual([20]); // one call blocks; nothing is looked at in turns
    expect(socket.write(Uint8Array.of(9))).toBeUndefined();
    expect(pair.heard()).toEqual(Uint8Array.of(9));
  });

  test("goes on after a signal, and wakes up for a packet", () => {
    const pair = new Pair();
    using socket = openBlockingKernelSocket("control", { calls: pair.calls });
    pair.interruptions = 2;
    pair.meanwhile = () => pair.say(Uint8Array.of(4));
    expect(socket.read(10_000)).toEqual(Uint8Array.of(4));
  });

  test("is lost with its far end, and closed once", () => {
    const pair = new Pair();
    const socket = openBlockingKernelSocket("control", { calls: pair.calls });
    pair.real.close(pair.far);
    expect(() => socket.read(1_000)).toThrow(/^the mgmt socket is gone: the kernel reports/);
    expect(() => socket.read(0)).toThrow(/^the mgmt socket is closed$/);
    expect(socket.write(Uint8Array.of(1))).toEqual({ errno: Errno.EBADF, code: "EBADF" });
    socket[Symbol.dispose]();
    expect(pair.closed).toBe(1);
  });

  test("carries a client: events are kept, the reply is taken, and the deadline holds", () => {
    const pair = new Pair();
    using mgmt = openMgmtSync({ socket: openBlockingKernelSocket("control", { calls: pair.calls }) });
    pair.meanwhile = () => {
      pair.say(encodeEvent(events.discovering, 0, { addressTypes: 6, discovering: 1 }));
      pair.say(encodeCommandComplete(commands.setPowered, 0, Status.Success, { currentSettings: 0x281 }));
    };
    expect(mgmt.sendSync("SetPowered", 0, 1)).toMatchObject({
      eventFrame: { commandOpcode: "SetPowered", status: "Success" },
      commandResponseFrame: { currentSettings: ["Powered", "BREDR", "LowEnergy"] },
    });
    expect(decodeCommand(pair.heard())).toMatchObject({ parameters: { powered: 1 } });
    expect(mgmt.nextEvent("discovering", { timeoutMs: 0 })).toMatchObject({ discovering: 1 });
    expect(() => mgmt.setConnectable(0, true, { timeoutMs: 30 })).toThrow(/Set Connectable on hci0 did not finish within 30 ms/);
  });

  test("blocks the event loop while it waits, and no longer", async () => {
    // The far end speaks from another thread: nothing of this one could.
    const pair = new Pair();
    using socket = openBlockingKernelSocket("control", { calls: pair.calls });
    const program = `const { workerData, parentPort } = require("node:worker_threads");
      const koffi = require(workerData.package), write = koffi.load(null).func("write", "long", ["int", "void *", "size_t"]);
      parentPort.once("message", () => write(workerData.far, Uint8Array.of(5), 1)); parentPort.postMessage("ready");`;
    const worker = new Worker(program, { eval: true, execArgv: [], workerData: { far: pair.far, package: pair.real.package } });
    await new Promise((resolve) => worker.once("message", resolve));
    let turns = 0;
    setImmediate(() => turns++);
    worker.postMessage("now");
    expect(socket.read(20_000)).toEqual(Uint8Array.of(5));
    expect(turns).toBe(0);
    await worker.terminate();
  });
});

test("a page has none", () => {
  expect(() => openInPage("control")).toThrow(/cannot be opened by a page/);
});
