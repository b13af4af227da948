import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { rangeOperand } from "../src/history/record-access.ts";
import { decodeIddFeatures } from "../src/idd/features.ts";
import { decodeIddStatus } from "../src/idd/status.ts";
import { decodeStatusReaderResponse } from "../src/idd/status-reader.ts";
import { CharacteristicUuid } from "../src/uuids.ts";
import { DeliveryClient } from "./delivery-client.ts";
import { Scenario } from "./scenario.ts";

/** The writes of a client made by hand are seen by the watch, which is not what is tested here. */
const unwatched = (scenario: Scenario): void => void scenario.watch.offences.splice(0);

describe("the insulin delivery service of a simulated pump", () => {
  test("every request of the status reader has its answer; those that a 780G does not know are refused", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    const kinds: Record<string, string> = {};
    const requests = [
      "3003",
      "6503",
      "9503",
      "c003",
      "f303",
      "fd03",
      "ff03",
      "0104",
      "a603330f",
      "0304",
      "0504",
      "0704",
      "a603660f",
      "a603",
      "300301",
    ];
    for (const request of requests) {
      const answers = await client.ask("statusReader", request, 500);
      expect(answers).toHaveLength(1);
      const { bytes } = client.heard.at(-1)!;
      const answer = decodeStatusReaderResponse(bytes, { e2e: false });
      kinds[request] = answer.kind === "response_code" ? `${answer.code}` : answer.kind;
    }
    expect(kinds).toEqual({
      "3003": "active_bolus_ids",
      "6503": "active_basal_rate",
      "9503": "total_daily_insulin",
      c003: "delivered_insulin",
      f303: "insulin_on_board",
      fd03: "therapy_algorithm_states",
      ff03: "display_format",
      "0104": "time_in_range",
      a603330f: "counter",
      "0304": "opcode_not_supported",
      "0504": "opcode_not_supported",
      "0704": "opcode_not_supported",
      a603660f: "procedure_not_applicable",
      a603: "invalid_operand",
      "300301": "invalid_operand",
    });
    expect(await client.ask("statusReader", "560301000f")).toEqual(["statusReader 0303560371"]); // no such bolus
    expect(decodeIddStatus(await client.read(CharacteristicUuid.IddStatus), { e2e: false })).toMatchObject({ therapyControlState: "run" });
    expect(decodeIddFeatures(await client.read(CharacteristicUuid.IddFeatures))).toMatchObject({ crc: "unused", e2e: false });
    unwatched(scenario);
  });

  test("what would alter therapy is refused and counted; deleting records too", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    expect(await client.ask("command", "4b110033190000ff")).toEqual(["command 550f4b1170"]);
    expect(await client.ask("statusReader", "990f")).toEqual(["statusReader 0303990f70"]);
    await expect(client.ask("recordAccess", "3c330f")).rejects.toMatchObject({ errorCode: 0x03 });
    expect(scenario.pump.forbiddenWrites).toBe(3);
    scenario.expectedRefusals = 3;
    unwatched(scenario);
  });

  test("limits come as data before the answer, the maximum bolus as the answer", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    expect(await client.ask("command", "8e1400")).toEqual(["commandData 8f14000000a0054600", "command 550f8e140f"]);
    expect(await client.ask("command", "8e1402")).toEqual(["command 550f8e1471"]);
    expect(await client.ask("command", "7d14")).toEqual(["command 82140f000000"]);
    unwatched(scenario);
  });

  test("without a subscription 0xFD, while another procedure runs 0xFE, what does not open 0x08", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario, ["recordAccess", "historyData"]);
    await expect(client.ask("statusReader", "f303")).rejects.toMatchObject({ errorCode: 0xfd });
    await client.subscribe("statusReader");
    await client.connection.gatt.write(client.handles.recordAccess, Uint8Array.of(0x33, 0x33, 0x0f));
    await expect(client.ask("statusReader", "f303")).rejects.toMatchObject({ errorCode: 0xfe });
    expect(await client.ask("recordAccess", "550f")).toContain("recordAccess 0f0f55f0");
    await expect(client.connection.gatt.write(client.handles.statusReader, new Uint8Array(5))).rejects.toMatchObject({ errorCode: 0x08 });
    unwatched(scenario);
  });

  test("records: first, last, range, count, filters; what is not there, and what is not understood", async () => {
    await using scenario = await Scenario.open();
    await using client = await DeliveryClient.open(scenario);
    const ask = async (hex: string): Promise<string[]> => (await client.ask("recordAccess", hex)).map((text) => text.slice(0, 26));
    const [count] = await ask("5a330f");
    expect(count).toMatch(/^recordAccess 660f/);
    expect((await ask("33660f")).at(-1)).toBe("recordAccess 0f0f33f0");
    expect(await ask("33690f")).toHaveLength(2);
    const first = scenario.pump.history.first!;
    const range = (from: number, to: number): string => toHex(Uint8Array.of(0x33, ...rangeOperand(first + from, first + to)));
    expect(await ask(range(2, 4))).toHaveLength(4);
    expect(await ask("335a0f0000000001000000")).toEqual(["recordAccess 0f0f3306"]);
    const references = await client.ask("recordAccess", "333333", 20_000);
    expect(references.length).toBeGreaterThan(50);
    expect(references.slice(0, -1).every((text) => text.startsWith("historyData 0ef0"))).toBe(true);
    expect(await ask("5a333c")).not.toEqual([count]);
    expect(await ask("3333")).toEqual(["recordAccess 0f0f3309"]);
    expect(await ask("3333aa")).toEqual(["recordAccess 0f0f3309"]);
    expect(await ask("330f")).toEqual(["recordAccess 0f0f3304"]);
    expect(await ask("33770f")).toEqual(["recordAccess 0f0f3303"]);
    expect(await ask("335a0f0000000a")).toEqual(["recordAccess 0f0f3305"]);
    expect(await ask("335a0f0a00000009000000")).toEqual(["recordAccess 0f0f3305"]);
    expect(await ask("7733")).toEqual(["recordAccess 0f0f7702"]);
    expect(await ask("5501")).toEqual(["recordAccess 0f0f5503"]);
    unwatched(scenario);
  });
});
