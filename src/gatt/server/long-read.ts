import type { Clock } from "../../async/clock.ts";
import type { Attribute } from "./attribute.ts";

/** A value older than this is asked for anew, however the client goes on. */
const LIFETIME_MS = 30_000;

/**
 * A handler's value that a client is reading in parts: calling the handler again could give another. It lasts for one long read. Whether the
 * client may have a part is not asked here: that is judged at every access.
 */
export class LongRead {
  readonly #clock: Clock;
  #kept: { attribute: Attribute; value: Uint8Array; until: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(attribute: Attribute): Uint8Array | undefined {
    const kept = this.#kept;
    return kept?.attribute === attribute && this.#clock.now() < kept.until ? kept.value : undefined;
  }

  /** A part of `value` was sent; `complete` tells that the client sees it was the last. */
  onPart(attribute: Attribute, value: Uint8Array, complete: boolean): void {
    if (complete) this.forget(attribute);
    else if (this.#kept?.value !== value) this.#kept = { attribute, value: value.slice(), until: this.#clock.now() + LIFETIME_MS };
  }

  forget(attribute: Attribute): void {
    if (this.#kept?.attribute === attribute) this.#kept = undefined;
  }

  clear(): void {
    this.#kept = undefined;
  }
}
