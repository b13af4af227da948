import { describe, expect, test } from "vitest";
import { strikeEveryPacket, watchUnhandled } from "./faults.ts";

const unhandled = watchUnhandled();

describe("one packet between host and controller, each in turn", () => {
  test.each(["phone-drop", "phone-corrupt", "pump-drop", "pump-corrupt"] as const)(
    "%s: it ends well or in a typed error; nothing waits for ever, nothing is left behind",
    async (point) => {
      const outcomes = await strikeEveryPacket(point);
      expect(outcomes.filter(({ handshakes, errors }) => handshakes === 2 && errors.length === 0).length).toBeGreaterThan(100);
      expect(unhandled).toEqual([]);
    },
    600_000,
  );
});
