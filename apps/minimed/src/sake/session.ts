import { BleError, checkOctets } from "jelling/core";
import { AesKey } from "jelling/crypto";
import { type ExpandedFrameKeys, type FrameKeys, type FrameProblem, openFrame, sealFrame } from "./frame.ts";

/** A tag has two octets, so every frame is a guess worth 1 in 65,536; after so many wrong ones in a row the session ends. */
export const MOST_FAILURES_IN_A_ROW = 8;

/** A frame was refused or cannot be made. `final` tells that the session is over. */
export class SakeFrameError extends BleError {
  readonly code = "ERR_SAKE_FRAME";
  readonly problem: FrameProblem | "session-closed";
  readonly final: boolean;
  constructor(problem: FrameProblem | "session-closed", final: boolean) {
    super(`SAKE frame refused: ${problem.replaceAll("-", " ")}${final && problem !== "session-closed" ? "; the session is over" : ""}`);
    this.problem = problem;
    this.final = final;
  }
}

/** Where the two streams stand. The client sends even numbers, the server odd ones. */
export interface StreamPositions {
  readonly nextSendSequence: number;
  readonly nextReceiveSequence: number;
}

/**
 * An authenticated session: two frame streams under one key, shared by all encrypted characteristics. It belongs to one connection; dispose
 * it when that ends, which wipes the key.
 */
export class SakeSession implements Disposable {
  readonly #keys: ExpandedFrameKeys;
  #nextSend: number;
  #nextReceive: number;
  #failures = 0;
  #closed = false;
  /** Told the number of frames that were lost before one that arrived. Set once. */
  onFramesLost: ((count: number) => void) | undefined;

  /** @param keys copied */
  constructor(keys: FrameKeys, { nextSendSequence, nextReceiveSequence }: StreamPositions) {
    this.#keys = { key: new AesKey(keys.key), nonce: keys.nonce.slice() };
    this.#nextSend = nextSendSequence;
    this.#nextReceive = nextReceiveSequence;
  }

  get nextSendSequence(): number {
    return this.#nextSend;
  }
  get nextReceiveSequence(): number {
    return this.#nextReceive;
  }
  get failuresInARow(): number {
    return this.#failures;
  }
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Call it at the moment the frame is handed to the link: a frame that is made and not sent leaves a hole. @throws {SakeFrameError} closed, used up */
  encrypt(plaintext: Uint8Array): Uint8Array {
    if (this.#closed) throw new SakeFrameError("session-closed", true);
    checkOctets("plaintext", plaintext);
    const frame = sealFrame(this.#keys, this.#nextSend, plaintext);
    if (!frame) throw new SakeFrameError("sequence-exhausted", true);
    this.#nextSend += 2;
    return frame;
  }

  /**
   * Call it for every frame at once, in the order of arrival over all characteristics.
   *
   * @throws {SakeFrameError} refused; the position is unchanged, so the next good frame still opens. The eighth in a row ends the session.
   */
  decrypt(frame: Uint8Array): Uint8Array {
    if (this.#closed) throw new SakeFrameError("session-closed", true);
    checkOctets("frame", frame);
    const opened = openFrame(this.#keys, this.#nextReceive, frame);
    if (!opened.ok) {
      const final = ++this.#failures >= MOST_FAILURES_IN_A_ROW;
      if (final) this[Symbol.dispose]();
      throw new SakeFrameError(opened.problem, final);
    }
    this.#failures = 0;
    this.#nextReceive = opened.nextSequence;
    if (opened.skipped > 0) this.onFramesLost?.(opened.skipped);
    return opened.plaintext;
  }

  /** As `decrypt`, for octets that need not be a frame: undefined then, and no failure. */
  tryDecrypt(octets: Uint8Array): Uint8Array | undefined {
    if (this.#closed) return undefined;
    const { ok } = openFrame(this.#keys, this.#nextReceive, octets);
    return ok ? this.decrypt(octets) : undefined;
  }

  /** Wipes the key; nothing is encrypted or decrypted any more. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#keys.key.wipe();
    this.#keys.nonce.fill(0);
  }

  toJSON(): StreamPositions & { isClosed: boolean } {
    return { nextSendSequence: this.#nextSend, nextReceiveSequence: this.#nextReceive, isClosed: this.#closed };
  }
}
