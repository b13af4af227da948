import type { BleEvent } from "./events.ts";

/** What a handler gives back; what counts depends on the event. */
// biome-ignore lint/suspicious/noConfusingVoidType: the type of a handler that returns nothing
export type IrqResult = void | null | undefined | boolean | number | Uint8Array;

interface Waiting {
  readonly event: BleEvent;
  readonly resolve: ((result: IrqResult) => void) | undefined;
  readonly onBegun?: (() => void) | undefined;
}

export interface EventQueueOptions {
  /** Calls the program. Does not throw, and what it promises is always kept, without a rejection. */
  readonly call: (event: BleEvent) => IrqResult | Promise<IrqResult>;
  /** Stops what brings further events, until the result is disposed. */
  readonly pause?: (() => Disposable) | undefined;
  /** Makes room before an event has to wait. False: it is dropped. */
  readonly admit?: ((waiting: Waiting[], event: BleEvent) => boolean) | undefined;
}

/** Events of one connection, or of none: the program is told of one at a time, and of the next when it is done with the one before. */
export class EventQueue {
  readonly #options: EventQueueOptions;
  #waiting: Waiting[] = [];
  #busy = false;
  #held = false;
  #sealed = false;
  #pause: Disposable | undefined;
  readonly #onDone: (() => void)[] = [];

  constructor(options: EventQueueOptions) {
    this.#options = options;
  }

  /** Tells the program now, or when it is done with what came before. @param onBegun called when it has been told, or is not going to be */
  post(event: BleEvent, onBegun?: () => void): void {
    if (!this.#sealed && this.#isBlocked) {
      this.#keep({ event, resolve: undefined, onBegun });
      return;
    }
    if (!this.#sealed) {
      void this.#tell(event);
      this.#drain();
    }
    onBegun?.();
  }

  /** As `post`, with the program's answer: nothing where the queue has ended. */
  ask(event: BleEvent): IrqResult | Promise<IrqResult> {
    if (this.#sealed) return undefined;
    if (this.#isBlocked) return new Promise((resolve) => this.#keep({ event, resolve }));
    const result = this.#tell(event);
    this.#drain();
    return result;
  }

  /** Keeps all events back, and what brings them, until `open`. */
  hold(): void {
    this.#held = true;
    this.#pause ??= this.#options.pause?.();
  }

  /** Ends `hold`: `event` goes before all that waits. */
  open(event: BleEvent): void {
    this.#waiting.unshift({ event, resolve: undefined });
    this.#held = false;
    this.#drain();
  }

  /** Nothing more is taken; what waits is still told. */
  seal(): void {
    this.#sealed = true;
    this.#drain();
  }

  /** Calls `act` when the queue is sealed and the program is done with its last event, or the queue is dropped. */
  whenDone(act: () => void): void {
    this.#onDone.push(act);
    this.#drain();
  }

  /** Nothing more is told. Who waits for an answer has none. */
  drop(): void {
    this.#sealed = true;
    this.#held = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, onBegun } of waiting) {
      resolve?.(undefined);
      onBegun?.();
    }
    this.#resume();
    this.#drain();
  }

  get #isBlocked(): boolean {
    return this.#busy || this.#held || this.#waiting.length > 0;
  }

  #keep(entry: Waiting): void {
    if (this.#options.admit && !this.#options.admit(this.#waiting, entry.event)) {
      entry.resolve?.(undefined);
      entry.onBegun?.();
    } else this.#waiting.push(entry);
  }

  #tell(event: BleEvent): IrqResult | Promise<IrqResult> {
    this.#busy = true;
    const result = this.#options.call(event);
    if (!(result instanceof Promise)) {
      this.#busy = false;
      return result;
    }
    if (!this.#sealed) this.#pause ??= this.#options.pause?.();
    // Who asked gets the answer first, and then what waits has its turn.
    void result
      .then(() => undefined)
      .then(() => {
        this.#busy = false;
        this.#drain();
      });
    return result;
  }

  #drain(): void {
    while (!this.#busy && !this.#held) {
      const first = this.#waiting.shift();
      if (!first) break;
      const result = this.#tell(first.event);
      first.onBegun?.();
      if (result instanceof Promise) void result.then(first.resolve);
      else first.resolve?.(result);
    }
    if (this.#isBlocked) return;
    this.#resume();
    if (!this.#sealed || this.#isBlocked) return; // what was kept back may have brought the program more
    for (const act of this.#onDone.splice(0)) act();
  }

  #resume(): void {
    const pause = this.#pause;
    this.#pause = undefined;
    pause?.[Symbol.dispose]();
  }
}
