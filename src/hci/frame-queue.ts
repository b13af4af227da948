/** @param size a power of two */
function emptyRing(size: number): (Uint8Array | undefined)[] {
  return Array.from({ length: size }, () => undefined);
}

/** First in, first out, without moving what waits. Its user bounds it. */
export class FrameQueue {
  #ring = emptyRing(16);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Uint8Array | undefined {
    return this.#ring[this.#head];
  }

  push(frame: Uint8Array): void {
    if (this.#length === this.#ring.length) {
      this.#ring = [...this.#ring.slice(this.#head), ...this.#ring.slice(0, this.#head), ...emptyRing(this.#length)];
      this.#head = 0;
    }
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = frame;
    this.#length++;
  }

  shift(): void {
    if (this.#length === 0) return;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
  }

  clear(): void {
    this.#ring = emptyRing(16);
    this.#head = 0;
    this.#length = 0;
  }
}
