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

const WHOLE = { handle: 1, endHandle: 0xffff };
const service = (handle: number, endHandle: number) => ({ handle, endHandle, uuid: UUID });

/** A peer that tells this, and nothing else. */
function peer(told: {
  primary: ReturnType<typeof service>[];
  includes?: { handle: number; value: Uint8Array }[];
  characteristics?: FoundCharacteristic[];
}): StructureAccess {
  const discovery = {
    servicesIn: async (_range: unknown, type: number) => (type === 0x2800 ? told.primary : []),
    valuesByType: async (_range: unknown, type: Uuid) => (type.short === 0x2802 ? (told.includes ?? []) : []),
    characteristics: async () => told.characteristics ?? [],
    descriptors: async () => [],
  };
  return { discovery, values: {} } as unknown as StructureAccess;
}

test.each<[string, Parameters<typeof peer>[0], string]>([
  [
    "an included service in the midst of another one",
    { primary: [service(1, 9)], includes: [include(2, 5, 7)] },
    "ends at 9, where another one is",
  ],
  [
    "a value behind its service",
    { primary: [service(1, 3)], characteristics: [{ handle: 2, valueHandle: 4, properties: 2, uuid: UUID }] },
    "characteristic 2 with its value outside its service",
  ],
  ["an include of five octets", { primary: [service(1, 3)], includes: [{ handle: 2, value: new Uint8Array(5).fill(1) }] }, "of 5 octets"],
  ["an include of no handle", { primary: [service(1, 3)], includes: [include(2, 0, 7)] }, "include declaration 2"],
  ["an include that ends before it begins", { primary: [service(1, 3)], includes: [include(2, 9, 8)] }, "include declaration 2"],
])("%s is a contradiction", async (_, told, problem) => {
  await expect(readStructure(peer(told), WHOLE, {})).rejects.toMatchObject({
    code: "ERR_ATT_PROTOCOL",
    message: expect.stringContaining(problem),
  });
});

test("services side by side are none", async () => {
  const found = await readStructure(peer({ primary: [service(1, 9), service(10, 0xffff)] }), WHOLE, {});
  expect(found.map(({ handle, endHandle }) => [handle, endHandle])).toEqual([
    [1, 9],
    [10, 0xffff],
  ]);
});

function include(handle: number, first: number, last: number): { handle: number; value: Uint8Array } {
  return { handle, value: Uint8Array.of(first, 0, last, 0, 0x0f, 0x18) };
}
