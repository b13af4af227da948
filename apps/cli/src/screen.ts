import type { Io } from "./io.ts";
import { widthOf } from "./painted.ts";
import type { Block, Terminal } from "./terminal.ts";

const ESCAPE = "\u001b[";
/** Of a terminal that does not say. */
const USUAL_ROWS = 24;

/** A block of lines at the bottom of a terminal that is drawn anew in its place; what stood above it stays, and notes are put above it. */
export class Screen implements Block, Disposable {
  readonly #io: Io;
  readonly #held: Disposable;
  #lines: readonly string[] = [];
  #isShown = false;

  constructor(io: Io, terminal: Terminal) {
    this.#io = io;
    this.#held = terminal.hold(this);
    io.stdout.write(`${ESCAPE}?25l`); // the cursor would jump about
  }

  /** Lines that fit without scrolling. */
  get rows(): number {
    return (this.#io.stdout.rows || USUAL_ROWS) - 1;
  }

  /** Draws the block; lines that do not fit are left out. Lines must not be wider than the terminal. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows);
    this.#io.stdout.write(`${this.#top()}${shown.map((line) => `${line}${ESCAPE}K\n`).join("")}${ESCAPE}J`);
    this.#lines = shown;
    this.#isShown = true;
  }

  /** Makes room for what is said beside it. */
  hide(): void {
    if (this.#isShown) this.#io.stdout.write(`${this.#top()}${ESCAPE}J`);
    this.#isShown = false;
  }

  show(): void {
    if (this.#lines.length > 0) this.draw(this.#lines);
  }

  /** Leaves the last block where it is, and the cursor below it. */
  [Symbol.dispose](): void {
    this.#held[Symbol.dispose]();
    this.#io.stdout.write(`${ESCAPE}?25h`);
  }

  /** Leads the cursor to where the block begins. Lines that a terminal which became narrower has broken take several of its rows. */
  #top(): string {
    if (!this.#isShown || this.#lines.length === 0) return "\r";
    const columns = this.#io.stdout.columns || Number.POSITIVE_INFINITY;
    const height = this.#lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    return `\r${ESCAPE}${height}A`;
  }
}
