import { expect, test } from "vitest";
import { Uuid } from "../../core/uuid.ts";
import type { FoundCharacteristic, FoundDescriptor } from "./discovery.ts";
import { readStructure, type StructureAccess } from "./structure.ts";

const UUID = Uuid.from(0x2a19);
const DESCRIPTION = Uuid.from(0x2901);

test("a peer with as many attributes as there can be is looked through a few times, and not once for each of them", async () => {
  let looks = 0;
  const seen = <T extends { readonly handle: number }>(item: T): T =>
    Object.defineProperty({ ...item }, "handle", {
      get: () => {
        looks++;
        return item.handle;
      },
    });
  const count = 2000;
  const characteristics = Array.from(
    { length: count },
    (_, i): FoundCharacteristic => seen({ handle: 2 + 3 * i, valueHandle: 3 + 3 * i, properties: 2, uuid: UUID }),
  );
  const descriptors = Array.from({ length: count }, (_, i): FoundDescriptor => seen({ handle: 4 + 3 * i, uuid: DESCRIPTION }));
  const service = { handle: 1, endHandle: 0xffff, uuid: UUID };
  const discovery = {
    servicesIn: async (_range: unknown, type: number) => (type === 0x2800 ? [service] : []),
    valuesByType: async () => [],
    characteristics: async () => characteristics,
    descriptors: async () => descriptors,
  };
  const access = { discovery, values: {} } as unknown as StructureAccess;
  const [found] = await readStructure(access, { handle: 1, endHandle: 0xffff }, {});
  expect(looks).toBeLessThan(100 * count);
  expect(found!.characteristics).toHaveLength(count);
  expect(found!.characteristics.map((each) => each.descriptors.map(({ handle }) => handle - each.handle))).toEqual(
    Array.from({ length: count }, () => [2]),
  );
});
