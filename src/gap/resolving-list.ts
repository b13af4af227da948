import type { Address } from "../core/address.ts";
import { reversed } from "../crypto/index.ts";
import {
  LeAddDeviceToResolvingList,
  LeClearResolvingList,
  LeReadLocalResolvableAddress,
  LeRemoveDeviceFromResolvingList,
  LeSetAddressResolutionEnable,
  LeSetPrivacyMode,
  LeSetResolvablePrivateAddressTimeout,
} from "../hci/commands/le-privacy.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { Bond, PrivacyMode } from "../smp/types.ts";
import type { CommandPort } from "./command-port.ts";
import type { RadioAbilities } from "./radio-abilities.ts";
import { isDisallowed, isRefusal } from "./switch.ts";

/** A bonded peer that uses resolvable private addresses. */
export interface PrivatePeer {
  readonly identity: Address;
  /** 16 octets, most significant first. Secret. */
  readonly irk: Uint8Array;
  readonly mode: PrivacyMode;
}

/** The peers of these bonds whose addresses can be resolved. A key under several identities says nothing of which, and is left out. */
export function privatePeers(bonds: Iterable<Bond>): PrivatePeer[] {
  const byKey = new Map<string, PrivatePeer | undefined>();
  for (const { identity, peerIrk: irk, privacyMode: mode = "device" } of bonds) {
    if (!irk?.some((octet) => octet !== 0)) continue;
    const key = irk.join();
    byKey.set(key, byKey.has(key) ? undefined : { identity, irk, mode });
  }
  return [...byKey.values()].filter((peer) => peer !== undefined);
}

const NETWORK_PRIVACY = 0;
const DEVICE_PRIVACY = 1;
/** RPA_Timeout, Vol 4 Part E 7.8.45. */
const LONGEST_TIMEOUT_S = 3600;

interface ResolvingListParts {
  readonly port: CommandPort;
  readonly abilities: Pick<RadioAbilities, "resolvingListSize" | "hasPrivacyMode">;
  /** The own key, most significant octet first: the controller makes private addresses of it. */
  readonly irk: Uint8Array;
  readonly privateAddressIntervalMs: number;
}

/**
 * What the controller knows of bonded peers (Vol 6 Part B 6.1): it resolves their private addresses, makes the own ones that are shown to them,
 * and changes those by itself. Those that find no room there, or that the controller does not take, are resolved by the host as all of them
 * are where the controller has no such list.
 *
 * Nothing of it may change while the controller advertises, scans or initiates (Vol 4 Part E 7.8.38 to 7.8.44, 7.8.77): the radio calls
 * `apply` when all of that is off.
 */
export class ResolvingList {
  readonly #port: CommandPort;
  readonly #hasPrivacyMode: boolean;
  readonly #irk: Uint8Array;
  readonly #timeoutS: number;
  readonly #size: number;
  #wanted: readonly PrivatePeer[] = [];
  /** What the controller has, all of it in the mode that is wanted; `undefined`: not known. */
  #held: readonly PrivatePeer[] | undefined;
  /** Peers that the controller does not take. */
  #refused: readonly PrivatePeer[] = [];
  /** How many the controller has shown that it takes. */
  #room: number;
  /** Addresses are resolved. */
  #isEnabled = false;
  /** The controller does not do what it says it can: the host resolves all, until a reset. */
  #isGivenUp = false;

  constructor({ port, abilities, irk, privateAddressIntervalMs }: ResolvingListParts) {
    this.#port = port;
    this.#hasPrivacyMode = abilities.hasPrivacyMode;
    this.#irk = irk;
    this.#timeoutS = Math.min(LONGEST_TIMEOUT_S, Math.max(1, Math.round(privateAddressIntervalMs / 1000)));
    this.#size = abilities.resolvingListSize;
    this.#room = this.#size;
  }

  /** What it is to hold; the first ones where there is not room for all. */
  want(peers: readonly PrivatePeer[]): void {
    this.#wanted = peers;
    this.#refused = this.#refused.filter((refused) => peers.some((peer) => isSameEntry(peer, refused)));
  }

  /** The controller has something else than what it is to have. */
  get isStale(): boolean {
    if (this.#isGivenUp) return false;
    const [target, held] = [this.#target(), this.#held];
    if (!held) return target.length > 0;
    return held.length !== target.length || (target.length > 0 && !this.#isEnabled) || !target.every((peer) => isIn(held, peer));
  }

  /** The controller resolves addresses, and makes them. */
  get isOn(): boolean {
    return this.#isEnabled && !this.#isGivenUp && (this.#held?.length ?? 0) > 0;
  }

  /** Whether the controller tells the peer with this identity by its private addresses. */
  holds(identity: Address): boolean {
    return this.isOn && this.#held!.some((peer) => peer.identity.equals(identity));
  }

  /**
   * The peer whose entry gives the own private address, which the controller then makes and changes: the one that is advertised to, or any, since
   * all entries have the same own key. `undefined`: none.
   */
  ownPeer(directedTo: Address | undefined): Address | undefined {
    if (directedTo) return this.holds(directedTo) ? directedTo : undefined;
    return this.isOn ? this.#held![0]!.identity : undefined;
  }

  /** The own address that the controller shows to a peer; `undefined` where it does not say. */
  async localAddress(peer: Address): Promise<Address | undefined> {
    try {
      const { localResolvableAddress } = await this.#port.send(LeReadLocalResolvableAddress, { peerIdentityAddress: peer });
      return localResolvableAddress.isResolvablePrivate ? localResolvableAddress : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Brings the controller to what is wanted; nothing may be on.
   *
   * @throws {HciError} Command Disallowed: something is on · {TimeoutError} the controller does not answer
   */
  async apply(): Promise<void> {
    const target = this.#target();
    try {
      if (!this.#held) {
        await this.#port.send(LeClearResolvingList, {});
        this.#held = [];
      }
      for (const peer of this.#held) if (!target.some((wanted) => isSameEntry(wanted, peer))) await this.#remove(peer);
      for (const peer of target) if (!isIn(this.#held, peer)) await this.#give(peer);
      if (this.#held.length > 0 && !this.#isEnabled) await this.#enable();
    } catch (error) {
      if (!isRefusal(error)) this.#held = undefined;
      throw error;
    }
  }

  /** The host does without it. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** The controller was reset, which empties the list and switches resolution off. */
  reset(): void {
    this.#held = undefined;
    this.#refused = [];
    this.#room = this.#size;
    this.#isEnabled = false;
    this.#isGivenUp = false;
  }

  /** Those that the controller has stay, so that as little as possible changes. */
  #target(): readonly PrivatePeer[] {
    // Without privacy modes the controller's is "network", which would not hear a peer by its identity address (Vol 6 Part B 4.7).
    const able = this.#wanted.filter(({ mode }) => this.#hasPrivacyMode || mode === "network");
    const taken = able.filter((peer) => !this.#refused.some((refused) => isSameEntry(refused, peer)));
    if (taken.length <= this.#room) return taken;
    const isHeld = (peer: PrivatePeer): boolean => this.#held?.some((held) => isSameEntry(held, peer)) ?? false;
    return [...taken.filter(isHeld), ...taken.filter((peer) => !isHeld(peer))].slice(0, this.#room);
  }

  /** One entry, or another mode of one that is there. */
  async #give(peer: PrivatePeer): Promise<void> {
    const known = this.#held!.find((held) => isSameEntry(held, peer));
    if (!known) {
      if (this.#held!.length >= this.#room) return; // less room than it said
      try {
        await this.#port.send(LeAddDeviceToResolvingList, {
          peerIdentityAddress: peer.identity,
          peerIrk: reversed(peer.irk),
          localIrk: reversed(this.#irk),
        });
      } catch (error) {
        if (isDisallowed(error) || !isRefusal(error)) throw error;
        if (error instanceof HciError && error.status === HciErrorCode.MemoryCapacityExceeded) this.#room = this.#held!.length;
        else this.#refused = [...this.#refused, peer];
        return;
      }
      this.#held = [...this.#held!, { ...peer, mode: "network" }]; // as every entry begins
    }
    if ((known?.mode ?? "network") === peer.mode) return;
    try {
      await this.#port.send(LeSetPrivacyMode, {
        peerIdentityAddress: peer.identity,
        privacyMode: peer.mode === "device" ? DEVICE_PRIVACY : NETWORK_PRIVACY,
      });
      this.#held = this.#held!.map((held) => (isSameEntry(held, peer) ? peer : held));
    } catch (error) {
      if (isDisallowed(error) || !isRefusal(error)) throw error;
      this.#refused = [...this.#refused, peer];
      await this.#remove(peer);
    }
  }

  async #remove(peer: PrivatePeer): Promise<void> {
    try {
      await this.#port.send(LeRemoveDeviceFromResolvingList, { peerIdentityAddress: peer.identity });
    } catch (error) {
      // It is not there, which is as good.
      if (!(error instanceof HciError && error.status === HciErrorCode.UnknownConnectionIdentifier)) throw error;
    }
    this.#held = this.#held!.filter((held) => !isSameEntry(held, peer));
  }

  async #enable(): Promise<void> {
    try {
      await this.#port.send(LeSetResolvablePrivateAddressTimeout, { rpaTimeout: this.#timeoutS });
    } catch (error) {
      if (!isRefusal(error)) throw error; // else its addresses last for 15 minutes
    }
    await this.#port.send(LeSetAddressResolutionEnable, { addressResolutionEnable: true });
    this.#isEnabled = true;
  }
}

/** Whether two have the same place and keys, whatever the mode. */
function isSameEntry(a: PrivatePeer, b: PrivatePeer): boolean {
  return a.identity.equals(b.identity) && a.irk.every((octet, i) => octet === b.irk[i]);
}

function isIn(list: readonly PrivatePeer[], peer: PrivatePeer): boolean {
  return list.some((other) => other.mode === peer.mode && isSameEntry(other, peer));
}
