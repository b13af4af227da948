import type { ExtendedAdvertiser, ExtendedEvent, ExtendedPdu } from "./advertising-roles.ts";
import { auxiliaryOffsetUs, withAuxiliaryPointer } from "./auxiliary-pointer.ts";
import { channelIdentifier, selectChannel } from "./channel-selection.ts";
import { airTimeUs, type Phy } from "./phy.ts";

/** From the end of ADV_EXT_IND to the next channel's at least; nobody answers it. */
const GAP_US = 150;
/** AuxPtr counts in it: packets begin on it, so that offsets are exact. */
const STEP_US = 30;
/** How far a packet on a secondary channel is put off where the radio is taken by links: so many times. */
const PUT_OFF_US = 1260;
const PUT_OFF_TIMES = 16;
/** Packets of an event that may have channels of their own. */
const CHANNELS_OF_EVENT = 16;
/** The first of them behind an answer. */
const RESPONSE_STEP = 8;

/** A packet of an event with its place and time. */
export interface Planned {
  readonly pdu: Uint8Array;
  /** Index among the 40 channels: 0 to 2 for 37 to 39, 3 to 39 for the secondary channels 0 to 36. */
  readonly channel: number;
  readonly phy: Phy;
  readonly startUs: number;
  readonly endUs: number;
  /** False where a link has the radio then: it is not sent. */
  readonly isSent: boolean;
}

/** Where and when the packets of extended advertising events are sent, and what their AuxPtrs say of each other. */
export class EventLayout {
  readonly #advertiser: ExtendedAdvertiser;
  readonly #identifier: number;

  /** @param key of the advertiser: what its channels are drawn from */
  constructor(advertiser: ExtendedAdvertiser, key: number) {
    this.#advertiser = advertiser;
    this.#identifier = channelIdentifier(key);
  }

  /** An ADV_EXT_IND on each primary channel, then the train on secondary channels. @param number of the event */
  event({ primary, auxiliary }: ExtendedEvent, number: number, fromUs: number): { primaries: Planned[]; train: Planned[] } {
    const { radio, channelMap, primaryPhy: phy, isClockAccurate } = this.#advertiser;
    const { pdu, auxPtrAt } = primary;
    const lengthUs = airTimeUs(phy, pdu.length - 2);
    const periodUs = Math.ceil((lengthUs + GAP_US) / STEP_US) * STEP_US;
    const used = [0, 1, 2].filter((channel) => (channelMap >> channel) & 1);
    const lastUs = fromUs + (used.length - 1) * periodUs;
    const train = this.#chain(auxiliary, lastUs + auxiliaryOffsetUs(lengthUs), number * CHANNELS_OF_EVENT);
    const aux = train[0];
    const primaries = used.map((channel, i) => {
      const startUs = fromUs + i * periodUs;
      const endUs = startUs + lengthUs;
      const isSent = radio.lockedUntilUs <= startUs && !radio.isBusy(startUs, endUs);
      const pointer = aux && { channel: aux.channel - 3, isClockAccurate, offsetUs: aux.startUs - startUs, phy: aux.phy };
      return { pdu: pointer ? withAuxiliaryPointer(pdu, auxPtrAt, pointer) : pdu, channel, phy, startUs, endUs, isSent };
    });
    return { primaries, train };
  }

  /** What answers a request: at `startUs` on the channel of the request, and what is chained to it. */
  response(pdus: readonly ExtendedPdu[], number: number, startUs: number, channel: number): Planned[] {
    const train = this.#chain(pdus, startUs, number * CHANNELS_OF_EVENT + RESPONSE_STEP, true);
    return train.map((planned, i) => (i === 0 ? { ...planned, channel } : planned));
  }

  /** Packets that point to each other, the first at `earliestUs` or, unless it is fixed and where links have the radio, a little later. */
  #chain(pdus: readonly ExtendedPdu[], earliestUs: number, step: number, isFixed = false): Planned[] {
    const { radio, secondaryPhy: phy, isClockAccurate, secondaryChannels } = this.#advertiser;
    const times: { startUs: number; endUs: number; isSent: boolean }[] = [];
    let startUs = earliestUs;
    for (const [i, { pdu }] of pdus.entries()) {
      const lengthUs = airTimeUs(phy, pdu.length - 2);
      const most = isFixed && i === 0 ? 0 : PUT_OFF_TIMES;
      for (let puts = 0; puts < most && radio.isBusy(startUs, startUs + lengthUs); puts++) startUs += PUT_OFF_US;
      times.push({ startUs, endUs: startUs + lengthUs, isSent: !radio.isBusy(startUs, startUs + lengthUs) });
      startUs += auxiliaryOffsetUs(lengthUs);
    }
    const channels = pdus.map((_, i) => selectChannel(this.#identifier, (step + i) & 0xffff, secondaryChannels));
    return pdus.map(({ pdu: made, auxPtrAt, syncInfoAt = -1 }, i) => {
      const next = times[i + 1];
      const pdu = syncInfoAt < 0 ? made : this.#withSyncInfo(made, syncInfoAt, times[i]!.startUs);
      const pointer = next && { channel: channels[i + 1]!, isClockAccurate, offsetUs: next.startUs - times[i]!.startUs, phy };
      return { pdu: pointer ? withAuxiliaryPointer(pdu, auxPtrAt, pointer) : pdu, channel: 3 + channels[i]!, phy, ...times[i]! };
    });
  }

  #withSyncInfo(pdu: Uint8Array, at: number, startUs: number): Uint8Array {
    const copy = pdu.slice();
    const syncInfo = this.#advertiser.syncInfo?.(startUs);
    if (syncInfo) copy.set(syncInfo, at);
    return copy;
  }
}
