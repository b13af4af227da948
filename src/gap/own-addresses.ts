import type { Clock } from "../async/clock.ts";
import { Address } from "../core/address.ts";
import { ArgumentError } from "../core/error.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { AesKey, createNonResolvableAddress, createRpa, createStaticAddress } from "../crypto/index.ts";

/**
 * Which of the own addresses to use: the public one, the static random one, a resolvable private one (made with the own identity resolving
 * key, changing every 15 minutes), or a non-resolvable private one.
 */
export type OwnAddressKind = "public" | "random" | "resolvable" | "non-resolvable";

/** TGAP(private_addr_int), Vol 3 Part C Appendix A. */
export const PRIVATE_ADDRESS_INTERVAL_MS = 15 * 60_000;

export interface OwnAddressesOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** As the controller reports it; all zeros where it has none. */
  readonly publicAddress: Address;
  /** Which address is the identity. "public" falls back to a random one where the controller has no public address. */
  readonly identity?: "public" | "random" | Address | undefined;
  /** Identity resolving key, 16 octets, most significant first; drawn at random by default. Keep it as long as bonds are kept. */
  readonly irk?: Uint8Array | undefined;
  readonly privateAddressIntervalMs?: number | undefined;
}

/** The addresses a device has, and which of them it presently shows. Holds no timer: whoever shows a private address asks for its age. */
export class OwnAddresses {
  readonly publicAddress: Address | undefined;
  readonly staticAddress: Address;
  /** Given to bonded peers; it stays the same while private addresses change. */
  readonly identity: Address;
  readonly privateAddressIntervalMs: number;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #irk: Uint8Array;
  readonly #key: AesKey;
  #resolvable: Address | undefined;
  #nonResolvable: Address | undefined;
  #madeAtMs = 0;

  /** @throws {ArgumentError} an address that cannot be an identity, or a key that is not 16 octets */
  constructor(options: OwnAddressesOptions) {
    const { clock, random, publicAddress, identity = "public", irk, privateAddressIntervalMs = PRIVATE_ADDRESS_INTERVAL_MS } = options;
    this.#clock = clock;
    this.#random = random;
    this.publicAddress = publicAddress.bytes.every((octet) => octet === 0) ? undefined : publicAddress;
    if (identity instanceof Address && !identity.isIdentity)
      throw new ArgumentError(`own address ${identity}: expected a public address or a static random one (its two highest bits set)`);
    if (identity instanceof Address && !identity.isRandom && !this.publicAddress?.equals(identity))
      throw new ArgumentError(
        `own address ${identity}: the controller's public address is ${this.publicAddress ?? "not set"} and cannot be chosen`,
      );
    if (!(privateAddressIntervalMs >= 1000 && privateAddressIntervalMs <= 3_600_000))
      throw new ArgumentError(`private address interval ${privateAddressIntervalMs} ms: expected one second to one hour`);
    if (irk && irk.length !== 16) throw new ArgumentError(`identity resolving key of ${irk.length} octets: expected 16`);
    this.staticAddress = identity instanceof Address && identity.isRandom ? identity : createStaticAddress(random);
    const isPublic = identity instanceof Address ? !identity.isRandom : identity === "public";
    this.identity = isPublic && this.publicAddress ? this.publicAddress : this.staticAddress;
    this.#irk = irk?.slice() ?? randomBytes(random, 16);
    this.#key = new AesKey(this.#irk);
    this.privateAddressIntervalMs = privateAddressIntervalMs;
  }

  /** Identity resolving key, 16 octets, most significant first. Secret, hence no field that would be printed. */
  get irk(): Uint8Array {
    return this.#irk;
  }

  /** What is used where nothing is chosen: the identity as it is. */
  get defaultKind(): OwnAddressKind {
    return this.identity.isRandom ? "random" : "public";
  }

  /** The address now shown for this kind. @throws {ArgumentError} the controller has no public address */
  current(kind: OwnAddressKind): Address {
    switch (kind) {
      case "public":
        if (!this.publicAddress)
          throw new ArgumentError("own address public: the controller has no public address, use random or resolvable");
        return this.publicAddress;
      case "random":
        return this.staticAddress;
      case "resolvable":
        if (!this.#resolvable) this.rotate();
        return this.#resolvable!;
      case "non-resolvable":
        if (!this.#nonResolvable) this.rotate();
        return this.#nonResolvable!;
    }
  }

  /** Milliseconds until the private addresses have been shown long enough; zero and less when they are due. */
  get rotationDueInMs(): number {
    return this.#resolvable ? this.#madeAtMs + this.privateAddressIntervalMs - this.#clock.now() : 0;
  }

  /** Makes new private addresses. They are on air only after the controller was told. */
  rotate(): void {
    this.#resolvable = createRpa(this.#key, this.#random);
    this.#nonResolvable = createNonResolvableAddress(this.#random);
    this.#madeAtMs = this.#clock.now();
  }
}

/** Whether addresses of this kind change with time. */
export function isPrivateKind(kind: OwnAddressKind): boolean {
  return kind === "resolvable" || kind === "non-resolvable";
}
