import type { Phy } from "../../air/index.ts";
import {
  HciErrorCode,
  LeEnhancedReadTransmitPowerLevel,
  LeFeature,
  LeReadRemoteTransmitPowerLevel,
  LeSetPathLossReportingEnable,
  LeSetPathLossReportingParameters,
  LeSetTransmitPowerReportingEnable,
} from "../../hci/index.ts";
import type { Connection } from "../link/connection.ts";
import { arePathLossParametersValid } from "../link/path-loss.ts";
import { answers, begins, type CommandContext, type CommandHandler } from "./command-table.ts";
import { isFlag } from "./le.ts";

/** Answers for the named connection, or the error that there is none. */
function onConnection(
  { linkLayer }: CommandContext,
  connectionHandle: number,
  act: (connection: Connection) => number,
): { status: number; connectionHandle: number } {
  const connection = linkLayer.connections.get(connectionHandle);
  return { status: connection ? act(connection) : HciErrorCode.UnknownConnectionIdentifier, connectionHandle };
}

/** Power levels and path loss of links: Vol 4 Part E 7.8.117 to 7.8.121. */
export const linkPowerCommands: readonly CommandHandler[] = [
  answers(
    LeEnhancedReadTransmitPowerLevel,
    ({ linkLayer }, { connectionHandle, phy }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      const failed = (status: number) => ({ status, connectionHandle, phy, currentTransmitPowerLevel: 0, maxTransmitPowerLevel: 0 });
      if (!connection) return failed(HciErrorCode.UnknownConnectionIdentifier);
      if (!connection.power.supports(phy)) return failed(HciErrorCode.UnsupportedFeatureOrParameterValue);
      return {
        status: HciErrorCode.Success,
        connectionHandle,
        phy,
        currentTransmitPowerLevel: connection.power.level(phy as Phy),
        maxTransmitPowerLevel: linkLayer.radio.txPowerDbm,
      };
    },
    LeFeature.LePowerControlRequest,
  ),
  begins(
    LeReadRemoteTransmitPowerLevel,
    ({ linkLayer }, { connectionHandle, phy }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return HciErrorCode.UnknownConnectionIdentifier;
      const { power, control } = connection;
      if (!power.supports(phy)) return HciErrorCode.UnsupportedFeatureOrParameterValue;
      if (control.isTerminating || power.isReading) return HciErrorCode.CommandDisallowed;
      return () => power.readRemote(phy as Phy);
    },
    LeFeature.LePowerControlRequest,
  ),
  answers(
    LeSetTransmitPowerReportingEnable,
    (context, { connectionHandle, localEnable, remoteEnable }, packet) =>
      onConnection(context, connectionHandle, ({ power }) => {
        if (!isFlag(packet[6]) || !isFlag(packet[7])) return HciErrorCode.InvalidHciCommandParameters;
        context.afterwards(() => power.setReporting(localEnable, remoteEnable));
        return HciErrorCode.Success;
      }),
    LeFeature.LePowerControlRequest,
  ),
  answers(
    LeSetPathLossReportingParameters,
    (context, { connectionHandle, ...parameters }) =>
      onConnection(context, connectionHandle, ({ pathLoss }) => {
        if (!arePathLossParametersValid(parameters)) return HciErrorCode.InvalidHciCommandParameters;
        context.afterwards(() => {
          pathLoss.parameters = parameters;
        });
        return HciErrorCode.Success;
      }),
    LeFeature.LePathLossMonitoring,
  ),
  answers(
    LeSetPathLossReportingEnable,
    (context, { connectionHandle, enable }, packet) =>
      onConnection(context, connectionHandle, ({ pathLoss, power }) => {
        if (!isFlag(packet[6])) return HciErrorCode.InvalidHciCommandParameters;
        if (!pathLoss.hasParameters) return HciErrorCode.CommandDisallowed;
        context.afterwards(() => {
          if (!enable) pathLoss.disable();
          else if (pathLoss.enable()) power.learnRemote();
        });
        return HciErrorCode.Success;
      }),
    LeFeature.LePathLossMonitoring,
  ),
];
