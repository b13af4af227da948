import { expect, test } from "vitest";
import { AttError } from "../att/index.ts";
import { enumeration, ranged, struct, u8, u16 } from "../bytes/index.ts";
import { SimulatedAir } from "../testing/index.ts";
import { defineService, documentService, serve, simulate } from "./index.ts";

const LAMP = "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11";
const lamp = defineService({
  uuid: LAMP,
  name: "Lamp",
  characteristics: {
    brightness: { uuid: "9a3f0002-6e5b-4c44-9d4e-3a1c5b7f0a11", properties: ["read", "write", "notify"], value: ranged(u8, 0, 100) },
    mode: {
      uuid: "9a3f0003-6e5b-4c44-9d4e-3a1c5b7f0a11",
      properties: ["read"],
      optionalProperties: ["write-without-response", "indicate"],
      optional: true,
      value: enumeration(u8, { 0: "steady", 1: "blinking" }),
      descriptors: { limits: { uuid: 0x2906, value: struct({ min: u8, max: u8 }), writable: true, optional: true } },
    },
    hours: {
      uuid: "9a3f0004-6e5b-4c44-9d4e-3a1c5b7f0a11",
      properties: ["read"],
      optional: true,
      multiple: true,
      value: u16,
      trailing: "ignore",
    },
    command: {
      uuid: "9a3f0005-6e5b-4c44-9d4e-3a1c5b7f0a11",
      properties: ["write"],
      optional: true,
      value: ranged(u8, 1, 2),
      valueError: 0x81,
    },
  },
});

const air = () => new SimulatedAir({ seed: 4 });

test("one declaration is a server and a client", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  const commands: number[] = [];
  const served = lamp.serve(peripheral.gattServer, {
    brightness: { value: 50 },
    mode: { value: "steady", descriptors: { limits: { value: { min: 0, max: 1 } } } },
    hours: [{ value: 7, description: "left" }, { read: () => Promise.resolve(0x1234) }],
    command: { write: (value) => void commands.push(value) },
  });
  const client = await lamp.of(central.connection);
  expect(await client.brightness.read()).toBe(50);
  expect(await client.mode?.read()).toBe("steady");
  expect(await Promise.all(client.hours.map((hours) => hours.read()))).toEqual([7, 0x1234]);
  await client.brightness.write(80);
  expect(served.brightness.value).toBe(80);
  await client.command?.write(2);
  expect(commands).toEqual([2]);

  expect(await client.mode?.readDescriptor("limits")).toEqual({ min: 0, max: 1 });
  await client.mode?.writeDescriptor("limits", { min: 0, max: 9 });
  expect(await client.mode?.readDescriptor("limits")).toEqual({ min: 0, max: 9 });

  await using notified = client.brightness.notifications();
  await notified.begin();
  await served.brightness.update(81);
  await served.brightness.notify(82);
  expect([await notified.take(), await notified.take()]).toEqual([81, 82]);
  expect(served.brightness.value).toBe(81);
  await using indicated = client.mode!.indications();
  await indicated.begin();
  await served.mode?.update("blinking");
  expect(await indicated.take()).toBe("blinking");

  await using writes = served.mode!.writes();
  await client.mode?.writeWithoutResponse("steady");
  expect(await writes.take()).toMatchObject({ value: "steady", operation: "command" });
  expect(served.mode?.value).toBe("steady");
});

test("a written value that is not what the declaration says is refused, and changes nothing", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  const seen: unknown[] = [];
  const served = lamp.serve(peripheral.gattServer, {
    brightness: {
      value: 50,
      write: (value) => {
        seen.push(value);
        if (value === 99) throw new AttError(0x85);
      },
    },
    command: {},
  });
  const client = await lamp.of(central.connection);
  const raw = client.brightness.remote;
  await expect(raw.write(Uint8Array.of())).rejects.toMatchObject({ errorCode: 0x0d });
  await expect(raw.write(Uint8Array.of(1, 2))).rejects.toMatchObject({ errorCode: 0x0d });
  await expect(raw.write(Uint8Array.of(101))).rejects.toMatchObject({ errorCode: 0x13 });
  await expect(client.command!.remote.write(Uint8Array.of(3))).rejects.toMatchObject({ errorCode: 0x81 });
  await expect(client.command!.remote.write(Uint8Array.of(1, 1))).rejects.toMatchObject({ errorCode: 0x0d });
  expect(seen).toEqual([]);
  await expect(client.brightness.write(99)).rejects.toMatchObject({ errorCode: 0x85 });
  expect(served.brightness.value).toBe(50);
  await expect(client.brightness.write(101)).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: "brightness: 101: expected 0 to 100" });
});

test("a handler that gives what cannot be encoded is answered for with Unlikely Error", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  lamp.serve(peripheral.gattServer, { brightness: { read: () => 500, write: () => {} } });
  const client = await lamp.of(central.connection);
  await expect(client.brightness.read()).rejects.toMatchObject({ errorCode: 0x0e });
});

test("what a peer lacks: optional is undefined, mandatory is an error, and so is the service", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  await expect(lamp.of(central.connection)).rejects.toMatchObject({
    code: "ERR_GATT_NOT_FOUND",
    uuid: LAMP,
    message: `the peer has no Lamp service ${LAMP}`,
  });
  const other = "9a3f0003-6e5b-4c44-9d4e-3a1c5b7f0a11";
  const poor = peripheral.gattServer.addService({
    uuid: LAMP,
    characteristics: [{ uuid: other, properties: ["read"], value: Uint8Array.of(0) }],
  });
  await central.gatt.services({ refresh: true });
  await expect(lamp.of(central.connection, {})).rejects.toMatchObject({
    code: "ERR_GATT_NOT_FOUND",
    uuid: "9a3f0002-6e5b-4c44-9d4e-3a1c5b7f0a11",
    message: expect.stringMatching(/service Lamp has no characteristic brightness/),
  });
  // A second service of the kind, that has what it must have, is the one.
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 } });
  await central.gatt.services({ refresh: true });
  const client = await lamp.of(central.connection);
  expect(client.service.handle).toBeGreaterThan(poor.endHandle);
  expect(client.mode).toBeUndefined();
  expect(client.hours).toEqual([]);
  expect(await lamp.all(central.connection)).toHaveLength(1);
});

test("values that a peer should not send: DecodeError, or skipped", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  const served = lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, hours: [{ value: 1 }], mode: { value: "steady" } });
  const client = await lamp.of(central.connection);
  served.brightness.local.value = Uint8Array.of(200);
  await expect(client.brightness.read()).rejects.toMatchObject({ code: "ERR_DECODE", fault: "value" });
  served.hours![0]!.local.value = Uint8Array.of(2, 0, 99);
  expect(await client.hours[0]!.read()).toBe(2); // trailing: "ignore"

  const told = [[200], [5], [], [6]].map((octets) => Uint8Array.from(octets));
  const strict = client.brightness.notifications();
  await strict.begin();
  const skipping = client.brightness.notifications({ malformed: "skip" });
  await skipping.begin();
  for (const octets of told) await served.brightness.local.notify(octets);
  await expect(strict.next()).rejects.toMatchObject({ code: "ERR_DECODE" });
  expect(await strict.next()).toEqual({ value: undefined, done: true });
  expect([await skipping.take(), (await skipping.next()).value]).toEqual([5, 6]);
  expect(skipping.malformed).toBe(2);
  await expect(skipping.take({ timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await skipping.return();

  const taking = client.brightness.notifications();
  await taking.begin();
  for (const octets of told) await served.brightness.local.notify(octets);
  await expect(taking.take()).rejects.toMatchObject({ code: "ERR_DECODE" });
  expect(await taking.take()).toBe(5);
  await taking.return();
  expect(() => client.brightness.notifications({ malformed: "drop" as "skip" })).toThrow(/malformed: expected "throw", "skip"/);
});

test("optional properties can be left out of a server", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, mode: { value: "steady", omit: ["indicate"] } });
  const client = await lamp.of(central.connection);
  expect(client.mode?.remote.properties).toEqual(["read", "write-without-response"]);
  await expect(client.mode!.indications().next()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(await client.mode?.readDescriptor("limits")).toBeUndefined();
});

test("what a server asks of the link", async () => {
  await using world = air();
  const { central, peripheral } = await world.connectedPair();
  lamp.serve(peripheral.gattServer, { brightness: { value: 1, security: { read: "encrypted" } } });
  const client = await lamp.of(central.connection);
  await expect(client.brightness.read()).rejects.toMatchObject({ errorCode: 0x05 });
});

test("mistakes in a declaration", () => {
  const one = { uuid: 0x2a19, properties: ["read"], value: u8 } as const;
  const define = (characteristics: object) => () => defineService({ uuid: 0x180f, name: "B", characteristics: characteristics as never });
  expect(define({ a: one, b: one })).toThrow(/B: b: a has the type 2a19 already/);
  for (const name of ["then", "service"]) expect(define({ [name]: one })).toThrow(/expected another name/);
  expect(define({ a: { ...one, properties: ["reed"] } })).toThrow(/characteristic property/);
  expect(define({ a: { ...one, properties: "read" } })).toThrow(/properties: expected an array/);
  expect(define({ a: { ...one, valu: 1 } })).toThrow(/unknown option "valu", did you mean "value"/);
  expect(define({ a: { ...one, value: "u8" } })).toThrow(/value: expected a codec/);
  expect(define({ a: { ...one, optional: "yes" } })).toThrow(/optional: expected true or false/);
  expect(define({ a: { ...one, multiple: 1 } })).toThrow(/multiple: expected true or false/);
  expect(define({ a: { ...one, trailing: "drop" } })).toThrow(/trailing/);
  expect(define({ a: { ...one, valueError: 0x100 } })).toThrow(/valueError/);
  expect(define({ a: { ...one, uuid: "x" } })).toThrow(/UUID/);
  expect(define({ a: { ...one, name: 5 } })).toThrow(/name: expected text/);
  expect(define({ a: { ...one, descriptors: { d: { uuid: 0x2906 } } } })).toThrow(/a.d: value: expected a codec/);
  expect(define({ a: { ...one, descriptors: { d: { uuid: 0x2906, value: u8, writeable: true } } } })).toThrow(/did you mean "writable"/);
  expect(define({ a: undefined })).toThrow(/expected an object/);
  expect(() => defineService({ uuid: 0x180f, name: "B", characteristic: {} } as never)).toThrow(/did you mean "characteristics"/);
});

test("mistakes of a server", async () => {
  await using world = air();
  const { gattServer } = await world.device();
  const before = gattServer.services.length;
  const serving = (handlers: object) => () => serve(gattServer, lamp, handlers as never);
  expect(serving({})).toThrow(/brightness: expected a value or a read handler/);
  expect(serving({ brightness: { value: 101 } })).toThrow(/brightness: 101: expected 0 to 100/);
  expect(serving({ brightness: { value: 1, read: () => 1 } })).toThrow(/expected a value or a read handler, got both/);
  expect(serving({ brightness: { read: () => 1 } })).toThrow(/expected a write handler/);
  expect(serving({ brightness: { valu: 1 } })).toThrow(/did you mean "value"/);
  expect(serving({ brightnes: { value: 1 } })).toThrow(/did you mean "brightness"/);
  expect(serving({ brightness: { value: 1 }, command: { value: 1 } })).toThrow(/expected neither value nor read handler/);
  expect(serving({ brightness: { value: 1 }, hours: { value: 1 } })).toThrow(/hours: expected an array/);
  expect(serving({ brightness: { value: 1 }, hours: [{ value: 1, write: () => {} }] })).toThrow(/expected no write handler/);
  expect(serving({ brightness: { value: 1 }, mode: { value: 0, omit: ["read"] } })).toThrow(/"read" is none of its optional properties/);
  expect(serving({ brightness: { value: 1, descriptors: { limits: { value: 1 } } } })).toThrow(/limits/);
  expect(serving({ brightness: { value: 1, subscribed: 5 } })).toThrow(/subscribed: expected a function/);
  expect(gattServer.services).toHaveLength(before);

  const served = lamp.serve(gattServer, { brightness: { read: () => 1, write: () => {} }, mode: { value: "steady" } });
  expect(() => served.brightness.value).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  await expect(served.brightness.update(1)).rejects.toMatchObject({ code: "ERR_STATE" });
  await expect(served.brightness.notify(101)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(() => served.brightness.tryNotify(101)).toThrow(/expected 0 to 100/);
});

test("a simulated device lives by its script and remembers what is written", async () => {
  await using world = air();
  const device = await world.device({ name: "lamp" });
  const central = await world.device({ name: "central" });
  await using running = await simulate(lamp, {
    serve: { brightness: { value: 10 }, command: {}, hours: [{ value: 1 }, { value: 2 }] },
    steps: [
      { afterMs: 5000, values: { brightness: 20 } },
      { afterMs: 1000, values: { brightness: 30, hours: [3, 4] } },
    ],
  }).start(device);
  const found = (await central.scan({ services: [LAMP], durationMs: 2000 }).next()).value!;
  await using connection = await central.connect(found.address);
  const client = await lamp.of(connection);
  expect(await client.brightness.read()).toBe(10);
  const seen: number[] = [];
  for await (const value of client.brightness.notifications()) {
    seen.push(value);
    if (value === 30) break;
  }
  expect(seen).toEqual([20, 30]);
  await running.finished;
  expect(await Promise.all(client.hours.map((hours) => hours.read()))).toEqual([3, 4]);
  await client.command?.write(1);
  await client.brightness.write(44);
  expect(running.writes.map(({ characteristic, value }) => [characteristic, value])).toEqual([
    ["command", 1],
    ["brightness", 44],
  ]);
  expect(running.served.brightness.value).toBe(44);
  expect(() => running.tell({ brightness: 101 })).toThrow(/expected 0 to 100/);
  expect(() => running.tell({ mode: "steady" })).toThrow(/mode: expected a characteristic that is served/);
  await running[Symbol.asyncDispose]();
  expect(device.gattServer.service(LAMP)).toBeUndefined();
});

test("a script that repeats; one that is disposed of on its way ends", async () => {
  await using world = air();
  const device = await world.device();
  const script = {
    serve: { brightness: { value: 0 } },
    steps: [1, 2].map((brightness) => ({ afterMs: 1000, values: { brightness } })),
    repeat: true,
  };
  const running = await simulate(lamp, script).start(device, { advertise: false });
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) {
    await world.advance(i === 0 ? 1500 : 1000);
    seen.push(running.served.brightness.value);
  }
  expect(seen).toEqual([1, 2, 1, 2, 1]);
  expect(running.advertising).toBeUndefined();
  await running[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
  await running.finished;
});

test("a device that is closed ends its simulation", async () => {
  await using world = air();
  const device = await world.device();
  const steps = [{ afterMs: 60_000, values: { brightness: 1 } }];
  const running = await simulate(lamp, { serve: { brightness: { value: 0 } }, steps }).start(device);
  await device.close();
  await running.finished;
  expect(running.served.brightness.value).toBe(0);
  await running[Symbol.asyncDispose]();
}); // and the air is left without a timer

test("mistakes of a script", () => {
  const serve = { brightness: { value: 0 } };
  expect(() => simulate(lamp, { serve, steps: [{ afterMs: -1, values: {} }] })).toThrow(/afterMs/);
  expect(() => simulate(lamp, { serve, steps: [{ afterMs: 1, values: { brightness: 101 } }] })).toThrow(/brightness: 101/);
  expect(() => simulate(lamp, { serve, steps: [{ afterMs: 1, values: { light: 1 } as never }] })).toThrow(/unknown option "light"/);
  expect(() => simulate(lamp, { serve, steps: [{ afterMs: 1, values: { hours: 1 as never } }] })).toThrow(/hours: expected an array/);
  expect(() => simulate(lamp, { serve, repeat: true })).toThrow(/repeat: expected steps that take time/);
  expect(() => simulate(lamp, { serve, steps: [{ afterMs: 0, values: {} }], repeat: true })).toThrow(/repeat/);
});

test("a declaration is a page of documentation", () => {
  const page = documentService(lamp);
  expect(page).toContain("# Lamp\n\nService `9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11`.");
  expect(page).toContain("| `mode` | `9a3f0003-6e5b-4c44-9d4e-3a1c5b7f0a11` | read, (write-without-response), (indicate) | perhaps |");
  expect(page).toContain("## Brightness\n\nValue: uint8, 0 to 100.");
  expect(page).toContain("Octets after it are ignored.");
  expect(page).toContain(
    "Descriptor `limits`, Limits (`0x2906`), perhaps, may be written:\n\nValue: in this order:\n\n| field | format | there |",
  );
});

// For the compiler alone: what must not compile is marked, and a mark without an error is one.
export async function types(world: SimulatedAir): Promise<void> {
  const { central, peripheral } = await world.connectedPair();
  // @ts-expect-error a mandatory characteristic is missing
  lamp.serve(peripheral.gattServer, {});
  // @ts-expect-error a value of another kind
  lamp.serve(peripheral.gattServer, { brightness: { value: "50" } });
  // @ts-expect-error a word that is none
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, mode: { value: "blinkin" } });
  // @ts-expect-error a read handler of what cannot be read
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, command: { read: () => 1 } });
  // @ts-expect-error a read handler without a write handler
  lamp.serve(peripheral.gattServer, { brightness: { read: () => 1 } });
  // @ts-expect-error a characteristic that is not declared
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, colour: { value: 1 } });
  // @ts-expect-error a property that is not optional
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, mode: { value: "steady", omit: ["read"] } });
  // @ts-expect-error what cannot be notified has no subscribers
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, command: { subscribed: () => {} } });
  // @ts-expect-error one where there may be several
  lamp.serve(peripheral.gattServer, { brightness: { value: 1 }, hours: { value: 1 } });
  const served = lamp.serve(peripheral.gattServer, { brightness: { value: 1, write: (value: number) => void value } });
  // @ts-expect-error a value of another kind
  await served.brightness.notify("1");
  // @ts-expect-error it cannot be indicated
  await served.brightness.indicate(1);
  // @ts-expect-error it may not be served
  await served.mode.update("steady");
  const client = await lamp.of(central.connection);
  const brightness: number = await client.brightness.read();
  const hours: number[] = await Promise.all(client.hours.map((each) => each.read()));
  const mode: "steady" | "blinking" | number | undefined = await client.mode?.read();
  const limits: { min: number; max: number } | undefined = await client.mode?.readDescriptor("limits");
  // @ts-expect-error the peer may lack it
  await client.mode.read();
  // @ts-expect-error it cannot be read
  await client.command?.read();
  // @ts-expect-error a value of another kind
  await client.brightness.write("1");
  // @ts-expect-error it takes no commands
  await client.brightness.writeWithoutResponse(1);
  // @ts-expect-error it sends no indications
  client.brightness.indications();
  // @ts-expect-error no such descriptor
  await client.mode?.readDescriptor("limit");
  for await (const value of client.brightness.notifications()) void (value satisfies number);
  // @ts-expect-error a value of another kind
  simulate(lamp, { serve: { brightness: { value: 1 } }, steps: [{ afterMs: 1, values: { brightness: "1" } }] });
  void [brightness, hours, mode, limits];
}
