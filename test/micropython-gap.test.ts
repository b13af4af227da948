import { expect, test } from "vitest";
import { connect, ORDERS, openTwo } from "./support/micropython.ts";

test.each(ORDERS)("two connect, one ends it, both hear of it; they connect again (%s)", async (order) => {
  await using two = await openTwo(order);
  const { central, peripheral } = two;
  for (const [who, at] of [
    [central, "c"],
    [peripheral, "p"],
  ] as const) {
    const handles = await connect(two);
    expect(await who.ble.gapDisconnect(handles[at])).toBe(true);
    await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
    expect(await who.ble.gapDisconnect(handles[at])).toBe(false);
  }
  const own = (types: string[]): string[] => types.filter((type) => !type.endsWith("Update"));
  expect(own(central.types)).toEqual(["peripheralConnect", "peripheralDisconnect", "peripheralConnect", "peripheralDisconnect"]);
  expect(own(peripheral.types)).toEqual(["centralConnect", "centralDisconnect", "centralConnect", "centralDisconnect"]);
});
