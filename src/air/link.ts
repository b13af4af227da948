import type { Phy } from "./phy.ts";
import type { Radio } from "./radio.ts";

export const LinkRole = Object.freeze({ Central: 0, Peripheral: 1 });
export type LinkRole = (typeof LinkRole)[keyof typeof LinkRole];

/** What takes effect at an instant of the connection event counter, Vol 6 Part B 5.1. */
export type LinkChange =
  | { readonly kind: "parameters"; readonly intervalUs: number; readonly latency: number; readonly supervisionTimeoutUs: number }
  | { readonly kind: "channels"; readonly channelMap: Uint8Array }
  | { readonly kind: "phy"; readonly centralToPeripheral: Phy; readonly peripheralToCentral: Phy };

/** Which connection events are used (Vol 6 Part B 4.5.1), and what is agreed on with that. */
export interface LinkSubrate {
  /** Every so many of them; 1 all. */
  readonly factor: number;
  /** One of them, by the connection event counter, not wrapped. */
  readonly baseEvent: number;
  /** So many more in a row behind one in which a packet was not empty. */
  readonly continuationNumber: number;
  /** Of the peripheral, in events that are used. */
  readonly latency: number;
  readonly supervisionTimeoutUs: number;
}

/** One controller's end of a link: its queue of Data Physical Channel PDUs and what it does with the peer's. */
export interface LinkEnd {
  readonly radio: Radio;
  /** What it sends beside its radio's power, in dB: negative for less. Changed within `Link.changeStrength` only. */
  readonly gainDb: number;
  /** Payload octets, MIC included, of the PDU that `takePdu` would give; 0 when there is none. */
  readonly nextOctets: number;
  /**
   * The next PDU (header of 2 octets, payload, MIC). Called only once the one before was acknowledged, whose octets are those of this one
   * then. Bits 2 to 4 of its first octet are the link's.
   */
  takePdu(): Uint8Array | undefined;
  /** The peer has the PDU taken last. */
  onAcknowledged(): void;
  /** False where there is no room for this PDU: it is then not acknowledged. */
  accepts(pdu: Uint8Array): boolean;
  /** A new PDU of the peer; valid during the call. */
  onPdu(pdu: Uint8Array): void;
  /** A connection event is over. */
  onEventClosed(): void;
  onInstant(change: LinkChange): void;
  /** Nothing was heard for too long; the end is off the link already. `reason`: Connection Timeout or Connection Failed To Be Established. */
  onLost(reason: number): void;
}

export interface LinkSetup {
  readonly accessAddress: number;
  readonly central: LinkEnd;
  readonly firstAnchorUs: number;
  readonly intervalUs: number;
  readonly latency: number;
  readonly supervisionTimeoutUs: number;
  /** Five octets, bit n for data channel n. */
  readonly channelMap: Uint8Array;
  readonly hop: number;
  /** Channel Selection Algorithm #2 in place of #1 (Vol 6 Part B 4.5.8.3); `hop` is of no matter then. */
  readonly usesAlgorithm2?: boolean;
  /** PHY that both begin on. Default LE 1M. */
  readonly phy?: Phy;
}

/** The way between two ends. Acknowledgement, retransmission, time and supervision are its own; it delivers in order and once. */
export interface Link {
  /** Connection event counter, not wrapped: of the event in progress, otherwise of the last one. */
  readonly eventCounter: number;
  /** When connection event `counter` begins, not wrapped, as far as its interval does not change. */
  anchorUs(counter: number): number;
  /** The peripheral received the CONNECT_IND. */
  join(peripheral: LinkEnd): void;
  /** The end has something to send, or accepts again. */
  wake(role: LinkRole): void;
  /** Has `change` take effect for this end when the counter is `instant` (not wrapped). */
  atInstant(role: LinkRole, instant: number, change: LinkChange): void;
  /**
   * This end keeps to these connection events from now on; with `keepsFormer`, until it is called again, to the former ones as well (Vol 6
   * Part B 5.1.19). Another interval makes every event a used one again.
   */
  setSubrate(role: LinkRole, subrate: LinkSubrate, options?: { keepsFormer?: boolean }): void;
  /** The end is off the link; nothing more is asked or told. With `afterNextPdu` it first sends once more, and so acknowledges. */
  leave(role: LinkRole, options?: { afterNextPdu?: boolean }): void;
  /** Strength in dBm of what this end received last. */
  rssiDbm(role: LinkRole): number;
  /** The same on the average, without what differs from packet to packet; undefined where nothing can have been received. */
  meanDbm(role: LinkRole): number | undefined;
  /** Does what changes `gainDb` of an end: what was heard until now keeps its strength until the next packet. */
  changeStrength(act: () => void): void;
}

/** Error codes of Vol 1 Part F that a link itself gives as reasons. */
export const LinkLoss = Object.freeze({ ConnectionTimeout: 0x08, ConnectionFailedToBeEstablished: 0x3e });

/** Before it is established, a link is given up after so many connection events, Vol 6 Part B 4.5.2. */
export const EVENTS_TO_ESTABLISH = 6;
