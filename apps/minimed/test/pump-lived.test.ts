import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { formatLocal } from "../src/data/date-time.ts";
import { decodeHistoryRecord } from "../src/history/record.ts";
import { decodeAnnunciationStatus } from "../src/idd/annunciation-status.ts";
import { decodeIddStatus, encodeIddStatus } from "../src/idd/status.ts";
import { decodeStatusReaderResponse } from "../src/idd/status-reader.ts";
import { PumpMonitor } from "../src/live/monitor.ts";
import { encodeAnnunciationStatus } from "../src/simulator/encode/annunciation-status.ts";
import {
  encodeActiveBasalRate,
  encodeDeliveredInsulin,
  encodeTherapyAlgorithmStates,
  encodeTimeInRange,
} from "../src/simulator/encode/status-reader.ts";
import type { SimulatedPump } from "../src/simulator/simulated-pump.ts";
import { Scenario } from "./scenario.ts";

// A pump in its life, read by the connector: what is read is what the pump has.

const PLAIN = { e2e: false };
const HOUR_MS = 3_600_000;

/** Reads everything; each value is compared with what the pump has at that moment. */
async function compareAll(session: PumpSession, pump: SimulatedPump): Promise<void> {
  const { delivery } = pump;
  expect(await session.readStatus()).toEqual(decodeIddStatus(encodeIddStatus(delivery.status()), PLAIN));
  expect(await session.readAnnunciation()).toEqual(decodeAnnunciationStatus(encodeAnnunciationStatus(delivery.annunciation()), PLAIN));
  expect(await session.readTherapy()).toEqual(decodeStatusReaderResponse(encodeTherapyAlgorithmStates(delivery.therapy()), PLAIN));
  expect(await session.readBasalRate()).toEqual(decodeStatusReaderResponse(encodeActiveBasalRate(delivery.basalRate()), PLAIN));
  expect(await session.readTimeInRange()).toEqual(decodeStatusReaderResponse(encodeTimeInRange(delivery.timeInRange()), PLAIN));
  expect((await session.readInsulinOnBoard())!.insulinOnBoardIu).toBeCloseTo(delivery.insulinOnBoard(), 1);
  const delivered = decodeStatusReaderResponse(encodeDeliveredInsulin(delivery.deliveredInsulin()), PLAIN) as { bolusIu: number };
  expect((await session.readDeliveredInsulin())!.bolusIu).toBeCloseTo(delivered.bolusIu, 1);
  expect((await session.readTotalDailyInsulin())!.basalIu).toBeCloseTo(delivery.dailyInsulin().basalIu, 1);
  expect((await session.readBoluses())!.map(({ bolusId }) => bolusId)).toEqual(
    delivery.boluses().map(({ programmed }) => programmed.bolusId),
  );
  expect(await session.readMaximumBolus()).toBe(delivery.maximumBolusIu);
  for (const type of ["high", "low"] as const) expect((await session.readHighLowSettings(type))!.blocks).toEqual(delivery.limits(type));
  expect(await session.readCounter("warranty", "elapsed")).toBe(delivery.counterMinutes(0x33, 0x33));
  expect(await session.readBattery()).toBe(pump.batteryPercent);
  const clock = await session.readClock();
  expect(formatLocal(clock!).slice(0, 16)).toBe(formatLocal(pump.now).slice(0, 16));
  const { sensor } = pump;
  const latest = await session.readLatest();
  if (!sensor) {
    expect(latest.kind).toBe("no-sensor");
    expect(await session.readTransmitterBattery()).toBeUndefined();
    return;
  }
  const mgdl = sensor.glucoseAt(sensor.latestOffsetMin);
  expect(latest).toMatchObject({ timeOffsetMin: sensor.latestOffsetMin, ...(mgdl > 0 ? { kind: "reading", mgdl } : { kind: "no-value" }) });
  expect((await session.readCgmStatus())!.timeOffsetMin).toBe(sensor.latestOffsetMin);
}

async function compareHistory(session: PumpSession, pump: SimulatedPump, newest: number): Promise<void> {
  const bounds = (await session.historyBounds())!;
  expect(bounds).toEqual({ count: pump.history.count, first: pump.history.first, last: pump.history.last });
  const first = bounds.last - newest;
  const received = new Map<number, string>();
  for await (const page of session.history({ first, last: bounds.last }))
    for (const { record, bytes } of page.records) received.set(record.sequenceNumber, toHex(bytes));
  for (let number = first; number <= bounds.last; number++) {
    const bytes = pump.history.record(number);
    expect(received.get(number)).toBe(bytes && toHex(bytes));
  }
}

describe.each([
  ["as it is", {}],
  ["with protection", { e2eProtection: true }],
  ["with the smallest MTU", { mtu: 23 }],
])("a pump in its life, %s", (_name, options) => {
  test("every value that is read is what it has, and every record what it recorded", async () => {
    await using scenario = await Scenario.open({ seed: 4, traceCapacity: 0, pump: options });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    for (let round = 0; round < 3; round++) {
      await compareAll(session, scenario.pump);
      await scenario.air.advance(3 * HOUR_MS + 7 * 60_000);
    }
    await compareHistory(session, scenario.pump, 300);
    expect(session.ended).toBeUndefined();
  });
});

test("at every moment of a bolus, of a set change and of an alarm it is told as it is", async () => {
  await using scenario = await Scenario.open({ seed: 4, traceCapacity: 0, pump: { historyDays: 0 } });
  await using connector = await scenario.connector();
  const { session } = await scenario.pair(connector);
  const { pump } = scenario;
  const seen = new Set<string>();
  for (let minute = 0; minute < 14 * 60; minute++) {
    await scenario.air.advance(60_000);
    const state = [
      pump.delivery.boluses().length > 0 && "bolus",
      pump.delivery.status().therapyControlState === 0x33 && `stopped ${pump.delivery.status().operationalState}`,
      pump.delivery.annunciation() && "alarm",
    ].filter((each) => each !== false && each !== undefined);
    const key = state.join(" ");
    if (key === "" || seen.has(key)) continue;
    seen.add(key);
    const status = await session.readStatus();
    expect(status).toMatchObject({ therapyControlState: pump.delivery.status().therapyControlState === 0x33 ? "stop" : "run" });
    const alarm = pump.delivery.annunciation();
    expect((await session.readAnnunciation())?.code).toBe(alarm?.code);
  }
  expect(seen.size).toBeGreaterThan(1);
});

test("a day of a connected pump, followed by a monitor: each reading is told within a minute, and nothing is left over", async () => {
  await using scenario = await Scenario.open({ seed: 9, traceCapacity: 0 });
  await using connector = await scenario.connector();
  const waiting = connector.session({ timeoutMs: 120_000 });
  await scenario.pump.pairNewPhone();
  await waiting;
  await using monitor = new PumpMonitor(connector);
  const { pump } = scenario;
  let late = 0;
  for (let step = 0; step < 3 * 12; step++) {
    await scenario.air.advance(5 * 60_000);
    const told = monitor.state.values.glucose?.value;
    const { sensor } = pump;
    const offset = told && told.kind !== "no-sensor" ? told.timeOffsetMin : -1;
    if (offset !== (sensor?.latestOffsetMin ?? -1)) late++;
  }
  // A sample that falls into the seconds before the look has not been read yet.
  expect(late).toBeLessThanOrEqual(2);
  const { status, insulinOnBoard } = monitor.state.values;
  expect(status?.value).toMatchObject({ operationalState: "ready" });
  expect(scenario.clock.now() - insulinOnBoard!.atMs).toBeLessThan(6 * 60_000); // it wears off without a word of the pump
  const record = decodeHistoryRecord(pump.history.record(pump.history.last!)!, PLAIN);
  expect(record.problem).toBeUndefined();
});
