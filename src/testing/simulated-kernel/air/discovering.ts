import { encodeAdStructures } from "../../../gap/index.ts";
import { AdType, DiscoveryTypes, events } from "../../../mgmt-protocol/index.ts";
import type { Controller, RunningDiscovery } from "../controller.ts";
import type { KernelCore } from "../core.ts";
import { hearAnew, updateListening } from "./listening.ts";
import { CONFIRM_NAME, passes, report } from "./reports.ts";

/** How long a scan or an inquiry lasts; each half of an interleaved discovery half of it. */
const DISCOVERY_MS = 10_240;
const INQUIRY_REPORT_MS = 1280;

/** Tells everybody that discovery has begun, and finds what is in range until it ends by itself. */
export function beginDiscovery(
  core: KernelCore,
  controller: Controller,
  kind: Pick<RunningDiscovery, "addressTypes" | "limited" | "filter">,
): void {
  const discovery: RunningDiscovery = {
    ...kind,
    timers: new Set(),
    names: new Set(),
    unconfirmed: new Set(),
    isScanning: false,
    isOver: false,
  };
  discovery.isScanning = (kind.addressTypes & DiscoveryTypes.LE) !== 0;
  controller.discovery = discovery;
  controller.limitedFilter = kind.limited;
  core.send(events.discovering, controller.index, { addressTypes: kind.addressTypes, discovering: 1 });
  const interleaved = kind.addressTypes === DiscoveryTypes.Interleaved;
  const phaseMs = interleaved ? DISCOVERY_MS / 2 : DISCOVERY_MS;
  if (interleaved)
    later(core, discovery, phaseMs, () => {
      discovery.isScanning = false;
      updateListening(core, controller);
      inquire(core, controller, discovery, phaseMs);
    });
  else if (kind.addressTypes === DiscoveryTypes.BREDR) inquire(core, controller, discovery, phaseMs);
  // What mesh began ends by Stop Discovery only.
  if (kind.addressTypes !== 0)
    later(core, discovery, DISCOVERY_MS, () => {
      resolveNames(core, controller, discovery);
      endDiscovery(core, controller, discovery);
    });
  hearAnew(core, controller);
}

/** Ends it and tells everybody. @param addressTypes as the event gives them; 0 when a switch or unplugging ended it */
export function endDiscovery(
  core: KernelCore,
  controller: Controller,
  discovery: RunningDiscovery,
  addressTypes = discovery.addressTypes,
): void {
  if (discovery.isOver) return;
  discovery.isOver = true;
  for (const timer of discovery.timers) timer[Symbol.dispose]();
  controller.discovery = undefined;
  core.send(events.discovering, controller.index, { addressTypes, discovering: 0 });
  updateListening(core, controller);
}

function later(core: KernelCore, discovery: RunningDiscovery, ms: number, fire: () => void): void {
  const timer = core.clock.setTimer(ms, "discovery", () => {
    discovery.timers.delete(timer);
    fire();
  });
  discovery.timers.add(timer);
}

/** Every BR/EDR device in range answers once; those without a name wait for Confirm Name. */
function inquire(core: KernelCore, controller: Controller, discovery: RunningDiscovery, ms: number): void {
  for (const device of core.devices.values()) {
    if (device.isLe || !passes(controller, device)) continue;
    later(core, discovery, Math.min(ms, INQUIRY_REPORT_MS) / 2, () => {
      const isUnnamed = device.name !== undefined && device.data.name === undefined;
      if (isUnnamed) discovery.unconfirmed.add(device.key);
      report(core, controller, device, isUnnamed ? CONFIRM_NAME : 0);
    });
  }
}

function resolveNames(core: KernelCore, controller: Controller, discovery: RunningDiscovery): void {
  for (const key of discovery.names) {
    const device = core.devices.get(key);
    if (!device) continue;
    const name = { type: AdType.CompleteLocalName, data: new TextEncoder().encode(device.name) };
    report(core, controller, device, 0, encodeAdStructures([...device.data.structures, name], 0xffff));
  }
}
