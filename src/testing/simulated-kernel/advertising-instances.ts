import { events } from "../../mgmt-protocol/index.ts";
import type { Controller } from "./controller.ts";
import type { KernelCore, ManagementSocket } from "./core.ts";

/** Takes an instance away. @param except whose command did it; everybody is told when nobody's did */
export function removeInstance(core: KernelCore, controller: Controller, instance: number, except?: ManagementSocket): void {
  const removed = controller.instances.get(instance);
  if (!removed) return;
  removed.timer?.[Symbol.dispose]();
  controller.instances.delete(instance);
  if (removed.isComplete) core.send(events.advertisingRemoved, controller.index, { instance }, except);
}

export function removeEveryInstance(core: KernelCore, controller: Controller, except?: ManagementSocket): void {
  for (const instance of [...controller.instances.keys()]) removeInstance(core, controller, instance, except);
}
