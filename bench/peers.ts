import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { isInstalled } from "./child.ts";
import type { Row } from "./row.ts";

/** The folder outside the project where other hosts are installed. */
export const PEERS = process.env.JELLING_BENCH_PEERS || undefined;

/** The leading JavaScript host. */
export const NOBLE = "@stoprocent/noble";

/** What to say where rows go without what they could stand beside. */
export function peersMissing(rows: readonly Row[]): string | undefined {
  const packages = new Set(PEERS ? [] : rows.flatMap(({ peer }) => peer ?? []));
  const programs = new Set(rows.flatMap(({ program }) => (program === undefined || isInstalled(program) ? [] : program)));
  const said = [...programs].map((program) => `${program} is not measured beside this: it is not installed (apt-get install ${program}).`);
  if (packages.size > 0)
    said.push(`No other host is measured beside this one. To have it:
  npm install --prefix /tmp/peers ${[...packages].join(" ")} && export JELLING_BENCH_PEERS=/tmp/peers`);
  return said.length === 0 ? undefined : said.join("\n");
}

/** What to say where the folder is named, and lacks what rows stand beside. */
export function peersLacking(rows: readonly Row[], folder = PEERS): string | undefined {
  if (folder === undefined) return undefined;
  const require = createRequire(join(resolve(folder), "package.json"));
  const isThere = (name: string): boolean => {
    try {
      return require.resolve(name) !== "";
    } catch {
      return false;
    }
  };
  const lacking = [...new Set(rows.flatMap(({ peer }) => peer ?? []))].filter((name) => !isThere(name)).join(" ");
  if (lacking === "") return undefined;
  return `JELLING_BENCH_PEERS: ${folder} has no ${lacking}. To have it there:
  npm install --prefix ${folder} ${lacking}`;
}
