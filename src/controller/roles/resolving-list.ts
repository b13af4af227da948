import type { Scheduler } from "../../air/index.ts";
import { Address, SeededRandom } from "../../core/index.ts";
import { AesKey, createRpa, resolveRpa, reversed } from "../../crypto/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { addressKey } from "./filter-accept-list.ts";

/** A peer as the Link Layer knows it. */
export interface Peer {
  /** 0 public, 1 random; 2 and 3 the identity addresses of a peer whose resolvable private address was resolved. */
  readonly type: 0 | 1 | 2 | 3;
  readonly bytes: Uint8Array;
  /** The address on air that was resolved. */
  readonly rpa: Uint8Array | undefined;
}

interface Entry {
  readonly type: 0 | 1;
  readonly bytes: Uint8Array;
  readonly peerIrk: Uint8Array;
  /** Absent where the IRK is all zeros: then there is none. */
  readonly peerKey: AesKey | undefined;
  readonly localKey: AesKey | undefined;
  /** Device privacy takes the identity address too; network privacy does not. */
  isDevicePrivacy: boolean;
  /** Used by the peer last. */
  peerRpa: Uint8Array | undefined;
  /** How often its address was changed before its time. */
  renewals: number;
  readonly made: { local?: Made; peer?: Made };
}

interface Made {
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

const DEFAULT_TIMEOUT_S = 900;
/** Addresses whose resolution is remembered. */
const REMEMBERED = 256;

/** The resolving list and the addresses made from it, Vol 6 Part B 4.7 and 6. */
export class ResolvingList {
  readonly size: number;
  readonly #scheduler: Scheduler;
  readonly #seed: number;
  readonly #name: string;
  readonly #entries = new Map<string, Entry>();
  readonly #resolved = new Map<string, Entry | undefined>();
  isEnabled = false;
  #timeoutS = DEFAULT_TIMEOUT_S;
  /** When the timeout was set; addresses change every timeout from then on. */
  #sinceUs = 0;
  #epochsBefore = 0;

  /** @param owner whose addresses it makes: seed of the air, unique name */
  constructor(size: number, scheduler: Scheduler, owner: { seed: number; name: string }) {
    this.size = size;
    this.#scheduler = scheduler;
    this.#seed = owner.seed;
    this.#name = owner.name;
  }

  reset(): void {
    this.clear();
    this.isEnabled = false;
    this.#timeoutS = DEFAULT_TIMEOUT_S;
    this.#epochsBefore = this.epoch + 1; // other addresses than before
    this.#sinceUs = this.#scheduler.nowUs;
  }

  /** Gives a status. IRKs least significant octet first. */
  add(type: 0 | 1, bytes: Uint8Array, peerIrk: Uint8Array, localIrk: Uint8Array): number {
    const key = addressKey(type, bytes);
    if (this.#entries.has(key)) return HciErrorCode.InvalidHciCommandParameters;
    const hasPeerIrk = peerIrk.some((octet) => octet !== 0);
    if (hasPeerIrk)
      for (const other of this.#entries.values())
        if (other.peerIrk.every((octet, i) => octet === peerIrk[i])) return HciErrorCode.InvalidHciCommandParameters;
    if (this.#entries.size >= this.size) return HciErrorCode.MemoryCapacityExceeded;
    this.#entries.set(key, {
      type,
      bytes,
      peerIrk,
      peerKey: hasPeerIrk ? new AesKey(reversed(peerIrk)) : undefined,
      localKey: localIrk.some((octet) => octet !== 0) ? new AesKey(reversed(localIrk)) : undefined,
      isDevicePrivacy: false,
      peerRpa: undefined,
      renewals: 0,
      made: {},
    });
    this.#resolved.clear();
    return HciErrorCode.Success;
  }

  remove(type: number, bytes: Uint8Array): number {
    this.#resolved.clear();
    return this.#entries.delete(addressKey(type, bytes)) ? HciErrorCode.Success : HciErrorCode.UnknownConnectionIdentifier;
  }

  clear(): void {
    this.#entries.clear();
    this.#resolved.clear();
  }

  setDevicePrivacy(type: number, bytes: Uint8Array, isDevicePrivacy: boolean): number {
    const entry = this.#entries.get(addressKey(type, bytes));
    if (!entry) return HciErrorCode.UnknownConnectionIdentifier;
    entry.isDevicePrivacy = isDevicePrivacy;
    return HciErrorCode.Success;
  }

  /** @param timeoutS 1 to 3600; begins anew */
  setTimeout(timeoutS: number): void {
    this.#epochsBefore = this.epoch;
    this.#timeoutS = timeoutS;
    this.#sinceUs = this.#scheduler.nowUs;
  }

  /** Counts the changes of address so far. */
  get epoch(): number {
    return this.#epochsBefore + Math.floor((this.#scheduler.nowUs - this.#sinceUs) / (this.#timeoutS * 1_000_000));
  }

  /** What the peer with this identity uses: undefined where it is not on the list, null where none was heard yet. */
  peerRpa(type: number, bytes: Uint8Array): Uint8Array | null | undefined {
    const entry = this.#entries.get(addressKey(type, bytes));
    return entry && (entry.peerRpa ?? entry.made.peer?.bytes ?? null);
  }

  /** What this device uses towards the peer: undefined where it is not on the list, null without a local IRK. */
  localRpa(type: number, bytes: Uint8Array): Uint8Array | null | undefined {
    const entry = this.#entries.get(addressKey(type, bytes));
    if (!entry) return undefined;
    return entry.localKey ? this.#made(entry, "local", entry.localKey) : null;
  }

  /** Another address towards this peer from now on. */
  renew(type: number, bytes: Uint8Array): void {
    const entry = this.#entries.get(addressKey(type, bytes));
    if (!entry) return;
    entry.renewals++;
    delete entry.made.local;
  }

  /** Where to send what is for this peer: an address of its IRK, as it expects (Vol 6 Part B 6.2.2), or undefined. */
  targetRpa(type: number, bytes: Uint8Array): Uint8Array | undefined {
    const entry = this.#entries.get(addressKey(type, bytes));
    return entry?.peerKey && this.#made(entry, "peer", entry.peerKey);
  }

  /** Who this address belongs to; undefined where network privacy has it ignored (Vol 6 Part B 6.5). */
  identify(type: 0 | 1, octets: Uint8Array, offset = 0): Peer | undefined {
    const bytes = octets.slice(offset, offset + 6);
    if (this.isEnabled && this.#entries.size > 0) {
      if (type === 1 && bytes[5]! >> 6 === 0b01) {
        const entry = this.#resolve(bytes);
        if (entry) {
          entry.peerRpa = bytes;
          return { type: (2 | entry.type) as 2 | 3, bytes: entry.bytes, rpa: bytes };
        }
      } else {
        const entry = this.#entries.get(addressKey(type, bytes));
        if (entry?.peerKey && !entry.isDevicePrivacy) return undefined;
      }
    }
    return { type, bytes, rpa: undefined };
  }

  /** Whether it may be left out of the way of a packet: nothing is resolved. */
  get isIdle(): boolean {
    return !this.isEnabled || this.#entries.size === 0;
  }

  /** Whether this resolvable private address was made with a local IRK. */
  isLocalRpa(octets: Uint8Array, offset: number): boolean {
    if (!this.isEnabled) return false;
    const address = new Address(octets.slice(offset, offset + 6), 1);
    if (!address.isResolvablePrivate) return false;
    for (const { localKey } of this.#entries.values()) if (localKey && resolveRpa(localKey, address)) return true;
    return false;
  }

  #resolve(bytes: Uint8Array): Entry | undefined {
    const key = addressKey(1, bytes);
    if (this.#resolved.has(key)) return this.#resolved.get(key);
    const address = new Address(bytes, 1);
    let found: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (!entry.peerKey || !resolveRpa(entry.peerKey, address)) continue;
      found = entry;
      break;
    }
    if (this.#resolved.size >= REMEMBERED) this.#resolved.delete(this.#resolved.keys().next().value!);
    this.#resolved.set(key, found);
    return found;
  }

  /** Drawn anew every timeout, the same whenever it is asked for. */
  #made(entry: Entry, whose: "local" | "peer", key: AesKey): Uint8Array {
    const { epoch } = this;
    const known = entry.made[whose];
    if (known?.epoch === epoch) return known.bytes;
    const label = `${whose} address of ${this.#name} for ${new Address(entry.bytes, entry.type)}, ${epoch}.${entry.renewals}`;
    const { bytes } = createRpa(key, new SeededRandom(this.#seed, label));
    entry.made[whose] = { epoch, bytes };
    return bytes;
  }
}
