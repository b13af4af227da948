import { concat } from "jelling/bytes";
import { type RandomSource, systemRandom } from "jelling/core";
import { constantTimeEqual } from "jelling/crypto";
import { isSakeDeviceType } from "./device-type.ts";
import type { FrameKeys } from "./frame.ts";
import { openFrame, sealFrame } from "./frame.ts";
import {
  clientTag,
  type DoneState,
  deriveSession,
  drawServerRandoms,
  type FailedState,
  fail,
  type HandshakeSetup,
  MESSAGE_LENGTH,
  PROTOCOL_VERSION,
  type ServerRandoms,
  type Step,
  serverTag,
  synchronizationMessage,
} from "./handshake.ts";
import { checkKeyDatabaseKind, type SakeKeyDatabase, type SakeKeyEntry } from "./key-database.ts";
import { SakeParty } from "./party.ts";
import { verifyPermit } from "./permit.ts";

/** Where a server stands; `stage` counts messages as the status codes of the devices do. */
export type SakeServerState =
  | { readonly at: "synchronizing"; readonly stage: 0 }
  | { readonly at: "challenged"; readonly stage: 1 }
  | {
      readonly at: "responded";
      readonly stage: 3;
      readonly entry: SakeKeyEntry;
      readonly tag: Uint8Array;
      readonly clientKeyMaterial: Uint8Array;
      readonly clientNonce: Uint8Array;
    }
  | { readonly at: "permitted"; readonly stage: 5; readonly entry: SakeKeyEntry; readonly keys: FrameKeys }
  | DoneState
  | FailedState;

export const serverStart: SakeServerState = { at: "synchronizing", stage: 0 };

/**
 * One message of the client. Any failure is final. A message after the end changes nothing and gets no reply.
 *
 * The server's messages 0, 2 and 4 are the replies to the synchronization, message 1 and message 3.
 */
export function stepServer(setup: HandshakeSetup<ServerRandoms>, state: SakeServerState, message: Uint8Array): Step<SakeServerState> {
  if (state.at === "failed" || state.at === "done") return { state };
  if (message.length !== MESSAGE_LENGTH) return fail(state.stage, "message-length-invalid");
  const { keyDatabase, peerType, randoms } = setup;

  switch (state.at) {
    case "synchronizing": {
      if (message.some((octet) => octet !== 0)) return fail(0, "synchronization-invalid");
      const reply = concat(Uint8Array.of(keyDatabase.localDeviceType, PROTOCOL_VERSION), randoms.filler);
      return { state: { at: "challenged", stage: 1 }, reply };
    }

    case "challenged": {
      const clientKeyMaterial = message.slice(0, 8);
      const clientType = message[8]!;
      const clientNonce = message.slice(9, 13);
      if (!isSakeDeviceType(clientType) || (peerType !== undefined && clientType !== peerType)) return fail(1, "device-type-not-supported");
      const entry = keyDatabase.entry(clientType);
      if (!entry) return fail(1, "device-type-not-supported");
      // Someone who holds no key could only hand our own values back.
      if (constantTimeEqual(clientKeyMaterial, randoms.keyMaterial) || constantTimeEqual(clientNonce, randoms.nonce))
        return fail(1, "challenge-invalid");
      const tag = serverTag(entry, randoms.keyMaterial, clientKeyMaterial);
      const reply = concat(tag, randoms.keyMaterial, randoms.nonce);
      return { state: { at: "responded", stage: 3, entry, tag, clientKeyMaterial, clientNonce }, reply };
    }

    case "responded": {
      const { entry } = state;
      if (!constantTimeEqual(clientTag(entry, state.tag, randoms.keyMaterial), message.subarray(0, 8)))
        return fail(3, "challenge-response-invalid");
      const keys = deriveSession(entry, randoms, { keyMaterial: state.clientKeyMaterial, nonce: state.clientNonce });
      const reply = sealFrame(keys, 1, concat(entry.handshakePayload, randoms.pad))!;
      return { state: { at: "permitted", stage: 5, entry, keys }, reply };
    }

    case "permitted": {
      const { entry, keys } = state;
      const opened = openFrame(keys, 0, message, 0);
      if (!opened.ok) return fail(5, "session-key-invalid");
      const verdict = verifyPermit(entry, opened.plaintext.subarray(0, 16), entry.deviceType);
      if (verdict !== "valid") return fail(5, verdict);
      return {
        state: {
          at: "done",
          stage: 6,
          peerType: entry.deviceType,
          keys,
          nextSendSequence: 3,
          nextReceiveSequence: opened.nextSequence,
        },
      };
    }
  }
}

export interface SakeServerOptions {
  readonly keyDatabase: SakeKeyDatabase;
  /** The only client type that is accepted (1 towards a pump); any in the database when left out. */
  readonly peerType?: number | undefined;
  /** Where the random octets come from; they are drawn once, for this handshake. */
  readonly random?: RandomSource | undefined;
  /** The random octets themselves, for reproducing a handshake. */
  readonly randoms?: ServerRandoms | undefined;
}

/** The server's side of one handshake: notify `wakeUp`, then answer each message. Make a new one for every subscription. */
export class SakeServer extends SakeParty<SakeServerState> {
  /** What to notify first: 20 zero octets. */
  readonly wakeUp = synchronizationMessage();

  /** @throws {ArgumentError} no key database */
  constructor({ keyDatabase, peerType, random = systemRandom, randoms = drawServerRandoms(random) }: SakeServerOptions) {
    checkKeyDatabaseKind("SakeServer", keyDatabase);
    super(serverStart, (state, message) => stepServer({ keyDatabase, peerType, randoms }, state, message));
  }
}
