import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { AttErrorCode } from "../src/att/error-code.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { ClosedError } from "../src/core/error.ts";
import { type CharacteristicDefinition, GattServer, gapService, gattService, type RemoteCharacteristic } from "../src/gatt/index.ts";
import { BONDED, createGattPair, type GattPair } from "./support/gatt-pair.ts";

const VENDOR = "00000100-0000-1000-0000-009132591325";
const LOST = new ClosedError("the link is lost");
const range = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const first = (bytes: Uint8Array): string => toHex(bytes.subarray(0, 3));

/** PDUs that the client sent, as opcode counts. */
function sentOpcodes({ clientChannel }: GattPair, opcode: number): number {
  return clientChannel.sent.filter((pdu) => pdu[0] === opcode).length;
}

function serverWith(...characteristics: CharacteristicDefinition[]): GattServer {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, characteristics });
  return server;
}

/** A pump's data services: one type of characteristic in two of them. */
function pump(): GattServer {
  const server = new GattServer();
  server.addService(gapService({ name: "Pump" }));
  const battery = server.addService({
    uuid: 0x180f,
    characteristics: [{ uuid: 0x2a19, properties: ["read", "notify"], value: Uint8Array.of(80) }],
  });
  const hidden = server.addService({ uuid: VENDOR.replace("0100", "0900"), primary: false, characteristics: [] });
  server.addService({
    uuid: VENDOR,
    includes: [battery, hidden],
    characteristics: [
      { uuid: VENDOR.replace("0100", "0102"), properties: ["read"], value: range(22) },
      { uuid: 0x2a52, properties: ["write", "indicate"], value: hex("01") },
    ],
  });
  server.addService({
    uuid: 0x181f,
    characteristics: [
      { uuid: 0x2aa7, properties: ["notify"] },
      { uuid: 0x2a52, properties: ["read", "write", "indicate"], value: hex("02"), description: "RACP" },
    ],
  });
  return server;
}

/** A client whose peer is the test. */
function scripted(answers: string[], options: Parameters<typeof createGattPair>[0] = {}): GattPair {
  const pair = createGattPair(options);
  pair.serverBearer.server = undefined;
  pair.clientChannel.filter = (pdu) => {
    if (pdu[0] === 0x1e) return false;
    const answer = answers.shift();
    if (answer !== undefined) queueMicrotask(() => pair.clientChannel.receive(hex(answer)));
    return false;
  };
  return pair;
}

// --- discovery --------------------------------------------------------------------------------------------------------------------

test("nothing is sent before something is asked for", async () => {
  using pair = createGattPair({ server: pump() });
  await delay(pair.clock, 60_000);
  expect(pair.clientChannel.sent).toEqual([]);
});

test("GATT/CL/GAD/BV-01-C: all primary services, asked for once", async () => {
  using pair = createGattPair({ server: pump() });
  const services = await pair.client.services();
  expect(services.map(({ uuid, handle, endHandle, primary }) => [uuid.text, handle, endHandle, primary])).toEqual([
    ["1800", 1, 5, true],
    ["180f", 6, 9, true],
    [VENDOR, 11, 18, true],
    ["181f", 19, 26, true],
  ]);
  const sent = pair.clientChannel.sent.length;
  expect(await pair.client.services({ uuid: 0x180f })).toEqual([services[1]]);
  expect(await pair.client.service("181f")).toBe(services[3]);
  expect(pair.clientChannel.sent).toHaveLength(sent);
  const again = await pair.client.services({ refresh: true });
  expect(again).toEqual(services);
  for (const [i, service] of again.entries()) expect(service).toBe(services[i]);
  expect(pair.clientChannel.sent.length).toBeGreaterThan(sent);
});

test("GATT/CL/GAD/BV-02-C: one primary service by its UUID, 16 and 128 bits", async () => {
  using pair = createGattPair({ server: pump() });
  const vendor = await pair.client.service(VENDOR);
  expect([vendor.handle, vendor.endHandle]).toEqual([11, 18]);
  expect(pair.clientChannel.sent.map((pdu) => toHex(pdu.subarray(0, 7)))).toEqual(["060100ffff0028", "061300ffff0028"]);
  expect(await pair.client.service(VENDOR)).toBe(vendor);
  expect((await pair.client.services())[2]).toBe(vendor);
  await expect(pair.client.service(0x1234)).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND", uuid: "1234" });
});

test("GATT/CL/GAD/BV-03-C: included services, with a UUID of 128 bits too", async () => {
  using pair = createGattPair({ server: pump() });
  const vendor = await pair.client.service(VENDOR);
  const [battery, hidden] = await vendor.includedServices();
  expect([battery!.uuid.text, battery!.handle, battery!.endHandle]).toEqual(["180f", 6, 9]);
  expect([hidden!.uuid.text, hidden!.handle, hidden!.primary]).toEqual([VENDOR.replace("0100", "0900"), 10, false]);
  expect(await pair.client.service(0x180f)).toBe(battery); // which is also a primary one
  expect(battery!.primary).toBe(true);
  expect(await vendor.includedServices()).toEqual([battery, hidden]);
});

test("GATT/CL/GAD/BV-04-C, BV-05-C, BV-06-C: characteristics by service and type, and their descriptors", async () => {
  using pair = createGattPair({ server: pump() });
  const insulin = await pair.client.characteristic(VENDOR, 0x2a52);
  const glucose = await pair.client.characteristic(0x181f, 0x2a52);
  expect([insulin.valueHandle, insulin.endHandle]).toEqual([17, 18]);
  expect([glucose.valueHandle, glucose.endHandle, glucose.service.uuid.text]).toEqual([24, 26, "181f"]);
  expect(glucose.properties).toEqual(["read", "write", "indicate"]);
  expect(await pair.client.characteristic(0x181f, 0x2a52)).toBe(glucose);
  const descriptors = await glucose.descriptors();
  expect(descriptors.map(({ uuid, handle }) => [uuid.text, handle])).toEqual([
    ["2902", 25],
    ["2901", 26],
  ]);
  expect(new TextDecoder().decode(await descriptors[1]!.read())).toBe("RACP");
  await expect(descriptors[1]!.write(hex("00"))).rejects.toMatchObject({ errorCode: AttErrorCode.WriteNotPermitted });
  await expect(glucose.descriptor(0x2904)).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
  await expect(pair.client.characteristic(0x181f, 0x2a19)).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
  const [state] = await (await pair.client.service(VENDOR)).characteristics();
  expect(await state!.descriptors()).toEqual([]); // no room for one: nothing is asked
});

test("two who ask for the same share the answer; one who gives up does not spoil it", async () => {
  using pair = createGattPair({ server: pump() });
  const abort = new AbortController();
  const gaveUp = pair.client.services({ signal: abort.signal });
  const [a, b] = [pair.client.services(), pair.client.services()];
  abort.abort(new Error("enough"));
  await expect(gaveUp).rejects.toThrow("enough");
  expect(await a).toEqual(await b);
  expect(sentOpcodes(pair, 0x10)).toBeLessThanOrEqual(5);
  expect(pair.clientBearer.pending).toBe(0);
});

test.each([
  ["handles that go back", ["11060100050000180300030001 18".replace(" ", "")]],
  ["an end before its start", ["1106050001000018"]],
  ["handles before the range", ["11060100050000 18".replace(" ", ""), "1106010005000018"]],
  ["a UUID of three octets", ["1107010005000018ff", "011006000a"]],
  ["no entry", ["1106"]],
  ["entries of no length", ["1103010005"]],
])("services with %s are the peer's fault", async (_name, answers) => {
  using pair = scripted(answers);
  await expect(pair.client.services()).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
  expect(pair.clientBearer.pending).toBe(0);
});

test.each([
  ["a value outside the service", ["0701000500", "010606000a", "09070200020900192a", "010803000a"]],
  ["a declaration of four octets", ["0701000500", "010606000a", "0906020002030019", "010803000a"]],
  ["a declaration outside the service", ["0701000500", "010606000a", "09070900020a00192a"]],
])("a characteristic with %s is the peer's fault", async (_name, answers) => {
  using pair = scripted([...answers]);
  const service = await pair.client.service(0x180f);
  await expect(service.characteristics()).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
});

test("a service that reaches to the end of handles needs no further question", async () => {
  using pair = scripted(["07 0100 ffff", "0907 0200 02 0300 192a", "010804000a", "0501 0400 0229", "010405000a"]);
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  expect(characteristic.endHandle).toBe(0xffff);
  expect((await characteristic.descriptors()).map(({ handle }) => handle)).toEqual([4]);
});

// --- reading ----------------------------------------------------------------------------------------------------------------------

test("GATT/CL/GAR/BV-04-C: a long value is read in parts, of 22 octets each at ATT_MTU 23", async () => {
  const server = new GattServer();
  const handle = server.add({ uuid: 0x2a29, value: range(512) });
  using pair = createGattPair({ server, clientPolicy: { exchangeMtu: "on-demand" } });
  expect(await pair.client.read(handle)).toEqual(range(512));
  expect(sentOpcodes(pair, 0x0c)).toBe(23);
});

test.each([0, 1, 21, 22, 23, 43, 44, 45, 511, 512])("a value of %i octets is read whole", async (length) => {
  const server = new GattServer();
  const handle = server.add({ uuid: 0x2a29, value: range(length) });
  using pair = createGattPair({ server });
  expect(await pair.client.read(handle)).toEqual(range(length));
  expect(await pair.client.readLong(handle)).toEqual(range(length));
  expect(await pair.client.readLong(handle, { offset: Math.min(5, length) })).toEqual(range(length).subarray(5));
});

test.each([
  ["Attribute Not Long", "010c03000b"],
  ["Invalid Offset", "010c030007"],
  ["Request Not Supported", "010c000006"],
  ["an empty part", "0d"],
])("after a value that fills the PDU exactly, %s means that it was complete", async (_name, answer) => {
  using pair = scripted([`0b${"11".repeat(22)}`, answer]);
  expect(await pair.client.read(3)).toHaveLength(22);
});

test("any other error within a long value is one", async () => {
  using pair = scripted([`0b${"11".repeat(22)}`, "010c030005"]);
  await expect(pair.client.read(3)).rejects.toMatchObject({ errorCode: 5 });
});

test("a peer that always has more is cut off at 512 octets", async () => {
  const answers = [`0b${"11".repeat(22)}`, ...Array.from({ length: 100 }, () => `0d${"22".repeat(22)}`)];
  using pair = scripted(answers, { clientPolicy: { exchangeMtu: "on-demand" } });
  expect(await pair.client.read(3)).toHaveLength(512);
  expect(sentOpcodes(pair, 0x0c)).toBe(23);
});

test("GATT/CL/GAR/BV-03-C, BV-05-C: values by type, several values at once", async () => {
  const server = pump();
  using pair = createGattPair({ server, serverPolicy: { mtu: 64 }, clientPolicy: { mtu: 64, exchangeMtu: "auto" } });
  const found = await pair.client.readByUuid(0x2a52, { startHandle: 19 });
  expect(found).toEqual([{ handle: 24, value: hex("02") }]);
  await expect(pair.client.readByUuid(0x2a52)).rejects.toMatchObject({ errorCode: AttErrorCode.ReadNotPermitted, attributeHandle: 17 });
  expect(await pair.client.readByUuid(0x1234)).toEqual([]);
  await expect(pair.client.readByUuid(0x1234, { startHandle: 0 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(toHex(await pair.client.readMultiple([24, 8]))).toBe("0250");
  expect((await pair.client.readMultipleVariable([24, 15])).map(toHex)).toEqual(["02", toHex(range(22))]);
  await expect(pair.client.readMultiple([1])).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(pair.client.read(0)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

// --- writing ----------------------------------------------------------------------------------------------------------------------

test("GATT/CL/GAW/BV-03-C, BV-05-C: a value that does not fit is written in parts that are compared", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "write"], value: hex("00") });
  using pair = createGattPair({ server, clientPolicy: { exchangeMtu: "on-demand" } });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  await characteristic.write(range(20));
  expect(sentOpcodes(pair, 0x16)).toBe(0);
  await characteristic.write(range(21));
  expect(sentOpcodes(pair, 0x16)).toBe(2);
  await characteristic.write(range(512));
  expect(await characteristic.read()).toEqual(range(512));
  await pair.client.writeLong(characteristic.valueHandle, hex("ffff"), { offset: 1 });
  expect(first(await characteristic.read())).toBe("00ffff");
  await expect(characteristic.write(new Uint8Array(513))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(pair.client.writeLong(3, range(2), { offset: 511 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("GATT/CL/GAW/BV-06-C: several values in one go", async () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write"], value: hex("00") },
    { uuid: 0x2a1a, properties: ["read", "write"], value: hex("00") },
  );
  using pair = createGattPair({ server });
  await pair.client.reliableWrite([
    { handle: 5, value: range(30) },
    { handle: 3, value: new Uint8Array(0) },
  ]);
  expect(await pair.client.read(5)).toEqual(range(30));
  expect(await pair.client.read(3)).toHaveLength(0);
});

test.each([
  ["another value", "170300000099"],
  ["another handle", "170400000001"],
  ["another offset", "170300010001"],
  ["less", "1703000000"],
])("an echo with %s cancels everything", async (_name, echo) => {
  using pair = scripted([echo, "19"]);
  await expect(pair.client.reliableWrite([{ handle: 3, value: hex("01") }])).rejects.toMatchObject({ code: "ERR_ATT_PROTOCOL" });
  await delay(pair.clock, 1);
  expect(pair.clientChannel.sent.map(toHex)).toEqual(["160300000001", "1800"]);
});

test("a long write that is refused or given up is cancelled before the next one begins", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "write"], value: hex("00") });
  using pair = createGattPair({ server, clientPolicy: { exchangeMtu: "never" } });
  server.pause();
  const abort = new AbortController();
  const abandoned = pair.client.write(3, range(100), { signal: abort.signal });
  const next = pair.client.write(3, range(50));
  await delay(pair.clock, 1);
  abort.abort(new Error("enough"));
  await expect(abandoned).rejects.toThrow("enough");
  server.resume();
  await next;
  expect(await pair.client.read(3)).toEqual(range(50));
  expect(pair.clientChannel.sent.filter((pdu) => pdu[0] === 0x18).map(toHex)).toEqual(["1800", "1801"]);
});

test("GATT/CL/GAW/BV-01-C: writes without a response wait for room on the link", async () => {
  const written: string[] = [];
  const server = serverWith({ uuid: 0x2a19, properties: ["write-without-response"], write: (value) => void written.push(toHex(value)) });
  using pair = createGattPair({ server, clientPolicy: { exchangeMtu: "on-demand" } });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  await characteristic.writeWithoutResponse(hex("01"));
  pair.clientChannel.writable = false;
  expect(characteristic.tryWriteWithoutResponse(hex("02"))).toBe(false);
  const second = characteristic.writeWithoutResponse(hex("03"));
  await delay(pair.clock, 1);
  expect(written).toEqual(["01"]);
  pair.clientChannel.writable = true;
  await second;
  expect(characteristic.tryWriteWithoutResponse(hex("04"))).toBe(true);
  expect(written).toEqual(["01", "03", "04"]);
  await expect(characteristic.writeWithoutResponse(range(21))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("the policy's largest PDU holds for requests too, whatever was negotiated", async () => {
  const server = pump();
  server.addService({ uuid: 0x1810, characteristics: [{ uuid: 0x2a35, properties: ["read", "write"], value: range(300) }] });
  using pair = createGattPair({ server, clientPolicy: { maxTxPdu: 23, mtu: 247, exchangeMtu: "auto" } });
  const characteristic = await pair.client.characteristic(0x1810, 0x2a35);
  expect(pair.client.mtu).toBe(247);
  expect(pair.client.maxValueLength).toBe(20);
  expect(await characteristic.read()).toEqual(range(300));
  await characteristic.write(range(200));
  expect(await characteristic.read()).toEqual(range(200));
  await pair.client.services();
  await pair.client.service(VENDOR);
  await expect(pair.client.readMultiple(Array.from({ length: 12 }, () => 3))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(Math.max(...pair.clientChannel.sent.map((pdu) => pdu.length))).toBeLessThanOrEqual(23);
});

// --- MTU and security -----------------------------------------------------------------------------------------------------------------

test('with the policy "auto" the MTU is exchanged before the first request, once', async () => {
  using pair = createGattPair({ server: pump(), clientPolicy: { exchangeMtu: "auto", mtu: 100 } });
  await Promise.all([pair.client.read(3), pair.client.services(), pair.client.write(17, hex("01"))]);
  expect(toHex(pair.clientChannel.sent[0]!)).toBe("026400");
  expect(sentOpcodes(pair, 0x02)).toBe(1);
  expect(pair.client.mtu).toBe(100);
});

test("a peer that cannot exchange the MTU is talked to at 23", async () => {
  using pair = scripted(["0102000006", "0b01"], { clientPolicy: { exchangeMtu: "auto" } });
  expect(toHex(await pair.client.read(3))).toBe("01");
  expect(pair.client.mtu).toBe(23);
});

test("a request refused for lack of security is made once more after the link was secured", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read", "write", "notify"],
    value: hex("01"),
    permissions: { read: "encrypted", write: "authenticated" },
  });
  let raised = 0;
  using pair: GattPair = createGattPair({
    server,
    client: {
      elevate: async ({ refusal, requirement }) => {
        expect(refusal?.errorCode).toBe(AttErrorCode.InsufficientAuthentication);
        expect(requirement).toMatchObject({ encrypted: true });
        raised++;
        await delay(pair.clock, 3000);
        pair.secure(BONDED);
      },
    },
  });
  const values: string[] = [];
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  await Promise.all([
    characteristic.subscribe((value) => values.push(toHex(value))),
    characteristic.read(),
    characteristic.write(hex("02")),
  ]);
  expect(raised).toBe(1);
  server.characteristic(0x180f, 0x2a19)!.tryNotify(hex("05"));
  expect(values).toEqual(["05"]);
});

test("without a way to raise it, or when that does not help, the refusal stands", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], value: hex("01"), permissions: { read: "encrypted" } });
  using plain = createGattPair({ server });
  await expect(plain.client.read(3)).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 5 });
  let raised = 0;
  using useless = createGattPair({ server, client: { elevate: async () => void raised++ } });
  await expect(useless.client.read(3)).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 5 });
  expect(raised).toBe(1);
  using failing = createGattPair({ server, client: { elevate: () => Promise.reject(LOST) } });
  await expect(failing.client.read(3)).rejects.toBe(LOST);
});

// --- subscriptions ----------------------------------------------------------------------------------------------------------------

async function subscribed(server: GattServer, uuid = 0x2a19): Promise<GattPair & { characteristic: RemoteCharacteristic }> {
  const pair = createGattPair({ server });
  return Object.assign(pair, { characteristic: await pair.client.characteristic(0x180f, uuid) });
}

test("GATT/CL/GAN/BV-01-C: notifications in a loop, whose end switches them off", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"] });
  using pair = await subscribed(server);
  const local = server.characteristic(0x180f, 0x2a19)!;
  const seen: string[] = [];
  for (let i = 0; i < 5; i++) pair.clock.setTimer(10 * (i + 1), "notify", () => local.tryNotify(Uint8Array.of(i)));
  for await (const value of pair.characteristic.notifications()) {
    seen.push(toHex(value));
    if (seen.length === 3) break;
  }
  expect(seen).toEqual(["00", "01", "02"]);
  await delay(pair.clock, 1); // the peer is told behind the loop's back
  expect(local.subscribers).toEqual([]);
});

test("notifications that come before the answer to the subscription are not lost", async () => {
  using pair = scripted(["070100 0500", "010606000a", "0907 0200 10 0300 192a", "010804000a", "0501 0400 0229", "010405000a"]);
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  const loop = characteristic.notifications();
  const value = loop.next();
  await delay(pair.clock, 1);
  expect(toHex(pair.clientChannel.sent.at(-1)!)).toBe("1204000100");
  pair.clientChannel.receive(hex("1b030007"));
  pair.clientChannel.receive(hex("13"));
  expect(toHex((await value).value!)).toBe("07");
  await loop.return(undefined);
  await delay(pair.clock, 1);
  expect(toHex(pair.clientChannel.sent.at(-1)!)).toBe("1204000000");
  pair.clientChannel.receive(hex("13"));
});

test("GATT/CL/GAI/BV-01-C: indications, confirmed before they are handed up", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["indicate"] });
  using pair = await subscribed(server);
  const local = server.characteristic(0x180f, 0x2a19)!;
  const seen: string[] = [];
  const subscription = await pair.characteristic.subscribe((value) => {
    seen.push(`${toHex(value)} after ${sentOpcodes(pair, 0x1e)} confirmations`);
  });
  await local.indicate(hex("01"));
  await local.indicate(hex("02"));
  expect(seen).toEqual(["01 after 1 confirmations", "02 after 2 confirmations"]);
  await subscription.unsubscribe();
  expect(local.subscribers).toEqual([]);
  const indications = pair.characteristic.indications();
  const next = indications.next();
  await delay(pair.clock, 1);
  await local.indicate(hex("03"));
  expect(toHex((await next).value!)).toBe("03");
  await indications.return(undefined);
  await expect(pair.characteristic.notifications().next()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
});

test("the configuration is written for the first subscriber and the last, and for each kind", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify", "indicate"] });
  using pair = await subscribed(server);
  const local = server.characteristic(0x180f, 0x2a19)!;
  const seen: string[] = [];
  const join = (name: string, kind: "notify" | "indicate") =>
    pair.characteristic.subscribe((value) => seen.push(`${name} ${toHex(value)}`), { kind });
  const [a, b] = await Promise.all([join("a", "notify"), join("b", "notify")]);
  const c = await join("c", "indicate");
  await local.notify(hex("01"));
  await local.indicate(hex("02"));
  await a[Symbol.asyncDispose]();
  await a[Symbol.asyncDispose]();
  await local.notify(hex("03"));
  await c[Symbol.asyncDispose]();
  await Promise.all([b[Symbol.asyncDispose](), join("d", "notify")]);
  await local.notify(hex("04"));
  expect(seen).toEqual(["a 01", "b 01", "c 02", "b 03", "d 04"]);
  expect(pair.clientChannel.sent.filter((pdu) => pdu[0] === 0x12).map(toHex)).toEqual(["1204000100", "1204000300", "1204000100"]);
});

test("a loop that is behind loses the oldest values", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"] });
  using pair = await subscribed(server);
  const loop = pair.characteristic.notifications({ capacity: 2 });
  const value = loop.next();
  await delay(pair.clock, 1);
  for (let i = 0; i < 6; i++) server.characteristic(0x180f, 0x2a19)!.tryNotify(Uint8Array.of(i));
  expect(toHex((await value).value!)).toBe("00");
  expect(toHex((await loop.next()).value!)).toBe("04");
  expect(toHex((await loop.next()).value!)).toBe("05");
  expect(loop.dropped).toBe(3);
  await loop.return(undefined);
  await expect(pair.characteristic.notifications({ capacity: 0 }).next()).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("aborting a loop throws the reason and unsubscribes; a lost link throws its reason", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"] });
  using pair = await subscribed(server);
  const local = server.characteristic(0x180f, 0x2a19)!;
  const abort = new AbortController();
  const aborted = pair.characteristic.notifications({ signal: abort.signal }).next();
  await delay(pair.clock, 1);
  abort.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await delay(pair.clock, 1);
  expect(local.subscribers).toEqual([]);
  await expect(pair.characteristic.notifications({ signal: abort.signal }).next()).rejects.toThrow("enough");

  const ended: unknown[] = [];
  const loop = pair.characteristic.notifications().next();
  await pair.characteristic.subscribe(() => {}, { onEnd: (reason) => ended.push(reason) });
  await delay(pair.clock, 1);
  pair.clientChannel.close(LOST);
  await expect(loop).rejects.toBe(LOST);
  expect(ended).toEqual([LOST]);
  await expect(pair.characteristic.subscribe(() => {})).rejects.toBe(LOST);
  await delay(pair.clock, 1);
  expect(pair.clock.pending).toEqual([]);
});

test("a subscription that the peer refuses leaves nothing behind", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"], permissions: { subscribe: "encrypted" } });
  using pair = await subscribed(server);
  await expect(pair.characteristic.subscribe(() => {})).rejects.toMatchObject({ errorCode: 5 });
  await delay(pair.clock, 1);
  expect(pair.clientChannel.sent.filter((pdu) => pdu[0] === 0x12).map(toHex)).toEqual(["1204000100"]);
  using bare = scripted(["0701000300", "010604000a", "0907 0200 10 0300 192a", "010803000a"]);
  const characteristic = await bare.client.characteristic(0x180f, 0x2a19);
  const seen: string[] = [];
  const subscription = await characteristic.subscribe((value) => seen.push(toHex(value)));
  expect(subscription.configured).toBe(false);
  expect(bare.log.filter((line) => /no Client Characteristic Configuration/.test(line))).toHaveLength(1);
  bare.clientChannel.receive(hex("1b030007"));
  await subscription.unsubscribe();
  bare.clientChannel.receive(hex("1b030008"));
  expect([seen, sentOpcodes(bare, 0x12)]).toEqual([["07"], 0]);
});

test("every notification can be watched, subscribed to or not", async () => {
  using pair = createGattPair();
  const seen: unknown[] = [];
  const watch = pair.client.onValue((value) => seen.push(value));
  pair.clientChannel.receive(hex("1b090064"));
  pair.clientChannel.receive(hex("1d090065"));
  watch[Symbol.dispose]();
  pair.clientChannel.receive(hex("1b090066"));
  expect(seen).toEqual([
    { handle: 9, value: hex("64"), indication: false },
    { handle: 9, value: hex("65"), indication: true },
  ]);
});

// --- changes ------------------------------------------------------------------------------------------------------------------------

test("GATT/CL/GAS/BV-01-C: what Service Changed names is forgotten, the rest is kept", async () => {
  const server = pump();
  server.addService(gattService());
  const temporary = server.addService({ uuid: 0x1810, characteristics: [{ uuid: 0x2a35, properties: ["notify"] }] });
  using pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  const battery = await pair.client.characteristic(0x180f, 0x2a19);
  const pressure = await pair.client.characteristic(0x1810, 0x2a35);
  const loop = pressure.notifications().next();
  await delay(pair.clock, 1);
  const changes: unknown[] = [];
  pair.client.onServiceChanged((change) => changes.push(change));
  server.removeService(temporary);
  const gone = { code: "ERR_GATT_CHANGED", uuid: "2a35", handle: pressure.handle, movedTo: undefined };
  await expect(loop).rejects.toMatchObject(gone);
  expect(changes).toEqual([{ startHandle: temporary.handle, endHandle: temporary.endHandle }]);
  await expect(pressure.read()).rejects.toMatchObject(gone);
  await expect(pressure.descriptors()).rejects.toMatchObject(gone);
  expect(await battery.read()).toEqual(Uint8Array.of(80));
  expect(await pair.client.characteristic(0x180f, 0x2a19)).toBe(battery);
  await expect(pair.client.characteristic(0x1810, 0x2a35)).rejects.toMatchObject({ code: "ERR_GATT_NOT_FOUND" });
  expect((await pair.client.readByUuid(0x2b29))[0]?.value).toEqual(Uint8Array.of(5));
  expect(await pair.client.readDatabaseHash()).toEqual(server.databaseHash);
});

test("after Database Out Of Sync everything is asked for again", async () => {
  using pair = scripted(["0701000500", "010606000a", "010a030012", "110601000500 0a18", "011006000a", "0b01"]);
  const service = await pair.client.service(0x180f);
  await expect(pair.client.read(3)).rejects.toMatchObject({ errorCode: AttErrorCode.DatabaseOutOfSync });
  await expect(service.characteristics()).rejects.toMatchObject({ code: "ERR_GATT_CHANGED", uuid: "180f", handle: 1 });
  expect(await pair.client.read(3)).toEqual(hex("01"));
});

test("services that change while they are discovered are discovered again", async () => {
  const server = pump();
  server.addService(gattService());
  using pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  let left = 1;
  pair.clientChannel.filter = (pdu) => {
    if (toHex(pdu).startsWith("100100") && left-- > 0) server.addService({ uuid: 0x1811, characteristics: [] });
    return true;
  };
  expect((await pair.client.services()).map(({ uuid }) => uuid.text)).toEqual(["1800", "180f", VENDOR, "181f", "1801", "1811"]);
  left = 100;
  await expect(pair.client.services({ refresh: true })).rejects.toMatchObject({ code: "ERR_STATE" });
  await pair.clock.advance(100);
  expect(left).toBe(94); // three attempts, and three behind the program's back, for who listens
});

test("a peer that falls silent: the request times out, and everything after it is refused", async () => {
  const server = pump();
  using pair = createGattPair({ server });
  const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
  server.pause();
  const whoeverAsks = async (): Promise<unknown> => await characteristic.read();
  const timedOut = expect(whoeverAsks()).rejects.toMatchObject({
    code: "ERR_ATT_TIMEOUT",
    requestOpcode: 0x0a,
    stack: expect.stringContaining("whoeverAsks"),
    cause: { code: "ERR_ATT_TIMEOUT" },
  });
  await pair.clock.advance(30_000);
  await timedOut;
  for (const refused of [
    pair.client.read(3),
    pair.client.service(0x1810),
    characteristic.subscribe(() => {}),
    pair.client.write(3, range(100)),
  ])
    await expect(refused).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  await expect(characteristic.writeWithoutResponse(hex("00"))).rejects.toMatchObject({ code: "ERR_ATT_BEARER_CLOSED" });
  expect(characteristic.tryWriteWithoutResponse(hex("00"))).toBe(false);
  await delay(pair.clock, 1);
  expect(pair.clientBearer.pending).toBe(0);
});
