import type { Interference } from "./interference.ts";
import type { Link } from "./link.ts";
import type { Phy } from "./phy.ts";
import type { Radio, RadioListener } from "./radio.ts";

/** Who sends advertising PDUs. */
export interface Advertiser {
  readonly radio: Radio;
  /** The PDU of the event that begins now: header of 2 octets, AdvA, data. */
  readonly pdu: Uint8Array;
  readonly intervalUs: number;
  /** Bits 0 to 2: channels 37, 38, 39. */
  readonly channelMap: number;
  /** How much stronger than its radio it sends: 0, or negative. Default 0. */
  readonly gainDb?: number;
  /** Whether 0 to 10 ms are added to each interval (all but high duty cycle directed advertising), Vol 6 Part B 4.4.2.2.1. */
  readonly hasRandomDelay: boolean;
  /** Whether it listens for answers. */
  readonly isAnswerable: boolean;
  /** The SCAN_RSP, if this SCAN_REQ gets one. */
  onScanRequest(pdu: Uint8Array): Uint8Array | undefined;
  /** Takes the connection, and stops advertising, or leaves it. */
  onConnectInd(pdu: Uint8Array, link: Link): void;
  /** Told at the end of each event where it counts them; then none is passed over. */
  readonly onEventDone?: (() => void) | undefined;
}

/** A PDU with the Common Extended Advertising Payload Format. */
export interface ExtendedPdu {
  /** Header of 2 octets and payload; AuxPtr, where there is one, still without what it points to. */
  readonly pdu: Uint8Array;
  /** Where its AuxPtr begins; negative where it has none. */
  readonly auxPtrAt: number;
  /** Where its SyncInfo begins, which is written when it is sent; negative or absent where it has none. */
  readonly syncInfoAt?: number;
}

/** What an extended advertising event sends. */
export interface ExtendedEvent {
  /** ADV_EXT_IND on each primary channel. */
  readonly primary: ExtendedPdu;
  /** AUX_ADV_IND and its AUX_CHAIN_INDs; none where ADV_EXT_IND says it all. */
  readonly auxiliary: readonly ExtendedPdu[];
}

/** Who advertises with ADV_EXT_IND, Vol 6 Part B 4.4.2. */
export interface ExtendedAdvertiser {
  readonly radio: Radio;
  readonly intervalUs: number;
  /** Bits 0 to 2: channels 37, 38, 39. */
  readonly channelMap: number;
  /** How much stronger than its radio it sends: 0, or negative. */
  readonly gainDb: number;
  readonly primaryPhy: Phy;
  readonly secondaryPhy: Phy;
  /** Channels 0 to 36 that may be used, 5 octets. */
  readonly secondaryChannels: Uint8Array;
  /** Whether its sleep clock is within 50 ppm, as AuxPtr says (Vol 6 Part B 2.3.4.5). */
  readonly isClockAccurate: boolean;
  /** Whether it listens for answers behind AUX_ADV_IND. */
  readonly isAnswerable: boolean;
  /** The PDUs of the event that begins now. */
  event(): ExtendedEvent;
  /** SyncInfo of its periodic train in a packet that begins then, 18 octets; for PDUs with `syncInfoAt`. */
  syncInfo?(startUs: number): Uint8Array;
  /** AUX_SCAN_RSP and what is chained to it, if this AUX_SCAN_REQ gets one. */
  onAuxScanReq(pdu: Uint8Array): readonly ExtendedPdu[] | undefined;
  /** AUX_CONNECT_RSP, if this AUX_CONNECT_REQ is taken; `join` is called once it was sent. */
  onAuxConnectReq(pdu: Uint8Array): { readonly pdu: Uint8Array; readonly join: (link: Link) => void } | undefined;
  readonly onEventDone?: (() => void) | undefined;
}

/** A packet on a secondary advertising channel as its receiver gets it. */
export interface AuxiliaryPacket {
  readonly pdu: Uint8Array;
  readonly rssiDbm: number;
  readonly phy: Phy;
  /** When it began. */
  readonly startUs: number;
  /** False where the radio has no time to send something, or nobody would hear it. */
  readonly mayAnswer: boolean;
}

/** Follows what an ADV_EXT_IND points to. */
export interface Follower {
  /**
   * The next packet: AUX_ADV_IND, then each AUX_CHAIN_IND; behind an answer AUX_SCAN_RSP with what is chained to it, or AUX_CONNECT_RSP.
   * Undefined where it was not received: nothing comes any more. The answer to anything but AUX_ADV_IND is ignored.
   */
  onPacket(packet: AuxiliaryPacket | undefined): Answer | undefined;
}

/**
 * What a listener sends T_IFS after a PDU: a SCAN_REQ, or a CONNECT_IND whose link begins with `connect`. For AUX_CONNECT_REQ `isAnswered`
 * says whether AUX_CONNECT_RSP came; without, the link is nobody's at this end.
 */
export interface Answer {
  readonly pdu: Uint8Array;
  readonly connect?: (endUs: number, isAnswered?: boolean) => Link;
}

/** Who listens on advertising channels. */
export interface Listener extends RadioListener {
  readonly radio: Radio;
  /** @param mayAnswer false where the radio has no time to send something */
  onAdvertising(pdu: Uint8Array, rssiDbm: number, mayAnswer: boolean): Answer | undefined;
  /** After a SCAN_REQ: its answer, or nothing in time. */
  onScanResponse(pdu: Uint8Array | undefined, rssiDbm: number): void;
  /** ADV_EXT_IND. What it gives follows AuxPtr; absent in listeners that know legacy PDUs alone. */
  onExtended?(pdu: Uint8Array, rssiDbm: number, phy: Phy): Follower | undefined;
}

/** Listeners in the order in which they began to listen. */
export interface Tuned {
  readonly listeners: readonly Listener[];
  /** Of each whether it hears the packet, so far as it is in range; of the others that has to be found out. */
  readonly isSure: readonly boolean[];
  /** Whether that is so of all, and none shares its radio with another one. */
  readonly areSure: boolean;
  /** When the last of them began to listen. */
  readonly latestUs: number;
}

/** What one advertiser's events know of the others. */
export interface AdvertisingAir {
  readonly listeners: ReadonlySet<Listener>;
  /** Who listens in range of this radio, on whatever PHY and where it sends at full power, in the order in which they began to. */
  audience(radio: Radio): readonly Listener[];
  /** Who may hear a packet on a primary channel between these times, wherever they are, and perhaps some more. */
  tuned(channel: number, startUs: number, endUs: number): Tuned;
  /** Another number whenever some audience may be another one. */
  readonly audienceVersion: number;
  /** Whether somebody listens in range of this radio, on whatever PHY. */
  isHeard(radio: Radio): boolean;
  /** Whether somebody in range of this radio waits for answers from listeners, which its transmissions would drown. */
  isInTheWay(radio: Radio): boolean;
  /** Notes a transmission. `channel`: 0 to 2 for 37 to 39, 3 to 39 for the secondary channels 0 to 36. */
  record(channel: number, startUs: number, endUs: number, radio: Radio): void;
  /** What else is sent on this channel at some moment of a transmission of `from`; valid until the next call, since one object serves all. */
  interference(channel: number, startUs: number, endUs: number, from: Radio): Interference;
}

/** The advertising events of one advertiser, of whichever kind. */
export interface AdvertisingEvents {
  readonly radio: Radio;
  readonly isAnswerable: boolean;
  /** Nothing it sends matters to anybody: it sleeps, and counts its events afterwards. */
  readonly isDormant: boolean;
  /** Somebody may be listening now, or with `mayDisturb` be in range and wait for answers of others. */
  wake(mayDisturb: boolean): void;
  /** In an air without radio time a new listener need not wait for the next event. */
  showTo(listener: Listener): void;
  stop(): void;
}
