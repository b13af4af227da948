/** The answers of a controller whose link is in the hands of the measurement: to the host's ACL data, in a microtask. */
export class Answers {
  readonly #toHost: (packet: Uint8Array) => void;
  /** Number Of Completed Packets, by how many they are. */
  readonly #completed: Uint8Array[];
  readonly #response: Uint8Array;
  #unreported = 0;
  #isScheduled = false;

  constructor(connectionHandle: number, toHost: (packet: Uint8Array) => void) {
    this.#toHost = toHost;
    const [low, high] = [connectionHandle & 0xff, connectionHandle >> 8];
    this.#completed = Array.from({ length: 64 }, (_, count) => Uint8Array.of(0x04, 0x13, 5, 1, low, high, count, 0));
    this.#response = Uint8Array.of(0x02, low, high | 0x20, 5, 0, 1, 0, 4, 0, 0x13);
  }

  take(packet: Uint8Array): void {
    if (packet[0] !== 0x02) return;
    this.#unreported++;
    if (packet[9] === 0x12) queueMicrotask(this.#respond);
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#report);
    }
  }

  readonly #report = (): void => {
    this.#isScheduled = false;
    const count = this.#unreported;
    this.#unreported = 0;
    this.#toHost(this.#completed[count]!);
  };

  readonly #respond = (): void => {
    this.#report();
    this.#toHost(this.#response);
  };
}
