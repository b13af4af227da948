import { AesKey, aesCcmDecrypt, aesCcmEncrypt, reversed } from "../../crypto/index.ts";
import { copyInto } from "./acl-queue.ts";

/** Octets of the Message Integrity Check behind every encrypted PDU, Vol 6 Part B 2.4. */
export const MIC_OCTETS = 4;

/** NESN, SN and MD are not authenticated: they change when a PDU is sent again (Vol 6 Part E 2.2). */
const AUTHENTICATED_HEADER = 0xe3;

/** Encryption of one link with one session key, Vol 6 Part E: a packet counter each way, the direction in its top bit. */
export class LinkCipher {
  readonly #sessionKey: AesKey;
  readonly #txNonce = new Uint8Array(13);
  readonly #rxNonce = new Uint8Array(13);
  readonly #additional = new Uint8Array(1);
  #txCounter = 0;
  #rxCounter = 0;

  /**
   * All arguments in the octet order of HCI and the air, least significant first.
   *
   * @param longTermKey 16 octets
   * @param skd 16 octets: SKD_C then SKD_P
   * @param iv 8 octets: IV_C then IV_P
   */
  constructor({ longTermKey, skd, iv, isCentral }: { longTermKey: Uint8Array; skd: Uint8Array; iv: Uint8Array; isCentral: boolean }) {
    this.#sessionKey = new AesKey(new AesKey(reversed(longTermKey)).encryptBlock(reversed(skd)));
    this.#txNonce.set(iv, 5);
    this.#rxNonce.set(iv, 5);
    this.#txNonce[4] = isCentral ? 0x80 : 0;
    this.#rxNonce[4] = isCentral ? 0 : 0x80;
  }

  /** Gives the whole PDU: header, ciphertext, MIC. */
  encrypt(llid: number, payload: Uint8Array): Uint8Array {
    putCounter(this.#txNonce, this.#txCounter++);
    this.#additional[0] = llid & AUTHENTICATED_HEADER;
    const encrypted = aesCcmEncrypt(this.#sessionKey, this.#txNonce, payload, this.#additional, MIC_OCTETS);
    const pdu = new Uint8Array(2 + encrypted.length);
    pdu[0] = llid;
    pdu[1] = encrypted.length;
    copyInto(encrypted, 0, encrypted.length, pdu, 2);
    return pdu;
  }

  /** The payload of a whole PDU, or `undefined` where its MIC is wrong. */
  decrypt(pdu: Uint8Array): Uint8Array | undefined {
    putCounter(this.#rxNonce, this.#rxCounter++);
    this.#additional[0] = pdu[0]! & AUTHENTICATED_HEADER;
    return aesCcmDecrypt(this.#sessionKey, this.#rxNonce, pdu.subarray(2), this.#additional, MIC_OCTETS);
  }
}

/** 39 bits of counter, least significant octet first; the direction bit stays. */
function putCounter(nonce: Uint8Array, counter: number): void {
  nonce[0] = counter;
  nonce[1] = counter >>> 8;
  nonce[2] = counter >>> 16;
  nonce[3] = counter >>> 24;
  nonce[4] = (nonce[4]! & 0x80) | (Math.floor(counter / 0x1_0000_0000) & 0x7f);
}
