import { expect, test } from "vitest";
import { openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { type LinkSecurity, NO_SECURITY, type SecurityRequirement } from "../../core/link-security.ts";
import { DisconnectedError } from "../../hci/index.ts";
import { type ChannelRequest, ConnectionResult, type CreditBasedChannel, type ListenOptions } from "../index.ts";

const SETTINGS = { mtu: 100, mps: 64, receiveWindow: 256 } as const;
/** The peer's request of an LE credit based channel. */
const ask = (identifier: number, cid: number, { spsm = 0x80, mtu = 50, mps = 30, credits = 3 } = {}): string =>
  signal(0x14, identifier, spsm, cid, mtu, mps, credits);
const accepted = (identifier: number, cid: number): string => `5 ${signal(0x15, identifier, cid, 100, 64, 4, 0)}`;
const refused = (identifier: number, result: number): string => `5 ${signal(0x15, identifier, 0, 0, 0, 0, result)}`;
/** The same of enhanced channels. */
const askAll = (identifier: number, cids: number[], { spsm = 0x80, mtu = 70, mps = 64, credits = 3 } = {}): string =>
  signal(0x17, identifier, spsm, mtu, mps, credits, ...cids);
const answered = (identifier: number, result: number, cids: number[]): string =>
  `5 ${cids.some((cid) => cid > 0) ? signal(0x18, identifier, 100, 64, 4, result, ...cids) : signal(0x18, identifier, 0, 0, 0, result, ...cids)}`;

async function listening(options: ListenOptions = {}, owner: Parameters<typeof openL2capPeer>[0] = {}) {
  const peer = await openL2capPeer(owner);
  const got: CreditBasedChannel[] = [];
  const listener = peer.listeners.listen(0x80, { ...SETTINGS, ...options });
  listener.onChannel = (channel) => void got.push(channel);
  return { ...peer, listener, got };
}

test("L2CAP/LE/CFC/BV-04-C: a request is accepted with what this side takes", async () => {
  const { receive, sent, got, listener, channels } = await listening();
  receive(5, ask(7, 0x60));
  expect(sent()).toEqual([accepted(7, 0x40)]);
  expect(got).toMatchObject([
    {
      spsm: 0x80,
      mode: "credit",
      role: "acceptor",
      localCid: 0x40,
      remoteCid: 0x60,
      mtu: 100,
      mps: 64,
      peerMtu: 50,
      peerMps: 30,
      credits: 3,
    },
  ]);
  expect([listener.channels, channels.channels]).toEqual([got, got]);
});

test("the channel is told before anything of it is delivered", async () => {
  const { receive, listener, sent } = await listening();
  const log: string[] = [];
  listener.onChannel = (channel) => {
    log.push("channel");
    channel.onSdu = (sdu) => log.push(`sdu ${sdu[0]}`);
    channel.trySend(Uint8Array.of(9)); // behind the response
  };
  receive(5, ask(1, 0x60));
  receive(0x40, "010005");
  expect(log).toEqual(["channel", "sdu 5"]);
  expect(sent()).toEqual([accepted(1, 0x40), "60 010009", `5 ${signal(0x16, 1, 0x40, 1)}`]);
});

test("L2CAP/ECFC: one request opens five channels, and the answer names them in order", async () => {
  const { receive, sent, got } = await listening();
  receive(5, askAll(7, [0x7f, 0x40, 0x50, 0x41, 0x60]));
  expect(sent()).toEqual([answered(7, 0, [0x40, 0x41, 0x42, 0x43, 0x44])]);
  expect(got.map(({ localCid, remoteCid }) => [localCid, remoteCid])).toEqual([
    [0x40, 0x7f],
    [0x41, 0x40],
    [0x42, 0x50],
    [0x43, 0x41],
    [0x44, 0x60],
  ]);
  expect(got[0]).toMatchObject({ mode: "enhanced", peerMtu: 70, peerMps: 64, credits: 3 });
});

test.each<[string, string, string]>([
  ["L2CAP/LE/CFC: another SPSM", ask(1, 0x60, { spsm: 0x81 }), refused(1, 0x0002)],
  ["SPSM 0", ask(1, 0x60, { spsm: 0 }), refused(1, 0x0002)],
  ["an SPSM beyond those of LE, whose low octet is listened to", ask(1, 0x60, { spsm: 0x180 }), refused(1, 0x0002)],
  ["a fixed CID", ask(1, 0x3f), refused(1, 0x0009)],
  ["CID 0", ask(1, 0), refused(1, 0x0009)],
  ["a CID beyond those of LE", ask(1, 0x80), refused(1, 0x0009)],
  ["an MTU of 22", ask(1, 0x60, { mtu: 22 }), refused(1, 0x000b)],
  ["an MPS of 22", ask(1, 0x60, { mps: 22 }), refused(1, 0x000b)],
  ["an MPS of 65534", ask(1, 0x60, { mps: 0xfffe }), refused(1, 0x000b)],
  ["the least MTU and MPS", ask(1, 0x40, { mtu: 23, mps: 23 }), accepted(1, 0x40)],
  ["the greatest CID, MTU and MPS", ask(1, 0x7f, { mtu: 0xffff, mps: 0xfffd, credits: 0xffff }), accepted(1, 0x40)],
  ["no credits", ask(1, 0x60, { credits: 0 }), accepted(1, 0x40)],
  ["enhanced: another SPSM", askAll(1, [0x60, 0x61], { spsm: 0x81 }), answered(1, 0x0002, [0, 0])],
  ["enhanced: SPSM 0", askAll(1, [0x60], { spsm: 0 }), answered(1, 0x0002, [0])],
  [
    "L2CAP/ECFC/BV-26-C: an MTU of 63; every CID is named in the refusal",
    askAll(1, [0x60, 0x61, 0x62], { mtu: 63 }),
    answered(1, 0x000c, [0, 0, 0]),
  ],
  ["L2CAP/ECFC/BV-27-C: an MTU of 64 is enough", askAll(1, [0x60], { mtu: 64 }), answered(1, 0, [0x40])],
  ["enhanced: an MPS of 63", askAll(1, [0x60], { mps: 63 }), answered(1, 0x000c, [0])],
  ["enhanced: an MPS of 65534", askAll(1, [0x60], { mps: 0xfffe }), answered(1, 0x000c, [0])],
  ["enhanced: no credits", askAll(1, [0x60], { credits: 0 }), answered(1, 0x000c, [0])],
  ["enhanced: a CID twice", askAll(1, [0x60, 0x60, 0x61]), answered(1, 0x000a, [0x40, 0, 0x41])],
  ["enhanced: CIDs out of range among others", askAll(1, [0x3f, 0x60, 0x80]), answered(1, 0x0009, [0, 0x40, 0])],
  ["enhanced: no CID that can be", askAll(1, [0, 0x1060]), answered(1, 0x0009, [0, 0])],
  ["enhanced: no CID at all", askAll(1, []), "5 010102000000"],
  ["enhanced: six CIDs are more than MTUsig", askAll(1, [0x60, 0x61, 0x62, 0x63, 0x64, 0x65]), "5 0101040001001700"],
  ["enhanced: half a CID", "17 01 0900 8000 4600 4000 0300 60", "5 010102000000"],
  ["enhanced: less than its fields", "17 01 0600 8000 4600 4000", "5 010102000000"],
  ["a request shorter than declared", "14 01 0800 8000 6000 3200 1e00", "5 010102000000"],
  ["a request longer than declared", "14 01 0c00 8000 6000 3200 1e00 0300 0000", "5 010102000000"],
  ["identifier 0", ask(0, 0x60), ""],
])("%s", async (_name, pdu, answer) => {
  const { receive, sent, got, channels } = await listening();
  receive(5, pdu);
  expect(sent()).toEqual(answer === "" ? [] : [answer]);
  const opened = / 15..0a00....6400| 18......6400/.test(answer);
  expect(got.length > 0).toBe(opened);
  expect(channels.channels).toEqual(got);
});

test("L2CAP/LE/CFC/BV-20-C: a CID of the peer that a channel has is refused, and free when it is closed", async () => {
  const { receive, sent, got } = await listening();
  receive(5, ask(1, 0x60));
  receive(5, ask(2, 0x60));
  receive(5, askAll(3, [0x61, 0x60]));
  expect(sent()).toEqual([accepted(1, 0x40), refused(2, 0x000a), answered(3, 0x000a, [0x41, 0])]);
  receive(5, signal(0x06, 4, 0x40, 0x60));
  receive(5, ask(5, 0x60));
  expect(sent()).toEqual([`5 ${signal(0x07, 4, 0x40, 0x60)}`, accepted(5, 0x40)]);
  expect(got).toHaveLength(3);
});

test("the peer's CIDs and one's own are two things: a request may name the CID that this side asks with", async () => {
  const { receive, sent, channels } = await listening();
  const opening = channels.connect(0x90, SETTINGS);
  receive(5, ask(1, 0x40));
  receive(5, signal(0x15, 1, 0x41, 64, 64, 1, 0));
  expect(await opening).toMatchObject({ localCid: 0x40, remoteCid: 0x41 });
  expect(sent()).toEqual([`5 ${signal(0x14, 1, 0x90, 0x40, 100, 64, 4)}`, accepted(1, 0x41)]);
  expect(channels.channels).toMatchObject([
    { localCid: 0x41, remoteCid: 0x40 },
    { localCid: 0x40, remoteCid: 0x41 },
  ]);
});

test("64 channels and no more", async () => {
  const { receive, sent } = await listening({ maxChannels: 100 });
  for (let i = 0; i < 64; i++) receive(5, ask(1 + i, 0x40 + i));
  expect(sent().at(-1)).toBe(accepted(64, 0x7f));
  receive(5, ask(65, 0x7f));
  expect(sent()).toEqual([refused(65, 0x000a)]);
});

test("own requests take CIDs too: what is left is given, the rest has no resources", async () => {
  const { receive, sent, channels } = await listening();
  for (let i = 0; i < 62; i++) void channels.connect(0x80).catch(() => undefined);
  sent();
  receive(5, askAll(1, [0x50, 0x51, 0x52]));
  expect(sent()).toEqual([answered(1, 0x0004, [0x7e, 0x7f, 0])]);
  receive(5, ask(2, 0x53));
  expect(sent()).toEqual([refused(2, 0x0004)]);
});

test.each(["credit", "enhanced"] as const)("who listens for mode %s only knows no other", async (mode) => {
  const { receive, sent } = await listening({ mode });
  receive(5, ask(1, 0x60));
  receive(5, askAll(2, [0x61]));
  expect(sent()).toEqual(mode === "credit" ? [accepted(1, 0x40), answered(2, 0x0002, [0])] : [refused(1, 0x0002), answered(2, 0, [0x40])]);
});

// --- security ---------------------------------------------------------------------------------------------------------------------

const ENCRYPTED: LinkSecurity = { ...NO_SECURITY, encrypted: true, keySize: 16 };
test.each<[string, SecurityRequirement, LinkSecurity, boolean, number]>([
  ["L2CAP/LE/CFC/BV-11-C: no key to encrypt with", { encrypted: true }, NO_SECURITY, false, 0x0005],
  ["L2CAP/LE/CFC/BV-25-C: a key, and not encrypted", { encrypted: true }, NO_SECURITY, true, 0x0008],
  ["a key, not encrypted, authentication demanded", { authenticated: true }, NO_SECURITY, true, 0x0008],
  ["encrypted and not authenticated", { authenticated: true }, ENCRYPTED, true, 0x0005],
  ["not by Secure Connections", { secureConnections: true }, ENCRYPTED, true, 0x0005],
  ["L2CAP/LE/CFC/BV-15-C: the key is too short", { minKeySize: 16 }, { ...ENCRYPTED, keySize: 7 }, true, 0x0007],
  ["a short key that is not authenticated either", { authenticated: true, minKeySize: 16 }, { ...ENCRYPTED, keySize: 7 }, true, 0x0005],
  ["a key size demanded and no encryption", { minKeySize: 7 }, NO_SECURITY, false, 0x0005],
  ["enough", { encrypted: true, authenticated: true, minKeySize: 16 }, { ...ENCRYPTED, authenticated: true }, true, 0],
  ["nothing demanded", {}, NO_SECURITY, false, 0],
])("%s", async (_name, security, link, hasKey, result) => {
  const { receive, sent, got } = await listening({ security }, { owner: { security: () => link, hasKey: () => hasKey } });
  receive(5, ask(1, 0x60));
  receive(5, askAll(2, [0x61]));
  expect(sent()).toEqual(result === 0 ? [accepted(1, 0x40), answered(2, 0, [0x41])] : [refused(1, result), answered(2, result, [0])]);
  expect(got).toHaveLength(result === 0 ? 2 : 0);
});

test("security is judged again when the program has made up its mind", async () => {
  let security = ENCRYPTED;
  let decide = (_accept: boolean): void => undefined;
  const accept = (): Promise<boolean> => new Promise((resolve) => (decide = resolve));
  const { receive, sent, got } = await listening({ security: { encrypted: true }, accept }, { owner: { security: () => security } });
  receive(5, ask(1, 0x60));
  security = NO_SECURITY;
  decide(true);
  await expect.poll(() => sent()).toEqual([refused(1, 0x0005)]);
  expect(got).toEqual([]);
});

// --- the program decides ----------------------------------------------------------------------------------------------------------

test("L2CAP/LE/CFC/BV-13-C: who may not have a channel is refused for want of authorization", async () => {
  const asked: ChannelRequest[] = [];
  const { receive, sent, got } = await listening({
    authorize: (request) => {
      asked.push(request);
      return request.peerMtu !== 50;
    },
  });
  receive(5, ask(1, 0x60));
  receive(5, askAll(2, [0x61, 0x62]));
  expect(sent()).toEqual([refused(1, 0x0006), answered(2, 0, [0x40, 0x41])]);
  expect(asked).toEqual([
    {
      connection: undefined,
      spsm: 0x80,
      mode: "credit",
      mtu: 100,
      mps: 64,
      peerMtu: 50,
      peerMps: 30,
      localCid: 0x40,
      remoteCid: 0x60,
      count: 1,
    },
    {
      connection: undefined,
      spsm: 0x80,
      mode: "enhanced",
      mtu: 100,
      mps: 64,
      peerMtu: 70,
      peerMps: 64,
      localCid: 0x40,
      remoteCid: 0x61,
      count: 2,
    },
  ]);
  expect(got).toHaveLength(2);
});

test.each<[string, boolean | number, number]>([
  ["true", true, 0],
  ["false", false, 0x0004],
  ["0", 0, 0],
  ["a result", ConnectionResult.UnacceptableParameters, 0x000b],
])("accept may answer %s, at once or later", async (_name, answer, result) => {
  for (const accept of [() => answer, () => Promise.resolve(answer)]) {
    const { receive, sent, got } = await listening({ accept });
    receive(5, ask(1, 0x60));
    await expect.poll(() => sent()).toEqual([result === 0 ? accepted(1, 0x40) : refused(1, result)]);
    expect(got).toHaveLength(result === 0 ? 1 : 0);
  }
});

test("accept is asked for each channel of an enhanced request; a result that concerns all refuses all", async () => {
  const { receive, sent, got } = await listening({
    accept: ({ remoteCid }) => (remoteCid === 0x61 ? false : remoteCid === 0x65 ? 0x0006 : true),
  });
  receive(5, askAll(1, [0x60, 0x61, 0x62]));
  expect(sent()).toEqual([answered(1, 0x0004, [0x40, 0, 0x42])]);
  receive(5, askAll(2, [0x63, 0x65]));
  expect(sent()).toEqual([answered(2, 0x0006, [0, 0])]);
  receive(5, askAll(3, [0x63]));
  expect(sent()).toEqual([answered(3, 0, [0x41])]); // what was refused is free again
  expect(got).toHaveLength(3);
});

test("some answers may come at once and others later: the request is answered when all are there", async () => {
  let decide = (_accept: boolean): void => undefined;
  const { receive, sent, got } = await listening({
    accept: ({ remoteCid }) => (remoteCid === 0x61 ? new Promise<boolean>((resolve) => (decide = resolve)) : remoteCid === 0x60),
  });
  receive(5, askAll(1, [0x60, 0x61, 0x62]));
  expect(sent()).toEqual([]);
  decide(true);
  await expect.poll(() => sent()).toEqual([answered(1, 0x0004, [0x40, 0x41, 0])]);
  expect(got).toHaveLength(2);
});

test("what throws is a refusal, and the program's fault", async () => {
  const fault = (): never => {
    throw new Error("undecided");
  };
  for (const [options, result] of [
    [{ authorize: fault }, 0x0006],
    [{ accept: fault }, 0x0004],
    [{ authorize: () => Promise.reject(new Error("undecided")) }, 0x0006],
    [{ accept: () => Promise.reject(new Error("undecided")) }, 0x0004],
  ] as [ListenOptions, number][]) {
    const { receive, sent, clock } = await listening(options);
    const uncaught = await uncaughtDuring(() => receive(5, ask(1, 0x60)));
    expect(uncaught).toEqual([new Error("undecided")]);
    expect(sent()).toEqual([refused(1, result)]);
    expect(clock.pending).toEqual([]);
  }
  for (const answer of [undefined, null, "yes", 70_000, {}]) {
    const { receive, sent } = await listening({ accept: (() => answer) as never });
    const uncaught = await uncaughtDuring(() => receive(5, ask(1, 0x60)));
    expect(uncaught).toMatchObject([{ code: "ERR_ARGUMENT" }]);
    expect(sent()).toEqual([refused(1, 0x0004)]);
  }
});

test("who does not make up its mind has refused; a request that is sent again meanwhile is answered once", async () => {
  for (const [options, result, ms] of [
    [{ authorize: () => new Promise<boolean>(() => undefined) }, 0x0006, 20_000],
    [{ accept: () => new Promise<boolean>(() => undefined), timeoutMs: 100 }, 0x0004, 100],
  ] as [ListenOptions, number, number][]) {
    const { receive, sent, clock, got } = await listening(options);
    receive(5, ask(1, 0x60));
    receive(5, ask(1, 0x60));
    receive(5, ask(2, 0x60)); // the CID is spoken for
    expect(sent()).toEqual([refused(2, 0x000a)]);
    await clock.advance(ms);
    expect(sent()).toEqual([refused(1, result)]);
    expect([got, clock.pending]).toEqual([[], []]);
  }
});

test("17 requests at a time are not decided on", async () => {
  const { receive, sent } = await listening({ accept: () => new Promise<boolean>(() => undefined) });
  for (let i = 0; i < 17; i++) receive(5, ask(1 + i, 0x40 + i));
  expect(sent()).toEqual([refused(17, 0x0004)]);
});

test("the link is lost while the program thinks: nothing is opened, nothing waits", async () => {
  let decide = (_accept: boolean): void => undefined;
  const { receive, link, got, clock, listener, sent } = await listening({
    accept: () => new Promise<boolean>((resolve) => (decide = resolve)),
    maxChannels: 1,
  });
  receive(5, ask(1, 0x60));
  link.close(new DisconnectedError(0x08));
  expect(clock.pending).toEqual([]);
  decide(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect([got, listener.channels, sent()]).toEqual([[], [], []]);
});

test("the listener ends while the program thinks: the SPSM is not supported any more", async () => {
  let decide = (_accept: boolean): void => undefined;
  const { receive, sent, got, listener } = await listening({ accept: () => new Promise<boolean>((resolve) => (decide = resolve)) });
  receive(5, ask(1, 0x60));
  listener[Symbol.dispose]();
  decide(true);
  await expect.poll(() => sent()).toEqual([refused(1, 0x0002)]);
  expect(got).toEqual([]);
});

test("the peer takes the CID elsewhere while the program thinks", async () => {
  let decide = (_accept: boolean): void => undefined;
  const { receive, sent, got, channels } = await listening({ accept: () => new Promise<boolean>((resolve) => (decide = resolve)) });
  receive(5, ask(9, 0x60));
  const opening = expect(channels.connect(0x90, SETTINGS)).rejects.toMatchObject({ by: "violation" });
  receive(5, signal(0x15, 1, 0x60, 64, 64, 1, 0));
  await opening;
  sent();
  decide(true);
  await expect.poll(() => sent()).toEqual([accepted(9, 0x40)]);
  expect(got).toHaveLength(1);
});

test("a peer that asks and asks without taking the answers gets no more of them, and closes what it opened", async () => {
  const { receive, controller, got, complete } = await listening({ maxChannels: 1000 }, { buffers: 4 });
  for (let i = 0; i < 5000; i++) receive(5, ask(1 + (i % 255), 0x40 + (i % 64), { spsm: 0x90 }));
  expect(controller.acl).toHaveLength(4);
  for (let i = 0; i < 20; i++) complete(4);
  expect(controller.acl).toHaveLength(36);
  receive(5, ask(1, 0x60));
  expect(got).toHaveLength(1);
});

test("answers are not held up by flows of one's own on the same link", async () => {
  const { receive, link, controller, complete } = await listening({}, { buffers: 4 });
  for (let i = 0; i < 40; i++) link.att.send(Uint8Array.of(0x1b, 3, 0));
  expect(link.att.writable).toBe(false);
  receive(5, ask(1, 0x60));
  for (let i = 0; i < 20; i++) complete(4);
  expect(controller.acl.filter((packet) => packet[7] === 5)).toHaveLength(1);
});

test("a request that overtakes the event of its encryption waits for it, and K-frames behind it stay behind", async () => {
  let security = NO_SECURITY;
  const { receive, sent, link, listener, got, channels } = await listening(
    { security: { encrypted: true } },
    { owner: { security: () => security, hasKey: () => true } },
  );
  listener.onChannel = (channel) => void got.push(channel);
  const opening = channels.connect(0x90, SETTINGS);
  sent();
  link.expectEncryption();
  receive(5, ask(7, 0x60));
  receive(5, signal(0x15, 1, 0x61, 64, 64, 1, 0));
  receive(0x40, "0100aa");
  expect([sent(), got]).toEqual([[], []]);
  security = ENCRYPTED;
  link.encryptionSettled();
  expect(sent()).toEqual([accepted(7, 0x41)]);
  expect(await (await opening).receive()).toEqual(Uint8Array.of(0xaa));
});
