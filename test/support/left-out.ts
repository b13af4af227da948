import { appendFileSync } from "node:fs";

/** Tries everything instead of samples: set in CI, takes some minutes more. */
export const isFull = process.env.JELLING_ROBUSTNESS === "full";

/** Says at the end of the run what was not tested, and how to have it tested; of many things, how many of how many. */
export function leaveOut(what: string, count = 0, total = 0): void {
  // A file, since tests run in processes of their own; the global setup made it, and reads it at the end.
  const file = process.env.JELLING_LEFT_OUT;
  if (file) appendFileSync(file, `${JSON.stringify({ what, count, total })}\n`);
}
