/// <reference lib="esnext.disposable" preserve="true" />
export {
  AttBearer,
  type AttBearerEvents,
  type AttBearerOptions,
  type AttClientSide,
  type AttRequestOptions,
  type AttServerSide,
} from "./bearer.ts";
export { AttBearerClosedError, AttError, AttProtocolError, AttTimeoutError, InsufficientSecurityError } from "./error.ts";
export { AttErrorCode, attErrorName } from "./error-code.ts";
export { AttOpcode, attOpcodeName, DEFAULT_ATT_MTU, MAX_VALUE_LENGTH, TRANSACTION_TIMEOUT_MS } from "./opcode.ts";
export {
  AttErrorRsp,
  AttExchangeMtuReq,
  AttExchangeMtuRsp,
  AttExecuteWriteReq,
  AttExecuteWriteRsp,
  AttFindByTypeValueReq,
  AttFindByTypeValueRsp,
  AttFindInformationReq,
  AttFindInformationRsp,
  AttHandleValueCfm,
  AttHandleValueInd,
  AttHandleValueNtf,
  AttMultipleHandleValueNtf,
  type AttPduDeclaration,
  AttPrepareWriteReq,
  AttPrepareWriteRsp,
  AttReadBlobReq,
  AttReadBlobRsp,
  AttReadByGroupTypeReq,
  AttReadByGroupTypeRsp,
  AttReadByTypeReq,
  AttReadByTypeRsp,
  AttReadMultipleReq,
  AttReadMultipleRsp,
  AttReadMultipleVariableReq,
  AttReadMultipleVariableRsp,
  AttReadReq,
  AttReadRsp,
  AttSignedWriteCmd,
  AttWriteCmd,
  AttWriteReq,
  AttWriteRsp,
  attPdu,
  attPdus,
  type DecodedAttPdu,
  decodeAttPdu,
  encodeAttPdu,
} from "./pdu.ts";
export type { AttPolicy, ResolvedAttPolicy } from "./policy.ts";
export { type LinkSecurity, meets, NO_SECURITY, type SecurityRequirement } from "./security.ts";
export type { Recovery, Refuse, ResponseParser } from "./transaction.ts";
