import type { Clock } from "../async/clock.ts";
import { Address } from "../core/address.ts";
import { checkChoice, checkMilliseconds, checkOctets, kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { AesKey, createNonResolvableAddress, createRpa, createStaticAddress } from "../crypto/index.ts";
import { isPlaceholderAddress } from "./placeholder-address.ts";

/**
 * Which of the own addresses to use: the public one, the static random one, a resolvable private one (made with the own identity resolving
 * key, changing every 15 minutes), or a non-resolvable private one.
 */
export type OwnAddressKind = "public" | "random" | "resolvable" | "non-resolvable";
export const OWN_ADDRESS_KINDS: readonly OwnAddressKind[] = ["public", "random", "resolvable", "non-resolvable"];

/** TGAP(private_addr_int), Vol 3 Part C Appendix A. */
export const PRIVATE_ADDRESS_INTERVAL_MS = 15 * 60_000;

export interface OwnAddressesOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** As the controller reports it; all zeros, or what its maker put there for every one of them, where it has none. */
  readonly publicAddress: Address;
  /** Which address is the identity. "public" falls back to the static random one where the controller has no public address. */
  readonly identity?: "public" | "random" | Address | undefined;
  /** The static random address; made of `irk` where that is given, else at random. */
  readonly staticAddress?: Address | undefined;
  /** Identity resolving key, 16 octets, most significant first; drawn at random by default. Keep it as long as bonds are kept. */
  readonly irk?: Uint8Array | undefined;
  readonly privateAddressIntervalMs?: number | undefined;
  /** What becomes of the non-resolvable private address: "changes" (default) with the resolvable one, "stays" until a new one is asked for. */
  readonly nonResolvableAddress?: "changes" | "stays" | undefined;
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
  readonly #keepsNonResolvable: boolean;
  readonly #irk: Uint8Array;
  readonly #key: AesKey;
  #resolvable: Address | undefined;
  #nonResolvable: Address | undefined;
  #madeAtMs = 0;

  /** @throws {ArgumentError} an address that cannot be an identity, or a key that is not 16 octets */
  constructor(options: OwnAddressesOptions) {
    const { clock, random, publicAddress, identity = "public", staticAddress, irk } = options;
    const { privateAddressIntervalMs = PRIVATE_ADDRESS_INTERVAL_MS, nonResolvableAddress = "changes" } = options;
    this.#clock = clock;
    this.#random = random;
    this.publicAddress = isPlaceholderAddress(publicAddress) ? undefined : publicAddress;
    if (!(identity instanceof Address)) checkChoice("own address", identity, ["public", "random"]);
    else if (!identity.isIdentity)
      throw new ArgumentError(`own address ${identity}: expected a public address or a static random one (its two highest bits set)`);
    else if (!identity.isRandom && !this.publicAddress?.equals(identity))
      throw new ArgumentError(
        `own address ${identity}: the controller's public address is ${this.publicAddress ?? "not set"} and cannot be chosen`,
      );
    const given = identity instanceof Address && identity.isRandom ? identity : staticAddress;
    if (given !== undefined && !(given instanceof Address && given.isStaticRandom))
      throw new ArgumentError(
        `static address: expected a static random Address (its two highest bits set), got ${given instanceof Address ? given : kindOf(given)}`,
      );
    if (staticAddress && !staticAddress.equals(given!))
      throw new ArgumentError(`own address ${given} and static address ${staticAddress}: expected one of them, or twice the same`);
    checkMilliseconds("private address interval", privateAddressIntervalMs, 1000, 3_600_000);
    checkChoice("non-resolvable address", nonResolvableAddress, ["changes", "stays"]);
    this.#keepsNonResolvable = nonResolvableAddress === "stays";
    if (irk !== undefined && checkOctets("identity resolving key", irk).length !== 16)
      throw new ArgumentError(`identity resolving key of ${irk.length} octets: expected 16`);
    this.#irk = irk?.slice() ?? randomBytes(random, 16);
    this.#key = new AesKey(this.#irk);
    // With the key comes the address: who keeps the one has the other, and its peers know it again.
    this.staticAddress = given ?? (irk ? staticAddressOf(this.#key) : createStaticAddress(random));
    const isPublic = identity instanceof Address ? !identity.isRandom : identity === "public";
    this.identity = isPublic && this.publicAddress ? this.publicAddress : this.staticAddress;
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
        if (this.#keepsNonResolvable) return this.#nonResolvable ?? this.renewNonResolvable();
        if (!this.#nonResolvable) this.rotate();
        return this.#nonResolvable!;
    }
  }

  /** Whether addresses of this kind change with time. */
  changesWithTime(kind: OwnAddressKind): boolean {
    return kind === "resolvable" || (kind === "non-resolvable" && !this.#keepsNonResolvable);
  }

  /** Milliseconds until the private addresses have been shown long enough; zero and less when they are due. */
  get rotationDueInMs(): number {
    return this.#resolvable ? this.#madeAtMs + this.privateAddressIntervalMs - this.#clock.now() : 0;
  }

  /** Makes new private addresses. They are on air only after the controller was told. */
  rotate(): void {
    this.#resolvable = createRpa(this.#key, this.#random);
    if (!this.#keepsNonResolvable) this.#nonResolvable = createNonResolvableAddress(this.#random);
    this.#madeAtMs = this.#clock.now();
  }

  /** Makes a new non-resolvable private address, which is on air after the controller was told. */
  renewNonResolvable(): Address {
    this.#nonResolvable = createNonResolvableAddress(this.#random);
    return this.#nonResolvable;
  }
}

/** "jelling static": what an identity resolving key is asked for the static address that belongs to it. */
const STATIC_ADDRESS_LABEL = Uint8Array.from("jelling static\0\0", (character) => character.charCodeAt(0));

/** A static random address (Vol 6 Part B 1.3.2.1) that only the key gives, and that tells nothing of the key. */
function staticAddressOf(key: AesKey): Address {
  const octets = key.encryptBlock(STATIC_ADDRESS_LABEL);
  return createStaticAddress({ fill: (into) => into.set(octets.subarray(0, into.length)) });
}
