import fc from "fast-check";
import { expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import { attPdus } from "../src/att/index.ts";
import { toHex } from "../src/bytes/hex.ts";
import { BleError, ClosedError } from "../src/core/error.ts";
import { GattServer, gapService, gattService } from "../src/gatt/index.ts";
import { BONDED, createGattPair, type GattPair } from "./support/gatt-pair.ts";

/** Any octets, mostly behind an opcode that means something, mostly with a small handle. */
const pdu = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...attPdus.map(({ opcode }) => opcode)),
        fc.integer({ min: 0, max: 20 }),
        fc.constantFrom(0, 0, 0, 0xff),
        fc.uint8Array({ maxLength: 30 }),
      )
      .map(([opcode, low, high, rest]) => Uint8Array.of(opcode, low, high, ...rest)),
  },
);

function database(pair: () => GattPair): GattServer {
  const server = new GattServer();
  server.addService(gapService({ name: "Fuzz", onNameWritten: () => {} }));
  server.addService(gattService());
  const service = server.addService({
    uuid: 0x180f,
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["read", "write", "notify", "indicate", "write-without-response"],
        value: new Uint8Array(30),
        permissions: { write: "encrypted" },
      },
      {
        uuid: 0x2a1a,
        properties: ["read", "write", "write-without-response"],
        read: async () => {
          await delay(pair().clock, 5);
          return new Uint8Array(40);
        },
        write: async () => {
          await delay(pair().clock, 5);
          for (const characteristic of service.characteristics) void characteristic.notify(new Uint8Array(3)).catch(() => {});
          throw new Error("a bug");
        },
      },
      { uuid: 0x2a1b, properties: ["read", "write"], permissions: { read: "authorized" }, value: new Uint8Array(1) },
    ],
  });
  return server;
}

test("whatever a client sends, the server answers each request once and keeps nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pdu, { maxLength: 40 }), fc.boolean(), async (pdus, bonded) => {
      let pair: GattPair | undefined;
      pair = createGattPair({ server: database(() => pair!), serverPolicy: { mtu: 64, maxTxPdu: 40 } });
      const { clock, serverChannel, serverBearer } = pair;
      serverChannel.peer = undefined;
      if (bonded) pair.secure(BONDED);
      let requests = 0;
      for (const octets of pdus) {
        serverChannel.receive(octets);
        const opcode = octets[0];
        if (opcode === undefined || opcode & 0x40) continue;
        const isRequest = octets.length > 0 && ![0x01, 0x1b, 0x1d, 0x1e, 0x23].includes(opcode);
        const isResponse = opcode % 2 === 1 && opcode <= 0x21 && attPdus.some((declaration) => declaration.opcode === opcode);
        if (isRequest && !isResponse) requests++;
        await delay(clock, 50); // a client waits for its answer
      }
      const answers = serverChannel.sent.filter(([opcode]) => opcode !== 0x1b && opcode !== 0x1d && opcode !== 0x1e && opcode !== 0x23);
      expect(answers.length).toBe(requests);
      for (const sent of serverChannel.sent) expect(sent.length).toBeLessThanOrEqual(40);
      await clock.advance(40_000);
      serverChannel.close(new ClosedError("over"));
      expect(serverBearer.pending).toBe(0);
      expect(clock.pending).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("a flood that does not wait for answers is survived too", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pdu, { maxLength: 200 }), async (pdus) => {
      let pair: GattPair | undefined;
      pair = createGattPair({ server: database(() => pair!) });
      pair.secure(BONDED);
      for (const octets of pdus) pair.serverChannel.receive(octets);
      await pair.clock.advance(40_000);
      pair.serverChannel.close(new ClosedError("over"));
      pair.clientChannel.close(new ClosedError("over"));
      expect(pair.clock.pending).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

/** Everything that a client does, each part with its outcome. */
async function useEverything({ client, clock }: GattPair): Promise<string[]> {
  const outcome = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "done",
      (error: unknown) => {
        if (!(error instanceof BleError)) throw error;
        return error.code;
      },
    );
  const outcomes = [await outcome(client.exchangeMtu()), await outcome(client.services())];
  const characteristic = await client.characteristic(0x180f, 0x2a19).catch(() => undefined);
  outcomes.push(await outcome(client.watchServiceChanged()));
  outcomes.push(
    await outcome(client.read(3)),
    await outcome(client.readByUuid(0x2a00)),
    await outcome(client.readMultipleVariable([3, 5])),
  );
  outcomes.push(
    await outcome(client.write(16, new Uint8Array(200))),
    await outcome(client.reliableWrite([{ handle: 16, value: new Uint8Array(3) }])),
  );
  if (characteristic) {
    outcomes.push(await outcome(characteristic.subscribe(() => {}).then((subscription) => subscription[Symbol.asyncDispose]())));
    const abort = new AbortController();
    clock.setTimer(100, "enough", () => abort.abort(new ClosedError("enough")));
    outcomes.push(await outcome(characteristic.notifications({ signal: abort.signal }).next()));
  }
  return outcomes;
}

test("whatever a server answers, everything a client asks for settles with a value or a BleError", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pdu, { minLength: 1, maxLength: 60 }), fc.boolean(), async (pdus, helpful) => {
      const pair = createGattPair({ clientPolicy: { mtu: 64 } });
      pair.serverBearer.server = undefined;
      let next = 0;
      pair.clientChannel.filter = (request) => {
        // The client answers what looks like a request; that is not to be answered in turn.
        if (request[0] === 0x1e || request[0]! % 2 === 1) return false;
        // Helpful: the opcode that is waited for, so that what follows it is looked at.
        const octets = Uint8Array.from(pdus[next++ % pdus.length]!);
        if (helpful && octets.length > 0 && request[0] !== 0x52) octets[0] = request[0]! + 1;
        queueMicrotask(() => pair.clientChannel.receive(octets));
        return false;
      };
      const outcomes = useEverything(pair);
      await outcomes;
      await pair.clock.advance(40_000);
      expect(pair.clientBearer.pending).toBe(0);
      pair.clientChannel.close(new ClosedError("over"));
      expect(pair.clock.pending).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

const ways = ["drop", "corrupt", "shorten", "cut the link"] as const;

test.each(ways)("a scenario in which each single PDU in turn meets this fate always ends: %s", async (way) => {
  const run = async (victim: number): Promise<{ total: number; outcomes: string[] }> => {
    let pair: GattPair | undefined;
    pair = createGattPair({ server: database(() => pair!), clientPolicy: { mtu: 30 } });
    pair.secure(BONDED);
    let count = 0;
    for (const channel of [pair.clientChannel, pair.serverChannel])
      channel.filter = (octets) => {
        if (count++ !== victim) return true;
        if (way === "corrupt") channel.peer?.receive(octets.map((octet, i) => (i === octets.length - 1 ? octet ^ 0xff : octet)));
        else if (way === "shorten") channel.peer?.receive(octets.subarray(0, octets.length - 1));
        else if (way === "cut the link") for (const end of [channel, channel.peer!]) end.close(new ClosedError("cut"));
        return false;
      };
    const outcomes = await useEverything(pair);
    await pair.clock.advance(40_000);
    for (const end of [pair.clientChannel, pair.serverChannel]) end.close(new ClosedError("over"));
    expect(pair.clientBearer.pending + pair.serverBearer.pending).toBe(0);
    expect(pair.clock.pending).toEqual([]);
    expect(pair.server.sessions).toEqual([]);
    return { total: count, outcomes };
  };
  const { total, outcomes } = await run(-1);
  expect(new Set(outcomes)).toEqual(new Set(["done", "ERR_CLOSED"])); // the loop is ended by its signal
  for (let victim = 0; victim < total; victim++) await run(victim);
  expect(total).toBeGreaterThan(50);
});

test("equal inputs give equal PDUs", async () => {
  const run = async (): Promise<string[]> => {
    let pair: GattPair | undefined;
    pair = createGattPair({ server: database(() => pair!) });
    pair.secure(BONDED);
    await useEverything(pair);
    return [...pair.clientChannel.sent, ...pair.serverChannel.sent].map(toHex);
  };
  expect(await run()).toEqual(await run());
});
