import { describe, expect, test } from "vitest";
import type { BleError } from "../src/core/index.ts";
import { type Fault, live, type Pairing, type Place } from "./support/life.ts";
import { samples } from "./support/samples.ts";

// The life of two devices in which one packet after the other is lost or falsified.

/**
 * Packets of each kind that are tried where not all are: those of legacy pairing cost little, the arithmetic of Secure Connections takes most
 * of the time.
 */
const SAMPLES: Record<Pairing, number> = { legacy: 12, "Secure Connections": 5 };

const undisturbed = { legacy: await live({ pairing: "legacy" }), "Secure Connections": await live({ pairing: "Secure Connections" }) };

describe.each<Pairing>(["legacy", "Secure Connections"])("with %s pairing", (pairing) => {
  test("undisturbed, everything is done", () => {
    expect(undisturbed[pairing].errors).toEqual([]);
    expect(undisturbed[pairing].steps.at(-1)).toBe("read the secret");
  });

  describe.each<Place>(["air", "phone HCI", "sensor HCI"])("packets at %s", (place) => {
    const kinds: Fault["kind"][] = place === "air" ? ["lose", "corrupt", "falsify"] : ["lose", "falsify"];
    test.each(kinds)(
      "%s: one after the other",
      async (kind) => {
        const outcomes = new Set<string>();
        const what = { of: `packets of two devices' life with ${pairing} pairing, each to be struck`, at: `${place} ${kind}` };
        for (const index of samples(what, undisturbed[pairing].counts[place], SAMPLES[pairing])) {
          const { steps, errors } = await live({ pairing, fault: { place, index, kind } }).catch((error: unknown) => {
            throw new Error(`packet ${index}: ${error}`, { cause: error });
          });
          outcomes.add(errors.length === 0 ? "done" : `${(errors[0] as BleError).message} after ${steps.at(-1)}`);
        }
        // What is lost on air is sent again, but for the one packet that makes a link.
        if (place === "air" && kind !== "falsify") expect([...outcomes].filter((outcome) => !outcome.includes("0x3e"))).toEqual(["done"]);
      },
      3_600_000,
    );
  });
});
