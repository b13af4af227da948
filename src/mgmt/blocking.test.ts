import { describe, expect, test } from "vitest";
import { ArgumentError, ClosedError, TimeoutError } from "../core/index.ts";
import { commands, encodeCommandComplete, encodeCommandStatus, encodeEvent, events, Status } from "../mgmt-protocol/index.ts";
import { SimulatedKernel, type SimulatedKernelOptions } from "../testing/index.ts";
import type { BlockingKernelSocket } from "../transport/index.ts";
import { MgmtError, type MgmtSync, MgmtWriteError, openMgmt, openMgmtSync } from "./index.ts";

function open(options: SimulatedKernelOptions = {}, privileged = true): { kernel: SimulatedKernel; mgmt: MgmtSync } {
  const kernel = new SimulatedKernel({ controllers: [{ settings: ["LowEnergy"] }], ...options });
  return { kernel, mgmt: openMgmtSync({ socket: kernel.openBlockingSocket({ privileged }) }) };
}

/** A kernel that says what it is told to, in time that passes while it is read. */
class Scripted implements BlockingKernelSocket {
  readonly info = { spec: "mgmt", remedy: "run as root" } as const;
  readonly said: { readonly atMs: number; readonly packet: Uint8Array }[] = [];
  readonly written: Uint8Array[] = [];
  #nowMs = 0;
  now(): number {
    return this.#nowMs;
  }
  write(packet: Uint8Array): undefined {
    this.written.push(packet);
  }
  read(timeoutMs: number): Uint8Array | undefined {
    const next = this.said[0];
    if (!next || next.atMs > this.#nowMs + timeoutMs) {
      this.#nowMs += timeoutMs;
      return undefined;
    }
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    return this.said.shift()!.packet;
  }
  say(atMs: number, packet: Uint8Array): void {
    this.said.push({ atMs, packet });
  }
  [Symbol.dispose](): void {}
}

describe("a client that blocks", () => {
  test("returns what the kernel answers: by method, and by name with values by position", () => {
    const { kernel, mgmt } = open();
    expect(mgmt.readControllerIndexList()).toEqual({ controllerIndexes: [0] });
    expect(mgmt.setPowered(0, true).currentSettings & 1).toBe(1);
    expect(kernel.clock.now()).toBe(10); // power takes its time
    const response = mgmt.sendSync("SetPowered", 0, 0);
    expect(response).toMatchObject({
      header: { eventCode: "CommandCompleteEvent", controllerIndex: 0 },
      eventFrame: { commandOpcode: "SetPowered", status: "Success" },
      commandResponseFrame: { currentSettings: ["LowEnergy"] },
    });
    expect(mgmt.setIoCapability(0, "DisplayYesNo")).toEqual({}); // without return parameters
    expect(mgmt.getAdvertisingSizeInformation(0, { instance: 1 })).toMatchObject({ maxAdvDataLen: 251 });
  });

  test("throws what the kernel refuses, with what helps, and goes on", () => {
    const { mgmt } = open({}, false);
    const refused = () => mgmt.sendSync("SetPowered", 0, 1);
    expect(refused).toThrow(MgmtError);
    expect(refused).toThrow(/PermissionDenied.*open the simulated kernel's socket with privileged/);
    expect(() => mgmt.readControllerInformation(7)).toThrow(/InvalidIndex/);
    expect(mgmt.readManagementVersionInformation()).toEqual({ version: 1, revision: 22 });
  });

  test("throws what the write fails with, without waiting", () => {
    const { kernel, mgmt } = open();
    kernel.clock.setTimer(3_000, "closed", () => undefined);
    mgmt.nextEvent({ timeoutMs: 3_000 });
    const before = kernel.clock.now();
    expect(() => mgmt.addDevice(0, { address: "C0:11:22:33:44:55", addressType: "LERandom", action: 2 })).toThrow(MgmtWriteError);
    expect(kernel.clock.now()).toBe(before);
  });

  test("ends at its deadline: the call's, the client's, or the command's usual one", () => {
    const { kernel } = open();
    kernel.silence({ index: 0 });
    const timed = (call: (mgmt: MgmtSync) => unknown, timeoutMs?: number): number => {
      const mgmt = openMgmtSync({ socket: kernel.openBlockingSocket(), timeoutMs });
      const before = kernel.clock.now();
      expect(() => call(mgmt)).toThrow(TimeoutError);
      return kernel.clock.now() - before;
    };
    expect(timed((mgmt) => mgmt.setConnectable(0, true, { timeoutMs: 250 }))).toBe(250);
    expect(timed((mgmt) => mgmt.sendSync("SetConnectable", 0, 1), 100)).toBe(100);
    expect(timed((mgmt) => mgmt.setConnectable(0, true))).toBe(10_000);
    expect(timed((mgmt) => mgmt.setPowered(0, true))).toBe(30_000);
  });

  test("keeps events for whoever asks, the oldest are dropped and counted", () => {
    const devices = [{ address: "C0:11:22:33:44:55", addressType: "LERandom", rssi: -50, eirData: { name: "Lamp" } }] as const;
    const { mgmt } = open({ devices });
    mgmt.setPowered(0, true);
    expect(mgmt.nextEvent("deviceFound", { timeoutMs: 1_000 })).toBeUndefined();
    mgmt.startDiscovery(0, ["LEPublic", "LERandom"]);
    expect(mgmt.nextEvent(["deviceFound"], { index: 0, timeoutMs: 1_000 })).toMatchObject({ event: "deviceFound", rssi: -50 });
    expect(mgmt.nextEvent("discovering", { timeoutMs: 0 })).toMatchObject({ discovering: 1 }); // came before, and waited
    expect(mgmt.nextEvent("deviceFound", { index: 5, timeoutMs: 200_000 })).toBeUndefined();
    expect(mgmt.dropped).toBe(0); // a discovery ends by itself
    const socket = new Scripted();
    const slow = openMgmtSync({ socket });
    for (let i = 0; i < 1030; i++) socket.say(i, encodeEvent(events.newSettings, 0, { currentSettings: i }));
    socket.say(2_000, encodeCommandComplete(commands.setBondable, 0, Status.Success, { currentSettings: 0 }));
    slow.setBondable(0, true);
    expect(slow.dropped).toBe(6);
    expect(slow.nextEvent("newSettings")).toMatchObject({ currentSettings: 6 });
  });

  test("beside it, other clients of the same kernel hear what it did when they have their turn", async () => {
    const { kernel, mgmt } = open();
    await using other = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    using heard = other.events("newSettings");
    mgmt.setPowered(0, true);
    expect((await heard.next()).value).toMatchObject({ index: 0 });
  });

  test("is over when it is closed, and with its socket", () => {
    const { kernel, mgmt } = open();
    const second = openMgmtSync({ socket: kernel.openBlockingSocket() });
    mgmt[Symbol.dispose]();
    expect(() => mgmt.readControllerIndexList()).toThrow(ClosedError);
    expect(() => mgmt.nextEvent()).toThrow(ClosedError);
    kernel.loseSockets("gone");
    expect(() => second.readControllerIndexList()).toThrow(/gone|EBADF/);
  });

  test("refuses names, options and kinds that are none, and writes nothing", () => {
    const socket = new Scripted();
    const mgmt = openMgmtSync({ socket });
    for (const call of [
      () => mgmt.sendSync("SetPowerd", 0, 1),
      () => mgmt.setPowered(0, true, { signal: AbortSignal.abort() } as never),
      () => mgmt.setPowered(0, true, { timeoutMs: Number.POSITIVE_INFINITY }),
      () => mgmt.setPowered(0, true, { timeoutMs: -1 }),
      () => mgmt.setScanParameters(0, { interval: 2, window: 2 }),
      () => mgmt.nextEvent("DeviceFoundEvent" as never),
      () => mgmt.nextEvent("deviceFound", { timeout: 5 } as never),
      () => mgmt.request("x" as never, 0, {} as never),
      () => openMgmtSync({ signal: undefined } as never),
    ])
      expect(call).toThrow(ArgumentError);
    expect(socket.written).toEqual([]);
  });
});

describe("a reply that comes too late", () => {
  const settings = (currentSettings: number): Uint8Array =>
    encodeCommandComplete(commands.setConnectable, 0, Status.Success, { currentSettings });

  test("is not taken for the next identical command's, which is sent then", () => {
    const socket = new Scripted();
    const mgmt = openMgmtSync({ socket });
    expect(() => mgmt.setConnectable(0, true, { timeoutMs: 100 })).toThrow(TimeoutError);
    socket.say(500, settings(111));
    socket.say(600, settings(222));
    expect(mgmt.setConnectable(0, false)).toEqual({ currentSettings: 222 });
    expect(socket.written).toHaveLength(2);
    expect(socket.now()).toBe(600);
  });

  test("is waited for no longer than two seconds, and not beyond the next one's deadline", () => {
    const socket = new Scripted();
    const mgmt = openMgmtSync({ socket });
    expect(() => mgmt.setConnectable(0, true, { timeoutMs: 100 })).toThrow(TimeoutError);
    expect(() => mgmt.setConnectable(0, true, { timeoutMs: 300 })).toThrow(TimeoutError);
    expect(socket.now()).toBe(400);
    expect(socket.written).toHaveLength(1);
    socket.say(2_500, settings(2));
    expect(mgmt.setConnectable(0, true)).toEqual({ currentSettings: 2 });
    expect(socket.written).toHaveLength(2);
  });

  test("and names another device is nobody's, however late", () => {
    const socket = new Scripted();
    const mgmt = openMgmtSync({ socket });
    const [a, b] = ["C0:00:00:00:00:0A", "C0:00:00:00:00:0B"].map((address) => ({ address, addressType: 2 }));
    expect(() => mgmt.unpairDevice(0, a!, { timeoutMs: 100 })).toThrow(TimeoutError);
    socket.say(5_000, encodeCommandComplete(commands.unpairDevice, 0, Status.Success, a!));
    socket.say(5_001, encodeCommandStatus(commands.setPowered.opcode, 0, Status.Busy)); // somebody else's
    socket.say(5_002, encodeCommandComplete(commands.unpairDevice, 0, Status.NotPaired, b!));
    expect(() => mgmt.unpairDevice(0, b!)).toThrow(/NotPaired/);
    expect(socket.now()).toBe(5_002);
  });

  test("and cannot be read ends its command all the same", () => {
    const socket = new Scripted();
    const mgmt = openMgmtSync({ socket });
    socket.say(1, Uint8Array.of(1, 0, 0, 0, 3, 0, 7, 0, 0)); // Command Complete, Success, without settings
    expect(() => mgmt.setConnectable(0, true)).toThrow(/currentSettings/);
  });
});

describe("a flood of events", () => {
  /** A kernel that has another event whenever it is asked, each a millisecond after the one before, or at once. */
  class Flood extends Scripted {
    reads = 0;
    readonly #stepMs: number;
    #floodMs = 0;
    constructor(stepMs: number) {
      super();
      this.#stepMs = stepMs;
    }
    override now(): number {
      return this.#floodMs;
    }
    override read(timeoutMs: number): Uint8Array {
      if (++this.reads > 100_000) throw new Error("it reads for ever");
      this.#floodMs += Math.min(this.#stepMs, timeoutMs);
      return encodeEvent(events.newSettings, 0, { currentSettings: 1 });
    }
  }

  test("does not hold nextEvent beyond its time, and what lies at the socket then is looked through once", () => {
    const socket = new Flood(1);
    const mgmt = openMgmtSync({ socket });
    expect(mgmt.nextEvent("deviceFound", { timeoutMs: 50 })).toBeUndefined();
    expect(socket.now()).toBe(50);
    expect(socket.reads).toBeLessThan(10_000);
    const { reads } = socket;
    expect(mgmt.nextEvent("deviceFound", { timeoutMs: 0 })).toBeUndefined();
    expect(socket.reads - reads).toBeLessThan(10_000);
    expect(mgmt.dropped).toBeGreaterThan(0);
  });

  test("does not hold a command beyond its time", () => {
    const mgmt = openMgmtSync({ socket: new Flood(1) });
    expect(() => mgmt.setPowered(0, true, { timeoutMs: 50 })).toThrow(TimeoutError);
    expect(() => mgmt.setPowered(0, true, { timeoutMs: 50 })).toThrow(TimeoutError);
  });
});
