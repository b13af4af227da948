import { AddressType, AdType, DeviceAction, events } from "../../../mgmt-protocol/index.ts";
import { type Controller, deviceKey } from "../controller.ts";
import type { KernelCore } from "../core.ts";
import { passes, report } from "./reports.ts";
import { type Source, sourcesOf } from "./sources.ts";

/** The first report comes so soon. */
const FIRST_REPORT_MS = 5;
/** AD types that the mesh receiver passes on when it is told none. */
const MESH_AD_TYPES: readonly number[] = [AdType.PbAdv, AdType.MeshMessage, AdType.MeshBeacon];

/** Everything on LE that a controller could hear. */
function* around(core: KernelCore, listener: Controller): Iterable<Source> {
  for (const device of core.devices.values()) if (device.addressType !== AddressType.BREDR) yield device;
  for (const controller of core.controllers.values()) if (controller !== listener) yield* sourcesOf(controller);
}

/** Whether it has a reason to listen: a discovery, a monitor, mesh, a device that is looked for. */
function isListening(core: KernelCore, controller: Controller): boolean {
  if (!controller.isPowered || !controller.has("LowEnergy") || controller.isTaken || controller.isSuspended) return false;
  const looksFor = [...controller.listed.values()].some(({ addressType }) => addressType !== AddressType.BREDR);
  const { discovery, monitors, mesh } = controller;
  return discovery?.isScanning || monitors.size > 0 || mesh.receiver !== undefined || looksFor || core.awaited.has(controller);
}

/** Begins to hear what is new, stops hearing what is gone. To be called whenever either has changed. */
export function updateListening(core: KernelCore, controller: Controller): void {
  const hearing = core.hearing.get(controller) ?? new Map<string, Disposable>();
  core.hearing.set(controller, hearing);
  const wanted = new Map<string, Source>();
  if (core.controllers.get(controller.index) === controller && isListening(core, controller))
    for (const source of around(core, controller)) wanted.set(source.key, source);
  for (const [key, timer] of hearing) {
    if (wanted.has(key)) continue;
    timer[Symbol.dispose]();
    hearing.delete(key);
  }
  for (const [key, source] of wanted) if (!hearing.has(key)) hear(core, controller, hearing, source, FIRST_REPORT_MS);
  if (hearing.size === 0) core.hearing.delete(controller);
}

export function updateEveryListener(core: KernelCore): void {
  for (const controller of core.controllers.values()) updateListening(core, controller);
}

/** A new discovery hears everything anew, whatever was heard before. */
export function hearAnew(core: KernelCore, controller: Controller): void {
  for (const timer of core.hearing.get(controller)?.values() ?? []) timer[Symbol.dispose]();
  core.hearing.delete(controller);
  updateListening(core, controller);
}

function hear(core: KernelCore, controller: Controller, hearing: Map<string, Disposable>, source: Source, afterMs: number): void {
  const timer = core.clock.setTimer(Math.min(afterMs, source.intervalMs ?? afterMs), "advertising report", () => {
    if (source.intervalMs !== undefined) hear(core, controller, hearing, source, source.intervalMs);
    heard(core, controller, source);
  });
  hearing.set(source.key, timer);
}

/** What comes of one advertisement. */
function heard(core: KernelCore, controller: Controller, source: Source): void {
  const { address, addressType, rssi, data } = source;
  const key = deviceKey(address, addressType);
  // A device that is connected does not advertise.
  if (controller.blocked.has(key) || core.links.get(controller)?.has(key)) return;
  const listed = controller.listed.get(key);
  if (controller.mesh.receiver) heardByMesh(core, controller, source);
  if (passes(controller, source)) {
    if (controller.discovery?.isScanning || controller.mesh.receiver) report(core, controller, source);
    else if (controller.monitors.size > 0)
      core.send(events.advertisementMonitorDeviceFound, controller.index, {
        ...{ monitorHandle: 0, address, addressType, rssi, flags: 0 },
        adData: data.bytes,
      });
    else if (listed?.action === DeviceAction.BackgroundScan) report(core, controller, source);
  }
  if (!source.isConnectable) return;
  for (const [name, found] of [...(core.awaited.get(controller) ?? [])]) if (name.endsWith(key)) found(source);
}

function heardByMesh(core: KernelCore, controller: Controller, { address, addressType, rssi, data }: Source): void {
  const wanted = controller.mesh.receiver?.adTypes ?? [];
  const types = wanted.length > 0 ? wanted : MESH_AD_TYPES;
  if (!data.structures.some(({ type }) => types.includes(type))) return;
  const instant = BigInt(Math.floor(core.clock.now()));
  core.send(events.meshDeviceFound, controller.index, { address, addressType, rssi, instant, flags: 0, adData: data.bytes });
}
