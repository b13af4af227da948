import { AdFlag } from "../../../gap/index.ts";
import { bitsOf, DeviceFoundFlags, events } from "../../../mgmt-protocol/index.ts";
import type { Controller } from "../controller.ts";
import type { KernelCore } from "../core.ts";
import type { Source } from "./sources.ts";

export const CONFIRM_NAME = bitsOf(DeviceFoundFlags, ["ConfirmName"]);
const NOT_CONNECTABLE = bitsOf(DeviceFoundFlags, ["NotConnectable"]);

/** Whether the filters of a discovery let it through. */
export function passes(controller: Controller, { data, rssi, services }: Source): boolean {
  if (controller.limitedFilter && (data.flags & AdFlag.LeLimitedDiscoverable) === 0) return false;
  const { filter } = controller.discovery ?? {};
  if (!filter) return true;
  if (rssi < filter.rssi) return false;
  return filter.uuids.length === 0 || filter.uuids.some((uuid) => services.some((service) => service.equals(uuid)));
}

/** Tells of a device that was found. */
export function report(core: KernelCore, controller: Controller, source: Source, flags = 0, eirData = source.data.bytes): void {
  const { address, addressType, rssi } = source;
  const all = flags | (source.isConnectable ? 0 : NOT_CONNECTABLE);
  core.send(events.deviceFound, controller.index, { address, addressType, rssi, flags: all, eirData });
}
