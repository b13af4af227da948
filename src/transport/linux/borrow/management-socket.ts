import { type Clock, delay } from "../../../async/clock.ts";
import { TransportError } from "../../../hci/transport.ts";
import { commands, decodePacket, encodeCommand, type MgmtReplyPacket, peekReply, Status } from "../../../mgmt-protocol/index.ts";
import { HciChannel, NO_DEVICE, openBluetoothSocket } from "../bluetooth-socket.ts";
import { adapterExists, type LinuxFolders } from "../folders.ts";
import { Errno, type LinuxCalls, SystemError } from "../socket-calls.ts";
import { describeFailure } from "../socket-failure.ts";
import type { AdapterSettings } from "./adapter-settings.ts";

/** How long an adapter may take to be set up, to power down, to be given back. Firmware is loaded in that time. */
const PATIENCE_MS = 10_000;
/** Between two looks for a reply. */
const PAUSE_MS = 5;

/** What a program needs to reach an adapter; clock, C library and folders are others in tests. */
export interface AdapterAccess {
  readonly clock: Clock;
  readonly calls: LinuxCalls;
  readonly folders: LinuxFolders;
}

/** What Read Controller Information tells. */
export interface AdapterInformation extends AdapterSettings {
  readonly address: string;
}

/**
 * A management socket for borrowing one adapter: one command at a time, its reply found by opcode and index. The reply is nearly always
 * there when the write returns, so it is looked for at short intervals and no thread is started.
 */
export class ManagementSocket implements Disposable {
  readonly #calls: LinuxCalls;
  readonly #folders: LinuxFolders;
  readonly #index: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(0x10000 + 6);

  /** @throws {TransportError} one sentence: no Bluetooth */
  constructor({ calls, clock, folders }: AdapterAccess, index: number, signal?: AbortSignal) {
    this.#calls = calls;
    this.#folders = folders;
    this.#index = index;
    this.#clock = clock;
    this.#signal = signal;
    this.#descriptor = openBluetoothSocket(calls, `hci:${index}`, NO_DEVICE, HciChannel.Control, folders);
  }

  [Symbol.dispose](): void {
    this.#calls.close(this.#descriptor);
  }

  /**
   * The adapter's settings, or the status why they are not to be had: InvalidIndex when it is not there, in the hands of a user channel, or
   * still being set up, which is waited for.
   */
  async readInformation(patienceMs = 0): Promise<AdapterInformation | { readonly status: number }> {
    const reply = await this.#askPatiently(encodeCommand(commands.readControllerInformation, this.#index, {}), patienceMs);
    if (reply.status !== Status.Success) return { status: reply.status };
    const { address, supportedSettings, currentSettings } = reply.returns as Record<string, unknown>;
    return { address: address as string, supported: supportedSettings as number, current: currentSettings as number };
  }

  /** Sends a command and repeats it while the adapter is busy or not back yet. @returns the status of its reply */
  async command(packet: Uint8Array): Promise<number> {
    return (await this.#askPatiently(packet, PATIENCE_MS)).status;
  }

  async #askPatiently(packet: Uint8Array, patienceMs: number): Promise<MgmtReplyPacket> {
    const deadline = this.#clock.now() + patienceMs;
    for (;;) {
      const reply = await this.#ask(packet);
      const passes = reply.status === Status.Busy || (reply.status === Status.InvalidIndex && adapterExists(this.#folders, this.#index));
      if (!passes || this.#clock.now() >= deadline) return reply;
      await this.#pause();
    }
  }

  async #ask(command: Uint8Array): Promise<MgmtReplyPacket> {
    const spec = `hci:${this.#index}`;
    const opcode = command[0]! | (command[1]! << 8);
    this.#forgetWhatCameLate();
    if (this.#calls.write(this.#descriptor, command, command.length) < 0) {
      throw describeFailure(spec, new SystemError("write", this.#calls.errno()), this.#folders);
    }
    const deadline = this.#clock.now() + PATIENCE_MS;
    for (;;) {
      const length = this.#calls.read(this.#descriptor, this.#buffer, this.#buffer.length);
      if (length > 0) {
        const packet = this.#buffer.slice(0, length);
        const answered = peekReply(packet);
        // Everything else is somebody else's news.
        if (answered?.opcode === opcode && answered.index === this.#index) return decodePacket(packet) as MgmtReplyPacket;
        continue;
      }
      const errno = length === 0 ? Errno.EPIPE : this.#calls.errno();
      if (errno !== Errno.EAGAIN && errno !== Errno.EINTR) throw describeFailure(spec, new SystemError("read", errno), this.#folders);
      if (this.#clock.now() >= deadline) {
        throw new TransportError("io", `hci${this.#index} did not answer the management command 0x${opcode.toString(16)}`);
      }
      await this.#pause();
    }
  }

  /** Answers to commands that were given up would be taken for that to the next one of their kind. */
  #forgetWhatCameLate(): void {
    while (this.#calls.read(this.#descriptor, this.#buffer, this.#buffer.length) > 0);
  }

  #pause(): Promise<void> {
    return delay(this.#clock, PAUSE_MS, { signal: this.#signal, name: `hci${this.#index} management` });
  }
}
