import { expect, test } from "vitest";
import { SeededRandom } from "../core/index.ts";
import { encodeEvent, NumberOfCompletedPackets } from "../hci/index.ts";
import { CompletedPackets } from "./completed-packets.ts";

test("what is done is told by connection, in the order in which the first packet of each was done", () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 200; round++) {
    const completed = new CompletedPackets();
    const plain = new Map<number, number>();
    for (let i = random.uint32() % 40; i > 0; i--) {
      const handle = [1, 2, 0x0102, 0x0eff][random.uint32() % 4]!;
      if (random.uint32() % 8 === 0) {
        completed.forget(handle);
        plain.delete(handle);
      } else if (random.uint32() % 20 === 0) {
        completed.clear();
        plain.clear();
      } else {
        plain.set(handle, (plain.get(handle) ?? 0) + 1);
        expect(completed.add(handle)).toBe(plain.get(handle));
      }
    }
    expect(completed.size).toBe(plain.size);
    const handles = [...plain].map(([connectionHandle, numCompletedPackets]) => ({ connectionHandle, numCompletedPackets }));
    expect(completed.event()).toEqual(encodeEvent(NumberOfCompletedPackets, { handles }));
  }
});
