import { randomBytes } from "../../core/index.ts";
import { AesKey, reversed } from "../../crypto/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToFilterAcceptList,
  LeClearFilterAcceptList,
  LeEncrypt,
  LeFeature,
  LeRand,
  LeReadAdvertisingPhysicalChannelTxPower,
  LeReadBufferSize,
  LeReadFilterAcceptListSize,
  LeReadLocalSupportedFeatures,
  LeReadMaximumDataLength,
  LeReadSuggestedDefaultDataLength,
  LeReadSupportedStates,
  LeReadTransmitPower,
  LeRemoveDeviceFromFilterAcceptList,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetDefaultPhy,
  LeSetEventMask,
  LeSetHostChannelClassification,
  LeSetHostFeature,
  LeSetRandomAddress,
  LeSetScanEnable,
  LeSetScanParameters,
  LeSetScanResponseData,
  LeWriteSuggestedDefaultDataLength,
} from "../../hci/index.ts";
import type { LinkLayer } from "../link-layer.ts";
import { HOST_FEATURES, hasFeature, LE_STATES, leastPowerDbm } from "../options.ts";
import { ANONYMOUS_TYPE } from "../roles/filter-accept-list.ts";
import { answers, type CommandHandler } from "./command-table.ts";

const OK = { status: HciErrorCode.Success };
const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };
/** Peer_Address_Type in the packet of LE Set Advertising Parameters. */
const PEER_ADDRESS_TYPE = 10;

/** LE commands without a connection: Vol 4 Part E 7.8. */
export const leCommands: readonly CommandHandler[] = [
  answers(LeSetEventMask, ({ linkLayer }, { leEventMask }) => {
    linkLayer.host.setLeEventMask(leEventMask);
    return OK;
  }),
  answers(LeReadBufferSize, ({ linkLayer }) => ({
    ...OK,
    leAclDataPacketLength: linkLayer.leAclDataPacketLength,
    totalNumLeAclDataPackets: linkLayer.totalNumLeAclDataPackets,
  })),
  answers(LeReadLocalSupportedFeatures, ({ linkLayer }) => ({ ...OK, leFeatures: linkLayer.features | linkLayer.hostFeatures })),
  answers(LeReadSupportedStates, () => ({ ...OK, leStates: LE_STATES })),
  answers(LeSetRandomAddress, ({ linkLayer }, { randomAddress }) => {
    if (!isRandomAddress(randomAddress.bytes)) return INVALID;
    // It would change under a role that uses it (Vol 4 Part E 7.8.4).
    if (linkLayer.advertising.isEnabled || linkLayer.isScanning || linkLayer.initiating) return DISALLOWED;
    linkLayer.randomAddress = randomAddress.bytes;
    return OK;
  }),
  answers(LeRand, ({ linkLayer }) => ({ ...OK, randomNumber: randomBytes(linkLayer.random, 8) })),
  answers(LeEncrypt, (_, { key, plaintextData }) => ({
    ...OK,
    encryptedData: reversed(new AesKey(reversed(key)).encryptBlock(reversed(plaintextData))),
  })),
  answers(LeReadTransmitPower, ({ linkLayer }) => ({
    ...OK,
    minTxPower: leastPowerDbm(linkLayer.radio),
    maxTxPower: linkLayer.radio.txPowerDbm,
  })),
  answers(LeReadAdvertisingPhysicalChannelTxPower, ({ linkLayer }) => ({ ...OK, txPowerLevel: linkLayer.radio.txPowerDbm })),

  answers(LeSetAdvertisingParameters, ({ linkLayer }, parameters, packet) => {
    if (packet[PEER_ADDRESS_TYPE]! > 1) return INVALID;
    return { status: linkLayer.advertising.setParameters(parameters) };
  }),
  answers(LeSetAdvertisingData, ({ linkLayer }, { advertisingData }) => ({ status: linkLayer.advertising.setData(advertisingData) })),
  answers(LeSetScanResponseData, ({ linkLayer }, { scanResponseData }) => ({
    status: linkLayer.advertising.setScanResponse(scanResponseData),
  })),
  answers(LeSetAdvertisingEnable, ({ linkLayer: { advertising } }, { advertisingEnable }, packet) => {
    if (!isFlag(packet[4])) return INVALID;
    return { status: advertisingEnable ? advertising.enable() : advertising.disable() };
  }),

  answers(LeSetScanParameters, ({ linkLayer }, parameters) => ({ status: linkLayer.scanning.setParameters(parameters) })),
  answers(LeSetScanEnable, ({ linkLayer: { scanning } }, { leScanEnable, filterDuplicates }, packet) => {
    if (!isFlag(packet[4]) || !isFlag(packet[5])) return INVALID;
    return { status: leScanEnable ? scanning.enable(filterDuplicates) : scanning.disable() };
  }),

  answers(LeReadFilterAcceptListSize, ({ linkLayer }) => ({ ...OK, filterAcceptListSize: linkLayer.filterAcceptList.size })),
  answers(LeClearFilterAcceptList, ({ linkLayer }) => {
    if (isFilterAcceptListInUse(linkLayer)) return DISALLOWED;
    linkLayer.filterAcceptList.clear();
    return OK;
  }),
  answers(LeAddDeviceToFilterAcceptList, ({ linkLayer }, { addressType, address }) => {
    if (isFilterAcceptListInUse(linkLayer)) return DISALLOWED;
    if (!isListed(linkLayer, addressType)) return INVALID;
    return linkLayer.filterAcceptList.add(addressType, address) ? OK : { status: HciErrorCode.MemoryCapacityExceeded };
  }),
  answers(LeRemoveDeviceFromFilterAcceptList, ({ linkLayer }, { addressType, address }) => {
    if (isFilterAcceptListInUse(linkLayer)) return DISALLOWED;
    if (!isListed(linkLayer, addressType)) return INVALID;
    linkLayer.filterAcceptList.remove(addressType, address);
    return OK;
  }),

  answers(LeSetHostChannelClassification, ({ linkLayer }, { channelMap }) => {
    const map = channelMap.slice();
    map[4]! &= 0x1f;
    let used = 0;
    for (let channel = 0; channel < 37; channel++) used += (map[channel >> 3]! >> (channel & 7)) & 1;
    if (used < 2) return INVALID;
    linkLayer.channelMap = map;
    linkLayer.advertisingSets.onChannelMap();
    for (const { classification } of linkLayer.connections.values()) classification.onHostChannels();
    return OK;
  }),

  answers(
    LeSetHostFeature,
    ({ linkLayer }, { bitNumber, bitValue }, packet) => {
      if (!isFlag(packet[5])) return INVALID;
      // Only bits of the host that this controller supports (Vol 4 Part E 7.8.115).
      const needed = HOST_FEATURES.get(bitNumber);
      if (needed === undefined || !hasFeature(linkLayer.features, needed))
        return { status: HciErrorCode.UnsupportedFeatureOrParameterValue };
      if (linkLayer.connections.size > 0) return DISALLOWED;
      const bit = 1n << BigInt(bitNumber);
      linkLayer.hostFeatures = bitValue ? linkLayer.hostFeatures | bit : linkLayer.hostFeatures & ~bit;
      return OK;
    },
    ...HOST_FEATURES.values(),
  ),
  answers(
    LeReadSuggestedDefaultDataLength,
    ({ linkLayer }) => ({ ...OK, suggestedMaxTxOctets: linkLayer.suggestedOctets, suggestedMaxTxTime: linkLayer.suggestedTimeUs }),
    LeFeature.LeDataPacketLengthExtension,
  ),
  answers(
    LeWriteSuggestedDefaultDataLength,
    ({ linkLayer }, { suggestedMaxTxOctets, suggestedMaxTxTime }) => {
      if (!isDataLength(suggestedMaxTxOctets, suggestedMaxTxTime)) return INVALID;
      linkLayer.suggestedOctets = suggestedMaxTxOctets;
      linkLayer.suggestedTimeUs = suggestedMaxTxTime;
      return OK;
    },
    LeFeature.LeDataPacketLengthExtension,
  ),
  answers(
    LeReadMaximumDataLength,
    ({ linkLayer: { maxOctets, maxTimeUs } }) => ({
      ...OK,
      supportedMaxTxOctets: maxOctets,
      supportedMaxTxTime: maxTimeUs,
      supportedMaxRxOctets: maxOctets,
      supportedMaxRxTime: maxTimeUs,
    }),
    LeFeature.LeDataPacketLengthExtension,
  ),
  answers(
    LeSetDefaultPhy,
    ({ linkLayer }, { allPhys, txPhys, rxPhys }) => {
      const wanted = phyPreference(linkLayer, allPhys, txPhys, rxPhys);
      if (typeof wanted === "number") return { status: wanted };
      linkLayer.defaultTxPhys = wanted.tx;
      linkLayer.defaultRxPhys = wanted.rx;
      return OK;
    },
    LeFeature.Le2mPhy,
  ),
];

/** Values other than 0 and 1 are reserved. */
export function isFlag(octet: number | undefined): boolean {
  return octet === 0 || octet === 1;
}

/** Static, resolvable or not: the top bits 0b10 are reserved, and the random part is neither all zeros nor all ones (Vol 6 Part B 1.3.2). */
export function isRandomAddress(bytes: Uint8Array): boolean {
  const top = bytes[5]! & 0xc0;
  const random = [...bytes.subarray(0, 5), bytes[5]! & 0x3f];
  return top !== 0x80 && !random.every((octet) => octet === 0) && !random.every((octet, i) => octet === (i < 5 ? 0xff : 0x3f));
}

/** Ranges of Vol 4 Part E 7.8.33 and 7.8.35. */
export function isDataLength(octets: number, timeUs: number): boolean {
  return octets >= 27 && octets <= 251 && timeUs >= 328 && timeUs <= 17040;
}

/** Masks of PHYs with "no preference" filled in, or an error. Vol 4 Part E 7.8.48. */
export function phyPreference(linkLayer: LinkLayer, allPhys: number, txPhys: number, rxPhys: number): { tx: number; rx: number } | number {
  const supported = linkLayer.supportedPhys;
  const tx = allPhys & 1 ? supported : txPhys;
  const rx = allPhys & 2 ? supported : rxPhys;
  if (tx === 0 || rx === 0) return HciErrorCode.InvalidHciCommandParameters;
  // Reserved bits are PHYs that are not supported, too.
  if (tx & ~supported || rx & ~supported) return HciErrorCode.UnsupportedFeatureOrParameterValue;
  return { tx, rx };
}

/** The list must not change under a role that filters by it (Vol 4 Part E 7.8.15). */
function isFilterAcceptListInUse(linkLayer: LinkLayer): boolean {
  const { advertising, advertisingSets, scanning, extendedScanning, initiating } = linkLayer;
  if (advertising.usesFilterAcceptList || advertisingSets.usesFilterAcceptList) return true;
  return scanning.usesFilterAcceptList || extendedScanning.usesFilterAcceptList || initiating?.usesFilterAcceptList === true;
}

/** Address_Type of the Filter Accept List: 0xFF, anonymous advertisers, exists with extended advertising only (Vol 4 Part E 7.8.16). */
function isListed({ features }: LinkLayer, addressType: number): boolean {
  return addressType <= 1 || (addressType === ANONYMOUS_TYPE && hasFeature(features, LeFeature.LeExtendedAdvertising));
}
