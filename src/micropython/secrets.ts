import { type Clock, Deadline, ownTerms } from "../async/index.ts";
import type { Address, Logger, RandomSource } from "../core/index.ts";
import { randomBytes, StateError } from "../core/index.ts";
import type { Bond, BondStore } from "../smp/index.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { IrqResult } from "./event-queue.ts";
import { createEvent } from "./events.ts";
import {
  type BondRecords,
  bondOfRecords,
  IRK_KEY,
  identityOfRecord,
  isSameRecord,
  lastingRecordsOf,
  recordsOf,
  SecretType,
  secretKey,
} from "./secret-records.ts";

/** How long the program may take over all secrets at the start, in milliseconds; what it has not given by then is absent. */
const START_MS = 10_000;
/** How long it may take over the secrets of one bond: less than the Security Manager gives a store, so that the pairing stands. */
const BOND_MS = 20_000;
const IRK_OCTETS = 16;
/** Bonds that are asked for: a program may answer every index. */
const MOST_BONDS = 1000;
/** How often one secret is deleted: a program is to say false when there is nothing left, and may never. */
const MOST_DELETIONS = 8;

export interface SecretsOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly dispatcher: Dispatcher;
}

/** What the program has of a bond. */
interface Known extends Partial<BondRecords> {
  readonly lasting?: BondRecords | undefined;
}

/** What is open on a device: its book of bonds. */
type Bonds = Pick<BondStore, "load" | "save" | "delete">;

/**
 * Keys that the program keeps, by `getSecret` and `setSecret`. What it has is the truth: it is asked again where a key is about to be used, since
 * a program may forget or restore secrets when it likes.
 */
export class Secrets implements BondStore {
  readonly #options: SecretsOptions;
  /** The records that the program is known to have, by the key in hexadecimal. */
  readonly #known = new Map<string, Known>();
  /** Bonds of which the program does not have what does not last. */
  readonly #unsaved = new Map<string, Bond>();
  /** What was made up where the program had none: the same for every `active(true)` of this object. */
  #irk: Uint8Array | undefined;

  /** Events that the program is to hear of before it is given a bond, and is too busy for. */
  readonly #tellings = new Set<Promise<void>>();

  constructor(options: SecretsOptions) {
    this.#options = options;
  }

  /** Our identity resolving key. One that is made up is given to the program to keep; where it does not, it lasts as long as this object. */
  async irk(): Promise<Uint8Array> {
    const { clock, random, logger } = this.#options;
    using deadline = new Deadline({ clock, operation: "asking for the IRK", timeoutMs: START_MS });
    const key = new TextEncoder().encode(IRK_KEY);
    const kept = await this.#get(SecretType.OurIrk, 0, key, deadline.signal);
    if (kept?.length === IRK_OCTETS) return kept;
    if (kept) logger.warn(() => `the IRK that the program has kept has ${kept.length} octets: expected ${IRK_OCTETS}`);
    this.#irk ??= randomBytes(random, IRK_OCTETS);
    if (!(await this.#set(SecretType.OurIrk, key, this.#irk, deadline.signal))) logger.info("the program does not keep the IRK");
    return this.#irk;
  }

  /** Bonds are given to the program when it has begun with another event. */
  after(telling: Promise<void>): void {
    this.#tellings.add(telling);
    void telling.then(() => this.#tellings.delete(telling));
  }

  async load(identity: Address): Promise<Bond | undefined> {
    const { clock } = this.#options;
    using deadline = new Deadline({ clock, operation: "asking for a bond", timeoutMs: BOND_MS });
    const key = secretKey(identity);
    const peers = await this.#get(SecretType.PeerKeys, 0, key, deadline.signal);
    const ours = await this.#get(SecretType.OurKeys, 0, key, deadline.signal);
    return this.#take(identity, { ours, peers });
  }

  /** Every bond of which the program has the peer's keys. */
  async *all(): AsyncIterable<Bond> {
    const { clock, logger } = this.#options;
    this.#known.clear();
    this.#unsaved.clear();
    using deadline = new Deadline({ clock, operation: "asking for the bonds", timeoutMs: START_MS });
    for (let index = 0; index < MOST_BONDS; index++) {
      const peers = await this.#get(SecretType.PeerKeys, index, null, deadline.signal);
      if (!peers) return;
      let identity: Address;
      try {
        identity = identityOfRecord(peers);
      } catch (error) {
        logger.warn(() => `a secret of the program is no bond of ours: ${String(error)}`);
        continue;
      }
      const key = secretKey(identity);
      if (this.#known.has(toText(key))) return; // it gives the same again
      const ours = await this.#get(SecretType.OurKeys, 0, key, deadline.signal);
      const bond = this.#take(identity, { ours, peers });
      if (bond) yield bond;
    }
  }

  /** Gives the program what has changed of a bond: our keys first. @throws {StateError} it does not keep it: then it has nothing of it */
  async save(bond: Bond): Promise<void> {
    const at = toText(secretKey(bond.identity));
    const known = this.#known.get(at) ?? {};
    const lasting = lastingRecordsOf(bond);
    this.#unsaved.delete(at);
    // That the peer has seen our attributes is not worth a call of its own: every pairing ends with it.
    if (known.lasting && RECORDS.every(([, part]) => isSameRecord(known.lasting?.[part], lasting[part]))) this.#unsaved.set(at, bond);
    else await this.#save(bond, lasting, known);
  }

  /** Gives the program what was not given yet of this peer's bond: the peer is gone. */
  flush(identity: Address): void {
    const at = toText(secretKey(identity));
    const bond = this.#unsaved.get(at);
    this.#unsaved.delete(at);
    if (!bond) return;
    this.#save(bond, lastingRecordsOf(bond), this.#known.get(at) ?? {}).catch((error: unknown) =>
      this.#options.logger.warn(() => `what ${identity} knows of our attributes is not kept: ${String(error)}`),
    );
  }

  async #save(bond: Bond, lasting: BondRecords, known: Known): Promise<void> {
    const { clock } = this.#options;
    using deadline = new Deadline({ clock, operation: "keeping a bond", timeoutMs: BOND_MS });
    const key = secretKey(bond.identity);
    const records = recordsOf(bond);
    for (const telling of this.#tellings)
      await ownTerms(clock, "an earlier event", telling, { signal: deadline.signal }).catch(() => undefined);
    for (const [type, part] of RECORDS) {
      if (isSameRecord(known[part], records[part])) continue;
      if (await this.#set(type, key, records[part], deadline.signal)) continue;
      if (part === "peers") await this.#delete(bond.identity, deadline.signal);
      throw new StateError("the program does not keep the keys: its irq handler did not answer setSecret with true");
    }
    this.#known.set(toText(key), { ...records, lasting });
  }

  async delete(identity: Address): Promise<void> {
    const { clock } = this.#options;
    using deadline = new Deadline({ clock, operation: "deleting a bond", timeoutMs: BOND_MS });
    if (this.#known.has(toText(secretKey(identity)))) await this.#delete(identity, deadline.signal);
  }

  /**
   * Asks the program for a key that is about to be used, and brings `bonds` to what it says.
   *
   * @param first which of the two records decides: without it there is no bond
   */
  async refresh(identity: Address, bonds: Bonds, first: keyof BondRecords): Promise<void> {
    const { clock } = this.#options;
    using deadline = new Deadline({ clock, operation: "asking for a key", timeoutMs: BOND_MS });
    const key = secretKey(identity);
    const [type, otherType] = first === "ours" ? [SecretType.OurKeys, SecretType.PeerKeys] : [SecretType.PeerKeys, SecretType.OurKeys];
    const record = await this.#get(type, 0, key, deadline.signal);
    const known = this.#known.get(toText(key));
    if (record && isSameRecord(known?.[first], record)) return;
    const other = record && (await this.#get(otherType, 0, key, deadline.signal));
    const bond = record && this.#take(identity, first === "ours" ? { ours: record, peers: other } : { ours: other, peers: record });
    if (bond) await bonds.save(bond);
    else if (await bonds.load(identity)) {
      this.#known.delete(toText(key)); // it has deleted it, and need not be told
      await bonds.delete(identity);
    }
  }

  /** What the program has of a peer. Something else than a bond of this peer is nothing. */
  #take(identity: Address, records: { readonly [K in keyof BondRecords]: Uint8Array | undefined }): Bond | undefined {
    if (!records.ours && !records.peers) return undefined;
    try {
      const bond = bondOfRecords(records);
      if (!bond.identity.equals(identity)) throw new StateError(`it is one of ${bond.identity}`);
      this.#known.set(toText(secretKey(identity)), {
        lasting: lastingRecordsOf(bond),
        ...(records.ours && { ours: records.ours }),
        ...(records.peers && { peers: records.peers }),
      });
      return bond;
    } catch (error) {
      this.#options.logger.warn(() => `the secrets that the program has of ${identity} are not used: ${String(error)}`);
      return undefined;
    }
  }

  async #delete(identity: Address, signal: AbortSignal): Promise<void> {
    const key = secretKey(identity);
    this.#known.delete(toText(key));
    this.#unsaved.delete(toText(key));
    for (const [type] of RECORDS) for (let i = 0; i < MOST_DELETIONS; i++) if (!(await this.#set(type, key, null, signal))) break;
  }

  async #get(secType: number, index: number, key: Uint8Array | null, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const answer = await this.#ask(createEvent("getSecret", { secType, index, key: key === null ? null : key.slice() }), signal);
    return answer instanceof Uint8Array && answer.length > 0 ? answer.slice() : undefined;
  }

  async #set(secType: number, key: Uint8Array, value: Uint8Array | null, signal: AbortSignal): Promise<boolean> {
    return Boolean(
      await this.#ask(createEvent("setSecret", { secType, key: key.slice(), value: value === null ? null : value.slice() }), signal),
    );
  }

  /** What the program answers in time. */
  async #ask(event: Parameters<Dispatcher["ask"]>[0], signal: AbortSignal): Promise<IrqResult> {
    if (signal.aborted) return undefined;
    const { clock, dispatcher, logger } = this.#options;
    const answer = dispatcher.ask(event);
    if (!(answer instanceof Promise)) return answer;
    return await ownTerms(clock, event.type, answer, { signal }).catch((error: unknown) => {
      logger.warn(() => `${event.type} was not answered: ${String(error)}`);
      return undefined;
    });
  }
}

/** The records of a bond in the order in which they are given to the program. */
const RECORDS = [
  [SecretType.OurKeys, "ours"],
  [SecretType.PeerKeys, "peers"],
] as const;

const toText = (key: Uint8Array): string => key.join(" ");
