import type { Handler } from "./call.ts";
import { discoveryHandlers } from "./discovery.ts";
import { informationHandlers } from "./information.ts";
import { powerHandlers } from "./power.ts";
import { settingsHandlers } from "./settings.ts";

/** Everything Linux 6.1 knows. */
export const handlers: readonly Handler[] = [...informationHandlers, ...powerHandlers, ...settingsHandlers, ...discoveryHandlers];
