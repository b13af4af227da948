import type { Io, TextSink } from "./io.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";
const SGR: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

/** Paints text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

function painter(on: boolean): Paint {
  return on ? (style, text) => `\u001b[${SGR[style][0]}m${text}\u001b[${SGR[style][1]}m` : (_style, text) => text;
}

/** NO_COLOR (any value but an empty one) and a pipe switch colour off, FORCE_COLOR on. */
function wantsColor(sink: TextSink, env: Io["env"]): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== "0") return true;
  return sink.isTTY && env.TERM !== "dumb";
}

/** What is drawn at the bottom of a terminal and makes room for what is said. */
export interface Block {
  hide(): void;
  show(): void;
}

/**
 * What a command says. Results go to standard output: as text, or with `--json` one object a line. Everything else - progress, notes,
 * errors - goes to standard error.
 */
export class Terminal {
  readonly json: boolean;
  /** Paints what goes to standard output. */
  readonly paint: Paint;
  /** Whether `paint` does anything. */
  readonly isPainted: boolean;
  /** Paints what goes to standard error. */
  readonly paintNote: Paint;
  readonly #io: Io;
  readonly #progress: boolean;
  #status = "";
  #backlogged = false;
  #block: Block | undefined;

  constructor(io: Io, { json }: { json: boolean }) {
    this.#io = io;
    this.json = json;
    this.isPainted = !json && wantsColor(io.stdout, io.env);
    this.paint = painter(this.isPainted);
    this.paintNote = painter(wantsColor(io.stderr, io.env));
    this.#progress = io.stderr.isTTY && !io.env.NO_COLOR && io.env.TERM !== "dumb";
  }

  /** Columns of standard output at present; a pipe has no limit, and a terminal that says 0 does not know. */
  get columns(): number {
    const { isTTY, columns } = this.#io.stdout;
    return isTTY ? columns || 80 : Number.POSITIVE_INFINITY;
  }

  /** Whether somebody can be asked. */
  get interactive(): boolean {
    return this.#io.stdinIsTTY && this.#io.stderr.isTTY && !this.json;
  }

  /** A line of the result, as text; silent with `--json`. */
  line(text = ""): void {
    if (!this.json) this.#out(`${text}\n`);
  }

  /** An object of the result; silent without `--json`. */
  object(value: Record<string, unknown>): void {
    if (this.json) this.#out(`${JSON.stringify(value, rounded)}\n`);
  }

  /** Both forms of one thing: only the one that was asked for is made. */
  result(value: () => Record<string, unknown>, text: () => string): void {
    this.#out(this.lineOf(value, text));
  }

  /** The line that `result` says, with its end, for who says many at once by `lines`. */
  lineOf(value: () => Record<string, unknown>, text: () => string): string {
    return this.json ? `${JSON.stringify(value(), rounded)}\n` : `${text()}\n`;
  }

  /** Lines of the result in the form that was asked for. */
  lines(text: string): void {
    if (text !== "") this.#out(text);
  }

  /** A sentence beside the result. */
  note(text: string): void {
    this.#block?.hide();
    this.#clearStatus();
    this.#io.stderr.write(`${text}\n`);
    this.#showStatus();
    this.#block?.show();
  }

  /** A block that notes must not run into, until the result is disposed of. */
  hold(block: Block): Disposable {
    this.#block = block;
    return {
      [Symbol.dispose]: () => {
        if (this.#block === block) this.#block = undefined;
      },
    };
  }

  /** The line that says what is going on, replaced by the next; an empty one removes it. Only on a terminal. */
  status(text: string): void {
    if (!this.#progress) return;
    this.#clearStatus();
    this.#status = text;
    this.#showStatus();
  }

  /** Waits until what was said is taken, so that a long result does not pile up. */
  async flush(): Promise<void> {
    if (!this.#backlogged) return;
    await this.#io.stdout.drained();
    this.#backlogged = false;
  }

  #out(text: string): void {
    this.#clearStatus();
    if (!this.#io.stdout.write(text)) this.#backlogged = true;
    this.#showStatus();
  }

  #clearStatus(): void {
    if (this.#status) this.#io.stderr.write("\r\u001b[K");
  }

  #showStatus(): void {
    if (!this.#status) return;
    const columns = (this.#io.stderr.columns || 80) - 1;
    const text = this.#status.length > columns ? `${this.#status.slice(0, columns - 1)}…` : this.#status;
    this.#io.stderr.write(this.paintNote("dim", text));
  }
}

/** Times are differences of clocks, whose last digits are noise: microseconds are enough. */
function rounded(name: string, value: unknown): unknown {
  return name.endsWith("Ms") && typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}

/** Columns of text, each as wide as its widest cell; the last one is free. */
export function table(rows: readonly (readonly string[])[], gap = "  "): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join(gap)
      .trimEnd(),
  );
}

/** Breaks text at blanks so that no line is longer than `columns`; later lines are indented. */
export function wrap(text: string, columns: number, indent = ""): string {
  if (text.length <= columns) return text;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent + word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].join("\n");
}
