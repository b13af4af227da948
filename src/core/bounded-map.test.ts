import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedMap } from "./bounded-map.ts";

test("the oldest goes when room is needed, and is given back", () => {
  const map = new BoundedMap<string, number>(2);
  const add = (key: string, value: number): number | undefined => {
    const gone = map.makeRoom();
    map.set(key, value);
    return gone;
  };
  expect([add("a", 1), add("b", 2), add("c", 3), add("d", 4)]).toEqual([undefined, undefined, 1, 2]);
  expect([...map]).toEqual([
    ["c", 3],
    ["d", 4],
  ]);
});

test("without room for one there is room for one", () => {
  const map = new BoundedMap<string, number>(0);
  expect(map.makeRoom()).toBeUndefined();
  map.set("a", 1);
  expect(map.makeRoom()).toBe(1);
});

test("it forgets what a map forgets whose first key is deleted, whatever is deleted and cleared in between", () => {
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ add: fc.nat(40) }) },
    { weight: 10, arbitrary: fc.record({ delete: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.constant({ clear: true }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const map = new BoundedMap<number, number>(capacity);
      const plain = new Map<number, number>();
      for (const [i, each] of steps.entries()) {
        if ("clear" in each) {
          map.clear();
          plain.clear();
        } else if ("delete" in each) expect(map.delete(each.delete)).toBe(plain.delete(each.delete));
        else {
          if (!plain.has(each.add)) {
            const oldest = plain.size >= capacity ? plain.keys().next().value! : undefined;
            expect(map.makeRoom()).toBe(oldest === undefined ? undefined : plain.get(oldest));
            if (oldest !== undefined) plain.delete(oldest);
          }
          map.set(each.add, i);
          plain.set(each.add, i);
        }
        expect([...map]).toEqual([...plain]);
      }
    }),
  );
});
