import { delay, onAbort, VirtualClock } from "jelling/async";
import { Address } from "jelling/core";
import { expect, test } from "vitest";
import type { PumpChannel } from "../connector/pump-channel.ts";
import type { PumpConnector, ReadySession } from "../connector/pump-connector.ts";
import type { LatestGlucose } from "../connector/reading.ts";
import { registerChanges } from "../connector/session-changes.ts";
import { StatusPush } from "../connector/status-push.ts";
import { PumpError } from "../error.ts";
import { PumpMonitor, type PumpMonitorOptions } from "./monitor.ts";

/** A connector whose sessions come and go as the test says; none of their pumps has anything but what its session began with. */
class FakeConnector {
  readonly clock: VirtualClock;
  standing = { link: { kind: "connecting", sinceMs: 0 }, hint: undefined };
  #waiting: ((ready: ReadySession) => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }
  on(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }
  session({ signal }: { signal: AbortSignal }): Promise<ReadySession> {
    return new Promise((resolve, reject) => {
      onAbort(signal, () => reject(signal.reason));
      this.#waiting.push(resolve);
      this.#fail.push(reject);
    });
  }
  fail(error: unknown): void {
    for (const reject of this.#fail.splice(0)) reject(error);
  }
  /** A session begins. @returns what ends it */
  begin(
    identity: string,
    batteryPercent: number,
    latest: LatestGlucose = { kind: "no-sensor", receivedAtMs: this.clock.now() },
  ): () => void {
    const enders = new Set<(reason: PumpError) => void>();
    const session: Record<string, unknown> = {
      identity: Address.from(identity),
      heardAtMs: this.clock.now(),
      ended: undefined,
      onEnded: (listener: (reason: PumpError) => void) => {
        enders.add(listener);
        return { [Symbol.dispose]: () => enders.delete(listener) };
      },
    };
    const none = (): Promise<undefined> => Promise.resolve(undefined);
    const reader = new Proxy(session, { get: (target, name) => (name in target ? target[name as string] : none) });
    registerChanges(reader, { push: new StatusPush(), followChanges: () => Promise.resolve(false) } as unknown as PumpChannel, {} as never);
    const snapshot = { atMs: latest.receivedAtMs, information: {}, batteryPercent, sensor: {}, latest, problems: {} };
    for (const resolve of this.#waiting.splice(0)) resolve({ session: reader, snapshot } as unknown as ReadySession);
    return () => {
      session.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
      for (const ender of [...enders]) ender(session.ended as PumpError);
    };
  }
}

const HOUR_MS = 3600_000;
const reading = (atMs: number): LatestGlucose => ({
  kind: "reading",
  mgdl: 120,
  mmolPerLitre: 6.7,
  trendMgdlPerMin: 0,
  arrows: 0,
  timeOffsetMin: 1500,
  takenAt: undefined,
  takenAtMs: atMs - 60_000,
  receivedAtMs: atMs,
  state: { status: [], calibration: [], warning: [] },
  quality: 10,
});

test("a computer that has slept for hours does not take what it knows for new; what it was, in UTC, stays", async () => {
  using clock = new VirtualClock();
  let sleptMs = 0;
  const wallClock = (): number => 1_900_000_000_000 + clock.now() + sleptMs;
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector, { wallClock });
  await delay(clock, 5000);
  const end = connector.begin("00:23:F7:00:00:01", 50, reading(clock.now()));
  await delay(clock, 1000);
  end();
  await delay(clock, 1000);
  const utc = () => {
    const { epochMs, heardAtMs, link, values } = monitor.state;
    const { value, atMs } = values.glucose!;
    const { takenAtMs, receivedAtMs } = value as Extract<LatestGlucose, { kind: "reading" }>;
    return [heardAtMs!, link.sinceMs, atMs, takenAtMs!, receivedAtMs, values.battery!.atMs].map((ms) => ms + epochMs);
  };
  const before = utc();
  let changes = 0;
  using _ = monitor.on(() => changes++);
  for (let night = 1; night <= 3; night++) {
    changes = 0;
    sleptMs += 8 * HOUR_MS;
    await delay(clock, 60_000); // nothing else happens: the pump does not come
    const { values, epochMs } = monitor.state;
    expect(changes).toBeGreaterThan(0);
    expect(clock.now() - values.battery!.atMs).toBeGreaterThan(night * 8 * HOUR_MS);
    expect([utc(), epochMs]).toEqual([before, 1_900_000_000_000 + sleptMs]);
  }
  sleptMs -= 5 * HOUR_MS; // the clock was wrong, and is set: nothing gets younger by it
  await delay(clock, 60_000);
  expect(clock.now() - monitor.state.values.battery!.atMs).toBeGreaterThan(24 * HOUR_MS);
});

test("who comes late to a session sees the age of what it began with", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  await delay(clock, 2 * HOUR_MS);
  const readAtMs: (number | undefined)[] = [];
  using _ = monitor.on(({ values }) => readAtMs.push(values.battery?.atMs));
  connector.begin("00:23:F7:00:00:01", 50, reading(1000));
  await delay(clock, 1000); // and it is read again at once
  expect(readAtMs[0]).toBe(1000);
  expect([monitor.state.values.glucose!.atMs, monitor.state.values.battery!.atMs]).toEqual([2 * HOUR_MS, 2 * HOUR_MS]);
});

test.each<[string, unknown, unknown, string]>([
  ["no connector", undefined, {}, "expected a PumpConnector, got undefined"],
  ["another thing", "hci:0", {}, "expected a PumpConnector, got a string"],
  ["an unknown option", {}, { poll: 1 }, 'unknown option "poll"'],
  ["a text for a time", {}, { pollMs: "60000" }, "pollMs"],
  ["a text for a logger", {}, { logger: "stderr" }, "logger: expected a Logger, got a string"],
  ["a number for a function", {}, { history: 5 }, "history: expected a function, got 5"],
])("a monitor of %s is refused", (_name, connector, options, message) => {
  expect(() => new PumpMonitor(connector as PumpConnector, options as PumpMonitorOptions)).toThrow(message);
});

test("listeners and signals of other kinds are refused; a function that is given twice is two", async () => {
  using clock = new VirtualClock();
  await using monitor = new PumpMonitor(new FakeConnector(clock) as unknown as PumpConnector);
  for (const nothing of [undefined, null, 5, "print", {}] as unknown[]) {
    expect(() => monitor.on(nothing as never)).toThrow("expected a function");
    expect(() => monitor.onSession(nothing as never)).toThrow("expected a function");
    if (nothing !== undefined) expect(() => monitor.changes({ signal: nothing } as never)).toThrow("expected an AbortSignal");
  }
  expect(() => monitor.changes({ signals: undefined } as never)).toThrow("unknown option");
});
