import { HciErrorCode, LeFeature, LeSetDefaultSubrate, LeSubrateRequest } from "../../hci/index.ts";
import { isSubrateValid, isTimeoutEnough, type SubrateRange } from "../link/subrating.ts";
import { answers, begins, type CommandHandler } from "./command-table.ts";

type Asked = Readonly<Record<"subrateMin" | "subrateMax" | "maxLatency" | "continuationNumber" | "supervisionTimeout", number>>;

function rangeOf({ subrateMin, subrateMax, maxLatency, continuationNumber, supervisionTimeout }: Asked): SubrateRange {
  return { factorMin: subrateMin, factorMax: subrateMax, latency: maxLatency, continuationNumber, timeout: supervisionTimeout };
}

/** Connections that use one of several connection events: Vol 4 Part E 7.8.123 and 7.8.124. */
export const subratingCommands: readonly CommandHandler[] = [
  answers(
    LeSetDefaultSubrate,
    ({ linkLayer }, parameters) => {
      const range = rangeOf(parameters);
      if (!isSubrateValid(range)) return { status: HciErrorCode.InvalidHciCommandParameters };
      linkLayer.defaultSubrate = range;
      return { status: HciErrorCode.Success };
    },
    LeFeature.ConnectionSubrating,
  ),
  begins(
    LeSubrateRequest,
    ({ linkLayer }, { connectionHandle, ...parameters }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return HciErrorCode.UnknownConnectionIdentifier;
      const { control, subrating } = connection;
      const range = rangeOf(parameters);
      const { factorMax, latency, timeout } = range;
      if (!isSubrateValid(range) || !isTimeoutEnough(connection.parameters.interval, factorMax, latency, timeout))
        return HciErrorCode.InvalidHciCommandParameters;
      if (!subrating.isHostReady || subrating.isBusy || control.isTerminating) return HciErrorCode.CommandDisallowed;
      if (subrating.isPeerUnable) return HciErrorCode.UnsupportedRemoteFeature;
      return () => subrating.request(range);
    },
    LeFeature.ConnectionSubrating,
  ),
];
