import type { LinkSecurity } from "../att/index.ts";
import type { BleError } from "../core/error.ts";
import type { LinkParameters } from "../gap/index.ts";
import type { DisconnectedError, HciError } from "../hci/index.ts";
import type { PairingReport } from "../smp/index.ts";
import type { LinkPhy } from "./phy-updates.ts";

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
  "mtu",
  "disconnected",
];
