import { type LinkSecurity, NO_SECURITY } from "../att/security.ts";
import { reversed } from "../crypto/reversed.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";

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

/** A key on its way to the link layer, and what the link is worth with it. */
export interface KeyOffer {
  readonly purpose: KeyPurpose;
  readonly security: LinkSecurity;
}

export interface EncryptionHandlers<O extends KeyOffer> {
  onSecurity(security: LinkSecurity): void;
  onEncrypted(offer: O): void;
  onFailed(offer: O, cause: unknown): void;
}

/** Which key the link is being encrypted with, and what the link is worth once it is. */
export class LinkEncryption<O extends KeyOffer> {
  readonly #link: EncryptingLink;
  readonly #handlers: EncryptionHandlers<O>;
  #security: LinkSecurity = NO_SECURITY;
  /** The next Encryption Change belongs to this key. */
  #offer: O | undefined;
  /** A key that is not wanted any more may still come into use. */
  #isDropped = false;

  constructor(link: EncryptingLink, handlers: EncryptionHandlers<O>) {
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
  start(offer: O, key: Uint8Array, rand: Uint8Array, ediv: number): void {
    this.#offer = offer;
    this.#isDropped = false;
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
  offer(offer: O, key: Uint8Array): Uint8Array {
    this.#offer = offer;
    this.#isDropped = false;
    return reversed(key);
  }

  onChange(status: number, enabled: boolean): void {
    const offer = this.#offer;
    const isDropped = this.#isDropped;
    this.#isDropped = false;
    if (status !== HciErrorCode.Success) {
      if (offer) this.#onFailed(offer, new HciError({ status, command: "EncryptionChange" }));
    } else if (!enabled) {
      this.#offer = undefined;
      this.set(NO_SECURITY);
    } else if (offer) this.#onEncrypted(offer);
    // A key that was given up is in use: whatever the link was worth before, it is no longer.
    else if (isDropped && this.#security.encrypted) this.set(NO_SECURITY);
    // Otherwise this is the second report of one change, or a key that nobody here knows: worth no more than before.
  }

  set(security: LinkSecurity): void {
    this.#security = Object.freeze(security);
    this.#handlers.onSecurity(this.#security);
  }

  /** What was started or offered for `purpose` is not wanted any more. */
  drop(purpose: KeyPurpose): void {
    if (this.#offer?.purpose !== purpose) return;
    this.#offer = undefined;
    this.#isDropped = true;
  }

  /** The link is gone; nobody is told. */
  close(): void {
    this.#offer = undefined;
    this.#security = NO_SECURITY;
  }

  #onEncrypted(offer: O): void {
    this.#offer = undefined;
    this.set(offer.security);
    this.#handlers.onEncrypted(offer);
  }

  #onFailed(offer: O, cause: unknown): void {
    this.#offer = undefined;
    this.#handlers.onFailed(offer, cause);
  }
}
