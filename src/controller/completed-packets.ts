import { EventCode, PacketType } from "../hci/index.ts";

/**
 * Packets of the host that are done and not told yet, by connection, in the order in which the first of each was done. Arrays that stay,
 * since a map makes itself anew each time it is emptied.
 */
export class CompletedPackets {
  readonly #handles: number[] = [];
  readonly #counts: number[] = [];
  /** Connections: so many of either array count. */
  size = 0;

  /** One more packet of this connection. Gives how many of it are done. */
  add(connectionHandle: number): number {
    const at = this.#indexOf(connectionHandle);
    this.#counts[at] = at < this.size ? this.#counts[at]! + 1 : 1;
    this.#handles[at] = connectionHandle;
    this.size = Math.max(this.size, at + 1);
    return this.#counts[at]!;
  }

  forget(connectionHandle: number): void {
    const at = this.#indexOf(connectionHandle);
    if (at === this.size) return;
    this.#handles.splice(at, 1);
    this.#counts.splice(at, 1);
    this.size--;
  }

  clear(): void {
    this.size = 0;
  }

  /** Number Of Completed Packets for all of them, Vol 4 Part E 7.7.19; by hand since it is the most frequent event of all. */
  event(): Uint8Array {
    const packet = new Uint8Array(4 + 4 * this.size);
    packet[0] = PacketType.Event;
    packet[1] = EventCode.NumberOfCompletedPackets;
    packet[2] = packet.length - 3;
    packet[3] = this.size;
    for (let i = 0; i < this.size; i++) {
      const at = 4 + 4 * i;
      packet[at] = this.#handles[i]!;
      packet[at + 1] = this.#handles[i]! >> 8;
      packet[at + 2] = this.#counts[i]!;
      packet[at + 3] = this.#counts[i]! >> 8;
    }
    return packet;
  }

  /** Its place, or the one behind the last. */
  #indexOf(connectionHandle: number): number {
    let at = 0;
    while (at < this.size && this.#handles[at] !== connectionHandle) at++;
    return at;
  }
}
