import { LinkRole, Phy } from "../../air/index.ts";
import {
  DISCONNECT_REASONS,
  Disconnect,
  HciErrorCode,
  LeConnectionUpdate,
  LeCreateConnection,
  LeCreateConnectionCancel,
  LeEnableEncryption,
  LeExtendedCreateConnection,
  LeExtendedCreateConnectionV2,
  LeFeature,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeReadChannelMap,
  LeReadPhy,
  LeReadRemoteFeatures,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeRequestPeerSca,
  LeSetDataLength,
  LeSetPhy,
  ReadRemoteVersionInformation,
} from "../../hci/index.ts";
import type { Connection } from "../link/connection.ts";
import { areConnectionParametersValid } from "../link/connection-parameters.ts";
import { hciPhy } from "../link/updates.ts";
import { hasFeature } from "../options.ts";
import { PeriodicInitiating } from "../periodic/initiating.ts";
import { HIGHEST_HANDLE } from "../roles/advertising-sets.ts";
import { Initiating } from "../roles/initiating.ts";
import { answers, begins, type CommandContext, type CommandHandler } from "./command-table.ts";
import { isDataLength, phyPreference } from "./le.ts";

const OK = { status: HciErrorCode.Success };
/** Advertising_Handle and Subevent of LE Extended Create Connection [v2] that are not used. */
const NONE = 0xff;
const HIGHEST_SUBEVENT = 0x7f;
const UNKNOWN = HciErrorCode.UnknownConnectionIdentifier;

/** What to do with the named connection, or the error that there is none. */
function withConnection(
  { linkLayer }: CommandContext,
  handle: number,
  act: (connection: Connection) => number | (() => void),
): number | (() => void) {
  const connection = linkLayer.connections.get(handle);
  if (!connection) return UNKNOWN;
  return connection.control.isTerminating ? HciErrorCode.CommandDisallowed : act(connection);
}

/** Commands that make connections or belong to one: Vol 4 Part E 7.1 and 7.8. */
export const connectionCommands: readonly CommandHandler[] = [
  begins(LeCreateConnection, ({ linkLayer }, parameters) => {
    if (linkLayer.initiating) return HciErrorCode.CommandDisallowed;
    return Initiating.check(linkLayer, parameters) || (() => linkLayer.initiate(parameters));
  }),
  begins(
    LeExtendedCreateConnection,
    ({ linkLayer }, parameters) => {
      if (linkLayer.initiating) return HciErrorCode.CommandDisallowed;
      return Initiating.check(linkLayer, parameters) || (() => linkLayer.initiate(parameters));
    },
    LeFeature.LeExtendedAdvertising,
  ),
  begins(
    LeExtendedCreateConnectionV2,
    ({ linkLayer }, { advertisingHandle, subevent, ...parameters }) => {
      if (linkLayer.initiating) return HciErrorCode.CommandDisallowed;
      if (advertisingHandle === NONE && subevent === NONE)
        return Initiating.check(linkLayer, parameters) || (() => linkLayer.initiate(parameters));
      if (advertisingHandle > HIGHEST_HANDLE || subevent > HIGHEST_SUBEVENT) return HciErrorCode.InvalidHciCommandParameters;
      const set = linkLayer.advertisingSets.get(advertisingHandle);
      if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
      const subevents = set.periodic?.responses;
      if (!subevents) return HciErrorCode.CommandDisallowed;
      const train = { advertisingHandle, subevent, subevents, phy: set.periodic!.phy };
      return PeriodicInitiating.check(linkLayer, train, parameters) || (() => linkLayer.initiateFromTrain({ ...train, parameters }));
    },
    LeFeature.PeriodicAdvertisingWithResponsesAdvertiser,
  ),
  answers(LeCreateConnectionCancel, (context) => {
    const { initiating } = context.linkLayer;
    if (!initiating?.canCancel) return { status: HciErrorCode.CommandDisallowed };
    context.afterwards(() => initiating.cancel());
    return OK;
  }),
  begins(Disconnect, (context, { connectionHandle, reason }) => {
    if (!DISCONNECT_REASONS.includes(reason)) return HciErrorCode.InvalidHciCommandParameters;
    return withConnection(context, connectionHandle, (connection) => () => connection.disconnect(reason));
  }),
  begins(ReadRemoteVersionInformation, (context, { connectionHandle }) =>
    withConnection(context, connectionHandle, ({ control, exchanges }) =>
      control.has("version exchange") ? HciErrorCode.CommandDisallowed : () => exchanges.requestVersion(),
    ),
  ),
  begins(LeReadRemoteFeatures, (context, { connectionHandle }) =>
    withConnection(context, connectionHandle, ({ control, exchanges, role, features }) => {
      const canAsk = role === LinkRole.Central || hasFeature(features, LeFeature.PeripheralInitiatedFeaturesExchange);
      if (!canAsk || control.has("feature exchange")) return HciErrorCode.CommandDisallowed;
      return () => exchanges.requestFeatures();
    }),
  ),
  begins(
    LeRequestPeerSca,
    (context, { connectionHandle }) =>
      withConnection(context, connectionHandle, ({ control, exchanges }) => {
        if (exchanges.peerLacks(LeFeature.SleepClockAccuracyUpdates)) return HciErrorCode.UnsupportedRemoteFeature;
        return control.has("sleep clock") ? HciErrorCode.CommandDisallowed : () => exchanges.requestSleepClock();
      }),
    LeFeature.SleepClockAccuracyUpdates,
  ),
  begins(LeConnectionUpdate, (context, parameters) =>
    withConnection(context, parameters.connectionHandle, ({ updates, exchanges, role, features }) => {
      const { connectionIntervalMin, connectionIntervalMax, maxLatency: latency, supervisionTimeout: timeout } = parameters;
      const range = { intervalMin: connectionIntervalMin, intervalMax: connectionIntervalMax, latency, timeout };
      if (!areConnectionParametersValid(range) || parameters.minCeLength > parameters.maxCeLength)
        return HciErrorCode.InvalidHciCommandParameters;
      if (role === LinkRole.Peripheral) {
        // A peripheral can only ask, and only with the Connection Parameters Request procedure.
        const bit = LeFeature.ConnectionParametersRequestProcedure;
        if (!hasFeature(features, bit)) return HciErrorCode.CommandDisallowed;
        if (exchanges.peerLacks(bit)) return HciErrorCode.UnsupportedRemoteFeature;
      }
      return updates.isUpdating ? HciErrorCode.CommandDisallowed : () => updates.requestParameters(range);
    }),
  ),
  answers(
    LeRemoteConnectionParameterRequestReply,
    ({ linkLayer }, { connectionHandle, intervalMin, intervalMax, maxLatency: latency, timeout, minCeLength, maxCeLength }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN, connectionHandle };
      const range = { intervalMin, intervalMax, latency, timeout };
      if (!areConnectionParametersValid(range) || minCeLength > maxCeLength)
        return { status: HciErrorCode.InvalidHciCommandParameters, connectionHandle };
      const isAsked = connection.updates.answerRequest(range);
      return { status: isAsked ? HciErrorCode.Success : HciErrorCode.CommandDisallowed, connectionHandle };
    },
    LeFeature.ConnectionParametersRequestProcedure,
  ),
  answers(
    LeRemoteConnectionParameterRequestNegativeReply,
    ({ linkLayer }, { connectionHandle, reason }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN, connectionHandle };
      if (reason === HciErrorCode.Success) return { status: HciErrorCode.InvalidHciCommandParameters, connectionHandle };
      const isAsked = connection.updates.answerRequest({ reason });
      return { status: isAsked ? HciErrorCode.Success : HciErrorCode.CommandDisallowed, connectionHandle };
    },
    LeFeature.ConnectionParametersRequestProcedure,
  ),
  answers(LeReadChannelMap, ({ linkLayer }, { connectionHandle }) => {
    const connection = linkLayer.connections.get(connectionHandle);
    return connection ? { ...OK, connectionHandle, channelMap: connection.channelMap } : { status: UNKNOWN };
  }),

  begins(
    LeEnableEncryption,
    (context, { connectionHandle, randomNumber, encryptedDiversifier, longTermKey }) =>
      withConnection(context, connectionHandle, ({ control, encryption, role, exchanges }) => {
        if (role === LinkRole.Peripheral || control.has("encryption")) return HciErrorCode.CommandDisallowed;
        if (exchanges.peerLacks(LeFeature.LeEncryption)) return HciErrorCode.UnsupportedRemoteFeature;
        return () => encryption.begin(longTermKey, randomNumber, encryptedDiversifier);
      }),
    LeFeature.LeEncryption,
  ),
  answers(
    LeLongTermKeyRequestReply,
    ({ linkLayer }, { connectionHandle, longTermKey }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN, connectionHandle };
      return { status: connection.encryption.reply(longTermKey) ? HciErrorCode.Success : HciErrorCode.CommandDisallowed, connectionHandle };
    },
    LeFeature.LeEncryption,
  ),
  answers(
    LeLongTermKeyRequestNegativeReply,
    ({ linkLayer }, { connectionHandle }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN, connectionHandle };
      return { status: connection.encryption.reply(undefined) ? HciErrorCode.Success : HciErrorCode.CommandDisallowed, connectionHandle };
    },
    LeFeature.LeEncryption,
  ),

  answers(
    LeSetDataLength,
    ({ linkLayer }, { connectionHandle, txOctets, txTime }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN, connectionHandle };
      if (!isDataLength(txOctets, txTime)) return { status: HciErrorCode.InvalidHciCommandParameters, connectionHandle };
      if (connection.exchanges.peerLacks(LeFeature.LeDataPacketLengthExtension))
        return { status: HciErrorCode.UnsupportedRemoteFeature, connectionHandle };
      connection.exchanges.setTxLength(Math.min(txOctets, linkLayer.maxOctets), Math.min(txTime, linkLayer.maxTimeUs));
      return { ...OK, connectionHandle };
    },
    LeFeature.LeDataPacketLengthExtension,
  ),
  answers(
    LeReadPhy,
    ({ linkLayer }, { connectionHandle }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN };
      return { ...OK, connectionHandle, txPhy: hciPhy(connection.txPhy), rxPhy: hciPhy(connection.rxPhy) };
    },
    LeFeature.Le2mPhy,
  ),
  begins(
    LeSetPhy,
    (context, { connectionHandle, allPhys, txPhys, rxPhys, phyOptions }) =>
      withConnection(context, connectionHandle, (connection) => {
        const wanted = phyPreference(context.linkLayer, allPhys, txPhys, rxPhys);
        if (typeof wanted === "number") return wanted;
        if (phyOptions > 2) return HciErrorCode.InvalidHciCommandParameters;
        if (connection.control.has("phy update")) return HciErrorCode.CommandDisallowed;
        if (connection.exchanges.peerLacks(LeFeature.Le2mPhy) && connection.exchanges.peerLacks(LeFeature.LeCodedPhy))
          return HciErrorCode.UnsupportedRemoteFeature;
        return () => {
          connection.txPhys = wanted.tx;
          connection.rxPhys = wanted.rx;
          connection.coding = phyOptions === 1 ? Phy.LeCodedS2 : Phy.LeCodedS8;
          connection.updates.requestPhy();
        };
      }),
    LeFeature.Le2mPhy,
  ),
];
