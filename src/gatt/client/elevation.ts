import type { OperationOptions } from "../../async/pending.ts";
import { SharedWork } from "../../async/shared-work.ts";
import type { AttBearer } from "../../att/bearer.ts";
import type { AttError } from "../../att/error.ts";
import { meets, type SecurityRequirement } from "../../att/security.ts";

/** Why the link is to have more security. */
export interface ElevationDemand {
  /** What it must have. After a refusal: what the peer's error asks for, as far as an error can say. */
  readonly requirement: SecurityRequirement;
  /** The refusal of the peer; `undefined` where this side demands it before it asks. */
  readonly refusal: AttError | undefined;
}

/** Raises the security of the link: encrypts with the bond, or pairs. It rejects where that cannot be had. */
export type Elevate = (demand: ElevationDemand, options: OperationOptions) => Promise<void>;

/** Requests that need more security at the same time share one elevation, where its demand covers theirs; each keeps its own signal. */
export class Elevation {
  readonly #bearer: AttBearer;
  readonly #elevate: Elevate;
  #running: { readonly requirement: SecurityRequirement; readonly work: SharedWork<void> } | undefined;

  constructor(bearer: AttBearer, elevate: Elevate) {
    this.#bearer = bearer;
    this.#elevate = elevate;
  }

  /** @throws what the elevation throws · `options.signal.reason` */
  async raise(demand: ElevationDemand, options: OperationOptions): Promise<void> {
    for (;;) {
      options.signal?.throwIfAborted();
      const running = this.#running;
      if (!running || running.work.over) return await this.#begin(demand).join(options);
      if (covers(running.requirement, demand.requirement)) return await running.work.join(options);
      // It asks for less, so that its failure says nothing about this demand; but what it brings may be enough.
      await running.work.join(options).catch(() => undefined);
      if (meets(this.#bearer.security, demand.requirement)) return;
    }
  }

  #begin(demand: ElevationDemand): SharedWork<void> {
    const work = new SharedWork<void>({
      clock: this.#bearer.clock,
      operation: "securing the link",
      run: (signal) => this.#elevate(demand, { signal }),
    });
    this.#running = { requirement: demand.requirement, work };
    return work;
  }
}

function covers(requirement: SecurityRequirement, other: SecurityRequirement): boolean {
  return (
    (!other.authenticated || requirement.authenticated === true) &&
    (!other.secureConnections || requirement.secureConnections === true) &&
    (other.minKeySize ?? 0) <= (requirement.minKeySize ?? 0)
  );
}
