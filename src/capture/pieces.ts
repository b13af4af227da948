import { concat } from "../bytes/index.ts";

/** What is left of a file that comes in pieces of any size, and where in the file it is. */
export class Pieces {
  /** Octets not taken yet. */
  rest: Uint8Array = new Uint8Array(0);
  /** Offset of `rest[0]` in the file. */
  offset = 0;

  add(piece: Uint8Array): void {
    // A Buffer's slice() would be a view of it, and the packets would change with the caller's buffer.
    const octets = new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
    this.rest = this.rest.length === 0 ? octets : concat(this.rest, octets);
  }

  take(length: number): void {
    this.rest = this.rest.subarray(length);
    this.offset += length;
  }

  /** Lets go of the caller's buffer. */
  release(): void {
    this.rest = this.rest.slice();
  }
}
