import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Logger, LogLevel } from "../../core/index.ts";
import { Hci, type HciTransport, type TransportClosed } from "../../hci/index.ts";
import { SimulatedUsb, SimulatedUsbAdapter, type SimulatedUsbAdapterOptions } from "../../testing/index.ts";
import { openTransport, openWebUsb, requestUsbTransport, type WebUsbDevice } from "../index.ts";
import { openPageUsb } from "./page.ts";

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});

/** An adapter whose controller the test plays, packet by packet. */
function adapterOf(options: SimulatedUsbAdapterOptions = {}) {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const got: string[] = [];
  let end: HciTransport | undefined;
  const controller = {
    attach(transport: HciTransport): void {
      end = transport;
      transport.onPacket = (packet) => got.push(toHex(packet));
    },
  };
  const adapter = new SimulatedUsbAdapter(controller, { clock, ...options });
  return { clock, adapter, got, controllerSends: (hex: string) => end!.send(fromHex(hex)) };
}

async function opened(options: SimulatedUsbAdapterOptions = {}) {
  const { adapter, clock, ...rest } = adapterOf(options);
  const warnings: string[] = [];
  const logger = new Logger("", LogLevel.Warn, (_level, _scope, line) => void warnings.push(line));
  const transport = await openWebUsb(adapter, { clock, logger });
  const packets: string[] = [];
  const ends: TransportClosed[] = [];
  transport.onPacket = (packet) => packets.push(toHex(packet));
  transport.onClose = (reason) => ends.push(reason);
  return { adapter, clock, transport, packets, ends, warnings, ...rest };
}

const hex = (octets: readonly number[]): string => toHex(Uint8Array.from(octets));
/** An event with so many octets of parameters. */
const event = (length: number, of = 0xaa): string => hex([0x04, 0xff, length, ...Array.from({ length }, () => of)]);
/** ACL data with so many octets. */
const acl = (length: number, handle = 0x40): string =>
  hex([0x02, handle, 0x20, length & 0xff, length >> 8, ...Array.from({ length }, (_, i) => i & 0xff)]);

describe("packets", () => {
  test("a command is a class request to the device, an event comes from the interrupt endpoint, ACL data by the bulk ones", async () => {
    const { transport, clock, packets, got, adapter, controllerSends } = await opened();
    expect(adapter.calls).toEqual(["open", "selectConfiguration 1", "claimInterface 1"]);
    expect(transport.info.spec).toBe("usb:1209:0001");
    transport.send(fromHex("01030c00"));
    transport.send(fromHex(acl(300)));
    await clock.advance(0);
    expect(got.sort()).toEqual(["01030c00", acl(300)]);
    controllerSends("040e0401030c00");
    controllerSends(acl(27));
    await clock.advance(0);
    expect(packets).toEqual(["040e0401030c00", acl(27)]);
  });

  test.each([0, 1, 13, 14, 15, 29, 30, 31, 255])("an event of %i octets is put together from USB packets of 16", async (length) => {
    const { clock, packets, controllerSends } = await opened();
    controllerSends(event(length));
    controllerSends(event(1, 0xbb));
    await clock.advance(0);
    expect(packets).toEqual([event(length), event(1, 0xbb)]);
  });

  test.each([0, 27, 59, 60, 61, 124, 251, 1024, 5000])(
    "ACL data of %i octets is put together, however long the transfers are",
    async (length) => {
      const { clock, packets, controllerSends } = await opened();
      controllerSends(acl(length));
      controllerSends(acl(3));
      await clock.advance(0);
      expect(packets).toEqual([acl(length), acl(3)]);
    },
  );

  test.each([
    ["cut", { isCut: true }],
    ["glued", { isGlued: true }],
    ["cut and glued", { isCut: true, isGlued: true }],
    ["late", { maxDelayMs: 5 }],
    ["all of it", { isCut: true, isGlued: true, maxDelayMs: 5, eventPacketSize: 64, dataPacketSize: 512 }],
  ] as const)("packets that are %s come whole and in order", async (_, options) => {
    for (let seed = 1; seed <= 3; seed++) {
      const { clock, packets, controllerSends } = await opened({ ...options, seed });
      const events = Array.from({ length: 20 }, (_, i) => event((i * 37) % 256, i));
      const data = Array.from({ length: 20 }, (_, i) => acl((i * 89) % 700, i));
      // Nothing follows the last one of a device that glues: it is not told apart from one that is not finished.
      for (let i = 0; i < 20; i++) {
        controllerSends(events[i]!);
        controllerSends(data[i]!);
      }
      if ("isGlued" in options) {
        controllerSends(event(15));
        controllerSends(acl(3));
      }
      await clock.advance(1000);
      const isEvent = (packet: string): boolean => packet.startsWith("04");
      expect(packets.filter(isEvent).slice(0, 20)).toEqual(events);
      expect(packets.filter((packet) => !isEvent(packet)).slice(0, 20)).toEqual(data);
    }
  });

  test("there is no order between events and data, and each keeps its own", async () => {
    const orders = new Set<string>();
    for (let seed = 1; seed <= 10; seed++) {
      const { clock, packets, controllerSends } = await opened({ maxDelayMs: 5, seed });
      controllerSends(event(1));
      controllerSends(acl(1));
      await clock.advance(100);
      orders.add(packets.map((packet) => packet.slice(0, 2)).join());
    }
    expect([...orders].sort()).toEqual(["02,04", "04,02"]);
  });

  test("the rest of a packet that a program before left is dropped after a second of silence", async () => {
    const { adapter, clock, packets, warnings, controllerSends } = await opened();
    adapter.inject("events", fromHex("ff20aaaa")); // 32 octets announced, two came
    await clock.advance(1001);
    controllerSends(event(2));
    await clock.advance(0);
    expect(packets).toEqual([event(2)]);
    expect(warnings.join()).toContain("4 octets of a packet that did not end were dropped");
  });

  test("a packet that halts for less goes on", async () => {
    const { adapter, clock, packets } = await opened();
    adapter.inject("events", fromHex("ff04aaaa"));
    await clock.advance(999);
    adapter.inject("events", fromHex("aaaa"));
    await clock.advance(0);
    expect(packets).toEqual([event(4)]);
  });

  test("voice and isochronous data are not sent", async () => {
    const { transport, clock, got, warnings, ends } = await opened();
    transport.send(fromHex("03400000"));
    transport.send(fromHex("0540000000"));
    await clock.advance(0);
    expect([got, ends, warnings.length]).toEqual([[], [], 2]);
  });

  test("what nobody takes is not read on, and is read when it is taken", async () => {
    const { clock, transport, packets, ends, controllerSends } = await opened();
    transport.onPacket = undefined;
    for (let i = 0; i < 5000; i++) controllerSends(event(1, i & 0xff));
    await clock.advance(0);
    expect(ends).toEqual([]);
    transport.onPacket = (packet) => packets.push(toHex(packet));
    await clock.advance(0);
    expect(packets).toHaveLength(5000);
  });
});

describe("composite devices", () => {
  test("get their commands at the interface", async () => {
    const { transport, clock, got } = await opened({ isComposite: true });
    transport.send(fromHex("01030c00"));
    await clock.advance(0);
    expect(got).toEqual(["01030c00"]);
  });

  test.each([
    ["composite, but at the device", { isComposite: true, commandsAt: "device" }],
    ["not composite, but at the interface", { commandsAt: "interface" }],
  ] as const)("one that wants them the other way (%s) gets them so, from the first on", async (_, options) => {
    const { transport, clock, got, ends } = await opened(options);
    for (const command of ["01030c00", "01010c00", "01091000"]) transport.send(fromHex(command));
    await clock.advance(0);
    expect([got, ends]).toEqual([["01030c00", "01010c00", "01091000"], []]);
  });

  test("one of a vendor's class is taken where the user has chosen it, and is not the first of usb:", async () => {
    const { transport } = await opened({ hasVendorClass: true });
    expect(transport.info.spec).toBe("usb:1209:0001");
    const { adapter } = adapterOf({ hasVendorClass: true });
    const usb = new SimulatedUsb();
    usb.plug(adapter);
    usb.give(adapter);
    await expect(openPageUsb("", {}, usb)).rejects.toMatchObject({ reason: "not-found" });
    await using named = await openPageUsb("1209:0001", {}, usb);
    expect(named.info.spec).toBe("usb:1209:0001");
  });
});

describe("halts", () => {
  test.each(["events", "data in"] as const)("%s: cleared once, and reading goes on", async (which) => {
    const { adapter, clock, packets, ends, controllerSends } = await opened();
    adapter.calls.length = 0;
    adapter.halt(which);
    await clock.advance(0);
    controllerSends(which === "events" ? event(3) : acl(3));
    await clock.advance(0);
    expect(adapter.calls).toEqual([`clearHalt in ${which === "events" ? 1 : 2}`]);
    expect([packets.length, ends]).toEqual([1, []]);
  });

  test("data out: what was not taken is sent again, in order", async () => {
    const { adapter, transport, clock, got, ends } = await opened({ maxDelayMs: 3 });
    const packets = Array.from({ length: 12 }, (_, i) => acl(20, i));
    for (const packet of packets.slice(0, 6)) transport.send(fromHex(packet));
    adapter.halt("data out");
    for (const packet of packets.slice(6)) transport.send(fromHex(packet));
    await clock.advance(100);
    expect(adapter.calls.filter((call) => call === "clearHalt out 2")).toHaveLength(1);
    expect([got, ends]).toEqual([packets, []]);
  });

  test("an endpoint that halts again and again is the end", async () => {
    const { adapter, clock, ends } = await opened();
    const clear = adapter.clearHalt.bind(adapter);
    adapter.clearHalt = async (direction, endpoint) => {
      await clear(direction, endpoint);
      adapter.halt("events");
    };
    adapter.halt("events");
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: an endpoint halts again and again']);
  });

  test("the same of an endpoint that takes", async () => {
    const { adapter, transport, clock, ends } = await opened();
    const clear = adapter.clearHalt.bind(adapter);
    adapter.clearHalt = async (direction, endpoint) => {
      await clear(direction, endpoint);
      adapter.halt("data out");
    };
    adapter.halt("data out");
    transport.send(fromHex(acl(1)));
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: an endpoint halts again and again']);
  });

  test("one that cannot be cleared is the end, with the reason", async () => {
    const { adapter, clock, ends } = await opened();
    adapter.clearHalt = async () => {
      throw new Error("no");
    };
    adapter.halt("data in");
    await clock.advance(0);
    expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", cause: { message: "no" } }]);
    expect(ends[0]!.message).toContain("cannot be cleared");
  });

  test("a packet refused before one that was taken is the end: nobody knows what the device has", async () => {
    const { adapter, transport, clock, ends } = await opened();
    let number = 0;
    adapter.transferOut = async (_, { length }) =>
      number++ === 0 ? { status: "stall", bytesWritten: 0 } : { status: "ok", bytesWritten: length };
    transport.send(fromHex(acl(1)));
    transport.send(fromHex(acl(2)));
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it refused a packet and took the next']);
  });

  test.each([
    ["half a packet", { status: "ok", bytesWritten: 3 }],
    ["a part before it halts", { status: "stall", bytesWritten: 3 }],
  ] as const)("one that takes %s is the end", async (_, result) => {
    const { adapter, transport, clock, ends } = await opened();
    adapter.transferOut = async () => result;
    transport.send(fromHex(acl(1)));
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it took a part of a packet']);
  });

  test("a command that is refused both ways is the end", async () => {
    const { adapter, transport, clock, ends } = await opened();
    let attempts = 0;
    adapter.controlTransferOut = async () => {
      attempts++;
      return { status: "stall", bytesWritten: 0 };
    };
    transport.send(fromHex("01030c00"));
    await clock.advance(0);
    expect([attempts, ends[0]!.message]).toEqual([2, 'transport "usb:1209:0001" ended: it refuses a command']);
  });

  test("more than was asked for is the end", async () => {
    const { adapter, clock, ends } = await opened({ eventPacketSize: 16 });
    adapter.transferIn = async () => ({ status: "babble" });
    for (let i = 0; i < 3; i++) adapter.inject("events", fromHex("ff01aa")); // two were asked for before
    await clock.advance(0);
    expect(ends[0]!.message).toContain("it sends more than it is asked for");
  });
});

describe("ends", () => {
  test("unplugged: TransportClosed, once, and everything is quiet", async () => {
    const { adapter, transport, clock, ends } = await opened();
    transport.send(fromHex("01030c00"));
    transport.send(fromHex(acl(1)));
    adapter.unplug();
    await clock.advance(10_000);
    expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", cause: { name: "NotFoundError" } }]);
    expect(ends[0]!.message).toContain('transport "usb:1209:0001" is gone: it was unplugged');
    transport.send(fromHex("01030c00"));
    expect(transport.writable).toBe(false);
    await transport[Symbol.asyncDispose]();
  });

  test("closing waits for what was sent, gives the interface back, and leaves the device for the next", async () => {
    const { adapter, transport, clock, got, ends } = await opened({ maxDelayMs: 20 });
    transport.send(fromHex("01030c00"));
    transport.send(fromHex(acl(1)));
    adapter.calls.length = 0;
    const closing = transport[Symbol.asyncDispose]();
    await clock.advance(1000);
    await closing;
    expect(got.sort()).toEqual(["01030c00", acl(1)]);
    expect(adapter.calls).toEqual(["releaseInterface 1", "close"]);
    expect([adapter.opened, ends]).toEqual([false, []]);
    const again = openWebUsb(adapter, { clock });
    await clock.advance(0);
    await (await again)[Symbol.asyncDispose]();
  });

  test("a device that takes nothing holds the closing for half a second only", async () => {
    const { adapter, transport, clock } = await opened();
    adapter.transferOut = () => new Promise(() => {});
    adapter.releaseInterface = () => new Promise(() => {});
    transport.send(fromHex(acl(1)));
    let isClosed = false;
    const closing = transport[Symbol.asyncDispose]().then(() => {
      isClosed = true;
    });
    await clock.advance(2499);
    expect([isClosed, adapter.opened]).toEqual([false, true]);
    await clock.advance(1);
    await closing;
    expect(adapter.opened).toBe(false);
  });

  test("a queue that is long is told, and that it is short again; one that grows on is the end", async () => {
    const { adapter, transport, clock, ends } = await opened();
    const takes: (() => void)[] = [];
    adapter.transferOut = (_, { length }) => new Promise((resolve) => takes.push(() => resolve({ status: "ok", bytesWritten: length })));
    let told = 0;
    transport.onWritable = () => told++;
    const packet = fromHex(acl(1000));
    for (let i = 0; i < 20; i++) transport.send(packet);
    expect([transport.writable, takes.length]).toEqual([false, 4]);
    for (let i = 0; i < 3; i++) takes.shift()!();
    await clock.advance(0);
    expect(told).toBe(0);
    takes.shift()!();
    await clock.advance(0);
    expect([told, transport.writable]).toEqual([1, true]);
    for (let i = 0; i < 1100; i++) transport.send(packet);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it does not take what is sent']);
  });
});

describe("opening", () => {
  test.each([
    [{ isForbidden: true }, "permission", 'SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", TAG+="uaccess"'],
    [{ isProtected: true }, "permission", "the browser gives no page the interface of 1209:0001, whose class is Wireless Controller"],
    [{ isTaken: true }, "busy", "is in use by another program, or by the system's own Bluetooth driver"],
  ] as const)("%j is one sentence, and the device is closed", async (options, reason, text) => {
    const { adapter, clock } = adapterOf(options);
    const failed = await openWebUsb(adapter, { clock }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "ERR_TRANSPORT", reason, cause: { name: expect.stringMatching(/Error$/) } });
    expect((failed as Error).message).toContain(text);
    expect(adapter.opened).toBe(false);
  });

  test("one that was unplugged, or has no HCI, is one sentence", async () => {
    const { adapter, clock } = adapterOf();
    adapter.unplug();
    await expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({
      reason: "not-found",
      message: "usb:1209:0001: USB device 1209:0001 is gone",
    });
    const other = adapterOf().adapter;
    Object.assign(other, { configurations: [{ configurationValue: 1, interfaces: [] }] });
    await expect(openWebUsb(other, { clock })).rejects.toMatchObject({ reason: "unsupported" });
    expect(other.opened).toBe(false);
  });

  test("a device serves one transport at a time", async () => {
    const { adapter, clock, transport, ends } = await opened();
    await expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({ reason: "busy" });
    expect([adapter.opened, ends]).toEqual([true, []]);
    await transport[Symbol.asyncDispose]();
  });

  test("a signal, and five seconds, give it up; what opens later is closed", async () => {
    const { adapter, clock } = adapterOf();
    const open = adapter.open.bind(adapter);
    let finish: () => void = () => {};
    adapter.open = async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await open();
    };
    const abort = new AbortController();
    const aborted = openWebUsb(adapter, { clock, signal: abort.signal }).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort(new Error("enough"));
    expect(await aborted).toMatchObject({ message: "enough" });
    finish();
    await clock.advance(0);
    expect(adapter.opened).toBe(false);
    const late = expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(5000);
    await late;
  });

  test("what is no device, and options that are not known, are refused", async () => {
    await expect(openWebUsb({} as WebUsbDevice)).rejects.toThrow("expected a USBDevice");
    await expect(openWebUsb(adapterOf().adapter, { baudRate: 1 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(requestUsbTransport({ filters: 1 as never, usb: new SimulatedUsb() })).rejects.toThrow("expected a list");
    await expect(requestUsbTransport({ filter: [] } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("in a page", () => {
  test("the user chooses from a list of adapters, and the next time nobody is asked", async () => {
    const { adapter, clock } = adapterOf({ serialNumber: "A1" });
    const mouse = adapterOf({ vendorId: 0x1111 }).adapter;
    Object.assign(mouse, { deviceClass: 0, configurations: [] });
    let shown = 0;
    const usb = new SimulatedUsb({
      choose: (devices) => {
        shown = devices.length;
        return devices[0];
      },
    });
    usb.plug(mouse);
    usb.plug(adapter);
    await expect(openPageUsb("", {}, usb)).rejects.toMatchObject({
      reason: "not-found",
      message: expect.stringContaining("requestUsbTransport()"),
    });
    {
      await using transport = await requestUsbTransport({ usb, clock });
      expect([shown, transport.info.spec]).toEqual([1, "usb:1209:0001"]);
    }
    for (const rest of ["", "0", "1209:0001", "1209:0001#A1"]) await (await openPageUsb(rest, {}, usb))[Symbol.asyncDispose]();
    for (const rest of ["1", "1209:0002", "1209:0001#A2"])
      await expect(openPageUsb(rest, {}, usb)).rejects.toMatchObject({ reason: "not-found" });
    await expect(openPageUsb("1-2", {}, usb)).rejects.toMatchObject({ reason: "unsupported" });
  });

  test.each([
    [{ choose: () => undefined }, "no USB device was chosen"],
    [{ isClicked: () => false }, "only while a click is handled"],
  ] as const)("one that is not chosen is refused (%j)", async (options, text) => {
    const failed = await requestUsbTransport({ usb: new SimulatedUsb(options) }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "ERR_TRANSPORT", reason: "refused", message: expect.stringContaining(text) });
  });

  test("without WebUSB it is unsupported", async () => {
    await expect(requestUsbTransport()).rejects.toMatchObject({
      reason: "unsupported",
      message: expect.stringContaining("there is no WebUSB here"),
    });
  });
});

test.each(["x", "12:34", "0a12:0001#", "1-", "-1", "1234"])("usb:%s is not understood", async (rest) => {
  await expect(openTransport(`usb:${rest}`)).rejects.toMatchObject({
    reason: "unknown-spec",
    message: expect.stringContaining("usb:VID:PID"),
  });
});

test("an Hci opens over it and reads the controller", async () => {
  const { SimulatedAir } = await import("../../testing/index.ts");
  await using air = new SimulatedAir({ seed: 1 });
  const adapter = new SimulatedUsbAdapter(air.addController({ address: "C0:FF:EE:00:00:07" as never }), { clock: air.clock, isCut: true });
  await using hci = await Hci.open(await openWebUsb(adapter, { clock: air.clock }), { clock: air.clock });
  expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:07");
});
