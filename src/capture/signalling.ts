import { type Codec, decode, Reader, rest, struct, u8, u16 } from "../bytes/index.ts";
import {
  CommandReject,
  ConnectionParameterUpdateRequest,
  ConnectionParameterUpdateResponse,
  CreditBasedConnectionRequest,
  CreditBasedConnectionResponse,
  CreditBasedReconfigureRequest,
  CreditBasedReconfigureResponse,
  DisconnectionRequest,
  DisconnectionResponse,
  FlowControlCreditInd,
  LeCreditBasedConnectionRequest,
  LeCreditBasedConnectionResponse,
} from "../l2cap/signalling-packets.ts";

/** A signalling packet as captures tell it. */
export interface SignallingDeclaration {
  readonly name: string;
  readonly code: number;
  readonly parameters: Codec<unknown>;
}

const pdu = <T>(name: string, { code, data }: { code: number; data: Codec<T> }): SignallingDeclaration => ({
  name,
  code,
  parameters: data,
});

const declarations = [
  pdu("L2capCommandRejectRsp", { code: CommandReject.code, data: struct({ reason: u16, reasonData: rest }) }),
  pdu("L2capDisconnectionReq", DisconnectionRequest),
  pdu("L2capDisconnectionRsp", DisconnectionResponse),
  pdu("L2capConnectionParameterUpdateReq", ConnectionParameterUpdateRequest),
  pdu("L2capConnectionParameterUpdateRsp", ConnectionParameterUpdateResponse),
  pdu("L2capLeCreditBasedConnectionReq", LeCreditBasedConnectionRequest),
  pdu("L2capLeCreditBasedConnectionRsp", LeCreditBasedConnectionResponse),
  pdu("L2capFlowControlCreditInd", FlowControlCreditInd),
  pdu("L2capCreditBasedConnectionReq", CreditBasedConnectionRequest),
  pdu("L2capCreditBasedConnectionRsp", CreditBasedConnectionResponse),
  pdu("L2capCreditBasedReconfigureReq", CreditBasedReconfigureRequest),
  pdu("L2capCreditBasedReconfigureRsp", CreditBasedReconfigureResponse),
];

/** Signalling packets of LE links by their code, Vol 3 Part A 4. What they hold follows code, identifier and length. */
const signallingPdus: ReadonlyMap<number, SignallingDeclaration> = new Map(
  declarations.map((declaration) => [declaration.code, declaration]),
);

/** Code, identifier, length: in front of every signalling packet. */
const header = struct({ code: u8, identifier: u8, length: u16 });

export interface Signal {
  readonly code: number;
  readonly identifier: number;
  /** `undefined`: the code is not one of LE links, and the parameters are octets. */
  readonly declaration: SignallingDeclaration | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** @param payload of a frame on channel 5: one packet, on LE links (Vol 3 Part A 4) @throws {DecodeError} */
export function decodeSignal(payload: Uint8Array): Signal {
  const reader = new Reader(payload, { name: "L2capSignalling" });
  const { code, identifier, length } = header.decode(reader);
  if (length !== reader.remaining) reader.fail(`length ${length}, has ${reader.remaining} octets`);
  const declaration = signallingPdus.get(code);
  const parameters = declaration
    ? (decode(declaration.parameters, payload, { name: declaration.name, offset: 4 }) as Record<string, unknown>)
    : { raw: reader.rest() };
  return { code, identifier, declaration, parameters };
}
