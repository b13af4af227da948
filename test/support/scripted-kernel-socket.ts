import { VirtualClock } from "../../src/async/index.ts";
import { TransportClosed } from "../../src/hci/transport.ts";
import { type Mgmt, type MgmtOptions, openMgmt } from "../../src/mgmt/index.ts";
import { type AnyMgmtCommand, decodeCommand, encodeCommandComplete, encodeCommandStatus, Status } from "../../src/mgmt-protocol/index.ts";
import type { KernelSocket, SystemFault } from "../../src/transport/index.ts";

/** A kernel that does what a test tells it: keeps what is written, says what the test says. */
export class ScriptedKernelSocket implements KernelSocket {
  readonly info = { spec: "mgmt", remedy: 'run "the line that helps"' } as const;
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: KernelSocket["onClose"];
  readonly written: Uint8Array[] = [];
  /** What the next writes fail with. */
  fault: SystemFault | undefined;
  isClosed = false;

  write(packet: Uint8Array): SystemFault | undefined {
    this.written.push(packet);
    return this.fault;
  }

  say(packet: Uint8Array): void {
    this.onPacket?.(packet);
  }

  /** Command Complete. Without a status: Success. */
  complete(command: AnyMgmtCommand, index: number, returns: Readonly<Record<string, unknown>> = {}, status: number = Status.Success): void {
    this.say(encodeCommandComplete(command, index, status, returns as never));
  }

  /** Command Status. */
  refuse(command: AnyMgmtCommand, index: number, status: number): void {
    this.say(encodeCommandStatus(command.opcode, index, status));
  }

  lose(reason = "lost"): void {
    this.onClose?.(new TransportClosed(reason));
  }

  /** "SetPowered 0" for everything that was written. */
  get names(): string[] {
    return this.written.map((packet) => {
      const { declaration, index } = decodeCommand(packet);
      return `${declaration?.name} ${index}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
  }
}

/** A client on a scripted socket, in time that only the test moves. */
export async function scriptedMgmt(options: MgmtOptions = {}): Promise<{ mgmt: Mgmt; socket: ScriptedKernelSocket; clock: VirtualClock }> {
  const socket = new ScriptedKernelSocket();
  const clock = new VirtualClock({ auto: false });
  return { mgmt: await openMgmt({ ...options, socket, clock }), socket, clock };
}
