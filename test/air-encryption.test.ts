import { expect, test } from "vitest";
import {
  DisconnectionComplete,
  EncryptionChange,
  EncryptionKeyRefreshComplete,
  HciErrorCode,
  LeEnableEncryption,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeSetEventMask,
} from "../src/hci/index.ts";
import { connectedPair, type RawPair } from "./support/raw-pair.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const OTHER_KEY = Uint8Array.from({ length: 16 }, (_, i) => 255 - i);
const RAND = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

async function enable({ central, peripheral, handles }: RawPair, key: Uint8Array, answer: Uint8Array | undefined): Promise<void> {
  const asked = peripheral.event(LeLongTermKeyRequest);
  const status = await central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    randomNumber: RAND,
    encryptedDiversifier: 0x1234,
    longTermKey: key,
  });
  expect(status).toEqual({ status: 0 });
  expect(await asked).toEqual({ connectionHandle: handles.peripheral, randomNumber: RAND, encryptedDiversifier: 0x1234 });
  const connectionHandle = handles.peripheral;
  if (answer) await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle, longTermKey: answer });
  else await peripheral.command(LeLongTermKeyRequestNegativeReply, { connectionHandle });
}

async function encrypted(pair: RawPair): Promise<void> {
  const done = Promise.all([pair.central.event(EncryptionChange), pair.peripheral.event(EncryptionChange)]);
  await enable(pair, KEY, KEY);
  for (const event of await done) expect(event).toMatchObject({ status: 0, encryptionEnabled: 1 });
}

/** Text octets of every data PDU on air from now on. */
function isOnAir({ air }: RawPair, data: Uint8Array): boolean {
  const hex = Buffer.from(data).toString("hex");
  return air.trace.entries.some((entry) => entry.kind === "air" && Buffer.from(entry.pdu).toString("hex").includes(hex));
}

test("an encrypted link hides its data on air and delivers it, both ways", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, clock, air } = pair;
  const data = Uint8Array.from({ length: 20 }, (_, i) => 0xa0 + i);
  central.sendAcl(handles.central, data);
  await clock.advance(100);
  expect(isOnAir(pair, data)).toBe(true);
  await encrypted(pair);
  air.trace.clear();
  for (const secret of [0x10, 0x20, 0x30]) {
    central.sendAcl(
      handles.central,
      data.map((octet) => octet ^ secret),
    );
    peripheral.sendAcl(
      handles.peripheral,
      data.map((octet) => octet ^ secret),
    );
  }
  await clock.advance(1000);
  expect(peripheral.acl.slice(1).map((packet) => packet.data)).toEqual([0x10, 0x20, 0x30].map((s) => data.map((octet) => octet ^ s)));
  expect(central.acl.map((packet) => packet.data)).toEqual([0x10, 0x20, 0x30].map((s) => data.map((octet) => octet ^ s)));
  const onAir = air.trace.entries.filter((entry) => entry.kind === "air");
  expect(onAir.length).toBe(6);
  for (const secret of [0x10, 0x20, 0x30]) {
    const clear = Buffer.from(data.map((octet) => octet ^ secret)).toString("hex");
    for (const entry of onAir) expect(Buffer.from(entry.kind === "air" ? entry.pdu : []).toString("hex")).not.toContain(clear);
  }
  air[Symbol.dispose]();
});

test("data that the hosts hand over while encryption starts waits, and goes out encrypted and in order", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, clock, air } = pair;
  const asked = peripheral.event(LeLongTermKeyRequest);
  void central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    randomNumber: RAND,
    encryptedDiversifier: 0x1234,
    longTermKey: KEY,
  });
  const secret = Uint8Array.from({ length: 16 }, () => 0xee);
  central.sendAcl(handles.central, secret);
  await asked;
  peripheral.sendAcl(handles.peripheral, secret);
  await clock.advance(5000); // the peripheral's host takes its time
  expect([central.acl, peripheral.acl]).toEqual([[], []]);
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey: KEY });
  await clock.advance(1000);
  expect([central.acl.length, peripheral.acl.length]).toEqual([1, 1]);
  const clear = Buffer.from(secret).toString("hex");
  for (const entry of air.trace.entries) if (entry.kind === "air") expect(Buffer.from(entry.pdu).toString("hex")).not.toContain(clear);
  air[Symbol.dispose]();
});

test("keys that differ: the peripheral finds a wrong MIC (0x3D), the central hears no more of it (0x08)", async () => {
  const pair = await connectedPair();
  const ends = Promise.all([pair.central.event(DisconnectionComplete), pair.peripheral.event(DisconnectionComplete)]);
  await enable(pair, KEY, OTHER_KEY);
  const [central, peripheral] = await ends;
  expect(peripheral.reason).toBe(HciErrorCode.ConnectionTerminatedDueToMicFailure);
  expect(central.reason).toBe(HciErrorCode.ConnectionTimeout);
  expect(pair.central.all(EncryptionChange)).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("a peripheral without the key refuses (0x06), and the link goes on in the clear", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, clock, air } = pair;
  const refused = central.event(EncryptionChange);
  await enable(pair, KEY, undefined);
  expect(await refused).toEqual({ status: HciErrorCode.PinOrKeyMissing, connectionHandle: handles.central, encryptionEnabled: 0 });
  central.sendAcl(handles.central, Uint8Array.of(1, 2, 3));
  await clock.advance(100);
  expect(peripheral.acl).toHaveLength(1);
  await encrypted(pair); // and a second attempt may succeed
  air[Symbol.dispose]();
});

test("a host that does not want key requests is one without keys", async () => {
  const { central, peripheral, handles, air } = await connectedPair({ peripheral: { features: { extendedReject: false } } });
  await peripheral.command(LeSetEventMask, { leEventMask: 0x0fn });
  const refused = central.event(EncryptionChange);
  await central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    randomNumber: RAND,
    encryptedDiversifier: 0,
    longTermKey: KEY,
  });
  expect((await refused).status).toBe(HciErrorCode.PinOrKeyMissing);
  air[Symbol.dispose]();
});

test("a new key on an encrypted link: paused, changed, and data goes on", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, clock, air } = pair;
  await encrypted(pair);
  const refreshed = Promise.all([central.event(EncryptionKeyRefreshComplete), peripheral.event(EncryptionKeyRefreshComplete)]);
  await enable(pair, OTHER_KEY, OTHER_KEY);
  for (const event of await refreshed) expect(event.status).toBe(0);
  central.sendAcl(handles.central, Uint8Array.of(1));
  peripheral.sendAcl(handles.peripheral, Uint8Array.of(2));
  await clock.advance(100);
  expect([central.acl[0]!.data, peripheral.acl[0]!.data]).toEqual([Uint8Array.of(2), Uint8Array.of(1)]);
  air[Symbol.dispose]();
});

test("a refresh without the new key ends the link: it must not go on in the clear", async () => {
  const pair = await connectedPair();
  await encrypted(pair);
  const ends = Promise.all([pair.central.event(DisconnectionComplete), pair.peripheral.event(DisconnectionComplete)]);
  await enable(pair, OTHER_KEY, undefined);
  const [central] = await ends;
  expect(central.reason).toBe(HciErrorCode.PinOrKeyMissing);
  pair.air[Symbol.dispose]();
});

test("one bit changed on an encrypted link: lost and sent again if the CRC shows it, a MIC failure if not", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, clock, air } = pair;
  await encrypted(pair);
  let corrupted = 0;
  const hook = air.onPacket(({ from }) => (from === "central" && corrupted++ < 2 ? "corrupt" : undefined));
  central.sendAcl(handles.central, Uint8Array.of(1));
  await clock.advance(200);
  expect(peripheral.acl.map(({ data }) => data)).toEqual([Uint8Array.of(1)]);
  hook[Symbol.dispose]();
  air.onPacket(({ from, pdu }) => {
    if (from !== "central") return undefined;
    const changed = pdu.slice();
    changed[3]! ^= 1;
    return { deliver: changed };
  });
  central.sendAcl(handles.central, Uint8Array.of(2));
  expect((await peripheral.event(DisconnectionComplete)).reason).toBe(HciErrorCode.ConnectionTerminatedDueToMicFailure);
  expect(peripheral.acl).toHaveLength(1);
  air[Symbol.dispose]();
});

test("encryption survives an air that loses every third packet, and an instant one", async () => {
  for (const options of [{ timeout: 1000 }, { mode: "instant" as const }]) {
    const pair = await connectedPair(options);
    let count = 0;
    const { central, handles, peripheral, clock, air } = pair;
    air.onPacket(() => (count++ % 3 === 0 ? "lose" : undefined));
    await encrypted(pair);
    for (let i = 0; i < 30; i++) {
      central.sendAcl(handles.central, Uint8Array.of(i));
      await clock.advance(100);
    }
    expect(peripheral.acl.map(({ data }) => data[0])).toEqual(Array.from({ length: 30 }, (_, i) => i));
    air[Symbol.dispose]();
  }
});

test("only the central may start encryption, once at a time, and only a request is answered", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  const parameters = { randomNumber: RAND, encryptedDiversifier: 0, longTermKey: KEY };
  const disallowed = { status: HciErrorCode.CommandDisallowed };
  expect(await peripheral.command(LeEnableEncryption, { ...parameters, connectionHandle: handles.peripheral })).toEqual(disallowed);
  expect(await central.command(LeEnableEncryption, { ...parameters, connectionHandle: 0x0eff })).toEqual({ status: 2 });
  await central.command(LeEnableEncryption, { ...parameters, connectionHandle: handles.central });
  expect(await central.command(LeEnableEncryption, { ...parameters, connectionHandle: handles.central })).toEqual(disallowed);
  const reply = { connectionHandle: handles.peripheral, longTermKey: KEY };
  expect(await peripheral.command(LeLongTermKeyRequestReply, reply)).toMatchObject(disallowed);
  air[Symbol.dispose]();
});
