import { monitorHandlers } from "./advertisement-monitors.ts";
import { advertisingHandlers } from "./advertising.ts";
import type { Handler } from "./call.ts";
import { configurationHandlers } from "./configuration.ts";
import { deviceHandlers } from "./devices.ts";
import { discoveryHandlers } from "./discovery.ts";
import { identityHandlers } from "./identity.ts";
import { informationHandlers } from "./information.ts";
import { keyHandlers } from "./keys.ts";
import { meshHandlers } from "./mesh.ts";
import { outOfBandHandlers } from "./out-of-band.ts";
import { pairingHandlers } from "./pairing.ts";
import { powerHandlers } from "./power.ts";
import { settingsHandlers } from "./settings.ts";
import { unconfiguredHandlers } from "./unconfigured.ts";

/** Everything Linux 6.1 knows. */
export const handlers: readonly Handler[] = [
  ...informationHandlers,
  ...powerHandlers,
  ...settingsHandlers,
  ...identityHandlers,
  ...discoveryHandlers,
  ...deviceHandlers,
  ...keyHandlers,
  ...advertisingHandlers,
  ...monitorHandlers,
  ...configurationHandlers,
  ...outOfBandHandlers,
  ...pairingHandlers,
  ...meshHandlers,
  ...unconfiguredHandlers,
];
