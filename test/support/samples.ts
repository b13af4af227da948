import { SeededRandom } from "../../src/core/random.ts";
import { isFull, leaveOut } from "./left-out.ts";

/** Another number draws other samples: the same ones on every machine. */
const SEED = Number(process.env.JELLING_SAMPLES ?? 1);

/**
 * Which of `total` things are tried, such as packets to be lost: all of them where JELLING_ROBUSTNESS=full is set, else so many, one from each
 * stretch of equal length. What is not tried is said at the end of the run.
 *
 * @param of names the things, "packets of a pump's session"; `at` says where or how, and draws others for another word
 */
export function samples({ of, at }: { of: string; at: string }, total: number, count: number): number[] {
  if (isFull || total <= count) return Array.from({ length: total }, (_, i) => i);
  leaveOut(of, total - count, total);
  const random = new SeededRandom(SEED, `${of} ${at}`);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * total) / count);
    const to = Math.floor(((i + 1) * total) / count);
    return from + Math.floor(random.unit() * (to - from));
  });
}
