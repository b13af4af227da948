import { VirtualClock } from "jelling/async";

/** So many simulated milliseconds pass in one of the system's, at most. */
const FACTOR = 25;

/**
 * Simulated time for a command that also reads and writes files: fast, but not so fast that a file takes a simulated minute, and standing still
 * while code runs, however busy the machine is.
 */
export class FastClock extends VirtualClock {
  #stopped = false;

  constructor() {
    super({ auto: false });
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await this.advance(FACTOR);
    }
  }

  override [Symbol.dispose](): void {
    this.#stopped = true;
    super[Symbol.dispose]();
  }
}
