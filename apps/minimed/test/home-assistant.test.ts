import { inspect } from "node:util";
import { VirtualClock } from "jelling/async";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
import { afterEach, expect, test } from "vitest";
import type { PumpState } from "../src/index.ts";
import {
  forgetHomeAssistant,
  type HomeAssistantOptions,
  HomeAssistantPublisher,
  type HomeAssistantPublisherOptions,
  hashedPumpName,
} from "../src/mqtt/index.ts";
import type { TherapyView } from "../src/store/view.ts";
import { HomeAssistant } from "./home-assistant.ts";
import { EPOCH_MS, noValue, pumpState, reading, SERIAL } from "./pump-state.ts";
import { StubBroker } from "./stub-broker.ts";

const PUMP = "0123456789abcdef";
const DEVICE = "jelling_0123456789ab";
const CONFIG = `homeassistant/device/${DEVICE}/config`;
const STATE = `jelling/${DEVICE}/state`;
const STATUS = `jelling/${DEVICE}/status`;
const REACH = `jelling/${DEVICE}/reach`;
const PASSWORD = "correct horse";
const MINUTE_MS = 60_000;

const open: HomeAssistantPublisher[] = [];
afterEach(async () => {
  for (const publisher of open.splice(0)) await publisher.close();
});

/** A broker, a Home Assistant that listens at it, and what a publisher needs; time moves when it is told to. */
function house() {
  const clock = new VirtualClock({ auto: false, startMs: 1_000_000 });
  const broker = new StubBroker(() => clock.now());
  const homeAssistant = new HomeAssistant(() => clock.now());
  broker.watch((topic, payload) => homeAssistant.receive(topic, payload));
  const lines: string[] = [];
  const options: HomeAssistantOptions = {
    url: "mqtt://broker.example:1883",
    username: "pump-user",
    password: PASSWORD,
    pump: PUMP,
    clock,
    random: new SeededRandom(1),
    logger: new Logger("", LogLevel.Trace, (_level, _scope, line) => lines.push(line)),
    connect: broker.connect,
  };
  const publish = async (more: Partial<HomeAssistantPublisherOptions> = {}): Promise<HomeAssistantPublisher> => {
    const publisher = await HomeAssistantPublisher.open({ ...options, ...more });
    open.push(publisher);
    return publisher;
  };
  /** Topics since the last call, shortened. */
  let at = 0;
  const since = (): string[] => {
    const topics = broker.log
      .slice(at)
      .map(({ topic, payload }) =>
        topic === STATUS || topic === REACH ? `${topic.split("/").at(-1)} ${payload}` : topic.split("/").at(-1)!,
      );
    at = broker.log.length;
    return topics;
  };
  const close = async (publisher: HomeAssistantPublisher): Promise<void> => clock.run(publisher.close());
  return { clock, broker, homeAssistant, lines, options, publish, since, close };
}

const shown = (homeAssistant: HomeAssistant, ...ids: string[]): string[] => ids.map((id) => homeAssistant.stateOf(id));

test("a pump appears in Home Assistant: announcement, online, reach, state, in this order, and nothing to complain of", async () => {
  const { clock, broker, homeAssistant, publish, since, lines, close } = house();
  const publisher = await publish({ mmol: true });
  publisher.update(pumpState(clock.now()));
  await clock.advance(10_000);
  expect(since()).toEqual(["config", "status online", "reach online", "state"]);
  expect(Object.fromEntries([...homeAssistant.entities.keys()].map((id) => [id, homeAssistant.stateOf(id)]))).toEqual({
    glucose: "142",
    glucose_mmol: "7.9",
    glucose_time: "2031-03-02T08:15:40.000Z",
    glucose_trend: "1.5",
    glucose_direction: "forty_five_up",
    glucose_state: "ok",
    iob: "2.5",
    basal_rate: "0.9",
    suspended: "OFF",
    smartguard: "auto",
    reservoir: "123.5",
    pump_battery: "75",
    transmitter_battery: "100",
    sensor_ends: "2031-03-03T20:17:00.000Z",
    last_bolus: "unknown",
    last_bolus_time: "unknown",
    last_alert: "low reservoir alert (105)",
    last_alert_time: "2031-03-02T08:16:40.000Z",
    connected: "ON",
    last_contact: "2031-03-02T08:16:40.000Z",
  });
  homeAssistant.checkRetained(broker.retained);
  expect(homeAssistant.problems).toEqual([]);
  expect([...broker.retained.keys()].sort()).toEqual([CONFIG, REACH, STATUS]);
  expect(publisher.status).toMatchObject({ connected: true, problem: undefined, publishedAtMs: 1_001_000 - 1_000 });
  await close(publisher);
  expect(since()).toEqual(["status offline"]);
  expect(broker.connections).toBe(0);
  expect(publisher.status).toMatchObject({ connected: false, sinceMs: clock.now(), problem: undefined });
  expect(shown(homeAssistant, "glucose", "reservoir")).toEqual(["unavailable", "unavailable"]);
  // Nothing that names the pump or opens the broker.
  const all = JSON.stringify(broker.log) + lines.join("\n") + inspect(publisher, { depth: 9, showHidden: true });
  expect(all).not.toContain(SERIAL);
  expect(all).not.toContain("4711089");
  expect(all).not.toContain(PASSWORD);
  expect(all).not.toContain("pump-user");
  expect(lines.join("\n")).toContain("not encrypted");
});

test("without a state everything is unknown or unavailable, and nothing is invented", async () => {
  const { clock, homeAssistant, publish } = house();
  await publish();
  await clock.advance(5_000);
  expect(shown(homeAssistant, "connected", "reservoir", "glucose", "last_alert")).toEqual(["OFF", "unknown", "unavailable", "unknown"]);
  expect(homeAssistant.problems).toEqual([]);
});

test.each<[string, (nowMs: number) => PumpState, Record<string, string>]>([
  [
    "no sensor",
    (now) => pumpState(now, { glucose: { kind: "no-sensor", receivedAtMs: now }, sensorSession: undefined, transmitterBattery: undefined }),
    {
      glucose: "unknown",
      glucose_state: "no_sensor",
      glucose_direction: "unknown",
      glucose_time: "unknown",
      sensor_ends: "unknown",
      transmitter_battery: "unknown",
    },
  ],
  [
    "below the pump's range",
    (now) => pumpState(now, { glucose: noValue(now, ["below_device_range"]) }),
    { glucose: "unknown", glucose_state: "below_range" },
  ],
  [
    "above it, as the status says",
    (now) => pumpState(now, { glucose: noValue(now), status: { ...statusAt(now), sensorMessage: "sg_above_upper_limit" } }),
    { glucose: "unknown", glucose_state: "above_range" },
  ],
  [
    "warming up",
    (now) => pumpState(now, { glucose: noValue(now), status: { ...statusAt(now), sensorMessage: "warm_up" } }),
    { glucose_state: "warm_up" },
  ],
  [
    "a message nobody knows",
    (now) => pumpState(now, { glucose: noValue(now), status: { ...statusAt(now), sensorMessage: 77 } }),
    { glucose_state: "unknown" },
  ],
  [
    "an old value with the pump in reach",
    (now) => pumpState(now, { glucose: reading(99, { takenAtMs: now - 11 * MINUTE_MS, receivedAtMs: now }) }),
    { glucose: "unknown", glucose_state: "signal_lost", glucose_time: "2031-03-02T08:05:40.000Z" },
  ],
  [
    "no trend",
    (now) => pumpState(now, { glucose: reading(99, { takenAtMs: now, receivedAtMs: now }) }),
    { glucose: "99", glucose_trend: "unknown", glucose_direction: "not_computable" },
  ],
  ["stopped by the user", (now) => pumpState(now, { status: { ...statusAt(now), therapyControlState: "stop" } }), { suspended: "ON" }],
  [
    "therapy state undetermined",
    (now) => pumpState(now, { status: { ...statusAt(now), therapyControlState: "undetermined" } }),
    { suspended: "unknown" },
  ],
  [
    "therapy state without a name",
    (now) => pumpState(now, { status: { ...statusAt(now), therapyControlState: 99 } }),
    { suspended: "unknown" },
  ],
  ["an insulin on board of zero is one", (now) => pumpState(now, { insulinOnBoard: { ...emptyIob, insulinOnBoardIu: 0 } }), { iob: "0" }],
  ["a special word is none", (now) => pumpState(now, { insulinOnBoard: emptyIob }), { iob: "unknown" }],
  ["manual mode", (now) => pumpState(now, { therapy: { ...therapyAt(now), shield: "open_loop" } }), { smartguard: "manual" }],
  ["safe basal", (now) => pumpState(now, { therapy: { ...therapyAt(now), shield: "safe_basal_mode" } }), { smartguard: "safe_basal" }],
  ["a shield without a name", (now) => pumpState(now, { therapy: { ...therapyAt(now), shield: 9 } }), { smartguard: "unknown" }],
  ["an absolute temporary rate", (now) => pumpState(now, { basalRate: basal("absolute", 0.35) }), { basal_rate: "0.35" }],
  ["a relative one", (now) => pumpState(now, { basalRate: basal("relative", 1.5) }), { basal_rate: "1.35" }],
  ["one of an unknown kind", (now) => pumpState(now, { basalRate: basal(9, 1.5) }), { basal_rate: "unknown" }],
  ["an alarm without a name", (now) => pumpState(now, { annunciation: { ...alarmAt(now), code: 999 } }), { last_alert: "alert 999" }],
  ["no alarm", (now) => pumpState(now, { annunciation: undefined }), { last_alert: "unknown", last_alert_time: "unknown" }],
  ["a battery beyond its scale", (now) => pumpState(now, { battery: 255 }), { pump_battery: "unknown" }],
  ["a flat battery", (now) => pumpState(now, { battery: 0 }), { pump_battery: "0" }],
])("%s", async (_name, stateAt, expected) => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  publisher.update(stateAt(clock.now()));
  await clock.advance(5_000);
  expect(Object.fromEntries(Object.keys(expected).map((id) => [id, homeAssistant.stateOf(id)]))).toEqual(expected);
  expect(homeAssistant.problems).toEqual([]);
});

const statusAt = (nowMs: number) => pumpState(nowMs).values.status!.value!;
const therapyAt = (nowMs: number) => pumpState(nowMs).values.therapy!.value!;
const alarmAt = (nowMs: number) => pumpState(nowMs).values.annunciation!.value!;
const emptyIob = {
  insulinOnBoardIu: undefined,
  remainingDurationMin: undefined,
  partialStatusDurationMin: undefined,
  partialStatusRemaining: undefined,
};
const basal = (type: "absolute" | "relative" | number, adjustment: number) => ({
  ...pumpState(0).values.basalRate!.value!,
  temporaryBasal: { type, adjustment, programmedMin: 30, remainingMin: 20 } as never,
});

test.each<[string, (nowMs: number) => PumpState, Record<string, string>]>([
  ["paused by the pump", (now) => pumpState(now, { status: { ...statusAt(now), therapyControlState: "pause" } }), { suspended: "ON" }],
  [
    "a record without a value that is old, of a sensor that is in order",
    (now) => pumpState(now, { glucose: noValue(now - 20 * MINUTE_MS, ["below_device_range"]) }),
    { glucose_state: "signal_lost" },
  ],
  [
    "an old value while the sensor is changed",
    (now) =>
      pumpState(now, {
        glucose: reading(99, { takenAtMs: now - 20 * MINUTE_MS, receivedAtMs: now }),
        status: { ...statusAt(now), sensorMessage: "change_sensor" },
      }),
    { glucose: "unknown", glucose_state: "change_sensor" },
  ],
  [
    "a trend that is no number",
    (now) => pumpState(now, { glucose: reading(99, { takenAtMs: now, receivedAtMs: now, trend: Number.NaN }) }),
    { glucose_trend: "unknown", glucose_direction: "not_computable" },
  ],
  [
    "an alarm of another kind",
    (now) => pumpState(now, { annunciation: { ...alarmAt(now), code: undefined } }),
    { last_alert: "alert of another kind" },
  ],
])("what follows from several values at once: %s", async (_name, stateAt, expected) => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  publisher.update(stateAt(clock.now()));
  await clock.advance(5_000);
  expect(Object.fromEntries(Object.keys(expected).map((id) => [id, homeAssistant.stateOf(id)]))).toEqual(expected);
  expect(homeAssistant.problems).toEqual([]);
});

test.each([
  [3.6, "double_up"],
  [3.5, "single_up"],
  [2.1, "single_up"],
  [2, "forty_five_up"],
  [1.1, "forty_five_up"],
  [1, "flat"],
  [0, "flat"],
  [-0.9, "flat"],
  [-1, "forty_five_down"],
  [-2, "single_down"],
  [-3.4, "single_down"],
  [-3.5, "double_down"],
  [41, "rate_out_of_range"],
  [-41, "rate_out_of_range"],
])("a rate of %f mg/dL a minute is %s", async (trend, direction) => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now(), { glucose: reading(140, { takenAtMs: clock.now(), receivedAtMs: clock.now(), trend }) }));
  await clock.advance(5_000);
  expect(homeAssistant.stateOf("glucose_direction")).toBe(direction);
});

test("a glucose ends ten minutes after it was taken, though nothing comes, and what the pump said of the moment after fifteen", async () => {
  const { clock, homeAssistant, publish, since } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(9 * MINUTE_MS); // it was a minute old
  expect(shown(homeAssistant, "glucose", "iob", "glucose_state")).toEqual(["142", "2.5", "ok"]);
  await clock.advance(2);
  expect(shown(homeAssistant, "glucose", "glucose_direction", "iob", "glucose_state")).toEqual([
    "unknown",
    "unknown",
    "2.5",
    "signal_lost",
  ]);
  await clock.advance(6 * MINUTE_MS);
  expect(shown(homeAssistant, "glucose", "iob", "suspended", "glucose_state")).toEqual(Array(4).fill("unavailable"));
  expect(shown(homeAssistant, "reservoir", "glucose_time", "last_contact", "connected")).toEqual([
    "123.5",
    "2031-03-02T08:15:40.000Z",
    "2031-03-02T08:16:40.000Z",
    "ON",
  ]);
  expect(since()).toContain("reach offline");
  publisher.update(pumpState(clock.now()));
  await clock.advance(5_000);
  expect(shown(homeAssistant, "glucose", "iob")).toEqual(["142", "2.5"]);
});

test("a sample of unknown time does not become younger by being read again", async () => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  for (let minute = 0; minute <= 14; minute++) {
    publisher.update(pumpState(clock.now(), { glucose: reading(80, { takenAtMs: undefined, receivedAtMs: clock.now() }) }));
    await clock.advance(MINUTE_MS);
  }
  expect(homeAssistant.stateOf("glucose")).toBe("unknown");
  publisher.update(
    pumpState(clock.now(), { glucose: reading(81, { takenAtMs: clock.now() + 3600_000, receivedAtMs: clock.now(), timeOffsetMin: 605 }) }),
  );
  await clock.advance(5_000);
  expect(homeAssistant.stateOf("glucose")).toBe("81"); // the pump's clock is an hour ahead
  await clock.advance(11 * MINUTE_MS);
  expect(homeAssistant.stateOf("glucose")).toBe("unknown");
});

test("values of an earlier connection hold for a quarter of an hour, then only what changes slowly", async () => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  const beganMs = clock.now();
  const earlier = pumpState(beganMs);
  publisher.update(earlier);
  await clock.advance(14 * MINUTE_MS);
  publisher.update({ ...earlier, link: { kind: "ready", sinceMs: clock.now() }, heardAtMs: clock.now() });
  await clock.advance(5_000);
  expect(homeAssistant.stateOf("iob")).toBe("2.5");
  await clock.advance(2 * MINUTE_MS);
  expect(shown(homeAssistant, "iob", "suspended", "reservoir", "connected")).toEqual(["unknown", "unknown", "123.5", "ON"]);
});

test("what a connection told holds as long as it is up and the pump is heard, though it was told once", async () => {
  const { clock, homeAssistant, publish } = house();
  const publisher = await publish();
  const state = pumpState(clock.now());
  for (let i = 0; i < 6; i++) {
    publisher.update({ ...state, heardAtMs: clock.now() });
    await clock.advance(10 * MINUTE_MS);
  }
  expect(shown(homeAssistant, "iob", "suspended", "glucose")).toEqual(["2.5", "OFF", "unknown"]);
});

test("an hour without any change: everything is sent again before it expires", async () => {
  const { clock, homeAssistant, publish, broker } = house();
  const publisher = await publish();
  const state = pumpState(clock.now(), { glucose: { kind: "no-sensor", receivedAtMs: clock.now() } });
  for (let minute = 0; minute < 60; minute++) {
    publisher.update({ ...state, heardAtMs: clock.now() });
    await clock.advance(MINUTE_MS);
    expect(homeAssistant.stateOf("iob")).toBe("2.5");
  }
  const states = broker.log.filter(({ topic }) => topic === STATE).length;
  expect(states).toBeGreaterThanOrEqual(12);
  expect(states).toBeLessThanOrEqual(14); // that the pump was heard of is no reason to send
});

test("Home Assistant starts: after one to five seconds everything comes again, in order; a glucose only while it is fresh", async () => {
  const { clock, broker, publish, since } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(MINUTE_MS);
  since();
  for (let i = 0; i < 8; i++) {
    broker.publish({ topic: "homeassistant/status", payload: "offline", retain: false });
    await clock.advance(20_000);
    expect(since()).toEqual(["status"]);
    broker.publish({ topic: "homeassistant/status", payload: "online", retain: false });
    await clock.advance(999);
    expect(since()).toEqual(["status"]);
    await clock.advance(4_002);
    expect(since()).toEqual(["config", "status online", "reach online", "state"]);
  }
  await clock.advance(8 * MINUTE_MS);
  const homeAssistant = new HomeAssistant(() => clock.now());
  broker.watch((topic, payload) => homeAssistant.receive(topic, payload));
  broker.publish({ topic: "homeassistant/status", payload: "online", retain: false });
  await clock.advance(6_000);
  expect(homeAssistant.stateOf("glucose")).toBe("unknown");
  expect(homeAssistant.problems).toEqual([]);
});

test("the delay after a start is drawn by chance; of several starts the last is answered; a stream of them is answered all the same", async () => {
  const { clock, broker, publish } = house();
  await publish();
  await clock.advance(5_000);
  const delays: number[] = [];
  const announced = (): number => broker.log.filter(({ topic }) => topic === CONFIG).length;
  for (let i = 0; i < 12; i++) {
    const before = announced();
    broker.publish({ topic: "homeassistant/status", payload: "online", retain: false });
    let ms = 0;
    for (; announced() === before; ms += 50) await clock.advance(50);
    delays.push(ms);
  }
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(1000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(5050);
  expect(new Set(delays).size).toBeGreaterThan(8);

  const before = announced();
  for (let i = 0; i < 18; i++) {
    broker.publish({ topic: "homeassistant/status", payload: "online", retain: false });
    await clock.advance(500);
  }
  expect(announced()).toBe(before + 1);
});

test("a connection breaks: the will says so; back again everything is said anew, and of what came meanwhile the newest", async () => {
  const { clock, broker, homeAssistant, publish, since } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(5_000);
  since();
  broker.fault = "away";
  broker.cutAll();
  expect(since()).toEqual(["status offline"]);
  expect(broker.retained.get(STATUS)).toBe("offline"); // for who looks only later
  expect(homeAssistant.stateOf("reservoir")).toBe("unavailable");
  for (let i = 0; i < 10_000; i++) {
    publisher.update(pumpState(clock.now(), { glucose: reading(100 + (i % 200), { takenAtMs: clock.now(), receivedAtMs: clock.now() }) }));
    if (i % 100 === 0) await clock.advance(MINUTE_MS);
  }
  expect(clock.pending.length).toBeLessThanOrEqual(2);
  expect(publisher.status).toMatchObject({ connected: false, problem: "The broker cannot be reached (ECONNREFUSED)." });
  broker.fault = "none";
  await clock.advance(2 * MINUTE_MS);
  expect(since()).toEqual(["config", "status online", "reach online", "state"]);
  expect(homeAssistant.stateOf("glucose")).toBe("299");
  expect(publisher.status.connected).toBe(true);
});

test("an old reading is not published as current after a long absence of the broker", async () => {
  const { clock, broker, homeAssistant, publish } = house();
  broker.fault = "away";
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(12 * MINUTE_MS);
  broker.fault = "none";
  await clock.advance(MINUTE_MS + 5_000);
  expect(shown(homeAssistant, "glucose", "iob")).toEqual(["unknown", "2.5"]);
});

test("the will of a half-dead connection that comes late is put right", async () => {
  const { clock, broker, publish, homeAssistant, since } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(MINUTE_MS);
  since();
  broker.publish({ topic: STATUS, payload: "offline", retain: true });
  expect(homeAssistant.stateOf("reservoir")).toBe("unavailable");
  await clock.advance(1_500);
  expect(since()).toEqual(["status offline", "config", "status online", "reach online", "state"]);
  expect(homeAssistant.stateOf("reservoir")).toBe("123.5");
});

test("attempts come ever more rarely, up to a minute; a broker that does not know us is asked every five minutes at most", async () => {
  const { clock, broker, publish, lines } = house();
  broker.fault = "away";
  const publisher = await publish();
  await clock.advance(20 * MINUTE_MS);
  const gaps = broker.attempts.slice(1).map((atMs, i) => atMs - broker.attempts[i]!);
  expect(gaps[0]).toBeLessThanOrEqual(1_000);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(60_000);
  expect(Math.min(...gaps.slice(7))).toBeGreaterThanOrEqual(30_000);
  broker.fault = "unauthorized";
  await clock.advance(MINUTE_MS);
  broker.attempts = [];
  await clock.advance(30 * MINUTE_MS);
  expect(broker.attempts.length).toBeLessThanOrEqual(12);
  expect(broker.attempts.length).toBeGreaterThanOrEqual(5);
  expect(publisher.status.problem).toMatch(/does not take this user/);
  expect(lines.join("\n")).not.toContain(PASSWORD);
});

test("a broker that kicks us out again and again is not asked without a pause", async () => {
  const { clock, broker, publish } = house();
  await publish();
  for (let i = 0; i < 600; i++) {
    await clock.advance(1_000);
    broker.cutAll();
  }
  expect(broker.attempts.length).toBeLessThan(30);
});

test("a broker that takes everything and answers nothing is left after its time", async () => {
  const { clock, broker, publish, homeAssistant } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(5_000);
  broker.fault = "mute";
  publisher.update(pumpState(clock.now(), { battery: 50 }));
  await clock.advance(40_000);
  expect(publisher.status).toMatchObject({ connected: false, problem: "The broker did not answer within 30 s." });
  broker.fault = "none";
  await clock.advance(2 * MINUTE_MS);
  expect(homeAssistant.stateOf("pump_battery")).toBe("50");
  broker.fault = "mute";
  const beganMs = clock.now();
  await clock.run(publisher.close());
  expect(clock.now() - beganMs).toBeLessThanOrEqual(3_000);
  expect(broker.connections).toBe(0);
  expect(clock.pending).toEqual([]);
});

test("forget leaves nothing, neither at the broker nor a will that brings it back", async () => {
  const { clock, broker, publish, homeAssistant } = house();
  const publisher = await publish();
  publisher.update(pumpState(clock.now()));
  await clock.advance(5_000);
  expect(broker.retained.size).toBe(3);
  await clock.run(publisher.forget());
  expect(broker.retained.size).toBe(0);
  expect(homeAssistant.entities.size).toBe(0);
  broker.cutAll();
  await clock.advance(10 * MINUTE_MS);
  expect(broker.retained.size).toBe(0);
  await expect(publisher.forget()).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("forgetHomeAssistant does it without a publisher; a connection that is left over goes with it", async () => {
  const { clock, broker, options, publish } = house();
  await publish();
  await clock.advance(5_000);
  await clock.run(forgetHomeAssistant(options));
  expect(broker.retained.size).toBe(0);
  broker.fault = "mute";
  await expect(clock.run(forgetHomeAssistant(options))).rejects.toMatchObject({ code: "ERR_MQTT", problem: "timeout" });
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await expect(forgetHomeAssistant(options, { signal: controller.signal })).rejects.toThrow("enough");
});

test("an entity that is no more is removed in two steps, of another run's announcement too", async () => {
  const { clock, broker, homeAssistant, publish, close, since } = house();
  await close(await publish({ mmol: true }));
  const first = await publish({ mmol: true });
  await clock.advance(5_000);
  expect(homeAssistant.entities.has("glucose_mmol")).toBe(true);
  await close(first);
  since();
  await publish();
  await clock.advance(5_000);
  expect(since().slice(0, 3)).toEqual(["config", "config", "status online"]);
  expect(homeAssistant.entities.has("glucose_mmol")).toBe(false);
  expect(homeAssistant.problems).toEqual([]);
  expect(JSON.parse(broker.retained.get(CONFIG)!).components.glucose_mmol).toBeUndefined();
});

test("what is kept under our topic and is no announcement of ours does no harm", async () => {
  for (const payload of [
    "",
    "[]",
    "null",
    "{",
    '{"components":null}',
    '{"components":{"x":null,"y":{"platform":3}}}',
    "x".repeat(300_000),
  ]) {
    const { clock, broker, publish, homeAssistant, options } = house();
    broker.retained.set(CONFIG, payload);
    const publisher = await publish();
    await clock.advance(5_000);
    expect(publisher.status.connected).toBe(true);
    expect(homeAssistant.stateOf("connected")).toBe("OFF");
    void options;
  }
});

test("model and firmware are announced when they are known; a serial number in them is not", async () => {
  const { clock, broker, publish, since } = house();
  const publisher = await publish({
    name: "Pump of the house",
    names: { glucose: "Zucker" },
    entityPrefix: "house",
    baseTopic: "home/pump",
  });
  await clock.advance(5_000);
  since();
  publisher.update(pumpState(clock.now()));
  await clock.advance(5_000);
  expect(since()).toEqual(["config", "reach", "state"]);
  const { device, components } = JSON.parse(broker.retained.get(CONFIG)!);
  expect(device).toEqual({
    identifiers: [DEVICE],
    name: "Pump of the house",
    manufacturer: "Medtronic",
    model: "MMT-1885",
    sw_version: "6.60",
    hw_version: "A1.01 NG······9H",
  });
  expect(components.glucose).toMatchObject({ name: "Zucker", default_entity_id: "sensor.house_glucose", unique_id: `${DEVICE}_glucose` });
  publisher.update({ ...pumpState(clock.now()), values: {} });
  await clock.advance(5_000);
  expect(since()).toEqual(["state"]); // not announced anew without its model
  const known = pumpState(0).values.information!.value!;
  publisher.update(pumpState(clock.now(), { information: { ...known, firmware: undefined, software: "7.0", hardware: undefined } }));
  await clock.advance(5_000);
  expect(JSON.parse(broker.retained.get(CONFIG)!).device).toEqual({
    ...{ identifiers: [DEVICE], name: "Pump of the house", manufacturer: "Medtronic", model: "MMT-1885", sw_version: "7.0" },
  });
});

test("the last bolus and the last alert come from the history, which may fail", async () => {
  const { clock, homeAssistant, publish, lines } = house();
  const ref = { pump: PUMP, segment: 1, sequenceNumber: 1 };
  const time = { atMs: EPOCH_MS, local: undefined, ref };
  const bolus = {
    ...time,
    bolusId: 1,
    kind: "multiwave",
    automatic: false,
    programmedIu: undefined,
    durationMin: 30,
    endReason: undefined,
  } as const;
  let asked = 0;
  let fails = false;
  const view = {
    boluses: () => {
      asked++;
      if (fails) throw new Error(`disk of ${SERIAL} is full`);
      return [
        { ...bolus, deliveredIu: { fast: 1, extended: 0 } },
        { ...bolus, atMs: EPOCH_MS + 1000, deliveredIu: { fast: 2.5, extended: 0.75 } },
        { ...bolus, atMs: EPOCH_MS + 2000, deliveredIu: undefined },
      ];
    },
    alerts: () => [{ ...time, atMs: EPOCH_MS + 5000, instanceId: 7, code: 816, name: undefined, clearedAtMs: undefined }],
  } as unknown as TherapyView;
  let current: TherapyView | undefined;
  const publisher = await publish({ view: () => current });
  publisher.update(pumpState(clock.now(), { annunciation: undefined }));
  await clock.advance(5_000);
  expect(homeAssistant.stateOf("last_bolus")).toBe("unknown");
  current = view;
  await clock.advance(6 * MINUTE_MS);
  expect(shown(homeAssistant, "last_bolus", "last_bolus_time", "last_alert", "last_alert_time")).toEqual([
    "3.25",
    "2031-03-02T08:00:01.000Z",
    "high sensor gluecose2 (816)",
    "2031-03-02T08:00:05.000Z",
  ]);
  fails = true;
  for (let i = 0; i < 600; i++) {
    publisher.update(pumpState(clock.now(), { battery: i % 100, annunciation: undefined }));
    await clock.advance(1_000);
  }
  expect(asked).toBeLessThanOrEqual(20);
  expect(homeAssistant.stateOf("last_bolus")).toBe("3.25");
  expect(lines.join()).not.toContain(SERIAL);
  publisher.update(pumpState(clock.now())); // another alarm than the history's newest, which is later
  await clock.advance(5_000);
  expect(homeAssistant.problems).toEqual([]);
});

test("states come from a source; signal, disposal and close end it once and leave no timer", async () => {
  const { clock, broker, publish, homeAssistant } = house();
  const listeners = new Set<(state: PumpState) => void>();
  let state = pumpState(clock.now());
  const source = {
    get state() {
      return state;
    },
    on: (listener: (state: PumpState) => void): Disposable => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
  const controller = new AbortController();
  const publisher = await publish({ source, signal: controller.signal });
  await clock.advance(5_000);
  state = pumpState(clock.now(), { battery: 25 });
  for (const listener of listeners) listener(state);
  await clock.advance(5_000);
  expect(homeAssistant.stateOf("pump_battery")).toBe("25");
  controller.abort();
  await clock.run(publisher.close());
  await clock.run(publisher[Symbol.asyncDispose]());
  expect(listeners.size).toBe(0);
  expect(broker.connections).toBe(0);
  expect(clock.pending).toEqual([]);
  publisher.update(state);
  await clock.advance(10_000);
  expect(clock.pending).toEqual([]);
  await expect(publish({ signal: controller.signal })).rejects.toBe(controller.signal.reason);
});

test("a connect function of the program's that throws or never listens to its signal is survived", async () => {
  const { clock, publish } = house();
  let calls = 0;
  const publisher = await publish({
    connect: () => {
      if (calls++ % 2 === 0) throw new TypeError("wrong");
      return new Promise(() => {});
    },
  });
  await clock.advance(0);
  expect(publisher.status.problem).toBe("The publisher failed: TypeError.");
  await clock.advance(5 * MINUTE_MS);
  expect(calls).toBeGreaterThan(3);
  await clock.run(publisher.close());
  expect(clock.pending).toEqual([]);
});

test.each<[object, RegExp]>([
  [{ url: "http://broker" }, /url: expected an address/],
  [{ url: "mqtt://user:geheim@broker" }, /user name and password are options/],
  [{ url: "geheim" }, /url: expected an address/],
  [{ url: 7 }, /url: expected an address/],
  [{ pump: SERIAL }, /pump: expected the store's name/],
  [{ baseTopic: "a/#" }, /baseTopic/],
  [{ baseTopic: "" }, /baseTopic/],
  [{ baseTopic: "$SYS" }, /baseTopic/],
  [{ discoveryPrefix: "a/+/b" }, /discoveryPrefix/],
  [{ birthTopic: "/a" }, /birthTopic/],
  [{ birthPayload: 1 }, /birthPayload/],
  [{ name: " " }, /name: expected a name/],
  [{ names: { glukose: "x" } }, /did you mean "glucose"/],
  [{ names: { glucose: "" } }, /names: glucose/],
  [{ entityPrefix: "A b" }, /entityPrefix/],
  [{ mmol: "yes" }, /mmol/],
  [{ username: undefined }, /password: MQTT 3.1.1 has none/],
  [{ password: 7 }, /password: expected text/],
  [{ tls: { caFile: "x" } }, /unknown option "caFile"/],
  [{ tls: { ca: new Uint8Array() } }, /tls: ca: expected text/],
  [{ connect: {} }, /connect: expected a function/],
  [{ view: {} }, /view: expected a function/],
  [{ source: {} }, /source: expected a source/],
  [{ clock: 3 }, /clock: expected a Clock/],
  [{ signal: 3 }, /signal: expected an AbortSignal/],
  [{ topic: "x" }, /unknown option "topic"/],
])("options are checked: %j", async (wrong, message) => {
  const { options } = house();
  const refused = HomeAssistantPublisher.open({ ...options, ...wrong } as HomeAssistantPublisherOptions);
  await expect(refused).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) });
  await expect(refused).rejects.not.toThrow(/geheim|4711/);
});

test("a hashed name of a pump needs its salt, and says nothing of the serial number", () => {
  const salt = new Uint8Array(16).fill(7);
  const name = hashedPumpName(SERIAL, salt);
  expect(name).toMatch(/^[0-9a-f]{16}$/);
  expect(hashedPumpName(SERIAL, salt)).toBe(name);
  expect(hashedPumpName(SERIAL, new Uint8Array(16).fill(8))).not.toBe(name);
  expect(hashedPumpName("NG4711088H", salt)).not.toBe(name);
  expect(() => hashedPumpName(SERIAL, new Uint8Array(8))).toThrow(/salt/);
  expect(() => hashedPumpName("", salt)).toThrow(/serial/);
});
