import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/index.ts";
import { Address, ArgumentError } from "../src/core/index.ts";
import { type Advertising, type Connection, Device, type DeviceOptions } from "../src/device/index.ts";
import { AdvertisingData, type AdvertisingDataLike } from "../src/gap/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

// What a program in JavaScript may hand in by mistake. Each is an ArgumentError that says what was expected, before any command is sent.

const PEER = Address.from("00:00:00:00:00:01");
let controller: ScriptedController;
let device: Device;
let connection: Connection;
let advertising: Advertising;

beforeAll(async () => {
  controller = new ScriptedController();
  device = await Device.open(controller.transport, { clock: new VirtualClock() });
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  connection = await device.connect(PEER);
  advertising = await device.advertise();
  controller.commands.length = 0;
});
afterAll(async () => {
  expect(controller.commands).toEqual([]);
  await device.close();
});

/** Rejections and exceptions alike. */
const attempt = async (call: () => unknown): Promise<unknown> => {
  try {
    return await call();
  } catch (error) {
    return error;
  }
};
const any = (value: unknown): never => value as never;
const refuses = (cases: readonly [call: () => unknown, message: string][]): void => {
  test.each(cases.map(([call, message]) => [String(call).replace(/^.*=> /s, ""), call, message] as const))(
    "%s",
    async (_text, call, message) => {
      const error = await attempt(call);
      expect(error).toBeInstanceOf(ArgumentError);
      expect((error as ArgumentError).message).toContain(message);
    },
  );
};

describe("Device.open", () => {
  const open = (options: unknown): Promise<Device> => Device.open(new ScriptedController().transport, any(options));
  refuses([
    [() => Device.open(any(undefined)), "Device.open: expected a transport or a function that opens one, got undefined"],
    [() => Device.open(any(5)), "got 5"],
    [() => Device.open(any({})), "got an object"],
    [() => open(5), "expected an object of options, got 5"],
    [() => open({ adress: "random" }), 'unknown option "adress", did you mean "address"?'],
    [() => open({ name: 5 }), "name: expected text, got 5"],
    [() => open({ appearance: 70_000 }), "appearance: expected a whole number from 0 to 65535"],
    [() => open({ address: "none" }), 'address: expected "public", "random" or an Address'],
    [() => open({ irk: "0123456789abcdef" }), "identity resolving key: expected a Uint8Array, got a string"],
    [() => open({ bonds: new Map() }), 'bonds: expected an object with a method "load"'],
    [() => open({ clock: Date }), "clock: expected an object"],
    [() => open({ random: Math.random }), "random: expected an object"],
    [() => open({ logger: console }), 'logger: expected an object with a method "child"'],
    [() => open({ capture: "file" }), "capture: expected a function"],
    [() => open({ gattServer: "none" }), 'gattServer: expected "default", "empty"'],
    [() => open({ commandTimeoutMs: "5000" }), "commandTimeoutMs: expected milliseconds"],
    [() => open({ signal: new AbortController() }), "signal: expected an AbortSignal"],
    [() => open({ policy: { encrypt: true } }), 'policy: unknown option "encrypt"'],
    [() => open({ policy: { authorize: true } }), "policy: authorize: expected a function"],
    [() => open({ policy: 5 }), "policy: expected an object of options"],
    [() => open({ agent: () => true }), "policy: agent: expected an object"],
    [() => open({ pairing: "never" }), "policy: pairing: expected an object"],
    [() => open({ att: 23 }), "policy: att: expected an object"],
    [() => open({ privateAddressIntervalMs: Number.NaN }), "private address interval NaN ms"],
  ] satisfies [() => Promise<Device>, string][]);
  test("takes every option in its right kind", async () => {
    const options: DeviceOptions = {
      name: "",
      appearance: 0,
      commandTimeoutMs: 100,
      signal: new AbortController().signal,
      capture: () => {},
    };
    await (await open(options)).close();
  });
});

describe("scan and startScan", () => {
  refuses([
    [() => device.scan(any({ timeoutMs: 5 })).next(), 'scan: unknown option "timeoutMs"'],
    [() => device.scan(any({ service: ["180D"] })).next(), 'unknown option "service", did you mean "services"?'],
    [() => device.scan(any(null)).next(), "expected an object of options, got null"],
    [() => device.scan(any(5)).next(), "expected an object of options, got 5"],
    [() => device.scan({ name: any(5) }).next(), "name: expected text, got 5"],
    [() => device.scan({ services: any("180D") }).next(), "services: expected an array of UUIDs, got a string"],
    [() => device.scan({ services: ["18"] }).next(), 'UUID "18"'],
    [() => device.scan({ services: [any(undefined)] }).next(), "UUID"],
    [() => device.scan({ filter: any("x") }).next(), "filter: expected a function"],
    [() => device.scan({ active: any("no") }).next(), "active: expected true or false"],
    [() => device.scan({ duplicates: any("none") }).next(), "duplicates: expected"],
    [() => device.scan({ ownAddress: any("static") }).next(), "ownAddress: expected"],
    [() => device.scan({ intervalMs: any("60") }).next(), "scan interval a string ms"],
    [() => device.scan({ intervalMs: 2 }).next(), "scan interval 2 ms: expected 2.5 to 10240 ms"],
    [() => device.scan({ windowMs: 70 }).next(), "scan window 70 ms: expected at most the interval of 60 ms"],
    [() => device.scan({ signal: any({}) }).next(), "signal: expected an AbortSignal"],
    [() => device.startScan({}, any(undefined)), "onAdvertisement: expected a function"],
    [() => device.startScan(any({ timeoutMs: 5 }), () => {}), "unknown option"],
    [() => device.startScan(any(undefined), () => {}), "expected an object of options"],
  ]);
});

describe("connect", () => {
  refuses([
    [() => device.connect(any(5)), "device address: expected an Address, or text"],
    [() => device.connect(any(undefined)), "device address: expected an Address"],
    [() => device.connect("00:11"), 'device address "00:11"'],
    [() => device.connect(PEER, any({ timeout: 5 })), 'unknown option "timeout", did you mean "timeoutMs"?'],
    [() => device.connect(PEER, any(5)), "expected an object of options, got 5"],
    [() => device.connect(PEER, { timeoutMs: -1 }), "timeoutMs: expected milliseconds from 0"],
    [() => device.connect(PEER, { timeoutMs: Number.NaN }), "timeoutMs: expected milliseconds from 0"],
    [() => device.connect(PEER, { intervalMs: any("50") }), "connection interval a string ms"],
    [() => device.connect(PEER, { intervalMs: any([50]) }), "connection interval of 1 values"],
    [() => device.connect(PEER, { latency: 0.5 }), "latency 0.5"],
    [() => device.connect(PEER, { scanWindowMs: 100 }), "scan window 100 ms"],
    [() => device.connect(PEER, { ownAddress: any("static") }), "ownAddress: expected"],
    [() => device.connect(PEER, { signal: any(1) }), "signal: expected an AbortSignal"],
    [() => device.connect(PEER, { policy: any({ dataLenght: "never" }) }), 'unknown option "dataLenght", did you mean "dataLength"?'],
  ]);
});

describe("advertise", () => {
  refuses([
    [() => device.advertise(any({ interval: 100 })), 'unknown option "interval", did you mean "intervalMs"?'],
    [() => device.advertise(any(null)), "expected an object of options, got null"],
    [() => device.advertise({ data: any("hello") }), "advertising data: expected octets, fields or AD structures, got a string"],
    [() => device.advertise({ data: any(new DataView(new ArrayBuffer(2))) }), "got an object (DataView)"],
    [() => device.advertise({ intervalMs: any("100") }), "advertising interval a string ms"],
    [() => device.advertise({ connectable: any("no") }), "connectable: expected true or false"],
    [() => device.advertise({ channels: any(37) }), "channels: expected an array"],
    [() => device.advertise({ channels: any(["37"]) }), "advertising channel a string"],
    [() => device.advertise({ restart: any("always") }), "restart: expected"],
    [() => device.advertise({ ownAddress: any("static") }), "ownAddress: expected"],
    [() => device.advertise({ direct: any({ peer: "00:00:00:00:00:01" }) }), "direct: peer: expected an Address, got a string"],
    [() => device.advertise({ direct: any({ peer: PEER, high: true }) }), 'unknown option "high"'],
    [() => device.advertise({ direct: any(null) }), "direct: expected an object"],
    [() => device.advertise({ direct: { peer: PEER }, connectable: false }), "directed advertising is connectable"],
    [() => device.advertise({ direct: { peer: PEER }, scanResponse: { name: "x" } }), "no scan response"],
    [() => device.advertise({ signal: any("x") }), "signal: expected an AbortSignal"],
    [() => advertising.update(any({ dat: {} })), 'unknown option "dat", did you mean "data"?'],
    [() => advertising.update(any(undefined)), "expected an object of options"],
    [() => advertising.update({ data: any("x") }), "advertising data: expected octets"],
    [() => advertising.connection(any({ timeout: 5 })), 'unknown option "timeout"'],
    [() => advertising.connection({ timeoutMs: any("5") }), "timeoutMs: expected milliseconds"],
    [() => advertising.connections(any({ timeoutMs: 5 })), 'unknown option "timeoutMs"'],
  ]);
});

describe("a device's and a connection's other calls", () => {
  refuses([
    [() => device.connections(any({ signl: 1 })), 'unknown option "signl", did you mean "signal"?'],
    [() => device.connections({ signal: any(1) }), "signal: expected an AbortSignal"],
    [() => device.on(any("conection"), () => {}), "device event: expected"],
    [() => device.on("connection", any(undefined)), 'listener of "connection": expected a function'],
    [() => device.onConnection(any("x")), 'listener of "connection": expected a function'],
    [() => connection.on(any("disconnect"), () => {}), "connection event: expected"],
    [() => connection.on("mtu", any(5)), 'listener of "mtu": expected a function'],
    [() => connection.updateParameters(any({ interval: 50 })), 'unknown option "interval", did you mean "intervalMs"?'],
    [() => connection.updateParameters({ intervalMs: 5 }), "connection interval 5 ms: expected 7.5 to 4000 ms"],
    [() => connection.updateParameters({ supervisionTimeoutMs: any("1") }), "supervision timeout a string ms"],
    [() => connection.updateParameters({}, any({ timeout: 5 })), 'unknown option "timeout"'],
    [() => connection.rssi({ timeoutMs: Number.NaN }), "timeoutMs: expected milliseconds"],
    [() => connection.remoteFeatures(any({ time: 5 })), 'unknown option "time"'],
    [() => connection.setDataLength(26), "txOctets: expected a whole number from 27 to 251"],
    [() => connection.setDataLength(any("251")), "txOctets: expected a whole number"],
    [() => connection.disconnect(0x16), "disconnect: reason 22"],
    [() => connection.disconnect(any("bye")), "disconnect: reason a string"],
  ]);
});

describe("advertising data", () => {
  const from = (data: unknown): AdvertisingData => AdvertisingData.from(data as AdvertisingDataLike);
  refuses([
    [() => from(undefined), "got undefined"],
    [() => from(new Map()), "got an object (Map)"],
    [() => from(new ArrayBuffer(3)), "got an object (ArrayBuffer)"],
    [() => from({ names: "x" }), 'field "names"'],
    [() => from({ name: 5 }), "name: expected text, got 5"],
    [() => from({ shortenedName: new Uint8Array(1) }), "shortened name: expected text"],
    [() => from({ flags: "6" }), "flags a string: expected a whole number"],
    [() => from({ txPowerDbm: 1.5 }), "TX power 1.5"],
    [() => from({ appearance: -1 }), "appearance -1"],
    [() => from({ serviceUuids: "180D" }), "service UUIDs: expected an array, got a string"],
    [() => from({ serviceUuids: [null] }), "UUID"],
    [() => from({ manufacturerData: [{ companyIdentifier: 1, data: "x" }] }), "manufacturer data: expected a Uint8Array"],
    [() => from({ manufacturerData: { company: 1, data: new Uint8Array(0) } }), 'unknown option "company"'],
    [() => from({ manufacturerData: 5 }), "manufacturer data: expected an object"],
    [() => from({ serviceData: { uuid: "180D", data: [1] } }), "service data: expected a Uint8Array, got an array"],
    [() => from({ connectionIntervalRange: { min: 5 } }), 'unknown option "min"'],
    [() => from({ connectionIntervalRange: { minMs: "8" } }), "connection interval a string ms"],
    [() => from({ advertisingIntervalMs: "100" }), "advertising interval a string ms"],
    [() => from({ deviceAddress: "00:00:00:00:00:01" }), "device address: expected an Address"],
    [() => from({ publicTargetAddresses: [Address.from("C0:00:00:00:00:01/random")] }), "expected public addresses"],
    [() => from({ randomTargetAddresses: PEER }), "random target addresses: expected an array"],
    [() => from({ leRole: 256 }), "LE role 256"],
    [() => from({ uri: "http:" }), "uri: expected a Uint8Array"],
    [() => from({ other: [{ type: 256, data: new Uint8Array(0) }] }), "AD type 256"],
    [() => from([{ type: 1, data: [6] }]), "AD structure: expected a Uint8Array, got an array"],
    [() => from([{ type: 1, value: 6 }]), 'unknown option "value"'],
    [() => from([5]), "AD structure: expected an object"],
  ]);
});
