import { encodeAdStructures } from "../../../gap/index.ts";
import { AddressType, AdType, bitsOf, DeviceFoundFlags, DisconnectReason, events } from "../../../mgmt-protocol/index.ts";
import { type Controller, deviceKey } from "../controller.ts";
import type { KernelCore } from "../core.ts";
import type { DeviceInRange } from "./device-in-range.ts";
import type { Link } from "./link.ts";
import { hearAnew, updateListening } from "./listening.ts";
import { addressOnAir, type Source } from "./sources.ts";

/** From hearing a device to the link. */
const CONNECT_MS = 10;
/** A link that nobody uses lasts so long. */
const IDLE_MS = 2035;
const INITIATED = bitsOf(DeviceFoundFlags, ["InitiatedConnection"]);

export function linkTo(core: KernelCore, controller: Controller, address: string, addressType: number): Link | undefined {
  return core.links.get(controller)?.get(deviceKey(address, addressType));
}

export function linksOf(core: KernelCore, controller: Controller): Link[] {
  return [...(core.links.get(controller)?.values() ?? [])];
}

/** Calls `found` whenever a device advertises that has no link, until `forget`. @param name begins with what the wait is for and ends with the device's key */
export function waitFor(core: KernelCore, controller: Controller, name: string, found: (source: Source) => void): void {
  const waits = core.awaited.get(controller) ?? new Map<string, (source: Source) => void>();
  core.awaited.set(controller, waits);
  waits.set(name, found);
  updateListening(core, controller);
}

export function forget(core: KernelCore, controller: Controller, name: string): void {
  const waits = core.awaited.get(controller);
  waits?.delete(name);
  if (waits?.size === 0) core.awaited.delete(controller);
  updateListening(core, controller);
}

/** Connects to what was heard. @returns the attempt, which can be given up */
export function connectTo(core: KernelCore, controller: Controller, source: Source, connected: (link: Link) => void): Disposable {
  return core.clock.setTimer(CONNECT_MS, "connect", () => {
    if (!controller.isPowered || linkTo(core, controller, source.address, source.addressType)) return;
    const link = openLink(core, controller, source, true);
    if (link) connected(link);
  });
}

/** Makes the link and tells of it at both ends. Undefined where there is nothing at that address any more. */
export function openLink(core: KernelCore, controller: Controller, source: Source, isInitiator: boolean): Link | undefined {
  const device = core.devices.get(source.key);
  const peer = device ? undefined : controllerAt(core, source);
  if (!device && !peer) return undefined;
  const own = addressOnAir(controller);
  const link = endOf(controller, source, device, isInitiator);
  if (peer) {
    link.other = endOf(peer, own, undefined, !isInitiator);
    link.other.other = link;
    add(core, link.other);
    announce(core, link.other, new Uint8Array(0));
  }
  add(core, link);
  announce(core, link, connectedData(source, device));
  idle(core, link);
  return link;
}

function controllerAt(core: KernelCore, { address, addressType }: Source): Controller | undefined {
  for (const controller of core.controllers.values()) {
    const own = addressOnAir(controller);
    if (own.address === address && own.addressType === addressType) return controller;
  }
  return undefined;
}

function endOf(
  controller: Controller,
  { address, addressType }: { address: string; addressType: number },
  device: DeviceInRange | undefined,
  isInitiator: boolean,
): Link {
  const state = { other: undefined, idleTimer: undefined, pairing: undefined, isClosed: false };
  return { controller, address, addressType, device, isInitiator, ...state };
}

function add(core: KernelCore, link: Link): void {
  const links = core.links.get(link.controller) ?? new Map<string, Link>();
  core.links.set(link.controller, links);
  links.set(deviceKey(link.address, link.addressType), link);
}

function announce(core: KernelCore, { controller, address, addressType, isInitiator }: Link, eirData: Uint8Array): void {
  core.send(events.deviceConnected, controller.index, { address, addressType, flags: isInitiator ? INITIATED : 0, eirData });
}

/** The last advertisement; of BR/EDR devices the name. */
function connectedData({ data }: Source, device: DeviceInRange | undefined): Uint8Array {
  if (!device || device.addressType !== AddressType.BREDR || device.name === undefined) return data.bytes;
  return encodeAdStructures([{ type: AdType.CompleteLocalName, data: new TextEncoder().encode(device.name) }], 0xffff);
}

/** Closes the link after a while unless somebody begins to use it. */
export function idle(core: KernelCore, link: Link): void {
  link.idleTimer?.[Symbol.dispose]();
  link.idleTimer = core.clock.setTimer(IDLE_MS, "idle link", () => {
    if (!link.pairing) closeLink(core, link, DisconnectReason.LocalHost);
  });
}

/** The link goes on under the identity that the peer has told. */
export function rename(core: KernelCore, link: Link, identity: { readonly address: string; readonly addressType: number }): void {
  const links = core.links.get(link.controller);
  links?.delete(deviceKey(link.address, link.addressType));
  link.address = identity.address;
  link.addressType = identity.addressType;
  links?.set(deviceKey(link.address, link.addressType), link);
}

/** Ends the link and tells of it at both ends. */
export function closeLink(core: KernelCore, link: Link, reason: number, otherReason: number = DisconnectReason.RemoteHost): void {
  for (const [end, why] of [
    [link, reason],
    [link.other, otherReason],
  ] as const) {
    if (!end || end.isClosed) continue;
    const { controller, address, addressType } = end;
    end.isClosed = true;
    end.idleTimer?.[Symbol.dispose]();
    core.links.get(controller)?.delete(deviceKey(address, addressType));
    end.pairing?.abort("Disconnected");
    core.send(events.deviceDisconnected, controller.index, { address, addressType, reason: why });
    if (core.awaited.has(controller)) hearAnew(core, controller);
  }
}

/** Every link of a controller that is powered off or gone, and every pairing. */
export function closeLinks(core: KernelCore, controller: Controller): void {
  controller.pairing?.stop("Disconnected");
  for (const link of linksOf(core, controller)) closeLink(core, link, DisconnectReason.LocalHost);
}
