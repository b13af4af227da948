import { callOut, delay, SystemClock } from "jelling/async";
import { Address, type Logger } from "jelling/core";
import type { Capture } from "jelling/device";
import { SimulatedAir } from "jelling/testing";
import { describePumpEvent } from "../connector/events.ts";
import { PumpConnector, type ReadySession } from "../connector/pump-connector.ts";
import { formatGlucose, type LatestGlucose } from "../connector/reading.ts";
import { parseLocal } from "../data/date-time.ts";
import { inventKeys } from "../simulator/keys.ts";
import { SimulatedPump } from "../simulator/simulated-pump.ts";
import { inventPumpIdentity } from "../simulator/simulated-pump-options.ts";
import type { Actor, TimelineEvent } from "./timeline.ts";

const PHONE_ADDRESS = Address.from("C0:1E:11:1A:60:01", "random");
const NAME = "Mobile 701780";
/** When there is something to see. */
const BREAKFAST = parseLocal("2031-03-02T08:02:30");
/** How long the first session lasts: until another reading is there, or where somebody watches, a moment. */
const STAY_MS = 5 * 60_000;
const STAY_IN_REAL_TIME_MS = 5000;
/** All of it takes about a minute of radio time. */
const TIMEOUT_MS = 10 * 60_000;

export interface PumpDemoOptions {
  /** Called for every line of the timeline, in order. */
  readonly out: (event: TimelineEvent) => void;
  /** Lets radio time pass as real time; by default it goes as fast as the machine can. */
  readonly realTime?: boolean | undefined;
  /** Equal seeds give equal runs, packet for packet. 1 by default. */
  readonly seed?: number | undefined;
  /** Sees the phone's HCI packets. */
  readonly capture?: Capture | undefined;
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PumpDemoResult {
  /** SAKE handshakes that went through, as the pump counts them. */
  readonly handshakes: number;
  readonly readings: readonly LatestGlucose[];
  /** Radio time that passed. */
  readonly durationMs: number;
}

/**
 * The whole way on simulated radio: a computer advertises as a phone, a pump pairs it, discovers it, authenticates it with SAKE, and gives
 * its glucose; the link ends, the pump finds the phone again, authenticates it afresh, and gives its glucose again.
 *
 * @throws `signal.reason` once `signal` aborts · what went wrong, which is a bug
 */
export async function runPumpDemo(options: PumpDemoOptions): Promise<PumpDemoResult> {
  const { out, realTime = false, seed = 1, capture, logger, signal } = options;
  signal?.throwIfAborted();
  await using air = new SimulatedAir({ seed, traceCapacity: 0, ...(realTime && { clock: new SystemClock() }) });
  const { clock } = air;
  const startMs = clock.now();
  let isOver = false;
  const say = (actor: Actor, text: string, timeMs = clock.now()): void => {
    if (!isOver) callOut(out, { timeMs: timeMs - startMs, actor, text });
  };
  const keys = inventKeys(air.random("keys"));
  const phoneController = air.addController({ name: "phone" });
  const pumpController = air.addController({ name: "pump", position: { x: 1, y: 0 }, address: inventPumpIdentity(seed).address });

  await using pump = await SimulatedPump.open({
    transport: pumpController.transport,
    clock,
    random: air.random("pump"),
    seed,
    keyDatabase: keys.pump,
    startLocal: BREAKFAST,
    onEvent: ({ timeMs, text }) => say("pump", text, timeMs),
  });
  await using connector = await PumpConnector.open({
    controller: phoneController.transport,
    address: PHONE_ADDRESS,
    clock,
    random: air.random("phone"),
    keyDatabase: keys.phone,
    mode: "pair",
    name: NAME,
    capture,
    logger,
    signal,
    onEvent: (event) => say("phone", describePumpEvent(event), event.timeMs),
  });

  say("user", `starts the connector as "${NAME}" and opens the pairing window`);
  const paired = pump.pairNewPhone({ signal });
  const latestOf = async ({ session, snapshot }: ReadySession): Promise<LatestGlucose> =>
    snapshot.latest ?? (await session.readLatest({ signal }));
  const first = await both(connector.session({ signal, timeoutMs: TIMEOUT_MS }), paired);
  const earlier = await latestOf(first);
  await delay(clock, realTime ? STAY_IN_REAL_TIME_MS : STAY_MS, { signal });
  say("user", "ends the session; the pump is to come back by itself");
  await first.session.disconnect();
  const second = await connector.session({ signal, timeoutMs: TIMEOUT_MS });

  const durationMs = clock.now() - startMs;
  const latest = await latestOf(second);
  say("result", `glucose ${formatGlucose(latest, clock.now())}`);
  say("result", `${pump.handshakes} SAKE handshakes done in ${Math.round(durationMs / 1000)} s of radio time`);
  say("result", "simulated; for information only, no basis for any dose");
  isOver = true; // what follows is taking it all down
  return { handshakes: pump.handshakes, readings: [earlier, latest], durationMs };
}

/** A session, unless the pump fails first. */
async function both(session: Promise<ReadySession>, paired: Promise<void>): Promise<ReadySession> {
  const [ready] = await Promise.all([session, paired]);
  return ready;
}
