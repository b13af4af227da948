import type { Handler } from "../call.ts";
import { advertisementMonitorHandlers } from "./advertisement-monitors.ts";
import { advertisingHandlers } from "./advertising.ts";
import { configurationHandlers } from "./configuration.ts";
import { controllerHandlers } from "./controller.ts";
import { deviceHandlers } from "./devices.ts";
import { discoveryHandlers } from "./discovery.ts";
import { identityHandlers } from "./identity.ts";
import { keyHandlers } from "./keys.ts";
import { meshHandlers } from "./mesh.ts";
import { pairingHandlers } from "./pairing.ts";
import { settingsHandlers } from "./settings.ts";

/** Everything Linux 6.1 knows: a file for each group of the protocol's commands, each in the protocol's order. */
export const handlers: readonly Handler[] = [
  ...controllerHandlers,
  ...settingsHandlers,
  ...identityHandlers,
  ...keyHandlers,
  ...deviceHandlers,
  ...pairingHandlers,
  ...discoveryHandlers,
  ...advertisingHandlers,
  ...configurationHandlers,
  ...advertisementMonitorHandlers,
  ...meshHandlers,
];
