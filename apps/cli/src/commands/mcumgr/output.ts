import { toHex } from "jelling/bytes";
import type { TransferProgress } from "jelling/mcumgr";
import type { Context } from "../../context.ts";
import { CommandError, codeOf, InterruptedError } from "../../errors.ts";
import { table } from "../../terminal.ts";
import { printable } from "../../text.ts";

/** For JSON: octets as hexadecimal text, numbers beyond 2^53 as text; what the server added goes to the end. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= 0n ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const { more, ...known } = value as Record<string, unknown>;
  const entries = Object.entries({ ...known, ...(more !== null && typeof more === "object" ? more : {}) });
  return Object.fromEntries(entries.filter(([, entry]) => entry !== undefined).map(([key, entry]) => [key, plain(entry)]));
}

/** An answer: one object with `--json`, else a line for each of its fields. */
export function show({ terminal }: Context, answer: object): void {
  const value = plain(answer) as Record<string, unknown>;
  terminal.object(value);
  for (const line of table(Object.entries(value).map(([key, entry]) => [key, cell(entry)]))) terminal.line(line);
}

function cell(value: unknown): string {
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}

/** Rows with a head on a terminal; objects with `--json`. */
export function showRows({ terminal }: Context, rows: readonly Readonly<Record<string, unknown>>[]): void {
  const values = rows.map((row) => plain(row) as Record<string, unknown>);
  for (const value of values) terminal.object(value);
  const names = [...new Set(values.flatMap((value) => Object.keys(value)))];
  if (values.length === 0) terminal.line("(none)");
  else
    for (const line of table([names, ...values.map((value) => names.map((name) => (name in value ? cell(value[name]) : "-")))]))
      terminal.line(line);
}

/** "56.3 kB". */
export function octetsText(octets: number): string {
  if (octets < 1000) return `${Math.round(octets)} B`;
  return octets < 1_000_000 ? `${(octets / 1000).toFixed(1)} kB` : `${(octets / 1_000_000).toFixed(2)} MB`;
}

/** The line fits on a terminal of 80 columns. */
const BAR = 16;

/** "███████░░░░░░░░░  43 %  56.3 kB of 131.0 kB  12.4 kB/s  6 s left". */
export function progressText({ done, total, bytesPerSecond, remainingMs }: TransferProgress): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * BAR);
  const bar = "█".repeat(filled) + "░".repeat(BAR - filled);
  const rate = bytesPerSecond === undefined ? "" : `  ${octetsText(bytesPerSecond)}/s`;
  const left = remainingMs === undefined ? "" : `  ${Math.ceil(remainingMs / 1000)} s left`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${octetsText(done)} of ${octetsText(total)}${rate}${left}`;
}

const JSON_SPACING_MS = 250;

/** A bar on a terminal; with `--json` a line every quarter of a second, and one at the end. */
export class ProgressShow {
  readonly #context: Context;
  readonly #what: string;
  #toldMs = Number.NEGATIVE_INFINITY;
  /** Of the last report. */
  last: TransferProgress | undefined;

  constructor(context: Context, what: string) {
    this.#context = context;
    this.#what = what;
  }

  readonly at = (progress: TransferProgress): void => {
    this.last = progress;
    const { terminal } = this.#context;
    terminal.status(`${this.#what} ${progressText(progress)}`);
    const nowMs = performance.now();
    if (progress.done < progress.total && nowMs - this.#toldMs < JSON_SPACING_MS) return;
    this.#toldMs = nowMs;
    terminal.object({ type: "progress", ...progress });
  };

  end(): void {
    this.#context.terminal.status("");
  }

  /** How far it came, where it was stopped in between. */
  get share(): number | undefined {
    const { last } = this;
    return last === undefined || last.total === 0 || last.done >= last.total ? undefined : Math.floor((last.done / last.total) * 100);
  }
}

/** After these the same command can go on. */
const CUT_SHORT: readonly unknown[] = ["ERR_TIMEOUT", "ERR_CLOSED", "ERR_DISCONNECTED", "ERR_MCUMGR_STALLED", "ERR_TRANSPORT"];

/**
 * What was cut short, with the way on: the user who stopped it is told `sentence` at once, and any other failure says it after its own.
 *
 * @param signal of the command, which ends with its time too
 * @returns what is to be thrown
 */
export function withWayOn(context: Context, signal: AbortSignal, error: unknown, sentence: string): unknown {
  const { terminal } = context;
  if (context.signal.aborted) {
    if (!(context.signal.reason instanceof InterruptedError)) return error;
    if (terminal.json) terminal.object({ type: "stopped", message: sentence });
    else terminal.note(sentence);
    return error;
  }
  const failure: unknown = signal.aborted ? signal.reason : error;
  if (!(failure instanceof Error) || !(signal.aborted || CUT_SHORT.includes(codeOf(failure)))) return error;
  return new CommandError(`${failure.message}; ${sentence}`, { cause: failure });
}

export const GOES_ON = "type the same command again, and it goes on from there";

/** Does an upload under a bar; where it is cut short, says how to go on. */
export async function withProgress<T>({ context, signal }: ProgressAt, work: (show: ProgressShow) => Promise<T>): Promise<T> {
  const progress = new ProgressShow(context, "upload");
  try {
    return await work(progress);
  } catch (error) {
    progress.end();
    throw progress.share === undefined ? error : withWayOn(context, signal, error, `stopped at ${progress.share} %: ${GOES_ON}`);
  } finally {
    progress.end();
  }
}

export interface ProgressAt {
  readonly context: Context;
  /** Of the command. */
  readonly signal: AbortSignal;
}
