import fc from "fast-check";
import { expect, test } from "vitest";
import { DecodeError, fromHex, toHex } from "../bytes/index.ts";
import { Address } from "../core/index.ts";
import {
  CommandComplete,
  type CommandDeclaration,
  CommandStatus,
  commands,
  DataBufferOverflow,
  Disconnect,
  DisconnectionComplete,
  decodeCommand,
  decodeEvent,
  EncryptionChange,
  EncryptionChangeV2,
  EncryptionKeyRefreshComplete,
  type EventDeclaration,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  events,
  HardwareError,
  HostBufferSize,
  HostNumberOfCompletedPackets,
  LeAddDeviceToFilterAcceptList,
  LeAddDeviceToResolvingList,
  LeAdvertisingReport,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeConnectionUpdateComplete,
  LeCreateConnection,
  LeDataLengthChange,
  LeDirectedAdvertisingReport,
  LeEnableEncryption,
  LeEnhancedConnectionComplete,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LePhyUpdateComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeSetAddressResolutionEnable,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetDataLength,
  LeSetEventMask,
  LeSetPhy,
  LeSetPrivacyMode,
  LeSetRandomAddress,
  LeSetResolvablePrivateAddressTimeout,
  LeSetScanEnable,
  LeSetScanParameters,
  LeWriteSuggestedDefaultDataLength,
  NumberOfCompletedPackets,
  ReadBdAddr,
  ReadLocalVersionInformation,
  ReadRemoteVersionInformationComplete,
  ReadRssi,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
} from "./index.ts";

const ADDRESS = Address.from("C0:11:22:33:44:55/random");
const octets = (hex: string): Uint8Array => fromHex(hex);
const KEY = "000102030405060708090a0b0c0d0e0f";

const COMMANDS: [CommandDeclaration, unknown, string][] = [
  [Reset, {}, "01 030c 00"],
  [SetEventMask, { eventMask: 0x2000_8000_0200_8890n }, "01 010c 08 9088000200800020"],
  [Disconnect, { connectionHandle: 0x0040, reason: 0x13 }, "01 0604 03 4000 13"],
  [ReadRssi, { handle: 1 }, "01 0514 02 0100"],
  [ReadTransmitPowerLevel, { connectionHandle: 1, type: 1 }, "01 2d0c 03 0100 01"],
  [SetControllerToHostFlowControl, { flowControlEnable: 1 }, "01 310c 01 01"],
  [
    HostBufferSize,
    {
      hostAclDataPacketLength: 251,
      hostSynchronousDataPacketLength: 0,
      hostTotalNumAclDataPackets: 16,
      hostTotalNumSynchronousDataPackets: 0,
    },
    "01 330c 07 fb00 00 1000 0000",
  ],
  [
    HostNumberOfCompletedPackets,
    {
      handles: [
        { connectionHandle: 1, hostNumCompletedPackets: 2 },
        { connectionHandle: 2, hostNumCompletedPackets: 1 },
      ],
    },
    "01 350c 09 02 0100 0200 0200 0100",
  ],
  [LeSetEventMask, { leEventMask: 0x1fn }, "01 0120 08 1f00000000000000"],
  [LeSetRandomAddress, { randomAddress: ADDRESS }, "01 0520 06 5544332211c0"],
  [
    LeSetAdvertisingParameters,
    {
      advertisingIntervalMin: 0x0020,
      advertisingIntervalMax: 0x0040,
      advertisingType: 0,
      ownAddressType: 1,
      peerAddress: ADDRESS,
      advertisingChannelMap: 7,
      advertisingFilterPolicy: 0,
    },
    "01 0620 0f 2000 4000 00 01 01 5544332211c0 07 00",
  ],
  [LeSetAdvertisingData, { advertisingData: octets("020106") }, `01 0820 20 03 020106 ${"00".repeat(28)}`],
  [LeSetAdvertisingEnable, { advertisingEnable: true }, "01 0a20 01 01"],
  [
    LeSetScanParameters,
    { leScanType: 1, leScanInterval: 0x0060, leScanWindow: 0x0030, ownAddressType: 0, scanningFilterPolicy: 0 },
    "01 0b20 07 01 6000 3000 00 00",
  ],
  [LeSetScanEnable, { leScanEnable: true, filterDuplicates: false }, "01 0c20 02 01 00"],
  [
    LeCreateConnection,
    {
      leScanInterval: 0x60,
      leScanWindow: 0x30,
      initiatorFilterPolicy: 0,
      peerAddressType: 1,
      peerAddress: ADDRESS.bytes,
      ownAddressType: 0,
      connectionIntervalMin: 6,
      connectionIntervalMax: 12,
      maxLatency: 0,
      supervisionTimeout: 0xc8,
      minCeLength: 0,
      maxCeLength: 0xffff,
    },
    "01 0d20 19 6000 3000 00 01 5544332211c0 00 0600 0c00 0000 c800 0000 ffff",
  ],
  [LeAddDeviceToFilterAcceptList, { addressType: 1, address: ADDRESS.bytes }, "01 1120 07 01 5544332211c0"],
  [
    LeConnectionUpdate,
    {
      connectionHandle: 1,
      connectionIntervalMin: 6,
      connectionIntervalMax: 12,
      maxLatency: 3,
      supervisionTimeout: 0xc8,
      minCeLength: 0,
      maxCeLength: 0,
    },
    "01 1320 0e 0100 0600 0c00 0300 c800 0000 0000",
  ],
  [
    LeEnableEncryption,
    { connectionHandle: 1, randomNumber: octets("0102030405060708"), encryptedDiversifier: 0x1234, longTermKey: octets(KEY) },
    `01 1920 1c 0100 0102030405060708 3412 ${KEY}`,
  ],
  [LeLongTermKeyRequestReply, { connectionHandle: 1, longTermKey: octets(KEY) }, `01 1a20 12 0100 ${KEY}`],
  [
    LeRemoteConnectionParameterRequestReply,
    { connectionHandle: 1, intervalMin: 6, intervalMax: 12, maxLatency: 0, timeout: 200, minCeLength: 0, maxCeLength: 0 },
    "01 2020 0e 0100 0600 0c00 0000 c800 0000 0000",
  ],
  [LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle: 1, reason: 0x3b }, "01 2120 03 0100 3b"],
  [LeSetDataLength, { connectionHandle: 1, txOctets: 251, txTime: 2120 }, "01 2220 06 0100 fb00 4808"],
  [LeWriteSuggestedDefaultDataLength, { suggestedMaxTxOctets: 251, suggestedMaxTxTime: 2120 }, "01 2420 04 fb00 4808"],
  [
    LeAddDeviceToResolvingList,
    { peerIdentityAddress: ADDRESS, peerIrk: octets(KEY), localIrk: new Uint8Array(16) },
    `01 2720 27 01 5544332211c0 ${KEY} ${"00".repeat(16)}`,
  ],
  [LeSetAddressResolutionEnable, { addressResolutionEnable: true }, "01 2d20 01 01"],
  [LeSetResolvablePrivateAddressTimeout, { rpaTimeout: 900 }, "01 2e20 02 8403"],
  [LeSetPhy, { connectionHandle: 1, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 }, "01 3220 07 0100 00 02 02 0000"],
  [LeSetPrivacyMode, { peerIdentityAddress: ADDRESS, privacyMode: 1 }, "01 4e20 08 01 5544332211c0 01"],
];

const EVENTS: [EventDeclaration, unknown, string][] = [
  [DisconnectionComplete, { status: 0, connectionHandle: 0x40, reason: 0x13 }, "04 05 04 00 4000 13"],
  [EncryptionChange, { status: 0, connectionHandle: 1, encryptionEnabled: 1 }, "04 08 04 00 0100 01"],
  [EncryptionChangeV2, { status: 0, connectionHandle: 1, encryptionEnabled: 1, encryptionKeySize: 16 }, "04 59 05 00 0100 01 10"],
  [
    ReadRemoteVersionInformationComplete,
    { status: 0, connectionHandle: 1, version: 9, companyIdentifier: 0x0059, subversion: 0x1234 },
    "04 0c 08 00 0100 09 5900 3412",
  ],
  [CommandComplete, { numHciCommandPackets: 1, commandOpcode: 0x0c03, returnParameters: octets("00") }, "04 0e 04 01 030c 00"],
  [CommandStatus, { status: 0, numHciCommandPackets: 1, commandOpcode: 0x200d }, "04 0f 04 00 01 0d20"],
  [HardwareError, { hardwareCode: 5 }, "04 10 01 05"],
  [
    NumberOfCompletedPackets,
    {
      handles: [
        { connectionHandle: 0x40, numCompletedPackets: 2 },
        { connectionHandle: 0x41, numCompletedPackets: 1 },
      ],
    },
    "04 13 09 02 4000 0200 4100 0100",
  ],
  [DataBufferOverflow, { linkType: 1 }, "04 1a 01 01"],
  [EncryptionKeyRefreshComplete, { status: 0, connectionHandle: 1 }, "04 30 03 00 0100"],
  [
    LeConnectionComplete,
    {
      status: 0,
      connectionHandle: 1,
      role: 1,
      peerAddress: ADDRESS,
      connectionInterval: 24,
      peripheralLatency: 0,
      supervisionTimeout: 200,
      centralClockAccuracy: 5,
    },
    "04 3e 13 01 00 0100 01 01 5544332211c0 1800 0000 c800 05",
  ],
  [
    LeAdvertisingReport,
    {
      reports: [
        { eventType: 0, addressType: 1, address: ADDRESS.bytes, data: octets("020106"), rssi: -60 },
        { eventType: 4, addressType: 0, address: ADDRESS.bytes, data: octets(""), rssi: 127 },
      ],
    },
    "04 3e 19 02 02 00 01 5544332211c0 03 020106 c4 04 00 5544332211c0 00 7f",
  ],
  [
    LeConnectionUpdateComplete,
    { status: 0, connectionHandle: 1, connectionInterval: 24, peripheralLatency: 4, supervisionTimeout: 500 },
    "04 3e 0a 03 00 0100 1800 0400 f401",
  ],
  [LeReadRemoteFeaturesComplete, { status: 0, connectionHandle: 1, leFeatures: 0x1ffn }, "04 3e 0c 04 00 0100 ff01000000000000"],
  [
    LeLongTermKeyRequest,
    { connectionHandle: 1, randomNumber: octets("0102030405060708"), encryptedDiversifier: 0x1234 },
    "04 3e 0d 05 0100 0102030405060708 3412",
  ],
  [
    LeRemoteConnectionParameterRequest,
    { connectionHandle: 1, intervalMin: 6, intervalMax: 12, maxLatency: 0, timeout: 200 },
    "04 3e 0b 06 0100 0600 0c00 0000 c800",
  ],
  [
    LeDataLengthChange,
    { connectionHandle: 1, maxTxOctets: 251, maxTxTime: 2120, maxRxOctets: 27, maxRxTime: 328 },
    "04 3e 0b 07 0100 fb00 4808 1b00 4801",
  ],
  [
    LeEnhancedConnectionComplete,
    {
      status: 0,
      connectionHandle: 1,
      role: 0,
      peerAddressType: 3,
      peerAddress: ADDRESS.bytes,
      localResolvablePrivateAddress: Address.from("41:00:00:00:00:01/random"),
      peerResolvablePrivateAddress: Address.from("42:00:00:00:00:02/random"),
      connectionInterval: 24,
      peripheralLatency: 0,
      supervisionTimeout: 200,
      centralClockAccuracy: 0,
    },
    "04 3e 1f 0a 00 0100 00 03 5544332211c0 010000000041 020000000042 1800 0000 c800 00",
  ],
  [
    LeDirectedAdvertisingReport,
    {
      reports: [
        { eventType: 1, addressType: 1, address: ADDRESS.bytes, directAddressType: 1, directAddress: octets("010000000041"), rssi: -70 },
      ],
    },
    "04 3e 12 0b 01 01 01 5544332211c0 01 010000000041 ba",
  ],
  [LePhyUpdateComplete, { status: 0, connectionHandle: 1, txPhy: 2, rxPhy: 2 }, "04 3e 06 0c 00 0100 02 02"],
  [LeChannelSelectionAlgorithm, { connectionHandle: 1, channelSelectionAlgorithm: 1 }, "04 3e 04 14 0100 01"],
];

test.each(COMMANDS.map((row) => [row[0].name, ...row] as const))("command %s, both ways", (_name, declaration, parameters, hex) => {
  expect(toHex(encodeCommand(declaration, parameters))).toBe(hex.replaceAll(" ", ""));
  expect(decodeCommand(fromHex(hex))).toEqual({ declaration, name: declaration.name, opcode: declaration.opcode, parameters });
});

test.each(EVENTS.map((row) => [row[0].name, ...row] as const))("event %s, both ways", (_name, declaration, parameters, hex) => {
  expect(toHex(encodeEvent(declaration, parameters))).toBe(hex.replaceAll(" ", ""));
  expect(decodeEvent(fromHex(hex))).toMatchObject({ declaration, name: declaration.name, parameters });
});

test("a packet cut short anywhere, or with an octet too many, is a DecodeError", () => {
  for (const [, , hex] of COMMANDS) {
    const packet = fromHex(hex);
    for (let length = 0; length < packet.length; length++) {
      expect(() => decodeCommand(packet.slice(0, length))).toThrow(DecodeError);
      if (length >= 4) expect(() => decodeCommand(withLength(packet.slice(0, length), 3))).toThrow(DecodeError);
    }
    expect(() => decodeCommand(withLength(Uint8Array.of(...packet, 0), 3))).toThrow(DecodeError);
  }
  for (const [declaration, , hex] of EVENTS) {
    if (declaration === CommandComplete) continue; // its return parameters are any octets
    const packet = fromHex(hex);
    for (let length = 0; length < packet.length; length++) {
      expect(() => decodeEvent(packet.slice(0, length))).toThrow(DecodeError);
      if (length >= 4) expect(() => decodeEvent(withLength(packet.slice(0, length), 2))).toThrow(DecodeError);
    }
    expect(() => decodeEvent(withLength(Uint8Array.of(...packet, 0), 2))).toThrow(DecodeError);
  }
});

function withLength(packet: Uint8Array, lengthAt: number): Uint8Array {
  packet[lengthAt] = packet.length - lengthAt - 1;
  return packet;
}

test("a DecodeError names the field", () => {
  expect(() => decodeEvent(fromHex("04 13 05 02 4000 0200"))).toThrow(
    "NumberOfCompletedPackets.handles[1].connectionHandle: needs 2 bytes, has 0 at offset 8 of 8",
  );
});

test("the reserved bits of a connection handle are ignored", () => {
  expect(decodeEvent(fromHex("04 05 04 00 40f0 13")).parameters).toMatchObject({ connectionHandle: 0x40 });
});

test("unknown commands and events pass through", () => {
  expect(decodeCommand(fromHex("01 01fc 02 beef"))).toEqual({
    declaration: undefined,
    name: "Command 0xfc01",
    opcode: 0xfc01,
    parameters: octets("beef"),
  });
  expect(decodeEvent(fromHex("04 ff 02 beef"))).toMatchObject({ name: "Event 0xff", parameters: octets("beef") });
  expect(decodeEvent(fromHex("04 3e 03 7f beef"))).toMatchObject({ name: "LeMeta 0x7f", subeventCode: 0x7f, parameters: octets("beef") });
});

test("a Command Complete event is decoded down to its return parameters", () => {
  const packet = encodeCommandComplete(ReadBdAddr, { status: 0, bdAddr: Address.from("02:00:00:00:00:01") });
  expect(toHex(packet)).toBe("040e0a01091000010000000002");
  expect(decodeEvent(packet).answers).toMatchObject({
    name: "ReadBdAddr",
    returns: { status: 0, bdAddr: Address.from("02:00:00:00:00:01") },
  });
  // A controller may answer an error with nothing but the status.
  expect(decodeEvent(fromHex("04 0e 04 01 0910 0c")).answers).toMatchObject({ name: "ReadBdAddr", returns: { status: 0x0c } });
  expect(decodeEvent(fromHex("04 0e 05 01 01fc beef")).answers).toMatchObject({ name: "Command 0xfc01", returns: octets("beef") });
  expect(decodeEvent(fromHex("04 0e 03 03 0000")).answers).toMatchObject({ name: "Command 0x0000" });
  expect(() => decodeEvent(fromHex("04 0e 05 01 0910 0001"))).toThrow("ReadBdAddr.bdAddr");
});

test("an error fills the return parameters up with zeros", () => {
  expect(toHex(encodeCommandComplete(ReadLocalVersionInformation, { status: 0x0c }))).toBe(`040e0c010110${"0c"}${"00".repeat(8)}`);
  expect(toHex(encodeCommandComplete(Reset, { status: 3 }, 0))).toBe("040e0400030c03");
  expect(toHex(encodeCommandComplete(0xfc01, octets("0102"), 2))).toBe("040e050201fc0102");
  expect(toHex(encodeCommandStatus(0x200d, 0x0c))).toBe("040f040c010d20");
});

test("values that their fields cannot hold are errors of the caller", () => {
  expect(() => encodeCommand(Disconnect, { connectionHandle: 0x10000, reason: 0 })).toThrow("connectionHandle: 65536");
  expect(() => encodeCommand(LeSetAdvertisingData, { advertisingData: new Uint8Array(32) })).toThrow("32 octets: expected at most 31");
  expect(() =>
    encodeEvent(NumberOfCompletedPackets, {
      handles: Array.from({ length: 64 }, () => ({ connectionHandle: 1, numCompletedPackets: 1 })),
    }),
  ).toThrow("257 octets of parameters, a packet holds 255");
});

test("every declaration is registered under its own number", () => {
  expect(commands.size).toBe(132);
  for (const [opcode, { name, ogf, ocf, supported }] of commands) {
    expect([name, opcode]).toEqual([name, (ogf << 10) | ocf]);
    if (supported) expect(supported[0] < 64 && supported[1] < 8).toBe(true);
  }
  const bits = [...commands.values()].flatMap(({ supported }) => (supported ? [supported.join(".")] : []));
  expect(new Set(bits).size).toBe(bits.length);
  expect(events.size).toBe(45);
});

test("random octets give a value or a DecodeError", () => {
  const known = [...commands.keys()];
  const knownEvents = [...events.values()];
  const attempt = (decode: () => unknown): void => {
    try {
      decode();
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), (bytes, pick) => {
      attempt(() => decodeCommand(bytes));
      attempt(() => decodeEvent(bytes));
      const opcode = known[pick % known.length]!;
      attempt(() => decodeCommand(Uint8Array.of(1, opcode & 0xff, opcode >> 8, bytes.length, ...bytes)));
      attempt(() => decodeEvent(Uint8Array.of(4, 0x0e, bytes.length + 3, 1, opcode & 0xff, opcode >> 8, ...bytes)));
      const { eventCode, subeventCode } = knownEvents[pick % knownEvents.length]!;
      const parameters = subeventCode === undefined ? bytes : Uint8Array.of(subeventCode, ...bytes);
      attempt(() => decodeEvent(Uint8Array.of(4, eventCode, parameters.length, ...parameters)));
    }),
    { numRuns: 2000 },
  );
});
