import type { CaptureDirection } from "./record.ts";

/** A whole L2CAP frame, or why there is none. */
export type Reassembled =
  | { readonly is: "frame"; readonly cid: number; readonly payload: Uint8Array; readonly packets: number; readonly problem?: string }
  | { readonly is: "part"; readonly have: number; readonly of: number | undefined; readonly problem?: string }
  | { readonly is: "fault"; readonly problem: string };

interface Partial {
  bytes: Uint8Array;
  packets: number;
}

/** H4 type, handle and length. */
const ACL_HEADER = 5;
const L2CAP_HEADER = 4;
/** Unfinished frames kept; handles have 12 bits and two directions, and a capture may never finish one. */
const MOST_PARTIALS = 512;

/** Puts ACL packets together to L2CAP frames, each direction of each link apart (Vol 3 Part A 7.2). */
export class Reassembler {
  readonly #partials = new Map<number, Partial>();

  /** @param packet a whole H4 ACL packet whose length was checked */
  push(direction: CaptureDirection, packet: Uint8Array): Reassembled {
    const flags = packet[1]! | (packet[2]! << 8);
    const key = (flags & 0x0fff) | (direction === "host-to-controller" ? 0x1000 : 0);
    const boundary = (flags >> 12) & 0b11;
    const data = packet.slice(ACL_HEADER);
    const before = this.#partials.get(key);
    this.#partials.delete(key);
    if (boundary !== 0b01) {
      const frame = this.#complete(key, { bytes: data, packets: 1 });
      if (!before || frame.is === "fault") return frame;
      return { ...frame, problem: `a new frame begins and the last one, of which there were ${before.bytes.length} octets, is unfinished` };
    }
    if (!before) return { is: "fault", problem: "a continuation of a frame whose beginning is not in the capture" };
    const bytes = new Uint8Array(before.bytes.length + data.length);
    bytes.set(before.bytes);
    bytes.set(data, before.bytes.length);
    return this.#complete(key, { bytes, packets: before.packets + 1 });
  }

  /** The link is gone: its unfinished frames are too. */
  forget(handle: number): void {
    this.#partials.delete(handle);
    this.#partials.delete(handle | 0x1000);
  }

  #complete(key: number, partial: Partial): Reassembled {
    const { bytes, packets } = partial;
    const whole = bytes.length < 2 ? undefined : L2CAP_HEADER + (bytes[0]! | (bytes[1]! << 8));
    if (whole === undefined || bytes.length < whole) {
      this.#partials.set(key, partial);
      if (this.#partials.size > MOST_PARTIALS) this.#partials.delete(this.#partials.keys().next().value!);
      return { is: "part", have: bytes.length, of: whole };
    }
    if (bytes.length > whole) return { is: "fault", problem: `a frame of ${whole} octets came with ${bytes.length}` };
    return { is: "frame", cid: bytes[2]! | (bytes[3]! << 8), payload: bytes.slice(L2CAP_HEADER), packets };
  }
}
