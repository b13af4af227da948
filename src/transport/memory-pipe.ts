import { checkOptions, checkText, optionNames } from "../core/arguments.ts";
import { INBOX_MARK, TransportBase } from "../hci/base-transport.ts";
import { type HciTransport, TransportClosed } from "../hci/transport.ts";

const OPTIONS = optionNames<{ spec: string; address: string }>({ spec: true, address: true });

class MemoryPipe extends TransportBase {
  #peer: MemoryPipe | undefined;

  static pair(host: HciTransport["info"], controller: HciTransport["info"]): [MemoryPipe, MemoryPipe] {
    const [a, b] = [new MemoryPipe(host), new MemoryPipe(controller)];
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  send(packet: Uint8Array): void {
    if (!this.isOver) this.#peer?.deliver(packet);
  }

  get writable(): boolean {
    return (this.#peer?.waitingPackets ?? 0) < INBOX_MARK;
  }

  protected override onDrained(): void {
    this.#peer?.onWritable?.();
  }

  protected release(): void {
    const peer = this.#peer;
    this.#peer = undefined;
    peer?.end(new TransportClosed(`transport "${peer.info.spec}" was closed by the other side`));
  }
}

/**
 * Two ends of a pipe inside the process: what one end sends, the other end's `onPacket` gets before `send` returns - unless that end is
 * busy with an earlier packet or has no `onPacket` yet, then right after. A packet is handed over as it is, not copied. Closing one
 * end closes the other.
 *
 * @returns the host's end and the controller's end
 */
export function createTransportPair(options: { spec?: string; address?: string } = {}): [host: HciTransport, controller: HciTransport] {
  checkOptions("createTransportPair", options, OPTIONS);
  const { spec = "memory:", address } = options;
  checkText("createTransportPair: spec", spec);
  if (address !== undefined) checkText("createTransportPair: address", address);
  return MemoryPipe.pair(address === undefined ? { spec } : { spec, address }, { spec });
}
