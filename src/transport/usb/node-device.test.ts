import { expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import type { HciTransport } from "../../hci/index.ts";
import { loadUsb, openNodeUsb, type PackageUsb, portOf } from "./node.ts";
import { NodeUsbDevice, type PackageUsbDevice } from "./node-device.ts";
import type { WebUsbConfiguration } from "./web-usb.ts";

const CONFIGURATION: WebUsbConfiguration = {
  configurationValue: 1,
  interfaces: [0, 1].map((interfaceNumber) => {
    const alternate = {
      alternateSetting: 0,
      interfaceClass: 0xe0,
      interfaceSubclass: 1,
      interfaceProtocol: 1,
      endpoints:
        interfaceNumber === 1
          ? []
          : ([
              { endpointNumber: 1, direction: "in", type: "interrupt", packetSize: 16 },
              { endpointNumber: 2, direction: "in", type: "bulk", packetSize: 64 },
              { endpointNumber: 2, direction: "out", type: "bulk", packetSize: 32 },
            ] as const),
    };
    return { interfaceNumber, alternate, alternates: [alternate] };
  }),
};

type Waiting = { readonly length: number; readonly resolve: (data: Uint8Array) => void; readonly reject: (error: Error) => void };

/** As the package does: one transfer for each endpoint, errors in place of states, and nothing ended by closing. */
class PackageDevice implements PackageUsbDevice {
  readonly vendorId: number = 0x0a12;
  readonly productId = 0x0001;
  readonly deviceClass = 0xe0;
  readonly deviceSubclass = 1;
  readonly deviceProtocol = 1;
  readonly serialNumber: string | null = null;
  readonly bus: string;
  readonly ports: readonly number[];
  readonly address = 5;
  readonly configuration = CONFIGURATION;
  readonly configurations = [CONFIGURATION];
  opened = false;
  driver: string | undefined;
  refusal: string | undefined;
  readonly calls: string[] = [];
  readonly waiting = new Map<number, Waiting>();
  readonly sent: string[] = [];
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, bus = "001", ports: readonly number[] = [2, 3]) {
    this.#clock = clock;
    this.bus = bus;
    this.ports = ports;
  }

  async open(): Promise<void> {
    if (this.refusal) throw new Error(this.refusal);
    this.opened = true;
  }
  async close(): Promise<void> {
    this.calls.push(`close, ${this.waiting.size} pending`);
    this.opened = false;
  }
  async selectConfiguration(): Promise<void> {}
  async claimInterface(number: number): Promise<void> {
    this.calls.push(`claim ${number}`);
    if (this.driver) throw new Error("claimInterface error: interface is busy (errno 16)");
  }
  async releaseInterface(number: number): Promise<void> {
    this.calls.push(`release ${number}, ${this.waiting.size} pending`);
  }
  async selectAlternateInterface(): Promise<void> {}
  async detachKernelDriver(number: number): Promise<void> {
    this.calls.push(`detach ${number}`);
    this.driver = undefined;
  }
  async attachKernelDriver(number: number): Promise<void> {
    this.calls.push(`attach ${number}`);
  }
  async clearHalt(direction: "in" | "out", number: number): Promise<void> {
    if (this.waiting.has(number)) throw new Error("clearHalt error: endpoint not found");
    this.calls.push(`clear ${direction} ${number}`);
  }
  transferIn(number: number, length: number, timeoutMs = 1000) {
    if (this.waiting.has(number)) return Promise.reject(new Error("transferIn error: endpoint not found"));
    return new Promise<{ status: "ok"; data: DataView }>((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, "transfer", () => end(() => reject(new Error("transferIn error: Cancelled"))));
      const end = (act: () => void): void => {
        timer[Symbol.dispose]();
        this.waiting.delete(number);
        act();
      };
      this.waiting.set(number, {
        length,
        resolve: (data) => end(() => resolve({ status: "ok", data: new DataView(data.slice().buffer) })),
        reject: (error) => end(() => reject(error)),
      });
    });
  }
  async transferOut(_number: number, data: Uint8Array) {
    if (this.refusal) throw new Error(this.refusal);
    this.sent.push(toHex(data));
    return { status: "ok" as const, bytesWritten: data.length };
  }
  async controlTransferOut(setup: object, data = new Uint8Array()) {
    this.sent.push(`${JSON.stringify(setup)} ${toHex(data)}`);
    if (this.refusal) throw new Error(this.refusal);
    return { status: "ok" as const, bytesWritten: data.length };
  }
}

function setUp(driver?: string) {
  const clock = new VirtualClock({ auto: false });
  const device = new PackageDevice(clock);
  device.driver = driver;
  const wrapped = new NodeUsbDevice(device, clock, async () => device.driver);
  return { clock, device, wrapped };
}

test("a transfer waits for as long as it takes, though the package cancels it; one packet is asked for at a time", async () => {
  const { clock, device, wrapped } = setUp();
  await wrapped.open();
  await wrapped.claimInterface(0);
  const first = wrapped.transferIn(2, 1088);
  const second = wrapped.transferIn(2, 1088);
  await clock.advance(60_000);
  expect(device.waiting.get(2)?.length).toBe(64);
  device.waiting.get(2)!.resolve(fromHex("0102"));
  expect(toHex(new Uint8Array((await first).data!.buffer))).toBe("0102");
  await clock.advance(0);
  device.waiting.get(2)!.resolve(fromHex("03"));
  expect(toHex(new Uint8Array((await second).data!.buffer))).toBe("03");
  clock[Symbol.dispose]();
});

test("a halted endpoint is a state and no error; it is cleared when no transfer waits at it", async () => {
  const { clock, device, wrapped } = setUp();
  await wrapped.open();
  await wrapped.claimInterface(0);
  const [first, second] = [wrapped.transferIn(1, 272), wrapped.transferIn(1, 272)];
  await clock.advance(0);
  const cleared = wrapped.clearHalt("in", 1);
  device.waiting.get(1)!.reject(new Error("transferIn error: Stall"));
  expect(await first).toEqual({ status: "stall" });
  await clock.advance(0);
  device.waiting.get(1)!.reject(new Error("transferIn error: Stall"));
  expect(await second).toEqual({ status: "stall" });
  await cleared;
  expect(device.calls).toEqual(["claim 0", "clear in 1"]);
  device.refusal = "transferOut error: Stall";
  expect(await wrapped.transferOut(2, Uint8Array.of(0xaa))).toEqual({ status: "stall", bytesWritten: 0 });
  device.refusal = "transferOut error: Disconnected";
  await expect(wrapped.transferOut(2, Uint8Array.of(0xaa))).rejects.toThrow("Disconnected");
  clock[Symbol.dispose]();
});

test("closing ends what waits, and waits until it has ended", async () => {
  const { clock, device, wrapped } = setUp();
  await wrapped.open();
  await wrapped.claimInterface(0);
  const waiting = [wrapped.transferIn(1, 16), wrapped.transferIn(2, 64), wrapped.transferIn(2, 64)].map((each) =>
    each.catch(({ name }: Error) => name),
  );
  await clock.advance(10);
  const released = wrapped.releaseInterface(0);
  await clock.advance(250);
  await released;
  await wrapped.close();
  expect(await Promise.all(waiting)).toEqual(["AbortError", "AbortError", "AbortError"]);
  expect(device.calls).toEqual(["claim 0", "release 0, 0 pending", "close, 0 pending"]);
  clock[Symbol.dispose]();
});

test("a kernel driver is sent away, and called back at the end; another program is not", async () => {
  const { clock, device, wrapped } = setUp("btusb");
  await wrapped.open();
  await wrapped.claimInterface(0);
  await wrapped.releaseInterface(0);
  expect(device.calls).toEqual(["claim 0", "detach 0", "claim 0", "release 0, 0 pending", "attach 0"]);
  for (const driver of ["usbfs", undefined]) {
    const other = setUp(driver);
    other.device.claimInterface = async () => {
      throw new Error("claimInterface error: interface is busy (errno 16)");
    };
    await other.wrapped.open();
    await expect(other.wrapped.claimInterface(0)).rejects.toThrow("busy");
    expect(other.device.calls).toEqual([]);
    other.clock[Symbol.dispose]();
  }
  clock[Symbol.dispose]();
});

test("a driver that was sent away in vain is called back", async () => {
  const { clock, device, wrapped } = setUp("btusb");
  device.claimInterface = async () => {
    throw new Error("claimInterface error: interface is busy (errno 16)");
  };
  await wrapped.open();
  await expect(wrapped.claimInterface(0)).rejects.toThrow("busy");
  expect(device.calls).toEqual(["detach 0", "attach 0"]);
  clock[Symbol.dispose]();
});

function usbOf(...devices: PackageDevice[]): PackageUsb {
  return { getDevices: async () => devices, addEventListener: () => {}, removeEventListener: () => {} };
}

test("usb: takes the first adapter by bus and port, usb:N counts them, usb:BUS-PORT is Linux's name of it", async () => {
  const clock = new VirtualClock();
  const devices = [new PackageDevice(clock, "0A", [1]), new PackageDevice(clock, "001", [10]), new PackageDevice(clock, "001", [2, 3])];
  const mouse = new PackageDevice(clock, "001", [1]);
  Object.assign(mouse, { vendorId: 1, deviceClass: 0, configurations: [] });
  const usb = usbOf(...devices, mouse);
  const portOfOpened = async (rest: string): Promise<string> => {
    await using _ = await openNodeUsb(rest, {}, { usb, platform: "linux", clock });
    return [...devices, mouse]
      .filter(({ opened }) => opened)
      .map(portOf)
      .join();
  };
  for (const [rest, port] of [
    ["", "1-2.3"],
    ["0a12:0001", "1-2.3"],
    ["0", "1-2.3"],
    ["1", "1-10"],
    ["2", "a-1"],
    ["0A-1", "a-1"],
    ["001-10", "1-10"],
  ] as const)
    expect(await portOfOpened(rest)).toBe(port);
  await expect(openNodeUsb("3", {}, { usb, platform: "linux", clock })).rejects.toMatchObject({
    reason: "not-found",
    message: "usb:3: there is no such USB Bluetooth adapter",
  });
  await expect(openNodeUsb("1-9", {}, { usb, platform: "linux", clock })).rejects.toMatchObject({ reason: "not-found" });
  clock[Symbol.dispose]();
});

test.each([
  [
    "linux",
    "open error: failed to open device (errno 13)",
    "permission",
    'put the line SUBSYSTEM=="usb", ATTR{idVendor}=="0a12", ATTR{idProduct}=="0001", TAG+="uaccess" into',
  ],
  ["win32", "open error: not supported", "unsupported", "needs the WinUSB driver instead of its own: Zadig installs it"],
  ["win32", "open error: access denied (error 5)", "permission", "needs the WinUSB driver (Zadig installs it)"],
  ["darwin", "open error: exclusive access (error 1)", "busy", "macOS's own Bluetooth driver holds USB device 0a12:0001"],
  ["linux", "open error: no such device (errno 19)", "not-found", "is gone"],
  ["linux", "open error: input/output error (errno 5)", "io", "cannot be opened: open error: input/output error (errno 5)"],
])("on %s, %j is one sentence", async (platform, refusal, reason, text) => {
  const clock = new VirtualClock();
  const device = new PackageDevice(clock);
  device.refusal = refusal;
  const failed = await openNodeUsb("", {}, { usb: usbOf(device), platform, clock }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "ERR_TRANSPORT", reason });
  expect((failed as Error).message).toContain(text);
  clock[Symbol.dispose]();
});

test.each([
  ["linux", "or by the system's own Bluetooth driver"],
  ["darwin", "macOS's own Bluetooth driver holds"],
  ["win32", "or by a driver that is not WinUSB (Zadig installs it)"],
])("an interface that is taken, on %s", async (platform, text) => {
  const clock = new VirtualClock();
  const device = new PackageDevice(clock);
  device.driver = "somebody";
  const driverOf = async (): Promise<string> => "usbfs";
  const failed = await openNodeUsb("", {}, { usb: usbOf(device), platform, clock, driverOf }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ reason: "busy", message: expect.stringContaining(text) });
  expect(device.opened).toBe(false);
  clock[Symbol.dispose]();
});

test("the package that is missing, and a platform that does not tell, are one sentence; Linux without USB has no devices", async () => {
  const clock = new VirtualClock();
  expect(() =>
    loadUsb(() => {
      throw new Error("Cannot find module");
    }),
  ).toThrow('run "npm install usb"');
  const failing = (message: string): PackageUsb => ({ ...usbOf(), getDevices: () => Promise.reject(new Error(message)) });
  await expect(openNodeUsb("", {}, { usb: failing("out of memory"), platform: "linux", clock })).rejects.toThrow(
    "the USB devices cannot be listed: out of memory",
  );
  await expect(
    openNodeUsb("", {}, { usb: failing("/sys/bus/usb/devices/ not found (errno 2)"), platform: "linux", clock }),
  ).rejects.toMatchObject({ reason: "not-found" });
  expect(loadUsb()).toHaveProperty("getDevices");
  clock[Symbol.dispose]();
});

test("commands and data go out by the package, and come in", async () => {
  const clock = new VirtualClock({ auto: false });
  const device = new PackageDevice(clock);
  const transport: HciTransport = await openNodeUsb("", {}, { usb: usbOf(device), platform: "linux", clock });
  const packets: string[] = [];
  const ends: string[] = [];
  transport.onPacket = (packet) => packets.push(toHex(packet));
  transport.onClose = (reason) => ends.push(reason.message);
  transport.send(fromHex("01030c00"));
  transport.send(fromHex("024000010000"));
  await clock.advance(0);
  const setup = { requestType: "class", recipient: "device", request: 0, value: 0, index: 0 };
  expect(device.sent.sort()).toEqual(["4000010000", `${JSON.stringify(setup)} 030c00`].sort());
  device.waiting.get(1)!.resolve(fromHex("0e0401030c00"));
  await clock.advance(0);
  expect(packets).toEqual(["040e0401030c00"]);
  device.waiting.get(1)!.reject(new Error("transferIn error: Disconnected"));
  await clock.advance(0);
  expect(ends).toEqual(['transport "usb:" is gone: it was unplugged, or its transfers fail']);
  const closing = transport[Symbol.asyncDispose]();
  await clock.advance(300);
  await closing;
  clock[Symbol.dispose]();
});
