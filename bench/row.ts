interface Named {
  /** Begins with the room and a colon; parts of it select the row. */
  readonly name: string;
  /** What is counted: "reports", "notifications", "round trips". */
  readonly unit: string;
  /** The row whose rate this one cannot exceed; the table shows the ratio. */
  readonly ceiling?: string;
  /** What the row shall reach, as the table shows it: "20 ×". */
  readonly goal?: string;
  /** The package of another host that is measured beside it where it is installed. */
  readonly peer?: string;
  /** The program beside which it stands where that is installed. */
  readonly program?: string;
}

export type Work = (count: number) => void | Promise<void>;

/** Work by the rate: a process of its own warms it up, and counts then. */
export interface RateRow extends Named {
  /** Sets up and gives the function that does the work `count` times. */
  prepare(): Promise<Work>;
  /** Counted by the clock on the wall in place of CPU time, for work that waits: for a disk, for another process. */
  readonly isOfWall?: boolean;
}

/** Work whose rate is that of simulated time, the same in every run. */
export interface SimulatedRow extends Named {
  simulate(): Promise<Simulated>;
}

/** What the simulated radio makes of a configuration, beside what arithmetic says of it. */
export interface ArithmeticRow extends Named {
  readonly arithmetic: { readonly calculated: number; measure(): Promise<number> };
}

/** What one item costs, beside what it costs others in the same run. */
export interface CostRow extends Named {
  costs(): Promise<Costs>;
}

/** As a `CostRow`, of several that one process measures in turn: each meets what the compiler learned of the others. */
export interface SharedRow extends Named {
  readonly together: Together;
}

/** What the process holds after work and after as much work again. */
export interface MemoryRow extends Named {
  /** Of the work, before what the process holds is looked at. */
  readonly count: number;
  /** Sets up and gives the work; `keptItems` says of how many items something is still held on purpose, none by default. */
  fill(): Promise<{ readonly work: Work; readonly keptItems?: () => number }>;
}

/** One measurement. */
export type Row = RateRow | SimulatedRow | ArithmeticRow | CostRow | SharedRow | MemoryRow;

/** Rows that are measured by one process. */
export interface Together {
  /**
   * @param rows those that are wanted: others may be measured beside them, for the compiler's sake
   * @param isAlone those and no other
   */
  measure(rows: readonly SharedRow[], isAlone: boolean): Promise<ReadonlyMap<string, Costs>>;
  /** Does the work of one row once, where that takes less than a second. */
  once?(row: SharedRow): Promise<void>;
}

/** Rates per second of simulated time. */
export interface Simulated {
  readonly rate: number;
  /** The same work one at a time, over the same link. */
  readonly oneAtATime: number;
  /** What the link can carry at most. */
  readonly limit: number;
  /** Of this process, for the work at `rate`. */
  readonly cpuSeconds: number;
}

/** What one item costs: microseconds of CPU, of all threads and with the system's part. */
export interface Cost {
  readonly cpuUs: number;
  /** The most memory that a process held for it, of a command. */
  readonly peakMiB?: number;
}

export interface Costs extends Cost {
  /** Of all that is told here, that it is time by the clock on the wall: for what has to wait. */
  readonly isOfWall?: boolean;
  readonly beside: readonly (Cost & {
    readonly name: string;
    /**
     * A `peer` does the same, and the table says how many times its cost is the row's. A `base` is what the row's cost is told as a
     * multiple of: the least that it could be, or what somebody else needs.
     */
    readonly role: "peer" | "base";
  })[];
}

/** MiB before the work, after it and after as much again, garbage collected. */
export interface Memory {
  /** The engine's heap and what hangs on it outside: array buffers. */
  readonly heapMiB: readonly [before: number, once: number, twice: number];
  readonly rssMiB: readonly [before: number, once: number, twice: number];
  /** Items held after all of the work, and by how much the second half of the work grew the heap for each of its own. */
  readonly keptItems: number;
  readonly octetsPerKeptItem?: number;
}

export interface Result {
  readonly name: string;
  /** Per second, the median of the rounds: of CPU time, unless the row says otherwise. Of costs: as many items as one second pays for. */
  readonly rate: number;
  readonly slowest: number;
  readonly fastest: number;
  /** By the clock on the wall, where `rate` is by CPU time. */
  readonly wallRate?: number;
  readonly simulated?: Simulated;
  /** Of simulated radio time, beside which `rate` stands. */
  readonly calculated?: number;
  readonly costs?: Costs;
  readonly memory?: Memory;
}
