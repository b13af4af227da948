import { type Clock, overdue, quiet } from "../async/index.ts";

/** Something that happens at a time. Made once and set again and again: the hot paths allocate nothing. */
export class AirEvent {
  timeUs = 0;
  /** Orders events of the same time by when they were set. */
  sequence = 0;
  /** Place in the heap; -1 while not set. */
  index = -1;
  readonly fire: () => void;
  constructor(fire: () => void) {
    this.fire = fire;
  }
  get isSet(): boolean {
    return this.index >= 0;
  }
}

/** The air's own queue of events in whole microseconds, behind one timer of the clock. */
export class Scheduler {
  readonly #clock: Clock;
  readonly #originMs: number;
  #heap: AirEvent[] = [];
  #sequence = 0;
  #nowUs = 0;
  #running = false;
  #timer: Disposable | undefined;
  #armedUs = Number.POSITIVE_INFINITY;
  #loud = false;
  #isOverdue = false;
  #stopped = false;
  /** Made once: the timer is set for nearly every event. */
  readonly #fire = (): symbol | undefined => this.#onTimer();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#originMs = clock.now();
  }

  /** Microseconds since the air was made. While an event fires it is the event's time, however late a real clock is. */
  get nowUs(): number {
    return this.#running ? this.#nowUs : this.#clockUs();
  }

  /** Notes that code outside may have been woken, so that a virtual clock lets it run before time goes on. */
  wake(): void {
    this.#loud = true;
  }

  /** As `wake`, and notes that real I/O has waited long. */
  giveTurn(): void {
    this.#loud = true;
    this.#isOverdue = true;
  }

  set(event: AirEvent, timeUs: number): void {
    if (this.#stopped) return;
    event.timeUs = timeUs;
    event.sequence = this.#sequence++;
    if (event.index < 0) {
      event.index = this.#heap.length;
      this.#heap.push(event);
    }
    this.#up(event);
    this.#down(event);
    if (!this.#running) this.#arm();
  }

  clear(event: AirEvent): void {
    const at = event.index;
    if (at < 0) return;
    event.index = -1;
    const last = this.#heap.pop()!;
    if (last !== event) {
      this.#heap[at] = last;
      last.index = at;
      this.#up(last);
      this.#down(last);
    }
    // The clock's timer is left alone: firing for nothing is cheaper than setting it anew each time.
  }

  /** Fires what is due. Called before input from outside is handled, so that it never overtakes what happened earlier. */
  catchUp(): void {
    if (this.#running || this.#stopped) return;
    const untilUs = this.#clockUs();
    if ((this.#heap[0]?.timeUs ?? Number.POSITIVE_INFINITY) > untilUs) return;
    try {
      this.#run(untilUs);
    } finally {
      this.#arm();
    }
  }

  /** No event fires any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const event of this.#heap) event.index = -1;
    this.#heap = [];
  }

  #clockUs(): number {
    return Math.round((this.#clock.now() - this.#originMs) * 1000);
  }

  #run(untilUs: number): void {
    this.#running = true;
    try {
      for (let event = this.#heap[0]; event !== undefined && event.timeUs <= untilUs; event = this.#heap[0]) {
        this.clear(event);
        this.#nowUs = event.timeUs;
        event.fire();
      }
    } finally {
      this.#running = false;
    }
  }

  #arm(): void {
    const head = this.#heap[0];
    if (!head || this.#stopped || head.timeUs >= this.#armedUs) return;
    this.#timer?.[Symbol.dispose]();
    this.#armedUs = head.timeUs;
    this.#timer = this.#clock.setTimer(this.#delayMs(head), "air", this.#fire);
  }

  #delayMs({ timeUs }: AirEvent): number {
    return Math.max(0, timeUs / 1000 + this.#originMs - this.#clock.now());
  }

  /** Goes on to the next event without a timer. */
  #pass(): boolean {
    const head = this.#heap[0];
    return head !== undefined && this.#clock.pass?.(this.#delayMs(head)) === true;
  }

  #onTimer(): symbol | undefined {
    this.#timer = undefined;
    this.#armedUs = Number.POSITIVE_INFINITY;
    this.#loud = false;
    this.#isOverdue = false;
    try {
      do this.#run(this.#clockUs());
      while (!this.#loud && this.#pass());
    } finally {
      this.#arm(); // whatever a hook throws, the others' time goes on
    }
    if (this.#isOverdue) return overdue;
    return this.#loud ? undefined : quiet;
  }

  #up(event: AirEvent): void {
    const heap = this.#heap;
    let at = event.index;
    while (at > 0) {
      const parent = heap[(at - 1) >> 1]!;
      if (!before(event, parent)) break;
      heap[at] = parent;
      parent.index = at;
      at = (at - 1) >> 1;
    }
    heap[at] = event;
    event.index = at;
  }

  #down(event: AirEvent): void {
    const heap = this.#heap;
    let at = event.index;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      const smaller = heap[child]!;
      if (!before(smaller, event)) break;
      heap[at] = smaller;
      smaller.index = at;
      at = child;
    }
    heap[at] = event;
    event.index = at;
  }
}

function before(a: AirEvent, b: AirEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence);
}
