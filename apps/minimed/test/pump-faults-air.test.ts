import { describe, expect, test } from "vitest";
import { runWithFault, strikePackets, watchUnhandled } from "./faults.ts";

const unhandled = watchUnhandled();

describe("one packet on the air, each in turn", () => {
  test("without a fault all goes through", async () => {
    expect(await runWithFault(undefined, -1)).toMatchObject({ handshakes: 2, errors: [] });
  });

  test.each(["air-lose", "air-corrupt"] as const)(
    "%s: it is sent again, and nobody notices",
    async (point) => {
      for (const outcome of await strikePackets(point)) expect(outcome).toMatchObject({ handshakes: 2, errors: [] });
      expect(unhandled).toEqual([]);
    },
    3_600_000,
  );

  test("air-forge: what arrives spoilt with a checksum that fits ends in a typed error or does no harm; nothing waits, nothing stays behind", async () => {
    const outcomes = await strikePackets("air-forge");
    expect(outcomes.some(({ handshakes }) => handshakes === 2)).toBe(true);
    expect(outcomes.some(({ errors }) => errors.length > 0)).toBe(true);
    expect(unhandled).toEqual([]);
  }, 3_600_000);
});
