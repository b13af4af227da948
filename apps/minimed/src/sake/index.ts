/// <reference lib="esnext.disposable" preserve="true" />
export { clientStart, SakeClient, type SakeClientOptions, type SakeClientState, stepClient } from "./client.ts";
export { describeSakeDeviceType, isSakeDeviceType, SakeDeviceType } from "./device-type.ts";
export {
  FRAME_OVERHEAD,
  type FrameKeys,
  type FrameProblem,
  LARGEST_JUMP,
  type OpenedFrame,
  openFrame,
  SEQUENCE_LIMIT,
  sealFrame,
} from "./frame.ts";
export {
  type ClientRandoms,
  drawClientRandoms,
  drawServerRandoms,
  type HandshakeSetup,
  type SakeFailure,
  SakeHandshakeError,
  type ServerRandoms,
  type Step,
} from "./handshake.ts";
export {
  buildKeyDatabase,
  KeyDatabaseError,
  type KeyDatabaseErrorCode,
  parseKeyDatabase,
  SakeKeyDatabase,
  SakeKeyEntry,
  type SakeKeys,
} from "./key-database.ts";
export { parseKeyDatabaseFile } from "./key-database-file.ts";
export { createPermit, type PermitVerdict, verifyPermit } from "./permit.ts";
export { SakeServer, type SakeServerOptions, type SakeServerState, serverStart, stepServer } from "./server.ts";
export { MOST_FAILURES_IN_A_ROW, SakeFrameError, SakeSession, type StreamPositions } from "./session.ts";
