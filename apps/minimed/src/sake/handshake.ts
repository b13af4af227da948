import { concat } from "jelling/bytes";
import { BleError, type RandomSource, randomBytes } from "jelling/core";
import { aes128Encrypt, aesCmac } from "jelling/crypto";
import type { FrameKeys } from "./frame.ts";
import type { SakeKeyDatabase, SakeKeys } from "./key-database.ts";

/** Every handshake message is exactly so long: it fills an ATT PDU of 23 octets. */
export const MESSAGE_LENGTH = 20;
export const PROTOCOL_VERSION = 1;

/** What the server notifies to wake the client, and what the client writes back. */
export const synchronizationMessage = (): Uint8Array => new Uint8Array(MESSAGE_LENGTH);

/** Why a handshake ended. No peer is told; both sides of a log can be compared by these names. */
export type SakeFailure =
  | "message-length-invalid"
  | "synchronization-invalid"
  | "protocol-version-mismatch"
  | "device-type-not-supported"
  | "challenge-invalid"
  | "challenge-response-invalid"
  | "session-key-invalid"
  | "permit-invalid"
  | "permit-issued-to-different-device";

/** The handshake failed and is over; a new subscription starts a new one. */
export class SakeHandshakeError extends BleError {
  readonly code = "ERR_SAKE_HANDSHAKE";
  readonly failure: SakeFailure;
  /** Messages that had been accepted by then: 0, 1, 3, 5 of the server, 0, 2, 4 of the client. */
  readonly stage: number;
  constructor(failure: SakeFailure, stage: number) {
    super(`SAKE handshake failed at stage ${stage}: ${failure.replaceAll("-", " ")}`);
    this.failure = failure;
    this.stage = stage;
  }
}

/** What either side brings into a handshake. */
export interface HandshakeSetup<Randoms> {
  readonly keyDatabase: SakeKeyDatabase;
  /** The only device type that is accepted, whatever else the database holds; it is tested before any cryptography. */
  readonly peerType?: number | undefined;
  /** Fresh for every handshake. */
  readonly randoms: Randoms;
}

/** A handshake that failed stays failed: state and input in, this state out. */
export interface FailedState {
  readonly at: "failed";
  readonly stage: number;
  readonly failure: SakeFailure;
}

export interface DoneState {
  readonly at: "done";
  readonly stage: 6;
  readonly peerType: number;
  readonly keys: FrameKeys;
  readonly nextSendSequence: number;
  readonly nextReceiveSequence: number;
}

/** One transition: the next state, and the message to send because of it. */
export interface Step<State> {
  readonly state: State;
  readonly reply?: Uint8Array;
}

export const fail = (stage: number, failure: SakeFailure): Step<FailedState> => ({ state: { at: "failed", stage, failure } });

/** Random octets of the server: filler of message 0 (18), key material (8), nonce (4), pad of message 4 (1). */
export interface ServerRandoms {
  readonly filler: Uint8Array;
  readonly keyMaterial: Uint8Array;
  readonly nonce: Uint8Array;
  readonly pad: Uint8Array;
}
/** Random octets of the client: key material (8), nonce (4), fillers of messages 1 (7) and 3 (12), pad of message 5 (1). */
export interface ClientRandoms {
  readonly keyMaterial: Uint8Array;
  readonly nonce: Uint8Array;
  readonly challengeFiller: Uint8Array;
  readonly responseFiller: Uint8Array;
  readonly pad: Uint8Array;
}

export const drawServerRandoms = (random: RandomSource): ServerRandoms => ({
  filler: randomBytes(random, 18),
  keyMaterial: randomBytes(random, 8),
  nonce: randomBytes(random, 4),
  pad: randomBytes(random, 1),
});
export const drawClientRandoms = (random: RandomSource): ClientRandoms => ({
  keyMaterial: randomBytes(random, 8),
  nonce: randomBytes(random, 4),
  challengeFiller: randomBytes(random, 7),
  responseFiller: randomBytes(random, 12),
  pad: randomBytes(random, 1),
});

/** Eight octets that prove the server knows the keys (message 2). */
export function serverTag(keys: SakeKeys, serverKeyMaterial: Uint8Array, clientKeyMaterial: Uint8Array): Uint8Array {
  return tag(keys, serverKeyMaterial, clientKeyMaterial);
}

/** Eight octets that prove the client knows the keys (message 3). */
export function clientTag(keys: SakeKeys, tagOfServer: Uint8Array, serverKeyMaterial: Uint8Array): Uint8Array {
  return tag(keys, tagOfServer, serverKeyMaterial);
}

function tag(keys: SakeKeys, first: Uint8Array, second: Uint8Array): Uint8Array {
  return aesCmac(keys.handshakeAuthKey, concat(first, second, keys.derivationKey)).slice(0, 8);
}

/** Session key and nonce, which both sides derive after message 3. */
export function deriveSession(
  keys: SakeKeys,
  server: Pick<ServerRandoms, "keyMaterial" | "nonce">,
  client: Pick<ClientRandoms, "keyMaterial" | "nonce">,
): FrameKeys {
  return {
    key: aes128Encrypt(keys.derivationKey, concat(server.keyMaterial, client.keyMaterial)),
    nonce: concat(client.nonce, server.nonce),
  };
}
