import { type LinkSecurity, NO_SECURITY } from "../att/security.ts";
import { type BleError, StateError } from "../core/error.ts";
import { reversed } from "../crypto/aes.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { BondLostError } from "./error.ts";

/** What encrypts the link: HCI in a device. Keys and `rand` are given as HCI carries them, least significant octet first. */
export interface EncryptingLink {
  /**
   * Central: HCI_LE_Enable_Encryption. Resolves on Encryption Change or Encryption Key Refresh Complete.
   *
   * @throws {HciError} the command or the event has an error status
   */
  startEncryption(longTermKey: Uint8Array, rand: Uint8Array, ediv: number): Promise<void>;
}

/** Whether a key comes out of the pairing under way or out of an earlier one. */
export type KeyPurpose = "pairing" | "bond";

export interface EncryptionHandlers {
  onSecurity(security: LinkSecurity): void;
  onEncrypted(purpose: KeyPurpose): void;
  /** `error` is BondLostError where the peer answered that it has no key. */
  onFailed(purpose: KeyPurpose, error: BleError): void;
}

interface Offer {
  readonly purpose: KeyPurpose;
  readonly security: LinkSecurity;
}

/** Which key the link is being encrypted with, and what the link is worth once it is. */
export class LinkEncryption {
  readonly #link: EncryptingLink;
  readonly #handlers: EncryptionHandlers;
  #security: LinkSecurity = NO_SECURITY;
  /** The next Encryption Change belongs to this key. */
  #offer: Offer | undefined;

  constructor(link: EncryptingLink, handlers: EncryptionHandlers) {
    this.#link = link;
    this.#handlers = handlers;
  }

  get security(): LinkSecurity {
    return this.#security;
  }
  get isStarting(): boolean {
    return this.#offer !== undefined;
  }

  /** Central. @param key most significant octet first */
  start(purpose: KeyPurpose, security: LinkSecurity, key: Uint8Array, rand: Uint8Array, ediv: number): void {
    const offer = { purpose, security };
    this.#offer = offer;
    // The event and the promise tell the same; whichever comes first counts.
    this.#link.startEncryption(reversed(key), rand, ediv).then(
      () => {
        if (this.#offer === offer) this.#onEncrypted(offer);
      },
      (error) => {
        if (this.#offer === offer) this.#onFailed(offer, error);
      },
    );
  }

  /** Peripheral: the answer to a Long Term Key Request. */
  offer(purpose: KeyPurpose, security: LinkSecurity, key: Uint8Array): Uint8Array {
    this.#offer = { purpose, security };
    return reversed(key);
  }

  onChange(status: number, enabled: boolean): void {
    const offer = this.#offer;
    if (status !== HciErrorCode.Success) {
      if (offer) this.#onFailed(offer, new HciError({ status, command: "EncryptionChange" }));
    } else if (!enabled) {
      this.#offer = undefined;
      this.set(NO_SECURITY);
    } else if (offer) this.#onEncrypted(offer);
    // Without an offer this is the second report of one change, or a key that nobody here knows: worth no more than before.
  }

  set(security: LinkSecurity): void {
    this.#security = Object.freeze(security);
    this.#handlers.onSecurity(this.#security);
  }

  /** What was started or offered for `purpose` is not wanted any more. */
  drop(purpose: KeyPurpose): void {
    if (this.#offer?.purpose === purpose) this.#offer = undefined;
  }

  /** The link is gone; nobody is told. */
  close(): void {
    this.#offer = undefined;
    this.#security = NO_SECURITY;
  }

  #onEncrypted({ purpose, security }: Offer): void {
    this.#offer = undefined;
    this.set(security);
    this.#handlers.onEncrypted(purpose);
  }

  #onFailed({ purpose }: Offer, cause: unknown): void {
    this.#offer = undefined;
    this.#handlers.onFailed(purpose, errorOf(purpose, cause));
  }
}

function errorOf(purpose: KeyPurpose, cause: unknown): BleError {
  const isKeyMissing = cause instanceof HciError && cause.status === HciErrorCode.PinOrKeyMissing;
  if (purpose === "bond" && isKeyMissing) return new BondLostError("peer", { cause });
  if (cause instanceof Error && "code" in cause) return cause as BleError;
  return new StateError("encryption could not be started", { cause });
}
