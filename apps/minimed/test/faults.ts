import type { Clock } from "jelling/async";
import { BleError, SeededRandom } from "jelling/core";
import { afterAll, beforeAll, expect } from "vitest";
import { samples } from "../../../test/support/samples.ts";
import type { PumpConnectorOptions } from "../src/connector/options.ts";
import { Scenario, type ScenarioOptions } from "./scenario.ts";

/** Where a fault strikes, and how. Each point counts its packets from 0. */
export type FaultPoint =
  | "phone-drop"
  | "phone-corrupt"
  | "phone-delay"
  | "pump-drop"
  | "pump-corrupt"
  | "pump-delay"
  | "air-lose"
  | "air-corrupt"
  | "air-forge";

/** Long enough for whatever a lost packet can hold up: 30 s of ATT or SMP, and the pump's rare listening. */
const PATIENCE_MS = 400_000;

/** Collects what no one handles while the tests of a file run. */
export function watchUnhandled(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  const events = ["unhandledRejection", "uncaughtExceptionMonitor", "warning"] as const;
  beforeAll(() => {
    for (const event of events) process.on(event, note);
  });
  afterAll(() => {
    for (const event of events) process.off(event, note);
  });
  return unhandled;
}

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

export interface Outcome {
  /** Packets that passed the point. */
  readonly packets: number;
  readonly handshakes: number;
  /** What the user of the connector got to see. */
  readonly errors: BleError[];
}

/** What a life is made under. */
export interface Conditions {
  readonly seed?: number;
  readonly prepare?: ScenarioOptions["prepare"];
  readonly controller?: ScenarioOptions["controller"];
  readonly connector?: (clock: Clock) => Partial<PumpConnectorOptions>;
}

/** Pair, read, disconnect, reconnect, read, close. Settles in bounded time, and throws where anything is left behind. */
export async function live({ seed = 3, prepare, controller = {}, connector: options }: Conditions): Promise<Omit<Outcome, "packets">> {
  const errors: BleError[] = [];
  let handshakes = 0;
  const { signal, listeners } = countingSignal();
  const note = (error: unknown): void => {
    if (!(error instanceof BleError)) throw error;
    errors.push(error);
  };
  try {
    await using scenario = await Scenario.open({ seed, traceCapacity: 0, controller, ...(prepare && { prepare }) });
    await using connector = await scenario.connector({ signal, pairingWindowMs: 120_000, ...options?.(scenario.clock) });
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
  expect(listeners(), "listeners left behind").toBe(0);
  return { handshakes, errors };
}

/** A life with one fault. */
export async function runWithFault(point: FaultPoint | undefined, target: number): Promise<Outcome> {
  let packets = 0;
  const random = new SeededRandom(target, point);
  const strikes = (): boolean => packets++ === target;
  const outcome = await live({
    prepare: ({ air, phone, pump }) => {
      const controller = point?.startsWith("phone") ? phone : pump;
      const hci = controller.onHciPacket.bind(controller);
      if (point === "phone-drop" || point === "pump-drop") hci(() => (strikes() ? "drop" : undefined));
      if (point === "phone-corrupt" || point === "pump-corrupt") hci(({ packet }) => (strikes() ? spoilt(packet, random) : undefined));
      if (point === "phone-delay" || point === "pump-delay") hci(() => (strikes() ? { delayMs: 1 + (random.uint32() % 8000) } : undefined));
      if (point === "air-lose") air.onAirPacket(() => (strikes() ? "lose" : undefined));
      if (point === "air-corrupt") air.onAirPacket(() => (strikes() ? "corrupt" : undefined));
      if (point === "air-forge") air.onAirPacket(({ pdu }) => (strikes() ? { deliver: spoilt(pdu, random) } : undefined));
    },
  });
  return { packets, ...outcome };
}

/** So many packets of each point are tried where not all are. */
const SAMPLES = 9;

/** Runs once without a fault to count the packets of a point, and once with each of them struck, or with samples of them. */
export async function strikePackets(point: FaultPoint): Promise<Outcome[]> {
  const { packets } = await runWithFault(point, -1);
  expect(packets).toBeGreaterThan(100);
  const outcomes: Outcome[] = [];
  for (const target of samples({ of: "packets of a pump's session, each to be struck", at: point }, packets, SAMPLES))
    outcomes.push(await runWithFault(point, target));
  return outcomes;
}
