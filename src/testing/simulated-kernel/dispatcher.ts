import { DecodeError } from "../../bytes/index.ts";
import {
  type AnyMgmtCommand,
  commands,
  commandsByOpcode,
  decodeCommand,
  encodeCommandStatus,
  HEADER_OCTETS,
  type MgmtCommandPacket,
  NO_CONTROLLER,
  Status,
  type StatusName,
} from "../../mgmt-protocol/index.ts";
import type { SystemFault } from "../../transport/index.ts";
import { Call, type Handler } from "./call.ts";
import type { KernelCore, ManagementSocket } from "./core.ts";
import { EINVAL } from "./faults.ts";
import { fixedLength, isFixed } from "./lengths.ts";

/** Takes more octets than its fields have. */
const OPEN_ENDED: ReadonlySet<AnyMgmtCommand> = new Set<AnyMgmtCommand>([commands.addExtendedAdvertisingParameters]);

/** Takes what programs write, checks it in Linux's order, and hands it to its handler. */
export class Dispatcher {
  readonly #core: KernelCore;
  readonly #handlers = new Map<AnyMgmtCommand, Handler>();

  constructor(core: KernelCore, handlers: readonly Handler[]) {
    this.#core = core;
    for (const handler of handlers) this.#handlers.set(handler.command, handler);
  }

  write(socket: ManagementSocket, packet: Uint8Array): SystemFault | undefined {
    const header = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    if (packet.length < HEADER_OCTETS || header.getUint16(4, true) !== packet.length - HEADER_OCTETS) return EINVAL;
    const [opcode, index] = [header.getUint16(0, true), header.getUint16(2, true)];
    this.#core.monitors.packet("ControlCommand", socket, packet);
    const command = commandsByOpcode.get(opcode);
    const handler = command && this.#handlers.get(command);
    if (!handler) return this.#refuse(socket, opcode, index, "UnknownCommand");
    if (command.privileged && !socket.isPrivileged) return this.#refuse(socket, opcode, index, "PermissionDenied");
    if (!this.#isForThis(command, index)) return this.#refuse(socket, opcode, index, "InvalidIndex");
    const octets = packet.subarray(HEADER_OCTETS);
    if (!fits(command, octets)) return this.#refuse(socket, opcode, index, "InvalidParameters");
    if (this.#core.isSilenced(command, index)) return undefined;
    const at = { socket, command, index, controller: this.#core.controllers.get(index), octets };
    const parameters = parametersOf(packet);
    const call = new Call(this.#core, at, parameters ?? {});
    // Set Default Runtime Configuration takes nothing, and says so itself.
    if (parameters === undefined && command !== commands.setDefaultRuntimeConfiguration) call.fail("InvalidParameters");
    else handler.handle(call);
    return call.fault;
  }

  /** A socket takes with it what it still had to send. */
  closed(socket: ManagementSocket): void {
    for (const { mesh } of this.#core.controllers.values()) {
      for (const [handle, { owner, timer }] of mesh.packets) {
        if (owner !== socket) continue;
        timer[Symbol.dispose]();
        mesh.packets.delete(handle);
      }
    }
  }

  #isForThis(command: AnyMgmtCommand, index: number): boolean {
    if (index !== NO_CONTROLLER) {
      const controller = this.#core.controllers.get(index);
      if (!controller?.isListed || (!controller.isConfigured && !command.unconfigured)) return false;
    }
    return command.index === "either" || (command.index === "none") === (index === NO_CONTROLLER);
  }

  #refuse(socket: ManagementSocket, opcode: number, index: number, status: StatusName): undefined {
    this.#core.deliver(socket, encodeCommandStatus(opcode, index, Status[status]));
  }
}

function fits(command: AnyMgmtCommand, { length }: Uint8Array): boolean {
  const least = fixedLength(command.parameters.fields);
  return isFixed(command.parameters.fields) && !OPEN_ENDED.has(command) ? length === least : length >= least;
}

/** Undefined where the counts and lengths inside do not agree with what there is. */
function parametersOf(packet: Uint8Array): MgmtCommandPacket["parameters"] | undefined {
  try {
    const { parameters, surplus, declaration } = decodeCommand(packet);
    return surplus.length > 0 && !OPEN_ENDED.has(declaration!) ? undefined : parameters;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
