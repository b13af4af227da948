import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/index.ts";
import { SeededRandom } from "../core/index.ts";
import { Trace, traceLine } from "./trace.ts";
import type { HciTraceEntry, TraceEntry } from "./trace-entry.ts";

const hci = (hex: string, direction: HciTraceEntry["direction"] = "to-controller"): HciTraceEntry => ({
  kind: "hci",
  timeUs: 1_234_567,
  controller: "phone",
  direction,
  packet: fromHex(hex),
  fault: undefined,
});

test("a trace keeps the newest entries and counts what it dropped", () => {
  const trace = new Trace(3);
  const entries = Array.from({ length: 5 }, (_, i): TraceEntry => ({ ...hci("01030c00"), timeUs: i }));
  for (const entry of entries) trace.add(entry);
  expect(trace.entries.map(({ timeUs }) => timeUs)).toEqual([2, 3, 4]);
  expect(trace.dropped).toBe(2);
  trace.clear();
  expect([trace.entries, trace.dropped]).toEqual([[], 0]);
});

test("a trace without capacity still tells listeners, and is off without them", () => {
  const trace = new Trace(0);
  expect(trace.isOn).toBe(false);
  const seen: TraceEntry[] = [];
  const listening = trace.on((entry) => seen.push(entry));
  expect(trace.isOn).toBe(true);
  trace.add(hci("01030c00"));
  listening[Symbol.dispose]();
  expect([seen.length, trace.entries.length, trace.isOn]).toEqual([1, 0, false]);
});

test("one line a packet", () => {
  expect(traceLine(hci("01030c00"))).toBe("1.234567 hci phone > 01030c00");
  expect(traceLine({ ...hci("040e0401030c00", "to-host"), fault: "dropped" })).toBe("1.234567 hci phone < 040e0401030c00 dropped");
  expect(
    traceLine({
      kind: "air",
      timeUs: 5,
      from: "a",
      receivedBy: ["b", "c"],
      trouble: undefined,
      channel: 37,
      phy: 1,
      accessAddress: 0x8e89bed6,
      pdu: fromHex("0200"),
    }),
  ).toBe("0.000005 air a > b,c ch37 1M 8e89bed6 0200");
});

test.each([
  ["LE Enable Encryption", `0119201c0100${"00".repeat(10)}`, 16],
  ["LE Long Term Key Request Reply", "011a20120100", 16],
  ["LE Encrypt", "01172020", 16],
  ["Encryption Information", "02010015001100060006", 16],
  ["Identity Information", "02012015001100060008", 16],
  ["Signing Information", "0201201500110006000a", 16],
])("the key in %s is left out unless asked for", (_, before, length) => {
  const packet = hci(before + "ab".repeat(length));
  expect(traceLine(packet)).toBe(`1.234567 hci phone > ${before}${"00".repeat(length)}`);
  expect(traceLine(packet, { secrets: true })).toContain("ab".repeat(length));
});

test("text of a trace leaves keys out however they were cut, each controller and direction by itself", () => {
  const trace = new Trace(10);
  const key = "ab".repeat(16);
  trace.add(hci(`0201000700110006000${"8"}abab`));
  trace.add({ ...hci(`0201100e00${"ab".repeat(14)}`), controller: "watch" });
  trace.add(hci(`0201100e00${"ab".repeat(14)}`));
  trace.add(hci(`043e22 09 00 ${key}${key}`.replaceAll(" ", ""), "to-host"));
  trace.add(hci(`040e14011720 00${key}`.replaceAll(" ", ""), "to-host"));
  expect(trace.text()).not.toContain("ab");
  expect(trace.text({ secrets: true })).toContain(key);
});

/** All of an entry as one text, which compares faster than octet by octet. */
const digest = (entry: TraceEntry): string =>
  JSON.stringify(entry, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));

test("what was added comes back as it was, whatever becomes of it later, and in copies", () => {
  const random = new SeededRandom(1, "trace");
  const pick = <T>(values: readonly T[]): T => values[random.uint32() % values.length]!;
  const trace = new Trace(200);
  const added: TraceEntry[] = [];
  const told: TraceEntry[] = [];
  trace.on((entry) => told.push(entry));
  for (let i = 0; i < 600; i++) {
    const octets = new Uint8Array(i === 500 ? 70_000 : pick([0, 2, 27, 255, 700])).fill(i);
    const common = { timeUs: i * 1e6 + 0.5 };
    const entry: TraceEntry = pick([true, false])
      ? {
          kind: "hci",
          ...common,
          controller: pick(["phone", "pump"]),
          direction: pick(["to-controller", "to-host"] as const),
          packet: octets,
          fault: pick(["dropped", "corrupted", "delayed", undefined] as const),
        }
      : {
          kind: "air",
          ...common,
          from: pick(["phone", "pump"]),
          receivedBy: pick([[], ["pump"], ["phone", "pump"]]),
          trouble: pick(["lost", "collision", "unheard", "fault", undefined] as const),
          channel: pick([0, 36, 39]),
          phy: pick([1, 2, 3, 4] as const),
          accessAddress: pick([0x8e89bed6, 0xffff_ffff]),
          pdu: octets,
        };
    added.push({ ...entry, ...(entry.kind === "air" ? { pdu: octets.slice() } : { packet: octets.slice() }) });
    trace.add(entry);
    octets.fill(0xee);
  }
  expect(told.map(digest)).toEqual(added.map(digest));
  const kept = trace.entries;
  expect(kept.map(digest)).toEqual(added.slice(-200).map(digest));
  expect(trace.dropped).toBe(400);
  for (const entry of kept) (entry.kind === "air" ? entry.pdu : entry.packet).fill(0xdd);
  for (const entry of kept) if (entry.kind === "air") (entry.receivedBy as string[]).push("nobody");
  expect(trace.entries.map(digest)).toEqual(added.slice(-200).map(digest));
  trace.clear();
  trace.add(added[0]!);
  expect(trace.entries).toEqual([added[0]]);
});
