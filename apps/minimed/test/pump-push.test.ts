import { fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { decodeHistoryRecord } from "../src/history/record.ts";
import { recordsOperand } from "../src/history/record-access.ts";
import { decodeIddStatusChanged } from "../src/idd/status-changed.ts";
import { DeliveryClient } from "./delivery-client.ts";
import { Scenario } from "./scenario.ts";

const bitsOf = (client: DeliveryClient): number[][] =>
  client.heard.filter(({ from }) => from === "statusChanged").map(({ bytes }) => [...decodeIddStatusChanged(bytes, { e2e: false }).bits]);
const lastField = (client: DeliveryClient): string => client.heard.findLast(({ from }) => from === "statusChanged")!.hex;
const newest = async (client: DeliveryClient): Promise<ReturnType<typeof decodeHistoryRecord>> => {
  await client.ask("recordAccess", toHex(Uint8Array.of(0x33, ...recordsOperand("Last"))));
  return decodeHistoryRecord(client.heard.findLast(({ from }) => from === "historyData")!.bytes, { e2e: false });
};

describe("what a simulated pump pushes", () => {
  test("one indication with all since the last reset, then silence until exactly these bits are reset; what came meanwhile follows", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    await scenario.air.advance(6 * 60_000);
    await client.subscribe("statusChanged");
    await scenario.air.advance(1000);
    expect(bitsOf(client)).toHaveLength(1);
    expect(bitsOf(client)[0]).toEqual(expect.arrayContaining([7, 18, 19]));
    const field = lastField(client);
    await scenario.air.advance(10 * 60_000);
    expect(bitsOf(client)).toHaveLength(1);
    // Other bits, the same ones at another length, and none.
    for (const wrong of ["0c030100", `0c03${field}0000`, "0c03"])
      expect(await client.ask("statusReader", wrong)).toEqual(["statusReader 03030c0371"]);
    expect(await client.ask("statusReader", `0c03${field}`)).toEqual(["statusReader 03030c030f", expect.stringMatching(/^statusChanged /)]);
    expect(bitsOf(client)[1]).toEqual(expect.arrayContaining([7, 18]));
    // A second time there is nothing of it to reset.
    await client.ask("statusReader", `0c03${lastField(client)}`, 400);
    expect(await client.ask("statusReader", `0c03${field}`)).toContain("statusReader 03030c0371");
    scenario.watch.offences.splice(0);
  });

  test("a reading is pushed within seconds of its sample, as it is recorded, and a new subscription hears all of it anew", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    await client.subscribe("statusChanged");
    await scenario.air.advance(500);
    let seen = 0;
    /** What has been pushed since the last time, each of it reset. */
    const follow = async (): Promise<number[]> => {
      const told: number[] = [];
      for (; seen < bitsOf(client).length; seen++) {
        told.push(...bitsOf(client)[seen]!);
        await client.ask("statusReader", `0c03${lastField(client)}`, 500);
      }
      return told;
    };
    await follow();
    let readings = 0;
    for (let minute = 0; minute < 30; minute++) {
      await scenario.air.advance(60_000);
      if (!(await follow()).includes(18)) continue;
      readings++;
      // What is read live and what is recorded is one value.
      const { sensor, history } = scenario.pump;
      const records = Array.from({ length: 6 }, (_, i) => decodeHistoryRecord(history.record(history.last! - i)!, { e2e: false }));
      expect(records.some(({ data }) => data?.name === "sg_measurement" && data.word === sensor!.word)).toBe(true);
    }
    expect(readings).toBe(6);
    expect((await newest(client)).sequenceNumber).toBe(scenario.pump.history.last);
    await scenario.air.advance(6 * 60_000);
    const before = bitsOf(client).length;
    await client.subscribe("statusChanged");
    await scenario.air.advance(500);
    expect(bitsOf(client)).toHaveLength(before + 1);
    scenario.watch.offences.splice(0);
  });

  test("a bolus tells its progress, and is among the active ones until it is delivered", async () => {
    await using scenario = await Scenario.open({ pump: { historyDays: 0 } });
    await using client = await DeliveryClient.open(scenario);
    const { pump } = scenario;
    // The next meal of the life.
    while (pump.delivery.boluses().length === 0) await scenario.air.advance(1000);
    const [bolus] = pump.delivery.boluses();
    const id = bolus!.programmed.bolusId;
    const onBoard = pump.delivery.insulinOnBoard();
    const hexId = toHex(Uint8Array.of(id & 0xff, id >> 8));
    expect(await client.ask("statusReader", "3003", 300)).toEqual([`statusReader 3f0301${hexId}`]);
    expect((await client.ask("statusReader", `5603${hexId}0f`, 300))[0]).toMatch(new RegExp(`^statusReader 590304${hexId}33`));
    while (pump.delivery.boluses().length > 0) await scenario.air.advance(1000);
    expect(pump.delivery.insulinOnBoard()).toBeGreaterThan(onBoard);
    const records = Array.from({ length: 12 }, (_, i) => pump.history.record(pump.history.last! - i)).map((bytes) =>
      decodeHistoryRecord(bytes!, { e2e: false }),
    );
    const delivered = records.find(({ data }) => data?.name === "bolus_delivered_p1");
    expect(delivered?.data).toMatchObject({ bolusId: id, fastIu: bolus!.programmed.fastIu });
    expect(await client.ask("statusReader", `5603${hexId}0f`, 300)).toEqual(["statusReader 0303560371"]);
    scenario.watch.offences.splice(0);
  });
});

describe("a link with the smallest MTU", () => {
  test("every fragment of a record is a frame of its own, and the parts make what the memory holds", async () => {
    await using scenario = await Scenario.open({ pump: { mtu: 23 } });
    await using client = await DeliveryClient.open(scenario);
    expect(client.connection.att.mtu).toBe(23);
    const { history } = scenario.pump;
    let long: number | undefined;
    for (let number = history.last!; !long; number--) if ((history.record(number)?.length ?? 0) > 20) long = number;
    const range = toHex(Uint8Array.of(long & 0xff, (long >> 8) & 0xff, 0, 0));
    await client.ask("recordAccess", `335a0f${range}${range}`);
    const parts = client.heard.filter(({ from }) => from === "historyData").map(({ bytes }) => bytes);
    expect(parts.map(({ length }) => length)).toEqual([17, history.record(long)!.length - 17]);
    expect(toHex(Uint8Array.of(...parts.flatMap((part) => [...part])))).toBe(toHex(history.record(long)!));
    expect(scenario.said.some((text) => text.includes("MTU"))).toBe(false);
    scenario.watch.offences.splice(0);
  });
});

describe("faults on command", () => {
  test("records that nobody knows, that are none, that are left out, and numbers that begin anew", async () => {
    await using scenario = await Scenario.open();
    const { pump } = scenario;
    const last = (): number => pump.history.last!;
    const before = last();
    pump.faults.recordUnknownEvent();
    pump.faults.recordUnknownEvent(0xf0aa, fromHex("010203"));
    expect(decodeHistoryRecord(pump.history.record(last())!, { e2e: false })).toMatchObject({ eventType: 0xf0aa, eventName: undefined });
    pump.faults.recordGarbage();
    expect(decodeHistoryRecord(pump.history.record(last())!, { e2e: false }).problem).toMatchObject({ problem: "length" });
    pump.faults.recordGarbage(fromHex("0102"));
    expect(pump.history.record(last())).toEqual(fromHex("0102"));
    pump.faults.leaveHole(10);
    pump.faults.recordUnknownEvent();
    expect(last()).toBe(before + 15);
    expect(pump.history.record(before + 9)).toBeUndefined();
    const { count } = pump.history;
    pump.history.drop(100);
    expect(pump.history.count).toBe(count - 100);
    expect(pump.history.record(pump.history.first!)).toBeDefined();
    expect(pump.history.record(pump.history.first! - 1)).toBeUndefined();
    pump.faults.restartNumbering();
    expect([pump.history.first, pump.history.last, pump.history.count]).toEqual([1, 2, 2]);
    for (const wrong of [-1, 0.5, 70_000])
      expect(() => pump.faults.recordUnknownEvent(wrong)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => pump.faults.leaveHole(0)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("a clock that is lost begins with a default date until it is set", async () => {
    await using scenario = await Scenario.open();
    const { pump } = scenario;
    await scenario.air.advance(90_000);
    pump.faults.loseClock();
    expect(pump.now).toMatchObject({ year: 2015, month: 1, day: 1 });
    const reference = decodeHistoryRecord(pump.history.record(pump.history.last! - 1)!, { e2e: false });
    expect(reference).toMatchObject({ relativeOffsetSeconds: 0, data: { reason: "date_time_loss" } });
    await scenario.air.advance(60_000);
    pump.faults.setClock();
    expect(pump.now).toMatchObject({ year: 2031, hour: 9, minute: 2, second: 30 });
    pump.faults.setClock({ ...pump.now, hour: 12 });
    expect(pump.now).toMatchObject({ year: 2031, hour: 12, minute: 2, second: 30 });
    // The sensor goes on, by the clock as it is now.
    expect(pump.sensor!.latestTakenAt).toMatchObject({ hour: expect.toSatisfy((hour: number) => hour === 11 || hour === 12) });
  });

  test("a memory of a certain size forgets its oldest records", async () => {
    await using scenario = await Scenario.open({ pump: { historyCapacity: 500 } });
    const { history } = scenario.pump;
    expect(history.count).toBe(500);
    const { first } = history;
    await scenario.air.advance(3_600_000);
    expect(history.count).toBe(500);
    expect(history.first).toBeGreaterThan(first! + 20);
    expect(history.record(first!)).toBeUndefined();
    for (const options of [{ historyCapacity: 0 }, { historyDays: -1 }, { mtu: 22 }])
      await expect(Scenario.open({ pump: options })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});
