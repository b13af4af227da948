import type { Address } from "../core/address.ts";
import { type Bond, type BondJson, bondFromJson, bondToJson } from "../smp/index.ts";

// What the secrets' events carry. A bond is two records, as it is at MicroPython's host: our keys for the peer, and the peer's keys. Programs
// keep them as they are and make nothing of them.

/** `secType` of a secret. */
export const SecretType = Object.freeze({ OurKeys: 1, PeerKeys: 2, OurIrk: 10 });

/** The key of our own identity resolving key. */
export const IRK_KEY = "irk";

/** Octet 0 of a record: what follows is a part of a bond as `bondToJson` has it, in UTF-8. Another version may be something else. */
const VERSION = 1;

/** What the record of our keys has alone. */
const OURS: ReadonlySet<string> = new Set<keyof BondJson>([
  "localLtk",
  "localCsrk",
  "localIrkDistributed",
  "localIdentity",
  "cccd",
  "cccdOf",
  "databaseHash",
]);
/** What the record of the peer's keys has alone. The rest is in both. */
const PEERS: ReadonlySet<string> = new Set<keyof BondJson>(["peerLtk", "peerIrk", "peerCsrk", "name", "provisional"]);

/** The key of a peer's records: type of its identity address, and the address, least significant octet first. */
export function secretKey(identity: Address): Uint8Array {
  return Uint8Array.of(identity.type, ...identity.bytes);
}

export interface BondRecords {
  readonly ours: Uint8Array;
  readonly peers: Uint8Array;
}

export function recordsOf(bond: Bond): BondRecords {
  return recordsOfFields(bondToJson(bond));
}

/** The records without what the peer may be told anew whenever it connects: what it knows of our attributes. */
export function lastingRecordsOf(bond: Bond): BondRecords {
  const { databaseHash: _, ...lasting } = bondToJson(bond);
  return recordsOfFields(lasting);
}

function recordsOfFields(json: BondJson): BondRecords {
  const fields = Object.entries(json);
  const without = (left: ReadonlySet<string>): Uint8Array => {
    const json = JSON.stringify(Object.fromEntries(fields.filter(([name]) => !left.has(name))));
    return Uint8Array.of(VERSION, ...new TextEncoder().encode(json));
  };
  return { ours: without(PEERS), peers: without(OURS) };
}

/** The bond that records make; either may be missing, not both. @throws {BondFormatError} · {SyntaxError} not what `recordsOf` made */
export function bondOfRecords({ ours, peers }: { readonly [K in keyof BondRecords]: Uint8Array | undefined }): Bond {
  return bondFromJson({ localIrkDistributed: false, ...fieldsOf(peers), ...fieldsOf(ours) });
}

/** Whose record it is. @throws as `bondOfRecords` */
export function identityOfRecord(record: Uint8Array): Address {
  return bondOfRecords({ ours: undefined, peers: record }).identity;
}

function fieldsOf(record: Uint8Array | undefined): object {
  if (!record) return {};
  if (record[0] !== VERSION) throw new SyntaxError(`a secret of version ${record[0]}: expected ${VERSION}`);
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(record.subarray(1))) as object;
}

/** @param known what is known of it, if anything */
export function isSameRecord(known: Uint8Array | undefined, record: Uint8Array): boolean {
  return known?.length === record.length && known.every((octet, i) => octet === record[i]);
}
