import { delay } from "jelling/async";
import { Logger, LogLevel } from "jelling/core";
import { HciErrorCode } from "jelling/hci";
import { describe, expect, test } from "vitest";
import type { PumpConnector } from "../src/connector/pump-connector.ts";
import { PumpMonitor, type PumpMonitorOptions } from "../src/live/monitor.ts";
import type { PumpState } from "../src/live/state.ts";
import { Scenario, type ScenarioOptions } from "./scenario.ts";

const MINUTE_MS = 60_000;

interface Watched {
  readonly scenario: Scenario;
  readonly connector: PumpConnector;
  readonly monitor: PumpMonitor;
  readonly states: PumpState[];
}

/** A paired pump that is followed, once all its values were read. */
async function watched(options: ScenarioOptions = {}, monitorOptions: PumpMonitorOptions = {}): Promise<Watched & AsyncDisposable> {
  const scenario = await Scenario.open(options);
  const connector = await scenario.connector();
  const monitor = new PumpMonitor(connector, { wallClock: () => 1_900_000_000_000 + scenario.clock.now(), ...monitorOptions });
  const states: PumpState[] = [];
  monitor.on((state) => states.push(state));
  await scenario.pair(connector);
  await delay(scenario.clock, 30_000);
  return {
    scenario,
    connector,
    monitor,
    states,
    async [Symbol.asyncDispose]() {
      await monitor.close();
      await connector.close();
      await scenario[Symbol.asyncDispose]();
    },
  };
}

/** Until the next session is ready and its values were read. */
async function back({ scenario, connector }: Watched): Promise<void> {
  await connector.session({ timeoutMs: 10 * MINUTE_MS });
  await delay(scenario.clock, 30_000);
}
/** Kinds of the link's states, without repeats. */
const kinds = (states: readonly PumpState[]): string[] =>
  states
    .map(({ link }) => (link.kind === "advertising" ? `${link.kind} ${link.mode}` : link.kind))
    .filter((kind, i, all) => kind !== all[i - 1]);

describe("a pump that is followed", () => {
  test("is known whole half a minute after its session began; states are told one by one, dated, and never change", async () => {
    await using at = await watched();
    const { monitor, states, scenario } = at;
    const { state } = monitor;
    expect(kinds(states)).toEqual(["advertising pair", "connecting", "ready"]);
    expect(Object.keys(state.values).sort()).toEqual(
      [
        "annunciation",
        "basalRate",
        "battery",
        "boluses",
        "clock",
        "displayFormat",
        "features",
        "glucose",
        "highSettings",
        "information",
        "insulinOnBoard",
        "lowSettings",
        "sensorDetails",
        "sensorSession",
        "status",
        "therapy",
        "timeInRange",
        "transmitterBattery",
      ].sort(),
    );
    expect(state.values).toMatchObject({
      battery: { value: 75 },
      glucose: { value: { kind: "reading" } },
      status: { value: { therapyControlState: "run" } },
      boluses: { value: [] },
      annunciation: { value: undefined },
    });
    expect(state.epochMs).toBe(1_900_000_000_000);
    expect(state.heardAtMs).toBeGreaterThan(scenario.clock.now() - 30_000);
    expect(monitor.session?.ended).toBeUndefined();
    const first = states[0]!;
    expect([first.values, Object.isFrozen(first), Object.isFrozen(state.values), Object.isFrozen(state.values.battery)]).toEqual([
      {},
      true,
      true,
      true,
    ]);
    expect(new Set(states).size).toBe(states.length);
  });

  test("keeps its values, with their age, while it is out of range, and gets others when it is back", async () => {
    await using at = await watched();
    const { monitor, scenario } = at;
    const before = monitor.state.values;
    const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
    await delay(scenario.clock, 20 * MINUTE_MS);
    expect(monitor.session).toBeUndefined();
    expect(monitor.state.link).toMatchObject({ kind: "advertising", mode: "reconnect", bonded: true });
    expect(monitor.state.values).toEqual(before);
    expect(monitor.state.heardAtMs).toBeLessThan(scenario.clock.now() - 19 * MINUTE_MS);
    expect(monitor.state.hint).toContain("Is it near");
    wall[Symbol.dispose]();
    await back(at);
    expect(monitor.state.link.kind).toBe("ready");
    expect(monitor.state.hint).toBeUndefined();
    expect(monitor.state.values.status!.atMs).toBeGreaterThan(before.status!.atMs + 20 * MINUTE_MS);
    expect(Object.keys(monitor.state.values)).toHaveLength(18);
  });

  test("is asked again when its link ends without a word, whichever side it was", async () => {
    await using at = await watched();
    const { monitor, scenario, states } = at;
    await scenario.pump.connection!.disconnect(HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff);
    await back(at);
    await monitor.session!.disconnect();
    await back(at);
    expect(kinds(states)).toEqual([
      "advertising pair",
      "connecting",
      "ready",
      "advertising reconnect",
      "connecting",
      "ready",
      "advertising reconnect",
      "connecting",
      "ready",
    ]);
  });

  test("that falls silent is given up within its limits, and met again", async () => {
    await using at = await watched();
    const { monitor, scenario } = at;
    scenario.pump.device.gattServer.pause();
    await delay(scenario.clock, 2 * MINUTE_MS);
    expect(monitor.state.link.kind).not.toBe("ready");
    scenario.pump.device.gattServer.resume();
    await back(at);
    expect(monitor.state.link.kind).toBe("ready");
  });

  test("that lost its bond does not come: its user is told what to do", async () => {
    await using at = await watched();
    const { monitor, scenario, connector } = at;
    await scenario.pump.forgetPhone();
    await delay(scenario.clock, 4 * MINUTE_MS);
    expect(monitor.state.hint).toBeUndefined();
    await delay(scenario.clock, 2 * MINUTE_MS);
    expect(monitor.state).toMatchObject({
      link: { kind: "advertising", bonded: true },
      hint: expect.stringContaining("remove it there and pair again"),
    });
    connector.openPairingWindow();
    await Promise.all([connector.session({ timeoutMs: 2 * MINUTE_MS }), scenario.pump.pairNewPhone()]);
    await delay(scenario.clock, 30_000);
    expect(monitor.state).toMatchObject({ link: { kind: "ready" }, hint: undefined });
  });

  test("after a restart of this side needs its bond and nothing else", async () => {
    await using at = await watched();
    await at.monitor.close();
    await at.connector.close();
    await using monitor = await PumpMonitor.open({ ...at.scenario.options(), mode: "reconnect" });
    expect(monitor.state.link).toMatchObject({ kind: "advertising", mode: "reconnect", bonded: true });
    expect(monitor.state.values).toEqual({});
    await monitor.connector.session({ timeoutMs: 10 * MINUTE_MS });
    await delay(at.scenario.clock, 30_000);
    expect(monitor.state.values.glucose).toMatchObject({ value: { kind: "reading" } });
    const { connector } = monitor;
    await monitor.close();
    expect(connector.ended).toMatchObject({ code: "ERR_CLOSED" });
    expect(monitor.state.link).toMatchObject({ kind: "ended" });
  });

  test("whose link ended without an event of the controller is given up by its silence, and met again", async () => {
    await using at = await watched();
    const { monitor, scenario } = at;
    let isDeaf = true;
    scenario.phoneController.onHciPacket(({ direction, packet }) =>
      isDeaf && direction === "to-host" && packet[0] === 4 && packet[1] === 0x05 ? "drop" : undefined,
    );
    const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
    await delay(scenario.clock, 5000); // the supervision timeout, of which the host hears nothing
    isDeaf = false;
    wall[Symbol.dispose]();
    expect(monitor.state.link.kind).toBe("ready");
    // It was silent for five minutes, did not answer, and came back.
    await delay(scenario.clock, 15 * MINUTE_MS);
    expect(monitor.state.link.kind).toBe("ready");
    expect(monitor.state.link.sinceMs).toBeLessThan(scenario.clock.now() - 4 * MINUTE_MS);
    expect(monitor.state.values.glucose!.atMs).toBeGreaterThan(scenario.clock.now() - 7 * MINUTE_MS);
  });
});

describe("what the pump pushes", () => {
  /** Operation codes of control points that the pump was asked with, between two moments. */
  const asked = (log: readonly string[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const line of log) {
      const code = /request (\w+ 0x\w+)/.exec(line)?.[1];
      if (code) counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
  };
  const logged = (log: string[]): Logger => new Logger("", LogLevel.Info, (_level, _scope, message) => void log.push(message));

  test("takes the place of polls: an hour brings each reading within seconds, with an exchange or two for each", async () => {
    const log: string[] = [];
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ logger: logged(log) });
    await using monitor = new PumpMonitor(connector);
    await scenario.pair(connector);
    await delay(scenario.clock, 6 * MINUTE_MS);
    log.length = 0;
    const offsets = new Map<number, number>();
    using _ = monitor.on(({ values: { glucose } }) => {
      if (glucose?.value && glucose.value.kind !== "no-sensor" && !offsets.has(glucose.value.timeOffsetMin))
        offsets.set(glucose.value.timeOffsetMin, glucose.value.takenAtMs ?? 0);
    });
    const lateMs: number[] = [];
    using _late = monitor.on(({ values: { glucose } }) => {
      if (glucose?.value && glucose.value.kind !== "no-sensor" && glucose.value.takenAtMs !== undefined)
        lateMs.push(glucose.atMs - glucose.value.takenAtMs);
    });
    await delay(scenario.clock, 60 * MINUTE_MS);
    expect(offsets.size).toBeGreaterThanOrEqual(12);
    expect(Math.max(...lateMs)).toBeLessThan(6 * MINUTE_MS);
    const counts = asked(log);
    expect(counts["iddStatusReader 0x30c"]).toBeGreaterThanOrEqual(12);
    expect(counts["cgmRecordAccess 0x01"]).toBeLessThan(30); // 60 polls without pushes
    expect(scenario.pump.forbiddenWrites).toBe(0);
  });

  test("and whose reset the pump refuses is polled; it is subscribed to anew every six minutes, and reset when it then pushes", async () => {
    const log: string[] = [];
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ logger: logged(log) });
    scenario.pump.faults.refusedResets = Number.POSITIVE_INFINITY;
    await using monitor = new PumpMonitor(connector);
    await scenario.pair(connector);
    await delay(scenario.clock, 30 * MINUTE_MS);
    const counts = asked(log);
    expect(counts["iddStatusReader 0x30c"]).toBeLessThanOrEqual(6);
    expect(counts["cgmRecordAccess 0x01"]).toBeGreaterThan(25);
    expect(monitor.state.values.glucose!.atMs).toBeGreaterThan(scenario.clock.now() - 2 * MINUTE_MS);
    expect(monitor.session!.ended).toBeUndefined();
  });

  test("is missed when it does not come: within six minutes the pump is asked", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await using monitor = new PumpMonitor(connector);
    await scenario.pair(connector);
    await delay(scenario.clock, 10 * MINUTE_MS);
    scenario.pump.faults.withholdsPushes = true;
    await delay(scenario.clock, 15 * MINUTE_MS);
    expect(monitor.state.values.glucose!.atMs).toBeGreaterThan(scenario.clock.now() - 7 * MINUTE_MS);
    expect(monitor.session!.ended).toBeUndefined();
  });

  test("damaged values on the way do no harm: the next look reads them", async () => {
    await using at = await watched({ pump: { e2eProtection: true } });
    const { monitor, scenario } = at;
    scenario.pump.faults.wrongCrcs = 3;
    scenario.pump.faults.wrongTags = 2;
    await delay(scenario.clock, 20 * MINUTE_MS);
    expect(monitor.state.link.kind).toBe("ready");
    for (const name of ["glucose", "insulinOnBoard"] as const)
      expect(monitor.state.values[name]!.atMs, name).toBeGreaterThan(scenario.clock.now() - 7 * MINUTE_MS);
  });
});

describe("who listens", () => {
  test("and throws harms neither the others nor the monitor", async () => {
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const heard: unknown[] = [];
    process.on("uncaughtException", (error) => heard.push(error));
    try {
      await using scenario = await Scenario.open();
      await using connector = await scenario.connector();
      await using monitor = new PumpMonitor(connector, {
        history: () => {
          throw new Error("the program's third fault");
        },
      });
      monitor.on(() => {
        throw new Error("the program's fault");
      });
      monitor.onSession(() => {
        throw new Error("the program's other fault");
      });
      let told = 0;
      monitor.on(() => told++);
      await scenario.pair(connector);
      await delay(scenario.clock, 30_000);
      expect(monitor.state.values.glucose).toMatchObject({ value: { kind: "reading" } });
      expect(told).toBeGreaterThan(10);
      const messages = new Set(heard.map((error) => (error as Error).message));
      expect(messages).toEqual(new Set(["the program's fault", "the program's other fault", "the program's third fault"]));
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of others) process.on("uncaughtException", listener);
    }
  });

  test("in a loop gets the present state, then the newest, and misses those in between; it ends with the monitor", async () => {
    await using at = await watched();
    const { monitor, scenario } = at;
    const changes = monitor.changes();
    await delay(scenario.clock, 5 * MINUTE_MS);
    expect((await changes.next()).value).toBe(monitor.state); // the newest, not the first
    const rest: PumpState[] = [];
    const loop = (async () => {
      for await (const state of changes) rest.push(state);
    })();
    await delay(scenario.clock, 6 * MINUTE_MS);
    expect(rest.at(-1)).toBe(monitor.state);
    await monitor.close();
    await loop;
    expect(rest.at(-1)!.link.kind).toBe("ended");
    const controller = new AbortController();
    const over = monitor.changes({ signal: controller.signal });
    expect((await over.next()).done).toBe(true);
  });

  test("to sessions hears of the one that is up and of the next ones; a listener that was given back hears nothing", async () => {
    await using at = await watched();
    const { monitor } = at;
    const sessions: unknown[] = [];
    const listener = monitor.onSession((session) => sessions.push(session));
    expect(sessions).toEqual([monitor.session]);
    await monitor.session!.disconnect();
    await back(at);
    expect(sessions).toHaveLength(2);
    expect(sessions[1]).toBe(monitor.session);
    listener[Symbol.dispose]();
    await monitor.session!.disconnect();
    await back(at);
    expect(sessions).toHaveLength(2);
  });

  test("two monitors of one connector do not disturb each other", async () => {
    await using at = await watched();
    await using second = new PumpMonitor(at.connector);
    await delay(at.scenario.clock, 2 * MINUTE_MS);
    expect(second.state.values.status).toMatchObject({ value: { therapyControlState: "run" } });
    expect(at.monitor.state.link).toEqual(second.state.link);
  });
});

test("the history is kept by who is asked to: after the first reads, never twice at once, and no longer than the session", async () => {
  const calls: AbortSignal[] = [];
  let finish = (): void => undefined;
  await using at = await watched(
    {},
    {
      history: (session, signal) => {
        expect(session.ended).toBeUndefined();
        calls.push(signal);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    },
  );
  await delay(at.scenario.clock, 20 * MINUTE_MS);
  expect([calls.length, calls[0]!.aborted]).toEqual([1, false]); // the first is at it
  finish();
  await delay(at.scenario.clock, 1);
  expect(calls).toHaveLength(2); // it was wanted meanwhile
  await at.monitor.session!.disconnect();
  expect(calls[1]!.aborted).toBe(true);
  finish();
  await back(at);
  expect(calls).toHaveLength(3);
});

test("options of a wrong kind are refused", async () => {
  await using scenario = await Scenario.open();
  await using connector = await scenario.connector();
  for (const options of [{ pollMs: 10 }, { pollMs: "60" }, { history: true }, { wallClock: 5 }, { poll: 1 }])
    expect(() => new PumpMonitor(connector, options as never), JSON.stringify(options)).toThrow(
      expect.objectContaining({ code: "ERR_ARGUMENT" }),
    );
  await expect(PumpMonitor.open({ ...scenario.options(), pollMs: 0 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("a connector that its user ends, with a reason of any kind, ends the monitor and is no error of the program", async () => {
  await using scenario = await Scenario.open();
  const stop = new AbortController();
  const monitor = await PumpMonitor.open({ ...scenario.options(), signal: stop.signal });
  await Promise.all([monitor.connector.session({ timeoutMs: 2 * MINUTE_MS }), scenario.pump.pairNewPhone()]);
  stop.abort(new Error("enough"));
  await monitor.closed;
  expect(monitor.state.link).toMatchObject({ kind: "ended", reason: "enough" });
  await monitor.close();
});
