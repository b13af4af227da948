import { describe, expect, test } from "vitest";
import { AttError, AttErrorCode } from "../src/att/index.ts";
import type { Device } from "../src/device/index.ts";
import type { LocalCharacteristic, LocalService } from "../src/gatt/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import {
  type Bluetooth,
  BluetoothAdvertisingEvent,
  type BluetoothDevice,
  type BluetoothOptions,
  type BluetoothRemoteGATTCharacteristic,
  chooseStrongest,
  createBluetooth,
  type DeviceCandidate,
  NO_BLOCKLIST,
  type RequestDeviceOptions,
} from "../src/webbluetooth/index.ts";

const BASE = "-0000-1000-8000-00805f9b34fb";
const octets = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
const bytesOf = (view: DataView | undefined): number[] => [...new Uint8Array(view!.buffer)];
/** A DOMException of this name. */
const named = (name: string): unknown => expect.objectContaining({ name });

/** A peripheral with services of all kinds, and what a page on another device has. */
class World implements AsyncDisposable {
  readonly air: SimulatedAir;
  readonly host: Device;
  readonly peripheral: Device;
  readonly bluetooth: Bluetooth;
  readonly battery: LocalService;
  readonly level: LocalCharacteristic;
  readonly events: string[] = [];
  written: number[] = [];
  subscriptions: string[] = [];

  static async open(seed: number, options: Partial<BluetoothOptions> = {}, mtu = 247): Promise<World> {
    const air = new SimulatedAir({ seed });
    const peripheral = await air.device({ name: "Sensor 12", att: { mtu } });
    const host = await air.device({ name: "host", att: { mtu } });
    const world = new World(air, host, peripheral, options);
    await world.advertise();
    return world;
  }

  private constructor(air: SimulatedAir, host: Device, peripheral: Device, options: Partial<BluetoothOptions>) {
    this.air = air;
    this.host = host;
    this.peripheral = peripheral;
    this.bluetooth = createBluetooth(host, { choose: chooseStrongest({ withinMs: 300 }), ...options });
    const server = peripheral.gattServer;
    const written = (value: Uint8Array): void => {
      this.written = [...value];
    };
    const fail = (code: number) => () => {
      throw new AttError(code);
    };
    const included = server.addService({
      uuid: 0x180a,
      characteristics: [
        { uuid: 0x2a25, properties: ["read"], value: octets(1) },
        { uuid: 0x2a29, properties: ["read"], value: octets(65) },
      ],
    });
    this.battery = server.addService({
      uuid: 0x180f,
      includes: [included],
      characteristics: [
        {
          uuid: 0x2a19,
          properties: ["read", "notify"],
          value: octets(100),
          description: "level",
          onSubscription: (_peer, { notify }) => {
            this.subscriptions.push(notify ? "on" : "off");
            if (notify) void this.level.notify(octets(7));
          },
          descriptors: [{ uuid: 0x2904, value: octets(4, 0, 0xad, 0x27, 1, 0, 0) }],
        },
      ],
    });
    this.level = this.battery.characteristics[0]!;
    server.addService({
      uuid: 0x1815,
      characteristics: [
        { uuid: 0x2a56, properties: ["write"], write: written },
        { uuid: 0x2a57, properties: ["write-without-response"], write: written },
        { uuid: 0x2a58, properties: ["read", "write", "reliable-write"], read: fail(0x80), write: fail(0x80) },
        {
          uuid: 0x2a59,
          properties: ["read", "write"],
          read: fail(AttErrorCode.InsufficientAuthorization),
          write: fail(AttErrorCode.InvalidAttributeValueLength),
        },
        { uuid: 0x2a5a, properties: ["indicate"] },
        { uuid: 0x2a6e, properties: ["read"], read: () => new Promise<Uint8Array>(() => undefined) },
        { uuid: 0x2a02, properties: ["read", "write"], value: octets(0) },
      ],
    });
    server.addService({ uuid: 0x1812, characteristics: [{ uuid: 0x2a4d, properties: ["read"], value: octets(1) }] });
  }

  async advertise(): Promise<void> {
    await this.peripheral.advertise({
      intervalMs: 30,
      restart: "disconnected",
      data: { serviceUuids: [0x180f], manufacturerData: [{ companyIdentifier: 0x59, data: octets(1, 2) }] },
      scanResponse: { name: "Sensor 12", serviceData: [{ uuid: 0x180a, data: octets(9) }] },
    });
  }

  request(
    options: RequestDeviceOptions = { filters: [{ services: ["battery_service"] }], optionalServices: ["automation_io"] },
  ): Promise<BluetoothDevice> {
    return this.bluetooth.requestDevice(options);
  }

  async connected(): Promise<BluetoothDevice> {
    const device = await this.request();
    await device.gatt!.connect();
    return device;
  }

  async characteristic(
    device: BluetoothDevice,
    service: string | number,
    uuid: string | number,
  ): Promise<BluetoothRemoteGATTCharacteristic> {
    return await (await device.gatt!.getPrimaryService(service)).getCharacteristic(uuid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.air[Symbol.asyncDispose]();
  }
}

describe("requestDevice", () => {
  test.each<[string, RequestDeviceOptions]>([
    ["a service", { filters: [{ services: ["battery_service"] }] }],
    ["a name of the scan response", { filters: [{ name: "Sensor 12" }] }],
    ["the beginning of a name", { filters: [{ namePrefix: "Sen" }] }],
    ["manufacturer data", { filters: [{ manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: octets(1) }] }] }],
    ["service data of the scan response", { filters: [{ serviceData: [{ service: "device_information" }] }] }],
    ["one filter of two", { filters: [{ name: "x" }, { namePrefix: "S" }] }],
    ["all devices", { acceptAllDevices: true }],
    ["a filter beside an exclusion of others", { filters: [{ namePrefix: "S" }], exclusionFilters: [{ name: "Sensor 13" }] }],
  ])("finds by %s", async (_what, options) => {
    await using world = await World.open(1);
    const device = await world.request(options);
    expect([device.name, device.gatt!.connected, device.gatt!.device === device, world.host.links]).toEqual(["Sensor 12", false, true, []]);
    expect(await world.bluetooth.getDevices()).toEqual([device]);
  });

  test.each<[string, RequestDeviceOptions]>([
    ["another service", { filters: [{ services: ["heart_rate"] }] }],
    [
      "what is excluded by its scan response",
      { filters: [{ services: ["battery_service"] }], exclusionFilters: [{ namePrefix: "Sensor" }] },
    ],
  ])("%s is a NotFoundError", async (_what, options) => {
    await using world = await World.open(2);
    await expect(world.request(options)).rejects.toEqual(named("NotFoundError"));
    expect(await world.bluetooth.getDevices()).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["filters and all devices", { filters: [{ name: "x" }], acceptAllDevices: true }],
    ["neither", { acceptAllDevices: false, optionalServices: ["battery_service"] }],
    ["no filter", { filters: [] }],
    ["an empty filter", { filters: [{}] }],
    ["an empty filter of two", { filters: [{ name: "x" }, {}] }],
    ["no exclusion", { filters: [{ name: "x" }], exclusionFilters: [] }],
    ["an empty exclusion", { filters: [{ name: "x" }], exclusionFilters: [{}] }],
    ["exclusions alone", { acceptAllDevices: true, exclusionFilters: [{ name: "x" }] }],
    ["an unknown optional service", { acceptAllDevices: true, optionalServices: ["battery"] }],
    ["optional services that are no array", { acceptAllDevices: true, optionalServices: 5 }],
  ])("%s is a TypeError", async (_what, options) => {
    await using world = await World.open(3);
    await expect(world.bluetooth.requestDevice(options as RequestDeviceOptions)).rejects.toBeInstanceOf(TypeError);
  });

  test("a service of the blocklist is a SecurityError in a filter, and left out of the optional ones", async () => {
    await using world = await World.open(4);
    await expect(world.request({ filters: [{ services: ["human_interface_device"] }] })).rejects.toEqual(named("SecurityError"));
    const device = await world.request({ acceptAllDevices: true, optionalServices: ["human_interface_device"] });
    await device.gatt!.connect();
    await expect(device.gatt!.getPrimaryService("human_interface_device")).rejects.toEqual(named("SecurityError"));
    await expect(device.gatt!.getPrimaryServices()).rejects.toEqual(named("NotFoundError"));
  });

  test("the chooser sees each device with its name and strength; what it gives is taken, nothing and an error are a NotFoundError", async () => {
    const seen: (string | undefined)[] = [];
    let take = (candidate: DeviceCandidate): DeviceCandidate | undefined => candidate;
    await using world = await World.open(5, {
      choose: async ({ candidates, options }) => {
        expect(options.acceptAllDevices).toBe(true);
        for await (const candidate of candidates) {
          seen.push(candidate.name);
          expect(candidate.rssiDbm).toBeLessThan(0);
          return take(candidate);
        }
        return undefined;
      },
    });
    const all = { acceptAllDevices: true };
    const device = await world.request(all);
    expect(await world.request(all)).toBe(device);
    take = () => undefined;
    await expect(world.request(all)).rejects.toEqual(named("NotFoundError"));
    take = () => {
      throw new Error("no user");
    };
    await expect(world.request(all)).rejects.toEqual(expect.objectContaining({ name: "NotFoundError", cause: new Error("no user") }));
    take = (candidate) => ({ ...candidate });
    await expect(world.request(all)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(seen).toEqual(Array(5).fill("Sensor 12"));
  });

  test("chooseStrongest takes the nearest; a device that is connected is found though it does not advertise", async () => {
    await using world = await World.open(6, { choose: chooseStrongest() });
    world.air.air.move(world.air.controllerOf(world.peripheral), { x: 20, y: 0 });
    const near = await world.air.device({ name: "near", controller: { position: { x: 1, y: 0 } } });
    world.air.air.move(world.air.controllerOf(world.host), { x: 0, y: 0 });
    await near.advertise({ intervalMs: 30, data: { name: "near", serviceUuids: [0x180f] } });
    const filters = [{ services: ["battery_service"] }];
    expect((await world.request({ filters })).name).toBe("near");
    const device = await world.request({ filters: [{ name: "Sensor 12" }] });
    await device.gatt!.connect();
    expect(await world.request({ filters })).toBe(device);
  });

  test("ids are the same for the same salt, and say nothing of the address", async () => {
    await using world = await World.open(7, { idSalt: "https://example.org" });
    const { id } = await world.request();
    const again = createBluetooth(world.host, { choose: chooseStrongest({ withinMs: 300 }), idSalt: "https://example.org" });
    const other = createBluetooth(world.host, { choose: chooseStrongest({ withinMs: 300 }) });
    const filters = [{ name: "Sensor 12" }];
    expect((await again.requestDevice({ filters })).id).toBe(id);
    expect((await other.requestDevice({ filters })).id).not.toBe(id);
    expect(id).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  });

  test("wrong options of createBluetooth are refused", async () => {
    await using world = await World.open(8);
    const choose = chooseStrongest();
    for (const options of [
      undefined,
      {},
      { choose: 5 },
      { choose, blocklist: {} },
      { choose, chooser: choose },
      { choose, idSalt: 5 },
      { choose, allowScan: true },
    ])
      expect(() => createBluetooth(world.host, options as BluetoothOptions)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => createBluetooth({} as Device, { choose })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => chooseStrongest({ withinMs: -1 })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});

describe("a connection", () => {
  test("objects are the same each time; services not asked for are a SecurityError, absent ones a NotFoundError", async () => {
    await using world = await World.open(10);
    const device = await world.request({ filters: [{ services: ["battery_service"] }], optionalServices: ["automation_io", "heart_rate"] });
    const server = await device.gatt!.connect();
    expect([server === device.gatt, server.connected, (await device.gatt!.connect()) === server]).toEqual([true, true, true]);
    const battery = await server.getPrimaryService(0x180f);
    expect([battery.uuid, battery.isPrimary, battery.device]).toEqual([`0000180f${BASE}`, true, device]);
    expect(await server.getPrimaryService("battery_service")).toBe(battery);
    expect((await server.getPrimaryServices()).map(({ uuid }) => uuid)).toEqual([`0000180f${BASE}`, `00001815${BASE}`]);
    expect(await server.getPrimaryServices("battery_service")).toEqual([battery]);
    await expect(server.getPrimaryService("device_information")).rejects.toEqual(named("SecurityError"));
    await expect(server.getPrimaryServices(0x1801)).rejects.toEqual(named("SecurityError"));
    await expect(server.getPrimaryService("heart_rate")).rejects.toEqual(named("NotFoundError"));
    await expect(server.getPrimaryService("Heart Rate")).rejects.toBeInstanceOf(TypeError);
    await expect(server.getPrimaryService(undefined as never)).rejects.toBeInstanceOf(TypeError);

    const level = await battery.getCharacteristic("battery_level");
    expect([level.uuid, level.service, level.value]).toEqual([`00002a19${BASE}`, battery, null]);
    expect(await battery.getCharacteristics()).toEqual([level]);
    expect(await battery.getCharacteristic(0x2a19)).toBe(level);
    await expect(battery.getCharacteristic("heart_rate_measurement")).rejects.toEqual(named("NotFoundError"));
    await expect(battery.getCharacteristics("heart_rate_measurement")).rejects.toEqual(named("NotFoundError"));
    await expect(battery.getCharacteristic("battery")).rejects.toBeInstanceOf(TypeError);
    await expect(battery.getCharacteristic("serial_number_string")).rejects.toEqual(named("SecurityError"));
    const information = await battery.getIncludedService("device_information");
    expect(await battery.getIncludedServices()).toEqual([information]);
    expect((await information.getCharacteristics()).map(({ uuid }) => uuid)).toEqual([`00002a29${BASE}`]);
    await expect(battery.getIncludedService("heart_rate")).rejects.toEqual(named("NotFoundError"));
    await expect(information.getIncludedServices()).rejects.toEqual(named("NotFoundError"));
  });

  test("properties, the extended ones among them", async () => {
    await using world = await World.open(11);
    const device = await world.connected();
    const io = await device.gatt!.getPrimaryService("automation_io");
    const none = {
      broadcast: false,
      read: false,
      writeWithoutResponse: false,
      write: false,
      notify: false,
      indicate: false,
      authenticatedSignedWrites: false,
      reliableWrite: false,
      writableAuxiliaries: false,
    };
    const all = (await io.getCharacteristics()).map(({ properties }) => ({ ...properties }));
    expect(all.slice(0, 3)).toEqual([
      { ...none, write: true },
      { ...none, writeWithoutResponse: true },
      { ...none, read: true, write: true, reliableWrite: true },
    ]);
  });

  test("readValue sets value, fires and gives the same view, whose buffer is the value", async () => {
    await using world = await World.open(12);
    const level = await world.characteristic(await world.connected(), "battery_service", "battery_level");
    const seen: unknown[] = [];
    world.bluetooth.addEventListener("characteristicvaluechanged", ({ target }) => seen.push(target));
    const value = await level.readValue();
    expect([bytesOf(value), level.value === value, seen]).toEqual([[100], true, [level]]);
  });

  test("writes set value, and go as they are asked to", async () => {
    await using world = await World.open(13);
    const device = await world.connected();
    const written = await world.characteristic(device, "automation_io", "digital");
    const commanded = await world.characteristic(device, "automation_io", "digital_output");
    await written.writeValueWithResponse(octets(0, 1, 2, 0).subarray(1, 3));
    expect([world.written, bytesOf(written.value)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await written.writeValue(octets(3).buffer);
    expect(world.written).toEqual([3]);
    await written.writeValue(new DataView(octets(4, 5).buffer, 1));
    expect(world.written).toEqual([5]);
    await commanded.writeValueWithoutResponse(octets(6));
    await commanded.writeValue(octets(7));
    await world.air.advance(100);
    expect([world.written, world.air.trace("AttWriteCmd").length, bytesOf(commanded.value)]).toEqual([[7], 2, [7]]);
    const long = new Uint8Array(512).fill(8);
    await written.writeValueWithResponse(long);
    expect(world.written).toEqual([...long]);
  });

  test("refusals have the specification's names", async () => {
    await using world = await World.open(14);
    const device = await world.connected();
    const get = (uuid: number): Promise<BluetoothRemoteGATTCharacteristic> => world.characteristic(device, "automation_io", uuid);
    const [written, commanded, failing, refusing, indicated, privacy] = await Promise.all(
      [0x2a56, 0x2a57, 0x2a58, 0x2a59, 0x2a5a, 0x2a02].map(get),
    );
    await expect(written!.readValue()).rejects.toEqual(named("NotSupportedError"));
    await expect(written!.writeValueWithoutResponse(octets(1))).rejects.toEqual(named("NotSupportedError"));
    await expect(commanded!.writeValueWithResponse(octets(1))).rejects.toEqual(named("NotSupportedError"));
    await expect(indicated!.writeValue(octets(1))).rejects.toEqual(named("NotSupportedError"));
    await expect(written!.startNotifications()).rejects.toEqual(named("NotSupportedError"));
    await expect(written!.writeValue(new Uint8Array(513))).rejects.toEqual(named("InvalidModificationError"));
    await expect(commanded!.writeValueWithoutResponse(new Uint8Array(400))).rejects.toEqual(named("InvalidModificationError"));
    await expect(written!.writeValue([1] as never)).rejects.toBeInstanceOf(TypeError);
    await expect(failing!.readValue()).rejects.toEqual(named("NotSupportedError")); // an application's error
    await expect(failing!.writeValue(octets(1))).rejects.toEqual(named("InvalidModificationError"));
    await expect(refusing!.readValue()).rejects.toEqual(
      expect.objectContaining({ name: "SecurityError", cause: expect.objectContaining({ code: "ERR_ATT" }) }),
    );
    await expect(refusing!.writeValue(octets(1))).rejects.toEqual(named("InvalidModificationError"));
    await expect(privacy!.writeValue(octets(1))).rejects.toEqual(named("SecurityError"));
    expect(bytesOf(await privacy!.readValue())).toEqual([0]);
    expect([written!.value, failing!.value]).toEqual([null, null]);
  });

  test("operations wait for each other, or are refused as browsers may do", async () => {
    await using world = await World.open(18);
    const level = await world.characteristic(await world.connected(), "battery_service", "battery_level");
    expect((await Promise.all([level.readValue(), level.readValue()])).map(bytesOf)).toEqual([[100], [100]]);
    const strict = createBluetooth(world.host, { choose: chooseStrongest({ withinMs: 300 }), whenBusy: "refuse" });
    expect(() => createBluetooth(world.host, { choose: chooseStrongest(), whenBusy: "queue" as "wait" })).toThrow(
      expect.objectContaining({ code: "ERR_ARGUMENT" }),
    );
    level.service.device.gatt!.disconnect();
    await world.air.advance(1000);
    const device = await strict.requestDevice({ filters: [{ services: ["battery_service"] }] });
    await device.gatt!.connect();
    const again = await world.characteristic(device, "battery_service", "battery_level");
    const first = again.readValue();
    await expect(again.readValue()).rejects.toEqual(named("NetworkError"));
    await expect(again.startNotifications()).rejects.toEqual(named("NetworkError"));
    expect(bytesOf(await first)).toEqual([100]);
    expect(bytesOf(await again.readValue())).toEqual([100]);
  });

  test("descriptors are read and written, the client configuration is for reading only", async () => {
    await using world = await World.open(15);
    const level = await world.characteristic(await world.connected(), "battery_service", "battery_level");
    const format = await level.getDescriptor("gatt.characteristic_presentation_format");
    expect([format.uuid, format.characteristic, format.value, await level.getDescriptor(0x2904)]).toEqual([
      `00002904${BASE}`,
      level,
      null,
      format,
    ]);
    expect(bytesOf(await format.readValue())).toEqual([4, 0, 0xad, 0x27, 1, 0, 0]);
    expect(bytesOf(format.value)).toHaveLength(7);
    const configuration = await level.getDescriptor("gatt.client_characteristic_configuration");
    expect(bytesOf(await configuration.readValue())).toEqual([0, 0]);
    await expect(configuration.writeValue(octets(1, 0))).rejects.toEqual(named("SecurityError"));
    await expect(format.writeValue(new Uint8Array(513))).rejects.toEqual(named("InvalidModificationError"));
    await expect(format.writeValue(octets(1))).rejects.toEqual(named("NotSupportedError"));
    await expect(level.getDescriptor("valid_range")).rejects.toEqual(named("NotFoundError"));
    await expect(level.getDescriptors("report")).rejects.toBeInstanceOf(TypeError);
    expect((await level.getDescriptors()).length).toBeGreaterThanOrEqual(3);
  });

  test("a notification that leaves with the answer reaches a listener set behind startNotifications; events go up the tree", async () => {
    await using world = await World.open(16);
    const device = await world.connected();
    const level = await world.characteristic(device, "battery_service", "battery_level");
    const seen: string[] = [];
    const hear = (where: string) => (event: Event) =>
      void seen.push(`${where} ${bytesOf((event.target as BluetoothRemoteGATTCharacteristic).value)} ${event.target === level}`);
    expect(await level.startNotifications()).toBe(level);
    level.addEventListener("characteristicvaluechanged", hear("characteristic"));
    level.service.oncharacteristicvaluechanged = hear("service");
    device.addEventListener("characteristicvaluechanged", hear("device"));
    world.bluetooth.oncharacteristicvaluechanged = hear("bluetooth");
    await world.air.advance(100);
    expect(seen.splice(0)).toEqual(["characteristic 7 true", "service 7 true", "device 7 true", "bluetooth 7 true"]);
    await Promise.all([level.startNotifications(), level.startNotifications()]);
    await world.level.notify(octets(8));
    await world.air.advance(100);
    expect(seen.splice(0)).toHaveLength(4);
    expect(await level.stopNotifications()).toBe(level);
    await level.stopNotifications();
    await world.level.notify(octets(9));
    await world.air.advance(100);
    expect([seen, world.subscriptions, bytesOf(level.value)]).toEqual([[], ["on", "off"], [8]]);
  });

  test("indications arrive in the same way", async () => {
    await using world = await World.open(17);
    const indicated = await world.characteristic(await world.connected(), "automation_io", 0x2a5a);
    const seen: number[][] = [];
    await indicated.startNotifications();
    indicated.oncharacteristicvaluechanged = () => seen.push(bytesOf(indicated.value));
    await world.peripheral.gattServer.service(0x1815)!.characteristic(0x2a5a)!.indicate(octets(1, 2));
    expect(seen).toEqual([[1, 2]]);
  });
});

describe("the end of a connection", () => {
  test("disconnect fires at once, up to bluetooth; objects of that connection are no good, now and after the next", async () => {
    await using world = await World.open(20);
    const device = await world.connected();
    const level = await world.characteristic(device, "battery_service", "battery_level");
    const seen: unknown[] = [];
    world.bluetooth.ongattserverdisconnected = ({ target, bubbles }) => seen.push(target, bubbles, device.gatt!.connected);
    device.gatt!.disconnect();
    expect(seen).toEqual([device, true, false]);
    device.gatt!.disconnect();
    expect(seen).toHaveLength(3);
    for (const act of [
      () => level.readValue(),
      () => level.writeValue(octets(1)),
      () => level.startNotifications(),
      () => level.service.getCharacteristics(),
      () => level.getDescriptors(),
      () => device.gatt!.getPrimaryServices(),
    ])
      await expect(act()).rejects.toEqual(named("NetworkError"));
    await world.air.advance(1000);
    expect([world.host.links, world.peripheral.links]).toEqual([[], []]);
    await device.gatt!.connect();
    for (const act of [
      () => level.readValue(),
      () => level.startNotifications(),
      () => level.stopNotifications(),
      () => level.service.getCharacteristics(),
      () => level.getDescriptors(),
    ])
      await expect(act()).rejects.toEqual(named("InvalidStateError"));
    const again = await world.characteristic(device, "battery_service", "battery_level");
    expect([again === level, bytesOf(await again.readValue())]).toEqual([false, [100]]);
  });

  test("a link that the peer ends rejects what is under way with a NetworkError and fires", async () => {
    await using world = await World.open(21);
    const device = await world.connected();
    const level = await world.characteristic(device, "battery_service", "battery_level");
    const lost = new Promise((resolve) => device.addEventListener("gattserverdisconnected", resolve, { once: true }));
    const silent = await world.characteristic(device, "automation_io", "temperature");
    const reading = expect(silent.readValue()).rejects.toEqual(named("NetworkError"));
    await world.peripheral.links[0]!.disconnect();
    await lost;
    await reading;
    await expect(level.readValue()).rejects.toEqual(named("NetworkError"));
    expect(device.gatt!.connected).toBe(false);
  });

  test("disconnect while connecting is an AbortError; nobody there, a NetworkError; then it can be tried again", async () => {
    await using world = await World.open(22, { connect: { timeoutMs: 500 } });
    const device = await world.request();
    const both = Promise.allSettled([device.gatt!.connect(), device.gatt!.connect()]);
    device.gatt!.disconnect();
    const again = device.gatt!.connect();
    for (const outcome of await both) expect(outcome).toMatchObject({ status: "rejected", reason: named("AbortError") });
    expect((await again).connected).toBe(true);
    device.gatt!.disconnect();
    await world.air.advance(500);
    await world.peripheral.close();
    await expect(device.gatt!.connect()).rejects.toEqual(named("NetworkError"));
  });

  test("forget ends everything: gatt is null, connecting a NetworkError, and the device is not among getDevices", async () => {
    await using world = await World.open(23);
    const device = await world.connected();
    const { gatt } = device;
    const seen: unknown[] = [];
    device.ongattserverdisconnected = ({ target }) => seen.push(target);
    await device.forget();
    expect([seen, device.gatt, gatt!.connected, await world.bluetooth.getDevices()]).toEqual([[device], null, false, []]);
    await expect(gatt!.connect()).rejects.toEqual(named("NetworkError"));
    await world.air.advance(1000);
    expect(world.host.links).toEqual([]);
    expect(await world.request()).not.toBe(device);
  });

  test("a link made by somebody else is used and left as it is; two pages share one, which ends with the last", async () => {
    await using world = await World.open(24);
    const other = createBluetooth(world.host, { choose: chooseStrongest({ withinMs: 300 }) });
    const theirs = await other.requestDevice({ filters: [{ services: ["battery_service"] }] });
    const device = await world.connected();
    await theirs.gatt!.connect();
    expect(world.host.links).toHaveLength(1);
    const level = await world.characteristic(theirs, "battery_service", "battery_level");
    const reading = level.readValue();
    device.gatt!.disconnect();
    expect(bytesOf(await reading)).toEqual([100]);
    await world.air.advance(1000);
    expect([theirs.gatt!.connected, world.host.links.length]).toEqual([true, 1]);
    theirs.gatt!.disconnect();
    await world.air.advance(1000);
    expect(world.host.links).toEqual([]);
    await world.host.connect(world.peripheral.address);
    await device.gatt!.connect();
    device.gatt!.disconnect();
    await world.air.advance(1000);
    expect(world.host.links).toHaveLength(1);
  });

  test("the device's end: disconnected, not available, nothing found any more", async () => {
    await using world = await World.open(25);
    const device = await world.connected();
    const seen: unknown[] = [];
    device.ongattserverdisconnected = () => seen.push("disconnected");
    world.bluetooth.onavailabilitychanged = (event) => seen.push((event as Event & { value: boolean }).value);
    expect(await world.bluetooth.getAvailability()).toBe(true);
    await world.host.close();
    expect([seen, await world.bluetooth.getAvailability()]).toEqual([["disconnected", false], false]);
    await expect(world.request()).rejects.toEqual(named("NotFoundError"));
    await expect(device.gatt!.connect()).rejects.toEqual(named("NetworkError"));
    await expect(device.watchAdvertisements()).rejects.toEqual(named("InvalidStateError"));
    await expect(world.bluetooth.requestLEScan({ acceptAllAdvertisements: true })).rejects.toEqual(named("InvalidStateError"));
  });

  test("services that change: old objects are no good, and removed, changed and added are told", async () => {
    await using world = await World.open(26);
    const device = await world.connected();
    const old = await device.gatt!.getPrimaryService("battery_service");
    await old.getCharacteristics();
    const seen: string[] = [];
    for (const type of ["serviceadded", "servicechanged", "serviceremoved"])
      world.bluetooth.addEventListener(type, ({ target }) =>
        seen.push(`${type} ${(target as typeof old).uuid.slice(4, 8)} ${target === old}`),
      );
    world.peripheral.gattServer.removeService(world.battery);
    await world.air.advance(2000);
    expect(seen.splice(0)).toContain("serviceremoved 180f true");
    await expect(old.getCharacteristics()).rejects.toEqual(named("InvalidStateError"));
    await expect(device.gatt!.getPrimaryService("battery_service")).rejects.toEqual(named("NotFoundError"));
    world.peripheral.gattServer.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], value: octets(5) }] });
    await world.air.advance(2000);
    expect(seen).toContain("serviceadded 180f false");
    expect(bytesOf(await (await world.characteristic(device, "battery_service", "battery_level")).readValue())).toEqual([5]);
  });
});

describe("advertisements", () => {
  test("watchAdvertisements shows what was granted, until its signal aborts", async () => {
    await using world = await World.open(30);
    const device = await world.request({ filters: [{ services: ["battery_service"] }], optionalManufacturerData: [0x59] });
    const seen: BluetoothAdvertisingEvent[] = [];
    world.bluetooth.onadvertisementreceived = (event) => seen.push(event as BluetoothAdvertisingEvent);
    const leaving = new AbortController();
    const watching = device.watchAdvertisements({ signal: leaving.signal });
    await expect(device.watchAdvertisements()).rejects.toEqual(named("InvalidStateError"));
    await watching;
    await device.watchAdvertisements();
    expect(device.watchingAdvertisements).toBe(true);
    await world.air.advance(500);
    const { length } = seen;
    expect(length).toBeGreaterThan(4);
    const event = seen.findLast(({ name }) => name === "Sensor 12")!;
    expect(event).toBeInstanceOf(Event);
    expect([event.target, event.device, event.uuids, event.rssi! < 0, event.txPower]).toEqual([
      device,
      device,
      [`0000180f${BASE}`],
      true,
      null,
    ]);
    expect(bytesOf(event.manufacturerData.get(0x59))).toEqual([1, 2]);
    expect([...event.serviceData]).toEqual([]); // of a service not asked for
    leaving.abort(new DOMException("enough", "AbortError"));
    expect(device.watchingAdvertisements).toBe(false);
    await world.air.advance(500);
    expect(seen).toHaveLength(length);
    await expect(device.watchAdvertisements({ signal: leaving.signal })).rejects.toEqual(named("AbortError"));
    const second = new AbortController();
    const aborted = device.watchAdvertisements({ signal: second.signal });
    second.abort();
    await expect(aborted).rejects.toEqual(named("AbortError"));
  });

  test("a scan tells of devices that nobody has chosen, each once, or each time; their gatt is null", async () => {
    await using world = await World.open(31);
    const seen: BluetoothAdvertisingEvent[] = [];
    world.bluetooth.addEventListener("advertisementreceived", (event) => seen.push(event as BluetoothAdvertisingEvent));
    const scan = await world.bluetooth.requestLEScan({ filters: [{ services: ["battery_service"] }] });
    expect([scan.active, scan.keepRepeatedDevices, scan.acceptAllAdvertisements, scan.filters[0]!.services]).toEqual([
      true,
      false,
      false,
      [`0000180f${BASE}`],
    ]);
    await world.air.advance(1000);
    expect(seen.length).toBeLessThanOrEqual(2);
    const event = seen.at(-1)!;
    expect([event.device.gatt, event.uuids, bytesOf(event.serviceData.get(`0000180a${BASE}`))]).toEqual([null, [`0000180f${BASE}`], [9]]);
    scan.stop();
    expect(scan.active).toBe(false);
    const all = await world.bluetooth.requestLEScan({ acceptAllAdvertisements: true, keepRepeatedDevices: true });
    const before = seen.length;
    await world.air.advance(1000);
    expect(seen.length - before).toBeGreaterThan(10);
    expect(new Set(seen.map(({ device }) => device)).size).toBe(1);
    const chosen = await world.request();
    expect(chosen).toBe(seen[0]!.device);
    all.stop();
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["filters and everything", { filters: [{ name: "x" }], acceptAllAdvertisements: true }],
    ["no filter", { filters: [] }],
    ["an empty filter", { filters: [{}] }],
  ])("a scan for %s is a TypeError", async (_what, options) => {
    await using world = await World.open(32);
    await expect(world.bluetooth.requestLEScan(options as object)).rejects.toBeInstanceOf(TypeError);
  });

  test("a scan that is not allowed is a NotAllowedError; data of the blocklist are left out", async () => {
    let allowed = false;
    await using world = await World.open(33, { allowScan: () => allowed });
    await expect(world.bluetooth.requestLEScan({ acceptAllAdvertisements: true })).rejects.toEqual(named("NotAllowedError"));
    allowed = true;
    const beacon = await world.air.device({ name: "beacon" });
    await beacon.advertise({
      intervalMs: 30,
      connectable: false,
      data: { manufacturerData: [{ companyIdentifier: 0x4c, data: octets(2, 21) }] },
    });
    const companies = new Set<number>();
    world.bluetooth.onadvertisementreceived = (event) => {
      for (const company of (event as BluetoothAdvertisingEvent).manufacturerData.keys()) companies.add(company);
    };
    const scan = await world.bluetooth.requestLEScan({ acceptAllAdvertisements: true });
    await world.air.advance(500);
    scan.stop();
    expect([...companies]).toEqual([0x59]);
    const open = createBluetooth(world.host, { choose: chooseStrongest(), blocklist: NO_BLOCKLIST });
    open.onadvertisementreceived = world.bluetooth.onadvertisementreceived;
    await open.requestLEScan({ acceptAllAdvertisements: true });
    await world.air.advance(500);
    expect(new Set(companies)).toEqual(new Set([0x4c, 0x59]));
  });

  test("an event that a program makes checks its data", async () => {
    await using world = await World.open(34);
    const device = await world.request();
    const event = new BluetoothAdvertisingEvent("advertisementreceived", {
      device,
      uuids: ["heart_rate"],
      manufacturerData: [[1, octets(1)]],
      serviceData: [["heart_rate", octets(2)]],
    });
    expect([event.uuids, event.name, [...event.serviceData.keys()], bytesOf(event.manufacturerData.get(1))]).toEqual([
      [`0000180d${BASE}`],
      null,
      [`0000180d${BASE}`],
      [1],
    ]);
    expect(() => new BluetoothAdvertisingEvent("x", { device, uuids: ["nothing"] })).toThrow(TypeError);
    expect(() => new BluetoothAdvertisingEvent("x", { device, manufacturerData: [[1, [1] as never]] })).toThrow(TypeError);
  });
});
