import { describe, expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import type { KernelSocket, SystemFault } from "../transport/index.ts";
import { type Mgmt, openMgmt } from "./client.ts";
import { commands, decodeCommand, encodeCommandComplete, encodeCommandStatus, encodeEvent, events, NO_CONTROLLER, Status } from "./protocol/index.ts";

/** A kernel that does what a test tells it: keeps what is written, says what the test says. */
class ScriptedSocket implements KernelSocket {
  readonly info = { spec: "mgmt", remedy: 'run "the line that helps"' } as const;
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: KernelSocket["onClose"];
  readonly written: Uint8Array[] = [];
  fault: SystemFault | undefined;
  closed = false;

  write(packet: Uint8Array): SystemFault | undefined {
    this.written.push(packet);
    return this.fault;
  }
  say(packet: Uint8Array): void {
    this.onPacket?.(packet);
  }
  /** Names of what was written. */
  get names(): string[] {
    return this.written.map((packet) => `${decodeCommand(packet).declaration?.name} ${decodeCommand(packet).index}`);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

async function opened(): Promise<{ mgmt: Mgmt; socket: ScriptedSocket; clock: VirtualClock }> {
  const socket = new ScriptedSocket();
  const clock = new VirtualClock();
  return { mgmt: await openMgmt({ socket, clock }), socket, clock };
}

const settings = (index: number, command: typeof commands.setPowered, currentSettings: number): Uint8Array =>
  encodeCommandComplete(command, index, Status.Success, { currentSettings });

describe("a command", () => {
  test("resolves with its typed return parameters", async () => {
    const { mgmt, socket } = await opened();
    const reply = mgmt.setPowered(0, true);
    expect(socket.written).toEqual([Uint8Array.of(5, 0, 0, 0, 1, 0, 1)]);
    socket.say(settings(0, commands.setPowered, 0x81));
    const { currentSettings } = await reply;
    expect(currentSettings).toBe(0x81);
  });
});
