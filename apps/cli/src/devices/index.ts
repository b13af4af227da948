import { battery } from "./battery.ts";
import { echo } from "./echo.ts";
import { heartRate } from "./heart-rate.ts";
import type { Kind } from "./kind.ts";
import { thermometer } from "./thermometer.ts";

/** Peripherals that can be simulated, by the word that asks for them. */
export const KINDS: Readonly<Record<string, Kind>> = { "heart-rate": heartRate, thermometer, battery, echo };

/** What lives in the air of `sim:` when nothing else is said. */
export const DEFAULT_KINDS = ["heart-rate", "thermometer", "echo"] as const;
