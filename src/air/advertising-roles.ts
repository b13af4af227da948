import type { Link } from "./link.ts";
import type { Radio, RadioListener } from "./radio.ts";

/** Who sends advertising PDUs. */
export interface Advertiser {
  readonly radio: Radio;
  /** The PDU of the event that begins now: header of 2 octets, AdvA, data. */
  readonly pdu: Uint8Array;
  readonly intervalUs: number;
  /** Bits 0 to 2: channels 37, 38, 39. */
  readonly channelMap: number;
  /** Whether 0 to 10 ms are added to each interval (all but high duty cycle directed advertising), Vol 6 Part B 4.4.2.2.1. */
  readonly hasRandomDelay: boolean;
  /** Whether it listens for answers. */
  readonly isAnswerable: boolean;
  /** The SCAN_RSP, if this SCAN_REQ gets one. */
  onScanRequest(pdu: Uint8Array): Uint8Array | undefined;
  /** Takes the connection, and stops advertising, or leaves it. */
  onConnectInd(pdu: Uint8Array, link: Link): void;
}

/** What a listener sends T_IFS after a PDU: a SCAN_REQ, or a CONNECT_IND whose link begins with `connect`. */
export interface Answer {
  readonly pdu: Uint8Array;
  readonly connect?: (endUs: number) => Link;
}

/** Who listens on advertising channels. */
export interface Listener extends RadioListener {
  readonly radio: Radio;
  /** @param mayAnswer false where the radio has no time to send something */
  onAdvertising(pdu: Uint8Array, rssiDbm: number, mayAnswer: boolean): Answer | undefined;
  /** After a SCAN_REQ: its answer, or nothing in time. */
  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void;
}

/** What one advertiser's events know of the others. */
export interface AdvertisingAir {
  readonly listeners: ReadonlySet<Listener>;
  /** Whether somebody listens in range of this radio. */
  isHeard(radio: Radio): boolean;
  /** Whether somebody in range of this radio waits for answers from listeners, which its transmissions would drown. */
  isInTheWay(radio: Radio): boolean;
  /** Notes a transmission. */
  record(channel: number, startUs: number, endUs: number, radio: Radio): void;
  /** Who else sends on this channel at some moment of a transmission of `from`. */
  interferers(channel: number, startUs: number, endUs: number, from: Radio): readonly Radio[];
  /** Whether one of these radios is of comparable strength at the receiver. */
  isCollided(interferers: readonly Radio[], from: Radio, to: Radio): boolean;
}
