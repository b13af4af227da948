import { Address } from "../core/address.ts";
import {
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanResponseData,
} from "../hci/commands/le-advertising.ts";
import {
  LeRemoveAdvertisingSet,
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanResponseData,
} from "../hci/commands/le-extended-advertising.ts";
import type { AdvertisedData, AdvertisingSession } from "./advertising-session.ts";
import type { CommandPort, ParametersOf } from "./radio.ts";

/** How a controller is told to advertise: by the legacy commands, or by the extended ones for one set. */
export interface AdvertisingCommands {
  /** Parameters, and the own address where the set has one of its own. */
  configure(session: AdvertisingSession, ownAddress: Address): Promise<void>;
  /** Another own address of the set. A set that takes connections is given none while it is on (7.8.52). */
  setAddress?(ownAddress: Address): Promise<void>;
  sendData(session: AdvertisingSession, content: AdvertisedData): Promise<void>;
  sendScanResponse(session: AdvertisingSession, content: AdvertisedData): Promise<void>;
  /** Whether these data can be given while it is on the air. */
  takesOnAir(content: AdvertisedData): boolean;
  /** @param remainingMs until its duration is over; `undefined`: it has none */
  enable(session: AdvertisingSession, remainingMs: number | undefined): Promise<void>;
  disable(): Promise<void>;
  /** Gives the set back, which is off. */
  remove(): Promise<void>;
}

const AdvertisingType = { Connectable: 0, DirectHighDuty: 1, Scannable: 2, NonConnectable: 3, DirectLowDuty: 4 } as const;
const NO_PEER = new Address(new Uint8Array(6), 0);

/** Vol 4 Part E 7.8.5 to 7.8.9. */
export class LegacyAdvertisingCommands implements AdvertisingCommands {
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async configure(session: AdvertisingSession): Promise<void> {
    await this.#port.send(LeSetAdvertisingParameters, legacyParameters(session));
  }

  async sendData({ hasData }: AdvertisingSession, { data }: AdvertisedData): Promise<void> {
    if (hasData) await this.#port.send(LeSetAdvertisingData, { advertisingData: data.bytes });
  }

  async sendScanResponse({ hasData }: AdvertisingSession, { scanResponse }: AdvertisedData): Promise<void> {
    if (hasData) await this.#port.send(LeSetScanResponseData, { scanResponseData: scanResponse.bytes });
  }

  takesOnAir(): boolean {
    return true;
  }

  async enable(): Promise<void> {
    await this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: true });
  }

  async disable(): Promise<void> {
    await this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: false });
  }

  async remove(): Promise<void> {}
}

/** A resolvable private address that the controller makes (3), where it makes it. */
function ownAddressType({ ownAddress, addressPeer }: AdvertisingSession): number {
  if (ownAddress === "public") return 0;
  return addressPeer ? 3 : 1;
}

function legacyParameters(session: AdvertisingSession): ParametersOf<typeof LeSetAdvertisingParameters> {
  const { directedTo, isHighDuty, isConnectable, isScannable, addressPeer } = session;
  let advertisingType: number = AdvertisingType.NonConnectable;
  if (directedTo) advertisingType = isHighDuty ? AdvertisingType.DirectHighDuty : AdvertisingType.DirectLowDuty;
  else if (isConnectable) advertisingType = AdvertisingType.Connectable;
  else if (isScannable) advertisingType = AdvertisingType.Scannable;
  return {
    advertisingIntervalMin: session.interval[0],
    advertisingIntervalMax: session.interval[1],
    advertisingType,
    ownAddressType: ownAddressType(session),
    peerAddress: directedTo ?? addressPeer ?? NO_PEER,
    advertisingChannelMap: session.channelMap,
    advertisingFilterPolicy: session.filterPolicy,
  };
}

const PHYS = { "1M": 1, "2M": 2, coded: 3 } as const;
/** Primary_Advertising_PHY_Options: that coding and no other. */
const CODINGS = { "S=2": 3, "S=8": 4 } as const;
/** Bits of Advertising_Event_Properties, Vol 4 Part E 7.8.53. */
const EventProperty = {
  Connectable: 1,
  Scannable: 2,
  Directed: 4,
  HighDuty: 8,
  LegacyPdus: 0x10,
  Anonymous: 0x20,
  IncludeTxPower: 0x40,
} as const;
const NO_PREFERENCE_DBM = 127;
/** Octets of data in one command. */
const FRAGMENT_OCTETS = 251;
/** Operation of the data commands. */
const Fragment = { Intermediate: 0, First: 1, Last: 2, Complete: 3 } as const;
/** Fragment_Preference: the controller may divide the data over PDUs as it likes. */
const MAY_FRAGMENT = 0;
/** Longest duration of a controller, in units of 10 ms. */
const LONGEST_DURATION = 0xffff;

/** One advertising set, Vol 4 Part E 7.8.52 to 7.8.59. */
export class ExtendedAdvertisingCommands implements AdvertisingCommands {
  readonly #port: CommandPort;
  readonly #handle: number;

  constructor(port: CommandPort, handle: number) {
    this.#port = port;
    this.#handle = handle;
  }

  async configure(session: AdvertisingSession, ownAddress: Address): Promise<void> {
    const parameters = extendedParameters(session, this.#handle);
    const { coding } = session.options;
    const answer = coding
      ? await this.#port.send(LeSetExtendedAdvertisingParametersV2, {
          ...parameters,
          primaryAdvertisingPhyOptions: parameters.primaryAdvertisingPhy === PHYS.coded ? CODINGS[coding] : 0,
          secondaryAdvertisingPhyOptions: parameters.secondaryAdvertisingPhy === PHYS.coded ? CODINGS[coding] : 0,
        })
      : await this.#port.send(LeSetExtendedAdvertisingParameters, parameters);
    const { selectedTxPower } = answer;
    session.txPowerDbm = selectedTxPower === NO_PREFERENCE_DBM ? undefined : selectedTxPower;
    if (session.ownAddress !== "public") await this.setAddress(ownAddress);
  }

  async setAddress(randomAddress: Address): Promise<void> {
    await this.#port.send(LeSetAdvertisingSetRandomAddress, { advertisingHandle: this.#handle, randomAddress });
  }

  async sendData({ hasData }: AdvertisingSession, { data }: AdvertisedData): Promise<void> {
    if (!hasData) return;
    for (const { operation, octets } of fragments(data.bytes))
      await this.#port.send(LeSetExtendedAdvertisingData, {
        advertisingHandle: this.#handle,
        operation,
        fragmentPreference: MAY_FRAGMENT,
        advertisingData: octets,
      });
  }

  /** A set that does not answer scan requests takes none (7.8.55). */
  async sendScanResponse({ isScannable }: AdvertisingSession, { scanResponse }: AdvertisedData): Promise<void> {
    if (!isScannable) return;
    for (const { operation, octets } of fragments(scanResponse.bytes))
      await this.#port.send(LeSetExtendedScanResponseData, {
        advertisingHandle: this.#handle,
        operation,
        fragmentPreference: MAY_FRAGMENT,
        scanResponseData: octets,
      });
  }

  /** On the air only complete data are taken (7.8.54). */
  takesOnAir({ data, scanResponse }: AdvertisedData): boolean {
    return Math.max(data.bytes.length, scanResponse.bytes.length) <= FRAGMENT_OCTETS;
  }

  async enable({ options }: AdvertisingSession, remainingMs: number | undefined): Promise<void> {
    const duration = remainingMs === undefined ? 0 : Math.max(1, Math.round(remainingMs / 10));
    await this.#port.send(LeSetExtendedAdvertisingEnable, {
      enable: true,
      sets: [
        {
          advertisingHandle: this.#handle,
          duration: duration > LONGEST_DURATION ? 0 : duration, // then the host's timer ends it alone
          maxExtendedAdvertisingEvents: options.maxEvents ?? 0,
        },
      ],
    });
  }

  async disable(): Promise<void> {
    await this.#port.send(LeSetExtendedAdvertisingEnable, {
      enable: false,
      sets: [{ advertisingHandle: this.#handle, duration: 0, maxExtendedAdvertisingEvents: 0 }],
    });
  }

  async remove(): Promise<void> {
    await this.#port.send(LeRemoveAdvertisingSet, { advertisingHandle: this.#handle });
  }
}

function extendedParameters(
  session: AdvertisingSession,
  advertisingHandle: number,
): ParametersOf<typeof LeSetExtendedAdvertisingParameters> {
  const { options, directedTo, isLegacy } = session;
  const peer = directedTo ?? session.addressPeer ?? NO_PEER;
  const { primaryPhy = "1M", secondaryPhy = primaryPhy } = options;
  let properties = 0;
  if (session.isConnectable) properties |= EventProperty.Connectable;
  if (session.isScannable) properties |= EventProperty.Scannable;
  if (directedTo) properties |= EventProperty.Directed;
  if (session.isHighDuty) properties |= EventProperty.HighDuty;
  if (isLegacy) properties |= EventProperty.LegacyPdus;
  if (options.anonymous) properties |= EventProperty.Anonymous;
  if (options.includeTxPower) properties |= EventProperty.IncludeTxPower;
  return {
    advertisingHandle,
    advertisingEventProperties: properties,
    primaryAdvertisingIntervalMin: session.interval[0],
    primaryAdvertisingIntervalMax: session.interval[1],
    primaryAdvertisingChannelMap: session.channelMap,
    ownAddressType: ownAddressType(session),
    peerAddressType: peer.type,
    peerAddress: peer.bytes,
    advertisingFilterPolicy: session.filterPolicy,
    advertisingTxPower: options.txPowerDbm ?? NO_PREFERENCE_DBM,
    primaryAdvertisingPhy: isLegacy ? PHYS["1M"] : PHYS[primaryPhy],
    secondaryAdvertisingMaxSkip: 0,
    secondaryAdvertisingPhy: isLegacy ? PHYS["1M"] : PHYS[secondaryPhy],
    advertisingSid: session.sid ?? 0,
    scanRequestNotificationEnable: options.scanRequestNotifications ?? false,
  };
}

/** Data in pieces that a command holds, with the operation of each. @param most octets of a command */
export function fragments(data: Uint8Array, most = FRAGMENT_OCTETS): { operation: number; octets: Uint8Array }[] {
  if (data.length <= most) return [{ operation: Fragment.Complete, octets: data }];
  const pieces: { operation: number; octets: Uint8Array }[] = [];
  for (let at = 0; at < data.length; at += most) {
    const end = at + most;
    const operation = at === 0 ? Fragment.First : end < data.length ? Fragment.Intermediate : Fragment.Last;
    pieces.push({ operation, octets: data.subarray(at, end) });
  }
  return pieces;
}
