import { ADVERTISING_ACCESS_ADDRESS, type AirTraceEntry, phyName, type TraceEntry } from "../air/index.ts";
import { CaptureDecoder, type DecodedPacket } from "../capture/index.ts";

/** A packet of the trace with its name. */
export interface TracedPacket {
  /** Milliseconds since the air was made; for packets on air their beginning. */
  readonly timeMs: number;
  readonly layer: "air" | DecodedPacket["layer"];
  /** Name in the specification's words: of the command, event or PDU. Encrypted packets on air are "Data". */
  readonly name: string;
  /** Name of the controller whose host sent or got it, or that sent it on air. */
  readonly at: string;
  /** On air: who received it, and what happened to it on the way otherwise. */
  readonly receivedBy?: readonly string[];
  readonly trouble?: string;
  /** The octets: of the whole HCI packet, or of the PDU on air. */
  readonly bytes: Uint8Array;
  /** Decoded values; keys are left out. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const ADVERTISING_NAMES: Readonly<Record<number, string>> = {
  0: "AdvInd",
  1: "AdvDirectInd",
  2: "AdvNonconnInd",
  3: "ScanReq",
  4: "ScanRsp",
  5: "ConnectInd",
  6: "AdvScanInd",
  7: "AdvExtInd",
};

/** On secondary advertising channels, where what comes before tells most PDUs apart (Vol 6 Part B 2.3.4). */
class AuxiliaryNames {
  /** What the next PDU with an extended header of a device is. */
  readonly #next = new Map<string, string>();

  of({ from, channel, pdu }: AirTraceEntry): string {
    const type = pdu[0]! & 0x0f;
    if (channel >= 37) {
      if (type === 7) this.#next.set(from, "AuxAdvInd");
      return ADVERTISING_NAMES[type] ?? "Advertising";
    }
    if (type === 3) {
      for (const [name, next] of this.#next) if (next === "AuxChainInd") this.#next.set(name, "AuxScanRsp");
      return "AuxScanReq";
    }
    if (type === 5) return "AuxConnectReq";
    if (type === 8) return "AuxConnectRsp";
    const name = this.#next.get(from) ?? "AuxAdvInd";
    this.#next.set(from, "AuxChainInd");
    return name;
  }
}

/** Every packet once, in order. */
export function tracedPackets(entries: readonly TraceEntry[]): TracedPacket[] {
  const decoders = new Map<string, CaptureDecoder>();
  const packets: TracedPacket[] = [];
  const auxiliaryNames = new AuxiliaryNames();
  for (const entry of entries) {
    const timeMs = entry.timeUs / 1000;
    if (entry.kind === "air") {
      const { from: at, receivedBy, trouble, channel, phy, accessAddress, pdu: bytes } = entry;
      const name = accessAddress === ADVERTISING_ACCESS_ADDRESS ? auxiliaryNames.of(entry) : "Data";
      const fields = { channel, phy: phyName(phy), accessAddress };
      packets.push({ timeMs, layer: "air", name, at, receivedBy, ...(trouble && { trouble }), bytes, fields });
      continue;
    }
    let decoder = decoders.get(entry.controller);
    if (!decoder) {
      decoder = new CaptureDecoder();
      decoders.set(entry.controller, decoder);
    }
    if (entry.fault === "dropped") continue;
    const toController = entry.direction === "to-controller";
    const { layer, name, fields } = decoder.decode({
      direction: toController ? "host-to-controller" : "controller-to-host",
      packet: entry.packet,
      timeMs,
      originalLength: entry.packet.length,
      drops: 0,
    });
    // Data is seen twice, where it is sent and where it arrives: the sender's counts.
    const isEvent = layer === "hci" && !toController;
    if (isEvent || toController) packets.push({ timeMs, layer, name, at: entry.controller, bytes: entry.packet, fields });
  }
  return packets;
}
