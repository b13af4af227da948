import { expect, test } from "vitest";
import { advertise, anyPeer, connectedPair, createConnection, makeAir, makeHost, scan } from "../../test/support/raw-pair.ts";
import { fromHex } from "../bytes/index.ts";
import { Address } from "../core/index.ts";
import {
  type CommandDeclaration,
  EventCode,
  encodeCommand,
  HardwareError,
  HciErrorCode,
  LeAddDeviceToFilterAcceptList,
  LeAdvertisingReport,
  LeConnectionComplete,
  LeCreateConnection,
  LeGenerateDhKeyV2,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetDataLength,
  LeSetDefaultPhy,
  LeSetEventMask,
  LeSetHostChannelClassification,
  LeSetPhy,
  LeSetRandomAddress,
  LeSetScanEnable,
  LeSetScanParameters,
  LeSetScanResponseData,
  LeWriteSuggestedDefaultDataLength,
  PacketType,
  ReadBdAddr,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
} from "../hci/index.ts";
import { Controller } from "./controller.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const UNSUPPORTED = HciErrorCode.UnsupportedFeatureOrParameterValue;
const NO_ADDRESS = "00:00:00:00:00:00";

const advertising = {
  advertisingIntervalMin: 160,
  advertisingIntervalMax: 160,
  advertisingType: 0,
  ownAddressType: 0,
  peerAddress: anyPeer,
  advertisingChannelMap: 7,
  advertisingFilterPolicy: 0,
};
const scanning = { leScanType: 0, leScanInterval: 16, leScanWindow: 16, ownAddressType: 0, scanningFilterPolicy: 0 };

/** A command with one octet of its parameters, counted from 0, set to something else. */
function changed<P>(declaration: CommandDeclaration<P, unknown>, parameters: P, at: number, value: number): Uint8Array {
  const packet = encodeCommand(declaration, parameters).slice();
  packet[4 + at] = value;
  return packet;
}

test("reserved values are refused, whatever a decoder would make of them", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const octets = [2, 3, 7, 0x80, 0xff];
  for (const value of octets) {
    expect(await host.raw(changed(LeSetAdvertisingEnable, { advertisingEnable: true }, 0, value), LeSetAdvertisingEnable.opcode)).toEqual({
      status: INVALID,
    });
    for (const at of [0, 1]) {
      const packet = changed(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false }, at, value);
      expect(await host.raw(packet, LeSetScanEnable.opcode)).toEqual({ status: INVALID });
    }
    const packet = changed(LeSetAdvertisingParameters, advertising, 6, value);
    expect(await host.raw(packet, LeSetAdvertisingParameters.opcode)).toEqual({ status: INVALID });
  }
  const advertisingData = Uint8Array.of(1);
  for (const [length, status] of [
    [32, INVALID],
    [255, INVALID],
    [31, OK],
  ] as const) {
    const data = changed(LeSetAdvertisingData, { advertisingData }, 0, length);
    expect(await host.raw(data, LeSetAdvertisingData.opcode)).toMatchObject({ status });
    const response = changed(LeSetScanResponseData, { scanResponseData: advertisingData }, 0, length);
    expect(await host.raw(response, LeSetScanResponseData.opcode)).toMatchObject({ status });
  }
  // Nothing of it took effect.
  expect(await host.command(LeSetRandomAddress, { randomAddress: Address.from("C0:00:00:00:00:01/random") })).toEqual({ status: OK });
  air[Symbol.dispose]();
});

test.each([
  [LeSetAdvertisingParameters, advertising, { advertisingIntervalMin: 0x1f, advertisingIntervalMax: 0x1f }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingIntervalMin: 0x4001, advertisingIntervalMax: 0x4001 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingIntervalMin: 161 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingIntervalMin: 0x20, advertisingIntervalMax: 0x20 }, OK],
  [LeSetAdvertisingParameters, advertising, { advertisingIntervalMin: 0x4000, advertisingIntervalMax: 0x4000 }, OK],
  [LeSetAdvertisingParameters, advertising, { advertisingType: 1, advertisingIntervalMin: 0, advertisingIntervalMax: 0 }, OK],
  [LeSetAdvertisingParameters, advertising, { advertisingType: 5 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { ownAddressType: 2 }, UNSUPPORTED],
  [LeSetAdvertisingParameters, advertising, { ownAddressType: 3 }, UNSUPPORTED],
  [LeSetAdvertisingParameters, advertising, { ownAddressType: 4 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingChannelMap: 0 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingChannelMap: 8 }, INVALID],
  [LeSetAdvertisingParameters, advertising, { advertisingFilterPolicy: 3 }, OK],
  [LeSetAdvertisingParameters, advertising, { advertisingFilterPolicy: 4 }, INVALID],
  [LeSetScanParameters, scanning, { leScanType: 2 }, INVALID],
  [LeSetScanParameters, scanning, { leScanInterval: 3, leScanWindow: 3 }, INVALID],
  [LeSetScanParameters, scanning, { leScanInterval: 4, leScanWindow: 4 }, OK],
  [LeSetScanParameters, scanning, { leScanInterval: 0x4000, leScanWindow: 0x4000 }, OK],
  [LeSetScanParameters, scanning, { leScanInterval: 0x4001 }, INVALID],
  [LeSetScanParameters, scanning, { leScanWindow: 3 }, INVALID],
  [LeSetScanParameters, scanning, { leScanWindow: 17 }, INVALID],
  [LeSetScanParameters, scanning, { scanningFilterPolicy: 1 }, OK],
  [LeSetScanParameters, scanning, { scanningFilterPolicy: 2 }, UNSUPPORTED],
  [LeSetScanParameters, scanning, { scanningFilterPolicy: 4 }, INVALID],
  [LeSetScanParameters, scanning, { ownAddressType: 2 }, UNSUPPORTED],
  [LeSetScanParameters, scanning, { ownAddressType: 4 }, INVALID],
  [LeSetHostChannelClassification, { channelMap: fromHex("0000000000") }, {}, INVALID],
  [LeSetHostChannelClassification, { channelMap: fromHex("0100000000") }, {}, INVALID],
  [LeSetHostChannelClassification, { channelMap: fromHex("01000000e0") }, {}, INVALID],
  [LeSetHostChannelClassification, { channelMap: fromHex("0100000010") }, {}, OK],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 328 }, {}, OK],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 251, suggestedMaxTxTime: 17040 }, {}, OK],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 26, suggestedMaxTxTime: 328 }, {}, INVALID],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 252, suggestedMaxTxTime: 328 }, {}, INVALID],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 327 }, {}, INVALID],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 17041 }, {}, INVALID],
  [LeSetDefaultPhy, { allPhys: 0, txPhys: 0, rxPhys: 1 }, {}, INVALID],
  [LeSetDefaultPhy, { allPhys: 0, txPhys: 1, rxPhys: 0 }, {}, INVALID],
  [LeSetDefaultPhy, { allPhys: 0, txPhys: 8, rxPhys: 1 }, {}, UNSUPPORTED],
  [LeSetDefaultPhy, { allPhys: 0, txPhys: 1, rxPhys: 0x81 }, {}, UNSUPPORTED],
  [LeSetDefaultPhy, { allPhys: 3, txPhys: 0, rxPhys: 0 }, {}, OK],
  [LeSetDefaultPhy, { allPhys: 0, txPhys: 7, rxPhys: 7 }, {}, OK],
  [LeAddDeviceToFilterAcceptList, { addressType: 2, address: new Uint8Array(6) }, {}, INVALID],
  [LeAddDeviceToFilterAcceptList, { addressType: 0xff, address: new Uint8Array(6) }, {}, INVALID],
  [SetControllerToHostFlowControl, { flowControlEnable: 4 }, {}, INVALID],
  [SetControllerToHostFlowControl, { flowControlEnable: 2 }, {}, UNSUPPORTED],
  [LeSetRandomAddress, { randomAddress: Address.from("80:00:00:00:00:01/random") }, {}, INVALID],
  [LeSetRandomAddress, { randomAddress: Address.from("C0:00:00:00:00:00/random") }, {}, INVALID],
  [LeSetRandomAddress, { randomAddress: Address.from("FF:FF:FF:FF:FF:FF/random") }, {}, INVALID],
  [LeSetRandomAddress, { randomAddress: Address.from("7F:FF:FF:FF:FF:FE/random") }, {}, OK],
  [LeSetRandomAddress, { randomAddress: Address.from("00:00:00:00:00:01/random") }, {}, OK],
] as unknown as readonly (readonly [CommandDeclaration<never, unknown>, object, object, number])[])(
  "$name %o %o is answered by %i",
  async (declaration, parameters, wrong, status) => {
    const { air } = makeAir();
    const { host } = await makeHost(air);
    expect(await host.command(declaration, { ...parameters, ...wrong } as never)).toMatchObject({ status });
    air[Symbol.dispose]();
  },
);

test.each([
  [LeCreateConnection, { peerAddressType: 2 }, UNSUPPORTED],
  [LeCreateConnection, { peerAddressType: 3 }, UNSUPPORTED],
  [LeCreateConnection, { peerAddressType: 4 }, INVALID],
  [LeCreateConnection, { initiatorFilterPolicy: 2 }, INVALID],
  [LeCreateConnection, { ownAddressType: 1 }, INVALID],
  [LeCreateConnection, { ownAddressType: 3 }, UNSUPPORTED],
  [LeCreateConnection, { leScanInterval: 3 }, INVALID],
  [LeCreateConnection, { connectionIntervalMin: 5 }, INVALID],
  [LeCreateConnection, { connectionIntervalMax: 0x0c81 }, INVALID],
  [LeCreateConnection, { maxLatency: 0x01f4 }, INVALID],
  // 2 * (1 + latency) * 15 ms is exactly the timeout, which has to be longer.
  [LeCreateConnection, { maxLatency: 9, supervisionTimeout: 30 }, INVALID],
  [LeCreateConnection, { maxLatency: 9, supervisionTimeout: 31 }, OK],
] as const)("$name %o is answered by %i", async (declaration, wrong, status) => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  expect(await host.command(declaration, { ...createConnection(Address.from("00:00:00:00:00:01")), ...wrong })).toMatchObject({ status });
  air[Symbol.dispose]();
});

test("commands about a link: ranges come before anything is done", async () => {
  const { central, handles, air } = await connectedPair();
  const connectionHandle = handles.central;
  const phys = { connectionHandle, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 };
  expect(await central.command(LeSetPhy, { ...phys, txPhys: 0 })).toEqual({ status: INVALID });
  expect(await central.command(LeSetPhy, { ...phys, txPhys: 8 })).toEqual({ status: UNSUPPORTED });
  expect(await central.command(LeSetPhy, { ...phys, phyOptions: 3 })).toEqual({ status: INVALID });
  for (const wrong of [{ txOctets: 26 }, { txOctets: 252 }, { txTime: 327 }, { txTime: 17041 }])
    expect(await central.command(LeSetDataLength, { connectionHandle, txOctets: 27, txTime: 328, ...wrong })).toMatchObject({
      status: INVALID,
    });
  expect(await central.command(ReadTransmitPowerLevel, { connectionHandle, type: 2 })).toMatchObject({ status: INVALID });
  const point = { keyXCoordinate: new Uint8Array(32), keyYCoordinate: new Uint8Array(32) };
  expect(await central.command(LeGenerateDhKeyV2, { ...point, keyType: 2 })).toEqual({ status: INVALID });
  air[Symbol.dispose]();
});

test("a controller without a public address does nothing under one (Vol 4 Part E 7.8.9, 7.8.11, 7.8.12)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { address: NO_ADDRESS });
  const peer = Address.from("00:00:00:00:00:01");
  expect((await host.command(ReadBdAddr, {})).bdAddr.toHex()).toBe(NO_ADDRESS);
  // Reset left everything at its default, which is the public address.
  expect(await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual({ status: INVALID });
  expect(await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false })).toEqual({ status: INVALID });
  expect(await host.command(LeCreateConnection, createConnection(peer))).toEqual({ status: INVALID });
  await host.command(LeSetScanParameters, { ...scanning, leScanType: 1 });
  expect(await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false })).toEqual({ status: INVALID });

  await host.command(LeSetRandomAddress, { randomAddress: Address.from("C0:00:00:00:00:01/random") });
  expect(await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual({ status: INVALID });
  await host.command(LeSetAdvertisingParameters, { ...advertising, ownAddressType: 1 });
  expect(await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual({ status: OK });
  await host.command(LeSetScanParameters, { ...scanning, ownAddressType: 1 });
  expect(await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false })).toEqual({ status: OK });
  expect(await host.command(LeCreateConnection, { ...createConnection(peer), ownAddressType: 1 })).toEqual({ status: OK });
  air[Symbol.dispose]();
});

test("a random address that was never set, or was forgotten by a reset, serves for nothing", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const refused = async (): Promise<void> => {
    await host.command(LeSetAdvertisingParameters, { ...advertising, ownAddressType: 1 });
    expect(await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual({ status: INVALID });
    for (const leScanType of [0, 1]) {
      await host.command(LeSetScanParameters, { ...scanning, leScanType, ownAddressType: 1 });
      expect(await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false })).toEqual({ status: INVALID });
    }
    const connection = { ...createConnection(Address.from("00:00:00:00:00:01")), ownAddressType: 1 };
    expect(await host.command(LeCreateConnection, connection)).toEqual({ status: INVALID });
  };
  await refused();
  await host.command(LeSetRandomAddress, { randomAddress: Address.from("C0:00:00:00:00:01/random") });
  await host.command(Reset, {});
  await refused();
  air[Symbol.dispose]();
});

test("a command more than Num_HCI_Command_Packets allows is not executed, and is a Hardware Error", async () => {
  const { air, clock } = makeAir();
  const controller = new Controller({ air });
  const { transport } = controller;
  const events: string[] = [];
  transport.onPacket = (packet) => void events.push(Buffer.from(packet).toString("hex"));
  transport.send(encodeCommand(Reset, {}));
  transport.send(encodeCommand(ReadBdAddr, {})); // only one before the first event
  await clock.advance(1);
  expect(events).toEqual(["040e0401030c00", "04100101"]);
  transport.send(encodeCommand(ReadBdAddr, {}));
  await clock.advance(1);
  expect(events).toHaveLength(3);
  expect(air.trace.text()).toContain("dropped");
  air[Symbol.dispose]();
});

test("numHciCommandPackets: so many commands may be under way, the grant says how many more, lost ones count no more", async () => {
  const { air, clock } = makeAir();
  const { controller, host } = await makeHost(air, { numHciCommandPackets: 3 });
  const grants: number[] = [];
  const { onPacket } = host.transport;
  host.transport.onPacket = (packet) => {
    if (packet[0] === PacketType.Event && packet[1] === EventCode.CommandComplete) grants.push(packet[3]!);
    onPacket?.(packet);
  };
  for (let i = 0; i < 4; i++) host.transport.send(encodeCommand(ReadBdAddr, {}));
  await clock.advance(1);
  expect(grants).toEqual([1, 2, 3]);
  expect(host.all(HardwareError)).toEqual([{ hardwareCode: 1 }]);
  const losing = controller.onHciPacket(({ direction }) => (direction === "to-controller" ? "drop" : undefined));
  for (let i = 0; i < 3; i++) host.transport.send(encodeCommand(ReadBdAddr, {}));
  await clock.advance(1);
  losing[Symbol.dispose]();
  expect(await host.command(ReadBdAddr, {})).toMatchObject({ status: OK });
  expect(host.all(HardwareError)).toHaveLength(1);
  air[Symbol.dispose]();
});

test.each([
  ["a broadcast flag", 0x40],
  ["an active broadcast", 0x80],
  ["PB flag 0b10, which is the controller's", 0x20],
  ["PB flag 0b11", 0x30],
])("an ACL packet with %s is a Hardware Error and goes nowhere", async (_, flags) => {
  const { central, peripheral, handles, clock, air } = await connectedPair();
  central.transport.send(Uint8Array.of(PacketType.AclData, handles.central, flags, 1, 0, 7));
  await clock.advance(200);
  expect(central.all(HardwareError)).toEqual([{ hardwareCode: 3 }]);
  expect(peripheral.acl).toEqual([]);
  central.transport.send(Uint8Array.of(PacketType.AclData, handles.central, 0x10, 1, 0, 8)); // a continuation is fine
  await clock.advance(200);
  expect(peripheral.acl).toMatchObject([{ start: false, data: Uint8Array.of(8) }]);
  expect(central.all(HardwareError)).toHaveLength(1);
  air[Symbol.dispose]();
});

test.each([
  ["longer than it says", "02010001000708", 3],
  ["shorter than it says", "020100020007", 3],
  ["without a header", "020100", 3],
  ["a command without a length", "010910", 2],
])("a packet %s is a Hardware Error", async (_, hex, hardwareCode) => {
  const { central, clock, air } = await connectedPair();
  central.transport.send(fromHex(hex));
  await clock.advance(200);
  expect(central.all(HardwareError)).toEqual([{ hardwareCode }]);
  expect(await central.command(ReadBdAddr, {})).toMatchObject({ status: OK });
  air[Symbol.dispose]();
});

test("the duplicate filter notes what the host got: a device is not lost after a while of back-pressure", async () => {
  const { air, clock } = makeAir();
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  const controller = new Controller({ air, name: "scanner" });
  const got: Uint8Array[] = [];
  let writable = true;
  const far = {
    info: { spec: "test" },
    onPacket: undefined as ((packet: Uint8Array) => void) | undefined,
    onClose: undefined,
    onWritable: undefined,
    get writable() {
      return writable;
    },
    send: (packet: Uint8Array) => void got.push(packet),
    [Symbol.asyncDispose]: async () => {},
  };
  controller.attach(far);
  const send = async <P>(declaration: CommandDeclaration<P, unknown>, parameters: P): Promise<void> => {
    far.onPacket!(encodeCommand(declaration, parameters));
    await clock.advance(1);
  };
  await send(Reset, {});
  await send(SetEventMask, { eventMask: 0x3fff_ffff_ffff_ffffn });
  await send(LeSetEventMask, { leEventMask: 0xffn });
  await send(LeSetScanEnable, { leScanEnable: true, filterDuplicates: true });
  const reports = (): number => got.filter((packet) => packet[1] === 0x3e && packet[3] === LeAdvertisingReport.subeventCode).length;
  writable = false;
  await advertise(advertiser, { interval: 32, type: 3 });
  await clock.advance(2000);
  expect(reports()).toBe(0);
  writable = true;
  await clock.advance(2000);
  expect(reports()).toBe(1);
  air[Symbol.dispose]();
});

test("an advertiser that filters scan requests answers those on its list alone", async () => {
  for (const advertisingFilterPolicy of [0, 1, 2, 3]) {
    const { air, clock } = makeAir();
    const { host: peripheral } = await makeHost(air, { name: "peripheral" });
    const { host: listed, controller } = await makeHost(air, { name: "listed" });
    const { host: other } = await makeHost(air, { name: "other" });
    await peripheral.command(LeAddDeviceToFilterAcceptList, { addressType: 0, address: controller.address.bytes });
    await peripheral.command(LeSetScanResponseData, { scanResponseData: Uint8Array.of(2, 10, 0) });
    await peripheral.command(LeSetAdvertisingParameters, { ...advertising, advertisingFilterPolicy });
    await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
    const responses = async (host: typeof other): Promise<number> => {
      await scan(host, { active: true });
      await clock.advance(5000);
      await host.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
      return host.all(LeAdvertisingReport).filter(({ reports }) => reports[0]!.eventType === 4).length;
    };
    expect(await responses(listed)).toBeGreaterThan(5);
    const answered = await responses(other);
    if (advertisingFilterPolicy & 1) expect(answered).toBe(0);
    else expect(answered).toBeGreaterThan(5);
    // Heard it was all the same.
    expect(other.all(LeAdvertisingReport).length).toBeGreaterThan(20);
    air[Symbol.dispose]();
  }
});

test.each([1, 4])("directed advertising of type %i takes a connection from its target alone, whatever the filter policy", async (type) => {
  const { air, clock } = makeAir();
  const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
  const { host: stranger, controller: strange } = await makeHost(air, { name: "stranger" });
  const { controller: target } = await makeHost(air, { name: "target" });
  await peripheral.command(LeAddDeviceToFilterAcceptList, { addressType: 0, address: strange.address.bytes });
  const directed = { advertisingType: type, peerAddress: target.address, advertisingFilterPolicy: 3 };
  await peripheral.command(LeSetAdvertisingParameters, { ...advertising, ...directed });
  await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  // The stranger takes the advertising for its own, and asks for a link.
  using _forge = air.onPacket(({ pdu, from }) => {
    if (from !== "peripheral" || (pdu[0]! & 0x0f) !== 1) return undefined;
    const forged = pdu.slice();
    forged.set(strange.address.bytes, 8);
    return { deliver: forged };
  });
  await stranger.command(LeCreateConnection, createConnection(controller.address));
  await clock.advance(1200);
  expect(air.trace.entries.some((entry) => entry.kind === "air" && entry.from === "stranger" && (entry.pdu[0]! & 0x0f) === 5)).toBe(true);
  expect(peripheral.all(LeConnectionComplete).filter(({ status }) => status === 0)).toEqual([]);
  air[Symbol.dispose]();
});
