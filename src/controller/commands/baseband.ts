import {
  HciErrorCode,
  HostBufferSize,
  HostNumberOfCompletedPackets,
  LeFeature,
  ReadAuthenticatedPayloadTimeout,
  ReadBdAddr,
  ReadBufferSize,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadLocalVersionInformation,
  ReadRssi,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
  SetEventMaskPage2,
  WriteAuthenticatedPayloadTimeout,
} from "../../hci/index.ts";
import { LMP_FEATURES, VERSION } from "../options.ts";
import { answers, begins, type CommandHandler } from "./command-table.ts";

const OK = { status: HciErrorCode.Success };

/** Commands that are not of LE: Vol 4 Part E 7.3 to 7.5, as far as a controller without BR/EDR has them. */
export const basebandCommands: readonly CommandHandler[] = [
  answers(Reset, ({ linkLayer }) => {
    linkLayer.reset();
    return OK;
  }),
  answers(SetEventMask, ({ linkLayer }, { eventMask }) => {
    linkLayer.host.setEventMask(eventMask);
    return OK;
  }),
  answers(SetEventMaskPage2, ({ linkLayer }, { eventMaskPage2 }) => {
    linkLayer.host.setEventMaskPage2(eventMaskPage2);
    return OK;
  }),
  answers(
    ReadAuthenticatedPayloadTimeout,
    ({ linkLayer }, { connectionHandle }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: HciErrorCode.UnknownConnectionIdentifier, connectionHandle, authenticatedPayloadTimeout: 0 };
      return { ...OK, connectionHandle, authenticatedPayloadTimeout: connection.ping.timeout };
    },
    LeFeature.LePing,
  ),
  answers(
    WriteAuthenticatedPayloadTimeout,
    ({ linkLayer }, { connectionHandle, authenticatedPayloadTimeout }) => {
      const connection = linkLayer.connections.get(connectionHandle);
      if (!connection) return { status: HciErrorCode.UnknownConnectionIdentifier, connectionHandle };
      const isLongEnough = connection.ping.setTimeout(authenticatedPayloadTimeout);
      return { status: isLongEnough ? HciErrorCode.Success : HciErrorCode.InvalidHciCommandParameters, connectionHandle };
    },
    LeFeature.LePing,
  ),
  answers(ReadLocalVersionInformation, () => ({ ...OK, ...VERSION })),
  answers(ReadLocalSupportedCommands, ({ supportedCommands }) => ({ ...OK, supportedCommands })),
  answers(ReadLocalSupportedFeatures, () => ({ ...OK, lmpFeatures: LMP_FEATURES })),
  answers(ReadBdAddr, ({ linkLayer }) => ({ ...OK, bdAddr: linkLayer.publicAddress })),
  // No buffers for BR/EDR: LE has its own.
  answers(ReadBufferSize, () => ({
    ...OK,
    aclDataPacketLength: 0,
    synchronousDataPacketLength: 0,
    totalNumAclDataPackets: 0,
    totalNumSynchronousDataPackets: 0,
  })),
  answers(ReadRssi, ({ linkLayer }, { handle }) => {
    const connection = linkLayer.connections.get(handle);
    if (!connection) return { status: HciErrorCode.UnknownConnectionIdentifier };
    const rssi = Math.round(connection.link.rssiDbm(connection.role));
    return { ...OK, handle, rssi: Math.max(-127, Math.min(127, rssi)) };
  }),
  answers(ReadTransmitPowerLevel, ({ linkLayer }, { connectionHandle, type }) => {
    const connection = linkLayer.connections.get(connectionHandle);
    if (!connection) return { status: HciErrorCode.UnknownConnectionIdentifier };
    if (type > 1) return { status: HciErrorCode.InvalidHciCommandParameters };
    const { power, txPhy } = connection;
    return { ...OK, connectionHandle, transmitPowerLevel: type === 0 ? power.level(txPhy) : linkLayer.radio.txPowerDbm };
  }),
  answers(SetControllerToHostFlowControl, ({ linkLayer }, { flowControlEnable }) => {
    if (flowControlEnable > 3) return { status: HciErrorCode.InvalidHciCommandParameters };
    // Bit 1 is for synchronous data, which this controller does not have.
    if (flowControlEnable > 1) return { status: HciErrorCode.UnsupportedFeatureOrParameterValue };
    if (linkLayer.connections.size > 0) return { status: HciErrorCode.CommandDisallowed };
    linkLayer.host.setFlowControl((flowControlEnable & 1) === 1);
    return OK;
  }),
  answers(HostBufferSize, ({ linkLayer, afterwards }, { hostAclDataPacketLength, hostTotalNumAclDataPackets }) => {
    if (hostAclDataPacketLength === 0 || hostTotalNumAclDataPackets === 0) return { status: HciErrorCode.InvalidHciCommandParameters };
    linkLayer.host.setHostBuffers(hostTotalNumAclDataPackets, hostAclDataPacketLength);
    afterwards(() => {
      for (const connection of linkLayer.connections.values()) connection.onHostReady();
    });
    return OK;
  }),
  begins(HostNumberOfCompletedPackets, ({ linkLayer }, { handles }) => {
    let status: number = HciErrorCode.Success;
    for (const { connectionHandle, hostNumCompletedPackets } of handles)
      if (!linkLayer.host.hostCompleted(connectionHandle, hostNumCompletedPackets)) status = HciErrorCode.InvalidHciCommandParameters;
    for (const connection of linkLayer.connections.values()) connection.onHostReady();
    return status;
  }),
];
