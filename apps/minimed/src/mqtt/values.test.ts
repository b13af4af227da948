import { describe, expect, test } from "vitest";
import { EPOCH_MS, noValue, pumpState, pumpValues, reading } from "../../test/pump-state.ts";
import type { PumpState } from "../live/state.ts";
import { alertText, FirstSeen, IN_REACH_MS, type LastEvents, valuesOf } from "./values.ts";

const MINUTE_MS = 60_000;
const NOW_MS = 100 * MINUTE_MS;

const at = (state: PumpState | undefined, nowMs = NOW_MS, events: LastEvents = {}, seen = new FirstSeen()) =>
  valuesOf(state, events, nowMs, seen);
/** An old connection's values. */
const away = { kind: "advertising", mode: "reconnect", bonded: true, sinceMs: NOW_MS } as const;

describe("what a connection told that is over", () => {
  test("holds for a quarter of an hour after it was read, to the millisecond; what changes slowly holds on", () => {
    const state = pumpState(NOW_MS, {}, { link: away, heardAtMs: NOW_MS + 60 * MINUTE_MS });
    const inTime = at(state, NOW_MS + IN_REACH_MS);
    expect(inTime.values).toMatchObject({ iob: 2.5, basal_rate: 0.9, suspended: "OFF", smartguard: "auto", reservoir: 123.5 });
    expect(inTime.validUntilMs).toBe(NOW_MS + IN_REACH_MS);
    const late = at(state, NOW_MS + IN_REACH_MS + 1);
    expect(late.values).toMatchObject({
      iob: null,
      basal_rate: null,
      suspended: null,
      smartguard: null,
      reservoir: 123.5,
      pump_battery: 75,
    });
    expect([late.isInReach, late.validUntilMs]).toEqual([true, state.heardAtMs! + IN_REACH_MS]);
  });

  test("and the one that is up told it: it holds as long as the pump is heard", () => {
    const state = pumpState(NOW_MS, {}, { link: { kind: "ready", sinceMs: NOW_MS }, heardAtMs: NOW_MS + 60 * MINUTE_MS });
    expect(at(state, NOW_MS + 75 * MINUTE_MS).values).toMatchObject({ iob: 2.5, connected: "ON" });
    expect(at(state, NOW_MS + 75 * MINUTE_MS + 1)).toMatchObject({
      isInReach: false,
      validUntilMs: Number.POSITIVE_INFINITY,
      values: { iob: null, glucose_state: null, connected: "ON" },
    });
    const earlier = pumpState(NOW_MS, {}, { link: { kind: "ready", sinceMs: NOW_MS + 1 }, heardAtMs: NOW_MS + 60 * MINUTE_MS });
    expect(at(earlier, NOW_MS + 16 * MINUTE_MS).values.iob).toBeNull();
  });

  test.each([
    [{ kind: "connecting", sinceMs: 0 }, "OFF"],
    [{ kind: "ended", sinceMs: 0, reason: "x" }, "OFF"],
    [away, "OFF"],
    [{ kind: "ready", sinceMs: 0 }, "ON"],
  ] as const)("%j: connected is %s", (link, connected) => {
    expect(at(pumpState(NOW_MS, {}, { link })).values.connected).toBe(connected);
  });
});

describe("the glucose", () => {
  const taken = (takenAtMs: number | undefined, timeOffsetMin = 600) =>
    pumpState(NOW_MS, { glucose: reading(142.4, { takenAtMs, receivedAtMs: NOW_MS, trend: -1.234, timeOffsetMin }) });

  test("is one of now for ten minutes, to the millisecond", () => {
    const fresh = at(taken(NOW_MS - 10 * MINUTE_MS));
    expect(fresh.values).toMatchObject({ glucose: 142, glucose_trend: -1.23, glucose_direction: "forty_five_down", glucose_state: "ok" });
    expect(fresh.validUntilMs).toBe(NOW_MS);
    expect(at(taken(NOW_MS - 10 * MINUTE_MS - 1)).values).toMatchObject({
      ...{ glucose: null, glucose_mmol: null, glucose_trend: null, glucose_direction: null, glucose_state: "signal_lost" },
      glucose_time: new Date(EPOCH_MS + NOW_MS - 10 * MINUTE_MS).toISOString(), // to the second
    });
  });

  test("of a pump whose clock is a little ahead is believed, of one far ahead it counts from when it came", () => {
    const seen = new FirstSeen();
    expect(at(taken(NOW_MS + 5 * MINUTE_MS), NOW_MS, {}, seen).values.glucose_time).toBe(
      new Date(EPOCH_MS + NOW_MS + 5 * MINUTE_MS).toISOString(),
    );
    expect(at(taken(NOW_MS + 5 * MINUTE_MS + 1), NOW_MS, {}, seen).values.glucose_time).toBe(new Date(EPOCH_MS + NOW_MS).toISOString());
  });

  test("of unknown time counts from when it was seen first, until another sample comes", () => {
    const seen = new FirstSeen();
    const sampled = (receivedAtMs: number, timeOffsetMin: number) =>
      seen.sampleMs(reading(100, { takenAtMs: undefined, receivedAtMs, timeOffsetMin }), NOW_MS);
    expect([sampled(10, 600), sampled(20, 600), sampled(30, 605), sampled(40, 605), sampled(50, 600)]).toEqual([10, 10, 30, 30, 50]);
    expect(seen.sampleMs({ ...noValue(0), takenAtMs: undefined, receivedAtMs: 60, timeOffsetMin: 600 }, NOW_MS)).toBe(60);
  });

  test.each([
    ["no_message", "signal_lost"],
    ["wait_to_calibrate", "calibration_required"],
    ["do_not_calibrate", "updating"],
    ["calibration_required", "calibration_required"],
    ["calibrating", "updating"],
    ["searching_for_signal", "signal_lost"],
    ["no_sensor_signal", "signal_lost"],
    ["change_sensor", "change_sensor"],
    ["warm_up", "warm_up"],
    ["waiting_for_warm_up", "warm_up"],
    ["sg_below_lower_limit", "below_range"],
    ["sg_above_upper_limit", "above_range"],
    ["transmitter_battery_empty", "signal_lost"],
    ["no_paired_sensor", "no_sensor"],
  ] as const)("that is old while the pump says %s: %s", (sensorMessage, expected) => {
    const status = { ...pumpValues(NOW_MS).status, sensorMessage };
    const glucose = reading(99, { takenAtMs: NOW_MS - 20 * MINUTE_MS, receivedAtMs: NOW_MS });
    expect(at(pumpState(NOW_MS, { glucose, status })).values.glucose_state).toBe(expected);
  });

  test("that has no value: its own word counts first, then the pump's, then that it has to be calibrated", () => {
    const stateOf = (warning: Parameters<typeof noValue>[1], sensorMessage: string, calibration: string[] = []): unknown => {
      const none = noValue(NOW_MS, warning);
      const glucose = { ...none, state: { ...none.state, calibration } } as typeof none;
      const status = { ...pumpValues(NOW_MS).status, sensorMessage } as ReturnType<typeof pumpValues>["status"];
      return at(pumpState(NOW_MS, { glucose, status })).values.glucose_state;
    };
    expect(stateOf(["below_device_range"], "warm_up")).toBe("below_range");
    expect(stateOf(["above_device_range"], "warm_up")).toBe("above_range");
    expect(stateOf([], "warm_up", ["calibration_required"])).toBe("warm_up");
    expect(stateOf([], "no_message", ["calibration_required"])).toBe("calibration_required");
    expect(stateOf([], "no_message", [])).toBe("unknown");
  });

  test("that was never read, or of a sensor that is none", () => {
    const { glucose: _glucose, ...others } = pumpState(NOW_MS).values;
    expect(at({ ...pumpState(NOW_MS), values: others }).values).toMatchObject({
      glucose: null,
      glucose_time: null,
      glucose_state: "unknown",
    });
    expect(at(pumpState(NOW_MS, { glucose: undefined })).values).toMatchObject({ glucose_time: null, glucose_state: "no_sensor" });
    const status = { ...pumpValues(NOW_MS).status, sensorMessage: "change_sensor" as const };
    expect(at(pumpState(NOW_MS, { glucose: { kind: "no-sensor", receivedAtMs: NOW_MS }, status })).values.glucose_state).toBe(
      "change_sensor",
    );
  });
});

describe("what the pump does not have", () => {
  test("is null, whatever it is, and never a zero", () => {
    const names = Object.keys(pumpValues(0)) as (keyof ReturnType<typeof pumpValues>)[];
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
    const { connected, last_contact, glucose_state, ...values } = at(pumpState(NOW_MS, nothing)).values;
    expect(values).toEqual(Object.fromEntries(Object.keys(values).map((name) => [name, null])));
    expect([connected, glucose_state, last_contact]).toEqual(["ON", "no_sensor", new Date(EPOCH_MS + NOW_MS).toISOString()]);
    const none = at(undefined);
    expect(none).toMatchObject({ isInReach: false, validUntilMs: Number.POSITIVE_INFINITY });
    expect(Object.entries(none.values).filter(([, value]) => value !== null)).toEqual([["connected", "OFF"]]);
  });

  test.each([
    [0, 0],
    [100, 100],
    [101, null],
    [-1, null],
    [49.6, 50],
    [Number.NaN, null],
  ])("a battery of %f percent is %j", (battery, shown) => {
    expect(at(pumpState(NOW_MS, { battery, transmitterBattery: battery })).values).toMatchObject({
      pump_battery: shown,
      transmitter_battery: shown,
    });
  });

  test("numbers are rounded, minus zero is zero, and what is no number is none", () => {
    const iobOf = (insulinOnBoardIu: number): unknown =>
      at(pumpState(NOW_MS, { insulinOnBoard: { ...pumpValues(0).insulinOnBoard, insulinOnBoardIu } })).values.iob;
    expect([iobOf(1.23456), iobOf(Number.POSITIVE_INFINITY), Object.is(iobOf(-0.0001), 0)]).toEqual([1.235, null, true]);
  });

  test("times that no calendar has are none", () => {
    const state = pumpState(NOW_MS);
    expect(at({ ...state, epochMs: 9e15 }).values).toMatchObject({ last_contact: null, glucose_time: null });
    const sensorSession = { ...pumpValues(0).sensorSession, remainingMs: undefined };
    expect(at(pumpState(NOW_MS, { sensorSession })).values.sensor_ends).toBeNull();
  });

  test("a temporary rate without a number, or beside no rate, is no rate", () => {
    const { basalRate } = pumpValues(0);
    const rateOf = (temporaryBasal: unknown, configuredRate: number | undefined = 0.9): unknown =>
      at(pumpState(NOW_MS, { basalRate: { ...basalRate, configuredRate, temporaryBasal } as typeof basalRate })).values.basal_rate;
    expect(rateOf({ type: "relative", adjustment: 0.5 })).toBe(0.45);
    expect(rateOf({ type: "relative", adjustment: 0 })).toBe(0);
    expect(rateOf({ type: "relative", adjustment: undefined })).toBeNull();
    expect(rateOf({ type: "absolute", adjustment: undefined })).toBeNull();
    expect(rateOf({ type: "absolute", adjustment: 0 })).toBe(0);
    expect(at(pumpState(NOW_MS, { basalRate: { ...basalRate, configuredRate: undefined } })).values.basal_rate).toBeNull();
  });
});

describe("the last alert", () => {
  const utcMs = EPOCH_MS + NOW_MS;
  const alert = { atMs: utcMs, instanceId: 9, text: "from the history" };

  test("is what the pump shows, dated by when that was seen first, unless the history has a newer one", () => {
    const seen = new FirstSeen();
    const shown = (nowMs: number, events: LastEvents = {}) => {
      const { last_alert, last_alert_time } = at(pumpState(nowMs), nowMs, events, seen).values;
      return [last_alert, last_alert_time];
    };
    const first = ["low reservoir alert (105)", new Date(utcMs).toISOString()];
    expect(shown(NOW_MS)).toEqual(first);
    expect(shown(NOW_MS + MINUTE_MS)).toEqual(first); // read again, it is not a new one
    expect(shown(NOW_MS, { alert })).toEqual(first); // the same moment
    expect(shown(NOW_MS, { alert: { ...alert, atMs: utcMs - 1 } })).toEqual(first);
    expect(shown(NOW_MS, { alert: { ...alert, atMs: utcMs + 1 } })).toEqual(["from the history", new Date(utcMs + 1).toISOString()]);
  });

  test("that the history has too is the history's, which knows when it came; where the pump shows none, the history's", () => {
    const same = { ...alert, instanceId: 7, atMs: utcMs - 50 * MINUTE_MS };
    const expected = { last_alert: "from the history", last_alert_time: new Date(same.atMs).toISOString() };
    expect(at(pumpState(NOW_MS), NOW_MS, { alert: same }).values).toMatchObject(expected);
    expect(at(pumpState(NOW_MS, { annunciation: undefined }), NOW_MS, { alert: same }).values).toMatchObject(expected);
    expect(at(undefined, NOW_MS, { alert: same }).values).toMatchObject(expected);
  });

  test.each([
    [105, undefined, "low reservoir alert (105)"],
    [105, "another_name", "another name (105)"],
    [undefined, "another_name", "another name"],
    [999, undefined, "alert 999"],
    [0, undefined, "alert 0"],
    [undefined, undefined, "alert of another kind"],
  ])("code %j, name %j: %s", (code, name, text) => {
    expect(alertText(code, name)).toBe(text);
  });

  test("a bolus of the history is told with its instant", () => {
    const bolus = { atMs: utcMs - 1500, amountIu: 2.34567 };
    expect(at(undefined, NOW_MS, { bolus }).values).toMatchObject({
      last_bolus: 2.346,
      last_bolus_time: new Date(utcMs - 1500).toISOString(),
    });
  });
});
