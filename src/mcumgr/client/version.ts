import type { CborMap } from "../protocol/cbor.ts";
import { McumgrReturnCode } from "../protocol/codes.ts";
import { errorOf } from "../protocol/error.ts";
import { McumgrVersion } from "../protocol/header.ts";

/** The version of the protocol that a server takes: the one asked for, unless it refuses that and takes the other. */
export class VersionChoice {
  #current: number;
  readonly #refused = new Set<number>();

  constructor(version: number) {
    this.#current = version;
  }

  get current(): number {
    return this.#current;
  }

  /**
   * Looks whether an answer refuses the version it was asked in.
   *
   * @returns the version to ask in again; undefined where the answer says something else, or the server takes neither
   */
  refusedBy(payload: CborMap, version: number): number | undefined {
    const failure = errorOf(payload);
    // A shell command of an old server may return 12 or 13 too, with what it printed.
    if (failure?.kind !== "protocol" || Object.keys(payload).some((key) => key !== "rc" && key !== "rsn")) return undefined;
    const other =
      failure.rc === McumgrReturnCode.TooNew
        ? McumgrVersion.First
        : failure.rc === McumgrReturnCode.TooOld
          ? McumgrVersion.Second
          : undefined;
    if (other === undefined || other === version) return undefined;
    this.#refused.add(version);
    if (this.#refused.has(other)) return undefined;
    this.#current = other;
    return other;
  }

  /** Another server may be there now. */
  forget(): void {
    this.#refused.clear();
  }
}
