/** When and where somebody listens: `windowUs` in every `intervalUs`, on the next channel each time (Vol 6 Part B 4.4.3). */
export class ListenWindow {
  readonly startUs: number;
  readonly intervalUs: number;
  readonly windowUs: number;
  constructor(startUs: number, intervalUs: number, windowUs: number) {
    this.startUs = startUs;
    this.intervalUs = intervalUs;
    this.windowUs = windowUs;
  }

  /** Whether a packet lies wholly inside a window on its channel, `channel` 0 to 2. */
  hears(channel: number, startUs: number, endUs: number): boolean {
    if (startUs < this.startUs) return false;
    const count = Math.floor((startUs - this.startUs) / this.intervalUs);
    return count % 3 === channel && endUs <= this.startUs + count * this.intervalUs + this.windowUs;
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
