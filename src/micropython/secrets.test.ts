import { describe, expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { Address, Logger, SeededRandom } from "../core/index.ts";
import { MemoryBondStore } from "../gap/index.ts";
import { type Bond, createBond } from "../smp/index.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { IrqResult } from "./event-queue.ts";
import type { BleEvent } from "./events.ts";
import { bondOfRecords, recordsOf, secretKey } from "./secret-records.ts";
import { Secrets } from "./secrets.ts";

const octets = (length: number, first: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function bondWith(last: number, more: Partial<Bond> = {}): Bond {
  const identity = new Address(Uint8Array.of(last, 2, 3, 4, 5, 0xc6), 1);
  const ltk = (first: number) => ({ key: octets(16, first), ediv: first, rand: octets(8, first), keySize: 16 });
  return createBond({
    identity,
    peerLtk: ltk(last),
    localLtk: ltk(last + 1),
    peerIrk: octets(16, last),
    peerCsrk: octets(16, 3),
    localCsrk: octets(16, 4),
    localIrkDistributed: true,
    localIdentity: new Address(octets(6, 9), 0),
    authenticated: true,
    secureConnections: false,
    method: "passkey-entry",
    ...more,
  });
}

type Handler = (event: BleEvent) => IrqResult | Promise<IrqResult>;

function secretsWith(handler: Handler | undefined) {
  const clock = new VirtualClock();
  const dispatcher = new Dispatcher({
    clock,
    logger: Logger.silent,
    isStrict: false,
    onHandlerError: () => undefined,
    rxbuf: () => 128,
  });
  const log: string[] = [];
  dispatcher.setHandler(
    handler &&
      ((event) => {
        if (event.type === "getSecret") log.push(`get ${event.secType} ${event.index} ${event.key ? text(event.key) : "-"}`);
        if (event.type === "setSecret") log.push(`set ${event.secType}${event.value ? "" : " None"}`);
        return handler(event);
      }),
  );
  const secrets = new Secrets({ clock, random: new SeededRandom(1, "secrets"), logger: Logger.silent, dispatcher });
  return { clock, secrets, log, dispatcher };
}

const all = async (secrets: Secrets): Promise<Bond[]> => {
  const bonds: Bond[] = [];
  for await (const bond of secrets.all()) bonds.push(bond);
  return bonds;
};

/** Answers from what it has: peer's keys by index, everything by key. */
function keeper(bonds: readonly Bond[]): Handler {
  return (event) => {
    if (event.type !== "getSecret") return true;
    const { secType, index, key } = event;
    const bond = key ? bonds.find(({ identity }) => text(secretKey(identity)) === text(key)) : bonds[index];
    return bond && (secType === 1 ? recordsOf(bond).ours : secType === 2 ? recordsOf(bond).peers : null);
  };
}

describe("records", () => {
  test("two of them are the bond, in whatever way the program keeps them", () => {
    const bond = bondWith(1, { name: "a peer", cccd: { 5: 1 }, cccdOf: { 5: "180f/2a19" }, databaseHash: "00", provisional: true });
    const { ours, peers } = recordsOf(bond);
    expect({ ...bondOfRecords({ ours, peers }) }).toEqual({ ...bond });
    expect(ours[0]).toBe(1);
    expect(peers[0]).toBe(1);
  });

  test("keys of the peer are in its record alone, and ours in ours", () => {
    const { ours, peers } = recordsOf(bondWith(1));
    expect(bondOfRecords({ ours, peers: undefined })).toMatchObject({ localLtk: { ediv: 2 }, localIrkDistributed: true });
    expect(bondOfRecords({ ours, peers: undefined }).peerLtk).toBeUndefined();
    expect(bondOfRecords({ ours, peers: undefined }).peerIrk).toBeUndefined();
    expect(bondOfRecords({ ours: undefined, peers })).toMatchObject({ peerLtk: { ediv: 1 }, localIrkDistributed: false });
    expect(bondOfRecords({ ours: undefined, peers }).localLtk).toBeUndefined();
  });

  test("what is none is refused", () => {
    const { ours } = recordsOf(bondWith(1));
    for (const wrong of [Uint8Array.of(2, ...ours.subarray(1)), new Uint8Array(80), ours.subarray(0, 20), Uint8Array.of(1, 0xff)])
      expect(() => bondOfRecords({ ours: wrong, peers: undefined })).toThrow();
  });
});

describe("at the start", () => {
  test("the IRK is asked for, and one that is made up is given to be kept", async () => {
    const { secrets, log } = secretsWith((event) => event.type === "setSecret");
    const irk = await secrets.irk();
    expect(irk).toHaveLength(16);
    expect(log).toEqual(["get 10 0 69726b", "set 10"]);
    const kept = secretsWith(() => irk);
    expect(await kept.secrets.irk()).toEqual(irk);
    expect(kept.log).toEqual(["get 10 0 69726b"]);
  });

  test("what the program gives is copied", async () => {
    const given = octets(16, 5);
    const { secrets } = secretsWith(() => given);
    const irk = await secrets.irk();
    given.fill(0);
    expect(irk).toEqual(octets(16, 5));
  });

  test.each([
    ["there is no handler", undefined],
    ["it is not kept", () => false],
    ["what was kept is no IRK", (event: BleEvent) => (event.type === "getSecret" ? new Uint8Array(15) : false)],
  ] as const)("where %s there is one all the same, and it stays", async (_, handler) => {
    const { secrets } = secretsWith(handler as Handler | undefined);
    const irk = await secrets.irk();
    expect(irk.some((octet) => octet !== 0)).toBe(true);
    expect(await secrets.irk()).toEqual(irk);
  });

  test("bonds are asked for by index, until there are no more", async () => {
    const bonds = [bondWith(1), bondWith(2)];
    const { secrets, log } = secretsWith(keeper(bonds));
    expect((await all(secrets)).map((bond) => ({ ...bond }))).toEqual(bonds.map((bond) => ({ ...bond })));
    const keys = bonds.map(({ identity }) => text(secretKey(identity)));
    expect(log).toEqual(["get 2 0 -", `get 1 0 ${keys[0]}`, "get 2 1 -", `get 1 0 ${keys[1]}`, "get 2 2 -"]);
  });

  test("one who answers every index alike has one bond", async () => {
    const bond = bondWith(1);
    const { secrets } = secretsWith(({ type, ...event }) => (type === "getSecret" && "secType" in event ? recordsOf(bond).peers : null));
    expect(await all(secrets)).toHaveLength(1);
  });

  test("what is no bond of ours is passed over, and not for ever", async () => {
    const bond = bondWith(1);
    const some = secretsWith((event) => {
      if (event.type !== "getSecret") return true;
      if (event.key) return recordsOf(bond).ours;
      return [new Uint8Array(80), recordsOf(bond).peers][event.index] ?? null;
    });
    expect(await all(some.secrets)).toHaveLength(1);
    const none = secretsWith(() => new Uint8Array(80));
    expect(await all(none.secrets)).toEqual([]);
    expect(none.log).toHaveLength(1000);
  });

  test("a program that does not answer holds nothing up for long", async () => {
    const { secrets, clock, log } = secretsWith(() => new Promise<never>(() => undefined));
    const startMs = clock.now();
    await secrets.irk();
    expect(await all(secrets)).toEqual([]);
    expect(clock.now() - startMs).toBe(20_000);
    expect(log).toEqual(["get 10 0 69726b", "get 2 0 -"]);
  });
});

describe("a bond", () => {
  test("is given once, our keys first; what has changed is given again", async () => {
    const { secrets, log } = secretsWith(() => true);
    const bond = bondWith(1);
    await secrets.save(bond);
    expect(log).toEqual(["set 1", "set 2"]);
    await secrets.save(bond);
    await secrets.save(createBond({ ...bond, cccd: { 5: 1 } }));
    expect(log).toEqual(["set 1", "set 2", "set 1"]);
    await secrets.save(createBond({ ...bond, cccd: { 5: 1 }, name: "a name" }));
    expect(log).toEqual(["set 1", "set 2", "set 1", "set 2"]);
  });

  test("what the peer knows of our attributes is given when it is gone", async () => {
    const { secrets, log } = secretsWith(() => true);
    const bond = bondWith(1);
    await secrets.save(bond);
    await secrets.save(createBond({ ...bond, databaseHash: "01" }));
    expect(log).toHaveLength(2);
    secrets.flush(bond.identity);
    secrets.flush(bond.identity);
    expect(log).toEqual(["set 1", "set 2", "set 1"]);
  });

  test("one that is refused is not there", async () => {
    for (const refusedType of [1, 2]) {
      const { secrets, log } = secretsWith((event) => event.type === "setSecret" && event.value !== null && event.secType !== refusedType);
      await expect(secrets.save(bondWith(1))).rejects.toMatchObject({ code: "ERR_STATE" });
      expect(log).toEqual(refusedType === 1 ? ["set 1"] : ["set 1", "set 2", "set 1 None", "set 2 None"]);
    }
  });

  test("waits for an event that comes before it", async () => {
    const { secrets, log } = secretsWith(() => true);
    let tell!: () => void;
    secrets.after(new Promise((resolve) => (tell = resolve)));
    const saved = secrets.save(bondWith(1));
    await Promise.resolve();
    expect(log).toEqual([]);
    tell();
    await saved;
    expect(log).toEqual(["set 1", "set 2"]);
  });

  test("is deleted until there is nothing more, and no oftener than makes sense", async () => {
    let left = 3;
    const some = secretsWith((event) => (event.type === "setSecret" && event.value === null ? left-- > 0 : true));
    await some.secrets.save(bondWith(1));
    some.log.length = 0;
    await some.secrets.delete(bondWith(1).identity);
    expect(some.log).toEqual(["set 1 None", "set 1 None", "set 1 None", "set 1 None", "set 2 None"]);
    const endless = secretsWith(() => true);
    await endless.secrets.save(bondWith(1));
    await endless.secrets.delete(bondWith(1).identity);
    expect(endless.log).toHaveLength(2 + 16);
    await endless.secrets.delete(bondWith(1).identity); // it is not known any more
    expect(endless.log).toHaveLength(2 + 16);
  });
});

describe("what the program has now", () => {
  test("is what counts: added, changed or deleted behind our back", async () => {
    const bonds: Bond[] = [];
    const { secrets, log } = secretsWith(keeper(bonds));
    const book = new MemoryBondStore();
    const saves: Bond[] = [];
    const port = {
      load: (identity: Address) => book.load(identity),
      save: async (bond: Bond) => {
        saves.push(bond);
        await secrets.save(bond);
        await book.save(bond);
      },
      delete: async (identity: Address) => {
        await secrets.delete(identity);
        await book.delete(identity);
      },
    };
    const bond = bondWith(1);
    await secrets.refresh(bond.identity, port, "peers");
    expect(book.size).toBe(0);
    bonds.push(bond);
    await secrets.refresh(bond.identity, port, "ours");
    expect(saves).toMatchObject([{ localLtk: { ediv: 2 }, peerLtk: { ediv: 1 } }]);
    await secrets.refresh(bond.identity, port, "ours");
    await secrets.refresh(bond.identity, port, "peers");
    expect(saves).toHaveLength(1);
    bonds[0] = createBond({ ...bond, peerIrk: octets(16, 77) }); // as long as before
    await secrets.refresh(bond.identity, port, "peers");
    expect(saves[1]?.peerIrk).toEqual(octets(16, 77));
    bonds.length = 0;
    await secrets.refresh(bond.identity, port, "peers");
    expect(book.size).toBe(0);
    expect(log.filter((entry) => entry.startsWith("set"))).toEqual([]); // it knows all that by itself
  });

  test("may be another peer's, which is nothing", async () => {
    const other = bondWith(2);
    const { secrets } = secretsWith(
      (event) => event.type === "getSecret" && (event.secType === 1 ? recordsOf(other).ours : recordsOf(other).peers),
    );
    expect(await secrets.load(bondWith(1).identity)).toBeUndefined();
    expect(await secrets.load(other.identity)).toMatchObject({ peerLtk: { ediv: 2 } });
  });
});
