/// <reference lib="esnext.disposable" preserve="true" />
export { PDU_OFFSET, type PduChannel } from "./channel.ts";
export { type ConnectionParameters, checkConnectionParameters, connectionParametersProblem } from "./connection-parameters.ts";
export { CommandRejectedError, CommandRejectReason } from "./error.ts";
export { FixedChannel, FixedChannelId } from "./fixed-channel.ts";
export { L2cap, L2capLink, type L2capLinkOptions } from "./l2cap.ts";
export { Signalling } from "./signalling.ts";
