import type { Listener } from "./advertising-roles.ts";
import type { Medium } from "./medium.ts";
import type { Radio } from "./radio.ts";

/**
 * Who listens within range of each radio that advertises. Kept from event to event; a listener that comes, goes or moves, and a radio that
 * moves, are compared with the others once, and what else there is in the air stays as it is.
 */
export class Audiences {
  readonly #medium: Medium;
  /** All listeners, each with its place: audiences are in the order in which they began to listen. */
  readonly #places = new Map<Listener, number>();
  #count = 0;
  readonly #audiences = new Map<Radio, Listener[]>();
  /** Another number whenever some audience may be another one. */
  version = 0;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  /** Listeners of other radios in range, on whatever PHY they listen, at full power. */
  of(radio: Radio): readonly Listener[] {
    const known = this.#audiences.get(radio);
    if (known) return known;
    const audience: Listener[] = [];
    for (const listener of this.#places.keys()) if (this.#hears(listener, radio)) audience.push(listener);
    this.#audiences.set(radio, audience);
    return audience;
  }

  #hears(listener: Listener, radio: Radio): boolean {
    return listener.radio !== radio && this.#medium.isInRange(radio, listener.radio, listener.phy);
  }

  /** Somebody listens from now on. Gives the radios that nobody heard before. */
  join(listener: Listener): Radio[] {
    this.version++;
    this.#places.set(listener, this.#count++);
    const first: Radio[] = [];
    for (const [radio, audience] of this.#audiences) {
      if (!this.#hears(listener, radio)) continue;
      audience.push(listener);
      if (audience.length === 1) first.push(radio);
    }
    return first;
  }

  leave(listener: Listener): void {
    this.version++;
    for (const audience of this.#audiences.values()) {
      const at = this.#search(audience, listener);
      if (audience[at] === listener) audience.splice(at, 1);
    }
    this.#places.delete(listener);
  }

  /** A radio is somewhere else, or a wall before it. Gives the other radios that nobody heard before and it hears now. */
  changed(radio: Radio): Radio[] {
    this.version++;
    this.#audiences.delete(radio); // found anew when it is asked for
    const first: Radio[] = [];
    for (const listener of this.#places.keys()) {
      if (listener.radio !== radio) continue;
      for (const [other, audience] of this.#audiences) {
        const at = this.#search(audience, listener);
        const isIn = audience[at] === listener;
        if (this.#hears(listener, other) === isIn) continue;
        if (isIn) audience.splice(at, 1);
        else audience.splice(at, 0, listener);
        if (audience.length === 1 && !isIn) first.push(other);
      }
    }
    return first;
  }

  /** Where it is in an audience, or would be. */
  #search(audience: readonly Listener[], listener: Listener): number {
    const place = this.#places.get(listener)!;
    let low = 0;
    for (let high = audience.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#places.get(audience[middle]!)! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The radio does not advertise any more. */
  forget(radio: Radio): void {
    this.#audiences.delete(radio);
  }
}
