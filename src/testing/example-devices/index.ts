import { battery } from "./battery.ts";
import { echo } from "./echo.ts";
import { heartRate } from "./heart-rate.ts";
import type { ExampleDevice } from "./kind.ts";
import { thermometer } from "./thermometer.ts";

/** Peripherals that can be simulated, by the word that asks for them. */
export const EXAMPLE_DEVICES: Readonly<Record<string, ExampleDevice>> = { "heart-rate": heartRate, thermometer, battery, echo };

/** What lives in the air of `sim:` when nothing else is said. */
export const USUAL_DEVICES = ["heart-rate", "thermometer", "echo"] as const;
