import { expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { BleArgumentError, BleOsError } from "../src/micropython/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { Instance } from "./support/micropython.ts";

// One packet between a host and its controller is lost: a command, an answer, an event. Whatever it is, every promise settles with an outcome or
// an error of ours, what was accepted is told the end of, and nothing is left waiting.

/** A sample: all of them were tried once, and take a second or two. */
const EVERY = 7;

/** All of GAP once. @returns packets between the central's host and its controller, and what was refused */
async function live(who: "central" | "peripheral", lost: number): Promise<{ packets: number; refused: string[] }> {
  await using air = new SimulatedAir({ traceCapacity: 0 });
  const central = new Instance(air, "central");
  const peripheral = new Instance(air, "peripheral");
  let packets = 0;
  (who === "central" ? central : peripheral).controller.onHciPacket(() => (packets++ === lost ? "drop" : undefined));
  const refused: string[] = [];
  const attempt = async <T>(method: string, promise: Promise<T>): Promise<T | undefined> => {
    try {
      return await promise;
    } catch (error) {
      if (!(error instanceof BleOsError) || error instanceof BleArgumentError) throw error;
      refused.push(`${method} ${error.code}`);
      return undefined;
    }
  };
  const count = (types: readonly string[], wanted: string): number => types.filter((type) => type === wanted).length;
  for (const { ble } of [central, peripheral]) while (!ble.active()) await attempt("active", ble.active(true));
  const { addrType, addr } = peripheral.ble.config("mac");
  await attempt("gapAdvertise", peripheral.ble.gapAdvertise(20_000, "data"));
  const scans =
    (await attempt(
      "gapScan",
      central.ble.gapScan(200, 30_000, 30_000, true).then(() => 1),
    )) ?? 0;
  await delay(air.clock, 300);
  const attempts =
    (await attempt(
      "gapConnect",
      central.ble.gapConnect(addrType, addr, 3000).then(() => 1),
    )) ?? 0;
  await delay(air.clock, 20_000);
  for (const { connHandle } of central.events.filter((event) => event.type === "peripheralConnect"))
    await attempt("gapDisconnect", central.ble.gapDisconnect(connHandle));
  await attempt("gapAdvertise", peripheral.ble.gapAdvertise(null));
  await delay(air.clock, 30_000);
  expect(count(central.types, "scanDone")).toBe(scans);
  const { types } = central;
  const outcomes =
    count(types, "peripheralConnect") + count(types.slice(0, types.indexOf("peripheralConnect") >>> 0), "peripheralDisconnect");
  expect(Math.min(1, outcomes)).toBe(attempts);
  for (const { ble } of [central, peripheral]) await attempt("close", ble.close());
  return { packets, refused };
}

test.each(["central", "peripheral"] as const)("each packet of a %s is lost in turn", async (who) => {
  const { packets, refused } = await live(who, -1);
  expect(refused).toEqual([]);
  expect(packets).toBeGreaterThan(30);
  for (let lost = 0; lost < packets; lost += EVERY) {
    try {
      await live(who, lost);
    } catch (error) {
      throw new Error(`packet ${lost} of ${packets}: ${String(error)}`, { cause: error });
    }
  }
});
