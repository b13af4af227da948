import type { Clock } from "../../../async/index.ts";
import { createMonitorRecord, encodeMonitorRecord, type MonitorFields, type MonitorRecordName, NO_INDEX } from "../../../capture/index.ts";
import type { Controller } from "../controller.ts";
import type { QueuedSocket } from "./queued-socket.ts";

/** Format of a management socket in Control Open. */
const MANAGEMENT = 2;

/** What the monitor channel tells of a management socket. */
export interface TracedSocket {
  readonly cookie: number;
  readonly isPrivileged: boolean;
  /** The program's name. */
  readonly command: string;
}

/** The sockets of the monitor channel, and what they are told. */
export class MonitorChannel {
  readonly #clock: Clock;
  readonly #sockets = new Set<QueuedSocket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#sockets.size > 0;
  }

  /** A new socket hears first what is there already. */
  add(socket: QueuedSocket, present: { controllers: Iterable<Controller>; sockets: Iterable<TracedSocket> }): void {
    const only = [socket];
    this.#tell("SystemNote", NO_INDEX, { text: "Linux version 6.1.0 (simulated)" }, only);
    for (const controller of present.controllers) this.plugged(controller, only);
    for (const traced of present.sockets) this.opened(traced, only);
    this.#sockets.add(socket);
  }

  delete(socket: QueuedSocket): void {
    this.#sockets.delete(socket);
  }

  plugged({ index, bus, address, manufacturer, isPowered }: Controller, to: Iterable<QueuedSocket> = this.#sockets): void {
    this.#tell("NewIndex", index, { type: 0, bus, address, name: `hci${index}` }, to);
    if (isPowered) this.#tell("OpenIndex", index, { payload: new Uint8Array(0) }, to);
    this.#tell("IndexInfo", index, { address, manufacturer }, to);
  }

  unplugged(index: number): void {
    this.#tell("DelIndex", index, { payload: new Uint8Array(0) });
  }

  powered(index: number, on: boolean): void {
    this.#tell(on ? "OpenIndex" : "CloseIndex", index, { payload: new Uint8Array(0) });
  }

  opened({ cookie, isPrivileged, command }: TracedSocket, to: Iterable<QueuedSocket> = this.#sockets): void {
    const fields = { cookie, format: MANAGEMENT, version: 1, revision: 22, flags: isPrivileged ? 1 : 0, command };
    this.#tell("ControlOpen", NO_INDEX, fields, to);
  }

  closed({ cookie }: TracedSocket): void {
    this.#tell("ControlClose", NO_INDEX, { cookie });
  }

  /** A whole packet of the management channel, in either direction. */
  packet(name: "ControlCommand" | "ControlEvent", { cookie }: TracedSocket, packet: Uint8Array): void {
    if (!this.isOpen) return;
    const header = new DataView(packet.buffer, packet.byteOffset);
    const fields = { cookie, code: header.getUint16(0, true), parameters: packet.slice(6) };
    this.#tell(name, header.getUint16(2, true), fields);
  }

  #tell<N extends MonitorRecordName>(name: N, index: number, fields: MonitorFields<N>, to: Iterable<QueuedSocket> = this.#sockets): void {
    for (const socket of to) socket.push(encodeMonitorRecord(createMonitorRecord(name, { index, timeMs: this.#clock.now(), fields })));
  }
}
