import { expect, test } from "vitest";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { createRpa } from "../crypto/index.ts";
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
  override async save(value: Bond): Promise<void> {
    await this.#turn();
    if (this.failure) throw this.failure;
    this.writes.push(`save ${value.identity.bytes[0]} ${value.name ?? ""}`.trim());
    await super.save(value);
  }
  override async delete(address: Address): Promise<void> {
    await this.#turn();
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

test("changes are seen at once and reach the store in order, those of one bond together", async () => {
  const store = new SlowStore();
  const book = await BondBook.open(store);
  const saved = [book.save(bond(1)), book.save(bond(2)), book.save(bond(1, { name: "a" })), book.save(bond(1, { name: "b" }))];
  expect(book.get(identity(1))?.name).toBe("b");
  const deleted = book.delete(identity(2));
  await store.release();
  await Promise.all([...saved, deleted, book.flush()]);
  expect(store.writes).toEqual(["save 1", "delete 2", "save 1 b"]);
  expect((await store.load(identity(1)))?.name).toBe("b");
  expect(book.resolve(createRpa(irk(2), random))).toBeUndefined();
});

test("a write that fails is told to whoever saved, and the next one goes on", async () => {
  const store = new SlowStore();
  const book = await BondBook.open(store);
  store.failure = new Error("disk full");
  const failed = expect(book.save(bond(1))).rejects.toThrow("disk full");
  await store.release();
  await failed;
  store.failure = undefined;
  const saved = book.save(bond(2));
  await store.release();
  await saved;
  expect(store.writes).toEqual(["save 2"]);
});

test("new bonds are refused when there are as many as allowed; known ones may change", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1)]), { maxBonds: 1 });
  await expect(book.save(bond(2))).rejects.toMatchObject({ code: "ERR_STATE" });
  await book.save(bond(1, { name: "still here" }));
  expect(book.size).toBe(1);
});

test("a bond that loses its identity resolving key is no longer found by it", async () => {
  const book = await BondBook.open(new MemoryBondStore([bond(1)]));
  const rpa = createRpa(irk(1), random);
  expect(book.resolve(rpa)).toEqual(identity(1));
  await book.save(bond(1, { peerIrk: undefined }));
  expect(book.resolve(rpa)).toBeUndefined();
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
