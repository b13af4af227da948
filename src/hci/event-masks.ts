import { SetEventMask, SetEventMaskPage2 } from "./commands/controller-baseband.ts";
import { LeSetEventMask } from "./commands/le-controller.ts";
import { type CommandDeclaration, EventCode, type EventDeclaration } from "./declare.ts";
import { EncryptionKeyRefreshComplete, ReadRemoteVersionInformationComplete } from "./events/generic.ts";
import { LeSubrateChange } from "./events/le-links.ts";
import {
  LeAdvertisingReport,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeDataLengthChange,
  LeDirectedAdvertisingReport,
  LeEnhancedConnectionComplete,
  LeGenerateDhKeyComplete,
  LeLongTermKeyRequest,
  LePhyUpdateComplete,
  LeReadLocalP256PublicKeyComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "./events/le-meta.ts";
import { LeFeature } from "./features.ts";

/** Bit of an event in Event_Mask, Vol 4 Part E 7.3.1, or of a subevent in LE_Event_Mask, 7.8.1: in the order of their codes, from 1 on. */
const maskBit = (code: number): bigint => 1n << BigInt(code - 1);
/** Events from here on have their bit in Event_Mask_Page_2, Vol 4 Part E 7.3.69. */
const FIRST_OF_PAGE_2 = 0x40;

const EVENT_MASK =
  maskBit(EventCode.DisconnectionComplete) |
  maskBit(EventCode.EncryptionChange) |
  maskBit(ReadRemoteVersionInformationComplete.eventCode) |
  maskBit(EventCode.HardwareError) |
  maskBit(EventCode.DataBufferOverflow) |
  maskBit(EncryptionKeyRefreshComplete.eventCode) |
  maskBit(EventCode.LeMeta);

type LeEvent = { readonly subeventCode: number | undefined };
/** LE events and the feature without which the controller has no such event; old controllers refuse masks with bits they do not know. */
const LE_EVENTS: readonly [event: LeEvent, feature?: number][] = [
  [LeConnectionComplete],
  [LeAdvertisingReport],
  [LeConnectionUpdateComplete],
  [LeReadRemoteFeaturesComplete],
  [LeLongTermKeyRequest],
  [LeRemoteConnectionParameterRequest, LeFeature.ConnectionParametersRequestProcedure],
  [LeDataLengthChange, LeFeature.LeDataPacketLengthExtension],
  [LeEnhancedConnectionComplete, LeFeature.LlPrivacy],
  [LeEnhancedConnectionComplete, LeFeature.LeExtendedAdvertising],
  [LeDirectedAdvertisingReport, LeFeature.ExtendedScanningFilterPolicies],
  [LePhyUpdateComplete, LeFeature.Le2mPhy],
  [LePhyUpdateComplete, LeFeature.LeCodedPhy],
  [LeChannelSelectionAlgorithm, LeFeature.ChannelSelectionAlgorithm2],
  [LeSubrateChange, LeFeature.ConnectionSubrating],
];
/** LE events whose command is optional by itself. */
const LE_EVENTS_OF_COMMANDS: readonly [event: LeEvent, octet: number, bit: number][] = [
  [LeReadLocalP256PublicKeyComplete, 34, 1],
  [LeGenerateDhKeyComplete, 34, 2],
];
/** LE events of version 4.0, which every controller knows and tells unless it is told otherwise (Vol 4 Part E 7.8.1). */
const DEFAULT_LE_EVENT_MASK = 0x1fn;

type SendMask = <P>(declaration: CommandDeclaration<P, unknown>, parameters: P) => Promise<unknown>;

/** Values of the three event masks. */
interface Masks {
  readonly event: bigint;
  readonly page2: bigint;
  readonly le: bigint;
}

/**
 * Which events the controller is to tell: those that the host always handles, as far as the controller has them, and those that somebody
 * asked for. Nobody's events stay off, so that they wake no one and controllers do not refuse bits that they do not know.
 */
export class EventMasks implements Masks {
  #le = 0n;
  #enabling: Promise<void> = Promise.resolve();
  #asked: Masks = { event: 0n, page2: 0n, le: 0n };

  get event(): bigint {
    return EVENT_MASK | this.#asked.event;
  }
  get page2(): bigint {
    return this.#asked.page2;
  }
  get le(): bigint {
    return this.#le | this.#asked.le;
  }

  /** Takes in what the controller has: LE events that it may be asked for. */
  offerLe(leFeatures: bigint, supportedCommands: Uint8Array): void {
    this.#le = 0n;
    for (const [{ subeventCode }, feature] of LE_EVENTS)
      if (feature === undefined || (leFeatures >> BigInt(feature)) & 1n) this.#le |= maskBit(subeventCode!);
    for (const [{ subeventCode }, octet, bit] of LE_EVENTS_OF_COMMANDS)
      if ((supportedCommands[octet]! >> bit) & 1) this.#le |= maskBit(subeventCode!);
  }

  /** The controller refused the mask: what is left are the events of version 4.0. What was asked for is forgotten. */
  reduceLe(): void {
    this.#le &= DEFAULT_LE_EVENT_MASK;
    this.#asked = { ...this.#asked, le: 0n };
  }

  /**
   * Has the controller tell `events` too, by `send`. One call after the other: each mask holds those before.
   *
   * @throws what `send` throws; that mask stays as it was
   */
  enable(events: readonly EventDeclaration[], send: SendMask): Promise<void> {
    const enabled = this.#enabling.then(() => this.#enable(events, send));
    this.#enabling = enabled.catch(() => {});
    return enabled;
  }

  async #enable(events: readonly EventDeclaration[], send: SendMask): Promise<void> {
    const { event, page2, le } = this.#with(events);
    if (page2 !== undefined) {
      await send(SetEventMaskPage2, { eventMaskPage2: page2 });
      this.#taken("page2", page2);
    }
    if (event !== undefined) {
      await send(SetEventMask, { eventMask: event });
      this.#taken("event", event);
    }
    if (le !== undefined) {
      await send(LeSetEventMask, { leEventMask: le });
      this.#taken("le", le);
    }
  }

  /** The masks with `events` in them; `undefined` for each that stays as it is. */
  #with(events: readonly EventDeclaration[]): { [K in keyof Masks]: bigint | undefined } {
    const wanted = { event: this.event, page2: this.page2, le: this.le };
    for (const event of events) {
      const [mask, bit] = placeOf(event);
      wanted[mask] |= bit;
    }
    return {
      event: wanted.event === this.event ? undefined : wanted.event,
      page2: wanted.page2 === this.page2 ? undefined : wanted.page2,
      le: wanted.le === this.le ? undefined : wanted.le,
    };
  }

  /** The controller has taken a mask; it is to have it again after a reset. */
  #taken(mask: keyof Masks, value: bigint): void {
    this.#asked = { ...this.#asked, [mask]: value };
  }
}

function placeOf({ eventCode, subeventCode }: EventDeclaration): [mask: keyof Masks, bit: bigint] {
  if (subeventCode !== undefined) return ["le", maskBit(subeventCode)];
  if (eventCode >= FIRST_OF_PAGE_2) return ["page2", 1n << BigInt(eventCode - FIRST_OF_PAGE_2)];
  return ["event", maskBit(eventCode)];
}
