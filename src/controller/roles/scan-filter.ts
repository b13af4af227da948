import { type AirAddress, isAddress } from "./advertising-pdus.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import type { Peer } from "./resolving-list.ts";

/** Direct_Address_Type of a resolvable private address that could not be resolved. */
export const UNRESOLVED = 0xfe;

/** Whom directed advertising is for, as a report tells. */
export interface Target {
  /** 0 to 3 as Address_Type, or UNRESOLVED. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** Who sends, if the filter policy and privacy let it in (Vol 6 Part B 4.3.3). `policy` bit 0: the Filter Accept List alone. */
export function heardPeer(context: LinkLayerContext, policy: number, type: 0 | 1, pdu: Uint8Array, at: number): Peer | undefined {
  const peer = context.resolving.identify(type, pdu, at);
  return peer && (!(policy & 1) || context.filterAcceptList.has(peer.type & 1, peer.bytes)) ? peer : undefined;
}

/** Whether directed advertising is for this device. `policy` bit 1: also where its resolvable private address could not be resolved. */
export function heardTarget(
  context: LinkLayerContext,
  policy: number,
  own: AirAddress,
  type: 0 | 1,
  pdu: Uint8Array,
  at: number,
): Target | undefined {
  if (isAddress(pdu, at, type, own)) return { type, bytes: own.bytes };
  const isResolvable = type === 1 && pdu[at + 5]! >> 6 === 0b01;
  if (!isResolvable) return undefined;
  if (context.resolving.isLocalRpa(pdu, at)) return { type: 2 | own.type, bytes: own.bytes };
  return policy & 2 ? { type: UNRESOLVED, bytes: pdu.slice(at, at + 6) } : undefined;
}

/** Devices a duplicate filter remembers; the oldest are forgotten, and then reported once more. */
const CAPACITY = 1024;

/** What was reported already. */
export class DuplicateFilter {
  readonly #seen = new Set<string>();

  has(key: string): boolean {
    return this.#seen.has(key);
  }
  clear(): void {
    this.#seen.clear();
  }
  add(key: string): void {
    if (this.#seen.has(key)) return;
    if (this.#seen.size >= CAPACITY) this.#seen.delete(this.#seen.values().next().value!);
    this.#seen.add(key);
  }
}
