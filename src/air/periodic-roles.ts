import type { ExtendedPdu } from "./advertising-roles.ts";
import type { Link } from "./link.ts";
import type { Phy } from "./phy.ts";
import type { Radio } from "./radio.ts";

/** Which packet of a periodic advertising train, when and where. */
export interface PeriodicPlace {
  /** paEventCounter, not wrapped. */
  readonly counter: number;
  /** 0 where the train has no subevents. */
  readonly subevent: number;
  readonly startUs: number;
  /** 0 to 36. */
  readonly channel: number;
}

/** Who sends a periodic advertising train, Vol 6 Part B 4.4.2.12. */
export interface PeriodicAdvertiser {
  readonly radio: Radio;
  /** How much stronger than its radio it sends: 0, or negative. */
  readonly gainDb: number;
  readonly phy: Phy;
  readonly accessAddress: number;
  /** Whether its sleep clock is within 50 ppm, as AuxPtr says. */
  readonly isClockAccurate: boolean;
  readonly intervalUs: number;
  /** Subevents of an event; 1 where there are none. */
  readonly subevents: number;
  readonly subeventIntervalUs: number;
  /** How long the packets of an event, or of a subevent, last. */
  readonly lengthUs: number;
  /** Whether its events take place also where nobody hears them. */
  readonly isAwaited: boolean;
  /** Channels 0 to 36 that the event uses, 5 octets. */
  channelMap(counter: number): Uint8Array;
  /** What is sent at this place, asked once as it begins; nothing where there is nothing to send. */
  pdus(counter: number, subevent: number): readonly ExtendedPdu[];
  /** Who hears responses; absent where the train has none. */
  readonly responses?: ResponseHearer | undefined;
}

/** The advertiser of a train with responses, as it hears them: Vol 6 Part B 4.4.2.12. */
export interface ResponseHearer {
  readonly accessAddress: number;
  /** From the beginning of a subevent to its first response slot. */
  readonly delayUs: number;
  readonly spacingUs: number;
  /** What became of the packet of this place. */
  onSent(place: PeriodicPlace, isSent: boolean): void;
  /** Whether it listens to this slot. */
  listensTo(place: Omit<PeriodicPlace, "startUs" | "channel">, slot: number): boolean;
  onResponse(slot: number, pdu: Uint8Array, rssiDbm: number): void;
  /** AUX_CONNECT_REQ was sent; AUX_CONNECT_RSP, where one was received. The link is for who answered. */
  onConnectAnswer(pdu: Uint8Array | undefined, requestEndUs: number): Link | undefined;
}

/** What a receiver sends in a response slot. */
export interface PeriodicResponse {
  readonly radio: Radio;
  readonly accessAddress: number;
  /** 0 to 36. */
  readonly channel: number;
  readonly phy: Phy;
  readonly startUs: number;
  readonly pdu: Uint8Array;
}

/** AUX_CONNECT_RSP, T_IFS behind AUX_CONNECT_REQ, and what takes the link. */
export interface PeriodicAnswer {
  readonly pdu: Uint8Array;
  readonly join: (link: Link) => void;
}

/** A packet of a train as its receiver gets it. */
export interface PeriodicPacket {
  readonly pdu: Uint8Array;
  readonly rssiDbm: number;
  readonly phy: Phy;
  /** Whether it is the first at its place. */
  readonly isFirst: boolean;
}

/** Who follows a train. */
export interface PeriodicReceiver {
  readonly radio: Radio;
  readonly accessAddress: number;
  /** Whether it is on this channel for a packet that begins then. */
  listensTo(place: PeriodicPlace): boolean;
  /** A packet at a place that it listened to; undefined where nothing was received, and nothing comes any more. Only AUX_CONNECT_REQ is answered. */
  onPacket(packet: PeriodicPacket | undefined, place: PeriodicPlace): PeriodicAnswer | undefined;
}
