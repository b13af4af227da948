import { constantTimeEqual } from "../crypto/equal.ts";
import { isDebugPublicKey, P256KeyPair, type P256PublicKey } from "../crypto/p256.ts";
import { f4, g2 } from "../crypto/toolbox.ts";
import { enterCheck } from "./dhkey-check.ts";
import { PairingFailedReason } from "./error.ts";
import { enterOutOfBand, usesOwnOutOfBand } from "./secure-out-of-band.ts";
import { enterPasskey } from "./secure-passkey.ts";
import { type Agreement, type Effect, fail, type Input, type Session, type Shared, type State, type Step } from "./state.ts";
import { samePasskey } from "./values.ts";

// Phase 2 of LE Secure Connections, Vol 3 Part H 2.3.5.6.1 and 2.3.5.6.2: the public keys, then Just Works or numeric comparison.

type At<Name extends State["at"]> = Extract<State, { at: Name }>;

export function enterSecureConnections(session: Session, agreement: Agreement): Step {
  const given = usesOwnOutOfBand(session, agreement) ? session.localOutOfBand : undefined;
  if (given && !given.isUsable)
    return fail(PairingFailedReason.OobNotAvailable, "what this side gave out of band was used by another pairing");
  // What the peer has out of band commits to the key pair of its making; otherwise it is a fresh one for every pairing.
  const keyPair = given?.keyPair ?? P256KeyPair.fromSeed(session.secrets.keyPairSeed);
  const state: State = { at: "public-key", session, agreement, keyPair };
  const spend: Effect[] = given ? [{ do: "spend", data: given }] : [];
  return [state, session.role === "central" ? [...spend, sendPublicKey(keyPair)] : spend];
}

const sendPublicKey = ({ publicKey }: P256KeyPair): Effect => ({ do: "send", pdu: { name: "PairingPublicKey", ...publicKey } });

export function stepPublicKey(state: At<"public-key">, input: Input): Step | undefined {
  if (input.kind !== "pdu" || input.pdu.name !== "PairingPublicKey") return undefined;
  const { session, agreement, keyPair } = state;
  const peerKey: P256PublicKey = { x: input.pdu.x, y: input.pdu.y };
  // A reflected key would make both sides' confirm values interchangeable; y alone may be mirrored, so x decides.
  if (constantTimeEqual(peerKey.x, keyPair.publicKey.x))
    return fail(PairingFailedReason.InvalidParameters, "the peer reflected the public key of this side");
  if (isDebugPublicKey(peerKey) && !session.policy.allowDebugKey)
    return fail(PairingFailedReason.InvalidParameters, "the peer uses the debug key, which everybody knows");
  const dhKey = keyPair.dhKey(peerKey);
  if (!dhKey) return fail(PairingFailedReason.InvalidParameters, "the public key of the peer is not a point of P-256");
  const shared: Shared = { session, agreement, keyPair, peerKey, dhKey };
  const [next, effects] = enterStage1(shared);
  return [next, session.role === "peripheral" ? [sendPublicKey(keyPair), ...effects] : effects];
}

function enterStage1(shared: Shared): Step {
  const { session, agreement, keyPair, peerKey } = shared;
  if (agreement.method === "passkey-entry") return enterPasskey(shared);
  if (agreement.method === "out-of-band") return enterOutOfBand(shared);
  if (session.role === "central") return [{ at: "numeric-confirm", ...shared }, []];
  const confirmValue = f4(keyPair.publicKey.x, peerKey.x, ownNonce(session), 0);
  return [{ at: "numeric-random", ...shared }, [{ do: "send", pdu: { name: "PairingConfirm", confirmValue } }]];
}

const ownNonce = ({ secrets }: Session): Uint8Array => secrets.nonces[0]!;

/** Central: the responder has committed itself, so the own nonce may go out. */
export function stepNumericConfirm(state: At<"numeric-confirm">, input: Input): Step | undefined {
  if (input.kind !== "pdu" || input.pdu.name !== "PairingConfirm") return undefined;
  return [
    { ...state, at: "numeric-random", peerConfirm: input.pdu.confirmValue },
    [{ do: "send", pdu: { name: "PairingRandom", randomValue: ownNonce(state.session) } }],
  ];
}

export function stepNumericRandom(state: At<"numeric-random">, input: Input): Step | undefined {
  if (input.kind !== "pdu" || input.pdu.name !== "PairingRandom") return undefined;
  const { session, agreement, keyPair, peerKey, peerConfirm } = state;
  const peerNonce = input.pdu.randomValue;
  const own = ownNonce(session);
  const effects: Effect[] = [];
  if (session.role === "central") {
    if (!peerConfirm || !constantTimeEqual(peerConfirm, f4(peerKey.x, keyPair.publicKey.x, peerNonce, 0)))
      return fail(PairingFailedReason.ConfirmValueFailed, "the confirm value does not match");
  } else {
    effects.push({ do: "send", pdu: { name: "PairingRandom", randomValue: own } });
  }
  if (agreement.method === "just-works") {
    const [next, more] = enterCheck(state, { own, peer: peerNonce }, samePasskey(0));
    return [next, [...effects, ...more]];
  }
  const value =
    (session.role === "central" ? g2(keyPair.publicKey.x, peerKey.x, own, peerNonce) : g2(peerKey.x, keyPair.publicKey.x, peerNonce, own)) %
    1_000_000;
  return [{ ...state, at: "compare", peerNonce }, [...effects, { do: "ask", question: "compare", value }]];
}

/** Both users compare the numbers. The initiator's may be done first, so its check can be here before the own user has answered. */
export function stepCompare(state: At<"compare">, input: Input): Step | undefined {
  if (input.kind === "compared") {
    if (!input.equal)
      return fail(PairingFailedReason.NumericComparisonFailed, { detail: "the numbers were not confirmed", cause: input.cause });
    return enterCheck(state, { own: ownNonce(state.session), peer: state.peerNonce }, samePasskey(0), state.peerCheck);
  }
  if (input.kind !== "pdu" || input.pdu.name !== "PairingDhKeyCheck") return undefined;
  if (state.session.role === "central" || state.peerCheck) return undefined;
  return [{ ...state, peerCheck: input.pdu.dhKeyCheck }, []];
}
