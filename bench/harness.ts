import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isQuick, measure, tryRow } from "./measure.ts";
import { peersLacking, peersMissing } from "./peers.ts";
import type { Result, Row } from "./row.ts";
import { Table } from "./table.ts";

export type { Row, Simulated } from "./row.ts";

const MARK = "result ";
/** With another checkout each row is measured so often in either, in turn, since the machine's speed drifts. */
const TURNS = 3;

interface Choices {
  readonly parts: readonly string[];
  readonly isJson: boolean;
  readonly isMarkdown: boolean;
  readonly isList: boolean;
  /** Each row of those that share a process in one of its own. */
  readonly isAlone: boolean;
  /** Nothing is measured: each row does its work once, to see that it can. */
  readonly isOnce: boolean;
  /** The bundled benchmarks of another checkout. */
  readonly before: string | undefined;
  /** In a process that measures: these rows. */
  readonly own: readonly string[];
}

/**
 * Measures rows, each in a process of its own so that none profits or suffers from what the compiler learned of another (but those that
 * are measured together on purpose), and prints a table. Arguments select rows by a part of their name; `--json` prints results, one a line, `--markdown` tables of a page;
 * `--list` names the rows; `--once` tries them; `--before=FILE` is the bundled benchmarks of another checkout to measure beside them.
 */
export async function main(rows: readonly Row[], file: string): Promise<void> {
  const choices = choose(process.argv.slice(2));
  if (typeof choices === "string") return refuse(choices);
  const { parts, isJson, isMarkdown, isList, isAlone, isOnce, before, own } = choices;
  if (own.length > 0) return await measureHere(rows, own, choices);
  const unknown = parts.find((part) => !rows.some(({ name }) => name.includes(part)));
  if (unknown !== undefined)
    return refuse(`no row has "${unknown}" in its name. The rows are:\n${rows.map(({ name }) => name).join("\n")}`);
  const selected = rows.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
  if (isList) return list(selected);
  const lacking = peersLacking(selected);
  if (lacking !== undefined) return refuse(lacking);
  if (isOnce) return await tryAll(selected, fileURLToPath(file));
  const shown = withCeilings(rows, selected);
  const missing = peersMissing(shown);
  if (missing) console.error(missing);
  const table = new Table(shown, isMarkdown);
  for (const batch of batches(shown, isAlone)) {
    const turns = before === undefined ? 1 : TURNS;
    const now: Result[][] = [];
    const then: Result[][] = [];
    for (let turn = 0; turn < turns; turn++) {
      const results = inProcess(fileURLToPath(file), batch, isAlone);
      if (!results) return refuse(`the measurement failed: ${batch.map(({ name }) => name).join("; ")}`, 1);
      now.push(results);
      const others = before === undefined ? undefined : inProcess(before, batch, isAlone);
      if (others) then.push(others);
    }
    for (const row of batch) {
      const result = middle(now, row.name)!;
      const ratio = ratioOf(result, middle(then, row.name));
      if (isJson) console.log(JSON.stringify(ratio === undefined ? result : { ...result, beforeRatio: ratio }));
      else table.print(row, result, ratio);
    }
  }
}

function choose(args: readonly string[]): Choices | string {
  const flags = args.filter((argument) => argument.startsWith("--"));
  const values = (flag: string): string[] => flags.filter((text) => text.startsWith(`${flag}=`)).map((text) => text.slice(flag.length + 1));
  const unknown = flags.find((flag) => !/^(--json|--markdown|--list|--alone|--once|--before=.+|--row=.+)$/.test(flag));
  if (unknown !== undefined)
    return `unknown option ${unknown}. Options: --json, --markdown, --list, --alone, --once, --before DIR; whatever else is given is a part of a row's name`;
  return {
    parts: args.filter((argument) => !argument.startsWith("--")),
    isJson: flags.includes("--json"),
    isMarkdown: flags.includes("--markdown"),
    isList: flags.includes("--list"),
    isAlone: flags.includes("--alone"),
    isOnce: flags.includes("--once"),
    before: values("--before")[0],
    own: values("--row"),
  };
}

function refuse(why: string, exitCode = 2): void {
  console.error(`bench: ${why}`);
  process.exitCode = exitCode;
}

function list(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, unit, goal } of rows) console.log(`${name.padEnd(width)}  ${goal === undefined ? unit : `${unit}, goal ${goal}`}`);
}

async function measureHere(rows: readonly Row[], names: readonly string[], { isAlone, isOnce }: Choices): Promise<void> {
  const own = names.map((name) => rows.find((row) => row.name === name));
  if (own.includes(undefined)) return refuse(`there is no row ${names.find((_, i) => own[i] === undefined)} in this checkout`);
  if (isOnce) await tryRow(own[0]!);
  else for (const result of await measure(own as Row[], isAlone)) console.log(MARK + JSON.stringify(result));
  process.exit(0); // whatever a scenario left running
}

/** Each in a process of its own, as they are measured, as many at a time as there are processors. */
async function tryAll(rows: readonly Row[], file: string): Promise<void> {
  const quick = rows.filter(isQuick);
  const waiting = [...quick];
  const failed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let row = waiting.shift(); row; row = waiting.shift()) {
      const child = spawn(process.execPath, [...process.execArgv, file, `--row=${row.name}`, "--once"], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [status] = (await once(child, "close")) as [number | null];
      if (status !== 0) failed.push(row.name);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  console.log(
    `${quick.length - failed.length} of ${quick.length} rows did their work once; ${rows.length - quick.length} that take seconds were left out`,
  );
  if (failed.length > 0) refuse(`these did not: ${failed.join("; ")}`, 1);
}

/** The rows, and before each the one that it cannot exceed. */
function withCeilings(all: readonly Row[], selected: readonly Row[]): Row[] {
  const shown = new Set<Row>();
  for (const row of selected) {
    const ceiling = all.find(({ name }) => name === row.ceiling);
    if (ceiling) shown.add(ceiling);
    shown.add(row);
  }
  return [...shown];
}

/** Rows of one process each. */
function batches(rows: readonly Row[], isAlone: boolean): Row[][] {
  const made: Row[][] = [];
  const shared = new Map<object, Row[]>();
  for (const row of rows) {
    const batch = "together" in row && !isAlone ? shared.get(row.together) : undefined;
    if (batch) batch.push(row);
    else made.push([row]);
    if (!batch && "together" in row) shared.set(row.together, made.at(-1)!);
  }
  return made;
}

/** Undefined where a row is not there or failed, which it has told on standard error. */
function inProcess(file: string, rows: readonly Row[], isAlone: boolean): Result[] | undefined {
  const flags = rows.some((row) => "fill" in row) ? ["--expose-gc"] : [];
  const { stdout, status } = spawnSync(
    process.execPath,
    [...process.execArgv, ...flags, file, ...rows.map(({ name }) => `--row=${name}`), ...(isAlone ? ["--alone"] : [])],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = stdout.split("\n").filter((text) => text.startsWith(MARK));
  return status === 0 && lines.length > 0 ? lines.map((line) => JSON.parse(line.slice(MARK.length)) as Result) : undefined;
}

/** Of the measurements of one row the one in the middle. */
function middle(turns: readonly Result[][], name: string): Result | undefined {
  const results = turns.flatMap((results) => results.filter((result) => result.name === name));
  return results.toSorted((a, b) => a.rate - b.rate)[results.length >> 1];
}

/** Undefined too for what has no rate. A checkout that counts by the wall alone is compared by it. */
function ratioOf(now: Result, then: Result | undefined): number | undefined {
  if (!then || now.memory) return undefined;
  const isOfWall = then.wallRate === undefined && now.wallRate !== undefined;
  return isOfWall ? now.wallRate! / then.rate : now.rate / then.rate;
}
