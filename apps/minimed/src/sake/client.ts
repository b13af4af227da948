import { concat } from "jelling/bytes";
import { type RandomSource, systemRandom } from "jelling/core";
import { constantTimeEqual } from "jelling/crypto";
import { isSakeDeviceType } from "./device-type.ts";
import { type FrameKeys, openFrame, sealFrame } from "./frame.ts";
import {
  type ClientRandoms,
  clientTag,
  type DoneState,
  deriveSession,
  drawClientRandoms,
  type FailedState,
  fail,
  type HandshakeSetup,
  MESSAGE_LENGTH,
  PROTOCOL_VERSION,
  type Step,
  serverTag,
  synchronizationMessage,
} from "./handshake.ts";
import { checkKeyDatabaseKind, type SakeKeyDatabase, type SakeKeyEntry } from "./key-database.ts";
import { SakeParty } from "./party.ts";
import { verifyPermit } from "./permit.ts";

/** Where a client stands; `stage` counts messages as the status codes of the devices do. */
export type SakeClientState =
  | { readonly at: "waiting"; readonly stage: 0; readonly synchronized: boolean }
  | { readonly at: "challenged"; readonly stage: 2; readonly entry: SakeKeyEntry }
  | { readonly at: "responded"; readonly stage: 4; readonly entry: SakeKeyEntry; readonly keys: FrameKeys }
  | DoneState
  | FailedState;

export const clientStart: SakeClientState = { at: "waiting", stage: 0, synchronized: false };

/** One message of the server: the wake-up (answered with zero octets) or messages 0, 2, 4 (answered with 1, 3, 5). Any failure is final. */
export function stepClient(setup: HandshakeSetup<ClientRandoms>, state: SakeClientState, message: Uint8Array): Step<SakeClientState> {
  if (state.at === "failed" || state.at === "done") return { state };
  if (message.length !== MESSAGE_LENGTH) return fail(state.stage, "message-length-invalid");
  const { keyDatabase, peerType, randoms } = setup;

  switch (state.at) {
    case "waiting": {
      if (!state.synchronized && message.every((octet) => octet === 0))
        return { state: { ...state, synchronized: true }, reply: synchronizationMessage() };
      const serverType = message[0]!;
      if (!isSakeDeviceType(serverType) || (peerType !== undefined && serverType !== peerType)) return fail(0, "device-type-not-supported");
      if (message[1] !== PROTOCOL_VERSION) return fail(0, "protocol-version-mismatch");
      const entry = keyDatabase.entry(serverType);
      if (!entry) return fail(0, "device-type-not-supported");
      const reply = concat(randoms.keyMaterial, Uint8Array.of(keyDatabase.localDeviceType), randoms.nonce, randoms.challengeFiller);
      return { state: { at: "challenged", stage: 2, entry }, reply };
    }

    case "challenged": {
      const { entry } = state;
      const tag = message.slice(0, 8);
      const server = { keyMaterial: message.slice(8, 16), nonce: message.slice(16, 20) };
      if (constantTimeEqual(server.keyMaterial, randoms.keyMaterial) || constantTimeEqual(server.nonce, randoms.nonce))
        return fail(2, "challenge-invalid");
      if (!constantTimeEqual(serverTag(entry, server.keyMaterial, randoms.keyMaterial), tag)) return fail(2, "challenge-response-invalid");
      const keys = deriveSession(entry, server, randoms);
      const reply = concat(clientTag(entry, tag, server.keyMaterial), randoms.responseFiller);
      return { state: { at: "responded", stage: 4, entry, keys }, reply };
    }

    case "responded": {
      const { entry, keys } = state;
      const opened = openFrame(keys, 1, message, 0);
      if (!opened.ok) return fail(4, "session-key-invalid");
      const verdict = verifyPermit(entry, opened.plaintext.subarray(0, 16), entry.deviceType);
      if (verdict !== "valid") return fail(4, verdict);
      const reply = sealFrame(keys, 0, concat(entry.handshakePayload, randoms.pad))!;
      return {
        state: { at: "done", stage: 6, peerType: entry.deviceType, keys, nextSendSequence: 2, nextReceiveSequence: opened.nextSequence },
        reply,
      };
    }
  }
}

export interface SakeClientOptions {
  readonly keyDatabase: SakeKeyDatabase;
  /** The only server type that is accepted; any in the database when left out. */
  readonly peerType?: number | undefined;
  readonly random?: RandomSource | undefined;
  readonly randoms?: ClientRandoms | undefined;
}

/** The client's side of one handshake: what a pump is to us, and a primary display to a sensor. */
export class SakeClient extends SakeParty<SakeClientState> {
  /** @throws {ArgumentError} no key database */
  constructor({ keyDatabase, peerType, random = systemRandom, randoms = drawClientRandoms(random) }: SakeClientOptions) {
    checkKeyDatabaseKind("SakeClient", keyDatabase);
    super(clientStart, (state, message) => stepClient({ keyDatabase, peerType, randoms }, state, message));
  }
}
