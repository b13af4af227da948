import { commands } from "../../mgmt-protocol/index.ts";
import { removeEveryInstance } from "./advertising-instances.ts";
import { type Handler, on } from "./call.ts";
import { atMost, notDuring } from "./checks.ts";
import type { Controller } from "./controller.ts";
import type { KernelCore, ManagementSocket } from "./core.ts";
import { endDiscovery } from "./discovering.ts";
import { closeLinks } from "./links.ts";
import { updateEveryListener } from "./listening.ts";
import { answerSettings } from "./settings.ts";

/** HCI commands that powering takes. */
const POWERING_ROUND_TRIPS = 5;

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

export const powerHandlers: readonly Handler[] = [
  on(commands.setPowered, [atMost("powered", 1), notDuring(commands.setPowered)], (call) => {
    const { controller, core } = call;
    const on = call.parameters.powered === 1;
    if (on === controller.isPowered) return answerSettings(call);
    if (!on) stopEverything(core, controller);
    call.after(core.roundTripMs * POWERING_ROUND_TRIPS, () => {
      if (!on) return powerOff(core, controller, call.socket, () => answerSettings(call));
      if (controller.isRadioBlocked) return call.fail("Failed");
      controller.put({ Powered: true });
      if (controller.has("BREDR")) core.setClass(controller, controller.effectiveClass);
      answerSettings(call);
      core.newSettings(controller, call.socket);
      core.monitors.powered(controller.index, true);
      updateEveryListener(core);
    });
  }),
];

function powerOff(core: KernelCore, controller: Controller, socket: ManagementSocket, answer: () => void): void {
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
