import type { Row } from "./row.ts";

/** The folder outside the project where other hosts are installed. */
export const PEERS = process.env.JELLING_BENCH_PEERS || undefined;

/** The leading JavaScript host. */
export const NOBLE = "@stoprocent/noble";

/** What to say where rows go without their peer. */
export function peersMissing(rows: readonly Row[]): string | undefined {
  const packages = new Set(rows.flatMap(({ peer }) => peer ?? []));
  if (PEERS || packages.size === 0) return undefined;
  return `No other host is measured beside this one. To have it:
  npm install --prefix /tmp/peers ${[...packages].join(" ")} && export JELLING_BENCH_PEERS=/tmp/peers`;
}
