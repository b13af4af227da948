import { describe, expect, test } from "vitest";
import { adapterOf, disposeOfClocks, openedAdapter } from "../../../test/support/usb-adapter.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Hci } from "../../hci/index.ts";
import { SimulatedAir, SimulatedUsbAdapter } from "../../testing/index.ts";
import { openWebUsb } from "../index.ts";

disposeOfClocks();

const hex = (octets: readonly number[]): string => toHex(Uint8Array.from(octets));
/** An event with so many octets of parameters. */
const event = (length: number, of = 0xaa): string => hex([0x04, 0xff, length, ...Array.from({ length }, () => of)]);
/** ACL data with so many octets. */
const acl = (length: number, handle = 0x40): string =>
  hex([0x02, handle, 0x20, length & 0xff, length >> 8, ...Array.from({ length }, (_, i) => i & 0xff)]);

describe("packets", () => {
  test("a command is a class request to the device, an event comes from the interrupt endpoint, ACL data by the bulk ones", async () => {
    const { transport, clock, packets, got, adapter, controllerSends } = await openedAdapter();
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
    const { clock, packets, controllerSends } = await openedAdapter();
    controllerSends(event(length));
    controllerSends(event(1, 0xbb));
    await clock.advance(0);
    expect(packets).toEqual([event(length), event(1, 0xbb)]);
  });

  test.each([0, 27, 59, 60, 61, 124, 251, 1024, 5000])(
    "ACL data of %i octets is put together, however long the transfers are",
    async (length) => {
      const { clock, packets, controllerSends } = await openedAdapter();
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
      const { clock, packets, controllerSends } = await openedAdapter({ ...options, seed });
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
      const { clock, packets, controllerSends } = await openedAdapter({ maxDelayMs: 5, seed });
      controllerSends(event(1));
      controllerSends(acl(1));
      await clock.advance(100);
      orders.add(packets.map((packet) => packet.slice(0, 2)).join());
    }
    expect([...orders].sort()).toEqual(["02,04", "04,02"]);
  });

  test("the rest of a packet that a program before left is dropped after a second of silence", async () => {
    const { adapter, clock, packets, warnings, controllerSends } = await openedAdapter();
    adapter.inject("events", fromHex("ff20aaaa")); // 32 octets announced, two came
    await clock.advance(1001);
    controllerSends(event(2));
    await clock.advance(0);
    expect(packets).toEqual([event(2)]);
    expect(warnings.join()).toContain("4 octets of a packet that did not end were dropped");
  });

  test("a packet that halts for less goes on", async () => {
    const { adapter, clock, packets } = await openedAdapter();
    adapter.inject("events", fromHex("ff04aaaa"));
    await clock.advance(999);
    adapter.inject("events", fromHex("aaaa"));
    await clock.advance(0);
    expect(packets).toEqual([event(4)]);
  });

  test.each([
    [16, 64, 272, 1088],
    [64, 512, 320, 1536],
  ])(
    "two transfers wait at each endpoint, of whole packets (%i and %i octets)",
    async (eventPacketSize, dataPacketSize, ofEvents, ofData) => {
      const { adapter, clock } = adapterOf({ eventPacketSize, dataPacketSize });
      const asked: string[] = [];
      const transferIn = adapter.transferIn.bind(adapter);
      adapter.transferIn = (endpoint, length) => {
        asked.push(`${endpoint}: ${length}`);
        return transferIn(endpoint, length);
      };
      await using _ = await openWebUsb(adapter, { clock });
      expect(asked.sort()).toEqual([`1: ${ofEvents}`, `1: ${ofEvents}`, `2: ${ofData}`, `2: ${ofData}`]);
    },
  );

  test("a command waits for the one before it; more of them than any controller allows are the end", async () => {
    const { adapter, transport, clock, ends } = await openedAdapter();
    let under = 0;
    adapter.controlTransferOut = () => {
      under++;
      return new Promise(() => {});
    };
    for (let i = 0; i < 65; i++) transport.send(fromHex("01030c00"));
    await clock.advance(0);
    expect([under, ends]).toEqual([1, []]);
    transport.send(fromHex("01030c00"));
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it does not take what is sent']);
  });

  test("voice and isochronous data are not sent", async () => {
    const { transport, clock, got, warnings, ends } = await openedAdapter();
    transport.send(fromHex("03400000"));
    transport.send(fromHex("0540000000"));
    await clock.advance(0);
    expect([got, ends, warnings.length]).toEqual([[], [], 2]);
  });

  test("what nobody takes is not read on, and is read when it is taken", async () => {
    const { clock, transport, packets, ends, controllerSends } = await openedAdapter();
    transport.onPacket = undefined;
    for (let i = 0; i < 5000; i++) controllerSends(event(1, i & 0xff));
    await clock.advance(0);
    expect(ends).toEqual([]);
    transport.onPacket = (packet) => packets.push(toHex(packet));
    await clock.advance(0);
    expect(packets).toHaveLength(5000);
    for (let i = 0; i < 10; i++) {
      controllerSends(event(1, i));
      await clock.advance(0);
    }
    expect(packets).toHaveLength(5010);
  });
});

describe("composite devices", () => {
  test("get their commands at the interface", async () => {
    const { transport, clock, got } = await openedAdapter({ isComposite: true });
    transport.send(fromHex("01030c00"));
    await clock.advance(0);
    expect(got).toEqual(["01030c00"]);
  });

  test.each([
    ["composite, but at the device", { isComposite: true, commandsAt: "device" }],
    ["not composite, but at the interface", { commandsAt: "interface" }],
  ] as const)("one that wants them the other way (%s) gets them so, from the first on", async (_, options) => {
    const { transport, clock, got, ends } = await openedAdapter(options);
    for (const command of ["01030c00", "01010c00", "01091000"]) transport.send(fromHex(command));
    await clock.advance(0);
    expect([got, ends]).toEqual([["01030c00", "01010c00", "01091000"], []]);
  });
});

describe("halts", () => {
  test.each(["events", "data in"] as const)("%s: cleared once, and reading goes on", async (which) => {
    const { adapter, clock, packets, ends, controllerSends } = await openedAdapter();
    adapter.calls.length = 0;
    adapter.halt(which);
    await clock.advance(0);
    controllerSends(which === "events" ? event(3) : acl(3));
    await clock.advance(0);
    expect(adapter.calls).toEqual([`clearHalt in ${which === "events" ? 1 : 2}`]);
    expect([packets.length, ends]).toEqual([1, []]);
  });

  test("data out: what was not taken is sent again, in order", async () => {
    const { adapter, transport, clock, got, ends } = await openedAdapter({ maxDelayMs: 3 });
    const packets = Array.from({ length: 12 }, (_, i) => acl(20, i));
    for (const packet of packets.slice(0, 6)) transport.send(fromHex(packet));
    adapter.halt("data out");
    for (const packet of packets.slice(6)) transport.send(fromHex(packet));
    await clock.advance(100);
    expect(adapter.calls.filter((call) => call === "clearHalt out 2")).toHaveLength(1);
    expect([got, ends]).toEqual([packets, []]);
  });

  test("an endpoint that halts again and again is the end", async () => {
    const { adapter, clock, ends } = await openedAdapter();
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
    const { adapter, transport, clock, ends } = await openedAdapter();
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
    const { adapter, clock, ends } = await openedAdapter();
    adapter.clearHalt = async () => {
      throw new Error("no");
    };
    adapter.halt("data in");
    await clock.advance(0);
    expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", cause: { message: "no" } }]);
    expect(ends[0]!.message).toContain("cannot be cleared");
  });

  test("a packet refused before one that was taken is the end: nobody knows what the device has", async () => {
    const { adapter, transport, clock, ends } = await openedAdapter();
    let number = 0;
    adapter.transferOut = async (_, { length }) =>
      number++ === 0 ? { status: "stall", bytesWritten: 0 } : { status: "ok", bytesWritten: length };
    transport.send(fromHex(acl(1)));
    transport.send(fromHex(acl(2)));
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it refused a packet and took the next']);
  });

  test("what was taken before a halt is not sent again", async () => {
    const { adapter, transport, clock, ends } = await openedAdapter();
    const sent: number[] = [];
    let take: () => void = () => {};
    adapter.transferOut = (_, { length }) => {
      sent.push(length - 4);
      if (sent.length === 2) return Promise.resolve({ status: "stall", bytesWritten: 0 });
      return new Promise((resolve) => {
        take = () => resolve({ status: "ok", bytesWritten: length });
        if (sent.length > 2) take();
      });
    };
    transport.send(fromHex(acl(1)));
    transport.send(fromHex(acl(2)));
    await clock.advance(0);
    expect(sent).toEqual([1, 2]);
    take(); // of the first, told after the halt of the second
    await clock.advance(0);
    expect([sent, ends]).toEqual([[1, 2, 2], []]);
  });

  test.each([
    ["half a packet", { status: "ok", bytesWritten: 3 }],
    ["a part before it halts", { status: "stall", bytesWritten: 3 }],
  ] as const)("one that takes %s is the end", async (_, result) => {
    const { adapter, transport, clock, ends } = await openedAdapter();
    adapter.transferOut = async () => result;
    transport.send(fromHex(acl(1)));
    await clock.advance(0);
    expect(ends.map(({ message }) => message)).toEqual(['transport "usb:1209:0001" ended: it took a part of a packet']);
  });

  test("a command that is refused both ways is the end", async () => {
    const { adapter, transport, clock, ends } = await openedAdapter();
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
    const { adapter, clock, ends } = await openedAdapter({ eventPacketSize: 16 });
    adapter.transferIn = async () => ({ status: "babble" });
    for (let i = 0; i < 3; i++) adapter.inject("events", fromHex("ff01aa")); // two were asked for before
    await clock.advance(0);
    expect(ends[0]!.message).toContain("it sends more than it is asked for");
  });
});

describe("ends", () => {
  test("unplugged: TransportClosed, once, and everything is quiet", async () => {
    const { adapter, transport, clock, ends } = await openedAdapter();
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
    const { adapter, transport, clock, got, ends } = await openedAdapter({ maxDelayMs: 20 });
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
    const { adapter, transport, clock } = await openedAdapter();
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
    const { adapter, transport, clock, ends } = await openedAdapter();
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

test("an Hci opens over it and reads the controller", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const adapter = new SimulatedUsbAdapter(air.addController({ address: "C0:FF:EE:00:00:07" as never }), { clock: air.clock, isCut: true });
  await using hci = await Hci.open(await openWebUsb(adapter, { clock: air.clock }), { clock: air.clock });
  expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:07");
});
