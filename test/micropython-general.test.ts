import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { Logger, LogLevel } from "../src/core/index.ts";
import type { Connection } from "../src/device/index.ts";
import { BLE, type BleEvent, type BleOptions, Irq } from "../src/micropython/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { connect, Instance, ORDERS, openTwo } from "./support/micropython.ts";

const ENODEV = expect.objectContaining({ code: "ENODEV", errno: 19 });

/** The one link of an instance, as the host has it: for what no method of the API does yet. */
const hostLink = ({ ble }: Instance): Connection => ble.device!.links[0]!;

describe("active", () => {
  test("tells, switches, and does nothing where it is so already", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { p } = await connect(two);
    const { device } = peripheral.ble;
    expect([peripheral.ble.active(), await peripheral.ble.active(true), await peripheral.ble.active(1)]).toEqual([true, true, true]);
    expect(peripheral.ble.device).toBe(device);
    expect(await peripheral.ble.gapDisconnect(p)).toBe(true); // the connection was still there
    await central.next("peripheralDisconnect");
    expect([await peripheral.ble.active(0), peripheral.ble.active(), peripheral.ble.device]).toEqual([false, false, undefined]);
    expect(await peripheral.ble.active(false)).toBe(false);
  });

  test.each(ORDERS)("restarts three times on both sides, and each time they find each other again (%s)", async (order) => {
    await using two = await openTwo(order);
    const { central, peripheral } = two;
    for (let round = 0; round < 3; round++) {
      const { c } = await connect(two);
      const first = round % 2 === 0 ? central : peripheral;
      const [other, told] = first === central ? [peripheral, "centralDisconnect" as const] : [central, "peripheralDisconnect" as const];
      const heard = other.next(told);
      first.clear();
      expect(await first.ble.active(false)).toBe(false);
      expect((await heard).reason).toBe(0x13);
      expect(first.types).toEqual([]); // who ends it is not told
      await other.ble.active(false);
      await expect(central.ble.gapDisconnect(c)).rejects.toEqual(ENODEV);
      await first.ble.active(true);
      await other.ble.active(true);
    }
  });

  test("switched off, a scan is told to be over, and an attempt to connect is over without a word", async () => {
    await using two = await openTwo();
    const { central } = two;
    await central.ble.gapScan();
    await central.ble.active(false);
    expect(central.types.at(-1)).toBe("scanDone");
    await central.ble.active(true);
    central.clear();
    await central.ble.gapConnect(1, "C0:00:00:00:00:01");
    await central.ble.active(false);
    await delay(two.air.clock, 5000);
    expect(central.types).toEqual([]);
  });

  test("calls at the same time take their turns", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    expect(await Promise.all([ble.active(false), ble.active(true), ble.active(true), ble.active(false)])).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(ble.active()).toBe(false);
  });

  test("the handler, the name and what is configured for pairing outlive it; MTU and address mode do not", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const changed = { gapName: "still here", bond: true, mitm: true, io: 4, leSecure: true, rxbuf: 999 } as const;
    await ble.config({ ...changed, mtu: 100, addrMode: 1 });
    await ble.active(false);
    await ble.active(true);
    expect(new TextDecoder().decode(ble.config("gapName"))).toBe("still here");
    for (const name of ["bond", "mitm", "io", "leSecure", "rxbuf"] as const) expect(ble.config(name)).toBe(changed[name]);
    expect([ble.config("mtu"), ble.config("addrMode")]).toEqual([256, 0]);
    await ble.gapScan();
    await ble.gapScan(null);
    expect(two.central.types.at(-1)).toBe("scanDone");
  });

  test("a transport that was given is used again and closed by close alone; one that is opened is opened each time", async () => {
    await using air = new SimulatedAir();
    const { transport } = air.addController({ name: "kept" });
    let disposals = 0;
    const dispose = transport[Symbol.asyncDispose].bind(transport);
    transport[Symbol.asyncDispose] = () => {
      disposals++;
      return dispose();
    };
    const kept = new BLE({ controller: transport, clock: air.clock });
    await kept.active(true);
    await kept.active(false);
    await kept.active(true);
    expect(disposals).toBe(0);
    await Promise.all([kept.close(), kept.close()]);
    expect([disposals, kept.active()]).toEqual([1, false]);
    await expect(kept.active(true)).rejects.toEqual(ENODEV);

    const controller = air.addController({ name: "opened" });
    let openings = 0;
    await using opened = new BLE({
      clock: air.clock,
      controller: async ({ clock, signal }) => {
        expect([clock, signal instanceof AbortSignal]).toEqual([air.clock, true]);
        openings++;
        return controller.transport;
      },
    });
    for (let i = 1; i <= 3; i++) {
      await opened.active(true);
      expect(openings).toBe(i);
      await opened.active(false);
    }
  });

  test("a controller that cannot be opened is EIO, one that does not answer in time is ETIMEDOUT", async () => {
    await using air = new SimulatedAir();
    const { clock } = air;
    await using refused = new BLE({ clock, controller: () => Promise.reject(new Error("unplugged")) });
    await expect(refused.active(true)).rejects.toMatchObject({
      code: "EIO",
      message: "EIO: active: unplugged",
      cause: new Error("unplugged"),
    });
    await using hanging = new BLE({ clock, controller: () => new Promise(() => undefined) });
    await expect(hanging.active(true)).rejects.toMatchObject({ code: "ETIMEDOUT", errno: 110 });
    const controller = air.addController({ name: "silent" });
    const silence = controller.onHciPacket(() => "drop");
    await using silent = new BLE({ clock, controller: controller.transport });
    await expect(silent.active(true)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(silent.active()).toBe(false);
    silence[Symbol.dispose]();
    expect(await silent.active(true)).toBe(true);
  });

  test("a controller that does not say that it is off is ETIMEDOUT, and it counts as off", async () => {
    await using two = await openTwo();
    const { ble, controller } = two.central;
    const silence = controller.onHciPacket(() => "drop");
    await expect(ble.active(false)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(ble.active()).toBe(false);
    silence[Symbol.dispose]();
    expect([await ble.active(true), await ble.active(false)]).toEqual([true, false]);
  });

  test("when its controller is gone everything on it ends, with its events, and it is not active any more", async () => {
    const lines: string[] = [];
    const logger = new Logger("", LogLevel.Error, (_level, scope, text) => void lines.push(`${scope}: ${text}`));
    await using two = await openTwo("central first", { logger });
    const { central } = two;
    await connect(two);
    await central.ble.gapScan();
    central.clear();
    central.controller.remove();
    await delay(two.air.clock, 100);
    expect(central.types.toSorted()).toEqual(["peripheralDisconnect", "scanDone"]);
    expect(lines).toContain("micropython: Bluetooth has ended: controller central was removed");
    expect(central.ble.active()).toBe(false);
    await expect(central.ble.gapScan()).rejects.toEqual(ENODEV);
    await expect(central.ble.active(true)).rejects.toMatchObject({ code: "EIO", cause: { code: "ERR_TRANSPORT_CLOSED" } });
  });

  test("a controller that has fallen silent can be started again at once", async () => {
    await using two = await openTwo();
    const { ble, controller } = two.central;
    const silence = controller.onHciPacket(() => "drop");
    const again = new Promise<boolean>((resolve) => {
      ble.device!.on("closed", () => {
        silence[Symbol.dispose]();
        expect(ble.active()).toBe(false);
        resolve(ble.active(true));
      });
    });
    await expect(ble.gapScan()).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(await again).toBe(true);
    await ble.gapScan();
    await ble.gapScan(null);
    expect(two.central.types.filter((type) => !type.endsWith("Secret"))).toEqual(["scanDone"]);
  });

  test("what opens the controller opens it again after it was gone", async () => {
    await using air = new SimulatedAir();
    const controllers = ["one", "two"].map((name) => air.addController({ name }));
    let at = 0;
    await using ble = new BLE({ clock: air.clock, controller: async () => controllers[at]!.transport });
    await ble.active(true);
    controllers[at++]!.remove();
    expect(ble.active()).toBe(false);
    expect([await ble.active(true), await ble.active(false)]).toEqual([true, false]);
  });

  test("switched off while it begins to connect, that is ENODEV", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const hook = two.central.controller.onHciPacket(({ packet }) => (packet[1] === 0x0d && packet[2] === 0x20 ? "drop" : undefined)); // LE Create Connection
    const connecting = ble.gapConnect(1, "C0:00:00:00:00:01");
    const refused = expect(connecting).rejects.toEqual(ENODEV);
    await delay(two.air.clock, 100);
    await ble.active(false);
    await refused;
    hook[Symbol.dispose]();
    expect(two.central.types).toEqual([]);
  });

  test("methods of what is not active are ENODEV, and stopping is no error", async () => {
    await using air = new SimulatedAir();
    const { ble } = new Instance(air, "idle");
    for (const call of [
      () => ble.gapAdvertise(),
      () => ble.gapScan(),
      () => ble.gapConnect(0, new Uint8Array(6)),
      () => ble.gapConnect(null),
      () => ble.gapDisconnect(1),
      () => ble.hciCmd(4, 9, ""),
      () => ble.config({ mtu: 100 }),
      () => ble.config({ addrMode: 1 }),
    ])
      await expect(call()).rejects.toEqual(ENODEV);
    for (const name of ["mac", "mtu", "addrMode"] as const) expect(() => ble.config(name)).toThrow(ENODEV);
    await ble.gapAdvertise(null);
    await ble.gapScan(null);
    await ble.config({ gapName: "x", bond: true, rxbuf: 20 });
    expect([ble.config("bond"), ble.config("rxbuf")]).toEqual([true, 20]);
    await ble.close();
  });
});

describe("config", () => {
  test("an address is what a peer connects to, most significant octet first", async () => {
    await using air = new SimulatedAir();
    const { ble } = new Instance(air, "one", {}, { address: "00:11:22:33:44:55" });
    await ble.active(true);
    expect(ble.config("mac")).toEqual({ addrType: 0, addr: Uint8Array.of(0x00, 0x11, 0x22, 0x33, 0x44, 0x55) });
    await ble.close();
  });

  test("all values are set, or none", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    await expect(ble.config({ bond: true, mtu: 22 })).rejects.toMatchObject({ code: "EINVAL" });
    await expect(ble.config({ bond: true, nothing: 1 } as never)).rejects.toMatchObject({ pythonName: "ValueError" });
    expect(ble.config("bond")).toBe(false);
    await ble.config({ bond: 1, mtu: 200 });
    expect([ble.config("bond"), ble.config("mtu")]).toEqual([true, 200]);
    expect(() => (ble.config as (...names: string[]) => unknown)("mac", "mtu")).toThrow(
      expect.objectContaining({ pythonName: "TypeError" }),
    );
    expect(() => ble.config(undefined as never)).toThrow(expect.objectContaining({ pythonName: "TypeError" }));
    expect(() => ble.config(["mac"] as never)).toThrow(expect.objectContaining({ pythonName: "TypeError" }));
    expect(() => ble.config("le_secure" as never)).toThrow(expect.objectContaining({ pythonName: "ValueError" }));
  });

  test("a name can be set before the start, and again while a peer reads it", async () => {
    await using two = await openTwo("peripheral first");
    await two.peripheral.ble.config({ gapName: "first" });
    await connect(two);
    const client = hostLink(two.central).gatt;
    const name = await client.characteristic("1800", "2a00");
    const read = async (): Promise<string> => new TextDecoder().decode(await name.read());
    expect(await read()).toBe("first");
    await two.peripheral.ble.config({ gapName: Uint8Array.from([0x78, 0x79]) });
    expect(await read()).toBe("xy");
    const given = two.peripheral.ble.config("gapName");
    given[0] = 0;
    expect(await read()).toBe("xy");
  });

  // Verified pairs of MicroPython: what the one side asks for, what the other prefers, what comes of it.
  test.each(["central", "peripheral"] as const)("a %s asks for an MTU, and both have the smaller one", async (who) => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const [asking, answering] = who === "central" ? [central, peripheral] : [peripheral, central];
    const asks = who === "central" ? 300 : 290;
    for (const prefers of who === "central" ? [256, 200, 400, 50] : [256, 190, 350]) {
      await asking.ble.config({ mtu: 100 }); // of a link made now; set anew below, before the exchange
      const { c } = await connect(two);
      await asking.ble.config({ mtu: asks });
      await answering.ble.config({ mtu: prefers });
      const told = Promise.all([central.next("mtuExchanged"), peripheral.next("mtuExchanged")]);
      await hostLink(asking).att.exchangeMtu();
      const mtu = Math.min(asks, prefers);
      expect((await told).map((event) => event.mtu)).toEqual([mtu, mtu]);
      await asking.ble.config({ mtu: 60 }); // too late for this link
      expect(hostLink(asking).att.mtu).toBe(mtu);
      await central.ble.gapDisconnect(c);
      await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
    }
  });

  test("modes of address: what is advertised, and what config tells of it", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    const { ble } = peripheral;
    /** What the other one sees of it now: type and address. */
    const seen = async (): Promise<[number, string]> => {
      await central.ble.gapScan(0, 30_000, 30_000);
      central.clear();
      const { addrType, addr } = await central.next("scanResult");
      await central.ble.gapScan(null);
      return [addrType, hex(addr)];
    };
    const own = (): [number, string] => {
      const { addrType, addr } = ble.config("mac");
      return [addrType, hex(addr)];
    };
    const highest = (address: string): number => Number.parseInt(address.slice(0, 2), 16) >> 6;
    const identity = own();
    expect(identity[0]).toBe(0);

    await ble.config({ addrMode: 1 });
    await ble.gapAdvertise(500_000);
    expect([own()[0], highest(own()[1])]).toEqual([1, 0b11]);
    expect(await seen()).toEqual(own());

    await ble.config({ addrMode: 2 });
    await ble.gapAdvertise(500_000);
    const first = await seen();
    expect([own(), first[0], highest(first[1])]).toEqual([identity, 1, 0b01]);
    await delay(air.clock, 299_000);
    expect(await seen()).toEqual(first);
    await delay(air.clock, 2000);
    const second = await seen();
    expect([second[0], highest(second[1]), second[1] === first[1]]).toEqual([1, 0b01, false]);

    await ble.config({ addrMode: 3 });
    await ble.gapAdvertise(500_000);
    const third = await seen();
    expect([third, third[0], highest(third[1])]).toEqual([own(), 1, 0b00]);
    await delay(air.clock, 400_000);
    expect(await seen()).toEqual(third);
    await ble.config({ mtu: 100 });
    expect(own()).toEqual(third);
    await ble.config({ addrMode: 3 });
    await ble.gapAdvertise(500_000);
    const fourth = await seen();
    expect([fourth, fourth[1] === third[1]]).toEqual([own(), false]);

    await ble.config({ addrMode: 0 });
    await ble.gapAdvertise(500_000);
    expect([await seen(), own(), ble.config("addrMode")]).toEqual([identity, identity, 0]);
  });

  test("a controller without a public address has a static random one, the same with the same key", async () => {
    await using air = new SimulatedAir({ controller: { address: "00:00:00:00:00:00" } });
    const irk = new Uint8Array(16).fill(7);
    const one = new Instance(air, "one", { irk });
    await one.ble.active(true);
    const { addrType, addr } = one.ble.config("mac");
    expect([addrType, addr[0]! >> 6, one.ble.config("addrMode")]).toEqual([1, 0b11, 1]);
    await expect(one.ble.config({ addrMode: 0, bond: true })).rejects.toMatchObject({ code: "EINVAL" });
    expect([one.ble.config("addrMode"), one.ble.config("bond")]).toEqual([1, false]);
    await one.ble.config({ addrMode: 2 });
    expect(one.ble.config("mac")).toEqual({ addrType, addr });
    await one.ble.active(false);
    await one.ble.active(true);
    expect(one.ble.config("mac")).toEqual({ addrType, addr });
    await one.ble.close();
  });
});

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

describe("irq", () => {
  test("options of a handler of tuples that are none are a TypeError, and the handler before stays", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const told: unknown[] = [];
    ble.irqTuple((...event) => void told.push(event), { own: 0 });
    for (const options of [null, 1, "own", [], { owns: true }, { own: "yes" }])
      expect(() => ble.irqTuple(() => undefined, options as never), JSON.stringify(options)).toThrow(
        expect.objectContaining({ pythonName: "TypeError" }),
      );
    await ble.gapScan();
    await ble.gapScan(null);
    expect(told).toEqual([[6, []]]);
  });

  test("the newest handler is the one; none drops events", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const told: unknown[] = [];
    ble.irq((event) => void told.push(event.type));
    await ble.gapScan();
    await ble.gapScan(null);
    ble.irqTuple((...event) => void told.push(event));
    await ble.gapScan();
    await ble.gapScan(null);
    ble.irqTuple(null);
    await ble.gapScan();
    await ble.gapScan(null);
    ble.irq(() => void told.push("again"));
    ble.irq(null);
    await ble.gapScan();
    await ble.gapScan(null);
    expect(told).toEqual(["scanDone", [Irq.ScanDone, []]]);
    for (const handler of [5, "handler", {}, undefined]) {
      const error = expect.objectContaining({ pythonName: "ValueError", message: expect.stringMatching(/^invalid handler/) });
      expect(() => ble.irq(handler as never)).toThrow(error);
      expect(() => ble.irqTuple(handler as never)).toThrow(error);
    }
  });

  test.each(ORDERS)("while a handler's promise is pending the next packet of its connection waits, and no other (%s)", async (order) => {
    await using two = await openTwo(order);
    const { central, peripheral, air } = two;
    const third = new Instance(air, "third");
    await third.ble.active(true);
    let release: () => void = () => undefined;
    peripheral.handle = (event) => {
      if (event.type !== "centralConnect" || peripheral.events.filter(({ type }) => type === "centralConnect").length > 1) return undefined;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    };
    const { c } = await connect(two);
    const exchanged = hostLink(central).att.exchangeMtu();
    await delay(air.clock, 1000);
    expect(peripheral.types).toEqual(["centralConnect"]);
    // Another central connects, and is served.
    await peripheral.ble.gapAdvertise(20_000);
    const { addrType, addr } = peripheral.ble.config("mac");
    await third.ble.gapConnect(addrType, addr);
    await third.next("peripheralConnect");
    expect(await hostLink(third).att.exchangeMtu()).toBe(256);
    expect(peripheral.events.filter(({ type }) => type === "mtuExchanged")).toHaveLength(1);
    release();
    expect(await exchanged).toBe(256);
    expect(peripheral.events.filter(({ type }) => type === "mtuExchanged")).toHaveLength(2);
    expect(await central.ble.gapDisconnect(c)).toBe(true);
    await central.next("peripheralDisconnect");
    await third.ble.close();
  });

  test("a handler that never answers stops its connection for 30 s, and is told of", async () => {
    const failures: unknown[] = [];
    await using two = await openTwo("central first", { onHandlerError: (error, { type }) => void failures.push([type, String(error)]) });
    const { central, peripheral, air } = two;
    peripheral.handle = ({ type }) => (type === "centralConnect" ? new Promise<void>(() => undefined) : undefined);
    await connect(two);
    const startedMs = air.nowMs;
    await hostLink(central)
      .att.exchangeMtu({ timeoutMs: 40_000 })
      .catch(() => undefined);
    expect(failures).toEqual([["centralConnect", "TimeoutError: the irq handler (centralConnect) did not finish within 30000 ms"]]);
    expect(air.nowMs - startedMs).toBeGreaterThan(29_000);
  });

  test.each([
    ["fixed", 2],
    ["strict", 1],
  ] as const)("a handler that throws (%s) is called so often: %i", async (compat, calls) => {
    const failures: BleEvent[] = [];
    await using two = await openTwo("central first", { compat, onHandlerError: (_error, event) => void failures.push(event) });
    const { ble } = two.central;
    ble.irq(() => {
      throw new Error("a fault of the program");
    });
    for (let i = 0; i < 2; i++) {
      await ble.gapScan();
      await ble.gapScan(null);
    }
    expect(failures.map(({ type }) => type)).toEqual(Array.from({ length: calls }, () => "scanDone"));
  });

  test("methods may be called in the handler", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { addrType, addr } = peripheral.ble.config("mac");
    central.handle = async (event) => {
      if (event.type === "scanResult" && event.addr.every((octet, i) => octet === addr[i])) await central.ble.gapScan(null);
      if (event.type === "scanDone") await central.ble.gapConnect(addrType, addr);
      if (event.type === "peripheralConnect") expect(await central.ble.gapDisconnect(event.connHandle)).toBe(true);
    };
    await peripheral.ble.gapAdvertise(20_000);
    await central.ble.gapScan(0, 30_000, 30_000);
    await central.next("peripheralDisconnect");
    const order = ["scanDone", "peripheralConnect", "peripheralDisconnect"];
    expect(central.types.filter((type) => order.includes(type))).toEqual(order);
  });
});

describe("hciCmd", () => {
  test("gives the return parameters behind the status", async () => {
    await using air = new SimulatedAir();
    const one = new Instance(air, "one", {}, { address: "00:11:22:33:44:55" });
    await one.ble.active(true);
    const { ble } = one;
    // Read BD_ADDR
    expect(await ble.hciCmd(0x04, 0x0009, "")).toEqual({ status: 0, data: Uint8Array.of(0x55, 0x44, 0x33, 0x22, 0x11, 0x00) });
    expect(await ble.hciCmd(0x04, 0x0009, new Uint8Array(0), 2)).toEqual({ status: 0, data: Uint8Array.of(0x55, 0x44) });
    // LE Set Scan Parameters with a window longer than the interval
    expect(await ble.hciCmd(0x08, 0x000b, Uint8Array.of(0, 0x10, 0, 0x20, 0, 0, 0))).toEqual({ status: 0x12, data: new Uint8Array(0) });
    expect((await ble.hciCmd(0x3f, 0x0001, "")).status).toBe(0x01); // Unknown HCI Command
    // Disconnect, which is answered by Command Status
    expect((await ble.hciCmd(0x01, 0x0006, Uint8Array.of(0, 0, 0x13))).status).toBe(0x02);
    for (const args of [
      [64, 0, ""],
      [0, 1024, ""],
      [0, 0, new Uint8Array(256)],
      [0, 0, "", -1],
    ] as const)
      await expect(ble.hciCmd(...(args as unknown as [number, number, string]))).rejects.toMatchObject({ pythonName: "ValueError" });
    await ble.close();
  });

  test("a Reset takes the links down, with their events, and what is wanted goes on", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    await connect(two);
    await peripheral.ble.gapAdvertise(20_000);
    const gone = peripheral.next("centralDisconnect");
    expect(await peripheral.ble.hciCmd(0x03, 0x0003, "")).toEqual({ status: 0, data: new Uint8Array(0) });
    await gone;
    await central.next("peripheralDisconnect");
    const { addrType, addr } = peripheral.ble.config("mac");
    await central.ble.gapConnect(addrType, addr);
    await central.next("peripheralConnect");
  });
});

test("many instances live in one process, each with its own events", async () => {
  await using one = await openTwo("central first", { seed: 1 });
  await using two = await openTwo("peripheral first", { seed: 2 });
  const handles = await Promise.all([connect(one), connect(two)]);
  await one.central.ble.gapDisconnect(handles[0].c);
  await one.peripheral.next("centralDisconnect");
  expect(two.central.types).not.toContain("peripheralDisconnect");
  expect(await two.central.ble.gapDisconnect(handles[1].c)).toBe(true);
  await two.peripheral.next("centralDisconnect");
});

test("a capture sees the packets, and the logger what goes wrong", async () => {
  await using air = new SimulatedAir();
  const directions = new Set<string>();
  const lines: string[] = [];
  const logger = new Logger("", LogLevel.Error, (_level, scope, text) => void lines.push(`${scope}: ${text}`));
  const one = new Instance(air, "one", { logger, capture: (direction) => void directions.add(direction) });
  await one.ble.active(true);
  one.handle = () => {
    throw new Error("a fault of the program");
  };
  await one.ble.gapScan();
  await one.ble.gapScan(null);
  await one.ble.close();
  expect(directions).toEqual(new Set(["sent", "received"]));
  expect(lines).toEqual(["micropython: unhandled exception in the irq handler (scanDone): Error: a fault of the program"]);
});

test.each<[object, string]>([
  [{}, "BLE: controller: expected a transport or what opens one, got undefined"],
  [{ controller: "hci:0" }, "BLE: controller: expected a transport or what opens one, got a string"],
  [{ controller: async () => undefined, compat: "loose" }, 'BLE: compat: expected "strict", "fixed", got a string'],
  [{ controller: async () => undefined, onHandlerError: 5 }, "BLE: onHandlerError: expected a function, got 5"],
  [{ controller: async () => undefined, clok: 5 }, 'BLE: unknown option "clok", did you mean "clock"?'],
])("%j are no options", (options, message) => {
  expect(() => new BLE(options as unknown as BleOptions)).toThrow(message);
});
