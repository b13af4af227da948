import { delay } from "jelling/async";
import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { Scenario } from "./scenario.ts";

test("a pump that sends what it likes gets no further than the end of its session", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    await using scenario = await Scenario.open({ seed, traceCapacity: 0 });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const random = new SeededRandom(seed, "hostile");
    const targets = [
      scenario.pumpHandle(0x181f, 0x2aa7),
      scenario.pumpHandle(0x181f, 0x2a52),
      scenario.pumpHandle(0x181f, 0x2aac),
      scenario.pumpHandle(0x180f, 0x2a19),
    ];
    for (let i = 0; i < 60 && scenario.pump.connection; i++) {
      const handle = targets[random.uint32() % targets.length]!;
      const value = new Uint8Array(random.uint32() % 21);
      random.fill(value);
      scenario.pump.connection.att.channel.send(Uint8Array.of(random.unit() < 0.5 ? 0x1b : 0x1d, handle & 0xff, handle >> 8, ...value));
      if (i % 10 === 0) void session.readLatest().catch(() => undefined);
      await delay(scenario.clock, 200);
    }
    const again = await connector.session({ timeoutMs: 300_000 });
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
  }
});

test("anything at all on the SAKE characteristic ends in a refusal, and the next subscription begins afresh", async () => {
  await using scenario = await Scenario.open({ traceCapacity: 0 });
  await using connector = await scenario.connector();
  const random = new SeededRandom(5, "sake");
  for (let round = 0; round < 12; round++) {
    // Another one each time: who pairs again and again is made to wait.
    const stranger = await scenario.air.device({ name: `stranger ${round}`, address: "random" });
    let connection: Awaited<ReturnType<typeof stranger.connect>> | undefined;
    for await (const found of stranger.scan({ services: [0xfe82], duplicates: "report" })) {
      connection = await stranger.connect(found.address);
      break;
    }
    await connection!.pair();
    const characteristic = await connection!.gatt.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325");
    await characteristic.subscribe(() => {});
    await delay(scenario.clock, 200);
    try {
      await characteristic.write(new Uint8Array(20));
      for (let i = 0; i < 4; i++) {
        const message = new Uint8Array(random.unit() < 0.2 ? random.uint32() % 21 : 20);
        random.fill(message);
        if (message.length === 20) message[8] = 1; // an insulin pump, it says
        await characteristic.write(message);
        await delay(scenario.clock, 100);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_DISCONNECTED" });
    }
    await connection!.closed;
    await stranger.close();
  }
  await delay(scenario.clock, 1000);
  expect(scenario.of("authenticated")).toEqual([]);
  for await (const bond of scenario.bonds.all()) expect.fail(`a stranger's bond was kept: ${bond.identity}`);
  expect(scenario.of("warning").length).toBeGreaterThanOrEqual(12);
  await scenario.pair(connector);
});
