/** When the connection events of a link begin. Counted from a base, so that rounding to microseconds does not add up. */
export class Anchors {
  #baseUs: number;
  #baseCounter = 0;
  #intervalUs: number;

  constructor(firstUs: number, intervalUs: number) {
    this.#baseUs = firstUs;
    this.#intervalUs = intervalUs;
  }

  /** May be a fraction: the central's clock drifts. */
  get intervalUs(): number {
    return this.#intervalUs;
  }

  /** From event `counter` on, which stays where it is, another interval. */
  change(counter: number, intervalUs: number): void {
    this.#baseUs = this.at(counter);
    this.#baseCounter = counter;
    this.#intervalUs = intervalUs;
  }

  at(counter: number): number {
    return this.#baseUs + Math.round((counter - this.#baseCounter) * this.#intervalUs);
  }

  /** The last event that does not begin after `timeUs`. */
  counterAt(timeUs: number): number {
    let counter = this.#baseCounter + Math.floor((timeUs - this.#baseUs) / this.#intervalUs) + 1;
    while (this.at(counter) > timeUs) counter--;
    return counter;
  }
}
