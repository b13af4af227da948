import fc from "fast-check";
import { expect, test } from "vitest";
import { RawHost } from "../../test/support/raw-host.ts";
import { advertise, connectedPair, createConnection, makeAir, makeHost, scan } from "../../test/support/raw-pair.ts";
import { fromHex, toHex } from "../bytes/index.ts";
import { Address } from "../core/index.ts";
import {
  commands,
  DataBufferOverflow,
  Disconnect,
  DisconnectionComplete,
  encodeCommand,
  HciErrorCode,
  HostBufferSize,
  HostNumberOfCompletedPackets,
  LeAddDeviceToFilterAcceptList,
  LeAdvertisingReport,
  LeClearFilterAcceptList,
  LeConnectionComplete,
  LeCreateConnection,
  LeCreateConnectionCancel,
  LeEncrypt,
  LeGenerateDhKey,
  LeGenerateDhKeyComplete,
  LeRand,
  LeReadBufferSize,
  LeReadFilterAcceptListSize,
  LeReadLocalP256PublicKey,
  LeReadLocalP256PublicKeyComplete,
  LeReadLocalSupportedFeatures,
  LeReadMaximumDataLength,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetEventMask,
  LeSetRandomAddress,
  LeSetScanEnable,
  LeSetScanParameters,
  ReadBdAddr,
  ReadBufferSize,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
} from "../hci/index.ts";
import { createTransportPair } from "../transport/memory-pipe.ts";
import { Controller } from "./controller.ts";
import { createAccessAddress, isAccessAddress } from "./link/access-address.ts";
import { encodeSleepClockAccuracy } from "./roles/advertising-pdus.ts";

const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };
const OK = { status: HciErrorCode.Success };

test("supported commands tell the truth: what has its bit is known, everything else is an unknown command", async () => {
  const all = { extendedAdvertising: true, llPrivacy: true };
  for (const features of [{}, all, { dataLength: false, encryption: false, le2M: false, connectionParametersRequest: false }]) {
    const { air } = makeAir();
    const { host } = await makeHost(air, { features });
    const { supportedCommands } = await host.command(ReadLocalSupportedCommands, {});
    for (const { opcode, supported, unanswered, name } of commands.values()) {
      if (unanswered || name === "Reset") continue;
      const isSupported = supported === undefined || ((supportedCommands[supported[0]]! >> supported[1]) & 1) === 1;
      // Parameters of a length that no command has: a known one minds, an unknown one is unknown.
      const packet = new Uint8Array(4 + 250);
      packet.set([1, opcode & 0xff, opcode >> 8, 250]);
      const { status } = await host.raw(packet, opcode);
      expect([name, status]).toEqual([name, isSupported ? HciErrorCode.InvalidHciCommandParameters : HciErrorCode.UnknownHciCommand]);
    }
    expect(await host.raw(fromHex("01ff3f00"), 0x3fff)).toEqual({ status: HciErrorCode.UnknownHciCommand });
    air[Symbol.dispose]();
  }
});

test("features follow the options, and no command of a missing feature works", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { features: { dataLength: false, le2M: false } });
  const { leFeatures } = await host.command(LeReadLocalSupportedFeatures, {});
  expect([(leFeatures >> 5n) & 1n, (leFeatures >> 8n) & 1n, leFeatures & 1n]).toEqual([0n, 0n, 1n]);
  expect(await host.command(LeReadMaximumDataLength, {})).toMatchObject({ status: HciErrorCode.UnknownHciCommand });
  air[Symbol.dispose]();
});

test("an LE-only controller: no BR/EDR features, no BR/EDR buffers, LE buffers of its own", async () => {
  const { air } = makeAir();
  const { host, controller } = await makeHost(air, {
    address: "00:11:22:33:44:55",
    totalNumLeAclDataPackets: 5,
    leAclDataPacketLength: 100,
  });
  const { lmpFeatures } = await host.command(ReadLocalSupportedFeatures, {});
  expect(lmpFeatures).toBe((1n << 37n) | (1n << 38n));
  expect(await host.command(ReadBufferSize, {})).toMatchObject({ aclDataPacketLength: 0, totalNumAclDataPackets: 0 });
  expect(await host.command(LeReadBufferSize, {})).toEqual({ status: 0, leAclDataPacketLength: 100, totalNumLeAclDataPackets: 5 });
  expect((await host.command(ReadBdAddr, {})).bdAddr.equals(Address.from("00:11:22:33:44:55"))).toBe(true);
  expect(controller.address.toHex()).toBe("00:11:22:33:44:55");
  air[Symbol.dispose]();
});

test("a command of the wrong length is invalid, in each of its two forms of answer", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const short = encodeCommand(LeSetAdvertisingData, { advertisingData: new Uint8Array(0) }).slice(0, -1);
  short[3]!--;
  expect(await host.raw(short, LeSetAdvertisingData.opcode)).toEqual(INVALID);
  expect(await host.raw(Uint8Array.of(1, 0x06, 0x04, 1, 0), Disconnect.opcode)).toEqual(INVALID);
  expect(await host.raw(Uint8Array.of(1, 0x03, 0x0c, 9), Reset.opcode)).toEqual(INVALID); // a length that lies
  air[Symbol.dispose]();
});

test("nothing a host sends makes the controller throw, and it still answers afterwards", async () => {
  const { air, clock } = makeAir({ traceCapacity: 0 });
  const { host } = await makeHost(air);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 80 }),
          fc
            .tuple(fc.constantFrom(...commands.keys()), fc.uint8Array({ maxLength: 70 }))
            .map(([opcode, bytes]) => Uint8Array.from([1, opcode & 0xff, opcode >> 8, bytes.length, ...bytes])),
          fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from([2, ...bytes])),
        ),
        { maxLength: 20 },
      ),
      async (packets) => {
        for (const packet of packets) host.transport.send(packet);
        await clock.advance(1); // answered, whatever they are
        expect(await host.command(Reset, {})).toEqual(OK);
        await host.command(SetEventMask, { eventMask: 0x3fff_ffff_ffff_ffffn });
      },
    ),
    { numRuns: 200 },
  );
  air[Symbol.dispose]();
});

test("event masks: LE Meta events are off until asked for, and each can be switched off", async () => {
  const { air, clock } = makeAir();
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  await advertise(advertiser, { interval: 32 });
  const controller = new Controller({ air, name: "scanner" });
  const host = new RawHost(controller.transport, clock);
  await host.command(Reset, {});
  await scan(host);
  await clock.advance(500);
  expect(host.all(LeAdvertisingReport)).toEqual([]);
  await host.command(SetEventMask, { eventMask: 0x3fff_ffff_ffff_ffffn });
  await host.event(LeAdvertisingReport);
  await host.command(LeSetEventMask, { leEventMask: 0x1dn });
  const count = host.all(LeAdvertisingReport).length;
  await clock.advance(500);
  expect(host.all(LeAdvertisingReport)).toHaveLength(count);
  air[Symbol.dispose]();
});

test("what cannot be changed while it is used is disallowed", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  await advertise(host);
  const parameters = {
    advertisingIntervalMin: 160,
    advertisingIntervalMax: 160,
    advertisingType: 0,
    ownAddressType: 0,
    peerAddress: new Address(new Uint8Array(6), 0),
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 3,
  };
  const randomAddress = Address.from("C0:00:00:00:00:01/random");
  expect(await host.command(LeSetAdvertisingParameters, parameters)).toEqual(DISALLOWED);
  expect(await host.command(LeSetRandomAddress, { randomAddress })).toEqual(DISALLOWED);
  await host.command(LeSetAdvertisingEnable, { advertisingEnable: false });
  expect(await host.command(LeSetRandomAddress, { randomAddress })).toEqual(OK);
  expect(await host.command(LeSetAdvertisingParameters, parameters)).toEqual(OK);
  expect(await host.command(LeClearFilterAcceptList, {})).toEqual(OK);
  await host.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  expect(await host.command(LeClearFilterAcceptList, {})).toEqual(DISALLOWED); // the advertiser filters by it
  await scan(host);
  const scanning = { leScanType: 0, leScanInterval: 16, leScanWindow: 16, ownAddressType: 0, scanningFilterPolicy: 0 };
  expect(await host.command(LeSetScanParameters, scanning)).toEqual(DISALLOWED);
  air[Symbol.dispose]();
});

test("parameters out of their ranges are refused", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const advertising = {
    advertisingIntervalMin: 160,
    advertisingIntervalMax: 160,
    advertisingType: 0,
    ownAddressType: 0,
    peerAddress: new Address(new Uint8Array(6), 0),
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  };
  for (const wrong of [
    { advertisingIntervalMin: 31 },
    { advertisingIntervalMin: 161 },
    { advertisingIntervalMax: 0x4001 },
    { advertisingType: 5 },
    { advertisingChannelMap: 0 },
    { advertisingChannelMap: 8 },
    { advertisingFilterPolicy: 4 },
    { ownAddressType: 4 },
  ])
    expect([wrong, await host.command(LeSetAdvertisingParameters, { ...advertising, ...wrong })]).toEqual([wrong, INVALID]);
  // No resolving list here, so no address of the controller's own making.
  expect(await host.command(LeSetAdvertisingParameters, { ...advertising, ownAddressType: 2 })).toEqual({ status: 0x11 });
  // A random address that was never set.
  await host.command(LeSetAdvertisingParameters, { ...advertising, ownAddressType: 1 });
  expect(await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual(INVALID);

  const scanning = { leScanType: 0, leScanInterval: 16, leScanWindow: 16, ownAddressType: 0, scanningFilterPolicy: 0 };
  for (const wrong of [{ leScanType: 2 }, { leScanInterval: 3, leScanWindow: 3 }, { leScanWindow: 17 }, { scanningFilterPolicy: 4 }])
    expect([wrong, await host.command(LeSetScanParameters, { ...scanning, ...wrong })]).toEqual([wrong, INVALID]);

  const connection = createConnection(Address.from("00:00:00:00:00:01"));
  for (const wrong of [
    { connectionIntervalMin: 5 },
    { connectionIntervalMax: 0x0c81 },
    { connectionIntervalMin: 13 },
    { maxLatency: 500 },
    { supervisionTimeout: 9 },
    { supervisionTimeout: 0x0c81 },
    { maxLatency: 40, supervisionTimeout: 100 },
    { minCeLength: 2, maxCeLength: 1 },
    { initiatorFilterPolicy: 2 },
    { leScanWindow: 97 },
  ])
    expect([wrong, await host.command(LeCreateConnection, { ...connection, ...wrong })]).toEqual([wrong, INVALID]);
  air[Symbol.dispose]();
});

test("one connection is created at a time; a cancelled one ends with Unknown Connection Identifier", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  expect(await host.command(LeCreateConnectionCancel, {})).toEqual(DISALLOWED);
  const parameters = createConnection(Address.from("00:00:00:00:00:01"));
  expect(await host.command(LeCreateConnection, parameters)).toEqual(OK);
  expect(await host.command(LeCreateConnection, parameters)).toEqual(DISALLOWED);
  const failed = host.event(LeConnectionComplete);
  expect(await host.command(LeCreateConnectionCancel, {})).toEqual(OK);
  expect((await failed).status).toBe(HciErrorCode.UnknownConnectionIdentifier);
  air[Symbol.dispose]();
});

test("a second connection to the same peer is refused (0x0B)", async () => {
  const { central, peripheralController, air } = await connectedPair();
  const status = await central.command(LeCreateConnection, createConnection(peripheralController.address));
  expect(status).toEqual({ status: HciErrorCode.ConnectionAlreadyExists });
  air[Symbol.dispose]();
});

test("the Filter Accept List lets in whom it names, for advertising, scanning and connecting", async () => {
  const { air, clock } = makeAir();
  const { host: listed, controller } = await makeHost(air, { name: "listed" });
  const { host: other } = await makeHost(air, { name: "other" });
  const { host } = await makeHost(air, { name: "host", filterAcceptListSize: 2 });
  expect(await host.command(LeReadFilterAcceptListSize, {})).toEqual({ status: 0, filterAcceptListSize: 2 });
  const add = (address: Address) => host.command(LeAddDeviceToFilterAcceptList, { addressType: address.type, address: address.bytes });
  expect(await add(controller.address)).toEqual(OK);
  expect(await add(controller.address)).toEqual(OK);
  expect(await add(Address.from("00:00:00:00:00:01"))).toEqual(OK);
  expect(await add(Address.from("00:00:00:00:00:02"))).toEqual({ status: HciErrorCode.MemoryCapacityExceeded });
  await advertise(listed, { interval: 32 });
  await advertise(other, { interval: 32 });
  const filtered = { leScanType: 0, leScanInterval: 96, leScanWindow: 96, ownAddressType: 0, scanningFilterPolicy: 1 };
  await host.command(LeSetScanParameters, filtered);
  await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false });
  await clock.advance(1000);
  const heard = new Set(host.all(LeAdvertisingReport).map(({ reports }) => toHex(reports[0]!.address)));
  expect([...heard]).toEqual([toHex(controller.address.bytes)]);
  await host.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
  const connected = host.event(LeConnectionComplete);
  await host.command(LeCreateConnection, { ...createConnection(new Address(new Uint8Array(6), 0)), initiatorFilterPolicy: 1 });
  expect((await connected).peerAddress.equals(controller.address)).toBe(true);
  air[Symbol.dispose]();
});

test("directed advertising is heard and answered by its target alone", async () => {
  const { air, clock } = makeAir();
  const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
  const { host: target, controller: targetController } = await makeHost(air, { name: "target" });
  const { host: other } = await makeHost(air, { name: "other" });
  await peripheral.command(LeSetAdvertisingParameters, {
    advertisingIntervalMin: 32,
    advertisingIntervalMax: 32,
    advertisingType: 4,
    ownAddressType: 0,
    peerAddress: targetController.address,
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  });
  await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  await scan(target);
  await scan(other);
  await other.command(LeCreateConnection, createConnection(controller.address));
  await clock.advance(1000);
  expect(other.all(LeAdvertisingReport)).toEqual([]);
  expect(other.all(LeConnectionComplete)).toEqual([]);
  expect(target.all(LeAdvertisingReport)[0]!.reports[0]!.eventType).toBe(1);
  const connected = peripheral.event(LeConnectionComplete);
  await target.command(LeCreateConnection, createConnection(controller.address));
  expect((await connected).peerAddress.equals(targetController.address)).toBe(true);
  air[Symbol.dispose]();
});

test("a random address is advertised as such and connected by", async () => {
  const { air } = makeAir();
  const { host: peripheral } = await makeHost(air, { name: "peripheral" });
  const { host: central } = await makeHost(air, { name: "central" });
  const randomAddress = Address.from("C1:22:33:44:55:66/random");
  await peripheral.command(LeSetRandomAddress, { randomAddress });
  await peripheral.command(LeSetAdvertisingParameters, {
    advertisingIntervalMin: 32,
    advertisingIntervalMax: 32,
    advertisingType: 0,
    ownAddressType: 1,
    peerAddress: new Address(new Uint8Array(6), 0),
    advertisingChannelMap: 1,
    advertisingFilterPolicy: 0,
  });
  await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  const connected = central.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(randomAddress));
  expect((await connected).peerAddress.toString()).toBe("C1:22:33:44:55:66/random");
  air[Symbol.dispose]();
});

test("ACL buffers: completed packets are counted, one too many is an overflow, empty ones are done at once", async () => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ central: { totalNumLeAclDataPackets: 3 } });
  for (let i = 0; i < 4; i++) central.sendAcl(handles.central, Uint8Array.of(i));
  await clock.advance(200);
  expect(central.all(DataBufferOverflow)).toEqual([{ linkType: 1 }]);
  expect(central.completed.get(handles.central)).toBe(3);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1, 2]);
  central.sendAcl(handles.central, new Uint8Array(0));
  central.sendAcl(handles.central, new Uint8Array(252));
  central.sendAcl(0x0999, Uint8Array.of(1));
  await clock.advance(200);
  expect(central.completed.get(handles.central)).toBe(4);
  expect(central.all(DataBufferOverflow)).toHaveLength(2);
  air[Symbol.dispose]();
});

test("controller to host flow control: no more packets than the host has buffers, and none are lost", async () => {
  const { air, clock } = makeAir();
  const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
  const { host: central } = await makeHost(air, { name: "central" });
  const sizes = { hostAclDataPacketLength: 251, hostSynchronousDataPacketLength: 0, hostTotalNumSynchronousDataPackets: 0 };
  expect(await peripheral.command(HostBufferSize, { ...sizes, hostTotalNumAclDataPackets: 2 })).toEqual(OK);
  expect(await peripheral.command(SetControllerToHostFlowControl, { flowControlEnable: 1 })).toEqual(OK);
  await advertise(peripheral, { interval: 32 });
  const connected = Promise.all([central.event(LeConnectionComplete), peripheral.event(LeConnectionComplete)]);
  await central.command(LeCreateConnection, createConnection(controller.address));
  const [{ connectionHandle }, { connectionHandle: atPeripheral }] = await connected;
  for (let i = 0; i < 5; i++) central.sendAcl(connectionHandle, Uint8Array.of(i));
  await clock.advance(500);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1]);
  const returned = { handles: [{ connectionHandle: atPeripheral, hostNumCompletedPackets: 2 }] };
  peripheral.transport.send(encodeCommand(HostNumberOfCompletedPackets, returned));
  await clock.advance(500);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1, 2, 3]);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("HCI Reset forgets everything: roles, links, masks, addresses", async () => {
  const { central, peripheral, air, clock } = await connectedPair({ timeout: 100 });
  await clock.advance(200);
  await peripheral.command(Reset, {});
  expect(await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true })).toEqual(OK);
  const lost = await central.event(DisconnectionComplete);
  expect(lost.reason).toBe(HciErrorCode.ConnectionTimeout);
  await clock.advance(1000);
  expect(peripheral.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("LE Encrypt is AES-128 with HCI's octet order (Vol 3 Part H 2.2.1), LE Rand is seeded", async () => {
  const { air } = makeAir({ seed: 3 });
  const { host } = await makeHost(air);
  // FIPS-197 C.1, turned round.
  const key = fromHex("000102030405060708090a0b0c0d0e0f").reverse();
  const plaintextData = fromHex("00112233445566778899aabbccddeeff").reverse();
  const { encryptedData } = await host.command(LeEncrypt, { key, plaintextData });
  expect(toHex(encryptedData.reverse())).toBe("69c4e0d86a7b0430d8cdb78070b4c55a");
  const { randomNumber } = await host.command(LeRand, {});
  const second = makeAir({ seed: 3 });
  const { host: again } = await makeHost(second.air);
  expect((await again.command(LeRand, {})).randomNumber).toEqual(randomNumber);
  air[Symbol.dispose]();
});

test("P-256 in the controller: two of them agree on a key, and a point off the curve is found out", async () => {
  const { air } = makeAir();
  const [a, b] = [(await makeHost(air)).host, (await makeHost(air)).host];
  const keyOf = async (host: RawHost) => {
    const made = host.event(LeReadLocalP256PublicKeyComplete);
    await host.command(LeReadLocalP256PublicKey, {});
    return await made;
  };
  const agree = async (host: RawHost, { keyXCoordinate, keyYCoordinate }: { keyXCoordinate: Uint8Array; keyYCoordinate: Uint8Array }) => {
    const made = host.event(LeGenerateDhKeyComplete);
    await host.command(LeGenerateDhKey, { keyXCoordinate, keyYCoordinate });
    return await made;
  };
  const point = new Uint8Array(32).fill(1);
  expect(await a.command(LeGenerateDhKey, { keyXCoordinate: point, keyYCoordinate: point })).toEqual(DISALLOWED);
  const [ofA, ofB] = [await keyOf(a), await keyOf(b)];
  expect((await agree(a, ofB)).dhKey).toEqual((await agree(b, ofA)).dhKey);
  expect((await agree(a, { keyXCoordinate: point, keyYCoordinate: point })).status).not.toBe(0);
  air[Symbol.dispose]();
});

test("transmit power is that of the radio", async () => {
  const { central, handles, air } = await connectedPair({ central: { txPowerDbm: 8 } });
  const level = { connectionHandle: handles.central, type: 0 };
  expect(await central.command(ReadTransmitPowerLevel, level)).toMatchObject({ transmitPowerLevel: 8 });
  expect((await central.command(ReadTransmitPowerLevel, { ...level, type: 2 })).status).toBe(INVALID.status);
  air[Symbol.dispose]();
});

test("a host that closes its transport leaves a controller as after a reset; the next host gets another transport", async () => {
  const { central, centralController, peripheral, air, clock } = await connectedPair({ timeout: 100 });
  await clock.advance(200);
  const lost = peripheral.event(DisconnectionComplete);
  await central.transport[Symbol.asyncDispose]();
  expect((await lost).reason).toBe(HciErrorCode.ConnectionTimeout);
  const next = await new RawHost(centralController.transport, air.clock).start();
  expect(next.transport).not.toBe(central.transport);
  expect((await next.command(ReadBdAddr, {})).bdAddr.equals(centralController.address)).toBe(true);
  air[Symbol.dispose]();
});

test("a removed controller closes its transport and is no longer to be had", async () => {
  const { central, centralController, air } = await connectedPair();
  centralController.remove();
  expect(central.closed?.code).toBe("ERR_TRANSPORT_CLOSED");
  expect(() => centralController.transport).toThrow(/removed/);
  central.transport.send(encodeCommand(Reset, {})); // ignored
  air[Symbol.dispose]();
});

test("a controller serves a host over another transport, one at a time, until that closes", async () => {
  const { air, clock } = makeAir();
  const controller = new Controller({ air });
  const [hostEnd, controllerEnd] = createTransportPair();
  controller.attach(controllerEnd);
  const host = await new RawHost(hostEnd, clock).start();
  expect((await host.command(ReadBdAddr, {})).bdAddr.equals(controller.address)).toBe(true);
  expect(() => controller.transport).toThrow(/host already/);
  expect(() => controller.attach(createTransportPair()[1])).toThrow(/host already/);
  await hostEnd[Symbol.asyncDispose]();
  const [second, secondController] = createTransportPair();
  const attached = controller.attach(secondController);
  const next = await new RawHost(second, clock).start();
  attached[Symbol.dispose]();
  expect(next.closed).toBeDefined();
  air[Symbol.dispose]();
});

test("HCI faults: the n-th packet either way is dropped or changed", async () => {
  const { air, clock } = makeAir();
  const { host, controller } = await makeHost(air);
  const seen: string[] = [];
  const hook = controller.onHciPacket(({ index, direction, packet }) => {
    seen.push(`${direction} ${index} ${toHex(packet.subarray(0, 3))}`);
    if (direction === "to-controller" && packet[1] === 0x18) return "drop";
    if (direction === "to-host" && packet[4] === 0x09) return Uint8Array.of(...packet.subarray(0, 6), 0x1f, ...packet.subarray(7));
    return undefined;
  });
  const unanswered = expect(host.command(LeRand, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(1);
  expect(seen).toEqual(["to-controller 3 011820"]);
  expect((await host.command(ReadBdAddr, {})).status).toBe(0x1f);
  hook[Symbol.dispose]();
  expect((await host.command(ReadBdAddr, {})).status).toBe(0);
  expect(
    air.trace.entries.filter((entry) => entry.kind === "hci" && entry.fault).map((entry) => entry.kind === "hci" && entry.fault),
  ).toEqual(["dropped", "corrupted"]);
  await unanswered;
  air[Symbol.dispose]();
});

test("options out of range are the caller's error", () => {
  const { air } = makeAir();
  for (const wrong of [
    { leAclDataPacketLength: 26 },
    { totalNumLeAclDataPackets: 0 },
    { numHciCommandPackets: 256 },
    { sleepClockAccuracyPpm: 501 },
    { txPowerDbm: 21 },
    { address: "C0:00:00:00:00:01/random" },
    { address: "no address" },
  ])
    expect(() => new Controller({ air, ...wrong })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("access addresses obey Vol 6 Part B 2.1.2", () => {
  for (const wrong of [0x8e89bed6, 0x8e89bed7, 0x00000000, 0x12121212, 0x55555555, 0x8000_00ab]) expect(isAccessAddress(wrong)).toBe(false);
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state;
  };
  for (let i = 0; i < 100; i++) expect(isAccessAddress(createAccessAddress(next))).toBe(true);
});

test("sleep clock accuracy is rounded up to a class", () => {
  expect([20, 21, 30, 50, 51, 75, 100, 150, 250, 251, 500].map(encodeSleepClockAccuracy)).toEqual([7, 6, 6, 5, 4, 4, 3, 2, 1, 0, 0]);
});
