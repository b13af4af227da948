import type { Io } from "./io.ts";

const ESCAPE = "\u001b[";
/** Of a terminal that does not say. */
const USUAL_ROWS = 24;

/** A block of lines at the bottom of a terminal that is drawn anew in its place; what stood above it stays. */
export class Screen implements Disposable {
  readonly #io: Io;
  #height = 0;

  constructor(io: Io) {
    this.#io = io;
    io.stdout.write(`${ESCAPE}?25l`); // the cursor would jump about
  }

  /** Lines that fit without scrolling. */
  get rows(): number {
    return (this.#io.stdout.rows || USUAL_ROWS) - 1;
  }

  /** Draws the block; lines that do not fit are left out. Lines must not be wider than the terminal. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows);
    const up = this.#height > 0 ? `\r${ESCAPE}${this.#height}A` : "\r";
    this.#io.stdout.write(`${up}${shown.map((line) => `${line}${ESCAPE}K\n`).join("")}${ESCAPE}J`);
    this.#height = shown.length;
  }

  /** Leaves the last block where it is, and the cursor below it. */
  [Symbol.dispose](): void {
    this.#io.stdout.write(`${ESCAPE}?25h`);
  }
}
