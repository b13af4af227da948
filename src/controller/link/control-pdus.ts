import { bytes, type Codec, decode, i8, struct, u8, u16, u64 } from "../../bytes/index.ts";

/** A Link Layer control PDU as the table of Vol 6 Part B 2.4.2 has it: opcode, then CtrData. */
export interface ControlPdu<P> {
  readonly name: string;
  readonly opcode: number;
  /** Octets with the opcode. */
  readonly octets: number;
  readonly parameters: Codec<P>;
}

function pdu<P>(name: string, opcode: number, octets: number, parameters: Codec<P>): ControlPdu<P> {
  return Object.freeze({ name, opcode, octets, parameters });
}

export const LlConnectionUpdateInd = pdu(
  "LlConnectionUpdateInd",
  0x00,
  12,
  struct({ winSize: u8, winOffset: u16, interval: u16, latency: u16, timeout: u16, instant: u16 }),
);
export const LlChannelMapInd = pdu("LlChannelMapInd", 0x01, 8, struct({ channelMap: bytes(5), instant: u16 }));
export const LlTerminateInd = pdu("LlTerminateInd", 0x02, 2, struct({ errorCode: u8 }));
export const LlEncReq = pdu("LlEncReq", 0x03, 23, struct({ rand: bytes(8), ediv: u16, skdCentral: bytes(8), ivCentral: bytes(4) }));
export const LlEncRsp = pdu("LlEncRsp", 0x04, 13, struct({ skdPeripheral: bytes(8), ivPeripheral: bytes(4) }));
export const LlStartEncReq = pdu("LlStartEncReq", 0x05, 1, struct({}));
export const LlStartEncRsp = pdu("LlStartEncRsp", 0x06, 1, struct({}));
export const LlUnknownRsp = pdu("LlUnknownRsp", 0x07, 2, struct({ unknownType: u8 }));
export const LlFeatureReq = pdu("LlFeatureReq", 0x08, 9, struct({ featureSet: u64 }));
export const LlFeatureRsp = pdu("LlFeatureRsp", 0x09, 9, struct({ featureSet: u64 }));
export const LlPauseEncReq = pdu("LlPauseEncReq", 0x0a, 1, struct({}));
export const LlPauseEncRsp = pdu("LlPauseEncRsp", 0x0b, 1, struct({}));
export const LlVersionInd = pdu("LlVersionInd", 0x0c, 6, struct({ versNr: u8, compId: u16, subVersNr: u16 }));
export const LlRejectInd = pdu("LlRejectInd", 0x0d, 2, struct({ errorCode: u8 }));
export const LlPeripheralFeatureReq = pdu("LlPeripheralFeatureReq", 0x0e, 9, struct({ featureSet: u64 }));

const connectionParameters = struct({
  intervalMin: u16, // units of 1.25 ms
  intervalMax: u16,
  latency: u16, // connection events
  timeout: u16, // units of 10 ms
  preferredPeriodicity: u8, // units of 1.25 ms; 0 none
  referenceConnEventCount: u16,
  offsets: bytes(12), // six offsets of 1.25 ms; 0xFFFF not valid
});
export const LlConnectionParamReq = pdu("LlConnectionParamReq", 0x0f, 24, connectionParameters);
export const LlConnectionParamRsp = pdu("LlConnectionParamRsp", 0x10, 24, connectionParameters);
export const LlRejectExtInd = pdu("LlRejectExtInd", 0x11, 3, struct({ rejectOpcode: u8, errorCode: u8 }));

export const LlPingReq = pdu("LlPingReq", 0x12, 1, struct({}));
export const LlPingRsp = pdu("LlPingRsp", 0x13, 1, struct({}));
const lengths = struct({ maxRxOctets: u16, maxRxTime: u16, maxTxOctets: u16, maxTxTime: u16 });
export const LlLengthReq = pdu("LlLengthReq", 0x14, 9, lengths);
export const LlLengthRsp = pdu("LlLengthRsp", 0x15, 9, lengths);
export const LlPhyReq = pdu("LlPhyReq", 0x16, 3, struct({ txPhys: u8, rxPhys: u8 }));
export const LlPhyRsp = pdu("LlPhyRsp", 0x17, 3, struct({ txPhys: u8, rxPhys: u8 }));
export const LlPhyUpdateInd = pdu(
  "LlPhyUpdateInd",
  0x18,
  5,
  struct({ phyCentralToPeripheral: u8, phyPeripheralToCentral: u8, instant: u16 }),
);

const sleepClock = struct({ sca: u8 }); // as in CONNECT_IND: 0 251 to 500 ppm, 7 0 to 20 ppm
export const LlClockAccuracyReq = pdu("LlClockAccuracyReq", 0x1d, 2, sleepClock);
export const LlClockAccuracyRsp = pdu("LlClockAccuracyRsp", 0x1e, 2, sleepClock);

// PHY: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded S=8, bit 3 LE Coded S=2; levels in dBm, changes in dB. Limits: bit 0 at the minimum, bit 1 at the maximum.
export const LlPowerControlReq = pdu("LlPowerControlReq", 0x23, 4, struct({ phy: u8, delta: i8, txPower: i8 }));
export const LlPowerControlRsp = pdu("LlPowerControlRsp", 0x24, 5, struct({ limits: u8, delta: i8, txPower: i8, acceptableReduction: u8 }));
export const LlPowerChangeInd = pdu("LlPowerChangeInd", 0x25, 5, struct({ phy: u8, limits: u8, delta: i8, txPower: i8 }));

const subrate = { latency: u16, continuationNumber: u16, timeout: u16 };
export const LlSubrateReq = pdu("LlSubrateReq", 0x26, 11, struct({ factorMin: u16, factorMax: u16, ...subrate }));
export const LlSubrateInd = pdu("LlSubrateInd", 0x27, 11, struct({ factor: u16, baseEvent: u16, ...subrate }));

// Units of 200 ms; two bits of classification for each data channel.
export const LlChannelReportingInd = pdu("LlChannelReportingInd", 0x28, 4, struct({ enable: u8, minSpacing: u8, maxDelay: u8 }));
export const LlChannelStatusInd = pdu("LlChannelStatusInd", 0x29, 11, struct({ classification: bytes(10) }));

/** @throws {DecodeError} not the length of this PDU */
export function decodeControlPdu<P>(declaration: ControlPdu<P>, payload: Uint8Array): P {
  return decode(declaration.parameters, payload, { name: declaration.name, offset: 1 });
}
