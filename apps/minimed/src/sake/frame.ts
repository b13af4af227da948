import { AesKey, constantTimeEqual } from "jelling/crypto";

/** Counter octet and two tag octets behind the ciphertext. */
export const FRAME_OVERHEAD = 3;
/** How many lost frames a receiver bridges. */
export const LARGEST_JUMP = 128;
/** Sequence numbers have five octets; at this one a stream ends. */
export const SEQUENCE_LIMIT = 2 ** 40;

/** Key and nonce shared by the two streams of a session. */
export interface FrameKeys {
  readonly key: Uint8Array; // 16 octets
  readonly nonce: Uint8Array; // 8 octets: client's, then server's
}

/** The same, the key expanded once for many frames. */
export interface ExpandedFrameKeys {
  readonly key: AesKey;
  readonly nonce: Uint8Array;
}

export type FrameProblem = "too-short" | "jump-too-large" | "tag-mismatch" | "sequence-exhausted";

export type OpenedFrame =
  | { readonly ok: true; readonly plaintext: Uint8Array; readonly nextSequence: number; readonly skipped: number }
  | { readonly ok: false; readonly problem: FrameProblem };

function initialVector(sequence: number, nonce: Uint8Array): Uint8Array {
  const iv = new Uint8Array(16);
  iv[0] = Math.floor(sequence / 0x1_0000_0000);
  iv[1] = sequence >>> 24;
  iv[2] = sequence >>> 16;
  iv[3] = sequence >>> 8;
  iv[4] = sequence;
  iv.set(nonce, 5);
  return iv; // the last three octets are the block counter of AES-CTR
}

function tag(key: AesKey, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const covered = new Uint8Array(16 + ciphertext.length);
  covered.set(iv);
  covered.set(ciphertext, 16);
  return key.cmac(covered).subarray(0, 2);
}

// Not `>> 1`: sequence numbers have 40 bits.
const counterOf = (sequence: number): number => Math.floor(sequence / 2) % 256;

/**
 * One frame: ciphertext, counter octet, two octets of AES-CMAC over IV and ciphertext. `sequence` is even on the client's stream, odd on the
 * server's, and grows by two a frame.
 *
 * @returns undefined when the stream is used up (2^40)
 */
export function sealFrame(keys: FrameKeys | ExpandedFrameKeys, sequence: number, plaintext: Uint8Array): Uint8Array | undefined {
  if (sequence >= SEQUENCE_LIMIT) return undefined;
  const key = AesKey.of(keys.key);
  const iv = initialVector(sequence, keys.nonce);
  const frame = new Uint8Array(plaintext.length + FRAME_OVERHEAD);
  const ciphertext = key.ctr(iv, plaintext);
  frame.set(ciphertext);
  frame[plaintext.length] = counterOf(sequence);
  frame.set(tag(key, iv, ciphertext), plaintext.length + 1);
  return frame;
}

/**
 * Opens a frame with the stream's `nextSequence` in mind. The counter octet says how many frames were lost in between; the window is tested
 * before any cryptography, the tag before anything is decrypted. A refused frame changes nothing.
 *
 * @param largestJump 0 in the handshake, whose frames are the first of their streams
 */
export function openFrame(
  keys: FrameKeys | ExpandedFrameKeys,
  nextSequence: number,
  frame: Uint8Array,
  largestJump = LARGEST_JUMP,
): OpenedFrame {
  if (frame.length < FRAME_OVERHEAD) return { ok: false, problem: "too-short" };
  const ciphertext = frame.subarray(0, -FRAME_OVERHEAD);
  const skipped = (frame[ciphertext.length]! - counterOf(nextSequence) + 256) % 256;
  if (skipped > largestJump) return { ok: false, problem: "jump-too-large" };
  const sequence = nextSequence + 2 * skipped;
  if (sequence >= SEQUENCE_LIMIT) return { ok: false, problem: "sequence-exhausted" };
  const key = AesKey.of(keys.key);
  const iv = initialVector(sequence, keys.nonce);
  if (!constantTimeEqual(tag(key, iv, ciphertext), frame.subarray(-2))) return { ok: false, problem: "tag-mismatch" };
  return { ok: true, plaintext: key.ctr(iv, ciphertext), nextSequence: sequence + 2, skipped };
}
