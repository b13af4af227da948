import type { SimpleSpec } from "./spec.ts";
import { ADVERTISING } from "./table-advertising.ts";
import { CONFIGURATION } from "./table-configuration.ts";
import { DEVICES } from "./table-devices.ts";
import { SETTINGS } from "./table-settings.ts";

/** Every subcommand that is one management command, its arguments, and nothing more. */
export const SIMPLE: readonly SimpleSpec[] = [...SETTINGS, ...DEVICES, ...ADVERTISING, ...CONFIGURATION];
