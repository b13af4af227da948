import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { AttError, AttErrorCode, AttOpcode } from "../src/att/index.ts";
import type { Connection } from "../src/device/index.ts";
import { type BleEvent, Flag, UUID } from "../src/micropython/index.ts";
import { connect, type Instance, line, ORDERS, openTwo, type Two } from "./support/micropython.ts";

const SERVICE = new UUID("a5a5a5a5-ffff-9999-1111-5a5a5a5a5a5a");
const TYPE = new UUID(0x2a6e);
const OTHER = new UUID("00000000-1111-2222-3333-444444444444");
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const hostLink = ({ ble }: Instance): Connection => ble.device!.links[0]!;
const names = (events: readonly BleEvent[]): string[] => events.map(line);

/** Two services; the handles of their values. */
async function served(two: Two): Promise<{ c: number; p: number; handles: number[][] }> {
  const handles = await two.peripheral.ble.gattsRegisterServices([
    [
      SERVICE,
      [
        [TYPE, Flag.Read | Flag.Write | Flag.Notify],
        [OTHER, Flag.Read],
      ],
    ],
    [new UUID(0x1810), [[TYPE, Flag.Read | Flag.Notify]]],
    [SERVICE, [[TYPE, Flag.Read]]],
  ]);
  const links = await connect(two);
  await delay(two.air.clock, 100); // data length
  two.central.clear();
  two.peripheral.clear();
  return { handles, ...links };
}

describe("discovery", () => {
  test("all services in the order of their handles, or those of one type; of a type that is not there, none", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c } = await served(two);
    await central.ble.gattcDiscoverServices(c);
    await central.next("gattcServiceDone");
    const [first, second, third] = central.events.slice(2, 5) as Extract<BleEvent, { type: "gattcServiceResult" }>[];
    expect(names(central.events)).toEqual([
      `gattcServiceResult ${c} 1 5 UUID(0x1800)`,
      `gattcServiceResult ${c} 6 13 UUID(0x1801)`,
      `gattcServiceResult ${c} 14 19 ${SERVICE}`,
      `gattcServiceResult ${c} 20 23 UUID(0x1810)`,
      `gattcServiceResult ${c} 24 26 ${SERVICE}`,
      `gattcServiceDone ${c} 0`,
    ]);
    expect(first!.uuid.equals(SERVICE)).toBe(true);
    expect(second!.endHandle - second!.startHandle).toBe(3); // service, declaration, value, configuration
    for (const [type, found] of [
      [SERVICE, [first, third]],
      [new UUID(0x1810), [second]],
      [new UUID(0x1811), []],
      [OTHER, []],
    ] as const) {
      central.clear();
      await central.ble.gattcDiscoverServices(c, type);
      await central.next("gattcServiceDone");
      expect(central.events.slice(0, -1)).toEqual(found);
      expect(central.events.at(-1)).toMatchObject({ status: 0 });
    }
  });

  test("a type of 16 bits that is asked for in 128 is found as it was asked for", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c } = await served(two);
    const long = UUID.parse("00001810-0000-1000-8000-00805f9b34fb");
    await central.ble.gattcDiscoverServices(c, long);
    const { startHandle, endHandle, uuid } = await central.next("gattcServiceResult");
    expect(uuid).toEqual(long);
    await central.ble.gattcDiscoverCharacteristics(c, startHandle, endHandle, UUID.parse("00002a6e-0000-1000-8000-00805f9b34fb"));
    expect((await central.next("gattcCharacteristicResult")).uuid.size).toBe(16);
  });

  test("a type of 32 bits stands for the 128 that attributes have", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const long = UUID.parse("12345678-0000-1000-8000-00805f9b34fb");
    const short = UUID.fromLittleEndian(octets(0x78, 0x56, 0x34, 0x12));
    const [[value]] = (await peripheral.ble.gattsRegisterServices([[long, [[long, Flag.Read]]]])) as [[number]];
    const { c } = await connect(two);
    await central.ble.gattcDiscoverServices(c, short);
    expect((await central.next("gattcServiceResult")).uuid).toEqual(short);
    await central.ble.gattcDiscoverCharacteristics(c, 1, 0xffff, short);
    expect(await central.next("gattcCharacteristicResult")).toMatchObject({ valueHandle: value, uuid: short });
  });

  test("a peer that does not find by type is asked for all of them", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c } = await served(two);
    const link = hostLink(peripheral).att;
    const { onRequest } = link.server!;
    link.server!.onRequest = (opcode, ...pdu) => {
      if (opcode === AttOpcode.FindByTypeValueReq) link.respondError(opcode, 0, AttErrorCode.RequestNotSupported);
      else onRequest.call(link.server, opcode, ...pdu);
    };
    await central.ble.gattcDiscoverServices(c, new UUID(0x1810));
    await central.next("gattcServiceDone");
    expect(names(central.events)).toEqual([`gattcServiceResult ${c} 20 23 UUID(0x1810)`, `gattcServiceDone ${c} 0`]);
  });

  test("characteristics end where the next one begins, or at the end that was given; a type filters", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c, handles } = await served(two);
    const [[a, b], [d], [e]] = handles as [[number, number], [number], [number]];
    const find = async (...args: [start: number, end: number, type?: UUID]): Promise<unknown[]> => {
      central.clear();
      await central.ble.gattcDiscoverCharacteristics(c, ...args);
      expect(await central.next("gattcCharacteristicDone")).toMatchObject({ status: 0 });
      return central.events
        .filter((event) => event.type === "gattcCharacteristicResult")
        .map(({ endHandle, valueHandle, properties, uuid }) => [endHandle, valueHandle, properties, String(uuid)]);
    };
    const all = [
      [17, a, 0x1a, String(TYPE)],
      [21 - 1, b, 0x02, String(OTHER)], // with the declaration of the service behind it
      [25 - 1, d, 0x12, String(TYPE)],
      [0xffff, e, 0x02, String(TYPE)],
    ];
    expect(await find(14, 0xffff)).toEqual(all);
    expect(await find(14, 0xffff, TYPE)).toEqual([all[0], all[2], all[3]]);
    expect(await find(14, 19, OTHER)).toEqual([[19, b, 0x02, String(OTHER)]]);
    expect(await find(14, 19, new UUID(0x2a00))).toEqual([]);
    expect(await find(18, 18)).toEqual([[18, b, 0x02, String(OTHER)]]);
    expect(await find(17, 17)).toEqual([]);
    expect(await find(0xffff, 0xffff)).toEqual([]);
  });

  test("descriptors are all that is behind the first handle", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c, handles } = await served(two);
    const value = handles[1]![0]!;
    const find = async (start: number, end: number): Promise<string[]> => {
      central.clear();
      await central.ble.gattcDiscoverDescriptors(c, start, end);
      await central.next("gattcDescriptorDone");
      return names(central.events);
    };
    expect(await find(value, value + 1)).toEqual([`gattcDescriptorResult ${c} ${value + 1} UUID(0x2902)`, `gattcDescriptorDone ${c} 0`]);
    expect(await find(value - 2, value + 1)).toEqual([
      `gattcDescriptorResult ${c} ${value - 1} UUID(0x2803)`,
      `gattcDescriptorResult ${c} ${value} UUID(0x2a6e)`,
      `gattcDescriptorResult ${c} ${value + 1} UUID(0x2902)`,
      `gattcDescriptorDone ${c} 0`,
    ]);
    for (const [start, end] of [
      [value, value],
      [value, 1],
      [0xffff, 0xffff],
      [500, 600],
    ] as const)
      expect(await find(start, end)).toEqual([`gattcDescriptorDone ${c} 0`]);
  });
});

describe("reading and writing", () => {
  test("what the peer refuses ends with 0x100 and its error, under the handle of the call", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c, handles } = await served(two);
    const [[writable, readOnly]] = handles as [[number, number]];
    await central.ble.gattcRead(c, 999);
    await central.next("gattcReadDone");
    await central.ble.gattcRead(c, 0);
    await central.next("gattcReadDone");
    await central.ble.gattcWrite(c, readOnly, "x", 1);
    await central.next("gattcWriteDone");
    await central.ble.gattcWrite(c, writable + 1, "xyz", 1);
    await central.next("gattcWriteDone");
    expect(names(central.events)).toEqual([
      `gattcReadDone ${c} 999 ${0x101}`,
      `gattcReadDone ${c} 0 ${0x101}`,
      `gattcWriteDone ${c} ${readOnly} ${0x103}`,
      `gattcWriteDone ${c} ${writable + 1} ${0x10d}`,
    ]);
  });

  test("a read is one request: what it does not hold is left out", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, handles } = await served(two);
    peripheral.ble.gattsWrite(handles[0]![0]!, new Uint8Array(100));
    await central.ble.gattcRead(c, handles[0]![0]!);
    expect((await central.next("gattcReadResult")).data).toHaveLength(22);
    expect(peripheral.types).toEqual(["gattsReadRequest"]);
  });

  test("the end of a read comes at once behind its result, whoever waits for that", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c, handles } = await served(two);
    let atResult: string[] = [];
    const result = central.next("gattcReadResult").then(() => {
      atResult = [...central.types];
    });
    await central.ble.gattcRead(c, handles[0]![0]!);
    await result;
    expect(atResult).toEqual(["gattcReadResult", "gattcReadDone"]);
  });

  test("operations are queued, in order, also a write command; each has one end", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, handles } = await served(two);
    const [[value]] = handles as [[number]];
    const written: string[] = [];
    peripheral.handle = (event) => {
      if (event.type === "gattsWrite") written.push(new TextDecoder().decode(peripheral.ble.gattsRead(event.attrHandle)));
    };
    const { ble } = central;
    await Promise.all([
      ble.gattcExchangeMtu(c),
      ble.gattcDiscoverServices(c, new UUID(0x1810)),
      ble.gattcWrite(c, value, "first", 1),
      ble.gattcWrite(c, value, "second"),
      ble.gattcRead(c, value),
      ble.gattcWrite(c, value, "third", 1),
      ble.gattcDiscoverDescriptors(c, 20, 20),
      ble.gattcRead(c, 999),
      ble.gattcDiscoverCharacteristics(c, 20, 23),
    ]);
    await central.next("gattcCharacteristicDone");
    expect(central.types).toEqual([
      "mtuExchanged",
      "gattcServiceResult",
      "gattcServiceDone",
      "gattcWriteDone",
      "gattcReadResult",
      "gattcReadDone",
      "gattcWriteDone",
      "gattcDescriptorDone",
      "gattcReadDone",
      "gattcCharacteristicResult",
      "gattcCharacteristicDone",
    ]);
    expect(written).toEqual(["first", "second", "third"]);
    expect(central.events.find((event) => event.type === "gattcReadResult")).toMatchObject({ data: new TextEncoder().encode("second") });
  });

  test("more than may wait is ENOMEM; what was accepted is done", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c, handles } = await served(two);
    const reads = await Promise.allSettled(Array.from({ length: 270 }, () => central.ble.gattcRead(c, handles[0]![0]!)));
    expect(reads.filter(({ status }) => status === "fulfilled")).toHaveLength(257); // one on its way
    expect(reads.at(-1)).toMatchObject({ reason: { code: "ENOMEM" } });
    await expect(central.ble.gattcWrite(c, handles[0]![0]!, "x")).rejects.toMatchObject({ code: "ENOMEM" });
    await delay(two.air.clock, 30_000);
    expect(central.types.filter((type) => type === "gattcReadDone")).toHaveLength(257);
  });

  test("errors and arguments", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const { c } = await served(two);
    const calls: [string, () => Promise<void>, object][] = [];
    for (const [method, args] of [
      ["gattcDiscoverServices", []],
      ["gattcDiscoverCharacteristics", [1, 5]],
      ["gattcDiscoverDescriptors", [1, 5]],
      ["gattcRead", [1]],
      ["gattcWrite", [1, ""]],
      ["gattcExchangeMtu", []],
    ] as const) {
      const call = (...given: unknown[]) => (ble[method] as (...each: unknown[]) => Promise<void>)(...given);
      calls.push([method, () => call("1", ...args), { pythonName: "TypeError" }]);
      calls.push([method, () => call(-1, ...args), { pythonName: "ValueError" }]);
      calls.push([method, () => call(c + 1, ...args), { code: "ENOTCONN", errno: 107 }]);
      for (const i of args.keys()) calls.push([method, () => call(c, ...args.with(i, {} as never)), { pythonName: "TypeError" }]);
    }
    calls.push(
      ["uuid", () => ble.gattcDiscoverServices(c, 0x1810 as never), { pythonName: "TypeError" }],
      ["uuid", () => ble.gattcDiscoverCharacteristics(c, 1, 5, "1810" as never), { pythonName: "TypeError" }],
      ["start 0", () => ble.gattcDiscoverCharacteristics(c, 0, 5), { code: "EINVAL" }],
      ["start behind end", () => ble.gattcDiscoverCharacteristics(c, 6, 5), { code: "EINVAL" }],
      ["handle", () => ble.gattcRead(c, 0x10000), { pythonName: "ValueError" }],
      ["mode", () => ble.gattcWrite(c, 1, "", 2 as never), { code: "EINVAL" }],
      ["mode", () => ble.gattcWrite(c, 1, "", -1 as never), { code: "EINVAL" }],
      ["mode", () => ble.gattcWrite(c, 1, "", "1" as never), { pythonName: "TypeError" }],
    );
    for (const [what, call, error] of calls) expect([what, await call().catch((thrown: unknown) => thrown)]).toMatchObject([what, error]);
    await delay(two.air.clock, 200);
    expect(two.central.events).toEqual([]); // none of them has an end
    await ble.active(false);
    for (const call of [
      () => ble.gattcDiscoverServices(c),
      () => ble.gattcDiscoverCharacteristics(c, 1, 5),
      () => ble.gattcDiscoverDescriptors(c, 1, 5),
      () => ble.gattcRead(c, 1),
      () => ble.gattcWrite(c, 1, ""),
      () => ble.gattcExchangeMtu(c),
    ])
      await expect(call()).rejects.toMatchObject({ code: "ENODEV" });
  });

  test("an answer that is none ends with 10", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c } = await served(two);
    const { att } = hostLink(peripheral);
    att.server!.onRequest = (opcode) => {
      const frame = att.channel.allocate(3); // a list of nothing, of entries of no length
      frame[frame.length - 3] = opcode + 1;
      att.respond(frame);
    };
    await central.ble.gattcDiscoverServices(c);
    expect(await central.next("gattcServiceDone")).toMatchObject({ status: 10 });
    await central.ble.gattcDiscoverCharacteristics(c, 1, 5);
    expect(await central.next("gattcCharacteristicDone")).toMatchObject({ status: 10 });
  });

  test("works from the peripheral, too, both at once", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p, handles } = await served(two);
    const [[own]] = (await central.ble.gattsRegisterServices([[SERVICE, [[TYPE, Flag.Read | Flag.Write]]]])) as [[number]];
    await central.ble.gattcWrite(c, handles[0]![0]!, "to peripheral", 1);
    await peripheral.ble.gattcWrite(p, own, "to central", 1);
    await central.next("gattcWriteDone");
    await peripheral.next("gattcWriteDone");
    expect(new TextDecoder().decode(central.ble.gattsRead(own))).toBe("to central");
    expect(new TextDecoder().decode(peripheral.ble.gattsRead(handles[0]![0]!))).toBe("to peripheral");
    await peripheral.ble.gattcDiscoverServices(p, SERVICE);
    expect(await peripheral.next("gattcServiceResult")).toMatchObject({ endHandle: own });
  });
});

describe("the end of a link", () => {
  test.each(["central", "peripheral"] as const)("what the %s has asked for ends with 7, in order, before the link", async (role) => {
    await using two = await openTwo();
    const { c, p } = await served(two);
    const [mine, conn, other] = role === "central" ? [two.central, c, two.peripheral] : [two.peripheral, p, two.central];
    using _silent = hostLink(other).pause();
    const { ble } = mine;
    await ble.gattcDiscoverServices(conn);
    await ble.gattcDiscoverCharacteristics(conn, 1, 9);
    await ble.gattcDiscoverDescriptors(conn, 1, 9);
    await ble.gattcRead(conn, 5);
    await ble.gattcWrite(conn, 6, "x", 1);
    await ble.gattcWrite(conn, 6, "y");
    await ble.gattcExchangeMtu(conn);
    await ble.gattsIndicate(conn, 7, "z");
    await delay(two.air.clock, 100);
    await hostLink(other).disconnect();
    const end = role === "central" ? "peripheralDisconnect" : "centralDisconnect";
    await mine.next(end);
    expect(mine.events.map((event) => ("status" in event ? `${event.type} ${event.status}` : event.type))).toEqual([
      "gattcServiceDone 7",
      "gattcCharacteristicDone 7",
      "gattcDescriptorDone 7",
      "gattcReadDone 7",
      "gattcWriteDone 7",
      "gattsIndicateDone 7",
      end,
    ]);
    await expect(ble.gattcRead(conn, 5)).rejects.toMatchObject({ code: "ENOTCONN" });
  });

  test.each(ORDERS)("a request without an answer in 30 s ends with 13, and the link with it (%s)", async (order) => {
    await using two = await openTwo(order);
    const { central, peripheral } = two;
    const { c } = await served(two);
    using _silent = hostLink(peripheral).pause();
    const began = two.air.clock.now();
    await central.ble.gattcRead(c, 5);
    await central.ble.gattcRead(c, 6);
    await central.next("gattcReadDone");
    expect(two.air.clock.now() - began).toBeGreaterThanOrEqual(30_000);
    expect(two.air.clock.now() - began).toBeLessThan(30_100);
    await central.ble.gattcRead(c, 7); // accepted: the link is there still
    await central.next("peripheralDisconnect");
    expect(two.air.clock.now() - began).toBeLessThan(35_000);
    expect(
      central.events.map((event) => ("status" in event && "valueHandle" in event ? [event.valueHandle, event.status] : event.type)),
    ).toEqual([[5, 13], [6, 7], [7, 7], "peripheralDisconnect"]);
  });

  test("nothing is told when Bluetooth is switched off", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { c } = await served(two);
    await central.ble.gattcRead(c, 5);
    await central.ble.gattcDiscoverServices(c);
    await central.ble.active(false);
    await delay(two.air.clock, 100);
    expect(central.events).toEqual([]);
  });
});

describe("gattcExchangeMtu", () => {
  test("a refusal is told, with what stays; then it is EALREADY", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p } = await served(two);
    const { att } = hostLink(peripheral);
    const { onPdu } = att.channel;
    att.channel.onPdu = (bytes, offset, end) => {
      if (bytes[offset] !== AttOpcode.ExchangeMtuReq) onPdu!(bytes, offset, end);
      else {
        const frame = att.channel.allocate(5);
        frame.set([AttOpcode.ErrorRsp, AttOpcode.ExchangeMtuReq, 0, 0, AttErrorCode.RequestNotSupported], frame.length - 5);
        att.channel.sendFrame(frame);
      }
    };
    await central.ble.gattcExchangeMtu(c);
    await central.next("mtuExchanged");
    expect(names(central.events)).toEqual([`mtuExchanged ${c} 23`]);
    await expect(central.ble.gattcExchangeMtu(c)).rejects.toMatchObject({ code: "EALREADY", errno: 114 });
    await peripheral.ble.gattcExchangeMtu(p); // it has made none
    expect(await peripheral.next("mtuExchanged")).toMatchObject({ mtu: 256 });
  });

  test("begun by both at once it is told to both", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p } = await served(two);
    await central.ble.config({ mtu: 100 });
    await Promise.all([central.ble.gattcExchangeMtu(c), peripheral.ble.gattcExchangeMtu(p)]);
    expect(await central.next("mtuExchanged")).toMatchObject({ mtu: 100 });
    expect(await peripheral.next("mtuExchanged")).toMatchObject({ mtu: 100 });
    await expect(central.ble.gattcExchangeMtu(c)).rejects.toMatchObject({ code: "EALREADY" });
    await expect(peripheral.ble.gattcExchangeMtu(p)).rejects.toMatchObject({ code: "EALREADY" });
  });

  test("twice at once is EALREADY, though the first one waits still", async () => {
    await using two = await openTwo();
    const { c } = await served(two);
    const { ble } = two.central;
    await ble.gattcDiscoverServices(c);
    await ble.gattcExchangeMtu(c);
    await expect(ble.gattcExchangeMtu(c)).rejects.toMatchObject({ code: "EALREADY" });
    await two.central.next("mtuExchanged");
    expect(two.central.types.filter((type) => type === "mtuExchanged")).toHaveLength(1);
  });
});

describe("values that come unasked", () => {
  test("wait for the handler of the one before, in order", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    const { p } = await served(two);
    const order: string[] = [];
    central.handle = async (event) => {
      if (event.type !== "gattcNotify" && event.type !== "gattcIndicate") return;
      order.push(`begin ${event.data}`);
      await delay(air.clock, 100);
      order.push(`end ${event.data}`);
    };
    for (let i = 0; i < 3; i++) await peripheral.ble.gattsNotify(p, 50, octets(i));
    await peripheral.ble.gattsIndicate(p, 50, octets(3));
    await peripheral.next("gattsIndicateDone");
    await delay(air.clock, 500);
    expect(order).toEqual([0, 1, 2, 3].flatMap((i) => [`begin ${i}`, `end ${i}`]));
  });

  test("come in the order of the peer's packets, between the ends of our own operations", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p, handles } = await served(two);
    peripheral.handle = async (event) => {
      if (event.type !== "gattsWrite") return;
      await peripheral.ble.gattsNotify(p, 50, "before the response");
    };
    const pause = hostLink(central).pause();
    await central.ble.gattcWrite(c, handles[0]![0]!, "x", 1);
    await peripheral.next("gattsWrite");
    await delay(two.air.clock, 50);
    await peripheral.ble.gattsNotify(p, 50, "behind");
    await delay(two.air.clock, 100);
    pause[Symbol.dispose](); // all at once
    await central.next("gattcWriteDone");
    expect(central.types).toEqual(["gattcNotify", "gattcWriteDone", "gattcNotify"]);
  });
});

test("what a discovery finds is told as it comes, not at its end", async () => {
  await using two = await openTwo();
  const { central } = two;
  const { c } = await served(two);
  const times = new Map<string, number>();
  central.handle = ({ type }) => {
    if (!times.has(type)) times.set(type, two.air.clock.now());
  };
  await central.ble.gattcDiscoverServices(c);
  await central.next("gattcServiceDone");
  expect(times.get("gattcServiceDone")! - times.get("gattcServiceResult")!).toBeGreaterThan(30);
});

test("a handler may wait for what needs no answer, and ask for what does", async () => {
  await using two = await openTwo();
  const { central, peripheral } = two;
  const { p, handles } = await served(two);
  const began = two.air.clock.now();
  central.handle = async (event) => {
    if (event.type !== "gattcNotify") return;
    const { connHandle } = event;
    const [[value]] = handles as [[number]];
    await central.ble.gattcRead(connHandle, value);
    for (let i = 0; i < 50; i++) await central.ble.gattcWrite(connHandle, value, octets(i));
    await central.ble.gattcWrite(connHandle, value, "last", 1);
  };
  await peripheral.ble.gattsNotify(p, 50, "go");
  await central.next("gattcWriteDone");
  expect(peripheral.types.filter((type) => type === "gattsWrite")).toHaveLength(51);
  expect(two.air.clock.now() - began).toBeLessThan(2000);
});

test("a link whose requests are not answered, and which cannot be ended, is of no use: everything on it ends", async () => {
  await using two = await openTwo();
  const { central, peripheral } = two;
  const { c } = await served(two);
  const link = hostLink(central);
  const { disconnect } = link;
  link.disconnect = () => Promise.reject(new AttError(1));
  using _silent = hostLink(peripheral).pause();
  await central.ble.gattcRead(c, 5);
  await central.ble.gattcRead(c, 6);
  await central.next("gattcReadDone");
  await central.next("gattcReadDone");
  expect(central.lines).toEqual([`gattcReadDone ${c} 5 13`, `gattcReadDone ${c} 6 7`]);
  await expect(central.ble.gattcRead(c, 7)).rejects.toMatchObject({ code: "ENOTCONN" });
  await expect(central.ble.gattsNotify(c, 7, "")).rejects.toMatchObject({ code: "ENOTCONN" });
  link.disconnect = disconnect;
});
