import { expect, test } from "vitest";
import { noValue } from "../../test/pump-state.ts";
import type { NoGlucoseValue } from "../connector/reading.ts";
import { causeOf, causeOfMessage } from "./causes.ts";

test.each([
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
  ["no_message", undefined],
  [77, undefined],
  [undefined, undefined],
] as const)("%j is told as %j", (message, cause) => {
  expect(causeOfMessage(message)).toBe(cause);
  expect(causeOf(noValue(0), message)).toBe(cause ?? "unknown");
});

test("a reading's own words come first, then the pump's, then that it wants to be calibrated, then that its session is over", () => {
  const of = (state: { [Name in keyof NoGlucoseValue["state"]]?: string[] }): NoGlucoseValue =>
    ({ ...noValue(0), state: { status: [], calibration: [], warning: [], ...state } }) as NoGlucoseValue;
  expect(causeOf(of({ warning: ["below_device_range"] }), "warm_up")).toBe("below_range");
  expect(causeOf(of({ warning: ["above_device_range"] }), "warm_up")).toBe("above_range");
  expect(causeOf(of({ calibration: ["calibration_required"], status: ["session_stopped"] }), "warm_up")).toBe("warm_up");
  expect(causeOf(of({ calibration: ["calibration_required"], status: ["session_stopped"] }), "no_message")).toBe("calibration_required");
  expect(causeOf(of({ status: ["session_stopped"] }), "no_message")).toBe("no_sensor");
});
