/** When and where somebody listens: `windowUs` in every `intervalUs`, on the next channel each time (Vol 6 Part B 4.4.3). */
export class ListenWindow {
  readonly startUs: number;
  readonly intervalUs: number;
  readonly windowUs: number;
  /** Of the interval that was asked about last: when its window opens, on which channel. */
  #openUs = Number.NaN;
  #channel = 0;
  constructor(startUs: number, intervalUs: number, windowUs: number) {
    this.startUs = startUs;
    this.intervalUs = intervalUs;
    this.windowUs = windowUs;
  }

  /** Whether a packet lies wholly inside a window on its channel, `channel` 0 to 2. */
  hears(channel: number, startUs: number, endUs: number): boolean {
    // Most packets fall into the interval of the one before.
    if (!(startUs >= this.#openUs && startUs < this.#openUs + this.intervalUs)) {
      if (startUs < this.startUs) return false;
      const count = Math.floor((startUs - this.startUs) / this.intervalUs);
      this.#openUs = this.startUs + count * this.intervalUs;
      this.#channel = count % 3;
    }
    return this.#channel === channel && endUs <= this.#openUs + this.windowUs;
  }

  /** The channels on which it listens at some moment of this time, as bits 0 to 2: with `hears` they hear what lies within. */
  channelsDuring(startUs: number, endUs: number): number {
    if (endUs <= this.startUs) return 0;
    // As in `hears`; what is asked for next lies in here as well.
    if (!(startUs >= this.#openUs && startUs < this.#openUs + this.intervalUs)) {
      const count = Math.max(0, Math.floor((startUs - this.startUs) / this.intervalUs));
      this.#openUs = this.startUs + count * this.intervalUs;
      this.#channel = count % 3;
    }
    let channels = startUs < this.#openUs + this.windowUs ? 1 << this.#channel : 0;
    for (let i = 1; i <= 3 && endUs > this.#openUs + i * this.intervalUs; i++) channels |= 1 << ((this.#channel + i) % 3);
    return channels;
  }

  /** Whether this time lies wholly inside a window, whatever its channel. */
  isOpen(startUs: number, endUs: number): boolean {
    return this.hears(Math.floor((startUs - this.startUs) / this.intervalUs) % 3, startUs, endUs);
  }

  /** Whether a window is open at some moment of this time. */
  overlaps(startUs: number, endUs: number): boolean {
    if (endUs <= this.startUs) return false;
    const count = Math.max(0, Math.floor((startUs - this.startUs) / this.intervalUs));
    const openUs = this.startUs + count * this.intervalUs;
    return (startUs < openUs + this.windowUs && endUs > openUs) || endUs > openUs + this.intervalUs;
  }
}
