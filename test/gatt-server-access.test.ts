import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { AttError } from "../src/att/error.ts";
import { type LinkSecurity, NO_SECURITY } from "../src/att/security.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import type { CharacteristicDefinition, GattPeer } from "../src/gatt/index.ts";
import { BONDED, type GattPair } from "./support/gatt-pair.ts";
import { ask, raw, serverWith } from "./support/raw-client.ts";

// Access is judged at every access: at every offset, from a cache too, when a prepared write is executed, when a queued command's turn comes,
// when what waited is sent, and again when a user or a handler took time.

const ENCRYPTED: LinkSecurity = { ...BONDED, authenticated: false, bonded: false };

/** Sends a request, lets time pass, and gives what was answered. */
async function later(pair: GattPair, request: string, ms = 1): Promise<string[]> {
  const before = pair.serverChannel.sent.length;
  ask(pair, request);
  await delay(pair.clock, ms);
  return pair.serverChannel.sent.slice(before).map(toHex);
}

/** A user who can be asked, and whose mind can change. */
function user(granted = true) {
  const asked: string[] = [];
  const state = { granted, asked, delayMs: 0 };
  return state;
}

function asking(state: ReturnType<typeof user>, pair: () => GattPair): Partial<GattPeer> {
  return {
    authorize: async ({ handle, write }) => {
      state.asked.push(`${write ? "write" : "read"} ${handle}`);
      if (state.delayMs > 0) await delay(pair().clock, state.delayMs);
      return state.granted;
    },
  };
}

// --- long reads -------------------------------------------------------------------------------------------------------------------

test("every part of a long read is authorized, be it from the cache", async () => {
  const state = user();
  let reads = 0;
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read"],
    permissions: { read: "authorized" },
    read: () => {
      reads++;
      return new Uint8Array(60).fill(reads);
    },
  });
  using pair: GattPair = raw(server, { peer: asking(state, () => pair) });
  expect(await later(pair, "0a0300")).toEqual([`0b${"01".repeat(22)}`]);
  expect(await later(pair, "0c03001600")).toEqual([`0d${"01".repeat(22)}`]);
  expect(reads).toBe(1);
  state.granted = false;
  expect(await later(pair, "0c03002c00")).toEqual(["010c030008"]);
  state.granted = true;
  expect(await later(pair, "0c03002c00")).toEqual([`0d${"01".repeat(16)}`]);
  expect(state.asked).toEqual(Array(4).fill("read 3"));
});

test("a link that loses its security in the middle of a long read gets no further part", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read"], permissions: { read: "encrypted" }, read: () => new Uint8Array(60) });
  using pair = raw(server, { security: ENCRYPTED });
  expect(ask(pair, "0a0300")[0]).toHaveLength(46);
  pair.secure(NO_SECURITY);
  expect(ask(pair, "0c03001600", "0a0300")).toEqual(["010c030005", "010a030005"]);
});

test("the value of a long read is kept for 30 s, until its last part, or until it is written", async () => {
  let reads = 0;
  const read = (): Uint8Array => new Uint8Array(30).fill(++reads);
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read", "write"], read, write: () => {} }));
  ask(pair, "0a0300");
  await delay(pair.clock, 29_999);
  expect(ask(pair, "0c03000500")).toEqual([`0d${"01".repeat(22)}`]); // asking does not make it younger
  await delay(pair.clock, 1);
  expect(ask(pair, "0c03000500")).toEqual([`0d${"02".repeat(22)}`]);
  expect(ask(pair, "0c03001600")).toEqual([`0d${"02".repeat(8)}`]);
  expect(ask(pair, "0c03001600")).toEqual([`0d${"03".repeat(8)}`]); // the last part ended it
  ask(pair, "0a0300", "12030001");
  expect(ask(pair, "0c03001600")).toEqual([`0d${"05".repeat(8)}`]);
  ask(pair, "0a0300", "160300000001", "1801");
  expect(ask(pair, "0c03001600")).toEqual([`0d${"07".repeat(8)}`]);
  ask(pair, "0a0300");
  pair.server.addService({ uuid: 0x1810, characteristics: [] });
  expect(ask(pair, "0c03001600")).toEqual([`0d${"09".repeat(8)}`]);
});

test("a command that writes the value, and another attribute's value, are told apart in a long read", () => {
  let reads = 0;
  const read = (): Uint8Array => new Uint8Array(30).fill(++reads);
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write-without-response"], read, write: () => {} },
    { uuid: 0x2a1a, properties: ["read"], read: () => new Uint8Array(30).fill(0xbb) },
  );
  using pair = raw(server);
  ask(pair, "0a0300", "52030001");
  expect(ask(pair, "0c03001600")).toEqual([`0d${"02".repeat(8)}`]);
  ask(pair, "0a0300");
  expect(ask(pair, "0c05001600")).toEqual([`0d${"bb".repeat(8)}`]);
  expect(ask(pair, "0c03001600")).toEqual([`0d${"03".repeat(8)}`]);
});

// --- time passes ------------------------------------------------------------------------------------------------------------------

test.each([
  ["0a0300", "010a030005"],
  ["080100ffff192a", "0108030005"],
  ["0e03000500", "010e030005"],
  ["2003000500", "0120030005"],
])("%s: a value whose handler took time is not given to a link that lost its security meanwhile", async (request, refusal) => {
  const server = serverWith(
    {
      uuid: 0x2a19,
      properties: ["read"],
      permissions: { read: "encrypted" },
      read: async () => {
        await delay(pair.clock, 100);
        return Uint8Array.of(7);
      },
    },
    { uuid: 0x2a1a, properties: ["read"], value: Uint8Array.of(8) },
  );
  using pair: GattPair = raw(server, { security: ENCRYPTED });
  expect((await later(pair, request, 150))[0]).toMatch(/^(0b07|09030300 ?07|0f0708|21)/);
  ask(pair, request);
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe(refusal);
});

test("each value of Read Multiple is judged when its turn comes: a handler after a lost security is not called", async () => {
  let called = false;
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read"], read: () => delay(pair.clock, 100).then(() => Uint8Array.of(1)) },
    {
      uuid: 0x2a1a,
      properties: ["read"],
      permissions: { read: "encrypted" },
      read: () => {
        called = true;
        return Uint8Array.of(2);
      },
    },
  );
  using pair: GattPair = raw(server, { security: ENCRYPTED });
  ask(pair, "0e03000500");
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["010e050005"]);
  expect(called).toBe(false);
});

test.each([
  ["0a0300", "010a030005"],
  ["12030009", "0112030005"],
  ["160300000009", "0116030005"],
])("%s: consent that came after the link lost its security is worth nothing", async (request, refusal) => {
  const state = user();
  state.delayMs = 100;
  const permissions = { read: { encrypted: true, authorized: true }, write: { encrypted: true, authorized: true } };
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "write"], permissions, value: Uint8Array.of(1) });
  using pair: GattPair = raw(server, { peer: asking(state, () => pair), security: ENCRYPTED });
  ask(pair, request);
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(pair.serverChannel.sent.map(toHex)).toEqual([refusal]);
  expect(server.characteristic(0x180f, 0x2a19)!.value[0]).toBe(1);
});

test("consent for an attribute that was removed meanwhile writes nothing and reads nothing", async () => {
  const state = user();
  state.delayMs = 100;
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read", "write"],
    permissions: { read: "authorized", write: "authorized" },
    value: Uint8Array.of(1),
  });
  const [service] = server.services;
  using pair: GattPair = raw(server, { peer: asking(state, () => pair) });
  ask(pair, "0a0300");
  server.removeService(service!);
  await delay(pair.clock, 200);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["010a030001"]);
  expect(ask(pair, "0a0300", "12030001", "160300000001", "0c03000000")).toEqual(["010a030001", "0112030001", "0116030001", "010c030001"]);
});

test("a user who answers after 29 s changes nothing any more", async () => {
  const state = user();
  state.delayMs = 40_000;
  const written: string[] = [];
  const definition: CharacteristicDefinition = {
    uuid: 0x2a19,
    properties: ["write", "write-without-response"],
    permissions: { write: "authorized" },
    write: (value) => void written.push(toHex(value)),
  };
  const server = serverWith(definition, { ...definition, uuid: 0x2a1a, write: undefined });
  using pair: GattPair = raw(server, { peer: asking(state, () => pair) });
  ask(pair, "12030001");
  await delay(pair.clock, 29_001);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["011203000e"]);
  ask(pair, "52030002", "12050003");
  await delay(pair.clock, 100_000);
  expect(written).toEqual([]);
  expect(server.characteristic(0x180f, 0x2a1a)!.value).toHaveLength(0);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["011203000e", "011205000e"]);
});

test("a handler is not called where consent came too late", async () => {
  const state = user();
  state.delayMs = 100;
  const called: string[] = [];
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read", "write"],
    permissions: { read: { encrypted: true, authorized: true }, write: { encrypted: true, authorized: true } },
    read: () => {
      called.push("read");
      return Uint8Array.of(1);
    },
    write: () => void called.push("write"),
  });
  using pair: GattPair = raw(server, { peer: asking(state, () => pair), security: ENCRYPTED });
  for (const request of ["0a0300", "12030001"]) {
    pair.secure(ENCRYPTED);
    ask(pair, request);
    await delay(pair.clock, 50);
    pair.secure(NO_SECURITY);
    await delay(pair.clock, 100);
  }
  expect(called).toEqual([]);
});

// --- writes -----------------------------------------------------------------------------------------------------------------------

test("a write command is judged as a write is, when it comes and when its turn comes", async () => {
  const written: string[] = [];
  const server = serverWith(
    {
      uuid: 0x2a19,
      properties: ["write-without-response"],
      permissions: { write: "encrypted" },
      write: async (value) => {
        written.push(toHex(value));
        await delay(pair.clock, 100);
      },
    },
    { uuid: 0x2a1a, properties: ["write-without-response", "read"], permissions: { write: "authenticated" }, value: hex("00") },
    { uuid: 0x2a1b, properties: ["write-without-response", "read"], permissions: { write: "authorized" }, value: hex("00") },
    { uuid: 0x2a1c, properties: ["write", "read"], value: hex("00") },
  );
  using pair: GattPair = raw(server);
  const value = (uuid: number): string => toHex(server.characteristic(0x180f, uuid)!.value);
  await later(pair, "52030001");
  expect(written).toEqual([]);
  pair.secure(ENCRYPTED);
  ask(pair, "52030002", "52030003", "52050004", "52070005", "52090006");
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY); // the second command waits for the handler of the first
  await delay(pair.clock, 1000);
  expect(written).toEqual(["02"]);
  expect([value(0x2a1a), value(0x2a1b), value(0x2a1c)]).toEqual(["00", "00", "00"]);
  pair.secure(BONDED);
  ask(pair, "52050004");
  expect(value(0x2a1a)).toBe("04");
});

test("prepared writes are judged when they are prepared and when they are executed, consent included", async () => {
  const state = user();
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write"], permissions: { write: "encrypted" }, value: hex("00") },
    { uuid: 0x2a1a, properties: ["read", "write"], permissions: { write: "authorized" }, value: hex("00") },
  );
  using pair: GattPair = raw(server, { peer: asking(state, () => pair) });
  expect(ask(pair, "160300000001")).toEqual(["0116030005"]);
  pair.secure(ENCRYPTED);
  expect(ask(pair, "160300000001")).toEqual(["170300000001"]);
  pair.secure(NO_SECURITY);
  expect(ask(pair, "1801")).toEqual(["0118030005"]);
  expect(await later(pair, "160500000001")).toEqual(["170500000001"]);
  state.granted = false;
  expect(await later(pair, "1801")).toEqual(["0118050008"]);
  expect([0x2a19, 0x2a1a].map((uuid) => toHex(server.characteristic(0x180f, uuid)!.value))).toEqual(["00", "00"]);
  expect(state.asked).toEqual(["write 5", "write 5"]);
});

test("a security that is lost between two handlers of one execution ends it, and stored values stay", async () => {
  const written: string[] = [];
  const server = serverWith(
    { uuid: 0x2a18, properties: ["write", "read"], value: hex("00") },
    { uuid: 0x2a19, properties: ["write"], write: () => delay(pair.clock, 100) },
    { uuid: 0x2a1a, properties: ["write"], permissions: { write: "encrypted" }, write: (value) => void written.push(toHex(value)) },
  );
  using pair: GattPair = raw(server, { security: ENCRYPTED });
  ask(pair, "160300000001", "160500000001", "160700000001", "1801");
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("0118070005");
  expect(written).toEqual([]);
  expect(ask(pair, "0a0300")).toEqual(["0b00"]);
});

// --- what is sent unasked ---------------------------------------------------------------------------------------------------------

test("stored values stay where the security is lost while the last handler of an execution thinks", async () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["write"], value: hex("aa"), permissions: { write: "encrypted" } },
    { uuid: 0x2a1a, properties: ["write"], write: () => delay(pair.clock, 100) },
  );
  using pair: GattPair = raw(server, { security: ENCRYPTED });
  ask(pair, "160300000001", "160500000002", "1801");
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("0118030005");
  expect(server.characteristic(0x180f, 0x2a19)!.value).toEqual(hex("aa"));
});

test.each([
  ["a write", "1203000b", "0112030005"],
  ["a command", "5203000b", undefined],
])("%s that changes the beginning of a value is judged again when its handler has given the rest", async (_name, pdu, answer) => {
  const written: string[] = [];
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read", "write", "write-without-response"],
    value: hex("0000"),
    fixedLength: true,
    permissions: { write: "encrypted" },
    read: () => delay(pair.clock, 100).then(() => hex("0c0d")),
    write: (value) => void written.push(toHex(value)),
  });
  using pair: GattPair = raw(server, { security: ENCRYPTED });
  await later(pair, pdu, 150);
  expect(written).toEqual(["0b0d"]);
  ask(pair, pdu);
  await delay(pair.clock, 50);
  pair.secure(NO_SECURITY);
  await delay(pair.clock, 100);
  expect(written).toHaveLength(1);
  if (answer) expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe(answer);
});

test("what needs the user's consent does not come along with a neighbour's value, nor is it told by a search for its value", async () => {
  const state = user();
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read"], value: hex("01") },
    { uuid: 0x2a19, properties: ["read"], value: hex("02"), permissions: { read: "authorized" } },
    { uuid: 0x2a19, properties: ["read"], value: hex("03") },
  );
  using pair: GattPair = raw(server, { peer: asking(state, () => pair) });
  expect(await later(pair, "080100ffff192a")).toEqual(["0903030001"]);
  expect(state.asked).toEqual([]);
  expect(await later(pair, "080400ffff192a")).toEqual(["0903050002070003"]);
  expect(state.asked).toEqual(["read 5"]);
  // Find By Type Value: the answer would say that the value is this one.
  expect(await later(pair, "060100ffff192a02")).toEqual(["010601000a"]);
  expect(await later(pair, "060100ffff192a03")).toEqual(["0707000700"]);
  expect(state.asked).toEqual(["read 5"]);
});

test.each(["security", "configuration"] as const)(
  "what waits for room on the link is not sent when the %s is gone by then",
  async (what) => {
    const server = serverWith({
      uuid: 0x2a19,
      properties: ["read", "notify", "indicate"],
      permissions: what === "security" ? { read: "encrypted" } : {},
    });
    const [characteristic] = server.services[0]!.characteristics;
    using pair = raw(server, { security: ENCRYPTED });
    ask(pair, "1204000300");
    pair.serverChannel.writable = false;
    const notification = characteristic!.notify(Uint8Array.of(1));
    const indication = characteristic!.indicate(Uint8Array.of(2));
    if (what === "security") pair.secure(NO_SECURITY);
    else ask(pair, "1204000000");
    pair.serverChannel.writable = true;
    await expect(notification).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(indication).rejects.toMatchObject({ code: "ERR_STATE" });
    expect(pair.serverChannel.sent.map(toHex).filter((pdu) => pdu !== "13")).toEqual([]);
    expect(pair.serverBearer.pending).toBe(0);
  },
);

test("several values that wait as one notification are not sent when one of them may not be by then", async () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "notify"], permissions: { read: "encrypted" } },
    { uuid: 0x2a1a, properties: ["notify"] },
  );
  server.addService({ uuid: 0x1801, characteristics: [{ uuid: 0x2b29, properties: ["read", "write"] }] });
  const [one, two] = server.services[0]!.characteristics;
  using pair = raw(server, { security: ENCRYPTED });
  expect(ask(pair, "1204000100", "1207000100", "120a0004")).toEqual(["13", "13", "13"]);
  pair.serverChannel.writable = false;
  const sending = pair.session.notifyMultiple([
    { characteristic: one!, value: Uint8Array.of(1) },
    { characteristic: two!, value: Uint8Array.of(2) },
  ]);
  pair.secure(NO_SECURITY);
  pair.serverChannel.writable = true;
  await expect(sending).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(pair.serverChannel.sent).toHaveLength(3);
});

test("what a handler sends while its subscription is refused, or while its own write takes the subscription away, is dropped", async () => {
  const outcomes: Promise<string>[] = [];
  const server = serverWith(
    {
      uuid: 0x2a19,
      properties: ["notify", "indicate"],
      onSubscription: async () => {
        const [characteristic] = server.services[0]!.characteristics;
        void characteristic!.notify(Uint8Array.of(1)); // resolves at once: it waits for the response
        const indication = characteristic!.indicate(Uint8Array.of(2));
        outcomes.push(
          indication.then(
            () => "sent",
            (error: { code: string }) => error.code,
          ),
        );
        await delay(pair.clock, 10);
        throw new AttError(0x80);
      },
    },
    { uuid: 0x2a1a, properties: ["notify"] },
  );
  using pair: GattPair = raw(server);
  expect(await later(pair, "1204000300", 50)).toEqual(["0112040080"]);
  expect(await Promise.all(outcomes)).toEqual(["ERR_STATE"]);
  expect(server.services[0]!.characteristics[0]!.subscribers).toEqual([]);
});
