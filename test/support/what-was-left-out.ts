import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** For the whole run: has a folder for it, collects there what tests leave out, and says it last. */
export default function setup(): (() => void) | undefined {
  if (process.env.JELLING_LEFT_OUT) return undefined; // every project has this setup, and one is enough
  const folder = mkdtempSync(join(tmpdir(), "jelling-tests-"));
  const file = join(folder, "left-out");
  writeFileSync(file, "");
  process.env.JELLING_LEFT_OUT = file;
  return () => {
    const lines = summary(readFileSync(file, "utf8"));
    rmSync(folder, { recursive: true });
    // On standard error: a reporter may write a file to standard output.
    process.stderr.write(lines.length === 0 ? "Left out: nothing.\n" : `Left out:\n${lines.map((line) => `  - ${line}\n`).join("")}`);
  };
}

/** One line for each kind of thing. */
function summary(text: string): string[] {
  const kinds = new Map<string, { count: number; total: number }>();
  for (const line of text.split("\n").filter(Boolean)) {
    const { what, count, total } = JSON.parse(line) as { what: string; count: number; total: number };
    const kind = kinds.get(what) ?? { count: 0, total: 0 };
    kinds.set(what, { count: kind.count + count, total: kind.total + total });
  }
  return [...kinds]
    .map(([what, { count, total }]) => (total === 0 ? what : `${count} of ${total} ${what} (JELLING_ROBUSTNESS=full tries all)`))
    .sort();
}
