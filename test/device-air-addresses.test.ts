import { describe, test } from "vitest";
import { isFull, leaveOut } from "./support/left-out.ts";
import { suite } from "./support/suite-air.ts";

// The scenarios once more, where no controller has a public address, as with every dongle whose maker gave it none.
suite.controller = { address: "00:00:00:00:00:00" };
describe("without public addresses", async () => {
  await import("./device-air.test.ts");
  if (!isFull) {
    test("the other scenarios", () => leaveOut("scenarios of GATT and pairing without public addresses"));
    return;
  }
  await import("./gatt-air.test.ts");
  await import("./gatt-trust.test.ts");
  await import("./smp-device.test.ts");
});
