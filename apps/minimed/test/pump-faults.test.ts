import { BleError, SeededRandom } from "jelling/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scenario } from "./scenario.ts";

/** Where a fault strikes, and how. Each point counts its packets from 0. */
type Point = "phone-drop" | "phone-corrupt" | "pump-drop" | "pump-corrupt" | "air-lose" | "air-corrupt" | "air-forge";

/** Long enough for whatever a lost packet can hold up: 30 s of ATT or SMP, and the pump's rare listening. */
const PATIENCE_MS = 400_000;

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on("unhandledRejection", onUnhandled));
afterAll(() => void process.off("unhandledRejection", onUnhandled));

/** Counts the listeners on a signal that everything is given. */
function countingSignal(): { signal: AbortSignal; listeners: () => number } {
  const { signal } = new AbortController();
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, args);
  };
  return { signal, listeners: () => count };
}

/** One bit wrong, somewhere behind the first octet, which says what kind of packet it is. */
function spoilt(packet: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = packet.slice();
  const at = 1 + (random.uint32() % Math.max(1, copy.length - 1));
  copy[Math.min(at, copy.length - 1)]! ^= 1 << (random.uint32() % 8);
  return copy;
}

interface Outcome {
  /** Packets that passed the point. */
  readonly packets: number;
  readonly handshakes: number;
  /** What the user of the connector got to see. */
  readonly errors: BleError[];
}

/** Pair, read, disconnect, reconnect, read, close - with one fault. Settles in bounded time, and throws where anything is left behind. */
async function run(point: Point | undefined, target: number): Promise<Outcome> {
  let packets = 0;
  const random = new SeededRandom(target, point);
  const strikes = (): boolean => packets++ === target;
  const errors: BleError[] = [];
  let handshakes = 0;
  const { signal, listeners } = countingSignal();
  const note = (error: unknown): void => {
    if (!(error instanceof BleError)) throw error;
    errors.push(error);
  };
  try {
    await using scenario = await Scenario.open({
      seed: 3,
      traceCapacity: 0,
      prepare: ({ air, phone, pump }) => {
        const hci = (point?.startsWith("phone") ? phone : pump).onHciPacket.bind(point?.startsWith("phone") ? phone : pump);
        if (point === "phone-drop" || point === "pump-drop") hci(() => (strikes() ? "drop" : undefined));
        if (point === "phone-corrupt" || point === "pump-corrupt") hci(({ packet }) => (strikes() ? spoilt(packet, random) : undefined));
        if (point === "air-lose") air.onAirPacket(() => (strikes() ? "lose" : undefined));
        if (point === "air-corrupt") air.onAirPacket(() => (strikes() ? "corrupt" : undefined));
        if (point === "air-forge") air.onAirPacket(({ pdu }) => (strikes() ? { deliver: spoilt(pdu, random) } : undefined));
      },
    });
    await using connector = await scenario.connector({ signal, pairingWindowMs: 120_000 });
    const session = () => connector.session({ timeoutMs: PATIENCE_MS, signal });
    const paired = scenario.pump.pairNewPhone({ signal, timeoutMs: 60_000 });
    const [first, pairing] = await Promise.allSettled([session(), paired]);
    if (pairing.status === "rejected") note(pairing.reason);
    if (first.status === "rejected") note(first.reason);
    else
      try {
        await first.value.session.readLatest({ signal });
        await first.value.session.disconnect();
        const second = await session();
        await second.session.readLatest({ signal });
      } catch (error) {
        note(error);
      }
    handshakes = scenario.pump.handshakes;
  } catch (error) {
    note(error);
  }
  expect(listeners(), `${point} ${target}: listeners left behind`).toBe(0);
  return { packets, handshakes, errors };
}

async function everyPacket(point: Point): Promise<void> {
  const { packets } = await run(point, -1);
  expect(packets).toBeGreaterThan(100);
  const histogram = new Map<string, number>();
  let perfect = 0;
  for (let target = Number(process.env.FROM ?? 0); target < packets; target++) {
    const t0 = performance.now();
    if (process.env.VERBOSE) console.log(point, target);
    const { handshakes, errors } = await run(point, target).catch((error: unknown) => {
      console.log(point, target, "FAILED", error);
      return { handshakes: 0, errors: [] as BleError[] };
    });
    if (performance.now() - t0 > 1500) console.log(point, target, Math.round(performance.now() - t0), errors.map((e) => e.code).join());
    if (handshakes === 2 && errors.length === 0) perfect++;
    for (const { code } of errors) histogram.set(code, (histogram.get(code) ?? 0) + 1);
  }
  console.log(point, packets, perfect, Object.fromEntries(histogram));
  expect(unhandled).toEqual([]);
}

describe("one packet lost or spoilt, each in turn", () => {
  test("without a fault all goes through", async () => {
    expect(await run(undefined, -1)).toMatchObject({ handshakes: 2, errors: [] });
  });
  for (const point of ["phone-drop", "phone-corrupt", "pump-drop", "pump-corrupt", "air-lose", "air-corrupt", "air-forge"] as const)
    test(`${point}: nothing waits for ever, nothing is left behind`, () => everyPacket(point), 600_000);
});
