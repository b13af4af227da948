import {
  HciErrorCode,
  LeFeature,
  LePeriodicAdvertisingSetInfoTransfer,
  LePeriodicAdvertisingSyncTransfer,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
  LeSetPeriodicAdvertisingSyncTransferParameters,
} from "../../hci/index.ts";
import type { Connection } from "../link/connection.ts";
import type { LinkLayer } from "../link-layer.ts";
import { hasFeature } from "../options.ts";
import { ALL_CTE_TYPES, areSyncTermsValid } from "../periodic/syncs.ts";
import type { TransferTerms } from "../periodic/transfer.ts";
import type { TransferredTrain } from "../periodic/transferred-train.ts";
import { HIGHEST_HANDLE } from "../roles/advertising-sets.ts";
import { answers, type CommandHandler } from "./command-table.ts";

const { Success, InvalidHciCommandParameters: Invalid } = HciErrorCode;
const UNKNOWN_CONNECTION = HciErrorCode.UnknownConnectionIdentifier;
const SENDER = LeFeature.PeriodicAdvertisingSyncTransferSender;
const RECIPIENT = LeFeature.PeriodicAdvertisingSyncTransferRecipient;
const HIGHEST_MODE = 3;

/** Ranges of Vol 4 Part E 7.8.91 and 7.8.92. */
function checkTerms({ features }: LinkLayer, terms: TransferTerms): number {
  if (terms.mode > HIGHEST_MODE || !areSyncTermsValid(terms)) return Invalid;
  if (terms.mode === HIGHEST_MODE && !hasFeature(features, LeFeature.PeriodicAdvertisingAdiSupport))
    return HciErrorCode.UnsupportedFeatureOrParameterValue;
  return terms.mode > 0 && terms.cteType === ALL_CTE_TYPES ? HciErrorCode.CommandDisallowed : Success;
}

/** Sends it where the peer has said that it takes trains. */
function transfer(connection: Connection, serviceData: number, train: TransferredTrain): number {
  if (!connection.exchanges.peerHas(RECIPIENT)) return HciErrorCode.UnsupportedRemoteFeature;
  connection.transfer!.send(serviceData, train);
  return Success;
}

/** Periodic Advertising Sync Transfer: Vol 4 Part E 7.8.89 to 7.8.92. */
export const periodicTransferCommands: readonly CommandHandler[] = [
  answers(
    LePeriodicAdvertisingSyncTransfer,
    ({ linkLayer }, { connectionHandle, serviceData, syncHandle }) => {
      const sync = linkLayer.syncs.get(syncHandle);
      const connection = linkLayer.connections.get(connectionHandle);
      if (!sync) return { status: HciErrorCode.UnknownAdvertisingIdentifier, connectionHandle };
      return { status: connection ? transfer(connection, serviceData, sync.transferred) : UNKNOWN_CONNECTION, connectionHandle };
    },
    SENDER,
  ),
  answers(
    LePeriodicAdvertisingSetInfoTransfer,
    ({ linkLayer }, { connectionHandle, serviceData, advertisingHandle }) => {
      if (advertisingHandle > HIGHEST_HANDLE) return { status: Invalid, connectionHandle };
      const set = linkLayer.advertisingSets.get(advertisingHandle);
      const connection = linkLayer.connections.get(connectionHandle);
      if (!set) return { status: HciErrorCode.UnknownAdvertisingIdentifier, connectionHandle };
      const train = set.transferredTrain;
      if (!train) return { status: HciErrorCode.CommandDisallowed, connectionHandle };
      return { status: connection ? transfer(connection, serviceData, train) : UNKNOWN_CONNECTION, connectionHandle };
    },
    SENDER,
  ),
  answers(
    LeSetPeriodicAdvertisingSyncTransferParameters,
    ({ linkLayer }, { connectionHandle, ...terms }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: UNKNOWN_CONNECTION, connectionHandle };
      const status = checkTerms(linkLayer, terms);
      if (status === Success) connection.transfer!.terms = terms;
      return { status, connectionHandle };
    },
    RECIPIENT,
  ),
  answers(
    LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
    ({ linkLayer }, terms) => {
      const status = checkTerms(linkLayer, terms);
      if (status === Success) linkLayer.transferTerms = terms;
      return { status };
    },
    RECIPIENT,
  ),
];
