import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { Address } from "../../core/index.ts";
import type { HciTransport } from "../../hci/index.ts";
import { commands, encodeCommandComplete, encodeCommandStatus, Status } from "../../mgmt-protocol/index.ts";
import { SimulatedAir, SimulatedUsb, SimulatedUsbAdapter } from "../../testing/index.ts";
import {
  type FoundTransport,
  type KernelSocket,
  listTransports,
  openWebUsb,
  type TransportSource,
  waitForTransport,
  watchTransports,
} from "../index.ts";
import { openPageUsb } from "../usb/page.ts";
import { HciSource } from "./hci-source.ts";
import { platformSources } from "./node-sources.ts";
import { Reattachment } from "./reattach.ts";
import { UsbSource } from "./usb-source.ts";

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});
function newClock(): VirtualClock {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  return clock;
}

const nobody = { attach: (): void => {} };

function usbWith(...serialNumbers: string[]) {
  const usb = new SimulatedUsb();
  const adapters = serialNumbers.map((serialNumber) => new SimulatedUsbAdapter(nobody, { serialNumber, clock: newClock() }));
  for (const adapter of adapters) usb.give(adapter);
  return { usb, adapters, source: new UsbSource(usb, () => usb.getDevices()) };
}

/** A loop over the changes, as text. */
function watched(sources: readonly TransportSource[], clock: VirtualClock, signal?: AbortSignal) {
  const told: string[] = [];
  const loop = (async () => {
    for await (const { change, transport } of watchTransports({ sources, clock, signal }))
      told.push(`${change} ${transport.spec}${transport.address === undefined ? "" : ` ${transport.address}`}`);
  })();
  return { told, loop };
}

/** The kernel's management channel: two adapters, one of them in the hands of a program. */
function kernel(addresses: Record<number, string>) {
  const sockets = new Set<KernelSocket>();
  const open = async (): Promise<KernelSocket> => {
    const socket: KernelSocket = {
      info: { spec: "mgmt", remedy: "" },
      onPacket: undefined,
      onClose: undefined,
      write: (packet) => {
        const index = packet[2]! | (packet[3]! << 8);
        const address = addresses[index];
        const returns = {
          address,
          bluetoothVersion: 9,
          manufacturer: 2,
          supportedSettings: 0,
          currentSettings: 0,
          classOfDevice: 0,
          name: "",
          shortName: "",
        };
        queueMicrotask(() =>
          socket.onPacket?.(
            address === undefined
              ? encodeCommandStatus(0x0004, index, Status.InvalidIndex)
              : encodeCommandComplete(commands.readControllerInformation, index, Status.Success, returns as never),
          ),
        );
        return undefined;
      },
      [Symbol.asyncDispose]: async () => void sockets.delete(socket),
    };
    sockets.add(socket);
    return socket;
  };
  const tell = (packet: Uint8Array): void => {
    for (const socket of sockets) socket.onPacket?.(packet);
  };
  return { open, tell, sockets };
}

describe("adapters that come and go", () => {
  test("on USB: those that are there, then each change; one that was away is another one", async () => {
    const clock = newClock();
    const { usb, adapters, source } = usbWith("A", "B");
    usb.plug(adapters[0]!);
    const mouse = new SimulatedUsbAdapter(nobody, { vendorId: 0x1111 });
    Object.assign(mouse, { deviceClass: 0, configurations: [] });
    usb.give(mouse);
    usb.plug(mouse);
    const abort = new AbortController();
    const { told, loop } = watched([source], clock, abort.signal);
    await clock.advance(100);
    usb.plug(adapters[1]!);
    await clock.advance(100);
    usb.unplug(adapters[0]!);
    await clock.advance(100);
    usb.plug(adapters[0]!);
    await clock.advance(100);
    usb.unplug(adapters[0]!); // and back at once
    usb.plug(adapters[0]!);
    await clock.advance(100);
    const [a, b] = ["usb:1209:0001#A", "usb:1209:0001#B"];
    expect(told.filter((line) => line.endsWith("A"))).toEqual([`added ${a}`, `removed ${a}`, `added ${a}`, `removed ${a}`, `added ${a}`]);
    expect(told.filter((line) => !line.endsWith("A"))).toEqual([`added ${b}`]);
    abort.abort(new Error("enough"));
    await expect(loop).rejects.toThrow("enough");
    expect(await listTransports({ sources: [source] })).toMatchObject([
      { spec: b, kind: "usb", usbId: "1209:0001", serialNumber: "B", name: "Simulated adapter" },
      { spec: a },
    ]);
  });

  test("on USB: of two that tell the same of themselves each is opened by its own name", async () => {
    const { usb, adapters, source } = usbWith("0", "0", "1");
    for (const adapter of adapters) usb.plug(adapter);
    const found = await listTransports({ sources: [source] });
    expect(found.map(({ spec }) => spec)).toEqual(["usb:0", "usb:1", "usb:1209:0001#1"]);
    for (const [i, { spec }] of found.entries()) {
      const transport = await openPageUsb(spec.slice("usb:".length), {}, usb);
      expect(adapters.map((adapter) => adapter.opened)).toEqual(adapters.map((_, other) => other === i));
      await transport[Symbol.asyncDispose]();
    }
    usb.unplug(adapters[0]!);
    expect((await listTransports({ sources: [source] })).map(({ spec }) => spec)).toEqual(["usb:1209:0001#0", "usb:1209:0001#1"]);
  });

  test("the kernel's: addresses by the management API, changes by its events; the socket is closed with the loop", async () => {
    const clock = newClock();
    const addresses: Record<number, string> = { 0: "00:11:22:33:44:55" };
    const indices = [0, 3];
    addresses[4] = "00:00:00:00:00:00"; // has none of its own
    indices.push(4);
    const { open, tell, sockets } = kernel(addresses);
    const source = new HciSource(() => indices, open, clock);
    const abort = new AbortController();
    const { told, loop } = watched([source], clock, abort.signal);
    await clock.advance(100);
    expect(told).toEqual(["added hci:0 00:11:22:33:44:55", "added hci:3", "added hci:4"]);
    indices.splice(1, 1);
    tell(Uint8Array.of(0x05, 0, 3, 0, 0, 0));
    await clock.advance(100);
    addresses[1] = "00:11:22:33:44:66";
    indices.push(1);
    tell(Uint8Array.of(0x04, 0, 1, 0, 0, 0));
    await clock.advance(100);
    expect(told.slice(3)).toEqual(["removed hci:3", "added hci:1 00:11:22:33:44:66"]);
    abort.abort();
    await loop.catch(() => undefined);
    await clock.advance(0);
    expect(sockets.size).toBe(0);
  });

  test("a kernel that does not answer, and a kind that cannot be listed, leave out what they would tell", async () => {
    const clock = newClock();
    const silent = new HciSource(
      () => [0],
      async () => ({ ...(await kernel({}).open()), write: () => undefined }),
      clock,
    );
    const denied = new HciSource(
      () => [1],
      () => Promise.reject(new Error("no koffi")),
      clock,
    );
    const broken: TransportSource = { list: () => Promise.reject(new Error("no")), watch: () => ({ [Symbol.dispose]: () => {} }) };
    const listing = listTransports({ sources: [silent, denied, broken] });
    await clock.advance(500);
    expect((await listing).map(({ spec }) => spec)).toEqual(["hci:0", "hci:1"]);
    denied.watch(() => {})[Symbol.dispose]();
  });

  test("waiting: for one that is there, one that comes, not for ever", async () => {
    const clock = newClock();
    const { usb, adapters, source } = usbWith("A");
    const options = { sources: [source], clock };
    const waiting = waitForTransport(({ serialNumber }) => serialNumber === "A", { ...options, timeoutMs: 1000 });
    await clock.advance(999);
    usb.plug(adapters[0]!);
    expect((await waiting).spec).toBe("usb:1209:0001#A");
    expect((await waitForTransport(undefined, options)).spec).toBe("usb:1209:0001#A");
    const never = expect(waitForTransport(() => false, { ...options, timeoutMs: 1000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(1000);
    await never;
    const abort = new AbortController();
    const aborted = expect(waitForTransport(() => false, { ...options, signal: abort.signal })).rejects.toThrow("enough");
    await clock.advance(0);
    abort.abort(new Error("enough"));
    await aborted;
  });

  test.each([
    [() => listTransports({ source: [] } as never)],
    [() => watchTransports({ timeoutMs: 1 } as never).next()],
    [() => waitForTransport("usb:" as never)],
    [() => waitForTransport(() => true, { timeoutMs: -1 })],
  ])("what is not known is refused", async (act) => {
    await expect(act()).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("this machine has sources, with and without the package", async () => {
    const open = kernel({}).open;
    const missing = (): never => {
      throw new Error("missing");
    };
    expect(platformSources(open).length - platformSources(open, missing).length).toBe(1);
    expect(Array.isArray(await listTransports())).toBe(true);
  });
});

describe("an adapter that comes back", () => {
  const wanted = Address.from("C0:FF:EE:00:00:01");

  /** Adapters at places, each with its address; opening tells which was opened. */
  async function bench(places: Record<string, string>) {
    const air = new SimulatedAir({ seed: 1 });
    const opened: string[] = [];
    const closed: string[] = [];
    let changed: () => void = () => {};
    const found = (): FoundTransport[] =>
      Object.keys(places).map((spec) =>
        spec.startsWith("usb:") ? { spec, kind: "usb", usbId: "0a12:0001" } : { spec, kind: "hci", address: places[spec]! },
      );
    const source: TransportSource = {
      list: async () => found().map((each) => ({ key: each.spec, found: each })),
      watch: (told) => {
        changed = told;
        return { [Symbol.dispose]: () => {} };
      },
    };
    const open = async (spec: string): Promise<HciTransport> => {
      opened.push(spec);
      const address = places[spec];
      if (address === undefined) throw new Error(`${spec} is not there`);
      const adapter = new SimulatedUsbAdapter(air.addController({ address: Address.from(address) }), { clock: air.clock });
      const transport = await openWebUsb(adapter, { clock: air.clock });
      const close = transport[Symbol.asyncDispose].bind(transport);
      transport[Symbol.asyncDispose] = async () => {
        closed.push(spec);
        await close();
      };
      return transport;
    };
    const reattach = (spec: string, address: Address | null = wanted) =>
      new Reattachment({
        spec,
        clock: air.clock,
        open,
        address: () => address ?? undefined,
        usbId: () => "0a12:0001",
        sources: [source],
      }).reopen();
    return { air, opened, closed, reattach, places, come: () => changed() };
  }

  test("at another port is known by its address, one like it is closed again", async () => {
    const { air, opened, closed, reattach } = await bench({ "usb:1-1": "C0:FF:EE:00:00:02", "usb:1-3": "C0:FF:EE:00:00:01" });
    await using transport = await reattach("usb:1-2");
    expect([opened, closed]).toEqual([["usb:1-2", "usb:1-1", "usb:1-3"], ["usb:1-1"]]);
    expect(transport.onPacket).toBeUndefined();
    await air[Symbol.asyncDispose]();
  });

  test("another one at its own place is not taken for it", async () => {
    const { air, closed, reattach } = await bench({ "usb:1-2": "C0:FF:EE:00:00:02" });
    await expect(reattach("usb:1-2")).rejects.toThrow("usb:1-2 has not come back: at usb:1-2 is another adapter, C0:FF:EE:00:00:02");
    expect(closed).toEqual(["usb:1-2", "usb:1-2"]);
    await air[Symbol.asyncDispose]();
  });

  test("one that comes while it is waited for is taken at once", async () => {
    const { air, opened, reattach, places, come } = await bench({});
    const before = air.clock.now();
    air.clock.setTimer(1000, "plug", () => {
      places["usb:1-7"] = "C0:FF:EE:00:00:01";
      come();
    });
    await using _ = await reattach("usb:1-2");
    expect(air.clock.now() - before).toBeLessThan(1500);
    expect(opened.at(-1)).toBe("usb:1-7");
    await air[Symbol.asyncDispose]();
  });

  test("under another number of the kernel it is opened there, and no other is touched", async () => {
    const { air, opened, reattach } = await bench({
      "hci:1": "C0:FF:EE:00:00:02",
      "hci:2": "C0:FF:EE:00:00:01",
      "usb:1-1": "C0:FF:EE:00:00:01",
    });
    await using _ = await reattach("hci:0");
    expect(opened).toEqual(["hci:0", "hci:2"]);
    await air[Symbol.asyncDispose]();
  });

  test("what has taken its number or its name is not opened", async () => {
    const { air, opened, reattach } = await bench({
      "hci:0": "C0:FF:EE:00:00:02",
      "hci:1": "C0:FF:EE:00:00:01",
      "usb:1-1": "C0:FF:EE:00:00:01",
    });
    await (await reattach("hci:0"))[Symbol.asyncDispose]();
    await (await reattach("usb:"))[Symbol.asyncDispose]();
    expect(opened).toEqual(["hci:1", "usb:1-1"]);
    await air[Symbol.asyncDispose]();
  });

  test("without an address of its own it is looked for at its place alone; an attempt that fails says why", async () => {
    const { air, opened, reattach } = await bench({ "usb:1-1": "C0:FF:EE:00:00:01" });
    const before = air.clock.now();
    await expect(reattach("usb:1-2", null)).rejects.toThrow("usb:1-2 is not there");
    expect(new Set(opened)).toEqual(new Set(["usb:1-2"]));
    expect(air.clock.now() - before).toBeLessThan(14_000);
    await air[Symbol.asyncDispose]();
  });
});
