import { type Codec, repeated, rest, struct, u8, u16 } from "../bytes/index.ts";

/** A signalling packet as its table declares it. */
interface SignallingDeclaration {
  readonly name: string;
  readonly code: number;
  readonly parameters: Codec<unknown>;
}

const pdu = (code: number, name: string, parameters: Codec<unknown>): SignallingDeclaration => ({ name, code, parameters });
const connectionParameters = struct({
  intervalMin: u16, // units of 1.25 ms
  intervalMax: u16, // units of 1.25 ms
  latency: u16, // connection events
  timeout: u16, // units of 10 ms
});
const creditBased = { mtu: u16, mps: u16, initialCredits: u16 } as const;

const declarations = [
  pdu(0x01, "L2capCommandRejectRsp", struct({ reason: u16, reasonData: rest })),
  pdu(0x06, "L2capDisconnectionReq", struct({ destinationCid: u16, sourceCid: u16 })),
  pdu(0x07, "L2capDisconnectionRsp", struct({ destinationCid: u16, sourceCid: u16 })),
  pdu(0x12, "L2capConnectionParameterUpdateReq", connectionParameters),
  pdu(0x13, "L2capConnectionParameterUpdateRsp", struct({ result: u16 })), // 0 accepted, 1 rejected
  pdu(0x14, "L2capLeCreditBasedConnectionReq", struct({ spsm: u16, sourceCid: u16, ...creditBased })),
  pdu(0x15, "L2capLeCreditBasedConnectionRsp", struct({ destinationCid: u16, ...creditBased, result: u16 })),
  pdu(0x16, "L2capFlowControlCreditInd", struct({ cid: u16, credits: u16 })),
  pdu(0x17, "L2capCreditBasedConnectionReq", struct({ spsm: u16, ...creditBased, sourceCids: repeated(u16) })),
  pdu(0x18, "L2capCreditBasedConnectionRsp", struct({ ...creditBased, result: u16, destinationCids: repeated(u16) })),
  pdu(0x19, "L2capCreditBasedReconfigureReq", struct({ mtu: u16, mps: u16, destinationCids: repeated(u16) })),
  pdu(0x1a, "L2capCreditBasedReconfigureRsp", struct({ result: u16 })),
];

/** Signalling packets of LE links by their code, Vol 3 Part A 4. What they hold follows code, identifier and length. */
export const signallingPdus: ReadonlyMap<number, SignallingDeclaration> = new Map(
  declarations.map((declaration) => [declaration.code, declaration]),
);

/** Code, identifier, length: in front of every signalling packet. */
export const signallingHeader = struct({ code: u8, identifier: u8, length: u16 });
