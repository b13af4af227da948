import type { Clock } from "../../async/index.ts";
import { ArgumentError, type RandomSource } from "../../core/index.ts";
import { encodeAdStructures } from "../../gap/index.ts";
import {
  AdType,
  type AnyMgmtCommand,
  type AnyMgmtEvent,
  type EventDelivery,
  encodeEvent,
  events,
  type GivenTo,
  NO_CONTROLLER,
} from "../../mgmt-protocol/index.ts";
import type { SystemFault } from "../../transport/index.ts";
import type { DeviceInRange } from "./air/device-in-range.ts";
import type { Link } from "./air/link.ts";
import type { Source } from "./air/sources.ts";
import { Controller } from "./controller.ts";
import { EOPNOTSUPP } from "./faults.ts";
import type { KernelControllerOptions } from "./options.ts";
import { MonitorChannel, type TracedSocket } from "./sockets/monitor-channel.ts";
import { QueuedSocket } from "./sockets/queued-socket.ts";
import { appearanceStructure, classStructure } from "./structures.ts";

/** What a socket has switched to by using a command. */
export type SocketSwitch = "extendedIndex" | "extendedInformation" | "outOfBand" | "experimental";

/** A management socket as the kernel sees it. */
export interface ManagementSocket extends TracedSocket {
  readonly queue: QueuedSocket;
  readonly switches: Set<SocketSwitch>;
}

const SWITCH_OF: ReadonlyMap<AnyMgmtEvent, SocketSwitch> = new Map<AnyMgmtEvent, SocketSwitch>([
  [events.indexAdded, "extendedIndex"],
  [events.indexRemoved, "extendedIndex"],
  [events.unconfiguredIndexAdded, "extendedIndex"],
  [events.unconfiguredIndexRemoved, "extendedIndex"],
  [events.extendedIndexAdded, "extendedIndex"],
  [events.extendedIndexRemoved, "extendedIndex"],
  [events.classOfDeviceChanged, "extendedInformation"],
  [events.localNameChanged, "extendedInformation"],
  [events.extendedControllerInformationChanged, "extendedInformation"],
  [events.localOutOfBandExtendedDataUpdated, "outOfBand"],
  [events.experimentalFeatureChanged, "experimental"],
]);

/** Who gets an event: by what its declaration says and what the socket has switched to; `except` is whose command caused it. */
function receives(delivery: EventDelivery, isSwitched: boolean, isCause: boolean): boolean {
  switch (delivery) {
    case "issuer":
      return isCause;
    case "all":
      return true;
    case "others":
      return !isCause;
    case "optOut":
      return !isSwitched;
    case "othersOptOut":
      return !isSwitched && !isCause;
    case "optIn":
      return isSwitched;
    case "othersOptIn":
      return isSwitched && !isCause;
    default:
      return false;
  }
}

/** The kernel's inside: sockets, controllers, what is in range, and how events go out. */
export class KernelCore {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly roundTripMs: number;
  readonly monitors: MonitorChannel;
  readonly controllers = new Map<number, Controller>();
  readonly devices = new Map<string, DeviceInRange>();
  readonly globalFeatures = new Set<string>();
  readonly silenced = new Set<{ readonly index: number | undefined; readonly command: AnyMgmtCommand | undefined }>();
  /** Timers of what each controller hears, by source. */
  readonly hearing = new Map<Controller, Map<string, Disposable>>();
  /** What a controller does when it hears a device it waits for, by the name of the wait, which ends with the device's key. */
  readonly awaited = new Map<Controller, Map<string, (source: Source) => void>>();
  readonly links = new Map<Controller, Map<string, Link>>();
  readonly #receiveQueuePackets: number;
  /** The newest first, which is the order in which Linux serves them. */
  #sockets: ManagementSocket[] = [];
  #cookies = 0;

  constructor(options: { clock: Clock; random: RandomSource; roundTripMs: number; receiveQueuePackets: number }) {
    this.clock = options.clock;
    this.random = options.random;
    this.roundTripMs = options.roundTripMs;
    this.#receiveQueuePackets = options.receiveQueuePackets;
    this.monitors = new MonitorChannel(options.clock);
  }

  openSocket(
    { isPrivileged, command }: { isPrivileged: boolean; command: string },
    write: (socket: ManagementSocket, packet: Uint8Array) => SystemFault | undefined,
    closed: (socket: ManagementSocket) => void,
  ): ManagementSocket {
    const remedy = "open the simulated kernel's socket with privileged: true";
    const queue = new QueuedSocket({ spec: "mgmt", remedy }, this.#receiveQueuePackets, {
      write: (packet) => write(socket, packet),
      closed: () => {
        this.#sockets = this.#sockets.filter((other) => other !== socket);
        closed(socket);
        this.monitors.closed(socket);
      },
    });
    const socket: ManagementSocket = { queue, isPrivileged, command, cookie: ++this.#cookies, switches: new Set() };
    this.#sockets.unshift(socket);
    this.monitors.opened(socket);
    return socket;
  }

  openMonitor(): QueuedSocket {
    const remedy = "none is needed here";
    const queue = new QueuedSocket({ spec: "monitor", remedy }, this.#receiveQueuePackets, {
      write: () => EOPNOTSUPP,
      closed: () => this.monitors.delete(queue),
    });
    this.monitors.add(queue, { controllers: this.controllers.values(), sockets: [...this.#sockets].reverse() });
    return queue;
  }

  loseSockets(reason: string): void {
    for (const { queue } of [...this.#sockets]) queue.lose(reason);
  }

  /** A packet to one socket. */
  deliver(socket: ManagementSocket, packet: Uint8Array): void {
    this.monitors.packet("ControlEvent", socket, packet);
    socket.queue.push(packet);
  }

  /** An event to every socket that gets it. @param except the socket whose command caused it */
  send<E extends AnyMgmtEvent>(event: E, index: number, parameters: GivenTo<E["parameters"]>, except?: ManagementSocket): void {
    let packet: Uint8Array | undefined;
    const switched = SWITCH_OF.get(event);
    for (const socket of this.#sockets) {
      if (event.privileged && !socket.isPrivileged) continue;
      if (!receives(event.delivery, switched !== undefined && socket.switches.has(switched), socket === except)) continue;
      packet ??= encodeEvent(event, index, parameters);
      this.deliver(socket, packet.slice());
    }
  }

  newSettings(controller: Controller, except?: ManagementSocket): void {
    this.send(events.newSettings, controller.index, { currentSettings: controller.settings }, except);
  }

  /** The class that is in force has changed: everybody is told, whoever caused it. */
  setClass(controller: Controller, classOfDevice: number): void {
    if (controller.classOfDevice === classOfDevice) return;
    controller.classOfDevice = classOfDevice;
    this.send(events.classOfDeviceChanged, controller.index, { classOfDevice });
    this.informationChanged(controller);
  }

  /** With the power goes the class. The extended event still has it: Linux forgets it a moment later. */
  dropClass(controller: Controller): void {
    if (controller.classOfDevice === 0) return;
    this.send(events.classOfDeviceChanged, controller.index, { classOfDevice: 0 });
    this.informationChanged(controller);
    controller.classOfDevice = 0;
  }

  informationChanged(controller: Controller, except?: ManagementSocket): void {
    this.send(events.extendedControllerInformationChanged, controller.index, { eirData: informationOf(controller) }, except);
  }

  add(options: KernelControllerOptions): Controller {
    let index = options.index ?? 0;
    if (options.index === undefined) while (this.controllers.has(index)) index++;
    if (!Number.isInteger(index) || index < 0 || index >= NO_CONTROLLER || this.controllers.has(index))
      throw new ArgumentError(`controller ${index}: expected a number that is free`);
    const controller = new Controller(index, this, options);
    this.controllers.set(index, controller);
    return controller;
  }

  indexAdded(controller: Controller): void {
    const { index, bus } = controller;
    this.send(controller.isConfigured ? events.indexAdded : events.unconfiguredIndexAdded, index, {});
    this.send(events.extendedIndexAdded, index, { controllerType: controller.isConfigured ? 0 : 1, controllerBus: bus });
  }

  indexRemoved(controller: Controller): void {
    const { index, bus } = controller;
    this.send(controller.isConfigured ? events.indexRemoved : events.unconfiguredIndexRemoved, index, {});
    this.send(events.extendedIndexRemoved, index, { controllerType: controller.isConfigured ? 0 : 1, controllerBus: bus });
  }

  /** Whether commands like this one are swallowed. */
  isSilenced(command: AnyMgmtCommand, index: number): boolean {
    for (const silence of this.silenced) {
      if ((silence.index ?? index) === index && (silence.command ?? command) === command) return true;
    }
    return false;
  }
}

const utf8 = new TextEncoder();

/** What extended controller information says: class, appearance, names. */
export function informationOf(controller: Controller): Uint8Array {
  const structures = [
    ...(controller.has("BREDR") ? [classStructure(controller)] : []),
    ...(controller.has("LowEnergy") ? [appearanceStructure(controller)] : []),
    { type: AdType.CompleteLocalName, data: utf8.encode(controller.name) },
    { type: AdType.ShortenedLocalName, data: utf8.encode(controller.shortName) },
  ];
  return encodeAdStructures(structures, 0xffff);
}
