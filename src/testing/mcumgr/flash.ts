import { type Clock, delay } from "../../async/clock.ts";
import { onAbort } from "../../async/on-abort.ts";

/** The supply is gone, or the processor was reset: whatever was running stops where it is. */
export class PowerLost extends Error {}

/** One stretch of running, from a start to the next reset or power cut. */
export class PowerSession {
  readonly #controller = new AbortController();
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get isOn(): boolean {
    return !this.signal.aborted;
  }
  end(): void {
    this.#controller.abort(new PowerLost("the device lost its power or was reset"));
  }
  /** @throws {PowerLost} */
  check(): void {
    this.signal.throwIfAborted();
  }
}

export interface FlashTimes {
  /** Milliseconds that erasing one sector takes. */
  readonly eraseMsPerSector: number;
  /** Milliseconds that writing one octet takes. */
  readonly writeMsPerOctet: number;
}

/** Octets of flash memory that are erased by sectors. */
export class FlashArea {
  readonly octets: Uint8Array;
  readonly sectorSize: number;
  /** Grows with every change. */
  generation = 0;

  constructor(size: number, sectorSize: number) {
    this.octets = new Uint8Array(size).fill(0xff);
    this.sectorSize = sectorSize;
  }

  get sectors(): number {
    return Math.ceil(this.octets.length / this.sectorSize);
  }

  sectorOf(offset: number): number {
    return Math.floor(offset / this.sectorSize);
  }

  sector(index: number): Uint8Array {
    return this.octets.subarray(index * this.sectorSize, (index + 1) * this.sectorSize);
  }

  isBlank(from = 0, to = this.octets.length): boolean {
    for (let at = from; at < to; at++) if (this.octets[at] !== 0xff) return false;
    return true;
  }
}

/**
 * What flash memory does: it erases by sectors, writes can only clear bits, both take their time, and a power cut in the midst leaves a part
 * done. Every operation is a step, so that a test can cut the power at each of them in turn.
 */
export class SimulatedFlash {
  times: FlashTimes;
  readonly #clock: Clock;
  readonly #onCut: () => void;
  #steps = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #failAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, times: FlashTimes, onCut: () => void) {
    this.#clock = clock;
    this.times = times;
    this.#onCut = onCut;
  }

  /** Operations so far. */
  get steps(): number {
    return this.#steps;
  }

  /** The power goes in the midst of the operation that follows `steps` whole ones. */
  cutAfter(steps: number): void {
    this.#cutAt = this.#steps + steps;
  }

  /** The operation that follows `steps` whole ones fails, with the power on. */
  failAfter(steps: number): void {
    this.#failAt = this.#steps + steps;
  }

  async erase(power: PowerSession, area: FlashArea, sector: number): Promise<void> {
    const octets = area.sector(sector);
    await this.#operate(power, this.times.eraseMsPerSector, (done) => {
      octets.subarray(0, Math.floor(octets.length * done)).fill(0xff);
      area.generation++;
    });
  }

  /** Bits that are clear already stay clear: erase first. */
  async write(power: PowerSession, area: FlashArea, offset: number, data: Uint8Array): Promise<void> {
    await this.#operate(power, this.times.writeMsPerOctet * data.length, (done) => {
      const count = Math.floor(data.length * done);
      const into = area.octets.subarray(offset, offset + count);
      for (let i = 0; i < into.length; i++) into[i]! &= data[i]!;
      area.generation++;
    });
  }

  /** A change that happens wholly or not at all, as one flag of the bootloader's own notes. */
  async note(power: PowerSession, act: () => void): Promise<void> {
    await this.#operate(power, 0, (done) => {
      if (done === 1) act();
    });
  }

  async #operate(power: PowerSession, ms: number, apply: (done: number) => void): Promise<void> {
    power.check();
    if (this.#steps >= this.#cutAt) {
      this.#cutAt = Number.POSITIVE_INFINITY;
      apply(0.5);
      this.#onCut();
      throw new PowerLost("the power was cut");
    }
    if (this.#steps >= this.#failAt) {
      this.#failAt = Number.POSITIVE_INFINITY;
      apply(0.5);
      throw new FlashFailure("the flash memory failed");
    }
    this.#steps++;
    if (ms > 0) {
      // At once, before anything can start anew and look.
      using _cut = onAbort(power.signal, () => apply(0.5));
      await delay(this.#clock, ms, { signal: power.signal, name: "flash memory" });
    }
    apply(1);
  }
}

/** An operation did not succeed; the device goes on. */
export class FlashFailure extends Error {}
