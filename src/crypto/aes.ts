import { unsafe } from "@noble/ciphers/aes.js";
import { ArgumentError } from "../core/error.ts";

const BLOCK = 16;
/** Behind a message that does not fill its last block. */
const PADDING = 0x80;

/** For the last block of a message, whether it is whole or padded. */
interface Subkeys {
  readonly whole: Uint8Array;
  readonly padded: Uint8Array;
}

/**
 * An AES-128 key, expanded once and used for many blocks. Its octets cannot be read back or printed.
 *
 * @throws {ArgumentError} not 16 octets
 */
export class AesKey {
  readonly #forward: Uint32Array;
  #backward: Uint32Array | undefined;
  readonly #octets: Uint8Array;
  #subkeys: Subkeys | undefined;

  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new ArgumentError(`AES-128 key of ${key.length} octets: expected 16`);
    this.#octets = key.slice();
    this.#forward = unsafe.expandKeyLE(this.#octets);
  }

  static of(key: AesKey | Uint8Array): AesKey {
    return key instanceof AesKey ? key : new AesKey(key);
  }

  /** Encrypts one block of 16 octets at `offset`; `output` may be `input`. */
  encryptBlock(input: Uint8Array, output: Uint8Array = new Uint8Array(16), offset = 0, outputOffset = 0): Uint8Array {
    const { s0, s1, s2, s3 } = unsafe.encrypt(
      this.#forward,
      word(input, offset),
      word(input, offset + 4),
      word(input, offset + 8),
      word(input, offset + 12),
    );
    putWord(output, outputOffset, s0);
    putWord(output, outputOffset + 4, s1);
    putWord(output, outputOffset + 8, s2);
    putWord(output, outputOffset + 12, s3);
    return output;
  }

  decryptBlock(input: Uint8Array, output: Uint8Array = new Uint8Array(16)): Uint8Array {
    this.#backward ??= unsafe.expandKeyDecLE(this.#octets);
    const { s0, s1, s2, s3 } = unsafe.decrypt(this.#backward, word(input, 0), word(input, 4), word(input, 8), word(input, 12));
    putWord(output, 0, s0);
    putWord(output, 4, s1);
    putWord(output, 8, s2);
    putWord(output, 12, s3);
    return output;
  }

  /** AES-CMAC, RFC 4493; 16 octets. */
  cmac(message: Uint8Array): Uint8Array {
    const mac = new Uint8Array(BLOCK);
    const lastAt = Math.max(0, Math.ceil(message.length / BLOCK) - 1) * BLOCK;
    for (let at = 0; at < lastAt; at += BLOCK) {
      for (let i = 0; i < BLOCK; i++) mac[i]! ^= message[at + i]!;
      this.encryptBlock(mac, mac);
    }
    const left = message.length - lastAt;
    this.#subkeys ??= subkeysOf(this.encryptBlock(mac.slice().fill(0)));
    const subkey = left === BLOCK ? this.#subkeys.whole : this.#subkeys.padded;
    for (let i = 0; i < BLOCK; i++) mac[i]! ^= subkey[i]! ^ (i < left ? message[lastAt + i]! : i === left ? PADDING : 0);
    return this.encryptBlock(mac, mac);
  }

  /** AES-CTR from a raw counter block of 16 octets, incremented as one big-endian number. Encrypts and decrypts. */
  ctr(counterBlock: Uint8Array, data: Uint8Array): Uint8Array {
    if (counterBlock.length !== BLOCK) throw new ArgumentError(`counter block of ${counterBlock.length} octets: expected 16`);
    const output = new Uint8Array(data.length);
    const counter = counterBlock.slice();
    const stream = new Uint8Array(BLOCK);
    for (let at = 0; at < data.length; at += BLOCK) {
      this.encryptBlock(counter, stream);
      const end = Math.min(data.length, at + BLOCK);
      for (let i = at; i < end; i++) output[i] = data[i]! ^ stream[i - at]!;
      for (let i = BLOCK - 1; i >= 0; i--) {
        counter[i]! += 1;
        if (counter[i] !== 0) break;
      }
    }
    return output;
  }

  /** Forgets the key: what is made with it from then on is made with zeros. */
  wipe(): void {
    this.#octets.fill(0);
    this.#forward.fill(0);
    this.#backward?.fill(0);
    this.#subkeys?.whole.fill(0);
    this.#subkeys?.padded.fill(0);
  }
}

/** Of AES-CMAC, from the encrypted block of zeros: doubled in GF(2^128) once and twice. */
function subkeysOf(zeros: Uint8Array): Subkeys {
  const doubled = (block: Uint8Array): Uint8Array => {
    const result = new Uint8Array(BLOCK);
    for (let i = 0; i < BLOCK; i++) result[i] = (block[i]! << 1) | ((block[i + 1] ?? 0) >> 7);
    // By a mask: the key's bit decides nothing that takes time.
    result[BLOCK - 1]! ^= 0x87 & -(block[0]! >> 7);
    return result;
  };
  const whole = doubled(zeros);
  return { whole, padded: doubled(whole) };
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function checkBlock(block: Uint8Array): void {
  if (block.length !== 16) throw new ArgumentError(`AES block of ${block.length} octets: expected 16`);
}

/** The security function e of Vol 3 Part H 2.2.1: one block. For many blocks make an `AesKey`. */
export function aes128Encrypt(key: AesKey | Uint8Array, block: Uint8Array): Uint8Array {
  checkBlock(block);
  return AesKey.of(key).encryptBlock(block);
}

export function aes128Decrypt(key: AesKey | Uint8Array, block: Uint8Array): Uint8Array {
  checkBlock(block);
  return AesKey.of(key).decryptBlock(block);
}

/** AES-CMAC, RFC 4493 (Vol 3 Part H 2.2.5). */
export function aesCmac(key: AesKey | Uint8Array, message: Uint8Array): Uint8Array {
  return AesKey.of(key).cmac(message);
}

/** AES-CTR from a raw counter block of 16 octets, incremented as one big-endian number. Encrypts and decrypts. */
export function aesCtr(key: AesKey | Uint8Array, counterBlock: Uint8Array, data: Uint8Array): Uint8Array {
  return AesKey.of(key).ctr(counterBlock, data);
}
