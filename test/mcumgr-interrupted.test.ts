import { describe, expect, test } from "vitest";
import { type Counts, countsOf, interrupted, MODES, MODES_OF_DEVICE, STRIKES } from "./support/mcumgr-interrupted.ts";
import { TRANSPORTS } from "./support/mcumgr-worlds.ts";
import { samples } from "./support/samples.ts";

// An upgrade is struck once, at every packet in turn, at either end or between them.

/** Places that are tried of each transport and way to start an image, where not all are: those on air take the longest. */
const SAMPLES: Record<string, number> = { memory: 5, BLE: 1 };
const OTHER_SAMPLES = 3;

const memory = TRANSPORTS[0]!;
const rows = [
  ...TRANSPORTS.flatMap((transport) => MODES.map((mode) => ({ transport, mode }))),
  ...MODES_OF_DEVICE.map((mode) => ({ transport: memory, mode })),
].map((row) => ({ ...row, over: row.transport.name, by: row.mode.name }));

describe.each(rows)("over $over, $by", ({ transport, mode, over, by }) => {
  test("struck anywhere, the device starts something whole, and the next run completes", { timeout: 3_600_000 }, async () => {
    const counts: Counts = await countsOf(transport, mode);
    expect(counts.packets).toBeGreaterThan(15);
    const places = STRIKES.filter(({ only }) => only?.(transport) ?? true).flatMap((strike) =>
      Array.from({ length: counts[strike.at] }, (_, n) => ({ strike, n })),
    );
    const chosen = samples(
      { of: "places of firmware upgrades, each to be struck", at: `${over} ${by}` },
      places.length,
      SAMPLES[over] ?? OTHER_SAMPLES,
    );
    const wrong: string[] = [];
    for (const index of chosen) {
      const { strike, n } = places[index]!;
      await interrupted(transport, mode, strike, n).catch((error: unknown) => {
        wrong.push(`${strike.name}, ${strike.at} ${n} of ${counts[strike.at]}: ${error instanceof Error ? error.message : error}`);
      });
    }
    expect(wrong).toEqual([]);
  });
});
