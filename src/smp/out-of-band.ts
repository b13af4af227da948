import type { Clock } from "../async/clock.ts";
import { Address } from "../core/address.ts";
import { checkInteger, checkOctets, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { P256KeyPair } from "../crypto/p256.ts";
import { f4 } from "../crypto/toolbox.ts";

/** LE Role, Supplement to the Core Specification Part A 1.17. */
export const OutOfBandRole = Object.freeze({
  OnlyPeripheral: 0,
  OnlyCentral: 1,
  PeripheralPreferred: 2,
  CentralPreferred: 3,
});
export type OutOfBandRole = (typeof OutOfBandRole)[keyof typeof OutOfBandRole];

/**
 * What goes from one device to the other by another way than the radio, as by NFC or a picture that is read: with it both know that they
 * pair with each other (Vol 3 Part H 2.3.5.4, 2.3.5.6.4). It is secret until the pairing is over. Numbers of 16 octets, most significant first.
 */
export interface OutOfBandData {
  /** Of the device that gave it. */
  readonly address?: Address | undefined;
  readonly role?: OutOfBandRole | undefined;
  /** LE Secure Connections: the random value r, and what commits its public key, C = f4(PK, PK, r, 0). Both or neither. */
  readonly random?: Uint8Array | undefined;
  readonly confirm?: Uint8Array | undefined;
  /** Legacy pairing: the temporary key, which both sides must have. */
  readonly temporaryKey?: Uint8Array | undefined;
}

const NAMES = optionNames<OutOfBandData>({ address: true, role: true, random: true, confirm: true, temporaryKey: true });
const SIXTEEN = { minLength: 16, maxLength: 16 } as const;

/**
 * Data of a peer, checked.
 *
 * @throws {ArgumentError} an unknown name, another kind, a wrong length, one of `random` and `confirm` without the other, a temporary key of
 * zeros, which is that of Just Works, or nothing to pair with
 */
export function checkOutOfBandData(what: string, data: OutOfBandData): void {
  if (data === undefined) throw new ArgumentError(`${what}: expected out-of-band data, got undefined`);
  checkOptions(what, data, NAMES);
  const { address, role, random, confirm, temporaryKey } = data;
  if (address !== undefined && !(address instanceof Address))
    throw new ArgumentError(`${what}: address: expected an Address, got ${kindOf(address)}`);
  if (role !== undefined) checkInteger(`${what}: role`, role, 0, 3);
  for (const [name, octets] of Object.entries({ random, confirm, temporaryKey }))
    if (octets !== undefined) checkOctets(`${what}: ${name}`, octets, SIXTEEN);
  if ((random === undefined) !== (confirm === undefined)) throw new ArgumentError(`${what}: expected random and confirm, or neither`);
  if (temporaryKey?.every((octet) => octet === 0))
    throw new ArgumentError(`${what}: temporaryKey: expected a secret, got zeros, which everybody knows`);
  if (!confirm && !temporaryKey) throw new ArgumentError(`${what}: expected random and confirm, or temporaryKey`);
}

/** Out-of-band data that `console.log`, `inspect` and `JSON.stringify` do not show the secrets of. */
export function createOutOfBandData(fields: OutOfBandData): OutOfBandData {
  const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as OutOfBandData;
  return Object.freeze(Object.defineProperties({ ...present }, redacted));
}

const redacted: PropertyDescriptorMap = {
  [Symbol.for("nodejs.util.inspect.custom")]: { value: describe },
  toJSON: { value: describe },
};
function describe(this: OutOfBandData) {
  const { address, role, random, temporaryKey } = this;
  const parts = [random && "random and confirm", temporaryKey && "temporary key"].filter(Boolean);
  return { ...(address && { address: address.toString() }), ...(role !== undefined && { role }), holds: parts.join(", ") };
}

/**
 * What this device gave out of band, with the key pair that the pairing will use. For one pairing: who has seen the public key once could
 * otherwise try again (Vol 3 Part H 2.3.6), and data that lies about does not stay good.
 */
export class LocalOutOfBand {
  readonly keyPair: P256KeyPair;
  readonly random: Uint8Array;
  readonly confirm: Uint8Array;
  readonly temporaryKey: Uint8Array | undefined;
  readonly #clock: Clock;
  readonly #untilMs: number;
  #isSpent = false;

  constructor(at: { clock: Clock; random: RandomSource; lifetimeMs: number; temporaryKey: boolean }) {
    this.#clock = at.clock;
    this.#untilMs = at.clock.now() + at.lifetimeMs;
    this.keyPair = P256KeyPair.generate(at.random);
    this.random = randomBytes(at.random, 16);
    const { x } = this.keyPair.publicKey;
    this.confirm = f4(x, x, this.random, 0);
    this.temporaryKey = at.temporaryKey ? randomBytes(at.random, 16) : undefined;
  }

  /** No pairing has used it, and its time is not over. */
  get isUsable(): boolean {
    return !this.#isSpent && this.#clock.now() < this.#untilMs;
  }

  /** A pairing uses it, whatever comes of that. */
  spend(): void {
    this.#isSpent = true;
  }
}
