// What clients write, as loops; what a value's owner tells; how a client takes values one by one.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { AttError, AttErrorCode } from "../src/att/index.ts";
import { GattServer, type LocalCharacteristic, type RemoteCharacteristic } from "../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const [SERVICE, FIRST, SECOND, COMMAND, HANDLED, VALUE, BOTH] = ["ff00", "ff01", "ff02", "ff03", "ff04", "ff05", "ff06"] as const;

let clock: VirtualClock;
let server: GattServer;
let pair: GattPair;
/** What the handler of HANDLED does. */
let handle: (value: Uint8Array) => void | Promise<void>;

beforeEach(() => {
  clock = new VirtualClock();
  server = new GattServer({ clock });
  handle = () => {};
  server.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: FIRST, properties: ["read", "write", "write-without-response"] },
      { uuid: SECOND, properties: ["write"] },
      { uuid: COMMAND, properties: ["write-without-response"] },
      { uuid: HANDLED, properties: ["write"], read: () => new Uint8Array(0), write: (value) => handle(value) },
      { uuid: VALUE, properties: ["read", "notify", "indicate"], maxLength: 4 },
      { uuid: BOTH, properties: ["write", "reliable-write"], value: new Uint8Array(2) },
    ],
  });
  pair = createGattPair({ server, clock, clientPolicy: { exchangeMtu: "never" } });
});
afterEach(() => pair[Symbol.dispose]());

const local = (uuid: string): LocalCharacteristic => server.characteristic(SERVICE, uuid)!;
const remote = (uuid: string): Promise<RemoteCharacteristic> => pair.client.characteristic(SERVICE, uuid);
const octets = (...values: number[]) => Uint8Array.from(values);
const timedOut = { code: "ERR_TIMEOUT" };

describe("writes of a characteristic", () => {
  test("are told in order, with who wrote and how, when they have taken effect and before the answer", async () => {
    const writes = local(FIRST).writes();
    const first = await remote(FIRST);
    const order: string[] = [];
    const taken = writes.next().then(({ value }) => order.push(`told ${value?.value}, stored ${local(FIRST).value}`));
    await first.write(octets(1)).then(() => order.push("answered"));
    await taken;
    expect(order).toEqual(["told 1, stored 1", "answered"]);
    await first.writeWithoutResponse(octets(2));
    await first.write(new Uint8Array(60).fill(3)); // in parts
    const { peer } = pair.session;
    expect(await writes.take()).toEqual({ characteristic: local(FIRST), peer, value: octets(2), operation: "command" });
    expect(await writes.take()).toMatchObject({ value: new Uint8Array(60).fill(3), operation: "execute" });
    first.tryWriteWithoutResponse(octets(4));
    expect(await writes.take({ timeoutMs: 100 })).toMatchObject({ value: octets(4) });
  });

  test("a value given is a copy: changing it changes nothing else, for nobody else", async () => {
    const [one, other] = [local(FIRST).writes(), local(FIRST).writes()];
    await (await remote(FIRST)).write(octets(1, 2));
    (await one.take()).value.fill(9);
    expect((await other.take()).value).toEqual(octets(1, 2));
    expect(local(FIRST).value).toEqual(octets(1, 2));
  });

  test("of several characteristics come in one order", async () => {
    const writes = server.writes([local(SECOND), local(FIRST), local(FIRST), local(COMMAND)]);
    const [first, second, command] = [await remote(FIRST), await remote(SECOND), await remote(COMMAND)];
    await Promise.all([first.write(octets(1)), second.write(octets(2)), command.write(octets(3)), first.write(octets(4))]);
    await second.write(octets(5));
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) {
      const { characteristic, value } = await writes.take();
      seen.push(`${characteristic.uuid} ${value}`);
    }
    expect(new Set(seen)).toEqual(new Set(["ff01 1", "ff01 4", "ff02 2", "ff02 5", "ff03 3"]));
    expect(seen.at(-1)).toBe("ff02 5");
    await expect(writes.take({ timeoutMs: 1000 })).rejects.toMatchObject(timedOut); // each once
  });

  test("that are refused, by permission or by the handler, or answered for, are none", async () => {
    const writes = local(HANDLED).writes();
    const handled = await remote(HANDLED);
    handle = () => {
      throw new AttError(AttErrorCode.ValueNotAllowed);
    };
    await expect(handled.write(octets(1))).rejects.toMatchObject({ code: "ERR_ATT" });
    handle = () => delay(clock, 40_000);
    await expect(handled.write(octets(2))).rejects.toMatchObject({ code: "ERR_ATT" });
    await delay(clock, 20_000);
    handle = () => delay(clock, 10);
    await handled.write(octets(3));
    expect((await writes.take()).value).toEqual(octets(3));
    await expect(writes.take({ timeoutMs: 0 })).rejects.toMatchObject(timedOut);
  });

  test("of a reliable write are told together, when all handlers have agreed", async () => {
    const writes = server.writes([local(BOTH), local(HANDLED)]);
    const [both, handled] = [await remote(BOTH), await remote(HANDLED)];
    const all = [
      { handle: both.valueHandle, value: octets(1, 1) },
      { handle: handled.valueHandle, value: octets(2) },
    ];
    handle = () => {
      throw new AttError(AttErrorCode.ValueNotAllowed);
    };
    await expect(pair.client.reliableWrite(all)).rejects.toMatchObject({ code: "ERR_ATT" });
    handle = () => {};
    await pair.client.reliableWrite(all);
    expect([await writes.take(), await writes.take()].map(({ value, operation }) => [...value, operation])).toEqual([
      [1, 1, "execute"],
      [2, "execute"],
    ]);
  });

  test("are kept for a loop that is behind, as many as it says; the oldest are lost, and counted", async () => {
    const writes = local(FIRST).writes({ capacity: 2 });
    const first = await remote(FIRST);
    for (const octet of [1, 2, 3, 4]) await first.write(octets(octet));
    expect(writes.dropped).toBe(2);
    expect([(await writes.take()).value[0], (await writes.take()).value[0]]).toEqual([3, 4]);
  });

  test("a wait that is over loses nothing: what comes is for the next", async () => {
    const writes = local(FIRST).writes();
    const first = await remote(FIRST);
    await expect(writes.take({ timeoutMs: 50 })).rejects.toMatchObject({ ...timedOut, operation: "waiting for a write", timeoutMs: 50 });
    const abort = new AbortController();
    const waiting = expect(writes.take({ signal: abort.signal })).rejects.toThrow("enough");
    abort.abort(new Error("enough"));
    await waiting;
    await expect(writes.take({ signal: abort.signal })).rejects.toThrow("enough");
    await first.write(octets(1));
    expect((await writes.take()).value).toEqual(octets(1));
    await expect(writes.take({ timeout: 1 } as object)).rejects.toThrow('did you mean "timeoutMs"?');
  });

  test("end with the loop, its signal, the service, and not with another one", async () => {
    const abort = new AbortController();
    const writes = [local(FIRST).writes(), local(FIRST).writes({ signal: abort.signal }), server.writes([local(FIRST), local(SECOND)])];
    await writes[0]![Symbol.asyncDispose]();
    expect(await writes[0]!.next()).toEqual({ value: undefined, done: true });
    await expect(writes[0]!.take()).rejects.toMatchObject({ code: "ERR_STATE" });
    abort.abort(new Error("enough"));
    await expect(writes[1]!.next()).rejects.toThrow("enough");
    await expect(local(FIRST).writes({ signal: abort.signal }).next()).rejects.toThrow("enough");
    await (await remote(FIRST)).write(octets(1));
    expect((await writes[2]!.take()).value).toEqual(octets(1));
    const first = local(FIRST);
    server.removeService(server.service(SERVICE)!);
    await expect(writes[2]!.next()).rejects.toThrow("service ff00 was removed from the server");
    await expect(first.writes().next()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("one service that goes leaves the loop to the others", async () => {
    const other = server.addService({ uuid: "ff10", characteristics: [{ uuid: "ff11", properties: ["write"] }] });
    const writes = server.writes([other.characteristics[0]!, local(SECOND)]);
    server.removeService(other);
    await (await remote(SECOND)).write(octets(7));
    expect((await writes.take()).value).toEqual(octets(7));
    await writes.return();
  });

  test("what cannot be listened to is refused", () => {
    const other = new GattServer().addService({ uuid: "ff10", characteristics: [{ uuid: "ff11", properties: ["write"] }] });
    expect(() => server.writes(other.characteristics)).toThrow("writes: expected characteristics that are in this server");
    expect(() => server.writes([])).toThrow("writes: expected an array of characteristics");
    expect(() => server.writes("ff01" as never)).toThrow("writes: expected an array of characteristics, got a string");
    expect(() => local(FIRST).writes({ capacity: 0 })).toThrow("writes: capacity: expected a whole number from 1");
    expect(() => local(FIRST).writes({ capacty: 1 } as object)).toThrow('did you mean "capacity"?');
    expect(() => local(FIRST).writes({ signal: 1 as never })).toThrow("writes: signal: expected an AbortSignal");
  });

  test("end when the device is closed, and say whose they are", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    const { device } = peripheral;
    const service = device.gattServer.addService({ uuid: SERVICE, characteristics: [{ uuid: FIRST, properties: ["write"] }] });
    const writes = service.characteristics[0]!.writes();
    await (await central.connection.gatt.characteristic(SERVICE, FIRST)).write(octets(1));
    const { peer, value } = await writes.take();
    expect(device.linkTo(peer)).toBe(peripheral.connection);
    expect(value).toEqual(octets(1));
    const next = writes.next();
    await device.close();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await service.characteristics[0]!.writes().next()).toEqual({ value: undefined, done: true });
  });
});

describe("update", () => {
  test("sets the value and tells every subscriber, by a notification where that is enabled, else by an indication", async () => {
    const value = await remote(VALUE);
    const seen: string[] = [];
    await local(VALUE).update(octets(1)); // to nobody
    expect(await value.read()).toEqual(octets(1));
    const indications = await value.subscribe((octet) => seen.push(`indicated ${octet}`), { kind: "indicate" });
    await local(VALUE).update(octets(2));
    const notifications = await value.subscribe((octet) => seen.push(`notified ${octet}`), { kind: "notify" });
    await local(VALUE).update(octets(3));
    await delay(clock, 10);
    expect(seen).toEqual(["indicated 2", "notified 3"]);
    expect(local(VALUE).value).toEqual(octets(3));
    await indications.unsubscribe();
    await notifications.unsubscribe();
  });

  test("of a value that is too long sets and tells nothing", async () => {
    const seen: Uint8Array[] = [];
    await (await remote(VALUE)).subscribe((value) => seen.push(value));
    await expect(local(VALUE).update(new Uint8Array(5))).rejects.toThrow("expected 0 to 4 octets, got 5");
    await expect(local(VALUE).update("x" as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(local(VALUE).update(octets(1), { to: pair.session.peer } as object)).rejects.toThrow('update: unknown option "to"');
    await delay(clock, 10);
    expect([seen, local(VALUE).value]).toEqual([[], octets()]);
  });

  test("is told as it was when it was set", async () => {
    const seen: number[] = [];
    await (await remote(VALUE)).subscribe(([octet]) => seen.push(octet!));
    const value = octets(1);
    const told = local(VALUE).update(value);
    value[0] = 2;
    await told;
    await delay(clock, 10);
    expect([seen, local(VALUE).value]).toEqual([[1], octets(1)]);
  });
});

describe("a client's write", () => {
  const opcodes = () => pair.clientChannel.sent.map(([opcode]) => opcode!.toString(16));

  test.each<[string, { response?: boolean }, string]>([
    [FIRST, {}, "12"],
    [FIRST, { response: false }, "52"],
    [SECOND, {}, "12"],
    [COMMAND, {}, "52"],
    [VALUE, {}, "12"],
  ])("to %s with %j has the opcode 0x%s", async (uuid, options, opcode) => {
    const characteristic = await remote(uuid);
    await characteristic.write(octets(1), options).catch((error: unknown) => expect(error).toMatchObject({ code: "ERR_ATT" }));
    expect(opcodes().at(-1)).toBe(opcode);
  });

  test("with response to one that has none is asked for, and refused by the peer", async () => {
    const command = await remote(COMMAND);
    await expect(command.write(octets(1), { response: true })).rejects.toMatchObject({ errorCode: AttErrorCode.WriteNotPermitted });
    await expect(command.write(new Uint8Array(100))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(command.write(octets(1), { response: 1 as never })).rejects.toThrow("write: response: expected true or false, got 1");
    await expect(command.write(octets(1), { respnse: true } as object)).rejects.toThrow('did you mean "response"?');
  });
});

describe("a client's values", () => {
  const notify = (octet: number) => local(VALUE).notify(octets(octet));

  test('"latest" keeps the newest of those that were not taken', async () => {
    const values = (await remote(VALUE)).notifications({ queue: "latest" });
    const first = values.take();
    await delay(clock, 10);
    for (const octet of [1, 2, 3]) await notify(octet);
    await delay(clock, 10);
    expect([await first, await values.take()]).toEqual([octets(1), octets(3)]);
    expect(values.dropped).toBe(1);
    await values.return();
  });

  test('"all" is the default; "latest" knows no other capacity', async () => {
    const value = await remote(VALUE);
    const values = value.notifications({ queue: "all" });
    const first = values.take();
    await delay(clock, 10);
    for (const octet of [1, 2, 3]) await notify(octet);
    expect([await first, await values.take(), await values.take()]).toEqual([octets(1), octets(2), octets(3)]);
    await values.return();
    await expect(value.notifications({ queue: "latest", capacity: 4 }).next()).rejects.toThrow('since "latest" keeps one value');
    await expect(value.notifications({ queue: "newest" as never }).take()).rejects.toThrow(
      'notifications: queue: expected "all", "latest"',
    );
  });

  test("take waits for one value, for its time, and loses nothing in between", async () => {
    const values = (await remote(VALUE)).notifications();
    await expect(values.take({ timeoutMs: 100 })).rejects.toMatchObject({ ...timedOut, operation: "waiting for a value", timeoutMs: 100 });
    await notify(1);
    await delay(clock, 10);
    expect(await values.take({ timeoutMs: 100 })).toEqual(octets(1));
    const abort = new AbortController();
    const waiting = expect(values.take({ signal: abort.signal })).rejects.toThrow("enough");
    abort.abort(new Error("enough"));
    await waiting;
    await notify(2);
    expect(await values.take()).toEqual(octets(2));
    await expect(values.take({ timeout: 1 } as object)).rejects.toThrow('did you mean "timeoutMs"?');
    await values.return();
    await expect(values.take()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("begin subscribes before anything is asked, once; values that come then are kept", async () => {
    const values = (await remote(VALUE)).notifications();
    await values.begin();
    expect(local(VALUE).subscribers).toHaveLength(1);
    const sent = pair.clientChannel.sent.length;
    await values.begin();
    await notify(1);
    await delay(clock, 10);
    expect(await values.next()).toEqual({ value: octets(1), done: false });
    expect(pair.clientChannel.sent).toHaveLength(sent);
    await values.return();
    await values.begin(); // it is over, and stays so
    expect(await values.next()).toEqual({ value: undefined, done: true });
    const late = (await remote(VALUE)).notifications();
    server.pause();
    await expect(late.begin({ timeoutMs: 100 })).rejects.toMatchObject({ ...timedOut, operation: "subscribing" });
    server.resume();
    await late.begin();
    await late.return();
    await expect((await remote(FIRST)).notifications().begin()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(late.begin({ timeout: 1 } as object)).rejects.toThrow('did you mean "timeoutMs"?');
  });

  test("a wait that ends while it subscribes leaves the subscription to the next", async () => {
    const values = (await remote(VALUE)).notifications();
    server.pause();
    await expect(values.take({ timeoutMs: 100 })).rejects.toMatchObject(timedOut);
    server.resume();
    await delay(clock, 10);
    await notify(1);
    expect(await values.take({ timeoutMs: 100 })).toEqual(octets(1));
    await values.return();
  });

  test("take tells why it cannot subscribe, and that the link is lost", async () => {
    const first = await remote(FIRST);
    await expect(first.notifications().take()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const values = (await remote(VALUE)).notifications();
    const waiting = expect(values.take()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await delay(clock, 10);
    pair[Symbol.dispose]();
    await waiting;
  });
});
