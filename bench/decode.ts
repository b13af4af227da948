import { mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCapture } from "./capture.ts";
import { commandCost, commandPeakMiB, isInstalled } from "./child.ts";
import { builtCommand } from "./command.ts";
import type { CostRow, Costs } from "./row.ts";

/** A scan beside a link; see capture.ts. */
const PACKETS = 1_000_000;
/** Of which as many follow each other in the file. */
const PIECE = 20_000;
/** Octets of a btsnoop file before its records. */
const HEADER_OCTETS = 16;
const TSHARK = process.env.TSHARK ?? "tshark";

/** The same packets again and again, so that it is made in no time. */
async function writeCapture(path: string): Promise<void> {
  const piece = await makeCapture(PIECE, "btsnoop");
  const file = openSync(path, "w");
  for (let i = 0; i < PACKETS / PIECE; i++) writeSync(file, i === 0 ? piece : piece.subarray(HEADER_OCTETS));
}

export const decodeRows: readonly CostRow[] = [
  {
    name: "decode: a capture of 1,000,000 packets",
    unit: "run",
    goal: "1.5 ×, 160 MiB",
    program: "tshark",
    costs: async () => {
      const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
      try {
        const capture = join(folder, "capture.btsnoop");
        await writeCapture(capture);
        const jelling = [...(await builtCommand()), "decode", capture];
        const tshark = [TSHARK, "-r", capture];
        const own = commandCost(jelling, { status: 0 });
        const beside: Costs["beside"] = isInstalled(TSHARK)
          ? [{ ...commandCost(tshark, { status: 0 }), name: "tshark -r", role: "base" }]
          : [];
        const peakMiB = await commandPeakMiB(jelling);
        return { ...own, ...(peakMiB !== undefined && { peakMiB }), beside };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
];
