import { expect, test } from "vitest";
import { openL2capPeer, signal, words } from "../../../test/support/l2cap-peer.ts";
import { DisconnectedError } from "../../hci/index.ts";
import { type ChannelClosedError, ConnectionResult, L2capRefusedError } from "../index.ts";

// LE Credit Based Connection Request: 0x14, Response: 0x15; Credit Based Connection Request: 0x17, Response: 0x18.
const SETTINGS = { mtu: 100, mps: 50, receiveWindow: 200 };
/** The request for SPSM 0x80 with SETTINGS: MTU 100, MPS 50, 4 credits. */
const request = (identifier: number, cid = 0x40): string => `5 ${signal(0x14, identifier, 0x80, cid, 100, 50, 4)}`;

test("L2CAP/LE/CFC/BV-03-C: a channel is asked for and opened with what both sides take", async () => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  expect(sent()).toEqual([request(1)]);
  receive(5, signal(0x15, 1, 0x55, 64, 32, 7, 0));
  const channel = await opening;
  expect(channel).toMatchObject({
    spsm: 0x80,
    mode: "credit",
    role: "initiator",
    localCid: 0x40,
    remoteCid: 0x55,
    mtu: 100,
    mps: 50,
    peerMtu: 64,
    peerMps: 32,
    credits: 7,
    ended: undefined,
  });
  expect(channels.channels).toEqual([channel]);
  expect(clock.pending).toEqual([]);
});

test("the defaults fill link layer packets, and their credits carry both directions at once", async () => {
  const { channels, sent } = await openL2capPeer();
  void channels.connect(0x25).catch(() => undefined);
  expect(sent()).toEqual([`5 ${signal(0x14, 1, 0x25, 0x40, 2221, 247, 128)}`]);
  void channels.connect(0x25, { mtu: 65535, mps: 23 }).catch(() => undefined);
  expect(sent()).toEqual([`5 ${signal(0x14, 2, 0x25, 0x41, 65535, 23, 5699)}`]);
  void channels.connect(0x25, { mtu: 1000, mps: 100, receiveWindow: 1 }).catch(() => undefined);
  expect(sent()).toEqual([`5 ${signal(0x14, 3, 0x25, 0x42, 1000, 100, 11)}`]); // one SDU at least
  void channels.connect(0x25, { mtu: 23, mps: 23, receiveWindow: 0x7fff_ffff }).catch(() => undefined);
  expect(sent()).toEqual([`5 ${signal(0x14, 4, 0x25, 0x43, 23, 23, 0xffff)}`]);
});

test.each<[string, number, string]>([
  ["L2CAP/LE/CFC/BV-05-C: SPSM not supported", 0x0002, "SpsmNotSupported"],
  ["L2CAP/LE/CFC/BV-16-C: no resources", 0x0004, "NoResources"],
  ["L2CAP/LE/CFC/BV-12-C: insufficient authorization", 0x0006, "InsufficientAuthorization"],
  ["L2CAP/LE/CFC/BV-18-C: invalid source CID", 0x0009, "InvalidSourceCid"],
  ["L2CAP/LE/CFC/BV-19-C: source CID already allocated", 0x000a, "SourceCidAlreadyAllocated"],
  ["L2CAP/LE/CFC/BV-21-C: unacceptable parameters", 0x000b, "UnacceptableParameters"],
  ["a result that nobody knows", 0x1234, "0x1234"],
])("%s: the refusal is told, and the CID is free", async (_name, result, resultName) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  sent();
  receive(5, signal(0x15, 1, 0, 0, 0, 0, result));
  const error = await opening.catch((refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(L2capRefusedError);
  expect(error).toMatchObject({ code: "ERR_L2CAP_REFUSED", request: "connection", result, resultName, spsm: 0x80 });
  expect((error as Error).message).toMatch(/^the peer refused a channel of SPSM 0x80: /);
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(2)]);
  expect(clock.pending).toHaveLength(1);
});

test("L2CAP/LE/CFC/BV-01-C: a peer without such channels is a typed error", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  receive(5, signal(0x01, 1, 0));
  await expect(opening).rejects.toMatchObject({ code: "ERR_L2CAP_COMMAND_REJECTED", reason: 0 });
  sent();
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(2)]);
});

test("requests under way are answered in any order, each by its code and identifier", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const first = channels.connect(0x80, SETTINGS);
  const second = channels.connect(0x80, SETTINGS);
  const third = channels.connect(0x80, { ...SETTINGS, mode: "enhanced", mps: 64 });
  expect(sent()).toEqual([request(1), request(2, 0x41), `5 ${signal(0x17, 3, 0x80, 100, 64, 4, 0x42)}`]);
  receive(5, signal(0x15, 9, 0x50, 64, 64, 1, 0)); // nobody's
  receive(5, signal(0x15, 3, 0x50, 64, 64, 1, 0)); // another code than the third waits for
  receive(5, signal(0x18, 2, 64, 64, 1, 0, 0x50)); // another code than the second waits for
  receive(5, signal(0x18, 3, 64, 64, 1, 0, 0x50));
  receive(5, signal(0x15, 2, 0x51, 64, 64, 1, 0));
  receive(5, signal(0x15, 2, 0x52, 64, 64, 1, 0)); // answered already
  receive(5, signal(0x15, 1, 0, 0, 0, 0, 4));
  expect(await third).toMatchObject({ localCid: 0x42, remoteCid: 0x50 });
  expect(await second).toMatchObject({ localCid: 0x41, remoteCid: 0x51 });
  await expect(first).rejects.toMatchObject({ result: 4 });
  expect(channels.channels).toHaveLength(2);
  expect(sent()).toEqual([]);
});

test.each<[string, string]>([
  ["shorter than declared", "15 01 0800 5500 4000 2000 0700"],
  ["longer than declared", "15 01 0c00 5500 4000 2000 0700 0000 0000"],
  ["longer than its length says", "15 01 0a00 5500 4000 2000 0700 0000 00"],
  ["identifier 0", "15 00 0a00 5500 4000 2000 0700 0000"],
])("a response %s answers nothing", async (_name, pdu) => {
  const { channels, receive, sent } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  sent();
  receive(5, pdu);
  expect(sent()).toEqual([]);
  receive(5, signal(0x15, 1, 0x55, 64, 32, 7, 0));
  expect(await opening).toMatchObject({ remoteCid: 0x55 });
});

test.each<[string, number[], string]>([
  ["CID 0", [0, 64, 64, 1, 0], "0x0"],
  ["a fixed CID", [0x3f, 64, 64, 1, 0], "0x3f"],
  ["a CID beyond those of LE", [0x80, 64, 64, 1, 0], "0x80"],
])("a response with %s opens nothing", async (_name, values, problem) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  sent();
  receive(5, signal(0x15, 1, ...values));
  await expect(opening).rejects.toMatchObject({
    code: "ERR_L2CAP_CHANNEL_CLOSED",
    by: "violation",
    problem: expect.stringContaining(problem) as string,
  });
  expect([sent(), channels.channels, clock.pending]).toEqual([[], [], []]);
});

test("a response with the CID of another channel opens nothing, and harms the other", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const first = channels.connect(0x80, SETTINGS);
  receive(5, signal(0x15, 1, 0x55, 64, 64, 1, 0));
  const channel = await first;
  const second = channels.connect(0x80, SETTINGS);
  receive(5, signal(0x15, 2, 0x55, 64, 64, 1, 0));
  await expect(second).rejects.toMatchObject({ by: "violation" });
  sent();
  expect(channel.trySend(Uint8Array.of(1))).toBe(true);
  expect(sent()).toEqual(["55 010001"]);
});

test.each<[string, number, number]>([
  ["an MTU of 22", 22, 23],
  ["an MPS of 22", 23, 22],
  ["an MPS of 65534", 23, 0xfffe],
])("a response with %s is no channel, and the peer's is closed", async (_name, mtu, mps) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  sent();
  receive(5, signal(0x15, 1, 0x55, mtu, mps, 1, 0));
  await expect(opening).rejects.toMatchObject({ by: "violation" });
  expect(sent()).toEqual([`5 ${signal(0x06, 2, 0x55, 0x40)}`]);
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(3, 0x41)]); // 0x40 is free when the peer has answered
  receive(5, signal(0x07, 2, 0x55, 0x40));
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(4)]);
  expect(clock.pending).toHaveLength(2);
});

test("least and most of what a peer may take are taken", async () => {
  const { channels, receive } = await openL2capPeer();
  const opening = [channels.connect(0x80), channels.connect(0x80)];
  receive(5, signal(0x15, 1, 0x40, 23, 23, 0, 0));
  receive(5, signal(0x15, 2, 0x7f, 0xffff, 0xfffd, 0xffff, 0));
  expect(await Promise.all(opening)).toMatchObject([
    { peerMtu: 23, peerMps: 23, credits: 0 },
    { peerMtu: 0xffff, peerMps: 0xfffd, credits: 0xffff },
  ]);
});

test("RTX: a peer that never answers is a TimeoutError after 30 s; what it opens later is closed", async () => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connect(0x80, SETTINGS);
  const failed = expect(opening).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 30_000 });
  sent();
  await clock.advance(30_000);
  await failed;
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(2, 0x41)]); // 0x40 may still be opened
  receive(5, signal(0x15, 1, 0x55, 64, 64, 1, 0));
  expect(sent()).toEqual([`5 ${signal(0x06, 3, 0x55, 0x40)}`]);
  receive(0x40, "0100aa"); // on a channel that nobody has
  receive(5, signal(0x07, 3, 0x55, 0x40));
  expect(channels.channels).toEqual([]);
  expect(sent()).toEqual([]);
});

test("a late refusal frees the CID and nothing else", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const abort = new AbortController();
  const opening = channels.connect(0x80, { ...SETTINGS, signal: abort.signal });
  const failed = expect(opening).rejects.toThrow("enough");
  sent();
  abort.abort(new Error("enough"));
  await failed;
  receive(5, signal(0x15, 1, 0, 0, 0, 0, 4));
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(2)]);
});

test("timeoutMs and signal end the wait; an aborted signal asks nothing", async () => {
  const { channels, sent, clock } = await openL2capPeer();
  const failed = expect(channels.connect(0x80, { ...SETTINGS, timeoutMs: 50 })).rejects.toMatchObject({
    code: "ERR_TIMEOUT",
    timeoutMs: 50,
  });
  await clock.advance(50);
  await failed;
  sent();
  await expect(channels.connect(0x80, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  expect([sent(), clock.pending]).toEqual([[], []]);
});

test("64 channels there are; requests that were given up make room when there is none", async () => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const abandoned = channels.connect(0x80, { timeoutMs: 1 });
  const failed = expect(abandoned).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(1);
  await failed;
  for (let i = 1; i < 64; i++) {
    const opening = channels.connect(0x80);
    receive(5, signal(0x15, 1 + i, 0x40 + i, 64, 64, 1, 0));
    await opening;
  }
  sent();
  const last = channels.connect(0x80, SETTINGS);
  expect(sent()).toEqual([request(65)]);
  receive(5, signal(0x15, 1, 0x40, 64, 64, 1, 0)); // to the request that was given up: nobody knows of it any more
  receive(5, signal(0x15, 65, 0x40, 64, 64, 1, 0));
  expect(await last).toMatchObject({ localCid: 0x40 });
  await expect(channels.connect(0x80)).rejects.toMatchObject({ code: "ERR_STATE" });
  await expect(channels.connectSeveral(0x80, { count: 2 })).rejects.toMatchObject({ code: "ERR_STATE" });
  expect([channels.channels.length, sent()]).toEqual([64, []]);
});

test("with the link everything ends: requests, those given up, and what is asked later", async () => {
  const { channels, link, clock } = await openL2capPeer();
  const abort = new AbortController();
  const abandoned = channels.connect(0x80, { signal: abort.signal }).catch((error: unknown) => error);
  abort.abort(new Error("enough"));
  const outcomes = Promise.allSettled([channels.connect(0x80), channels.connectSeveral(0x80, { count: 3 })]);
  const reason = new DisconnectedError(0x08);
  link.close(reason);
  expect(await outcomes).toEqual([
    { status: "rejected", reason },
    { status: "rejected", reason },
  ]);
  expect(await abandoned).toEqual(new Error("enough"));
  await expect(channels.connect(0x80)).rejects.toBe(reason);
  expect(clock.pending).toEqual([]);
});

// --- enhanced ---------------------------------------------------------------------------------------------------------------------

const enhanced = { mtu: 100, mps: 64, receiveWindow: 256 };

test.each([1, 2, 3, 4, 5])("one enhanced request opens %i channels", async (count) => {
  const { channels, receive, sent } = await openL2capPeer();
  const opening = channels.connectSeveral(0x27, { ...enhanced, count });
  const own = Array.from({ length: count }, (_, i) => 0x40 + i);
  expect(sent()).toEqual([`5 ${signal(0x17, 1, 0x27, 100, 64, 4, ...own)}`]);
  receive(5, signal(0x18, 1, 200, 70, 9, 0, ...own.map((cid) => cid + 0x10)));
  const opened = await opening;
  expect(opened.map(({ localCid, remoteCid }) => [localCid, remoteCid])).toEqual(own.map((cid) => [cid, cid + 0x10]));
  expect(opened[0]).toMatchObject({ mode: "enhanced", peerMtu: 200, peerMps: 70, credits: 9 });
  expect(channels.channels).toEqual(opened);
});

test.each<[string, number, number[], [number, number][]]>([
  [
    "some refused for want of resources",
    0x0004,
    [0x50, 0, 0x52],
    [
      [0x40, 0x50],
      [0x42, 0x52],
    ],
  ],
  ["some refused, as invalid source CIDs", 0x0009, [0, 0, 0x52], [[0x42, 0x52]]],
  ["fewer CIDs than asked for", 0x0004, [0x50], [[0x40, 0x50]]],
  [
    "success with a CID of 0",
    0x0000,
    [0x50, 0, 0x52],
    [
      [0x40, 0x50],
      [0x42, 0x52],
    ],
  ],
  ["success with CIDs that no channel has", 0x0000, [0x3f, 0x80, 0x52], [[0x42, 0x52]]],
  [
    "more CIDs than asked for",
    0x0000,
    [0x50, 0x51, 0x52, 0x53],
    [
      [0x40, 0x50],
      [0x41, 0x51],
      [0x42, 0x52],
    ],
  ],
])("%s: what opened is had, and the other CIDs are free", async (_name, result, destinationCids, pairs) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 3 });
  sent();
  receive(5, signal(0x18, 1, 100, 64, 1, result, ...destinationCids));
  expect((await opening).map(({ localCid, remoteCid }) => [localCid, remoteCid])).toEqual(pairs);
  const free = [0x40, 0x41, 0x42, 0x43].find((cid) => !pairs.some(([own]) => own === cid))!;
  void channels.connect(0x80, SETTINGS).catch(() => undefined);
  expect(sent()).toEqual([request(2, free)]);
  expect(clock.pending).toHaveLength(1);
});

test.each<[string, number, number[]]>([
  ["all refused, every CID named", 0x0002, [0, 0]],
  ["all refused, no CID named", 0x0006, []],
  ["invalid parameters", 0x000c, [0, 0]],
  ["each refused for want of resources", 0x0004, [0, 0]],
  // What concerns all concerns those that are named too.
  ...[0x0002, 0x0005, 0x0006, 0x0007, 0x0008, 0x000b, 0x000c].map(
    (result) => [`all refused with 0x${result.toString(16)}, and CIDs of channels`, result, [0x50, 0x51]] as [string, number, number[]],
  ),
])("%s", async (_name, result, destinationCids) => {
  const { channels, receive } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 2 });
  receive(5, signal(0x18, 1, 0, 0, 0, result, ...destinationCids));
  await expect(opening).rejects.toMatchObject({ code: "ERR_L2CAP_REFUSED", result });
  expect(channels.channels).toEqual([]);
});

test.each<[string, number[]]>([
  ["no CID", []],
  ["a CID of 0", [0]],
])("success with %s is no channel, and no refusal", async (_name, destinationCids) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 1 });
  sent();
  receive(5, signal(0x18, 1, 100, 64, 1, 0, ...destinationCids));
  await expect(opening).rejects.toMatchObject({ by: "violation" });
  expect([sent(), channels.channels, clock.pending]).toEqual([[], [], []]);
});

test("a CID twice in an enhanced response: neither of these channels is used, the others are (4.26)", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 3 });
  sent();
  receive(5, signal(0x18, 1, 100, 64, 1, 0, 0x50, 0x50, 0x52));
  expect(await opening).toMatchObject([{ localCid: 0x42, remoteCid: 0x52 }]);
  expect(sent()).toEqual([`5 ${signal(0x06, 2, 0x50, 0x40)}`]);
  receive(0x40, "010001"); // discarded
  expect(channels.channels).toHaveLength(1);
});

test("an enhanced response with the CID of another channel ends that one too, since nobody knows whose K-frames come (4.26)", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const first = channels.connectSeveral(0x80, { ...enhanced, count: 1 });
  receive(5, signal(0x18, 1, 100, 64, 1, 0, 0x50));
  const [channel] = await first;
  const second = channels.connectSeveral(0x80, { ...enhanced, count: 1 });
  sent();
  receive(5, signal(0x18, 2, 100, 64, 1, 0, 0x50));
  await expect(second).rejects.toMatchObject({ by: "violation" });
  expect(channel!.ended).toMatchObject({ by: "violation", problem: "CID 0x50, which another channel has" });
  expect([sent(), channels.channels]).toEqual([[`5 ${signal(0x06, 3, 0x50, 0x40)}`], []]);
});

test("an enhanced response with an MTU below 64 is no channel, and those of the peer are closed", async () => {
  const { channels, receive, sent } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 2 });
  sent();
  receive(5, signal(0x18, 1, 63, 64, 1, 0, 0x50, 0x51));
  await expect(opening).rejects.toMatchObject({ by: "violation" });
  expect(sent()).toEqual([`5 ${signal(0x06, 2, 0x50, 0x40)}`, `5 ${signal(0x06, 3, 0x51, 0x41)}`]);
});

test.each([
  ["no further information", ConnectionResult.Pending],
  ["authentication", ConnectionResult.AuthenticationPending],
  ["authorization", ConnectionResult.AuthorizationPending],
])("pending (%s): the answer is still to come, and may take 300 s, not more", async (_name, result) => {
  const { channels, receive, sent, clock } = await openL2capPeer();
  const opening = channels.connectSeveral(0x80, { ...enhanced, count: 1 });
  sent();
  receive(5, signal(0x18, 1, 0, 0, 0, result, 0));
  await clock.advance(299_000);
  receive(5, signal(0x18, 1, 0, 0, 0, result, 0)); // again: no more time for that
  receive(5, signal(0x18, 1, 100, 64, 1, 0, 0x50));
  expect(await opening).toMatchObject([{ remoteCid: 0x50 }]);

  const late = expect(channels.connectSeveral(0x80, { ...enhanced, count: 1 })).rejects.toMatchObject({ timeoutMs: 300_000 });
  receive(5, signal(0x18, 2, 0, 0, 0, result, 0));
  await clock.advance(200_000);
  receive(5, signal(0x18, 2, 0, 0, 0, result, 0));
  await clock.advance(100_000);
  await late;
  sent();
  receive(5, signal(0x18, 2, 100, 64, 1, 0, 0x51));
  expect(sent()).toEqual([`5 ${signal(0x06, 3, 0x51, 0x41)}`]);
});

test("an LE credit based response has no pending results: 0x000D is a refusal there", async () => {
  const { channels, receive, clock } = await openL2capPeer();
  const opening = expect(channels.connect(0x80, { ...SETTINGS, timeoutMs: 40_000 })).rejects.toMatchObject({
    code: "ERR_L2CAP_REFUSED",
    result: 13,
  });
  receive(5, signal(0x15, 1, 0, 0, 0, 0, 13));
  await opening;
  expect(clock.pending).toEqual([]);
});

// --- edge -------------------------------------------------------------------------------------------------------------------------

test.each<[unknown, unknown, string]>([
  [0, {}, "l2cap.connect: spsm: expected a whole number from 1 to 255, got 0"],
  [256, {}, "spsm"],
  ["0x80", {}, "spsm"],
  [0x80, { mtu: 22 }, "mtu: expected a whole number from 23 to 65535, got 22"],
  [0x80, { mtu: 65536 }, "mtu"],
  [0x80, { mps: 22 }, "mps: expected a whole number from 23 to 65533"],
  [0x80, { mps: 65534 }, "mps"],
  [0x80, { mode: "enhanced", mtu: 63 }, "mtu: expected a whole number from 64"],
  [0x80, { mode: "enhanced", mps: 63 }, "mps: expected a whole number from 64"],
  [0x80, { mode: "basic" }, 'mode: expected "credit", "enhanced", got a string'],
  [0x80, { credits: 5 }, "credits"],
  [0x80, { receiveWindow: 0 }, "receiveWindow"],
  [0x80, { sendQueue: 0 }, "sendQueue"],
  [0x80, { psm: 1 }, 'unknown option "psm"'],
  [0x80, { timeout: 1 }, 'unknown option "timeout", did you mean "timeoutMs"?'],
  [0x80, { security: { encypted: true } }, 'unknown option "encypted"'],
])("connect(%s, %o) is refused before anything is sent", async (spsm, options, message) => {
  const { channels, sent } = await openL2capPeer();
  await expect(channels.connect(spsm as number, options as object)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(message) as string,
  });
  expect(sent()).toEqual([]);
});

test.each<[unknown, string]>([
  [undefined, "count"],
  [{}, "count: expected a whole number from 1 to 5, got undefined"],
  [{ count: 0 }, "count"],
  [{ count: 6 }, "count"],
  [{ count: 2, mode: "credit" }, 'unknown option "mode"'],
  [{ count: 2, mtu: 63 }, "mtu"],
])("connectSeveral with %o is refused", async (options, message) => {
  const { channels, sent } = await openL2capPeer();
  await expect(channels.connectSeveral(0x80, options as { count: number })).rejects.toThrow(message);
  expect(sent()).toEqual([]);
});

test("what a violation was is in the error", async () => {
  const { channels, receive } = await openL2capPeer();
  const opening = channels.connect(0x80);
  receive(5, signal(0x15, 1, 0x30, 64, 64, 1, 0));
  const error = (await opening.catch((refusal: unknown) => refusal)) as ChannelClosedError;
  expect(error.message).toBe(`the channel was closed since the peer broke a rule: ${error.problem}`);
  expect(words(0x1234)).toBe("3412");
});
