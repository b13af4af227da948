import { delay, onAbort, VirtualClock } from "jelling/async";
import { Address, Logger, LogLevel } from "jelling/core";
import { describe, expect, test } from "vitest";
import { uncaughtDuring } from "../../../../test/support/uncaught.ts";
import type { PumpChannel } from "../connector/pump-channel.ts";
import type { PumpConnector, ReadySession } from "../connector/pump-connector.ts";
import { registerChanges } from "../connector/session-changes.ts";
import type { PumpSnapshotProblems } from "../connector/snapshot.ts";
import { StatusPush } from "../connector/status-push.ts";
import { PumpDataError } from "../data/error.ts";
import { PumpError } from "../error.ts";
import { PumpMonitor } from "./monitor.ts";
import type { PumpLinkState, PumpState } from "./state.ts";

interface FakeSession {
  readonly ended: PumpError | undefined;
  heardAtMs: number;
  end(): void;
}

/** A connector whose sessions come and go as the test says; none of their pumps has anything but its battery. */
class FakeConnector {
  readonly clock: VirtualClock;
  standing: { link: PumpLinkState; hint: string | undefined } = { link: { kind: "connecting", sinceMs: 0 }, hint: undefined };
  readonly listeners = new Set<(event: { type: string; timeMs: number }) => void>();
  ended: unknown;
  isClosed = false;
  /** Of the next session's first reads. */
  problems: PumpSnapshotProblems = {};
  #waiting: ((ready: ReadySession) => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }
  on(listener: (event: { type: string; timeMs: number }) => void): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }
  emit(event = { type: "encrypted", timeMs: this.clock.now() }): void {
    for (const listener of [...this.listeners]) listener(event);
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
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
  begin(identity: string, batteryPercent: number): FakeSession {
    const enders = new Set<(reason: PumpError) => void>();
    const session = {
      identity: Address.from(identity),
      heardAtMs: this.clock.now(),
      ended: undefined as PumpError | undefined,
      end(): void {
        session.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
        for (const ender of [...enders]) ender(session.ended);
      },
      onEnded: (listener: (reason: PumpError) => void) => {
        enders.add(listener);
        return { [Symbol.dispose]: () => enders.delete(listener) };
      },
    };
    const none = (): Promise<undefined> => Promise.resolve(undefined);
    const reader = new Proxy(session, { get: (target, name) => (name in target ? target[name as keyof typeof target] : none) });
    registerChanges(reader, { push: new StatusPush(), followChanges: () => Promise.resolve(false) } as unknown as PumpChannel, {} as never);
    const snapshot = {
      information: { model: "MMT-1886" },
      batteryPercent,
      sensor: { runTimeHours: 170 },
      latest: { kind: "no-sensor", receivedAtMs: this.clock.now() },
      atMs: this.clock.now(),
      problems: this.problems,
    };
    for (const resolve of this.#waiting.splice(0)) resolve({ session: reader, snapshot } as unknown as ReadySession);
    return session;
  }
}

test("values of one pump are kept for its next session, and never shown as another's", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  const battery = (): number | undefined => monitor.state.values.battery?.value;
  for (const [identity, percent] of [
    ["00:23:F7:00:00:01", 50],
    ["00:23:F7:00:00:01", 60],
    ["00:23:F7:00:00:02", 70],
  ] as const) {
    const seen: (number | undefined)[] = [];
    const earlier: (number | undefined)[] = [];
    using _ = monitor.on(() => {
      seen.push(battery());
      earlier.push(monitor.state.values.insulinOnBoard?.atMs);
    });
    const beganMs = clock.now();
    const session = connector.begin(identity, percent);
    await delay(clock, 1000);
    expect(seen.every((value) => value === percent)).toBe(true);
    // Of the same pump what was read in its session before, until it is read again.
    expect([earlier[0] === undefined, earlier.at(-1)]).toEqual([percent !== 60, beganMs]);
    expect(monitor.session?.identity.toHex()).toBe(identity);
    session.end();
    await delay(clock, 1000);
    expect([battery(), monitor.session]).toEqual([percent, undefined]);
  }
});

test("what could not be read keeps the value that was read before, with its age, and says why, until it is read", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  const told = () => [monitor.state.values.battery?.value, monitor.state.values.battery?.atMs, monitor.state.problems];
  connector.begin("00:23:F7:00:00:01", 50).end();
  await delay(clock, 5000);
  expect(told()).toEqual([50, 0, {}]);
  connector.problems = {
    batteryPercent: new PumpDataError("value", "Battery Level: 101, at most 100"),
    latest: new PumpError("ERR_PUMP_REFUSED", "Not now, 00:23:F7:01:02:03."),
  };
  const session = connector.begin("00:23:F7:00:00:01", 99);
  await delay(clock, 1000);
  expect(told()).toEqual([50, 0, { battery: "Battery Level: 101, at most 100", glucose: expect.stringMatching(/^Not now, 00:··/) }]);
  await delay(clock, 60_000); // it is polled, and has none
  expect(told()).toEqual([undefined, 65_000, {}]);
  session.end();
  await delay(clock, 1000);
  connector.problems = { latest: new PumpError("ERR_PUMP_REFUSED", "not now") };
  connector.begin("00:23:F7:00:00:01", 50).end();
  await delay(clock, 1000);
  expect(monitor.state.problems).toEqual({ glucose: "not now" });
  connector.problems = {};
  connector.begin("00:23:F7:00:00:02", 60); // another pump, another's problems
  await delay(clock, 1000);
  expect(monitor.state.problems).toEqual({});
});

test("a connector that ends says why, without names and addresses; nothing is told any more", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  let told = 0;
  monitor.on(() => told++);
  connector.fail(new PumpError("ERR_PUMP_PAIRING_WINDOW_CLOSED", "No pump paired: not Pump 1234567H at 00:23:F7:01:02:03."));
  await monitor.closed;
  expect(monitor.state.link).toEqual({ kind: "ended", sinceMs: 0, reason: expect.stringContaining("No pump paired") });
  expect(JSON.stringify(monitor.state)).not.toMatch(/1234567|23:F7:01/);
  expect(told).toBe(1);
  expect((await monitor.changes().next()).done).toBe(true);
  await monitor.close();
});

describe("a pump that does not come", () => {
  const waiting = { kind: "advertising", mode: "reconnect", bonded: true, sinceMs: 0 } as const;

  test("for five minutes is told to its user with what can be done, until something else is the case", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    connector.standing = { link: waiting, hint: undefined };
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    await delay(clock, 200_000);
    connector.emit(); // does not begin the five minutes anew
    await delay(clock, 99_999);
    expect(monitor.state.hint).toBeUndefined();
    const changes: PumpState[] = [];
    monitor.on((state) => changes.push(state));
    await delay(clock, 1);
    expect(changes).toHaveLength(1);
    expect(monitor.state.hint).toContain("The pump has not come for minutes.");
    connector.standing = { link: { kind: "connecting", sinceMs: clock.now() }, hint: undefined };
    connector.emit();
    expect(monitor.state.hint).toBeUndefined();
    connector.standing = { link: waiting, hint: undefined };
    connector.emit();
    expect(monitor.state.hint).toBeUndefined();
    await delay(clock, 5 * 60_000);
    expect(monitor.state.hint).toContain("The pump has not come for minutes.");
    connector.standing = { link: waiting, hint: "what the connector knows" };
    connector.emit();
    expect(monitor.state.hint).toBe("what the connector knows");
  });

  test.each([
    { kind: "advertising", mode: "pair", bonded: false, sinceMs: 0 },
    { kind: "advertising", mode: "carelink", bonded: true, sinceMs: 0 },
    { kind: "connecting", sinceMs: 0 },
    { kind: "ready", sinceMs: 0 },
  ] as const)("is not told where nobody waits for it: %j", async (link) => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    connector.standing = { link, hint: undefined };
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    await delay(clock, 60 * 60_000);
    expect(monitor.state.hint).toBeUndefined();
  });

  test("is waited for no longer when the monitor is closed: nothing is left running", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    connector.standing = { link: waiting, hint: undefined };
    const monitor = new PumpMonitor(connector as unknown as PumpConnector);
    expect(connector.listeners.size).toBe(1);
    await delay(clock, 1000);
    await monitor.close();
    expect(clock.pending).toEqual([]);
    expect(connector.listeners.size).toBe(0);
    expect(monitor.state).toMatchObject({ link: { kind: "ended", sinceMs: 1000, reason: "the monitor was closed" }, hint: undefined });
    expect(connector.isClosed).toBe(false); // it is its owner's
  });
});

describe("the end of a connector", () => {
  const ended = async (error: unknown, isReason: boolean): Promise<{ reason: string; uncaught: unknown[] }> => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    if (isReason) connector.ended = error;
    const uncaught = await uncaughtDuring(async () => {
      connector.fail(error);
      await monitor.closed;
    });
    const { link } = monitor.state;
    if (link.kind !== "ended") throw new Error(`ended, not ${link.kind}`);
    return { reason: link.reason, uncaught };
  };

  test("for a reason of its user's says it, of whatever kind it is, and is nobody's fault", async () => {
    expect(await ended(new Error("enough"), true)).toEqual({ reason: "enough", uncaught: [] });
    expect(await ended("enough", true)).toEqual({ reason: "an error of the program", uncaught: [] });
    expect(await ended(new PumpError("ERR_PUMP_PAIRING_WINDOW_CLOSED", "nobody came"), false)).toEqual({
      reason: "nobody came",
      uncaught: [],
    });
  });

  test("by a fault of the program is thrown, and its words, which may name people's things, are not shown", async () => {
    const fault = new TypeError("a bug at /home/somebody");
    expect(await ended(fault, false)).toEqual({ reason: "an error of the program", uncaught: [fault] });
  });
});

test("a monitor is closed by the end of its block, and a connector that it owns with it", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  {
    await using _ = new PumpMonitor(connector as unknown as PumpConnector, {}, { ownsConnector: true });
  }
  expect(connector.isClosed).toBe(true);
  expect(connector.listeners.size).toBe(0);
});

test("every state is dated by the wall clock as it is then, whatever the other clock began with", async () => {
  using clock = new VirtualClock({ startMs: 5000 });
  const connector = new FakeConnector(clock);
  let wallMs = 1_800_000_000_000;
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector, { wallClock: () => wallMs });
  expect(monitor.state.epochMs).toBe(1_799_999_995_000);
  wallMs += 3600_000; // set forward by its user
  connector.emit();
  expect(monitor.state.epochMs).toBe(1_800_003_595_000);
});

test("when the pump was heard: as its link came up, as its session says, and still so afterwards", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  expect(monitor.state.heardAtMs).toBeUndefined();
  connector.emit({ type: "advertising", timeMs: 10 });
  expect(monitor.state.heardAtMs).toBeUndefined();
  connector.emit({ type: "connected", timeMs: 20 });
  expect(monitor.state.heardAtMs).toBe(20);
  const session = connector.begin("00:23:F7:00:00:01", 50);
  session.heardAtMs = 30;
  await delay(clock, 1);
  expect(monitor.state.heardAtMs).toBe(30);
  session.heardAtMs = 40;
  connector.emit();
  expect(monitor.state.heardAtMs).toBe(40);
  session.heardAtMs = 50;
  session.end();
  await delay(clock, 1);
  expect(monitor.state.heardAtMs).toBe(50);
});

test("what a session began with is told with its time, frozen", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  await delay(clock, 500);
  connector.begin("00:23:F7:00:00:01", 50);
  await delay(clock, 0);
  const { values } = monitor.state;
  expect(values).toMatchObject({
    information: { value: { model: "MMT-1886" }, atMs: 500 },
    battery: { value: 50, atMs: 500 },
    sensorSession: { value: { runTimeHours: 170 }, atMs: 500 },
    glucose: { value: { kind: "no-sensor" }, atMs: 500 },
    status: { value: undefined, atMs: 500 }, // read, and there is none
  });
  for (const part of [monitor.state, values, values.battery, values.status]) expect(Object.isFrozen(part)).toBe(true);
});

describe("who listens", () => {
  test("is told as often as it asked to be, until it gives that back", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    const told: PumpState[] = [];
    const listener = (state: PumpState): void => void told.push(state);
    const first = monitor.on(listener);
    const second = monitor.on(listener);
    connector.emit();
    expect(told).toEqual([monitor.state, monitor.state]);
    first[Symbol.dispose]();
    connector.emit();
    expect(told).toHaveLength(3);
    second[Symbol.dispose]();
    connector.emit();
    expect(told).toHaveLength(3);
    for (const wrong of [undefined, null, "no function"])
      expect(() => monitor.on(wrong as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("to sessions hears of the one that is up at once, and of each that follows, until it gives that back", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    const early: unknown[] = [];
    const late: unknown[] = [];
    using _ = monitor.onSession((session) => early.push(session));
    expect(early).toEqual([]);
    const first = connector.begin("00:23:F7:00:00:01", 50);
    await delay(clock, 0);
    const lateListener = monitor.onSession((session) => late.push(session));
    expect([early.length, late.length]).toEqual([1, 1]);
    expect([early, late].every(([session]) => session === monitor.session)).toBe(true);
    lateListener[Symbol.dispose]();
    first.end();
    await delay(clock, 0);
    connector.begin("00:23:F7:00:00:01", 50);
    await delay(clock, 0);
    expect([early.length, late.length]).toEqual([2, 1]);
    expect(early[1] === monitor.session).toBe(true);
    for (const wrong of [undefined, null, "no function"])
      expect(() => monitor.onSession(wrong as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("in a loop begins with the present state, gets the newest, and is let go by its signal", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
    const stop = new AbortController();
    const changes = monitor.changes({ signal: stop.signal });
    expect((await changes.next()).value).toBe(monitor.state);
    connector.emit();
    connector.emit();
    expect((await changes.next()).value).toBe(monitor.state); // of two the newer
    const next = changes.next();
    stop.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
  });
});

describe("who keeps the history", () => {
  test("is called once the first reads are done, again when it was wanted meanwhile, and not after its session", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    const calls: { session: unknown; signal: AbortSignal; finish: () => void }[] = [];
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector, {
      history: (session, signal) => new Promise((resolve) => calls.push({ session, signal, finish: resolve })),
    });
    const session = connector.begin("00:23:F7:00:00:01", 50);
    await delay(clock, 1000);
    expect(calls).toHaveLength(1);
    expect(calls[0]!.session).toBe(monitor.session);
    await delay(clock, 20 * 60_000); // wanted every five minutes
    expect([calls.length, calls[0]!.signal.aborted]).toEqual([1, false]);
    calls[0]!.finish();
    await delay(clock, 0);
    expect(calls).toHaveLength(2);
    calls[1]!.finish();
    await delay(clock, 60_000);
    expect(calls).toHaveLength(2);
    await delay(clock, 5 * 60_000);
    expect(calls).toHaveLength(3);
    await delay(clock, 5 * 60_000); // wanted once more
    session.end();
    expect([calls[2]!.signal.aborted, calls[2]!.signal.reason]).toEqual([true, session.ended]);
    calls[2]!.finish();
    await delay(clock, 20 * 60_000);
    expect(calls).toHaveLength(3);
  });

  test("and fails is told in the log where the pump is the reason; the program's own fault is thrown; both are called again", async () => {
    using clock = new VirtualClock();
    const connector = new FakeConnector(clock);
    const lines: string[] = [];
    const failures: unknown[] = [new PumpError("ERR_PUMP_REFUSED", "not now, Pump 1234567H"), new TypeError("a bug")];
    let calls = 0;
    await using monitor = new PumpMonitor(connector as unknown as PumpConnector, {
      logger: new Logger("", LogLevel.Warn, (_level, scope, message) => void lines.push(`${scope}: ${message}`)),
      history: () => {
        calls++;
        throw failures.shift();
      },
    });
    const uncaught = await uncaughtDuring(async () => {
      connector.begin("00:23:F7:00:00:01", 50);
      await delay(clock, 0);
      expect([calls, lines]).toEqual([1, ["monitor: keeping the history: not now, Pump ······7H"]]);
      await delay(clock, 6 * 60_000);
    });
    expect([calls, lines.length]).toEqual([2, 1]);
    expect(uncaught).toEqual([expect.objectContaining({ message: "a bug" })]);
    expect(monitor.session).toBeDefined();
  });

  test("and stops with its signal's reason has done no wrong, and nothing is told; what it throws else is still the program's", async () => {
    for (const fault of [undefined, new Error("in the middle of it")]) {
      using clock = new VirtualClock();
      const connector = new FakeConnector(clock);
      const lines: string[] = [];
      await using monitor = new PumpMonitor(connector as unknown as PumpConnector, {
        logger: new Logger("", LogLevel.Debug, (_level, _scope, message) => void lines.push(message)),
        history: (_session, signal) => new Promise((_resolve, reject) => void onAbort(signal, () => reject(fault ?? signal.reason))),
      });
      const uncaught = await uncaughtDuring(async () => {
        connector.begin("00:23:F7:00:00:01", 50);
        await delay(clock, 1000);
        await monitor.close();
      });
      expect(uncaught).toEqual(fault ? [fault] : []);
      expect(lines).toEqual([]);
    }
  });
});

test("options of a wrong kind or range are refused", () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock) as unknown as PumpConnector;
  for (const options of [{ pollMs: 999 }, { pollMs: 3600_001 }, { pollMs: "60" }, { history: true }, { wallClock: 5 }, { poll: 1 }, null])
    expect(() => new PumpMonitor(connector, options as never), JSON.stringify(options)).toThrow(
      expect.objectContaining({ code: "ERR_ARGUMENT" }),
    );
});

test.each([1000, 3600_000])("asks the pump every %i ms where it is told to", async (pollMs) => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector, { pollMs });
  connector.begin("00:23:F7:00:00:01", 50);
  await delay(clock, pollMs - 1);
  expect(monitor.state.values.insulinOnBoard!.atMs).toBe(0);
  await delay(clock, 1);
  expect(monitor.state.values.insulinOnBoard!.atMs).toBe(pollMs);
});
