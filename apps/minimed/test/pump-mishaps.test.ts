import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { appendE2eCrc } from "../src/data/e2e-crc.ts";
import { rangeOperand } from "../src/history/record-access.ts";
import { CharacteristicUuid } from "../src/uuids.ts";
import { DeliveryClient } from "./delivery-client.ts";
import { Scenario } from "./scenario.ts";

const MINUTE_MS = 60_000;

describe("a bond that is lost", () => {
  test("on the phone's side: the pump comes, and cannot encrypt; the user is told what helps, and pairs anew", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    await scenario.pump.faults.loseBond("phone");
    await scenario.air.advance(6 * MINUTE_MS);
    expect(session.ended).toBeDefined();
    expect(scenario.of("authenticated")).toHaveLength(1);
    expect(scenario.of("warning").map(({ hint }) => hint)).toContainEqual(expect.stringContaining("remove this device on the pump"));
    await scenario.pump.forgetPhone();
    connector.openPairingWindow();
    const again = await scenario.pair(connector);
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
  });

  test("on the pump's side: it does not come back; without a bond there is none to lose", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await expect(scenario.pump.faults.loseBond("phone")).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(scenario.pump.faults.loseBond("both" as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    await scenario.pump.faults.loseBond("pump");
    await scenario.air.advance(5 * MINUTE_MS);
    expect([scenario.pump.connected, scenario.pump.hasPhone, scenario.of("authenticated").length]).toEqual([false, false, 1]);
  });
});

test("a silent pump answers nothing and sends nothing until it speaks again; then it goes on where it was", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  await using client = await DeliveryClient.open(scenario);
  await client.subscribe("statusChanged");
  await scenario.air.advance(500); // what had changed has come
  const before = client.heard.length;
  scenario.pump.faults.fallSilent(8000);
  await scenario.air.advance(7000);
  expect(client.heard).toHaveLength(before);
  await scenario.air.advance(2000);
  expect(scenario.pump.connected).toBe(true);
  expect((await client.read(CharacteristicUuid.IddStatus)).length).toBe(9);
  scenario.pump.faults.fallSilent();
  await scenario.air.advance(20_000);
  scenario.pump.faults.speakAgain();
  expect((await client.read(CharacteristicUuid.IddStatus)).length).toBe(9);
  expect(() => scenario.pump.faults.fallSilent(0)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  scenario.watch.offences.splice(0);
});

test("other software has its attributes elsewhere, and says so in its firmware's name", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  await using connector = await scenario.connector();
  await scenario.pair(connector);
  const handles = () => scenario.pump.device.gattServer.services.map(({ handle }) => handle);
  const before = handles();
  await scenario.pump.faults.updateFirmware();
  const { session } = await connector.session({ timeoutMs: 5 * MINUTE_MS });
  expect(handles()).not.toEqual(before);
  expect((await session.readInformation()).firmware).toBe("6.7.2");
  expect(await session.readStatus()).toMatchObject({ therapyControlState: "run" });
  expect(scenario.pump.forbiddenWrites).toBe(0);
});

describe("a transfer of records", () => {
  test("of which the oldest vanish meanwhile goes on with those that are left", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await using client = await DeliveryClient.open(scenario);
    const { history, faults } = scenario.pump;
    const first = history.first!;
    faults.vanishingRecords = 20;
    const answers = await client.ask("recordAccess", toHex(Uint8Array.of(0x33, ...rangeOperand(first, first + 29))), 5000);
    expect(answers.at(-1)).toBe("recordAccess 0f0f33f0");
    expect(answers).toHaveLength(1 + 10 + 1); // the first one, what is left, and the end
    expect(history.first).toBe(first + 20);
    scenario.watch.offences.splice(0);
  });

  test("that has stopped is ended by an abort alone; requests meanwhile are refused", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await using client = await DeliveryClient.open(scenario);
    const { history, faults } = scenario.pump;
    faults.stopTransferAfter = 3;
    const request = toHex(Uint8Array.of(0x33, ...rangeOperand(history.first!, history.first! + 29)));
    expect(await client.ask("recordAccess", request, 60_000)).toHaveLength(3);
    await expect(client.ask("recordAccess", request)).rejects.toMatchObject({ errorCode: 0xfe });
    expect(await client.ask("recordAccess", "550f")).toEqual(["recordAccess 0f0f55f0"]);
    expect(await client.ask("recordAccess", request, 5000)).toHaveLength(31);
    scenario.watch.offences.splice(0);
  });

  test("brings what is recorded meanwhile, where it is asked for without an end", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await using client = await DeliveryClient.open(scenario);
    const { history, faults } = scenario.pump;
    const from = history.last! - 60;
    await client.connection.gatt.write(client.handles.recordAccess, Uint8Array.of(0x33, ...rangeOperand(from)));
    faults.recordUnknownEvent(0xf0aa);
    await scenario.air.advance(5000);
    const types = client.heard.filter(({ from: name }) => name === "historyData").map(({ hex }) => hex.slice(0, 4));
    expect([types.length, types.at(-1)]).toEqual([62, "aaf0"]);
    scenario.watch.offences.splice(0);
  });
});

test("with protection a request needs the next counter and its checksum", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0, pump: { e2eProtection: true } });
  await using client = await DeliveryClient.open(scenario);
  const request = (counter: number): string => toHex(appendE2eCrc(Uint8Array.of(0xf3, 0x03, counter)));
  expect(await client.ask("statusReader", request(1), 500)).toEqual([expect.stringMatching(/^statusReader fc03.{10}01.{4}$/)]);
  for (const wrong of [1, 3, 0]) await expect(client.ask("statusReader", request(wrong))).rejects.toMatchObject({ errorCode: 0x82 });
  await expect(client.ask("statusReader", "f3030200")).rejects.toMatchObject({ errorCode: 0x81 });
  expect(await client.ask("statusReader", request(2), 500)).toEqual([expect.stringMatching(/^statusReader fc03.{10}02.{4}$/)]);
  scenario.watch.offences.splice(0);
});
