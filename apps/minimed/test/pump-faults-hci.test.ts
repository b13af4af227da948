import { describe, expect, test } from "vitest";
import { strikePackets, watchUnhandled } from "./faults.ts";

const unhandled = watchUnhandled();

describe("one packet between host and controller, each in turn", () => {
  test.each(["phone-drop", "phone-corrupt", "phone-delay", "pump-drop", "pump-corrupt", "pump-delay"] as const)(
    "%s: it ends well or in a typed error; nothing waits for ever, nothing is left behind",
    async (point) => {
      const outcomes = await strikePackets(point);
      const good = outcomes.filter(({ handshakes, errors }) => handshakes === 2 && errors.length === 0);
      expect(good.length).toBeGreaterThan(outcomes.length / 10); // one fault is not the end of everything
      expect(unhandled).toEqual([]);
    },
    3_600_000,
  );
});
