import { expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

// What an application gets of a subrated link, against what the connection events allow.

const INTERVAL_MS = 15;
/** Of all that is measured, from what was calculated. */
const TOLERANCE = 0.02;

const near = (measured: number, calculated: number): void => expect(Math.abs(measured / calculated - 1)).toBeLessThan(TOLERANCE);

test.each([
  { factor: 1, continuation: 0 },
  { factor: 8, continuation: 0 },
  { factor: 8, continuation: 1 },
])("a read and its answer, with one of $factor events used and $continuation more behind data", async ({ factor, continuation }) => {
  await using air = new SimulatedAir({ seed: 5, shadowingDb: 0, fadingDb: 0 });
  const { central, peripheral } = await air.connectedPair({ connect: { intervalMs: INTERVAL_MS } });
  const handle = peripheral.gattServer.add({ uuid: "2A00", value: Uint8Array.of(1) });
  await central.connection.subrate({ factorMin: factor, factorMax: factor, continuation, supervisionTimeoutMs: 2000 });
  const periodMs = factor * INTERVAL_MS;
  await delay(air.clock, 20 * periodMs);
  const samples = 60;
  let sumMs = 0;
  for (let i = 0; i < samples; i++) {
    // Each request at another phase of the period, a sixtieth farther; idle again by then.
    await delay(air.clock, 4 * periodMs - ((air.nowMs - (i * periodMs) / samples) % periodMs));
    const startMs = air.nowMs;
    await central.gatt.read(handle);
    sumMs += air.nowMs - startMs;
  }
  // Half a period until the next event that is used; the answer leaves in the one behind that, the packets of which end after 0.5 ms.
  const answerMs = continuation > 0 ? INTERVAL_MS : periodMs;
  near(sumMs / samples, periodMs / 2 + answerMs + 0.4);
});

test.each([
  { factor: 5, continuation: 0, everyMs: 5 * INTERVAL_MS },
  { factor: 5, continuation: 1, everyMs: INTERVAL_MS }, // data keep the events going
])("notifications without end, one of $factor events used, $continuation more behind data", async ({ factor, continuation, everyMs }) => {
  await using air = new SimulatedAir({ seed: 6, shadowingDb: 0, fadingDb: 0, controller: { features: { dataLength: false } } });
  const { central, peripheral } = await air.connectedPair({ connect: { intervalMs: INTERVAL_MS } });
  const service = peripheral.gattServer.addService({
    uuid: "180D",
    characteristics: [{ uuid: "2A37", properties: ["notify"], value: new Uint8Array(20) }],
  });
  const source = service.characteristic("2A37")!;
  const remote = await central.gatt.characteristic("180D", "2A37");
  let octets = 0;
  await remote.subscribe((value) => {
    octets += value.length;
  });
  await central.connection.subrate({ factorMin: factor, factorMax: factor, continuation, supervisionTimeoutMs: 2000 });
  let isOn = true;
  const sending = (async (): Promise<void> => {
    while (isOn) await source.notify(new Uint8Array(20));
  })();
  await delay(air.clock, 8 * everyMs);
  const [before, startMs] = [octets, air.nowMs];
  await delay(air.clock, 40 * everyMs);
  const rate = (octets - before) / (air.nowMs - startMs);
  isOn = false;
  await sending;
  // 27 octets of payload and an empty packet: 296 + 150 + 80 + 150 us; the last pause is the one before the next event.
  const packets = Math.floor((INTERVAL_MS * 1000) / 676);
  near(rate, (packets * 20) / everyMs);
});
