import { Uuid } from "jelling/core";
import type { GattClient } from "jelling/gatt";
import { expect, test } from "vitest";
import { PumpHandles } from "./pump-handles.ts";

const gattOf = (...services: [uuid: number, handle: number, endHandle: number][]): GattClient => {
  const found = services.map(([uuid, handle, endHandle]) => ({
    uuid: Uuid.from(uuid),
    handle,
    endHandle,
    characteristics: () => Promise.resolve([]),
  }));
  return { services: () => Promise.resolve(found) } as unknown as GattClient;
};

test("the handles of the Generic Attribute service are those behind its declaration, to its end", async () => {
  const handles = await PumpHandles.discover(gattOf([0x1800, 1, 9], [0x1801, 10, 13], [0x180a, 14, 20]), {});
  expect([9, 10, 11, 13, 14].map((handle) => handles.isGenericAttribute(handle))).toEqual([false, false, true, true, false]);
  expect(handles.services).toBe(3);
  const none = await PumpHandles.discover(gattOf([0x1800, 1, 9]), {});
  expect([1, 2, 9].map((handle) => none.isGenericAttribute(handle))).toEqual([false, false, false]);
});
