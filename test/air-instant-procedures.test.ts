import { expect, test } from "vitest";
import { SimulatedAir } from "../src/testing/index.ts";

test("in an instant air a link stays for as long as nobody ends it, whichever procedures either side began", async () => {
  await using air = new SimulatedAir({ seed: 1, mode: "instant", traceCapacity: 0 });
  const { central, peripheral } = await air.connectedPair();
  await central.connection.pair();
  for (const { connection } of [central, peripheral]) {
    await connection.setPhy({ tx: "2M", rx: "2M" });
    await connection.remoteVersion();
    await connection.setDataLength(100);
    await connection.updateParameters({ intervalMs: 100 });
  }
  await air.advance(600_000); // each answer is due after 40 s (Vol 6 Part B 5.2), each ping of an encrypted link after 30 s
  expect([central.connection.ended, peripheral.connection.ended]).toEqual([undefined, undefined]);
});
