import { commands } from "../../mgmt-protocol/index.ts";
import { endDiscovery } from "./air/discovering.ts";
import { closeLinks } from "./air/links.ts";
import { updateEveryListener } from "./air/listening.ts";
import { removeEveryInstance } from "./commands/advertising.ts";
import type { Controller } from "./controller.ts";
import type { KernelCore, ManagementSocket } from "./core.ts";

/** Ends what needs power: discovery, links, what is pending. */
export function stopEverything(core: KernelCore, controller: Controller, discoveryTypes?: number): void {
  controller.discoverableTimer?.[Symbol.dispose]();
  if (controller.discoverableTimer) controller.put({ Discoverable: false });
  controller.discoverableTimer = undefined;
  if (controller.discovery) endDiscovery(core, controller, controller.discovery, discoveryTypes);
  controller.mesh.receiver = undefined;
  closeLinks(core, controller);
}

/** Nobody asked for it: a switch, or unplugging. Everybody is told. */
export function losePower(core: KernelCore, controller: Controller): void {
  stopEverything(core, controller, 0);
  if (!controller.isPowered) return;
  controller.put({ Powered: false });
  core.dropClass(controller);
  core.newSettings(controller);
  core.monitors.powered(controller.index, false);
  updateEveryListener(core);
}

/** What Set Powered does to end with the power, its answer in its place. */
export function powerOff(core: KernelCore, controller: Controller, socket: ManagementSocket, answer: () => void): void {
  for (const pending of [...controller.pending]) if (pending.opcode !== commands.setPowered.opcode) pending.abandon("NotPowered");
  stopEverything(core, controller);
  removeEveryInstance(core, controller);
  controller.put({ Powered: false });
  controller.letGo();
  answer();
  core.dropClass(controller);
  core.newSettings(controller, socket);
  core.monitors.powered(controller.index, false);
  updateEveryListener(core);
}
