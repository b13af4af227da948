import type { Clock } from "../../src/async/index.ts";
import { decodeCommand, encodeCommandComplete, encodeCommandStatus, type HciTransport, type TransportClosed } from "../../src/hci/index.ts";

/** What becomes of a command: its answer is lost or comes late, or the controller refuses it and does nothing. */
export type CommandFault = "lost" | "late" | "refused";

/** When a late answer comes: after the host has given it up. */
const LATE_MS = 5500;

/** The way to a controller on which single commands go wrong. */
export class FaultyTransport implements HciTransport {
  /** Names of the commands sent, with "on" or "off" behind those that switch. */
  readonly commands: string[] = [];
  /** Asked for each command: what becomes of it. */
  faultOf: (command: string) => CommandFault | undefined = () => undefined;
  /** Status of a refusal. */
  status = 0x1f;
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: ((reason: TransportClosed) => void) | undefined;
  onWritable: (() => void) | undefined;
  readonly #transport: HciTransport;
  readonly #clock: Clock;
  /** Opcodes whose answers go wrong. */
  readonly #faults = new Map<number, CommandFault>();

  constructor(transport: HciTransport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
    transport.onPacket = (packet) => this.#receive(packet);
    transport.onClose = (reason) => this.onClose?.(reason);
    transport.onWritable = () => this.onWritable?.();
  }

  get info(): HciTransport["info"] {
    return this.#transport.info;
  }
  get writable(): boolean {
    return this.#transport.writable;
  }

  send(packet: Uint8Array): void {
    if (packet[0] === 1) {
      const { declaration, name, opcode, parameters } = decodeCommand(packet);
      const { advertisingEnable, leScanEnable, enable } = parameters as Readonly<Record<string, boolean | undefined>>;
      const on = advertisingEnable ?? leScanEnable ?? enable;
      const text = on === undefined ? name : `${name} ${on ? "on" : "off"}`;
      this.commands.push(text);
      const fault = this.faultOf(text);
      if (fault === "refused") {
        const answer = declaration?.returns
          ? encodeCommandComplete(opcode, Uint8Array.of(this.status))
          : encodeCommandStatus(opcode, this.status);
        queueMicrotask(() => this.onPacket?.(answer));
        return;
      }
      if (fault) this.#faults.set(opcode, fault);
    }
    this.#transport.send(packet);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  #receive(packet: Uint8Array): void {
    const at = packet[0] === 4 && packet[1] === 0x0e ? 4 : packet[0] === 4 && packet[1] === 0x0f ? 5 : undefined;
    const opcode = at === undefined ? -1 : packet[at]! | (packet[at + 1]! << 8);
    const fault = this.#faults.get(opcode);
    this.#faults.delete(opcode);
    if (fault === "late") this.#clock.setTimer(LATE_MS, "a late answer", () => this.onPacket?.(packet));
    else if (fault !== "lost") this.onPacket?.(packet);
  }
}
