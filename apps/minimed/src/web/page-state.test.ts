import { expect, test } from "vitest";
import { EPOCH_MS, noValue, pumpState, pumpValues } from "../../test/pump-state.ts";
import type { PumpValues } from "../live/state.ts";
import { pageState } from "./page-state.ts";

type Connectivity = PumpValues["status"]["sensorConnectivity"];

/** The glucose that the page shows of a reading without a value. */
function shown(warning: Parameters<typeof noValue>[1], sensorMessage: PumpValues["status"]["sensorMessage"], more: Connectivity = []) {
  const status = { ...pumpValues(0).status, sensorMessage, sensorConnectivity: more };
  return pageState(pumpState(0, { glucose: noValue(0, warning), status }), undefined, EPOCH_MS).glucose;
}

test("a glucose that is too low or too high to be measured is shown as that, whatever else the pump says", () => {
  expect(shown(["below_device_range"], "no_message")).toEqual({ kind: "no-value", cause: "below_range", atMs: EPOCH_MS });
  expect(shown(["above_device_range"], "warm_up", ["gst_signal_lost"])).toMatchObject({ cause: "above_range" });
});

test("else it is what the pump says of its sensor, or that it does not hear it, or nobody knows", () => {
  expect(shown([], "do_not_calibrate", ["gst_signal_lost"])).toMatchObject({ cause: "updating" });
  expect(shown([], "no_message", ["gst_signal_lost"])).toMatchObject({ cause: "signal_lost" });
  expect(shown([], "no_message")).toMatchObject({ cause: "unknown" });
  const state = pumpState(0, { glucose: noValue(0), status: undefined });
  expect(pageState(state, undefined, EPOCH_MS).glucose).toMatchObject({ cause: "unknown" });
});
