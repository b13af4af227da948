import { describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../async/virtual-clock.ts";
import { openHciUserChannel } from "./hci-user-channel.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "./linux-socket-calls.ts";
import { openVhci } from "./vhci.ts";

const HCIDEVUP = 0x400448c9;

/** Does what a kernel with one adapter, hci0, would do. Its sockets are real pairs of which it holds the far ends. */
class FakeKernel {
  readonly log: string[] = [];
  readonly #real = loadLinuxCalls("test");
  readonly #far = new Map<number, number>();
  readonly #control = new Set<number>();
  #errno = 0;
  powered = false;
  permitted = true;
  /** Binds of the user channel that fail before one succeeds. */
  busyTimes = 0;
  /** Statuses with which the next Set Powered commands fail. */
  readonly refusals: number[] = [];
  /** Whether closing an adapter's far end is all that is left open. */
  get openSockets(): number {
    return this.#far.size;
  }

  readonly calls: LinuxCalls = {
    ...this.#real,
    socket: () => {
      const pair = new Int32Array(2);
      this.#real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
      this.#far.set(pair[0]!, pair[1]!);
      return pair[0]!;
    },
    bind: (descriptor, address) => this.#bind(descriptor, new DataView(address.buffer)),
    ioctl: (_descriptor, request, index) => {
      this.powered = request === HCIDEVUP;
      this.log.push(`ioctl ${this.powered ? "up" : "down"} hci${index}`);
      return 0;
    },
    write: (descriptor, bytes, length) =>
      this.#control.has(descriptor) ? this.#command(descriptor, bytes) : this.#real.write(descriptor, bytes, length),
    close: (descriptor) => {
      const far = this.#far.get(descriptor);
      if (far !== undefined) this.#real.close(far);
      this.#far.delete(descriptor);
      this.#control.delete(descriptor);
      return this.#real.close(descriptor);
    },
    errno: () => this.#errno || this.#real.errno(),
  };

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }

  #bind(descriptor: number, address: DataView): number {
    this.#errno = 0;
    const [device, channel] = [address.getUint16(2, true), address.getUint16(4, true)];
    if (channel === 3) this.#control.add(descriptor);
    if (channel !== 1) return 0;
    if (device !== 0) return this.#fail(Errno.ENODEV);
    if (!this.permitted) return this.#fail(Errno.EPERM);
    if (this.powered || this.busyTimes-- > 0) return this.#fail(Errno.EBUSY);
    this.log.push("bound");
    return 0;
  }

  #command(descriptor: number, bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer);
    const [opcode, index] = [view.getUint16(0, true), view.getUint16(2, true)];
    const reply = (status: number, data: number[] = []): void => {
      const header = [opcode & 0xff, opcode >> 8, status];
      const far = this.#far.get(descriptor)!;
      // News that nobody asked for, then the reply.
      for (const [code, ...rest] of [
        [6, 0, 0, 0, 0],
        [1, ...header, ...data],
      ]) {
        const packet = Uint8Array.from([code!, 0, index & 0xff, index >> 8, rest.length, 0, ...rest]);
        this.#real.write(far, packet, packet.length);
      }
    };
    if (index !== 0) reply(17);
    else if (opcode === 4) reply(0, [6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, this.powered ? 1 : 0, 0, 0, 0, 0, 0, 0]);
    else if (!this.permitted) reply(20);
    else {
      const refusal = this.refusals.shift();
      this.log.push(`power ${bytes[6] === 1 ? "on" : "off"}${refusal === undefined ? "" : ` refused with ${refusal}`}`);
      if (refusal === undefined) this.powered = bytes[6] === 1;
      reply(refusal ?? 0, [0, 0, 0, 0]);
    }
    return bytes.length;
  }
}

describe.skipIf(process.platform !== "linux")("an adapter is borrowed", () => {
  test("one that is off is taken and given back as it is", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    const transport = await openHciUserChannel(0, { clock, calls: kernel.calls });
    expect(transport.info).toEqual({ spec: "hci:0", address: "01:02:03:04:05:06" });
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["bound"]);
    expect(clock.pending).toEqual([]);
  });

  test("one that is powered is powered off before, and on again after", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    kernel.powered = true;
    const signals = process.listenerCount("SIGTERM");
    const transport = await openHciUserChannel(0, { clock, calls: kernel.calls });
    expect(process.listenerCount("SIGTERM")).toBe(signals + 1);
    expect(kernel.powered).toBe(false);
    kernel.refusals.push(10, 10); // busy
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["power off", "bound", "power on refused with 10", "power on refused with 10", "power on"]);
    expect(process.listenerCount("SIGTERM")).toBe(signals);
  });

  test("a signal that nobody handles gives all of them back, then ends the process", async () => {
    using clock = new VirtualClock();
    const kernels = [new FakeKernel(), new FakeKernel()];
    for (const kernel of kernels) {
      kernel.powered = true;
      await openHciUserChannel(0, { clock, calls: kernel.calls });
    }
    const handled = (): void => {};
    process.on("SIGHUP", handled);
    process.emit("SIGHUP", "SIGHUP"); // the program's own affair
    process.off("SIGHUP", handled);
    const killed = new Promise<unknown[]>((resolve) => {
      vi.spyOn(process, "kill").mockImplementation((...args) => {
        if (args[1] !== 0) resolve([...args, ...kernels.map(({ powered }) => powered)]);
        return true;
      });
    });
    process.emit("SIGHUP", "SIGHUP");
    expect(await killed).toEqual([process.pid, "SIGHUP", true, true]);
    vi.restoreAllMocks();
    expect(process.listenerCount("SIGHUP")).toBe(0);
  });

  test("when the management API refuses to power it off, the older way does", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    kernel.powered = true;
    kernel.refusals.push(3); // failed
    const transport = await openHciUserChannel(0, { clock, calls: kernel.calls });
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["power off refused with 3", "ioctl down hci0", "bound", "ioctl up hci0"]);
  });

  test("one that is busy for a moment is waited for", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    kernel.busyTimes = 4;
    const transport = await openHciUserChannel(0, { clock, calls: kernel.calls });
    expect(clock.now()).toBe(400);
    await transport[Symbol.asyncDispose]();
  });

  test("one that stays busy is an error after 3 s, and is powered as before", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    kernel.powered = true;
    kernel.busyTimes = 1000;
    await expect(openHciUserChannel(0, { clock, calls: kernel.calls })).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "busy" });
    expect(clock.now()).toBe(3_000);
    expect(kernel.powered).toBe(true);
    expect(kernel.openSockets).toBe(0);
  });

  test("waiting for a busy one ends when the caller gives up", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    kernel.busyTimes = 1000;
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openHciUserChannel(0, { clock, calls: kernel.calls, signal })).rejects.toThrow("enough");
    const controller = new AbortController();
    clock.setTimer(500, "impatience", () => controller.abort(new Error("too long")));
    await expect(openHciUserChannel(0, { clock, calls: kernel.calls, signal: controller.signal })).rejects.toThrow("too long");
    expect(clock.pending).toEqual([]);
    expect(kernel.openSockets).toBe(0);
  });

  test.each([false, true])("without permission the error has the line that helps (powered: %s)", async (powered) => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    Object.assign(kernel, { powered, permitted: false });
    await expect(openHciUserChannel(0, { clock, calls: kernel.calls })).rejects.toMatchObject({
      reason: "permission",
      message: expect.stringContaining("sudo setcap cap_net_admin,cap_net_raw+eip /"),
    });
    expect(kernel.powered).toBe(powered);
    expect(kernel.openSockets).toBe(0);
  });

  test("one that is not there is not found", async () => {
    using clock = new VirtualClock();
    const kernel = new FakeKernel();
    await expect(openHciUserChannel(63, { clock, calls: kernel.calls })).rejects.toMatchObject({
      reason: "not-found",
      message: expect.stringMatching(/^there is no Bluetooth adapter hci63: there is /),
    });
    expect(kernel.openSockets).toBe(0);
  });
});

describe.skipIf(process.platform !== "linux")("a virtual adapter", () => {
  const failing = (errno: number): LinuxCalls => ({ ...loadLinuxCalls("test"), open: () => -1, errno: () => errno });

  test.each([
    [Errno.ENOENT, "unsupported", /sudo modprobe hci_vhci/],
    [Errno.EACCES, "permission", /run as root/],
    [Errno.EBUSY, "io", /\/dev\/vhci cannot be opened \(open: EBUSY\)/],
  ])("that cannot be opened with errno %i is explained as %s", async (errno, reason, message) => {
    await expect(openVhci(failing(errno))).rejects.toMatchObject({
      code: "ERR_TRANSPORT",
      reason,
      message: expect.stringMatching(message),
    });
  });

  test("appears only when its commands can be answered: a thread that does not start leaves no adapter behind", async () => {
    let opened = 0;
    const calls: LinuxCalls = { ...loadLinuxCalls("test"), package: "/nowhere/koffi", open: () => opened++ };
    await expect(openVhci(calls)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "io" });
    expect(opened).toBe(0);
  });

  test("has the kernel's index, and the command that came before it is not lost", async () => {
    const real = loadLinuxCalls("test");
    const pair = new Int32Array(2);
    real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
    const [near, far] = [pair[0]!, pair[1]!];
    for (const packet of [Uint8Array.of(1, 3, 12, 0), Uint8Array.of(0xff, 0, 0x02, 0x01), Uint8Array.of(1, 1, 16, 0)])
      real.write(far, packet, packet.length);
    const transport = await openVhci({ ...real, open: () => near });
    const request = new Uint8Array(8);
    expect(request.subarray(0, real.read(far, request, 8))).toEqual(Uint8Array.of(0xff, 0x00));
    expect(transport.info).toEqual({ spec: "vhci:", index: 0x102 });
    const packets: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      transport.onPacket = (packet) => {
        if (packets.push(packet) === 2) resolve();
      };
    });
    expect(packets).toEqual([Uint8Array.of(1, 3, 12, 0), Uint8Array.of(1, 1, 16, 0)]);
    await transport[Symbol.asyncDispose]();
    real.close(far);
  });
});
