import { expect, test } from "vitest";
import {
  Disconnect,
  DisconnectionComplete,
  EncryptionChange,
  encodeCommand,
  HciErrorCode,
  HostBufferSize,
  HostNumberOfCompletedPackets,
  LeConnectionComplete,
  LeCreateConnection,
  LeEnableEncryption,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LeReadRemoteFeatures,
  LeSetAdvertisingEnable,
  SetControllerToHostFlowControl,
} from "../src/hci/index.ts";
import type { RawHost } from "./support/raw-host.ts";
import { connectedPair, createConnection, type RawPair } from "./support/raw-pair.ts";

const modes = ["radio", "instant"] as const;
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

/** A host with so few buffers, set before the link is made. */
async function limit(host: RawHost, packets: number, octets = 251): Promise<void> {
  const none = { hostSynchronousDataPacketLength: 0, hostTotalNumSynchronousDataPackets: 0 };
  await host.command(HostBufferSize, { ...none, hostAclDataPacketLength: octets, hostTotalNumAclDataPackets: packets });
  await host.command(SetControllerToHostFlowControl, { flowControlEnable: 1 });
}

async function limitedPair(options: Parameters<typeof connectedPair>[0], packets: number, octets?: number): Promise<RawPair> {
  return connectedPair({ ...options, onHosts: ({ peripheral }) => limit(peripheral, packets, octets) });
}

const reasons = (host: RawHost): number[] => host.all(DisconnectionComplete).map(({ reason }) => reason);

test.each(modes)("%s: a link ends at once though the peer's host has taken no data for long", async (mode) => {
  const { central, peripheral, handles, clock, air } = await limitedPair({ mode, timeout: 100 }, 1);
  for (let i = 0; i < 3; i++) central.sendAcl(handles.central, Uint8Array.of(i));
  await clock.advance(5000);
  expect(peripheral.acl).toHaveLength(1);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  await clock.advance(200);
  expect(reasons(central)).toEqual([HciErrorCode.ConnectionTerminatedByLocalHost]);
  expect(reasons(peripheral)).toEqual([0x13]);
  air[Symbol.dispose]();
});

test.each(modes)("%s: where data that the peer does not take is on its way, both ends end after the supervision timeout", async (mode) => {
  for (const side of ["central", "peripheral"] as const) {
    const other = side === "central" ? "peripheral" : "central";
    const pair = await connectedPair({ mode, timeout: 100, onHosts: (hosts) => limit(hosts[other], 1) });
    const { clock, air, handles } = pair;
    for (let i = 0; i < 12; i++) pair[side].sendAcl(handles[side], Uint8Array.of(i));
    await clock.advance(5000);
    expect(pair[other].acl).toHaveLength(1);
    await pair[side].command(Disconnect, { connectionHandle: handles[side], reason: 0x13 });
    await clock.advance(1020); // T_terminate is the supervision timeout, Vol 6 Part B 5.1.6
    expect(reasons(pair[side])).toEqual([HciErrorCode.ConnectionTerminatedByLocalHost]);
    await clock.advance(1020);
    expect(reasons(pair[other])).toEqual([HciErrorCode.ConnectionTimeout]);
    air[Symbol.dispose]();
  }
});

test("a peer that is out of range does not keep a host from ending its link", async () => {
  const { central, handles, clock, air, centralController, peripheralController } = await connectedPair({ timeout: 3200 });
  await clock.advance(200);
  using _wall = air.cut(centralController, peripheralController);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  await clock.advance(32_100);
  expect(reasons(central)).toEqual([HciErrorCode.ConnectionTerminatedByLocalHost]);
  air[Symbol.dispose]();
});

test("data that waits in the controller reaches the host before the peer's goodbye, as far as its buffers go", async () => {
  const { central, peripheral, handles, clock, air } = await limitedPair({ timeout: 100 }, 2);
  for (let i = 0; i < 4; i++) central.sendAcl(handles.central, Uint8Array.of(i));
  await clock.advance(500);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  await clock.advance(200);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1]);
  expect(reasons(peripheral)).toEqual([0x13]);
  air[Symbol.dispose]();
});

test("an ended link gives back the host's buffers, a report of too many packets is refused", async () => {
  const { central, peripheral, handles, clock, air, peripheralController } = await limitedPair({ timeout: 100 }, 2);
  const report = (connectionHandle: number, hostNumCompletedPackets: number): void =>
    peripheral.transport.send(encodeCommand(HostNumberOfCompletedPackets, { handles: [{ connectionHandle, hostNumCompletedPackets }] }));
  for (let i = 0; i < 3; i++) central.sendAcl(handles.central, Uint8Array.of(i));
  await clock.advance(500);
  const answers: string[] = [];
  using _watch = peripheralController.onHciPacket(({ direction, packet }) => {
    if (direction === "to-host" && packet[1] === 0x0e) answers.push(Buffer.from(packet).toString("hex"));
    return undefined;
  });
  report(handles.peripheral, 3); // it has two
  await clock.advance(100);
  expect(answers).toEqual(["040e0401350c12"]);
  expect(peripheral.acl).toHaveLength(2);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  await clock.advance(200);
  report(handles.peripheral, 2); // crossed the event of the end: nothing to say about it
  await clock.advance(100);
  expect(answers).toHaveLength(1);

  const again = Promise.all([central.event(LeConnectionComplete), peripheral.event(LeConnectionComplete)]);
  await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  await central.command(LeCreateConnection, createConnection(peripheralController.address));
  const [{ connectionHandle }] = await again;
  for (let i = 3; i < 6; i++) central.sendAcl(connectionHandle, Uint8Array.of(i));
  await clock.advance(500);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1, 3, 4]);
  air[Symbol.dispose]();
});

test("ACL packets to a host are no longer than its buffers, and each takes one", async () => {
  const { central, peripheral, handles, clock, air } = await limitedPair({}, 3, 10);
  const data = Uint8Array.from({ length: 25 }, (_, i) => i);
  central.sendAcl(handles.central, data);
  central.sendAcl(handles.central, Uint8Array.of(99));
  await clock.advance(300);
  expect(peripheral.acl.map((packet) => [packet.start, packet.data.length])).toEqual([
    [true, 10],
    [false, 10],
    [false, 5],
  ]);
  expect(Uint8Array.from(peripheral.acl.flatMap((packet) => [...packet.data]))).toEqual(data);
  const all = { handles: [{ connectionHandle: handles.peripheral, hostNumCompletedPackets: 1 }] };
  peripheral.transport.send(encodeCommand(HostNumberOfCompletedPackets, all));
  await clock.advance(100);
  expect(peripheral.acl.at(-1)).toMatchObject({ start: true, data: Uint8Array.of(99) });
  air[Symbol.dispose]();
});

/** Starts an encryption while `side` has a feature exchange under way whose answer is lost. */
async function encryptMeanwhile(side: "central" | "peripheral"): Promise<RawPair> {
  const pair = await connectedPair({ interval: 12, timeout: 400 });
  const { central, peripheral, handles, clock, air } = pair;
  // LL_FEATURE_RSP becomes an empty continuation fragment, which means nothing.
  air.onPacket(({ pdu }) => ((pdu[0]! & 3) === 3 && pdu[2] === 0x09 ? { deliver: Uint8Array.of((pdu[0]! & 0x1c) | 1, 0) } : undefined));
  await pair[side].command(LeReadRemoteFeatures, { connectionHandle: handles[side] });
  if (side === "central") return pair;
  await clock.advance(1000);
  const asked = peripheral.event(LeLongTermKeyRequest);
  const encrypted = Promise.all([central.event(EncryptionChange), peripheral.event(EncryptionChange)]);
  const key = { randomNumber: new Uint8Array(8), encryptedDiversifier: 0, longTermKey: KEY };
  await central.command(LeEnableEncryption, { connectionHandle: handles.central, ...key });
  await asked;
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey: KEY });
  await encrypted;
  return pair;
}

test.each(["central", "peripheral"] as const)(
  "the %s's feature exchange without an answer ends the link after 40 s, whatever other procedure came in between",
  async (side) => {
    const pair = await encryptMeanwhile(side);
    await pair.clock.advance(38_000);
    expect(reasons(pair[side])).toEqual([]);
    await pair.clock.advance(3_000);
    expect(reasons(pair[side])).toEqual([HciErrorCode.LlResponseTimeout]);
    pair.air[Symbol.dispose]();
  },
);

test("a key that comes late does not count against the peer: only PDUs have 40 s", async () => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ timeout: 400 });
  const asked = peripheral.event(LeLongTermKeyRequest);
  const key = { randomNumber: new Uint8Array(8), encryptedDiversifier: 0, longTermKey: KEY };
  await central.command(LeEnableEncryption, { connectionHandle: handles.central, ...key });
  await asked;
  await clock.advance(39_000);
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey: KEY });
  await peripheral.event(EncryptionChange);
  await clock.advance(45_000);
  expect([...reasons(central), ...reasons(peripheral)]).toEqual([]);
  air[Symbol.dispose]();
});

test("a peripheral whose central does not answer LL_START_ENC_REQ gives the link up after 40 s", async () => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ timeout: 400 });
  air.onPacket(({ pdu, from }) =>
    from === "peripheral" && (pdu[0]! & 3) === 3 && pdu[2] === 0x05 ? { deliver: Uint8Array.of((pdu[0]! & 0x1c) | 1, 0) } : undefined,
  );
  const asked = peripheral.event(LeLongTermKeyRequest);
  const key = { randomNumber: new Uint8Array(8), encryptedDiversifier: 0, longTermKey: KEY };
  await central.command(LeEnableEncryption, { connectionHandle: handles.central, ...key });
  await asked;
  await clock.advance(5000); // so that its own 40 s end after the central's
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey: KEY });
  await clock.advance(36_000);
  expect(reasons(central)).toEqual([HciErrorCode.LlResponseTimeout]);
  await clock.advance(10_000);
  expect(reasons(peripheral).length).toBe(1);
  air[Symbol.dispose]();
});

test("at 50 ms and LE 1M, 73 exchanges of a notification of 20 octets fit: an event ends T_IFS before the next anchor", async () => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ interval: 40, timeout: 400 });
  let credits = 12;
  const pump = (): void => {
    for (; credits > 0; credits--) peripheral.sendAcl(handles.peripheral, new Uint8Array(27));
  };
  peripheral.onCompleted = (_, count) => {
    credits += count;
    pump();
  };
  await clock.advance(200);
  pump();
  await clock.advance(500);
  air.trace.clear();
  const before = central.acl.length;
  await clock.advance(1000);
  expect(central.acl.length - before).toBe(20 * 73);
  const ends = air.trace.entries.filter((entry) => entry.kind === "air" && entry.pdu.length > 2).length;
  expect(ends).toBe(20 * 73);
  expect(central.acl.every(({ data }) => data.length === 27)).toBe(true);
  air[Symbol.dispose]();
});
