import { StateError } from "jelling/core";
import type { IddStatusChanged } from "../idd/status-changed.ts";

/** What the pump has pushed since it was asked for last. */
export interface PushedChanges {
  readonly bits: ReadonlySet<number>;
  /** What resets exactly these bits, in the form in which the pump sent them. */
  readonly field: Uint8Array;
}

/** Collects what a pump pushes as IDD Status Changed. At most six octets are held, whatever is sent. */
export class StatusPush {
  #bits = new Set<number>();
  #field = new Uint8Array();
  #listener: (() => void) | undefined;

  /** What the pump pushed, as it arrives. */
  receive({ bits, field }: IddStatusChanged): void {
    if (bits.length === 0) return;
    for (const bit of bits) this.#bits.add(bit);
    const union = new Uint8Array(Math.max(this.#field.length, field.length));
    for (const octets of [this.#field, field]) for (const [i, octet] of octets.entries()) union[i] = union[i]! | octet;
    this.#field = union;
    this.#listener?.();
  }

  /** What has come since the last time; undefined: nothing. */
  take(): PushedChanges | undefined {
    if (this.#bits.size === 0) return undefined;
    const taken = { bits: this.#bits, field: this.#field };
    this.#bits = new Set();
    this.#field = new Uint8Array();
    return taken;
  }

  /** Calls `listener` whenever something comes, and at once where something is there. @throws {StateError} another one listens */
  attach(listener: () => void): Disposable {
    if (this.#listener) throw new StateError("the pump's changes are followed already");
    this.#listener = listener;
    if (this.#bits.size > 0) listener();
    return {
      [Symbol.dispose]: () => {
        if (this.#listener === listener) this.#listener = undefined;
      },
    };
  }
}
