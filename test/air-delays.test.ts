import { expect, test } from "vitest";
import { LeAdvertisingReport, LeSetAdvertisingEnable } from "../src/hci/index.ts";
import { advertise, makeAir, makeHost, scan } from "./support/raw-pair.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

/** Advertisers that begin in the same instant; the microseconds between the events of each. */
async function intervals(seed: number, names: readonly string[]): Promise<Map<string, number[]>> {
  const { air, clock } = makeAir({ seed, idle: "simulate" });
  const hosts = await Promise.all(names.map(async (name) => (await makeHost(air, { name })).host));
  await Promise.all(hosts.map((host) => advertise(host, { interval: 32, type: 3 })));
  await clock.advance(1000);
  const found = new Map<string, number[]>();
  for (const name of names) {
    const entries = air.trace.entries.filter((entry) => entry.kind === "air" && entry.from === name && entry.channel === 37);
    const times = entries.map(({ timeUs }) => timeUs);
    found.set(
      name,
      times.slice(1).map((timeUs, i) => timeUs - times[i]!),
    );
  }
  air[Symbol.dispose]();
  return found;
}

test("advertisers that begin in the same instant drift apart: no two of 26 short names share their delays, with any seed", async () => {
  const all = new Set<string>();
  for (let seed = 0; seed < 8; seed++) {
    const found = await intervals(seed, LETTERS);
    for (const values of found.values()) {
      expect(values.length).toBeGreaterThan(30);
      for (const us of values) {
        expect(us).toBeGreaterThanOrEqual(20_000);
        expect(us).toBeLessThan(30_000); // advDelay, Vol 6 Part B 4.4.2.2.1
      }
      all.add(values.slice(0, 20).join());
    }
  }
  expect(all.size).toBe(8 * LETTERS.length);
});

test.each([0, 1, 2, 3, 4, 5, 6, 7])("a scanner hears both of two advertisers that begin in the same instant, seed %d", async (seed) => {
  const { air, clock } = makeAir({ seed });
  const { host: a, controller: first } = await makeHost(air, { name: "a" });
  const { host: b, controller: second } = await makeHost(air, { name: "b" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  await scan(scanner);
  await Promise.all([advertise(a, { type: 3 }), advertise(b, { type: 3 })]);
  await clock.advance(2000);
  const heard = scanner.all(LeAdvertisingReport).map(({ reports }) => reports[0]!.address.join());
  expect(new Set(heard)).toEqual(new Set([first.address.bytes.join(), second.address.bytes.join()]));
  air[Symbol.dispose]();
});

test("an advertiser draws other delays each time that it begins, whatever others did before", async () => {
  const run = async (others: number): Promise<string[]> => {
    const { air, clock } = makeAir({ idle: "simulate" });
    for (let i = 0; i < others; i++) {
      const { host } = await makeHost(air, { name: `other${i}` });
      await advertise(host);
      await host.command(LeSetAdvertisingEnable, { advertisingEnable: false });
    }
    const { host } = await makeHost(air, { name: "me" });
    const runs: string[] = [];
    for (let i = 0; i < 2; i++) {
      await advertise(host, { interval: 32, type: 3 });
      const startUs = air.nowUs;
      await clock.advance(500);
      await host.command(LeSetAdvertisingEnable, { advertisingEnable: false });
      const entries = air.trace.entries.filter(
        (entry) => entry.kind === "air" && entry.from === "me" && entry.channel === 37 && entry.timeUs >= startUs,
      );
      runs.push(entries.map(({ timeUs }) => timeUs - startUs).join());
    }
    air[Symbol.dispose]();
    return runs;
  };
  const [first, second] = await run(0);
  expect(first).not.toBe(second);
  expect(await run(3)).toEqual([first, second]);
});
