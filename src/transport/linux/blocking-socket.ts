import { TransportClosed } from "../../hci/transport.ts";
import type { BlockingKernelSocket, KernelChannel, SystemFault } from "../types.ts";
import { openManagementSocket } from "./bluetooth-socket.ts";
import { Errno, errnoName, type LinuxCalls, loadLinuxCalls, SystemError } from "./socket-calls.ts";
import { grantLine } from "./socket-failure.ts";

/** The longest packet: a header of 6 octets and 65535 of parameters. A shorter buffer would lose the end for good. */
const LONGEST_PACKET = 0x10000 + 6;
const POLLIN = 1;
/** poll() takes no longer times than these, in an int. */
const LONGEST_POLL_MS = 0x7fff_ffff;

/**
 * Opens the kernel's management or its monitor channel for calls that block. Nobody else reads this socket: no thread is started.
 *
 * @throws {TransportError} one sentence: no permission, no Bluetooth, not Linux, koffi missing
 */
export function openBlockingKernelSocket(channel: KernelChannel, options: { readonly calls?: LinuxCalls } = {}): BlockingKernelSocket {
  const spec = channel === "control" ? "mgmt" : "monitor";
  const calls = options.calls ?? loadLinuxCalls(spec);
  return new BlockingDescriptor(calls, openManagementSocket(calls, channel), spec);
}

class BlockingDescriptor implements BlockingKernelSocket {
  readonly info: BlockingKernelSocket["info"];
  readonly #calls: LinuxCalls;
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(LONGEST_PACKET);
  /** struct pollfd { int fd; short events; short revents; } */
  readonly #polled = new Uint8Array(8);
  #isOpen = true;

  constructor(calls: LinuxCalls, descriptor: number, spec: "mgmt" | "monitor") {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.info = { spec, remedy: grantLine() };
    const fields = new DataView(this.#polled.buffer);
    fields.setInt32(0, descriptor, true); // as wherever this runs
    fields.setInt16(4, POLLIN, true);
  }

  now(): number {
    return performance.now();
  }

  write(packet: Uint8Array): SystemFault | undefined {
    if (!this.#isOpen) return { errno: Errno.EBADF, code: errnoName(Errno.EBADF) };
    for (;;) {
      if (this.#calls.write(this.#descriptor, packet, packet.length) >= 0) return undefined;
      const errno = this.#calls.errno();
      if (errno !== Errno.EINTR) return { errno, code: errnoName(errno) };
    }
  }

  read(timeoutMs: number): Uint8Array | undefined {
    const untilMs = this.now() + timeoutMs;
    for (;;) {
      if (!this.#isOpen) throw new TransportClosed(`the ${this.info.spec} socket is closed`);
      const length = this.#calls.read(this.#descriptor, this.#buffer, this.#buffer.length);
      if (length > 0) return this.#buffer.slice(0, length);
      const errno = length === 0 ? Errno.EPIPE : this.#calls.errno();
      if (errno === Errno.EINTR) continue;
      if (errno !== Errno.EAGAIN) this.#lose("read", errno);
      // Rounded up: a poll that ends early would be one more.
      const leftMs = Math.min(Math.ceil(untilMs - this.now()), LONGEST_POLL_MS);
      if (leftMs <= 0) return undefined;
      if (this.#calls.poll(this.#polled, 1, leftMs) < 0) {
        const cause = this.#calls.errno();
        if (cause !== Errno.EINTR) this.#lose("poll", cause);
      }
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#calls.close(this.#descriptor);
  }

  #lose(call: string, errno: number): never {
    const cause = new SystemError(call, errno);
    this[Symbol.dispose]();
    throw new TransportClosed(`the ${this.info.spec} socket is gone: the kernel reports ${cause.code}`, { cause });
  }
}
