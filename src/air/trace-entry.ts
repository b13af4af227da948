import type { Phy } from "./phy.ts";

/** A packet on air. */
export interface AirTraceEntry {
  readonly kind: "air";
  /** Start of the packet, microseconds since the air was made. */
  readonly timeUs: number;
  readonly from: string;
  /** Names of the radios that received it, in order of their making. */
  readonly receivedBy: readonly string[];
  /** Why somebody who listened did not receive it. */
  readonly trouble: "lost" | "collision" | "unheard" | "fault" | undefined;
  /** 0 to 36 data, 37 to 39 advertising. */
  readonly channel: number;
  readonly phy: Phy;
  readonly accessAddress: number;
  /** Header (2 octets), payload and, where the link is encrypted, MIC: as on air. */
  readonly pdu: Uint8Array;
}

/** A packet between a host and its controller. */
export interface HciTraceEntry {
  readonly kind: "hci";
  readonly timeUs: number;
  readonly controller: string;
  readonly direction: "to-controller" | "to-host";
  /** The whole H4 packet, as the receiver got it. */
  readonly packet: Uint8Array;
  readonly fault: "dropped" | "corrupted" | "delayed" | undefined;
}

export type TraceEntry = AirTraceEntry | HciTraceEntry;
