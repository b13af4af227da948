import type { CommandDeclaration, EventDeclaration } from "../../hci/declare.ts";
import type { CommandPort } from "../radio.ts";

/** What periodic advertising asks of the host controller interface. */
export interface PeriodicPort extends CommandPort {
  supports(declaration: CommandDeclaration): boolean;
  /** @param bit a value of LeFeature */
  hasLeFeature(bit: number): boolean;
  enableEvents(events: readonly EventDeclaration[]): Promise<void>;
}

/** A link, as far as a transfer of synchronization needs it. */
export interface SyncLink {
  readonly handle: number;
  /** Why it is gone. */
  readonly ended: unknown;
  /** LE features of the peer's controller. */
  remoteFeatures(): Promise<bigint>;
}
