import type { Air, Link, Radio, Scheduler } from "../../air/index.ts";
import type { Address, SeededRandom } from "../../core/index.ts";
import type { HostInterface } from "../host-interface.ts";
import type { AirAddress, ConnectData } from "./advertising-pdus.ts";
import type { FilterAcceptList } from "./filter-accept-list.ts";

/** What advertising, scanning and initiating share. */
export interface LinkLayerContext {
  readonly air: Air;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly filterAcceptList: FilterAcceptList;
  /** Whether there is an address of Own_Address_Type 0 or 1: a public one, a random one that the host has set. Gives a status. */
  checkOwnAddress(type: number): number;
  /** Whether no further connection fits. */
  readonly isFull: boolean;
  /** The data channels the host's classification leaves, 5 octets. */
  readonly channelMap: Uint8Array;
  /** @param type Own_Address_Type 0 or 1 */
  ownAddress(type: number): AirAddress;
  joinAsPeripheral(link: Link, peer: Address, data: ConnectData): void;
  /** Makes the central's end of a new link and tells the host; with `isAbandoned` nobody wants it any more. */
  openAsCentral(peer: Address, data: ConnectData, endUs: number, isAbandoned: boolean): Link;
  /** Tells the host that no connection came about. */
  connectionFailed(status: number, role: "central" | "peripheral"): void;
  isConnectedTo(type: number, address: Uint8Array): boolean;
}
