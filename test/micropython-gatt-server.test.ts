import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { StateError } from "../src/core/index.ts";
import type { Connection } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { type BleEvent, Flag, type ServiceDef, UUID } from "../src/micropython/index.ts";
import { connect, type Instance, openTwo, type Two } from "./support/micropython.ts";

const SERVICE = new UUID("a5a5a5a5-ffff-9999-1111-5a5a5a5a5a5a");
const TYPE = new UUID(0x2a6e);
const OTHER = new UUID("00000000-1111-2222-3333-444444444444");
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const counted = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

/** The one link of an instance as the host has it: what a client does that is not MicroPython's. */
const hostLink = ({ ble }: Instance): Connection => ble.device!.links[0]!;

/** Registers one service with one characteristic; gives the handles of its values. */
async function register({ ble }: Instance, flags: number, descriptors: readonly (readonly [UUID, number])[] = []): Promise<number[]> {
  const [handles] = (await ble.gattsRegisterServices([[SERVICE, [[TYPE, flags, descriptors]]]])) as [number[]];
  return handles;
}

/** Connected, with one characteristic at the peripheral. */
async function connected(two: Two, flags: number, descriptors: readonly (readonly [UUID, number])[] = []) {
  const handles = await register(two.peripheral, flags, descriptors);
  const { c, p } = await connect(two);
  return { handle: handles[0]!, handles, c, p, host: hostLink(two.central), ble: two.peripheral.ble };
}

const eventsOf = ({ events }: Instance, type: BleEvent["type"]): BleEvent[] => events.filter((event) => event.type === type);

describe("gattsRegisterServices", () => {
  test("gives the handles of values and descriptors, service by service; tuples and objects do", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const tuples: ServiceDef[] = [
      [
        SERVICE,
        [
          [TYPE, Flag.Read | Flag.Notify],
          [OTHER, Flag.Write, [[new UUID(0x2901), Flag.Read], [OTHER, Flag.Write]]], // biome-ignore format: as a program writes it
        ],
      ],
      [new UUID(0x1810), []],
      [new UUID(0x1811), [[TYPE, Flag.Indicate, null]]],
    ];
    const handles = await ble.gattsRegisterServices(tuples);
    const first = handles[0]![0]!;
    // Declaration, value, CCCD; declaration, value, two descriptors; a service; another with declaration and value.
    expect(handles).toEqual([[first, first + 3, first + 4, first + 5], [], [first + 9]]);
    expect(
      await ble.gattsRegisterServices([
        {
          uuid: SERVICE,
          characteristics: [
            { uuid: TYPE, flags: Flag.Read | Flag.Notify },
            { uuid: OTHER, flags: Flag.Write, descriptors: [{ uuid: new UUID(0x2901), flags: Flag.Read }, [OTHER, Flag.Write]] },
          ],
        },
        { uuid: new UUID(0x1810), characteristics: [] },
        { uuid: new UUID(0x1811), characteristics: [{ uuid: TYPE, flags: Flag.Indicate, descriptors: undefined }] },
      ]),
    ).toEqual(handles); // nobody is connected: they begin where they began
    expect(await ble.gattsRegisterServices([])).toEqual([]);
    expect(ble.device!.gattServer.services.map(({ uuid }) => uuid.text)).toEqual(["1800", "1801"]);
  });

  test("replaces everything: values and buffers are those of the new services", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const [handle] = (await register(two.peripheral, Flag.Read)) as [number];
    ble.gattsSetBuffer(handle, 100);
    ble.gattsWrite(handle, "value");
    expect(await register(two.peripheral, Flag.Read)).toEqual([handle]);
    expect(ble.gattsRead(handle)).toEqual(octets());
    expect(ble.device!.gattServer.services).toHaveLength(3);
  });

  test("what is no definition is refused, and leaves no services", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const wrong = new UUID("AB12"); // 32 bits
    for (const [definition, error] of [
      [[[0x1810, []]], { pythonName: "ValueError", message: expect.stringMatching(/invalid service UUID/) }],
      [[["1810", []]], { pythonName: "ValueError", message: expect.stringMatching(/invalid service UUID/) }],
      [[[SERVICE]], { pythonName: "ValueError", message: expect.stringMatching(/invalid service tuple/) }],
      [[[SERVICE, [], 1]], { pythonName: "ValueError", message: expect.stringMatching(/invalid service tuple/) }],
      [[[SERVICE, 5]], { pythonName: "TypeError" }],
      [[5], { pythonName: "TypeError" }],
      [[null], { pythonName: "TypeError" }],
      [[{ uuid: SERVICE }], { pythonName: "TypeError" }],
      [[{ uuid: SERVICE, characteristic: [] }], { pythonName: "TypeError", message: expect.stringMatching(/"characteristic"/) }],
      [[[SERVICE, [[TYPE]]]], { pythonName: "ValueError", message: expect.stringMatching(/invalid characteristic tuple/) }],
      [[[SERVICE, [[TYPE, 1, [], 1]]]], { pythonName: "ValueError", message: expect.stringMatching(/invalid characteristic tuple/) }],
      [[[SERVICE, [[5, 1]]]], { pythonName: "ValueError", message: expect.stringMatching(/invalid characteristic UUID/) }],
      [[[SERVICE, [[TYPE, "read"]]]], { pythonName: "TypeError" }],
      [[[SERVICE, [[TYPE, -1]]]], { pythonName: "ValueError" }],
      [[[SERVICE, [[TYPE, 1, 5]]]], { pythonName: "TypeError" }],
      [[[SERVICE, [[TYPE, 1, [[OTHER]]]]]], { pythonName: "ValueError", message: expect.stringMatching(/invalid descriptor tuple/) }],
      [[[SERVICE, [[TYPE, 1, [["x", 1]]]]]], { pythonName: "ValueError", message: expect.stringMatching(/invalid descriptor UUID/) }],
      [[[wrong, []]], { code: "EINVAL" }],
      [[[SERVICE, [[wrong, 1]]]], { code: "EINVAL" }],
      [[[SERVICE, [[TYPE, 1, [[wrong, 1]]]]]], { code: "EINVAL" }],
      [Array.from({ length: 9 }, () => [SERVICE, []]), { code: "E2BIG", errno: 7 }],
    ] as const) {
      const [handle] = (await register(two.peripheral, Flag.Read)) as [number];
      await expect(ble.gattsRegisterServices(definition as unknown as ServiceDef[])).rejects.toMatchObject(error);
      expect(ble.device!.gattServer.services).toHaveLength(2);
      expect(() => ble.gattsWrite(handle, "")).toThrow(expect.objectContaining({ code: "EINVAL" }));
    }
    await register(two.peripheral, Flag.Read);
    for (const definition of [undefined, null, 5, "text", {}])
      await expect(ble.gattsRegisterServices(definition as never)).rejects.toMatchObject({ pythonName: "TypeError" });
    expect(ble.device!.gattServer.services).toHaveLength(3);
    expect(await ble.gattsRegisterServices(Array.from({ length: 8 }, () => [SERVICE, []]))).toHaveLength(8);
    await ble.active(false);
    await expect(ble.gattsRegisterServices([])).rejects.toMatchObject({ code: "ENODEV" });
  });

  test("without handles left it is ENOMEM, and no services are left; the last ones are made use of", async () => {
    await using two = await openTwo();
    const { gattServer } = two.peripheral.ble.device!;
    const last = gattServer.addService({ uuid: 0x1810, handle: 0xffff, characteristics: [] });
    expect(await register(two.peripheral, Flag.Read)).toEqual([16]);
    const { addService } = gattServer;
    gattServer.addService = (definition) => {
      if (definition.characteristics.length === 0) throw new StateError("the attribute database is full");
      return addService.call(gattServer, definition);
    };
    const services: ServiceDef[] = [
      [SERVICE, [[TYPE, Flag.Read]]],
      [SERVICE, []],
    ];
    await expect(two.peripheral.ble.gattsRegisterServices(services)).rejects.toMatchObject({ code: "ENOMEM" });
    expect(gattServer.services.slice(2)).toEqual([last]);
  });

  test("while connected clients are told, and no handle gets another meaning", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, handle } = await connected(two, Flag.Read);
    await central.ble.gattcDiscoverCharacteristics(c, 1, 0xffff, new UUID(0x2a05));
    const { valueHandle } = await central.next("gattcCharacteristicResult");
    await central.ble.gattcWrite(c, valueHandle + 1, octets(2, 0), 1);
    await central.next("gattcWriteDone");
    const [renewed] = (await register(peripheral, Flag.Read)) as [number];
    expect(renewed).toBeGreaterThan(handle);
    await central.next("gattcIndicate");
    const changed = await central.next("serviceChanged");
    expect(changed.startHandle).toBeLessThan(handle);
    expect(changed.endHandle).toBeGreaterThanOrEqual(handle);
    await delay(two.air.clock, 200); // until all changes were told
    await central.ble.gattcRead(c, handle);
    expect(await central.next("gattcReadDone")).toMatchObject({ valueHandle: handle, status: 0x101 });
    await central.ble.gattcRead(c, renewed);
    expect(await central.next("gattcReadDone")).toMatchObject({ valueHandle: renewed, status: 0 });
  });

  test("what is registered is gone with active(false)", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const [handle] = (await register(two.peripheral, Flag.Read)) as [number];
    ble.gattsWrite(handle, "value");
    await ble.active(false);
    expect(ble.gattsRead(handle)).toEqual(octets());
    expect(() => ble.gattsWrite(handle, "")).toThrow(expect.objectContaining({ code: "ENODEV" }));
    expect(() => ble.gattsSetBuffer(handle, 5)).toThrow(expect.objectContaining({ code: "ENODEV" }));
    await ble.active(true);
    expect(ble.gattsRead(handle)).toEqual(octets());
    expect(() => ble.gattsWrite(handle, "")).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });
});

describe("flags", () => {
  const READ_NOT_PERMITTED = 0x102;
  const WRITE_NOT_PERMITTED = 0x103;

  /** What a client gets for a read, a write, and what a command changed. */
  async function tried(two: Two, c: number, handle: number): Promise<[read: number, write: number, command: boolean]> {
    const { central, peripheral } = two;
    peripheral.ble.gattsWrite(handle, "");
    await central.ble.gattcRead(c, handle);
    const { status: read } = await central.next("gattcReadDone");
    await central.ble.gattcWrite(c, handle, "w", 1);
    const { status: write } = await central.next("gattcWriteDone");
    await central.ble.gattcWrite(c, handle, "c");
    await central.ble.gattcRead(c, 1); // the command has been there by then
    await central.next("gattcReadDone");
    return [read, write, new TextDecoder().decode(peripheral.ble.gattsRead(handle)) === "c"];
  }

  test("stand for properties and permissions; write and write without response are one permission, and security alone is none", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const { central } = two;
    const rows = [
      [Flag.Read, 0x02, [0, WRITE_NOT_PERMITTED, false]],
      [Flag.Write, 0x08, [READ_NOT_PERMITTED, 0, true]],
      [Flag.WriteNoResponse, 0x04, [READ_NOT_PERMITTED, 0, true]],
      [Flag.Read | Flag.Write | 0x10000, 0x0a, [0, 0, true]],
      [0, 0x00, [READ_NOT_PERMITTED, WRITE_NOT_PERMITTED, false]],
      [
        Flag.Broadcast | Flag.Notify | Flag.Indicate | Flag.AuthenticatedSignedWrite,
        0x71,
        [READ_NOT_PERMITTED, WRITE_NOT_PERMITTED, false],
      ],
      [Flag.AuxWrite | Flag.Read, 0x82, [0, WRITE_NOT_PERMITTED, false]],
      [Flag.ReadEncrypted | Flag.WriteEncrypted, 0x00, [READ_NOT_PERMITTED, WRITE_NOT_PERMITTED, false]],
      [Flag.Read | Flag.ReadEncrypted, 0x02, [0x105, WRITE_NOT_PERMITTED, false]],
      [Flag.Read | Flag.ReadAuthenticated, 0x02, [0x105, WRITE_NOT_PERMITTED, false]],
      [Flag.Read | Flag.Write | Flag.WriteEncrypted, 0x0a, [0, 0x105, false]],
      [Flag.Read | Flag.Write | Flag.WriteAuthenticated, 0x0a, [0, 0x105, false]],
      [Flag.Read | Flag.Write | Flag.ReadAuthorized | Flag.WriteAuthorized, 0x0a, [0, 0, true]],
    ] as const;
    const [handles] = (await ble.gattsRegisterServices([[SERVICE, rows.map(([flags]) => [TYPE, flags] as const)]])) as [number[]];
    const { c } = await connect(two);
    await central.ble.gattcDiscoverCharacteristics(c, 1, 0xffff, TYPE);
    await central.next("gattcCharacteristicDone");
    const found = central.events.filter((event) => event.type === "gattcCharacteristicResult");
    expect(found.map(({ valueHandle, properties }) => [valueHandle, properties])).toEqual(rows.map(([, bits], i) => [handles[i], bits]));
    for (const [i, [flags, , expected]] of rows.entries()) expect([flags, await tried(two, c, handles[i]!)]).toEqual([flags, expected]);
  });

  test("hold for descriptors, too", async () => {
    await using two = await openTwo();
    const rows = [
      [Flag.Read, [0, WRITE_NOT_PERMITTED, false]],
      [Flag.Write, [READ_NOT_PERMITTED, 0, true]],
      [Flag.WriteNoResponse | Flag.Read, [0, 0, true]],
      [Flag.Read | Flag.Write | Flag.ReadEncrypted | Flag.WriteAuthenticated, [0x105, 0x105, false]],
    ] as const;
    const { handles, c } = await connected(
      two,
      Flag.Read,
      rows.map(([flags]) => [OTHER, flags] as const),
    );
    for (const [i, [flags, expected]] of rows.entries()) expect([flags, await tried(two, c, handles[i + 1]!)]).toEqual([flags, expected]);
  });

  test("of security: the strictest holds, and a bonded peer is told to encrypt", async () => {
    await using two = await openTwo("central first", { bonds: new MemoryBondStore() });
    const { central, peripheral } = two;
    for (const { ble } of [central, peripheral]) await ble.config({ bond: true });
    const flags = [Flag.Read | Flag.ReadEncrypted, Flag.Read | Flag.ReadEncrypted | Flag.ReadAuthenticated];
    const [handles] = (await peripheral.ble.gattsRegisterServices([[SERVICE, flags.map((each) => [TYPE, each] as const)]])) as [number[]];
    const read = async (c: number, i: number): Promise<number> => {
      await central.ble.gattcRead(c, handles[i]!);
      return (await central.next("gattcReadDone")).status;
    };
    const { c } = await connect(two);
    expect([await read(c, 0), await read(c, 1)]).toEqual([0x105, 0x105]);
    await hostLink(central)
      .pair({ bond: true } as never)
      .catch(() => hostLink(central).pair());
    expect(hostLink(central).security).toMatchObject({ encrypted: true, authenticated: false });
    expect([await read(c, 0), await read(c, 1)]).toEqual([0, 0x105]);
    expect(hostLink(peripheral).bonded).toBe(true);
    await central.ble.gapDisconnect(c);
    await central.next("peripheralDisconnect");
    const again = await connect(two);
    expect(hostLink(central).security.encrypted).toBe(false);
    expect([await read(again.c, 0), await read(again.c, 1)]).toEqual([0x10f, 0x10f]);
  });

  test("AuxWrite makes an Extended Properties descriptor, unless the program has its own", async () => {
    await using two = await openTwo();
    const extended = new UUID(0x2900);
    const { host, handle, handles, c, ble } = await connected(two, Flag.Read | Flag.AuxWrite, [[OTHER, Flag.Read]]);
    expect(handles).toEqual([handle, handle + 2]); // behind the one that is made
    ble.gattsWrite(handle + 2, "other");
    expect(await host.gatt.read(handle + 2)).toEqual(new TextEncoder().encode("other"));
    await two.central.ble.gattcDiscoverDescriptors(c, handle, 0xffff);
    const { descHandle, uuid } = await two.central.next("gattcDescriptorResult");
    expect([descHandle, uuid.toString()]).toEqual([handle + 1, extended.toString()]);
    expect(await host.gatt.read(descHandle)).toEqual(octets(2, 0));
    const [, own] = await register(two.peripheral, Flag.Read | Flag.AuxWrite, [[extended, Flag.Read]]);
    two.peripheral.ble.gattsWrite(own!, "own");
    expect(await host.gatt.read(own!)).toEqual(new TextEncoder().encode("own"));
  });

  test("a CCCD of the definition is the one that there is anyway; without Notify and Indicate it is a descriptor like any other", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const cccd = new UUID(0x2902);
    const { handles, c, ble } = await connected(two, Flag.Read | Flag.Notify, [
      [new UUID(0x2901), Flag.Read],
      [cccd, Flag.Read | Flag.Write],
    ]);
    expect(handles).toEqual([handles[0], handles[0]! + 2, handles[0]! + 1]);
    expect(() => ble.gattsWrite(handles[2]!, "")).toThrow(expect.objectContaining({ code: "EINVAL" }));
    await central.ble.gattcDiscoverDescriptors(c, handles[0]!, 0xffff);
    await central.next("gattcDescriptorDone");
    expect(eventsOf(central, "gattcDescriptorResult")).toHaveLength(2);
    await central.ble.gattcWrite(c, handles[2]!, octets(1, 0), 1);
    expect(await central.next("gattcWriteDone")).toMatchObject({ status: 0 });
    expect(peripheral.types).toContain("gattsSubscribe");
    expect(peripheral.types).not.toContain("gattsWrite");
    const [, plain] = await register(peripheral, Flag.Read, [[cccd, Flag.Read | Flag.Write]]);
    await central.ble.gattcWrite(c, plain!, octets(1, 0, 5), 1);
    expect(await central.next("gattcWriteDone")).toMatchObject({ status: 0 });
    expect(await peripheral.next("gattsWrite")).toMatchObject({ attrHandle: plain });
    expect(ble.gattsRead(plain!)).toEqual(octets(1, 0, 5));
  });
});

describe("values", () => {
  test("longer than an attribute can be: the program has all of it, a client what fits", async () => {
    await using two = await openTwo();
    const { host, ble, handle } = await connected(two, Flag.Read);
    expect(ble.gattsWrite(handle, counted(600))).toBe(600);
    expect(ble.gattsRead(handle)).toEqual(counted(600));
    expect(await host.gatt.read(handle)).toEqual(counted(512));
  });

  test("a long write is one value and one event, and can change a part", async () => {
    await using two = await openTwo();
    const { peripheral } = two;
    const { host, ble, handle } = await connected(two, Flag.Write);
    ble.gattsSetBuffer(handle, 70);
    await host.gatt.writeLong(handle, counted(60));
    expect(eventsOf(peripheral, "gattsWrite")).toHaveLength(1);
    expect(ble.gattsRead(handle)).toEqual(counted(60));
    await host.gatt.writeLong(handle, octets(9, 9), { offset: 58 });
    expect(ble.gattsRead(handle)).toEqual(octets(...counted(58), 9, 9));
    await host.gatt.writeLong(handle, counted(80));
    expect(ble.gattsRead(handle)).toEqual(counted(70));
    expect(eventsOf(peripheral, "gattsWrite")).toHaveLength(3);
    expect(eventsOf(peripheral, "gattsReadRequest")).toHaveLength(0); // the rest of the value was the server's business
    ble.gattsSetBuffer(handle, 100, true);
    await host.gatt.writeLong(handle, counted(60));
    await host.gatt.writeLong(handle, octets(7));
    expect(ble.gattsRead(handle)).toEqual(octets(...counted(60), 7));
    await host.gatt.writeLong(handle, counted(60));
    await expect(host.gatt.writeLong(handle, octets(9), { offset: 10 })).rejects.toMatchObject({ errorCode: 0x07 });
    expect(ble.gattsRead(handle)).toEqual(counted(60));
  });

  test("arguments of what is there at once", async () => {
    await using two = await openTwo();
    const { ble } = two.peripheral;
    const [handle] = (await register(two.peripheral, Flag.Read)) as [number];
    for (const [call, error] of [
      [() => ble.gattsRead("5" as never), { pythonName: "TypeError" }],
      [() => ble.gattsRead(-1), { pythonName: "ValueError" }],
      [() => ble.gattsRead(0x10000), { pythonName: "ValueError" }],
      [() => ble.gattsWrite(handle, 5 as never), { pythonName: "TypeError" }],
      [() => ble.gattsWrite(handle, "", "yes" as never), { pythonName: "TypeError" }],
      [() => ble.gattsWrite(handle + 1, ""), { code: "EINVAL" }],
      [() => ble.gattsSetBuffer(handle, -1), { pythonName: "ValueError" }],
      [() => ble.gattsSetBuffer(handle, 5, "yes" as never), { pythonName: "TypeError" }],
      [() => ble.gattsSetBuffer(handle + 1, 5), { code: "EINVAL" }],
    ] as const)
      expect(call).toThrow(expect.objectContaining(error));
    expect(ble.gattsRead(handle + 1)).toEqual(octets());
    expect(ble.gattsWrite(handle, new UUID(0x180d))).toBe(2);
    expect(ble.gattsRead(handle)).toEqual(octets(0x0d, 0x18));
    const data = octets(1);
    ble.gattsWrite(handle, data, 0);
    data[0] = 2;
    expect(ble.gattsRead(handle)).toEqual(octets(1));
  });
});

describe("gattsReadRequest", () => {
  test("comes before the value is taken; the handler may refresh it, at once or later", async () => {
    await using two = await openTwo();
    const { peripheral } = two;
    const { host, ble, handle } = await connected(two, Flag.Read);
    peripheral.handle = (event) => {
      if (event.type === "gattsReadRequest") ble.gattsWrite(event.attrHandle, "fresh");
    };
    expect(await host.gatt.read(handle)).toEqual(new TextEncoder().encode("fresh"));
    peripheral.handle = async (event) => {
      await delay(two.air.clock, 1000);
      if (event.type === "gattsReadRequest") ble.gattsWrite(event.attrHandle, "later");
    };
    expect(await host.gatt.read(handle)).toEqual(new TextEncoder().encode("later"));
  });

  test("a number other than 0 refuses with that error of ATT; anything else permits", async () => {
    await using two = await openTwo("central first", { onHandlerError: () => undefined });
    const { central, peripheral } = two;
    const { handle, c } = await connected(two, Flag.Read | Flag.ReadAuthorized);
    for (const [answer, status] of [
      [2, 0x102],
      [5, 0x105],
      [8, 0x108],
      [0x0f, 0x10f],
      [0x80, 0x180],
      [0xff, 0x1ff],
      [0x100, 0x10e],
      [async () => 0x11, 0x111],
      [0, 0],
      [undefined, 0],
      [null, 0],
      [true, 0],
      [octets(5), 0],
      [async () => undefined, 0],
      [() => Promise.reject(new Error("handler")), 0],
    ] as const) {
      peripheral.handle = () => (typeof answer === "function" ? answer() : answer);
      await central.ble.gattcRead(c, handle);
      expect([answer, (await central.next("gattcReadDone")).status]).toEqual([answer, status]);
    }
    peripheral.handle = () => {
      throw new Error("handler");
    };
    await central.ble.gattcRead(c, handle);
    expect(await central.next("gattcReadDone")).toMatchObject({ status: 0 });
    peripheral.ble.irq(null);
    await central.ble.gattcRead(c, handle);
    expect(await central.next("gattcReadDone")).toMatchObject({ status: 0 });
  });

  test("comes for every kind of read that is permitted, and for each part of a long one", async () => {
    await using two = await openTwo();
    const { peripheral } = two;
    const { host, ble, handles, p } = await connected(two, Flag.Read | Flag.Notify, [
      [OTHER, Flag.Read],
      [OTHER, Flag.Write],
    ]);
    const [value, descriptor, writeOnly] = handles as [number, number, number];
    ble.gattsWrite(value, counted(50));
    const asked = async (act: Promise<unknown>): Promise<number[]> => {
      peripheral.clear();
      await act.catch(() => undefined);
      return peripheral.events.map((event) => (event.type === "gattsReadRequest" && event.connHandle === p ? event.attrHandle : -1));
    };
    expect(await asked(host.gatt.read(value))).toEqual([value, value, value]); // a Read and two Read Blobs
    expect(await asked(host.gatt.read(descriptor))).toEqual([descriptor]);
    expect(await asked(host.gatt.readByUuid("2a6e"))).toEqual([value]);
    expect(await asked(host.gatt.readMultiple([descriptor, value]))).toEqual([descriptor, value]);
    expect(await asked(host.gatt.read(value + 1))).toEqual([]); // the CCCD
    expect(await asked(host.gatt.read(value - 1))).toEqual([]); // the declaration
    expect(await asked(host.gatt.read(3))).toEqual([]); // the device name
    expect(await asked(host.gatt.read(writeOnly))).toEqual([]);
  });

  test("an answer that does not come is a permission, while the client still waits", async () => {
    const failures: unknown[] = [];
    await using two = await openTwo("central first", { onHandlerError: (error) => failures.push(error) });
    const { central, peripheral } = two;
    const { handle, c, ble } = await connected(two, Flag.Read | Flag.Write);
    ble.gattsWrite(handle, "old");
    peripheral.handle = (event) => (event.type.startsWith("gatts") ? new Promise(() => undefined) : undefined);
    await central.ble.gattcRead(c, handle);
    expect(await central.next("gattcReadDone")).toMatchObject({ status: 0 });
    await central.ble.gattcWrite(c, handle, "new", 1);
    expect(await central.next("gattcWriteDone")).toMatchObject({ status: 0 });
    expect(ble.gattsRead(handle)).toEqual(new TextEncoder().encode("new"));
    peripheral.handle = undefined;
    await delay(two.air.clock, 30_000);
    expect(failures).toHaveLength(2);
    expect(central.types).not.toContain("peripheralDisconnect");
  });
});

describe("gattsWrite", () => {
  test("the response waits for the handler, and so does the next packet", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    const { handle, c, ble } = await connected(two, Flag.Write);
    const order: string[] = [];
    peripheral.handle = async (event) => {
      if (event.type !== "gattsWrite") return;
      const value = new TextDecoder().decode(ble.gattsRead(event.attrHandle));
      await delay(air.clock, 500);
      order.push(`handled ${value}, and it is ${new TextDecoder().decode(ble.gattsRead(event.attrHandle))}`);
    };
    central.handle = (event) => {
      if (event.type === "gattcWriteDone") order.push("done");
    };
    await central.ble.gattcWrite(c, handle, "1", 1);
    await central.ble.gattcWrite(c, handle, "2");
    await central.ble.gattcWrite(c, handle, "3");
    await central.ble.gattcWrite(c, handle, "4", 1);
    await central.next("gattcWriteDone");
    await central.next("gattcWriteDone");
    expect(order).toEqual([
      "handled 1, and it is 1",
      "done",
      "handled 2, and it is 2",
      "handled 3, and it is 3",
      "handled 4, and it is 4",
      "done",
    ]);
  });

  test("of what needs authorization, the program is asked before the value is stored", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handle, c, ble } = await connected(two, Flag.Write | Flag.WriteAuthorized);
    let answer: number | Promise<number> = 8;
    peripheral.handle = (event) => {
      if (event.type !== "gattsWriteRequest") return undefined;
      expect(event).toMatchObject({ code: 104, attrHandle: handle, data: octets(1) });
      expect(ble.gattsRead(handle)).toEqual(octets());
      return answer;
    };
    const write = async (): Promise<number> => {
      await central.ble.gattcWrite(c, handle, octets(1), 1);
      return (await central.next("gattcWriteDone")).status;
    };
    expect(await write()).toBe(0x108);
    answer = Promise.resolve(0x80);
    expect(await write()).toBe(0x180);
    await central.ble.gattcWrite(c, handle, octets(1));
    await central.ble.gattcRead(c, 1); // the command has been there by then
    await central.next("gattcReadDone");
    answer = 0;
    expect(peripheral.types).not.toContain("gattsWrite");
    expect(await write()).toBe(0);
    expect(ble.gattsRead(handle)).toEqual(octets(1));
    expect(eventsOf(peripheral, "gattsWrite")).toHaveLength(1);
  });

  test("the configuration of a client must be 2 octets, and of bits that there are", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handle, c } = await connected(two, Flag.Notify);
    for (const [value, status] of [
      [octets(1), 0x10d],
      [octets(1, 0, 0), 0x10d],
      [octets(2, 0), 0x113],
      [octets(1, 0), 0],
    ] as const) {
      await central.ble.gattcWrite(c, handle + 1, value, 1);
      expect([value, (await central.next("gattcWriteDone")).status]).toEqual([value, status]);
    }
    expect(eventsOf(peripheral, "gattsSubscribe")).toHaveLength(1);
  });
});
