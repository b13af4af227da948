import fc from "fast-check";
import { expect, test } from "vitest";
import type { AdvertisingData } from "../gap/advertising-data.ts";
import { CaptureDecoder, packetLine } from "./index.ts";
import { RecentOctets } from "./recent-octets.ts";

test("gives what was kept for the same octets, and nothing for any others", () => {
  const recent = new RecentOctets<string>();
  const kept = new Map<string, string>();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const name = octets.join();
      const known = recent.get(octets);
      if (known !== undefined) expect(known).toBe(kept.get(name));
      kept.set(name, `what ${name} is`);
      expect(recent.keep(octets, `what ${name} is`)).toBe(`what ${name} is`);
      expect(recent.get(octets.slice())).toBe(`what ${name} is`);
      if (octets.length > 0) expect(recent.get(octets.subarray(1))).not.toBe(`what ${name} is`);
    }),
  );
});

test("octets that change afterwards are others", () => {
  const recent = new RecentOctets<string>();
  const octets = Uint8Array.of(2, 1, 6);
  recent.keep(octets, "flags");
  octets[2] = 4;
  expect(recent.get(octets)).toBeUndefined();
  expect(recent.get(Uint8Array.of(2, 1, 6))).toBe("flags");
});

test("an empty text is kept, too, and long octets are not", () => {
  const recent = new RecentOctets<string>();
  recent.keep(new Uint8Array(0), "");
  expect(recent.get(new Uint8Array(0))).toBe("");
  recent.keep(new Uint8Array(255), "kept");
  recent.keep(new Uint8Array(256), "not kept");
  expect(recent.get(new Uint8Array(255))).toBe("kept");
  expect(recent.get(new Uint8Array(256))).toBeUndefined();
});

test("what a packet holds is its own, however often the same advertising data came", () => {
  const data = [2, 1, 6, 4, 9, 0x41, 0x42, 0x43];
  const packet = Uint8Array.of(4, 0x3e, 12 + data.length, 2, 1, 0, 1, 1, 2, 3, 4, 5, 0xc0, data.length, ...data, 0xc4);
  const decoder = new CaptureDecoder();
  const decode = () =>
    decoder.decode({ direction: "controller-to-host", packet: packet.slice(), timeMs: 0, originalLength: packet.length, drops: 0 });
  const dataOf = ({ fields }: ReturnType<typeof decode>) => (fields.reports as { data: AdvertisingData }[])[0]!.data;
  const [first, second] = [decode(), decode()];
  expect(packetLine(first, 0)).toContain('data={flags=0x06 (general discoverable, no BR/EDR) name="ABC"}');
  expect(dataOf(second)).not.toBe(dataOf(first));
  dataOf(first).bytes[5] = 0x5a;
  expect(packetLine(second, 0)).toContain('name="ABC"');
  expect(packetLine(decode(), 0)).toContain('name="ABC"');
  expect(dataOf(second).name).toBe("ABC");
});

test("the problems of advertising data are told at each of the packets that have it", () => {
  const packet = Uint8Array.of(4, 0x3e, 14, 2, 1, 0, 1, 1, 2, 3, 4, 5, 0xc0, 2, 9, 9, 0xc4);
  const decoder = new CaptureDecoder();
  const record = { direction: "controller-to-host", packet, timeMs: 0, originalLength: packet.length, drops: 0 } as const;
  const problem = "advertising data: AD structure at offset 0: its length says 9, 1 octets follow";
  expect([1, 2, 3].map(() => decoder.decode(record).malformed)).toEqual([problem, problem, problem]);
});
