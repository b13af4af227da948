import { type Clock, SystemClock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { commands, decodePacket, encodeCommand, peekReply, Status } from "../../mgmt-protocol/index.ts";
import type { KernelSocket, OpenKernelSocket } from "../types.ts";
import type { FoundAdapter, TransportSource } from "./found.ts";

/** Index Added and Removed, Unconfigured Index Added and Removed, Extended Index Added and Removed, of the management API. */
const CHANGES = new Set([0x0004, 0x0005, 0x001d, 0x001e, 0x0020, 0x0021]);
/** How long the kernel may take to tell an address, in milliseconds. */
const ANSWER_MS = 500;

/** Adapters of the Linux kernel; their addresses and their coming and going by the management API, which everybody may ask. */
export class HciSource implements TransportSource {
  readonly #indices: () => readonly number[];
  readonly #open: OpenKernelSocket;
  readonly #clock: Clock;

  /** @param indices numbers of the adapters that the kernel has */
  constructor(indices: () => readonly number[], open: OpenKernelSocket, clock: Clock = new SystemClock()) {
    this.#indices = indices;
    this.#open = open;
    this.#clock = clock;
  }

  async list(): Promise<FoundAdapter[]> {
    const indices = this.#indices();
    const addresses =
      indices.length === 0 ? new Map<number, string>() : await this.#addresses(indices).catch(() => new Map<number, string>());
    return indices.map((index) => {
      const spec = `hci:${index}`;
      const address = addresses.get(index);
      return { key: `${spec} ${address ?? ""}`, found: { spec, kind: "hci", address } };
    });
  }

  async #addresses(indices: readonly number[]): Promise<Map<number, string>> {
    const addresses = new Map<number, string>();
    await using socket = await this.#open("control");
    const answered = new Pending<void>({ clock: this.#clock, operation: "addresses of adapters", timeoutMs: ANSWER_MS });
    let waiting = indices.length;
    socket.onPacket = (packet) => {
      const reply = peekReply(packet);
      if (reply?.opcode !== commands.readControllerInformation.opcode) return;
      const { status, returns } = decodePacket(packet) as { status: number; returns?: { address?: string } };
      // Of one that is taken by a program, or is being set up, the kernel says nothing.
      if (status === Status.Success && returns?.address && !/^(00:){5}00$/.test(returns.address))
        addresses.set(reply.index, returns.address);
      if (--waiting === 0) answered.resolve();
    };
    socket.onClose = () => answered.resolve();
    for (const index of indices)
      if (socket.write(encodeCommand(commands.readControllerInformation, index, {})) && --waiting === 0) answered.resolve();
    await answered.promise.catch(() => undefined);
    return addresses;
  }

  watch(changed: () => void): Disposable {
    let isOver = false;
    let socket: KernelSocket | undefined;
    const close = (): void => void socket?.[Symbol.asyncDispose]().then(undefined, () => undefined);
    this.#open("control").then(
      (opened) => {
        socket = opened;
        if (isOver) return close();
        socket.onPacket = (packet) => {
          if (CHANGES.has(packet[0]! | (packet[1]! << 8))) changed();
        };
        changed(); // what came before it was open
      },
      () => undefined, // without it nothing is told; what is there can be listed all the same
    );
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        close();
      },
    };
  }
}
