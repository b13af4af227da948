import type { CborMap } from "../protocol/cbor.ts";
import type { TransferRequest } from "./host.ts";

/** A request with data up to an offset. */
export interface Chunk {
  readonly request: TransferRequest;
  readonly to: number;
}

export interface UploadAnswer {
  /** The offset that the server expects next; undefined where it refused the chunk and does not say. */
  readonly off: number | undefined;
  /** The server has compared the digest of the whole. */
  readonly match?: boolean | undefined;
  /** Why the chunk was refused, where another offset is expected. */
  readonly refused?: unknown;
}

/** What is uploaded, where to, and how its server speaks of offsets. */
export interface UploadDestination {
  /** "image upload", for errors. */
  readonly what: string;
  readonly length: number;
  /** The request that begins at 0, in a message of at most `limit` octets. @throws {MessageTooLongError} */
  first(limit: number): Chunk;
  /** A request further on. @param most octets of data @throws {MessageTooLongError} */
  chunk(off: number, limit: number, alignment: number, most: number): Chunk;
  /** What an answer says. @throws {McumgrError} · {McumgrResponseError} */
  read(payload: CborMap): UploadAnswer;
  /** Asks how much is there; absent where a chunk has to ask. */
  locate?(signal: AbortSignal | undefined): Promise<number>;
  /** Whether everything arrived although the answer to the last chunk was lost, and the server has forgotten the upload since. */
  readonly isComplete?: ((signal: AbortSignal | undefined) => Promise<boolean>) | undefined;
  /** The first chunk may come twice: the server then begins nothing anew. */
  readonly mayRepeatFirst: boolean;
  /** After a lost link a chunk at the last known offset asks, since the beginning would start over. */
  readonly resumesByOffset: boolean;
  /** How long to wait for the answer to the last chunk at least, in milliseconds: the server may check the whole first. */
  readonly lastTimeoutMs: number;
}
