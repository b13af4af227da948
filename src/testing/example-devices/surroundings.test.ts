import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { SeededRandom } from "../../core/index.ts";
import { Device } from "../../device/index.ts";
import { exampleDevicesOf, openInSurroundings } from "./surroundings.ts";

const SCAN_MS = 3000;

/** A program's device on `sim:` and what follows. */
async function program(clock: VirtualClock, spec: string): Promise<Device> {
  return await Device.open(await openInSurroundings(spec, { clock }), { clock, random: new SeededRandom(1, spec) });
}

async function namesAround(device: Device, clock: VirtualClock): Promise<string[]> {
  const names = new Set<string>();
  const stop = new AbortController();
  using _ = clock.setTimer(SCAN_MS, "scan", () => stop.abort());
  try {
    for await (const { name } of device.scan({ signal: stop.signal })) if (name) names.add(name);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return [...names].sort();
}

describe("sim:", () => {
  test.each([
    ["", ["Echo", "Heart Rate", "Thermometer"]],
    ["empty", []],
    ["battery", ["Battery"]],
    ["battery, echo", ["Battery", "Echo"]],
  ])("sim:%s has %j around it", async (spec, names) => {
    const clock = new VirtualClock();
    await using device = await program(clock, spec);
    expect(await namesAround(device, clock)).toEqual(names);
  });

  test("two programs' devices share one air and its devices; with the last of them all is gone", async () => {
    const clock = new VirtualClock();
    const first = await program(clock, "");
    const second = await program(clock, "battery");
    expect(await namesAround(second, clock)).toEqual(["Battery", "Echo", "Heart Rate", "Thermometer"]);
    await first.close();
    expect(await namesAround(second, clock)).toEqual(["Battery", "Echo", "Heart Rate", "Thermometer"]);
    await second.close();
    await clock.advance(SCAN_MS);
    expect(clock.pending).toEqual([]); // no timer keeps a process alive
    await using third = await program(clock, "empty");
    expect(await namesAround(third, clock)).toEqual([]);
  });

  test("a heart rate is there to be subscribed to, and what wants pairing pairs", async () => {
    const clock = new VirtualClock();
    await using device = await program(clock, "");
    for await (const { address } of device.scan({ services: ["180D"] })) {
      await using connection = await device.connect(address);
      const heartRate = await connection.gatt.characteristic("180D", "2A37");
      for await (const value of heartRate.notifications()) {
        expect(value[1]).toBeGreaterThan(50);
        break;
      }
      break;
    }
    for await (const { address } of device.scan({ name: "Echo" })) {
      await using connection = await device.connect(address);
      await connection.pair();
      expect(connection.security.encrypted).toBe(true);
      break;
    }
  });

  test("a word that is no device is refused with those that are", async () => {
    expect(() => exampleDevicesOf("toaster")).toThrow(
      'transport "sim:toaster": "toaster" is no simulated device: expected one of heart-rate, thermometer, battery, echo, empty',
    );
    await expect(openInSurroundings("echo,toaster")).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "unknown-spec" });
  });
});
