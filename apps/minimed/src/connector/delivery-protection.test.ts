import { fromHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { protect } from "../idd/protection.ts";
import { DeliveryProtection } from "./delivery-protection.ts";

const content = fromHex("fc0300709914fa");

describe("values of the insulin delivery service", () => {
  test("without protection are what they are", () => {
    expect(new DeliveryProtection().open("iddStatusReader", content)).toEqual(content);
  });
  test("with it lose counter and CRC; counters run by characteristic, and 1 follows 255", () => {
    const protection = new DeliveryProtection();
    protection.isOn = true;
    for (const counter of [254, 255, 1, 2]) expect(protection.open("iddStatusReader", protect(content, counter))).toEqual(content);
    expect(protection.open("iddStatus", protect(content, 9))).toEqual(content);
    expect(protection.open("iddStatusReader", protect(content, 3))).toEqual(content);
  });
  test.each([
    ["the last one again", 5, 5],
    ["one left out", 5, 7],
    ["one of before", 5, 4],
    ["0, which no counter is", 255, 0],
  ])("a counter out of order is refused: %s; the next one is measured by it", (_name, first, wrong) => {
    const protection = new DeliveryProtection();
    protection.isOn = true;
    protection.open("iddStatusReader", protect(content, first));
    expect(() => protection.open("iddStatusReader", protect(content, wrong))).toThrow(
      expect.objectContaining({ code: "ERR_PUMP_DATA", problem: "counter" }),
    );
    expect(protection.open("iddStatusReader", protect(content, wrong + 1))).toEqual(content);
  });
  test("what is damaged, or too short for counter and CRC, says so", () => {
    const protection = new DeliveryProtection();
    protection.isOn = true;
    const damaged = protect(content, 1);
    damaged[3] = damaged[3]! ^ 1;
    protection.open("iddStatus", protect(content, 7));
    expect(() => protection.open("iddStatus", damaged)).toThrow(expect.objectContaining({ problem: "crc" }));
    expect(protection.open("iddStatus", protect(content, 9))).toEqual(content); // the damaged one had the counter between
    expect(() => protection.open("iddStatus", fromHex("ffff"))).toThrow(expect.objectContaining({ problem: "length" }));
    expect(() => protection.open("iddStatus", fromHex("01"))).toThrow(expect.objectContaining({ problem: "length" }));
    expect(() => new DeliveryProtection().open("iddStatus", fromHex("01"))).not.toThrow();
  });
});
