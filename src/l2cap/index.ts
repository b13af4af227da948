/// <reference lib="esnext.disposable" preserve="true" />

export { PDU_OFFSET, type PduChannel } from "./channel.ts";
export {
  ChannelClosedError,
  type ChannelEvents,
  type ChannelMode,
  type ChannelOptions,
  type ChannelRequest,
  type ChannelStreams,
  type ConnectChannelOptions,
  ConnectionResult,
  type ConnectSeveralOptions,
  CreditBasedChannel,
  L2capListener,
  L2capListeners,
  L2capRefusedError,
  LinkChannels,
  type LinkOwner,
  type ListenOptions,
  type Reconfiguration,
  ReconfigureResult,
  type SecurityDemand,
} from "./channels/index.ts";
export { type ConnectionParameters, checkConnectionParameters, connectionParametersProblem } from "./connection-parameters.ts";
export { CommandRejectedError, CommandRejectReason } from "./error.ts";
export { FixedChannel, FixedChannelId } from "./fixed-channel.ts";
export { L2cap, L2capLink, type L2capLinkOptions } from "./l2cap.ts";
export { ParameterUpdate } from "./parameter-update.ts";
