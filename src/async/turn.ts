type Immediate = (callback: () => void) => unknown;

const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

function viaMessageChannel(callback: () => void): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(callback);
  channel.port2.postMessage(undefined);
}

/** Calls back in a later turn of the event loop, in order of asking. */
function inLaterTurn(callback: () => void): void {
  const immediate = (globalThis as { setImmediate?: Immediate }).setImmediate ?? viaMessageChannel;
  immediate(callback);
}

/** How many await `turn` just now. */
let awaited = 0;

/** Resolves in a later turn of the event loop, after every pending microtask has run. Unlike a timer it costs no time. */
export function turn(): Promise<void> {
  awaited++;
  return new Promise((resolve) =>
    inLaterTurn(() => {
      awaited--;
      resolve();
    }),
  );
}

/** A turn of its own for everything cost a microsecond, as much as what the radio does in it; so many share one at a sixth of that. */
const MOST_CALLS = 16;

const settled = Promise.resolve();

/**
 * Calls back again and again, each time after every pending microtask has run, however many follow from each other, and in Node every tick.
 * Several calls may share a turn of the event loop, which lets real I/O go on; whoever awaits `turn` goes on in between as if each had its own.
 */
export class Turns {
  readonly #act: (isOwn: boolean) => void;
  #isAwaited = false;
  /** Calls that are still to come in the turn asked for last, and whether the first of them has come. */
  #left = 0;
  #isBegun = false;
  /** Calls asked for before those, which are not wanted any more. */
  #abandoned = 0;
  #calls = 1;
  readonly #onCall = (): void => {
    if (this.#abandoned > 0) {
      this.#abandoned--;
      return;
    }
    this.#left--;
    if (this.#isAwaited) void settled.then(this.#onSettled);
    else this.#isBegun = true;
  };
  readonly #onSettled = (): void => {
    const isOwn = !this.#isBegun || awaited > 0;
    this.#isBegun = true;
    this.#isAwaited = false;
    this.#act(isOwn);
  };

  /** @param act told whether it is as if in a turn of its own: the first call of one, or one that comes before somebody's own turn */
  constructor(act: (isOwn: boolean) => void) {
    this.#act = act;
  }

  /** Calls back in a turn of its own. */
  next(): void {
    this.#calls = 1;
    this.#ask();
  }

  /** Calls back in the turn in progress, where that has room. */
  soon(): void {
    if (awaited > 0) this.next();
    else if (this.#left > 0) this.#isAwaited = true;
    else {
      this.#calls = Math.min(2 * this.#calls, MOST_CALLS);
      this.#ask();
    }
  }

  #ask(): void {
    this.#abandoned += this.#left;
    this.#left = this.#calls;
    this.#isBegun = false;
    this.#isAwaited = true;
    for (let i = 0; i < this.#calls; i++) inLaterTurn(this.#onCall);
  }
}
