export { type ChannelEvents, CreditBasedChannel } from "./channel.ts";
export { connectForHost, LinkChannels } from "./link-channels.ts";
export { EATT_SPSM, L2capListener, L2capListeners, listenForHost } from "./listeners.ts";
export type {
  ChannelMode,
  ChannelOptions,
  ChannelRequest,
  ConnectChannelOptions,
  ConnectSeveralOptions,
  ListenOptions,
} from "./options.ts";
export type { LinkOwner, SecurityDemand } from "./owner.ts";
export type { Reconfiguration } from "./reconfiguration.ts";
export { ChannelClosedError, ConnectionResult, L2capRefusedError, ReconfigureResult } from "./results.ts";
export type { ChannelStreams } from "./streams.ts";
