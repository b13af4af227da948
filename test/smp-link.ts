import { VirtualClock } from "../src/async/virtual-clock.ts";
import { type LinkSecurity, NO_SECURITY } from "../src/att/security.ts";
import { Address } from "../src/core/address.ts";
import type { BleError } from "../src/core/error.ts";
import { randomBytes, SeededRandom } from "../src/core/random.ts";
import { DisconnectedError, HciError, HciErrorCode } from "../src/hci/error.ts";
import { PDU_OFFSET, type PduChannel } from "../src/l2cap/channel.ts";
import {
  type Bond,
  createBond,
  type PairingAgent,
  type PairingPolicy,
  type PairingReport,
  SecurityManager,
  type SecurityManagerOptions,
} from "../src/smp/index.ts";

const LATENCY_MS = 10;

export type Role = "central" | "peripheral";
export interface Sent {
  from: Role;
  index: number;
  pdu: Uint8Array;
  encrypted: boolean;
}

class FakeChannel implements PduChannel {
  onPdu: PduChannel["onPdu"];
  onClose: PduChannel["onClose"];
  readonly writable = true;
  readonly idle = true;
  readonly waiting = 0;
  readonly #send: (pdu: Uint8Array) => void;
  constructor(send: (pdu: Uint8Array) => void) {
    this.#send = send;
  }
  allocate(length: number): Uint8Array {
    return new Uint8Array(PDU_OFFSET + length);
  }
  sendFrame(frame: Uint8Array): void {
    this.#send(frame.slice(PDU_OFFSET));
  }
  send(pdu: Uint8Array): void {
    this.#send(pdu.slice());
  }
  whenWritable(): Promise<void> {
    return Promise.resolve();
  }
  whenSent(): Promise<void> {
    return Promise.resolve();
  }
}

/** The identity resolving key of this side, in every link. */
export const identityKey = (role: Role): Uint8Array => randomBytes(new SeededRandom(7, role), 16);

export interface EndOptions {
  policy?: Partial<PairingPolicy>;
  agent?: Partial<PairingAgent>;
  bond?: Bond | undefined;
  /** Bonds with other peers. */
  others?: readonly Bond[];
  localAddress?: Address;
  identity?: Address;
  more?: Partial<SecurityManagerOptions>;
}

/** One side of the link and what it was told. */
export class End {
  readonly role: Role;
  readonly channel: FakeChannel;
  readonly manager: SecurityManager;
  readonly identity: { address: Address; irk: Uint8Array };
  readonly failures: BleError[] = [];
  readonly reports: PairingReport[] = [];
  readonly bonds: Bond[] = [];
  readonly securities: LinkSecurity[] = [];
  #known: readonly Bond[];
  constructor(link: SmpLink, role: Role, options: EndOptions, addresses: { local: Address; peer: Address }, seed: number) {
    this.role = role;
    this.#known = [...(options.bond ? [options.bond] : []), ...(options.others ?? [])];
    this.channel = new FakeChannel((pdu) => link.carry(role, pdu));
    const random = new SeededRandom(seed, role);
    this.identity = { address: options.identity ?? addresses.local, irk: identityKey(role) };
    const refusing: PairingAgent = {
      confirm: async () => true,
      compare: async () => false,
      enterPasskey: async () => undefined,
      displayPasskey: () => {},
    };
    this.manager = new SecurityManager({
      channel: this.channel,
      role,
      localAddress: addresses.local,
      peerAddress: addresses.peer,
      identity: this.identity,
      clock: link.clock,
      random,
      policy: options.policy,
      agent: { ...refusing, ...options.agent },
      link: { startEncryption: (ltk, rand, ediv) => link.startEncryption(ltk, rand, ediv) },
      bond: options.bond,
      findBond: (identity) => this.stored(identity),
      onBond: (bond) => void this.bonds.push(bond),
      onSecurity: (security) => void this.securities.push(security),
      onPaired: (report) => void this.reports.push(report),
      onFailure: (error) => void this.failures.push(error),
      ...options.more,
    });
  }
  get bond(): Bond | undefined {
    return this.bonds.at(-1);
  }
  /** The user deletes every bond. */
  forget(): void {
    this.#known = [];
    this.bonds.length = 0;
    this.manager.bond = undefined;
  }
  /** As in a store: what was kept last under this identity, or was there at the beginning. */
  stored(identity: Address): Bond | undefined {
    return [...this.#known, ...this.bonds].findLast((bond) => bond.identity.equals(identity));
  }
  get security(): LinkSecurity {
    return this.securities.at(-1) ?? NO_SECURITY;
  }
}

/**
 * Two Security Managers joined by a link with 10 ms each way, which encrypts as a controller does: the peripheral is asked for the key, and
 * keys that differ cost the link.
 */
export class SmpLink implements Disposable {
  readonly clock: VirtualClock;
  readonly central: End;
  readonly peripheral: End;
  readonly sent: Sent[] = [];
  /** What arrives for what was sent: nothing, the same, something else, more. */
  fault: ((sent: Sent) => Uint8Array[]) | undefined;
  closed: BleError | undefined;
  isEncrypted = false;
  readonly #ownClock: boolean;

  constructor(options: { central?: EndOptions; peripheral?: EndOptions; clock?: VirtualClock; seed?: number } = {}) {
    this.#ownClock = !options.clock;
    this.clock = options.clock ?? new VirtualClock();
    const central = options.central?.localAddress ?? Address.from("00:23:F7:01:02:03/public");
    const peripheral = options.peripheral?.localAddress ?? Address.from("C0:11:22:33:44:55/random");
    const seed = options.seed ?? 1;
    this.central = new End(this, "central", options.central ?? {}, { local: central, peer: peripheral }, seed);
    this.peripheral = new End(this, "peripheral", options.peripheral ?? {}, { local: peripheral, peer: central }, seed);
  }

  end(role: Role): End {
    return role === "central" ? this.central : this.peripheral;
  }
  other(role: Role): End {
    return role === "central" ? this.peripheral : this.central;
  }

  carry(from: Role, pdu: Uint8Array): void {
    if (this.closed) return;
    const sent = { from, index: this.sent.length, pdu, encrypted: this.isEncrypted };
    this.sent.push(sent);
    for (const arriving of this.fault ? this.fault(sent) : [pdu]) this.#later("PDU", () => this.deliver(this.other(from).role, arriving));
  }

  /** As read from a larger buffer, in place. */
  deliver(to: Role, pdu: Uint8Array): void {
    const buffer = new Uint8Array(pdu.length + 7).fill(0xee);
    buffer.set(pdu, 3);
    this.end(to).channel.onPdu?.(buffer, 3, 3 + pdu.length);
    buffer.fill(0xdd); // whoever kept a view into it notices
  }

  startEncryption(ltk: Uint8Array, rand: Uint8Array, ediv: number): Promise<void> {
    const key = ltk.slice();
    return new Promise((resolve, reject) => {
      this.#later("LTK request", () => {
        const answer = this.peripheral.manager.onLongTermKeyRequest(rand.slice(), ediv)?.slice();
        if (!answer) {
          this.#later("key missing", () => {
            this.central.manager.onEncryptionChange(HciErrorCode.PinOrKeyMissing, false);
            reject(new HciError({ status: HciErrorCode.PinOrKeyMissing, command: "LeEnableEncryption" }));
          });
        } else if (answer.some((octet, i) => octet !== key[i])) {
          this.#later("MIC failure", () => this.disconnect(HciErrorCode.ConnectionTerminatedDueToMicFailure));
        } else {
          this.#later("encrypted, central", () => {
            this.central.manager.onEncryptionChange(0, true);
            resolve();
          });
          this.isEncrypted = true;
          this.peripheral.manager.onEncryptionChange(0, true);
        }
      });
    });
  }

  disconnect(reason: number = HciErrorCode.RemoteUserTerminatedConnection): void {
    if (this.closed) return;
    this.closed = new DisconnectedError(reason);
    this.central.channel.onClose?.(this.closed);
    this.peripheral.channel.onClose?.(this.closed);
  }

  /** Lets everything on its way arrive. */
  async settle(ms = 1000): Promise<void> {
    await this.clock.advance(ms);
  }

  codes(): string {
    return this.sent.map(({ from, pdu }) => `${from === "central" ? ">" : "<"}${pdu[0]!.toString(16).padStart(2, "0")}`).join(" ");
  }

  [Symbol.dispose](): void {
    if (this.#ownClock) this.clock[Symbol.dispose]();
  }

  #later(name: string, act: () => void): void {
    this.clock.setTimer(LATENCY_MS, name, () => {
      if (!this.closed) act();
    });
  }
}

/** The same person at both devices: reads what one shows and types it into the other. Where neither shows a number, 123456 on both. */
export function user(): { central: Partial<PairingAgent>; peripheral: Partial<PairingAgent>; seen: string[] } {
  const seen: string[] = [];
  let shown: number | undefined;
  const compared: number[] = [];
  const waiting: ((passkey: number) => void)[] = [];
  const agent = (role: Role): Partial<PairingAgent> => ({
    displayPasskey: ({ passkey }) => {
      seen.push(`${role} shows`);
      shown = passkey;
      for (const type of waiting.splice(0)) type(passkey);
    },
    enterPasskey: ({ signal }) => {
      seen.push(`${role} types`);
      if (shown !== undefined) return Promise.resolve(shown);
      if (seen.includes("central types") && seen.includes("peripheral types")) {
        for (const type of waiting.splice(0)) type(123_456);
        return Promise.resolve(123_456);
      }
      return new Promise((resolve) => {
        waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(undefined), { once: true });
      });
    },
    compare: ({ value }) => {
      seen.push(`${role} compares`);
      compared.push(value);
      return Promise.resolve(compared.every((other) => other === value));
    },
  });
  return { central: agent("central"), peripheral: agent("peripheral"), seen };
}

/** A copy of a bond with changes, for tests of damaged and foreign ones. */
export function changed(bond: Bond, changes: Partial<Bond>): Bond {
  return createBond({ ...bond, ...changes });
}
