import { Address } from "../../core/index.ts";
import { resolveRpa, reversed } from "../../crypto/index.ts";
import {
  AddressType,
  CsrkType,
  type DecodedBy,
  LinkKeyType,
  LtkType,
  type MgmtEvents,
  type Names,
  nameOf,
} from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import type { DeviceId } from "./device-id.ts";

interface KeyOf<K extends string, E> extends DeviceId {
  readonly kind: K;
  /** Name of the key's type, where keys of this kind have types. */
  readonly type: string | undefined;
  /** Whether it is protected against man in the middle; undefined where that is not said of such keys. */
  readonly authenticated: boolean | undefined;
  /** Whether the kernel says to keep it: else it is for this connection only. */
  readonly store: boolean;
  /**
   * The key as the kernel gave it, for the Load command of its kind after the next start. Secret, and not enumerable: printing a key or
   * making JSON of it shows none of it.
   */
  readonly entry: E;
}

type KeyEntry<N extends "newLinkKey" | "newLongTermKey" | "newIdentityResolvingKey"> = DecodedBy<MgmtEvents[N]["parameters"]>["key"];

/** A key that a pairing made. */
export type PairedKey =
  | KeyOf<"LinkKey", KeyEntry<"newLinkKey">>
  | KeyOf<"LongTermKey", KeyEntry<"newLongTermKey">>
  | KeyOf<"IdentityResolvingKey", KeyEntry<"newIdentityResolvingKey">>
  | KeyOf<"SignatureResolvingKey", DeviceId & { readonly keyType: number; readonly value: Uint8Array }>;

/** How a pairing went. Printing it shows no secret. */
export interface MgmtPairingReport extends DeviceId {
  /** Whether its keys are protected against man in the middle. */
  readonly authenticated: boolean;
  /** Whether there are keys to keep. */
  readonly bonded: boolean;
  readonly keys: readonly PairedKey[];
  /** What one would expect of a pairing and this one lacks, one sentence each. */
  readonly shortcomings: readonly string[];
}

function keyOf(kind: PairedKey["kind"], names: Names | undefined, store: number, entry: PairedKey["entry"]): PairedKey {
  const { address, addressType } = entry;
  const type = names && "keyType" in entry ? (nameOf(names, entry.keyType) ?? String(entry.keyType)) : undefined;
  const authenticated = type === undefined ? undefined : /(^|Local|Remote)Authenticated/.test(type);
  const key = { kind, address, addressType, type, authenticated, store: store === 1 };
  return Object.defineProperty(key, "entry", { value: entry, enumerable: false }) as PairedKey;
}

/**
 * Tells of each key the kernel makes on a controller.
 *
 * @param onKey `privateAddress` is where the device was before its identity was known
 */
export function listenForKeys(mgmt: Mgmt, index: number, onKey: (key: PairedKey, privateAddress?: DeviceId) => void): Disposable {
  const ofThis = (event: { index: number }): boolean => event.index === index;
  const listeners = [
    mgmt.on("newLinkKey", (event) => ofThis(event) && onKey(keyOf("LinkKey", LinkKeyType, event.storeHint, event.key))),
    mgmt.on("newLongTermKey", (event) => ofThis(event) && onKey(keyOf("LongTermKey", LtkType, event.storeHint, event.key))),
    mgmt.on("newIdentityResolvingKey", (event) => {
      const privateAddress = { address: event.randomAddress, addressType: AddressType.LERandom };
      if (ofThis(event)) onKey(keyOf("IdentityResolvingKey", undefined, event.storeHint, event.key), privateAddress);
    }),
    mgmt.on("newSignatureResolvingKey", (event) => {
      const { address, addressType, keyType, value } = event;
      if (ofThis(event)) onKey(keyOf("SignatureResolvingKey", CsrkType, event.storeHint, { address, addressType, keyType, value }));
    }),
  ];
  return {
    [Symbol.dispose]: () => {
      for (const listener of listeners) listener[Symbol.dispose]();
    },
  };
}

/** Whether an address is a resolvable private one, which changes every quarter of an hour (Vol 6 Part B 1.3.2.2). */
export function isResolvablePrivate({ address, addressType }: DeviceId): boolean {
  return addressType === AddressType.LERandom && Address.from(address, "random").isResolvablePrivate;
}

/** Whether an identity key, as the kernel gives it (least significant octet first), made this private address. */
export function resolves(key: Uint8Array, { address, addressType }: DeviceId): boolean {
  return addressType === AddressType.LERandom && resolveRpa(reversed(key), Address.from(address, "random"));
}

/** Whether a pairing has taken place once this key is there. */
export function isProof({ kind }: PairedKey): boolean {
  return kind === "LongTermKey" || kind === "LinkKey";
}

export function reportOf(peer: DeviceId, keys: readonly PairedKey[]): MgmtPairingReport {
  const { address, addressType } = peer;
  const proofs = keys.filter(isProof);
  const bonded = proofs.some(({ store }) => store);
  const shortcomings: string[] = [];
  if (isResolvablePrivate(peer))
    shortcomings.push("the device did not tell its identity, and will not be recognised: load identity keys before pairing (identityKeys)");
  else if (!bonded) shortcomings.push("no key is to be kept: one of the two devices did not want to bond");
  return { address, addressType, authenticated: proofs.some((key) => key.authenticated), bonded, keys, shortcomings };
}
