import type { Cost, Costs, Memory, Result, Row } from "./row.ts";

/** What the columns of a kind of row are. Ratios stand last, since a row may have several. */
const HEADINGS = {
  rate: ["", "a second of CPU", "", "each", "rounds", ""],
  simulated: ["", "a simulated second", "", "of the link", "one at a time", "CPU", ""],
  arithmetic: ["", "measured", "", "calculated", "off", ""],
  cost: ["", "CPU", "beside"],
  memory: ["", "MiB of heap, 0 1 2 ×", "MiB of RSS, 0 1 2 ×", "kept after 2 ×", ""],
} as const;

type Kind = keyof typeof HEADINGS;

/** Columns of text stand to the left, of figures to the right; the last one is as long as it likes. */
const WIDTHS: Readonly<Record<Kind, readonly number[]>> = {
  rate: [15, -18, 11, -15],
  simulated: [18, -12, 11, 13, 8],
  arithmetic: [12, -9, 12, 9],
  cost: [10],
  memory: [20, 20],
};

function kindOf(row: Row): Kind {
  if ("simulate" in row) return "simulated";
  if ("arithmetic" in row) return "arithmetic";
  if ("fill" in row) return "memory";
  return "costs" in row || "together" in row ? "cost" : "rate";
}

/** Prints rows as they come: a heading whenever the kind changes, and columns as wide as the rows of a kind need. */
export class Table {
  readonly #rows: readonly Row[];
  readonly #results = new Map<string, Result>();
  readonly #isMarkdown: boolean;
  #kind: Kind | undefined;

  /** @param rows all that will come; @param isMarkdown as tables of a page */
  constructor(rows: readonly Row[], isMarkdown: boolean) {
    this.#rows = rows;
    this.#isMarkdown = isMarkdown;
  }

  /** @param beforeRatio how many times as fast as another checkout, if there is one beside it */
  print(row: Row, result: Result, beforeRatio?: number): void {
    this.#results.set(row.name, result);
    const kind = kindOf(row);
    if (kind !== this.#kind) {
      const isFirst = this.#kind === undefined;
      this.#kind = kind;
      console.log(`${isFirst ? "" : "\n"}${this.#line(HEADINGS[kind])}`);
      if (this.#isMarkdown)
        console.log(`|${HEADINGS[kind].map((_, i) => (i === 0 || (WIDTHS[kind][i - 1] ?? -1) < 0 ? " --- |" : " ---: |")).join("")}`);
    }
    const notes = this.#notes(row, result, beforeRatio);
    console.log(this.#line([row.name, ...cellsOf(kind, row.unit, result), notes.join(", ")]));
  }

  #line(cells: readonly string[]): string {
    if (this.#isMarkdown) return `| ${cells.map((cell) => cell.trim().replaceAll(/ +/g, " ")).join(" | ")} |`;
    const kind = this.#kind!;
    const nameWidth = Math.max(...this.#rows.filter((row) => kindOf(row) === kind).map(({ name }) => name.length));
    return [cells[0]!.padEnd(nameWidth), ...cells.slice(1).map((cell, i) => padded(cell, WIDTHS[kind][i]))].join("  ").trimEnd();
  }

  #notes({ ceiling, goal }: Row, { rate, costs }: Result, beforeRatio: number | undefined): string[] {
    const top = ceiling === undefined ? undefined : this.#results.get(ceiling);
    return [
      ...(top ? [`${((100 * rate) / top.rate).toFixed(0)} % of the ceiling`] : []),
      ...(costs ? besideOf(costs) : []),
      ...(goal === undefined ? [] : [`goal ${goal}`]),
      ...(beforeRatio === undefined ? [] : [`${beforeRatio.toFixed(2)} × before`]),
    ];
  }
}

function padded(cell: string, width = 0): string {
  return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
}

function cellsOf(kind: Kind, unit: string, { rate, slowest, fastest, simulated, calculated, costs, memory }: Result): string[] {
  if (kind === "simulated") {
    const { oneAtATime, limit, cpuSeconds } = simulated!;
    return [
      format(rate),
      unit,
      `${((100 * rate) / limit).toFixed(1)} %`,
      `${(rate / oneAtATime).toFixed(2)} ×`,
      `${cpuSeconds.toFixed(2)} s`,
    ];
  }
  if (kind === "arithmetic") {
    const off = `${rate < calculated! ? "" : "+"}${(100 * (rate / calculated! - 1)).toFixed(2)} %`;
    return [fixed(rate), unit, fixed(calculated!), off];
  }
  if (kind === "memory") return memoryCells(memory!, unit);
  if (kind === "cost") return [costs!.isOfWall ? `${about(costs!)} wall` : about(costs!)];
  const spread = [slowest, fastest].map((other) => `${other < rate ? "−" : "+"}${Math.abs(100 * (other / rate - 1)).toFixed(0)}`);
  return [format(rate), unit, duration(1e6 / rate), `${spread.join(" ")} %`];
}

function memoryCells({ heapMiB, rssMiB, keptItems, octetsPerKeptItem }: Memory, unit: string): string[] {
  const steps = (values: readonly number[]): string => values.map((value) => value.toFixed(1).padStart(6)).join(" ");
  const each = octetsPerKeptItem === undefined ? "" : `, ${Math.round(octetsPerKeptItem).toLocaleString("en")} octets each`;
  return [steps(heapMiB), steps(rssMiB), keptItems === 0 ? "nothing" : `${keptItems.toLocaleString("en")} ${unit}${each}`];
}

function besideOf({ cpuUs, beside }: Costs): string[] {
  return beside.map(({ name, role, ...theirs }) =>
    role === "peer"
      ? `${(theirs.cpuUs / cpuUs).toFixed(1)} × as fast as ${name} (${about(theirs)})`
      : `${(cpuUs / theirs.cpuUs).toPrecision(3)} × ${name} (${about(theirs)})`,
  );
}

function about({ cpuUs, peakMiB }: Cost): string {
  return peakMiB === undefined ? duration(cpuUs) : `${duration(cpuUs)}, ${Math.round(peakMiB)} MiB`;
}

function duration(us: number): string {
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 10_000) return `${(us / 1000).toFixed(1)} ms`;
  return `${us >= 1000 ? us.toFixed(0) : us.toPrecision(3)} µs`;
}

function format(rate: number): string {
  return rate >= 1000 ? Math.round(rate).toLocaleString("en") : rate.toPrecision(3);
}

/** Quantities of radio time to four places, whatever their size. */
function fixed(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(4);
}
