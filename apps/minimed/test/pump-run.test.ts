import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { careLinkHash } from "../src/connector/advertising.ts";
import type { PumpConnectorOptions } from "../src/connector/options.ts";
import type { LatestGlucose } from "../src/connector/reading.ts";
import { runPumpConnector } from "../src/connector/run.ts";
import { inventKeys } from "../src/simulator/keys.ts";
import { Scenario } from "./scenario.ts";

const optionsOf = (scenario: Scenario): PumpConnectorOptions => scenario.options();

describe("a connector as a command runs it", () => {
  test("pair reads once and leaves nothing; read finds the bond and reads again", async () => {
    await using scenario = await Scenario.open();
    const readings: LatestGlucose[] = [];
    const onReading = (latest: LatestGlucose): void => void readings.push(latest);
    const paired = scenario.pump.pairNewPhone();
    const snapshot = await runPumpConnector({ ...optionsOf(scenario), onReading });
    await paired;
    expect(snapshot).toMatchObject({ information: { model: "SIM-780" }, batteryPercent: 75, latest: { kind: "reading" } });
    expect(scenario.pump.connected).toBe(false);
    await runPumpConnector({ ...optionsOf(scenario), mode: "reconnect", onReading, timeoutMs: 300_000 });
    expect(readings.map(({ kind }) => kind)).toEqual(["reading", "reading"]);
    await expect(runPumpConnector({ ...optionsOf(scenario), mode: "reconnect", timeoutMs: 1 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
  });

  test("watching goes on over lost links until it is aborted", async () => {
    await using scenario = await Scenario.open();
    const controller = new AbortController();
    const seen: LatestGlucose[] = [];
    void scenario.pump.pairNewPhone();
    const watching = runPumpConnector({
      ...optionsOf(scenario),
      watch: true,
      signal: controller.signal,
      onReading: (latest) => {
        seen.push(latest);
        if (seen.length === 2) void scenario.pump.disconnect();
        if (seen.length === 4) controller.abort(new Error("enough"));
      },
    });
    await expect(watching).rejects.toThrow("enough");
    expect(scenario.of("authenticated")).toHaveLength(2);
    expect(scenario.pump.connected).toBe(false);
  });

  test("a device that goes away ends the connector with the reason", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    scenario.phoneController.remove();
    await expect(connector.session()).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    await connector.closed;
    expect(session.ended).toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
  });

  test("events come as a loop too, and closing ends it", async () => {
    await using scenario = await Scenario.open();
    const connector = await scenario.connector();
    const types: string[] = [];
    const loop = (async () => {
      for await (const { type } of connector.events()) types.push(type);
    })();
    await scenario.pair(connector);
    await connector.close();
    await connector.close();
    await loop;
    expect(types.slice(0, 4)).toEqual(["advertising", "connected", "pairing", "encrypted"]);
    expect(types.at(-1)).toBe("disconnected");
    await expect(connector.session()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });
});

test("as an uploader it advertises the hash of the code, has the standard information service, and no other", async () => {
  await using scenario = await Scenario.open();
  const { phone: keyDatabase } = inventKeys(scenario.air.random("uploader"), 5);
  await using connector = await scenario.connector({
    mode: "carelink",
    confirmationCode: 123_456,
    keyDatabase,
    name: "PC 7",
    address: "public",
  });
  const stranger = await scenario.air.device({ name: "stranger" });
  for await (const found of stranger.scan({ services: [0xfe82], active: true })) {
    if (!found.scanResponseData) continue;
    expect(found.name).toBe("PC 7");
    expect(found.address.equals(connector.identity)).toBe(true);
    const [manufacturer] = found.manufacturerData;
    expect(toHex(manufacturer!.data)).toBe(`01${toHex(careLinkHash(connector.identity, 123_456))}`);
    const connection = await stranger.connect(found.address);
    expect((await connection.gatt.services()).map(({ uuid }) => uuid.text)).toEqual(["1800", "1801", "180a", "fe82"]);
    const model = await connection.gatt.characteristic(0x180a, 0x2a24);
    expect(new TextDecoder().decode(await model.read())).toBe("PC 1");
    break;
  }
  expect(connector.pairingWindowOpen).toBe(true);
  await expect(scenario.connector({ mode: "carelink", keyDatabase })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});
