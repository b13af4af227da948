import type { TransportClosed } from "../../hci/transport.ts";
import type { KernelChannel, KernelSocket, SystemFault } from "../types.ts";
import { openManagementSocket } from "./bluetooth-socket.ts";
import { DescriptorTransport } from "./socket.ts";
import { errnoName, type LinuxCalls, loadLinuxCalls } from "./socket-calls.ts";
import { grantLine } from "./socket-failure.ts";

const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
/** Which of SO_MEMINFO's nine words counts the packets that found no room. */
const MEMINFO_DROPS = 8;

export interface KernelSocketOptions {
  readonly signal?: AbortSignal | undefined;
  /** The C library; another one in tests. */
  readonly calls?: LinuxCalls;
}

/**
 * Opens the kernel's management or its monitor channel. Whether a management socket is trusted was decided by the time this resolves, and
 * stays so; one that is not is no error here.
 *
 * @param channel `control` for management, which everybody may open; `monitor`, which needs CAP_NET_RAW
 * @throws {TransportError} one sentence: no permission, no Bluetooth, not Linux, koffi missing
 * @throws `signal.reason` once `signal` aborts; the socket is closed then
 */
export async function openKernelSocket(channel: KernelChannel, options: KernelSocketOptions = {}): Promise<KernelSocket> {
  const { signal } = options;
  signal?.throwIfAborted();
  const spec = channel === "control" ? "mgmt" : "monitor";
  const calls = options.calls ?? loadLinuxCalls(spec);
  const descriptor = openManagementSocket(calls, channel);
  const info = { spec, remedy: grantLine() } as const;
  const transport = await DescriptorTransport.open(calls, descriptor, { info, signal });
  return new DescriptorKernelSocket(transport, calls, descriptor);
}

class DescriptorKernelSocket implements KernelSocket {
  readonly info: KernelSocket["info"];
  readonly #transport: DescriptorTransport<KernelSocket["info"]>;
  readonly #calls: LinuxCalls;
  readonly #descriptor: number;
  #onPacket: ((packet: Uint8Array) => void) | undefined;
  #dropped = 0;

  constructor(transport: DescriptorTransport<KernelSocket["info"]>, calls: LinuxCalls, descriptor: number) {
    this.info = transport.info;
    this.#transport = transport;
    this.#calls = calls;
    this.#descriptor = descriptor;
  }

  get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return this.#onPacket;
  }
  set onPacket(handler: ((packet: Uint8Array) => void) | undefined) {
    this.#onPacket = handler;
    // What comes from the reader is a window of up to a megabyte; a receiver that keeps one packet of it must not keep all of it.
    this.#transport.onPacket = handler && ((packet) => handler(packet.slice()));
  }

  get onClose(): ((reason: TransportClosed) => void) | undefined {
    return this.#transport.onClose;
  }
  set onClose(handler: ((reason: TransportClosed) => void) | undefined) {
    this.#transport.onClose = handler;
  }

  get droppedPackets(): number {
    const words = new Uint32Array(9);
    const length = new Uint32Array([words.byteLength]);
    if (
      this.#transport.isOpen &&
      this.#calls.getsockopt(this.#descriptor, SOL_SOCKET, SO_MEMINFO, new Uint8Array(words.buffer), length) === 0
    )
      this.#dropped = words[MEMINFO_DROPS]!;
    return this.#dropped;
  }

  write(packet: Uint8Array): SystemFault | undefined {
    const errno = this.#transport.write(packet);
    return errno === 0 ? undefined : { errno, code: errnoName(errno) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    void this.droppedPackets; // the last time that it can be known
    return this.#transport[Symbol.asyncDispose]();
  }
}
