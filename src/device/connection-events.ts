import type { LinkSecurity } from "../att/index.ts";
import type { BleError } from "../core/error.ts";
import type { LinkParameters } from "../gap/index.ts";
import type { DisconnectedError, HciError } from "../hci/index.ts";
import type { PairingReport } from "../smp/index.ts";
import type { PathLoss } from "./path-loss.ts";
import type { LinkPhy } from "./phy-updates.ts";
import type { LinkSubrate } from "./subrating.ts";
import type { ReceivedSync } from "./transfer-terms.ts";
import type { PowerChange } from "./transmit-power.ts";

/** Longest link layer payloads, in octets. */
export interface DataLength {
  readonly txOctets: number;
  readonly rxOctets: number;
}

export type ConnectionEvents = {
  /** The link was encrypted, or its keys got better. */
  security: LinkSecurity;
  /** The keys of a pairing are exchanged, and the link has what it is to have; what remains is to store them, where there is a bond. */
  exchanged: PairingReport;
  /** A pairing succeeded, whoever asked for it. */
  paired: PairingReport;
  /** A pairing or an encryption failed, whoever asked for it. */
  securityFailure: BleError;
  parameters: LinkParameters;
  /** A change of parameters that was under way came to nothing, whoever asked for it; those in force stay. */
  parametersFailure: HciError;
  dataLength: DataLength;
  /** The physical layer changed, whoever asked for it. */
  phy: LinkPhy;
  /** Other connection events are used, whoever asked for it; what it changes of the parameters is told by "parameters" too. */
  subrate: LinkSubrate;
  /** One side sends with another power; see `reportTransmitPower`. */
  transmitPower: PowerChange;
  /** Another zone was entered; see `monitorPathLoss`. */
  pathLoss: PathLoss;
  /** No packet came in time that only the peer can have sent; see `setAuthenticatedPayloadTimeout`. */
  authenticatedPayloadTimeout: undefined;
  /** The peer has handed over periodic advertising, which is followed now; see `acceptSyncs`. With no listener it is ended at once. */
  sync: ReceivedSync;
  /** What the peer handed over could not be followed. */
  syncFailure: HciError;
  mtu: number;
  /** Once, at the end. */
  disconnected: DisconnectedError;
};

/** Their names. */
export const CONNECTION_EVENTS: readonly (keyof ConnectionEvents)[] = [
  "security",
  "exchanged",
  "paired",
  "securityFailure",
  "parameters",
  "parametersFailure",
  "dataLength",
  "phy",
  "subrate",
  "transmitPower",
  "pathLoss",
  "authenticatedPayloadTimeout",
  "sync",
  "syncFailure",
  "mtu",
  "disconnected",
];
