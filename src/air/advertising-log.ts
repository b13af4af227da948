import type { Medium } from "./medium.ts";
import type { Phy } from "./phy.ts";
import type { Radio } from "./radio.ts";
import type { AirTraceEntry } from "./trace-entry.ts";

/** Access address of every packet on an advertising channel that belongs to no periodic train, Vol 6 Part B 2.1.2. */
export const ADVERTISING_ACCESS_ADDRESS = 0x8e89bed6;

/** Why a packet was not received. */
export type Trouble = AirTraceEntry["trouble"];

/** A packet on an advertising channel. */
export interface SentPacket {
  readonly pdu: Uint8Array;
  /** Index among the 40 channels: 0 to 2 for 37 to 39, 3 to 39 for the secondary channels 0 to 36. */
  readonly channel: number;
  readonly phy: Phy;
  readonly startUs: number;
  readonly from: Radio;
}

/** What fault hooks and the trace make of packets on advertising channels. */
export class AdvertisingLog {
  readonly #medium: Medium;
  readonly #accessAddress: number;
  /** @param accessAddress of a periodic advertising train, which has its own */
  constructor(medium: Medium, accessAddress: number = ADVERTISING_ACCESS_ADDRESS) {
    this.#medium = medium;
    this.#accessAddress = accessAddress;
  }

  /** The PDU as fault hooks leave it; nothing when they lose it. */
  fate({ pdu, channel, phy, startUs: timeUs, from }: SentPacket, isListenedTo: boolean): Uint8Array | undefined {
    if (!this.#medium.hasHooks || (!isListenedTo && this.#medium.skipsIdle)) return pdu;
    const packet = { timeUs, from: from.name, to: undefined, channel: physicalChannel(channel), phy, pdu };
    const fault = this.#medium.fate({ ...packet, accessAddress: this.#accessAddress });
    if (fault === undefined) return pdu;
    return typeof fault === "object" && "deliver" in fault && fault.deliver.length >= 2 ? fault.deliver : undefined;
  }

  write(packet: SentPacket, heard: readonly { readonly radio: Radio }[], trouble: Trouble, isListenedTo: boolean): void {
    if (!this.#medium.trace.isOn || (!isListenedTo && heard.length === 0 && this.#medium.skipsIdle)) return;
    const names = heard.map(({ radio }) => radio.name);
    this.#add(packet, [...new Set(names)], trouble);
  }

  writeTo(packet: SentPacket, to: Radio, trouble: Trouble): void {
    if (this.#medium.trace.isOn) this.#add(packet, trouble ? [] : [to.name], trouble);
  }

  #add({ pdu, channel, phy, startUs: timeUs, from }: SentPacket, receivedBy: readonly string[], trouble: Trouble): void {
    this.#medium.trace.add({
      kind: "air",
      timeUs,
      from: from.name,
      receivedBy,
      trouble: trouble ?? (receivedBy.length === 0 ? "unheard" : undefined),
      channel: physicalChannel(channel),
      phy,
      accessAddress: this.#accessAddress,
      pdu,
    });
  }
}

function physicalChannel(index: number): number {
  return index < 3 ? 37 + index : index - 3;
}
