import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type PumpDemoOptions, type PumpDemoResult, runPumpDemo } from "./demo.ts";
import { formatTimelineEvent, type TimelineEvent } from "./timeline.ts";

async function run(options: Partial<PumpDemoOptions> = {}): Promise<PumpDemoResult & { events: TimelineEvent[]; packets: string[] }> {
  const events: TimelineEvent[] = [];
  const packets: string[] = [];
  const result = await runPumpDemo({
    out: (event) => events.push(event),
    capture: (direction, packet, timeMs) => packets.push(`${timeMs} ${direction} ${toHex(packet)}`),
    ...options,
  });
  return { ...result, events, packets };
}

describe("the demo", () => {
  test("pairs, reads, disconnects, reconnects, reads, and ends with the glucose and two handshakes", async () => {
    const { handshakes, readings, durationMs, events } = await run();
    expect(handshakes).toBe(2);
    expect(readings).toMatchObject([
      { kind: "reading", arrows: expect.any(Number) },
      { kind: "reading", arrows: expect.any(Number) },
    ]);
    expect(durationMs).toBeGreaterThan(5 * 60_000);
    const texts = events.map(({ text }) => text);
    const milestones = [
      "advertising FE82",
      "connected by",
      "paired by just works",
      "authenticated",
      "glucose: ",
      "advertising FE81",
      "authenticated",
      "glucose: ",
    ];
    let at = -1;
    for (const milestone of milestones) {
      at = texts.findIndex((text, i) => i > at && text.startsWith(milestone));
      expect(at, milestone).toBeGreaterThan(-1);
    }
    expect(texts.at(-3)).toMatch(/^glucose \d+ mg\/dL \(\d+\.\d mmol\/L\) [↑↓→]+, \d min old$/);
    expect(texts.at(-2)).toMatch(/^2 SAKE handshakes done in \d+ s of radio time$/);
  });

  test("tells it in order, by radio time, and names no device in full", async () => {
    const { events } = await run();
    const times = events.map(({ timeMs }) => timeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const text = events.map((event) => formatTimelineEvent(event)).join("\n");
    expect(text).not.toMatch(/\d{7}H|([0-9A-F]{2}:){5}/);
    expect(formatTimelineEvent(events[0]!)).toMatch(/^ {5}0\.000 s {2}user /);
    expect(formatTimelineEvent(events[0]!, { colour: true })).toContain("\u001b[36m");
  });

  test("the same seed gives the same packets twice, byte for byte and at the same times; another seed does not", async () => {
    const first = await run({ seed: 7 });
    const again = await run({ seed: 7 });
    const other = await run({ seed: 8 });
    expect(first.packets.length).toBeGreaterThan(300);
    expect(again.packets).toEqual(first.packets);
    expect(again.events).toEqual(first.events);
    expect(other.packets).not.toEqual(first.packets);
  });

  test("every seed comes through", async () => {
    for (let seed = 100; seed < 120; seed++) expect(await runPumpDemo({ out: () => {}, seed })).toMatchObject({ handshakes: 2 });
  });

  test("stops at once when it is aborted, wherever it is", async () => {
    const { events } = await run();
    for (const { timeMs } of events.filter((_, i) => i % 4 === 0)) {
      const controller = new AbortController();
      const out = (event: TimelineEvent): void => {
        if (event.timeMs >= timeMs) controller.abort(new Error("enough"));
      };
      await expect(runPumpDemo({ out, signal: controller.signal })).rejects.toThrow("enough");
    }
    await expect(runPumpDemo({ out: () => {}, signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
  });
});
