import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { FakeAdapter, FakeKernel, type SettingName } from "../../../test/support/fake-kernel.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { openHciUserChannel } from "./hci-user-channel.ts";

const usual: SettingName[] = ["BREDR", "LowEnergy", "SecureSimplePairing", "Bondable"];
const address = "01:02:03:04:05:06";

/** A kernel with one adapter, hci0. */
function oneAdapter(...settings: SettingName[]) {
  const kernel = new FakeKernel();
  const adapter = kernel.add(0, new FakeAdapter(address, ...usual, ...settings));
  const { calls, folders } = kernel;
  return { kernel, adapter, options: { calls, folders } };
}

function notes(kernel: FakeKernel): string[] {
  const folder = join(kernel.folders.run!, "jelling");
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe.skipIf(process.platform !== "linux")("an adapter is borrowed", () => {
  test("one that is off is taken and given back as it is", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter();
    using _ = kernel;
    const transport = await openHciUserChannel(0, { clock, ...options });
    expect(transport.info).toEqual({ spec: "hci:0", address });
    expect(notes(kernel)).toEqual(["hci0"]);
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["bound"]);
    expect(notes(kernel)).toEqual([]);
    expect(clock.pending).toEqual([]);
  });

  test("one that is powered is powered off before, and on again after", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    const signals = process.listenerCount("SIGTERM");
    const transport = await openHciUserChannel(0, { clock, ...options });
    expect(process.listenerCount("SIGTERM")).toBe(signals + 1);
    expect(adapter.has("Powered")).toBe(false);
    kernel.refusals.push(10, 10); // busy
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["Powered off", "bound", "Powered on refused with 10", "Powered on refused with 10", "Powered on"]);
    expect(process.listenerCount("SIGTERM")).toBe(signals);
    expect(kernel.openSockets).toBe(0);
  });

  test("its settings are compared with those before, and what differs is set back, power last", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered", "Connectable", "Advertising", "LinkSecurity");
    using _ = kernel;
    adapter.set("Discoverable", 1, 300);
    const before = adapter.current;
    kernel.onPoweredOff = () => adapter.clear("Bondable", "Connectable", "Advertising");
    const transport = await openHciUserChannel(0, { clock, ...options });
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual([
      "Powered off",
      "bound",
      "Bondable on",
      "Connectable on",
      "Advertising on",
      "Powered on",
      "Discoverable on for 180 s",
    ]);
    expect(adapter.current).toBe(before);
  });

  test("beside bluetoothd, which sets up an adapter that comes back as if it were new, it is watched until it stays as it was", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Connectable", "Discoverable");
    using _ = kernel;
    const proc = join(kernel.folders.sys, "../proc");
    mkdirSync(join(proc, "612"), { recursive: true });
    mkdirSync(join(proc, "net"));
    writeFileSync(join(proc, "612/comm"), "bluetoothd\n");
    writeFileSync(join(proc, "net/hci"), "sk\n0 2 0 0 0 7 0\n0 2 0 0 0 8 0\n");
    const before = adapter.current;
    const transport = await openHciUserChannel(0, { clock, ...options, folders: { ...options.folders, proc } });
    clock.setTimer(120, "bluetoothd", () => {
      adapter.set("Connectable", 0);
      adapter.set("Powered", 1);
    });
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["bound", "Powered off", "Connectable on", "Discoverable on"]);
    expect(adapter.current).toBe(before);
    expect(clock.now()).toBeGreaterThanOrEqual(600);
    expect(clock.now()).toBeLessThan(800);
  });

  test("what cannot be set back is an error that names it, and the rest is set back", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered", "Connectable");
    using _ = kernel;
    kernel.onPoweredOff = () => adapter.clear("Bondable", "Connectable");
    const transport = await openHciUserChannel(0, { clock, ...options });
    kernel.refusals.push(3);
    await expect(transport[Symbol.asyncDispose]()).rejects.toMatchObject({
      code: "ERR_TRANSPORT",
      reason: "io",
      message: "hci0 could not be given back as it was: Bondable (setting it on is answered with Failed)",
    });
    expect(adapter.has("Powered") && adapter.has("Connectable")).toBe(true);
    expect(JSON.parse(readFileSync(join(kernel.folders.run!, "jelling/hci0"), "utf8"))).toMatchObject({ abandoned: true });
    adapter.clear("Powered");
    const next = await openHciUserChannel(0, { clock, ...options }); // the note is left, and serves the next one
    await next[Symbol.asyncDispose]();
    expect(adapter.has("Powered") && adapter.has("Bondable")).toBe(true);
    expect(notes(kernel)).toEqual([]);
  });

  test("a signal that nobody handles gives all of them back, then ends the process", async () => {
    using clock = new VirtualClock();
    using kernel = new FakeKernel();
    const adapters = [0, 1].map((index) => kernel.add(index, new FakeAdapter(`01:02:03:04:05:0${index}`, ...usual, "Powered")));
    for (const index of [0, 1]) await openHciUserChannel(index, { clock, calls: kernel.calls, folders: kernel.folders });
    const handled = (): void => {};
    process.on("SIGHUP", handled);
    process.emit("SIGHUP", "SIGHUP"); // the program's own affair
    process.off("SIGHUP", handled);
    const killed = new Promise<unknown[]>((resolve) => {
      vi.spyOn(process, "kill").mockImplementation((...args) => {
        if (args[1] !== 0) resolve([...args, ...adapters.map((adapter) => adapter.has("Powered"))]);
        return true;
      });
    });
    process.emit("SIGHUP", "SIGHUP");
    expect(await killed).toEqual([process.pid, "SIGHUP", true, true]);
    vi.restoreAllMocks();
    expect(process.listenerCount("SIGHUP")).toBe(0);
    expect(notes(kernel)).toEqual([]);
  });

  test.each(["on", "once", "prependListener"] as const)(
    "a signal that the program handles itself (%s) is the program's alone",
    async (add) => {
      using clock = new VirtualClock();
      const { kernel, adapter, options } = oneAdapter("Powered");
      using _ = kernel;
      const kill = vi.spyOn(process, "kill").mockImplementation(() => true);
      const transport = await openHciUserChannel(0, { clock, ...options });
      const seen: string[] = [];
      const handler = (name: string): void => void seen.push(name);
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
        process[add](name, handler);
        process.emit(name, name);
        process.off(name, handler);
      }
      await clock.advance(1_000);
      expect(seen).toEqual(["SIGINT", "SIGTERM", "SIGHUP"]);
      expect(kill.mock.calls.filter(([, name]) => name !== 0)).toEqual([]);
      expect(adapter.has("Powered")).toBe(false); // still in use
      expect(notes(kernel)).toEqual(["hci0"]);
      kill.mockRestore();
      await transport[Symbol.asyncDispose]();
      expect(adapter.has("Powered")).toBe(true);
    },
  );

  test("a handler that was there before the adapter was borrowed, and is called once, is the program's too", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter("Powered");
    using _ = kernel;
    const kill = vi.spyOn(process, "kill").mockImplementation(() => true);
    let seen = 0;
    process.once("SIGINT", () => seen++);
    const transport = await openHciUserChannel(0, { clock, ...options });
    process.emit("SIGINT", "SIGINT");
    await clock.advance(1_000);
    expect(seen).toBe(1);
    expect(kill.mock.calls.filter(([, name]) => name !== 0)).toEqual([]);
    kill.mockRestore();
    await transport[Symbol.asyncDispose]();
  });

  test("another copy of this library does not handle a signal for this one", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    await openHciUserChannel(0, { clock, ...options });
    const copy = Object.defineProperty((): void => {}, Symbol.for("jelling.borrowed-adapters"), { value: true });
    process.on("SIGINT", copy);
    const killed = new Promise<boolean>((resolve) => {
      vi.spyOn(process, "kill").mockImplementation((_pid, name) => {
        if (name !== 0) resolve(adapter.has("Powered"));
        return true;
      });
    });
    process.emit("SIGINT", "SIGINT");
    expect(await killed).toBe(true);
    vi.restoreAllMocks();
    process.off("SIGINT", copy);
  });

  test("a signal while it is being opened ends the opening and powers it on again", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    kernel.busyTimes = 1000;
    const killed = new Promise<boolean>((resolve) => {
      vi.spyOn(process, "kill").mockImplementation((_pid, name) => {
        if (name !== 0) resolve(adapter.has("Powered"));
        return true;
      });
    });
    clock.setTimer(500, "user", () => process.emit("SIGINT", "SIGINT"));
    await expect(openHciUserChannel(0, { clock, ...options })).rejects.toThrow("the process ends");
    expect(await killed).toBe(true);
    vi.restoreAllMocks();
    expect(notes(kernel)).toEqual([]);
  });

  test("when the management API refuses to power it off, the older way does", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    kernel.refusals.push(3); // failed
    const transport = await openHciUserChannel(0, { clock, ...options });
    await transport[Symbol.asyncDispose]();
    expect(kernel.log).toEqual(["Powered off refused with 3", "ioctl down hci0", "bound", "ioctl up hci0"]);
    expect(adapter.has("Powered")).toBe(true);
  });

  test("one that was unplugged meanwhile, or is another one by now, is left alone", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter("Powered");
    using _ = kernel;
    const first = await openHciUserChannel(0, { clock, ...options });
    kernel.remove(0);
    await first[Symbol.asyncDispose]();
    kernel.add(0, new FakeAdapter(address, ...usual, "Powered"));
    const second = await openHciUserChannel(0, { clock, ...options });
    const stranger = kernel.add(0, new FakeAdapter("11:22:33:44:55:66", "BREDR"));
    await second[Symbol.asyncDispose]();
    expect(stranger.has("Powered")).toBe(false);
    expect(kernel.log).toEqual(["Powered off", "bound", "Powered off", "bound"]);
    expect(notes(kernel)).toEqual([]);
  });

  test("one that was blocked meanwhile stays off, as it would have in anybody's hands", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    const transport = await openHciUserChannel(0, { clock, ...options });
    kernel.block(0, "soft");
    await transport[Symbol.asyncDispose]();
    expect(adapter.has("Powered")).toBe(false);
    expect(notes(kernel)).toEqual([]);
  });

  test("one that is busy for a moment is waited for", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter();
    using _ = kernel;
    kernel.busyTimes = 4;
    const transport = await openHciUserChannel(0, { clock, ...options });
    expect(clock.now()).toBe(400);
    await transport[Symbol.asyncDispose]();
  });

  test("waiting for a busy one ends when the caller gives up", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    kernel.busyTimes = 1000;
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openHciUserChannel(0, { clock, ...options, signal })).rejects.toThrow("enough");
    const controller = new AbortController();
    clock.setTimer(500, "impatience", () => controller.abort(new Error("too long")));
    await expect(openHciUserChannel(0, { clock, ...options, signal: controller.signal })).rejects.toThrow("too long");
    expect(clock.pending).toEqual([]);
    expect(kernel.openSockets).toBe(0);
    expect(adapter.has("Powered")).toBe(true);
    expect(notes(kernel)).toEqual([]);
  });
});

describe.skipIf(process.platform !== "linux")("what stands in the way is said in one sentence:", () => {
  test.each([[[]], [["Powered"]]] as SettingName[][][])("no permission (%s)", async (settings) => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter(...settings);
    using _ = kernel;
    kernel.permitted = false;
    const before = adapter.current;
    await expect(openHciUserChannel(0, { clock, ...options })).rejects.toMatchObject({
      reason: "permission",
      message: expect.stringMatching(
        /^hci0 needs the right to administer the network .*: run "sudo setcap cap_net_admin,cap_net_raw\+eip \//,
      ),
    });
    expect(adapter.current).toBe(before);
    expect(kernel.openSockets).toBe(0);
    expect(notes(kernel)).toEqual([]);
  });

  test.each([
    ["soft", /^hci0 is switched off: run "rfkill unblock bluetooth"$/],
    ["hard", /^hci0 is switched off: use the computer's switch/],
  ] as const)("blocked (%s)", async (kind, message) => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter("Powered");
    using _ = kernel;
    kernel.block(0, kind);
    await expect(openHciUserChannel(0, { clock, ...options })).rejects.toMatchObject({
      reason: "refused",
      message: expect.stringMatching(message),
    });
    expect(notes(kernel)).toEqual([]);
  });

  test("an unknown index, and which there are", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter();
    using _ = kernel;
    kernel.add(12, new FakeAdapter("00:00:00:00:00:01"));
    await expect(openHciUserChannel(63, { clock, ...options })).rejects.toMatchObject({
      reason: "not-found",
      message: "there is no Bluetooth adapter hci63: there is hci0, hci12",
    });
    expect(kernel.openSockets).toBe(0);
  });

  test("in use by a process of this user", async () => {
    using clock = new VirtualClock();
    const { kernel, options } = oneAdapter();
    using _ = kernel;
    const transport = await openHciUserChannel(0, { clock, ...options });
    await expect(openHciUserChannel(0, { clock, ...options })).rejects.toMatchObject({
      reason: "busy",
      message: `hci0 is used by process ${process.pid}`,
    });
    expect(clock.now()).toBe(0);
    expect(notes(kernel)).toEqual(["hci0"]);
    await transport[Symbol.asyncDispose]();
  });

  test("powered on again and again, by bluetoothd where it runs", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter("Powered");
    using _ = kernel;
    const proc = join(kernel.folders.sys, "../proc");
    kernel.onPoweredOff = () => adapter.set("Powered", 1);
    const busy = { reason: "busy", message: "hci0 is busy: another program powers it on each time that it is powered off" };
    await expect(openHciUserChannel(0, { clock, ...options, folders: { ...options.folders, proc } })).rejects.toMatchObject(busy);
    expect(clock.now()).toBe(3_000);
    mkdirSync(join(proc, "612"), { recursive: true });
    writeFileSync(join(proc, "612/comm"), "bluetoothd\n");
    await expect(openHciUserChannel(0, { clock, ...options, folders: { ...options.folders, proc } })).rejects.toMatchObject({
      message:
        'hci0 is busy: it is powered on each time that it is powered off, probably by bluetoothd (process 612): stop it with "systemctl stop bluetooth"',
    });
    expect(adapter.has("Powered")).toBe(true);
  });

  test("in the hands of another program, which the kernel's list of sockets may name", async () => {
    using clock = new VirtualClock();
    const { kernel, adapter, options } = oneAdapter();
    using _ = kernel;
    adapter.taken = "foreign";
    const proc = join(kernel.folders.sys, "../proc");
    const folders = { ...options.folders, proc };
    await expect(openHciUserChannel(0, { clock, ...options, folders })).rejects.toMatchObject({
      reason: "busy",
      message: "hci0 is busy: another program uses it, or the kernel could not set it up",
    });
    mkdirSync(join(proc, "77/fd"), { recursive: true });
    mkdirSync(join(proc, "net"));
    writeFileSync(
      join(proc, "net/hci"),
      "sk               RefCnt Rmem   Wmem   User   Inode  Parent\n0000000030ca8025 2      0      0      0      10198  0     \n",
    );
    writeFileSync(join(proc, "77/comm"), "btproxy\n");
    symlinkSync("socket:[10198]", join(proc, "77/fd/5"));
    await expect(openHciUserChannel(0, { clock, ...options, folders })).rejects.toMatchObject({
      message: "hci0 is busy: another program has it for itself, perhaps btproxy (process 77)",
    });
  });
});
