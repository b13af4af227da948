import { expect, test } from "vitest";
import { advertise, connectedPair, createConnection, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { Address } from "../core/index.ts";
import {
  type CommandDeclaration,
  Disconnect,
  DisconnectionComplete,
  encodeCommand,
  HciErrorCode,
  HostBufferSize,
  HostNumberOfCompletedPackets,
  LeAddDeviceToFilterAcceptList,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeCreateConnection,
  LeEnableEncryption,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeReadChannelMap,
  LeReadPhy,
  LeReadRemoteFeatures,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeSetDataLength,
  LeSetPhy,
  ReadRemoteVersionInformation,
  ReadRssi,
  ReadTransmitPowerLevel,
  SetControllerToHostFlowControl,
} from "../hci/index.ts";

const UNKNOWN = HciErrorCode.UnknownConnectionIdentifier;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const INVALID = HciErrorCode.InvalidHciCommandParameters;

const update = {
  connectionIntervalMin: 12,
  connectionIntervalMax: 12,
  maxLatency: 0,
  supervisionTimeout: 100,
  minCeLength: 0,
  maxCeLength: 0,
};
const reply = { intervalMin: 12, intervalMax: 12, maxLatency: 0, timeout: 100, minCeLength: 0, maxCeLength: 0 };
const key = { randomNumber: new Uint8Array(8), encryptedDiversifier: 0, longTermKey: new Uint8Array(16) };

/** Every command about a link, with parameters that are good but for the handle. */
const aboutLinks = [
  [Disconnect, { reason: 0x13 }],
  [ReadRemoteVersionInformation, {}],
  [ReadRssi, {}],
  [ReadTransmitPowerLevel, { type: 0 }],
  [LeConnectionUpdate, update],
  [LeReadChannelMap, {}],
  [LeReadRemoteFeatures, {}],
  [LeEnableEncryption, key],
  [LeLongTermKeyRequestReply, { longTermKey: new Uint8Array(16) }],
  [LeLongTermKeyRequestNegativeReply, {}],
  [LeRemoteConnectionParameterRequestReply, reply],
  [LeRemoteConnectionParameterRequestNegativeReply, { reason: 0x3b }],
  [LeSetDataLength, { txOctets: 27, txTime: 328 }],
  [LeReadPhy, {}],
  [LeSetPhy, { allPhys: 3, txPhys: 0, rxPhys: 0, phyOptions: 0 }],
] as unknown as readonly (readonly [CommandDeclaration<never, { status: number }>, object])[];

test("every command about a link refuses a handle that never was, or is no more (0x02)", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  for (const connectionHandle of [0, handles.central + 1, 0x0eff])
    for (const [declaration, parameters] of aboutLinks)
      expect(
        await central.command(declaration, { ...parameters, connectionHandle, handle: connectionHandle } as never),
        declaration.name,
      ).toMatchObject({ status: UNKNOWN });
  const over = peripheral.event(DisconnectionComplete);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  await over;
  for (const [declaration, parameters] of aboutLinks) {
    const handle = handles.peripheral;
    expect(
      await peripheral.command(declaration, { ...parameters, connectionHandle: handle, handle } as never),
      declaration.name,
    ).toMatchObject({
      status: UNKNOWN,
    });
  }
  air[Symbol.dispose]();
});

test("what nobody asked for is not answered, and each role keeps to its own (0x0C)", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  const answers = [
    [LeLongTermKeyRequestReply, { longTermKey: new Uint8Array(16) }],
    [LeLongTermKeyRequestNegativeReply, {}],
    [LeRemoteConnectionParameterRequestReply, reply],
    [LeRemoteConnectionParameterRequestNegativeReply, { reason: 0x3b }],
  ] as unknown as readonly (readonly [CommandDeclaration<never, { status: number }>, object])[];
  for (const [host, connectionHandle] of [
    [central, handles.central],
    [peripheral, handles.peripheral],
  ] as const)
    for (const [declaration, parameters] of answers)
      expect(await host.command(declaration, { ...parameters, connectionHandle } as never), declaration.name).toMatchObject({
        status: DISALLOWED,
      });
  expect(await peripheral.command(LeEnableEncryption, { ...key, connectionHandle: handles.peripheral })).toEqual({ status: DISALLOWED });
  air[Symbol.dispose]();
});

test("a link that is being ended takes no command that would begin something on it, a second end included (0x0C)", async () => {
  const { central, handles, air } = await connectedPair();
  const connectionHandle = handles.central;
  await central.command(Disconnect, { connectionHandle, reason: 0x13 });
  for (const [declaration, parameters] of aboutLinks.filter(([{ returns }]) => !returns))
    expect(await central.command(declaration, { ...parameters, connectionHandle } as never), declaration.name).toEqual({
      status: DISALLOWED,
    });
  air[Symbol.dispose]();
});

test("a reason that no host may give ends no link (7.1.6)", async () => {
  const { central, handles, clock, air } = await connectedPair();
  const allowed = [0x05, 0x13, 0x14, 0x15, 0x1a, 0x29, 0x3b];
  for (let reason = 0; reason < 256; reason++)
    if (!allowed.includes(reason))
      expect(await central.command(Disconnect, { connectionHandle: handles.central, reason }), String(reason)).toEqual({ status: INVALID });
  await clock.advance(1000);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("an advertiser takes no second link from a peer that it is connected to", async () => {
  const { central, peripheral, peripheralController, clock, air } = await connectedPair({ timeout: 300 });
  await clock.advance(500);
  await central.start(); // the reset forgets the link without a word; the peripheral still waits for its peer
  await advertise(peripheral, { interval: 32 });
  await central.command(LeCreateConnection, createConnection(peripheralController.address));
  await clock.advance(1000);
  expect(central.all(LeConnectionComplete)).toMatchObject([{ status: 0 }, { status: 0 }]);
  expect(central.all(DisconnectionComplete)).toMatchObject([{ reason: HciErrorCode.ConnectionFailedToBeEstablished }]);
  expect(peripheral.all(LeConnectionComplete)).toHaveLength(1);
  await clock.advance(3000);
  expect(peripheral.all(DisconnectionComplete)).toMatchObject([{ reason: HciErrorCode.ConnectionTimeout }]);
  await central.command(LeCreateConnection, createConnection(peripheralController.address));
  await clock.advance(1000);
  expect(peripheral.all(LeConnectionComplete)).toHaveLength(2);
  air[Symbol.dispose]();
});

test("an initiator that goes by its list ignores what the peer's fields say (7.8.12)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  await host.command(LeAddDeviceToFilterAcceptList, { addressType: 0, address: new Uint8Array(6).fill(1) });
  const ignored = { initiatorFilterPolicy: 1, peerAddressType: 0x7f };
  expect(await host.command(LeCreateConnection, { ...createConnection(Address.from("00:00:00:00:00:01")), ...ignored })).toMatchObject({
    status: 0,
  });
  air[Symbol.dispose]();
});

test("host buffers set anew count what the host still holds", async () => {
  const { central, peripheral, handles, clock, air } = await connectedPair({
    onHosts: async ({ central }) => {
      const sizes = {
        hostAclDataPacketLength: 27,
        hostSynchronousDataPacketLength: 0,
        hostTotalNumAclDataPackets: 2,
        hostTotalNumSynchronousDataPackets: 0,
      };
      await central.command(HostBufferSize, sizes);
      await central.command(SetControllerToHostFlowControl, { flowControlEnable: 1 });
    },
  });
  for (let i = 0; i < 8; i++) peripheral.sendAcl(handles.peripheral, Uint8Array.of(i));
  await clock.advance(500);
  expect(central.acl).toHaveLength(2);
  const sizes = {
    hostAclDataPacketLength: 27,
    hostSynchronousDataPacketLength: 0,
    hostTotalNumAclDataPackets: 3,
    hostTotalNumSynchronousDataPackets: 0,
  };
  await central.command(HostBufferSize, sizes);
  await clock.advance(500);
  expect(central.acl).toHaveLength(3);
  central.transport.send(
    encodeCommand(HostNumberOfCompletedPackets, { handles: [{ connectionHandle: handles.central, hostNumCompletedPackets: 3 }] }),
  );
  await clock.advance(500);
  expect(central.acl).toHaveLength(6);
  air[Symbol.dispose]();
});
