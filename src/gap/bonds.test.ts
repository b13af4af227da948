import { describe, expect, test, vi } from "vitest";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { AesKey, createRpa } from "../crypto/index.ts";
import type { Bond, BondStore } from "../smp/types.ts";
import { BondBook, MemoryBondStore } from "./bonds.ts";
import { IdentityResolver } from "./identity-resolver.ts";

const random = new SeededRandom(5);
const irk = (octet: number) => new Uint8Array(16).fill(octet);
const identity = (octet: number) => new Address(Uint8Array.of(octet, 0, 0, 0, 0, 0), 0);
const bond = (octet: number, more: Partial<Bond> = {}): Bond => ({
  identity: identity(octet),
  peerIrk: irk(octet),
  localIrkDistributed: true,
  authenticated: false,
  secureConnections: true,
  ...more,
});

/** A store whose writes end when they are let. */
class SlowStore extends MemoryBondStore implements BondStore {
  readonly writes: string[] = [];
  #waiting: (() => void)[] = [];
  failure: Error | undefined;
  /** Only the next write fails. */
  failOnce = false;
  #throwIfFailing(): void {
    const { failure } = this;
    if (this.failOnce) this.failure = undefined;
    if (failure) throw failure;
  }
  override async save(value: Bond): Promise<void> {
    await this.#turn();
    this.#throwIfFailing();
    this.writes.push(`save ${value.identity.bytes[0]} ${value.name ?? ""}`.trim());
    await super.save(value);
  }
  override async delete(address: Address): Promise<void> {
    await this.#turn();
    this.#throwIfFailing();
    this.writes.push(`delete ${address.bytes[0]}`);
    await super.delete(address);
  }
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  async release(): Promise<void> {
    for (let i = 0; i < 100; i++) {
      this.#waiting.shift()?.();
      await Promise.resolve();
    }
  }
}

test("whoever is bonded is known at once, at the identity or at a private address", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1), bond(2)]));
  expect(book.find(identity(2))?.identity).toEqual(identity(2));
  const rpa = createRpa(irk(2), random);
  expect(book.resolve(rpa)).toEqual(identity(2));
  expect(book.find(rpa)?.identity).toEqual(identity(2));
  expect(book.resolve(createRpa(irk(9), random))).toBeUndefined();
  expect(book.find(identity(3))).toBeUndefined();
});

test("changes are in force when the store has them, reach it in order, and those of one bond together", async () => {
  const store = new SlowStore();
  const book = await BondBook.open(store);
  const changes: string[] = [];
  book.onChanged = (address, changed) => changes.push(`${address.bytes[0]} ${changed ? (changed.name ?? "") : "gone"}`.trim());
  const saved = [book.keep(bond(1)), book.keep(bond(2)), book.keep(bond(1, { name: "a" })), book.keep(bond(1, { name: "b" }))];
  const deleted = book.remove(identity(2));
  expect([book.size, book.get(identity(1)), book.find(createRpa(irk(2), random))]).toEqual([0, undefined, undefined]);
  await store.release();
  await Promise.all([...saved, deleted, book.flush()]);
  expect(store.writes).toEqual(["save 1", "delete 2", "save 1 b"]);
  expect(changes).toEqual(["1", "2 gone", "1 b"]);
  expect((await store.load(identity(1)))?.name).toBe("b");
  expect(book.list()).toEqual([bond(1, { name: "b" })]);
  expect(book.resolve(createRpa(irk(2), random))).toBeUndefined();
});

test("a bond that is deleted is there until the store has said yes, and no longer", async () => {
  const store = new SlowStore([bond(1)]);
  const book = await BondBook.open(store);
  const rpa = createRpa(irk(1), random);
  const gone = book.remove(identity(1));
  expect([book.get(identity(1)) !== undefined, book.resolve(rpa)?.bytes[0]]).toEqual([true, 1]);
  await store.release();
  await gone;
  expect([book.get(identity(1)), book.resolve(rpa), book.find(rpa), book.size]).toEqual([undefined, undefined, undefined, 0]);
});

describe("a store that refuses", () => {
  test("leaves the book as it was: a new bond is none, a changed and a deleted one stay", async () => {
    const store = new SlowStore([bond(1)]);
    const book = await BondBook.open(store);
    book.onChanged = () => expect.unreachable();
    store.failure = new Error("disk full");
    const failures = [book.keep(bond(2)), book.keep(bond(1, { name: "new", peerIrk: irk(7) })), book.remove(identity(1))].map((change) =>
      expect(change).rejects.toThrow("disk full"),
    );
    await store.release();
    await Promise.all(failures);
    expect(book.list()).toEqual([bond(1)]);
    expect(book.find(createRpa(irk(2), random))).toBeUndefined();
    expect(book.find(createRpa(irk(7), random))).toBeUndefined();
    expect(book.find(createRpa(irk(1), random))).toEqual(bond(1));
  });

  test("takes with it what was changed on top of what it refused, and nothing else", async () => {
    const store = new SlowStore([bond(1)]);
    const book = await BondBook.open(store);
    store.failure = new Error("disk full");
    const refused = expect(book.keep(bond(1, { name: "refused" }))).rejects.toThrow("disk full");
    await Promise.resolve();
    const onTop = expect(book.update(identity(1), (before) => ({ ...before, databaseHash: "00" }))).rejects.toThrow("disk full");
    await store.release();
    await Promise.all([refused, onTop]);
    expect(book.list()).toEqual([bond(1)]);
    const again = expect(book.keep(bond(1, { name: "refused" }))).rejects.toThrow("disk full");
    await Promise.resolve();
    const after = book.remove(identity(1));
    store.failOnce = true;
    await store.release();
    await Promise.all([again, after]);
    expect(book.size).toBe(0);
  });
});

test("a part of a bond is changed on top of all that was said before, and of nothing where there is no bond", async () => {
  const store = new SlowStore([bond(1)]);
  const book = await BondBook.open(store);
  const configure = (handle: number) => book.update(identity(1), (before) => ({ ...before, cccd: { ...before.cccd, [handle]: 1 } }));
  const changes = [configure(3)];
  await Promise.resolve();
  changes.push(configure(4), configure(5));
  await store.release();
  await Promise.all(changes);
  expect(book.get(identity(1))?.cccd).toEqual({ 3: 1, 4: 1, 5: 1 });
  expect(store.writes).toEqual(["save 1", "save 1"]);
  const gone = book.remove(identity(1));
  const late = configure(6);
  await store.release();
  await Promise.all([gone, late]);
  expect(book.size).toBe(0);
});

test("a bond replaces the one that it is known to replace, and no other", async () => {
  const store = new SlowStore([bond(1)]);
  const book = await BondBook.open(store);
  const ltk = { key: irk(3), ediv: 1, rand: new Uint8Array(8), keySize: 16 };
  const other = bond(1, { localLtk: ltk });
  await expect(book.keep(other, { replacing: undefined })).rejects.toMatchObject({ code: "ERR_STATE" });
  const kept = book.keep(other, { replacing: bond(1, { name: "the same keys" }) });
  // What is on its way to the store counts.
  await expect(book.keep(bond(1, { peerLtk: ltk }), { replacing: bond(1) })).rejects.toMatchObject({ code: "ERR_STATE" });
  await store.release();
  await kept;
  expect(book.get(identity(1))).toEqual(other);
  const gone = book.remove(identity(1));
  const renewed = book.keep(bond(1), { replacing: other });
  await store.release();
  await Promise.all([gone, renewed]);
  expect(book.get(identity(1))).toEqual(bond(1));
});

test("what is taken back gives way to the bond before, and to nothing that was said since", async () => {
  const ltk = { key: irk(3), ediv: 1, rand: new Uint8Array(8), keySize: 16 };
  const other = bond(1, { localLtk: ltk });
  for (const before of [undefined, bond(1)]) {
    const book = await BondBook.open(new MemoryBondStore([other]));
    await book.takeBack(bond(1, { peerLtk: ltk }), before);
    expect(book.get(identity(1))).toEqual(other);
    await book.takeBack(bond(1, { localLtk: ltk, name: "the same keys" }), before);
    expect(book.get(identity(1))).toEqual(before);
    await book.takeBack(other, before);
    expect(book.get(identity(1))).toEqual(before);
  }
});

test("a pairing's bond that is deleted before it is stored is refused; a program's own writes follow each other", async () => {
  const store = new SlowStore();
  const book = await BondBook.open(store);
  const first = book.keep(bond(9));
  const paired = book.keep(bond(1), { replacing: undefined });
  const saved = book.keep(bond(2));
  const gone = [book.remove(identity(1)), book.remove(identity(2))];
  const refused = expect(paired).rejects.toMatchObject({ code: "ERR_STATE" });
  await store.release();
  await Promise.all([first, saved, ...gone, refused]);
  expect(book.list()).toEqual([bond(9)]);
});

describe("one identity resolving key", () => {
  test("is kept for one identity only, also while the store is slow", async () => {
    const store = new SlowStore([bond(1)]);
    const book = await BondBook.open(store);
    await expect(book.keep(bond(2, { peerIrk: irk(1) }))).rejects.toThrow("identity resolving key");
    expect(book.holderOf(irk(1), identity(2))).toEqual(identity(1));
    expect(book.holderOf(irk(1), identity(1))).toBeUndefined();
    const pending = book.keep(bond(3));
    await expect(book.keep(bond(4, { peerIrk: irk(3) }))).rejects.toThrow("identity resolving key");
    const gone = book.remove(identity(1));
    const heir = book.keep(bond(2, { peerIrk: irk(1) }));
    await store.release();
    await Promise.all([pending, gone, heir]);
    expect(book.resolve(createRpa(irk(1), random))).toEqual(identity(2));
  });

  test("under several identities in a store resolves to none of them, until one is left", async () => {
    const book = await BondBook.open(new MemoryBondStore([bond(1), bond(2, { peerIrk: irk(1) })]));
    const rpa = createRpa(irk(1), random);
    expect(book.resolve(rpa)).toBeUndefined();
    expect(book.find(identity(1))?.identity).toEqual(identity(1));
    await book.remove(identity(1));
    expect(book.resolve(rpa)).toEqual(identity(2));
  });
});

test("an identity of zeros is nobody's: it is neither read nor kept", async () => {
  const zero = bond(0, { peerIrk: irk(5) });
  const book = await BondBook.open(new MemoryBondStore([zero, bond(1)]));
  expect(book.list()).toEqual([bond(1)]);
  await expect(book.keep(zero)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["a string for the identity", { ...bond(1), identity: "00:00:00:00:00:01" }],
  ["a private identity", { ...bond(1), identity: createRpa(irk(1), new SeededRandom(1)) }],
  ["a private address of ours", { ...bond(1), localIdentity: createRpa(irk(1), new SeededRandom(1)) }],
  ["a key that is text", { ...bond(1), peerIrk: "00".repeat(16) }],
  ["a key of 15 octets", { ...bond(1), peerCsrk: new Uint8Array(15) }],
  ["a long term key of 8 octets", { ...bond(1), localLtk: { key: new Uint8Array(8), ediv: 0, rand: new Uint8Array(8), keySize: 16 } }],
  ["a long term key that is octets", { ...bond(1), peerLtk: 5 }],
  ["Rand of 7 octets", { ...bond(1), peerLtk: { key: irk(1), ediv: 0, rand: new Uint8Array(7), keySize: 16 } }],
  ["EDIV out of range", { ...bond(1), peerLtk: { key: irk(1), ediv: 0x10000, rand: new Uint8Array(8), keySize: 16 } }],
  ["a key size of 6", { ...bond(1), peerLtk: { key: irk(1), ediv: 0, rand: new Uint8Array(8), keySize: 6 } }],
  ["text for a switch", { ...bond(1), authenticated: "yes" }],
])("%s is no bond", async (_name, value) => {
  const book = await BondBook.open(new MemoryBondStore());
  await expect(book.keep(value as Bond)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(book.asStore.save(value as Bond)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(book.size).toBe(0);
});

test("programs see the book as a store", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1)]));
  const { asStore } = book;
  await asStore.save(bond(2));
  expect(await asStore.load(identity(2))).toEqual(bond(2));
  await asStore.delete(identity(1));
  const all: Bond[] = [];
  for await (const each of asStore.all()) all.push(each);
  expect(all).toEqual([bond(2)]);
});

test("a write that fails is told to whoever saved, and the next one goes on", async () => {
  const store = new SlowStore();
  const book = await BondBook.open(store);
  store.failure = new Error("disk full");
  const failed = expect(book.keep(bond(1))).rejects.toThrow("disk full");
  await store.release();
  await failed;
  store.failure = undefined;
  const saved = book.keep(bond(2));
  await store.release();
  await saved;
  expect(store.writes).toEqual(["save 2"]);
});

test("new bonds are refused when there are as many as allowed; known ones may change", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1)]), { maxBonds: 1 });
  await expect(book.keep(bond(2))).rejects.toMatchObject({ code: "ERR_STATE" });
  await book.keep(bond(1, { name: "still here" }));
  expect(book.size).toBe(1);
});

test("new bonds that are on their way to a slow store count, each once", async () => {
  const store = new SlowStore([bond(1)]);
  const book = await BondBook.open(store, { maxBonds: 2 });
  const saved = [book.keep(bond(2)), book.keep(bond(2, { name: "again" })), book.keep(bond(1, { name: "known" }))];
  await expect(book.keep(bond(3))).rejects.toMatchObject({ code: "ERR_STATE" });
  await store.release();
  await Promise.all(saved);
  expect(book.list()).toEqual([bond(1, { name: "known" }), bond(2, { name: "again" })]);
});

test("a bond that loses its identity resolving key is no longer found by it", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1)]));
  const rpa = createRpa(irk(1), random);
  expect(book.resolve(rpa)).toEqual(identity(1));
  await book.keep(bond(1, { peerIrk: undefined }));
  expect(book.resolve(rpa)).toBeUndefined();
});

test("a key of zeros is nobody's: bonds of old that have it do not stand in each other's way", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1, { peerIrk: irk(0) })]));
  expect(book.holderOf(irk(0), identity(2))).toBeUndefined();
  await book.keep(bond(2, { peerIrk: irk(0) }));
  expect(book.size).toBe(2);
});

test("a key of zeros resolves nothing", () => {
  const resolver = new IdentityResolver();
  resolver.set(identity(1), irk(0));
  expect(resolver.size).toBe(0);
  expect(resolver.resolve(createRpa(irk(0), random))).toBeUndefined();
});

test("what was resolved once is remembered, and forgotten when keys change", () => {
  const resolver = new IdentityResolver({ cacheSize: 2 });
  resolver.set(identity(1), irk(1));
  const rpas = [1, 1, 1, 7].map((octet) => createRpa(irk(octet), random));
  for (let i = 0; i < 2; i++) expect(rpas.map((rpa) => resolver.resolve(rpa)?.bytes[0])).toEqual([1, 1, 1, undefined]);
  resolver.set(identity(7), irk(7));
  expect(resolver.resolve(rpas[3]!)).toEqual(identity(7));
  resolver.delete(identity(1));
  expect(resolver.resolve(rpas[0]!)).toBeUndefined();
});

test("changes of bonds that are there take no room from new ones", async () => {
  const store = new SlowStore([bond(1)]);
  const book = await BondBook.open(store, { maxBonds: 2 });
  const writes = [book.update(identity(1), (one) => ({ ...one, name: "x" })), book.remove(identity(9)), book.keep(bond(2))];
  await store.release();
  await Promise.all(writes);
  expect(book.size).toBe(2);
  await expect(book.keep(bond(3))).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("a key that two identities had belongs to the one that is left", () => {
  const resolver = new IdentityResolver();
  resolver.set(identity(1), irk(1));
  resolver.set(identity(2), irk(1));
  const rpa = createRpa(irk(1), random);
  expect([resolver.resolve(rpa), resolver.size]).toEqual([undefined, 2]);
  resolver.delete(identity(2));
  expect([resolver.resolve(rpa)?.bytes[0], resolver.size]).toEqual([1, 1]);
  resolver.delete(identity(3));
  resolver.delete(identity(1));
  expect([resolver.resolve(rpa), resolver.size]).toEqual([undefined, 0]);
});

test("a stranger's address is tried once while it is remembered; the oldest is forgotten first", () => {
  const blocks = vi.spyOn(AesKey.prototype, "encryptBlock");
  try {
    const tries = (resolver: IdentityResolver, address: Address): number => {
      const before = blocks.mock.calls.length;
      expect(resolver.resolve(address)).toBeUndefined();
      return blocks.mock.calls.length - before;
    };
    const [a, b, c] = [7, 8, 9].map((octet) => createRpa(irk(octet), random)) as [Address, Address, Address];
    const resolver = new IdentityResolver({ cacheSize: 2 });
    resolver.set(identity(1), irk(1));
    expect([a, a, b, a, b].map((address) => tries(resolver, address))).toEqual([1, 0, 1, 0, 0]);
    expect([c, b, c, a].map((address) => tries(resolver, address))).toEqual([1, 0, 0, 1]);
    expect(tries(resolver, createRpa(irk(0), random))).toBe(1);
    expect(tries(resolver, identity(5))).toBe(0);
  } finally {
    blocks.mockRestore();
  }
});
