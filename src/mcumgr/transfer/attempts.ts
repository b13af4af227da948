import { UploadStalledError } from "../protocol/error.ts";

/** Attempts in a row without progress. */
const ATTEMPTS = 5;

/** Counts what goes wrong while nothing gets further. */
export class Attempts {
  readonly #what: string;
  readonly #most: number;
  #count = 0;
  #troubledAt = -1;

  constructor(what: string, most = ATTEMPTS) {
    this.#what = what;
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Something went wrong with `done` octets transferred. @throws {UploadStalledError} too often at the same place */
  troubled(done: number, cause: unknown): void {
    if (done > this.#troubledAt) this.#count = 0;
    this.#troubledAt = done;
    if (this.#count === this.#most) throw this.stalled(done, cause);
    this.#count++;
  }

  stalled(offset: number, cause: unknown): UploadStalledError {
    return new UploadStalledError(this.#what, { offset, attempts: this.#count }, cause === undefined ? {} : { cause });
  }
}
