import type { AirAddress, ConnectData } from "./advertising-pdus.ts";
import { AdvPduType, decodeConnectData, isAddress, pduType, rxAddressType, txAddressType } from "./advertising-pdus.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import type { Peer } from "./resolving-list.ts";

/** Who may ask an advertiser for something. */
export interface Audience {
  readonly own: AirAddress;
  /** Identity address of the one peer that directed advertising is for. */
  readonly target: AirAddress | undefined;
  /** Advertising_Filter_Policy: bit 0 scan requests, bit 1 connection requests from the Filter Accept List alone. */
  readonly filterPolicy: number;
}

/** Whether a request of this peer is let in by the Filter Accept List or the target (Vol 6 Part B 4.3.2). */
function isLetIn(context: LinkLayerContext, peer: Peer, { target, filterPolicy }: Audience, bit: number): boolean {
  if (target) return isAddress(peer.bytes, 0, (peer.type & 1) as 0 | 1, target);
  return !(filterPolicy & bit) || context.filterAcceptList.has(peer.type & 1, peer.bytes);
}

/** Who sent a SCAN_REQ or AUX_SCAN_REQ, if it is to be answered. */
export function acceptedScanRequest(context: LinkLayerContext, pdu: Uint8Array, audience: Audience): Peer | undefined {
  if (pduType(pdu) !== AdvPduType.ScanReq || pdu.length !== 14) return undefined;
  if (!isAddress(pdu, 8, rxAddressType(pdu), audience.own)) return undefined;
  const peer = context.resolving.identify(txAddressType(pdu), pdu, 2);
  return peer && isLetIn(context, peer, audience, 1) ? peer : undefined;
}

/** Who sent a CONNECT_IND or AUX_CONNECT_REQ and what is in it, if it is taken. */
export function acceptedConnectRequest(
  context: LinkLayerContext,
  pdu: Uint8Array,
  audience: Audience,
): { peer: Peer; data: ConnectData } | undefined {
  if (pduType(pdu) !== AdvPduType.ConnectInd || context.isFull) return undefined;
  const data = decodeConnectData(pdu);
  if (!data || !isAddress(pdu, 8, rxAddressType(pdu), audience.own)) return undefined;
  const peer = context.resolving.identify(txAddressType(pdu), pdu, 2);
  if (!peer || !isLetIn(context, peer, audience, 2)) return undefined;
  // Two addresses have one link at most: a peer that was reset has to wait until its old one has timed out.
  return context.isConnectedTo(peer.type & 1, peer.bytes) ? undefined : { peer, data };
}
