import { constantTimeEqual } from "../crypto/equal.ts";
import { f4 } from "../crypto/toolbox.ts";
import { enterCheck } from "./dhkey-check.ts";
import { PairingFailedReason } from "./error.ts";
import { type Effect, fail, type Input, PASSKEY_ROUNDS, type Shared, type State, type Step } from "./state.ts";
import { isPasskey, samePasskey } from "./values.ts";

// Passkey entry with LE Secure Connections, Vol 3 Part H 2.3.5.6.3: twenty rounds, each of which commits to one bit of the passkey.

type Waiting = Extract<State, { at: "passkey" }>;
type Round = Extract<State, { at: "passkey-confirm" | "passkey-random" }>;

export function enterPasskey(shared: Shared): Step {
  const { session, agreement } = shared;
  const state: Waiting = { at: "passkey", ...shared };
  if (agreement.passkeyHere === "entered") return [state, [{ do: "ask", question: "passkey", keypress: agreement.keypress.own }]];
  if (session.choosesPasskey) return [state, [{ do: "ask", question: "choose-passkey" }]];
  const { passkey } = session.secrets;
  const [next, effects] = withPasskey(state, passkey);
  return [next, [{ do: "display", passkey }, ...effects]];
}

/** The own user still types; the initiator may have begun. */
export function stepPasskey(state: Waiting, input: Input): Step | undefined {
  if (input.kind === "passkey") {
    if (!isPasskey(input.passkey))
      return fail(PairingFailedReason.PasskeyEntryFailed, {
        detail: `no passkey was ${state.agreement.passkeyHere === "entered" ? "entered" : "chosen"}`,
        cause: input.cause,
      });
    return withPasskey(state, input.passkey);
  }
  if (input.kind !== "pdu" || input.pdu.name !== "PairingConfirm") return undefined;
  if (state.session.role === "central" || state.peerConfirm) return undefined;
  return [{ ...state, peerConfirm: input.pdu.confirmValue }, []];
}

function withPasskey(state: Waiting, passkey: number): Step {
  const round: Round = { ...state, at: "passkey-confirm", passkey, round: 0, peerConfirm: undefined };
  if (state.session.role === "central") return [round, [sendConfirm(round)]];
  return state.peerConfirm ? commit(round, state.peerConfirm) : [round, []];
}

export function stepPasskeyRound(state: Round, input: Input): Step | undefined {
  if (input.kind !== "pdu") return undefined;
  if (state.at === "passkey-confirm") return input.pdu.name === "PairingConfirm" ? commit(state, input.pdu.confirmValue) : undefined;
  return input.pdu.name === "PairingRandom" ? reveal(state, input.pdu.randomValue) : undefined;
}

/** 0x80 with the bit of this round, the least significant first. */
const bitOf = ({ passkey, round }: Round): number => 0x80 | ((passkey >> round) & 1);
const ownNonce = ({ session, round }: Round): Uint8Array => session.secrets.nonces[round]!;

function sendConfirm(state: Round): Effect {
  const confirmValue = f4(state.keyPair.publicKey.x, state.peerKey.x, ownNonce(state), bitOf(state));
  return { do: "send", pdu: { name: "PairingConfirm", confirmValue } };
}

/** Both have committed once the peer's confirm value is here: the responder answers with its own, the initiator reveals its nonce. */
function commit(state: Round, peerConfirm: Uint8Array): Step {
  const next: Round = { ...state, at: "passkey-random", peerConfirm };
  if (state.session.role === "peripheral") return [next, [sendConfirm(state)]];
  return [next, [{ do: "send", pdu: { name: "PairingRandom", randomValue: ownNonce(state) } }]];
}

function reveal(state: Round, peerNonce: Uint8Array): Step {
  const { session, keyPair, peerKey, peerConfirm, round, passkey } = state;
  if (!peerConfirm || !constantTimeEqual(peerConfirm, f4(peerKey.x, keyPair.publicKey.x, peerNonce, bitOf(state))))
    return fail(PairingFailedReason.ConfirmValueFailed, "the passkeys of both sides differ");
  const effects: Effect[] = [];
  if (session.role === "peripheral") effects.push({ do: "send", pdu: { name: "PairingRandom", randomValue: ownNonce(state) } });
  if (round + 1 === PASSKEY_ROUNDS) {
    const [next, more] = enterCheck(state, { own: ownNonce(state), peer: peerNonce }, samePasskey(passkey));
    return [next, [...effects, ...more]];
  }
  const next: Round = { ...state, at: "passkey-confirm", round: round + 1, peerConfirm: undefined };
  return [next, session.role === "central" ? [sendConfirm(next)] : effects];
}
