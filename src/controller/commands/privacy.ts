import { Address } from "../../core/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToResolvingList,
  LeClearResolvingList,
  LeFeature,
  LeReadLocalResolvableAddress,
  LeReadPeerResolvableAddress,
  LeReadResolvingListSize,
  LeRemoveDeviceFromResolvingList,
  LeSetAddressResolutionEnable,
  LeSetPrivacyMode,
  LeSetResolvablePrivateAddressTimeout,
} from "../../hci/index.ts";
import type { LinkLayer } from "../link-layer.ts";
import { answers, type CommandHandler } from "./command-table.ts";
import { isFlag } from "./le.ts";

const OK = { status: HciErrorCode.Success };
const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };
const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const UNKNOWN = { status: HciErrorCode.UnknownConnectionIdentifier };
const FEATURE = LeFeature.LlPrivacy;
/** Place of Peer_Identity_Address_Type in these packets: 0 public, 1 static random. */
const TYPE = 4;
const NONE = new Address(new Uint8Array(6), 1);

/** The list must not change under a role that resolves by it. */
function isInUse(linkLayer: LinkLayer): boolean {
  return linkLayer.resolving.isEnabled && linkLayer.isAdvertisingScanningOrInitiating;
}

/** The resolving list: Vol 4 Part E 7.8.38 to 7.8.45, 7.8.77. */
export const privacyCommands: readonly CommandHandler[] = [
  answers(
    LeAddDeviceToResolvingList,
    ({ linkLayer }, { peerIdentityAddress: { type, bytes }, peerIrk, localIrk }, packet) => {
      if (packet[TYPE]! > 1) return INVALID;
      return isInUse(linkLayer) ? DISALLOWED : { status: linkLayer.resolving.add(type, bytes, peerIrk, localIrk) };
    },
    FEATURE,
  ),
  answers(
    LeRemoveDeviceFromResolvingList,
    ({ linkLayer }, { peerIdentityAddress: { type, bytes } }, packet) => {
      if (packet[TYPE]! > 1) return INVALID;
      return isInUse(linkLayer) ? DISALLOWED : { status: linkLayer.resolving.remove(type, bytes) };
    },
    FEATURE,
  ),
  answers(
    LeClearResolvingList,
    ({ linkLayer }) => {
      if (isInUse(linkLayer)) return DISALLOWED;
      linkLayer.resolving.clear();
      return OK;
    },
    FEATURE,
  ),
  answers(LeReadResolvingListSize, ({ linkLayer }) => ({ ...OK, resolvingListSize: linkLayer.resolving.size }), FEATURE),
  answers(
    LeReadPeerResolvableAddress,
    ({ linkLayer }, { peerIdentityAddress: { type, bytes } }, packet) => {
      if (packet[TYPE]! > 1) return INVALID;
      const address = linkLayer.resolving.peerRpa(type, bytes);
      return address === undefined ? UNKNOWN : { ...OK, peerResolvableAddress: address ? new Address(address, 1) : NONE };
    },
    FEATURE,
  ),
  answers(
    LeReadLocalResolvableAddress,
    ({ linkLayer }, { peerIdentityAddress: { type, bytes } }, packet) => {
      if (packet[TYPE]! > 1) return INVALID;
      const address = linkLayer.resolving.localRpa(type, bytes);
      return address === undefined ? UNKNOWN : { ...OK, localResolvableAddress: address ? new Address(address, 1) : NONE };
    },
    FEATURE,
  ),
  answers(
    LeSetAddressResolutionEnable,
    ({ linkLayer }, { addressResolutionEnable }, packet) => {
      if (!isFlag(packet[4])) return INVALID;
      if (linkLayer.isAdvertisingScanningOrInitiating) return DISALLOWED;
      linkLayer.resolving.isEnabled = addressResolutionEnable;
      return OK;
    },
    FEATURE,
  ),
  answers(
    LeSetResolvablePrivateAddressTimeout,
    ({ linkLayer }, { rpaTimeout }) => {
      if (rpaTimeout < 1 || rpaTimeout > 3600) return INVALID;
      linkLayer.resolving.setTimeout(rpaTimeout);
      return OK;
    },
    FEATURE,
  ),
  answers(
    LeSetPrivacyMode,
    ({ linkLayer }, { peerIdentityAddress: { type, bytes }, privacyMode }, packet) => {
      if (packet[TYPE]! > 1 || privacyMode > 1) return INVALID;
      return isInUse(linkLayer) ? DISALLOWED : { status: linkLayer.resolving.setDevicePrivacy(type, bytes, privacyMode === 1) };
    },
    FEATURE,
  ),
];
