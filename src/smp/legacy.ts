import { constantTimeEqual } from "../crypto/equal.ts";
import { reversed } from "../crypto/reversed.ts";
import { c1, s1 } from "../crypto/toolbox.ts";
import { PairingFailedReason } from "./error.ts";
import { temporaryKeyOf } from "./features.ts";
import { type Agreement, fail, type Input, type Session, type State, type Step } from "./state.ts";
import { isPasskey, masked, pairingOctets, passkeyOctets } from "./values.ts";

// Phase 2 of LE legacy pairing, Vol 3 Part H 2.3.5.2 to 2.3.5.5: Just Works and passkey entry, both roles.

type Confirming = Extract<State, { at: "legacy-confirm" }>;
type Revealing = Extract<State, { at: "legacy-random" }>;

export function enterLegacy(session: Session, agreement: Agreement): Step {
  const state: Confirming = { at: "legacy-confirm", session, agreement };
  if (agreement.method === "just-works") return withTk(state, new Uint8Array(16));
  if (agreement.method === "out-of-band") return enterOutOfBand(state);
  if (agreement.passkeyHere === "entered") return [state, [{ do: "ask", question: "passkey", keypress: agreement.keypress.own }]];
  if (session.choosesPasskey) return [state, [{ do: "ask", question: "choose-passkey" }]];
  const { passkey } = session.secrets;
  const [next, effects] = withTk(state, passkeyOctets(passkey));
  return [next, [{ do: "display", passkey }, ...effects]];
}

/** 2.3.5.4: what came out of band is the temporary key, all 128 bits of it. */
function enterOutOfBand(state: Confirming): Step {
  const temporaryKey = temporaryKeyOf(state.session);
  if (!temporaryKey) return fail(PairingFailedReason.OobNotAvailable, "the temporary key was used by another pairing");
  const [next, effects] = withTk(state, temporaryKey.key);
  return [next, temporaryKey.giver ? [{ do: "spend", data: temporaryKey.giver }, ...effects] : effects];
}

export function stepLegacy(state: Confirming | Revealing, input: Input): Step | undefined {
  if (state.at === "legacy-random") {
    return input.kind === "pdu" && input.pdu.name === "PairingRandom" ? onRandom(state, input.pdu.randomValue) : undefined;
  }
  if (input.kind === "passkey" && !state.tk) {
    if (!isPasskey(input.passkey))
      return fail(PairingFailedReason.PasskeyEntryFailed, {
        detail: `no passkey was ${state.agreement.passkeyHere === "entered" ? "entered" : "chosen"}`,
        cause: input.cause,
      });
    return withTk(state, passkeyOctets(input.passkey));
  }
  if (input.kind !== "pdu" || input.pdu.name !== "PairingConfirm") return undefined;
  const { confirmValue } = input.pdu;
  if (state.session.role === "peripheral") return state.peerConfirm ? undefined : answer({ ...state, peerConfirm: confirmValue });
  if (!state.tk) return undefined;
  // An echo of the own value proves nothing: whoever sends it would pass the check below by echoing the random value as well.
  if (constantTimeEqual(confirmValue, confirm(state.session, state.agreement, state.tk, ownRandom(state.session))))
    return fail(PairingFailedReason.ConfirmValueFailed, "the peer echoed the confirm value of this side");
  return [
    { ...state, at: "legacy-random", tk: state.tk, peerConfirm: confirmValue },
    [{ do: "send", pdu: { name: "PairingRandom", randomValue: ownRandom(state.session) } }],
  ];
}

function withTk(state: Confirming, tk: Uint8Array): Step {
  const next = { ...state, tk };
  if (state.session.role === "peripheral") return answer(next);
  return [next, [sendConfirm(next, tk)]];
}

/** The responder's confirm value goes out once both the initiator's and the TK are here. */
function answer(state: Confirming): Step {
  const { tk, peerConfirm } = state;
  if (!tk || !peerConfirm) return [state, []];
  return [{ ...state, at: "legacy-random", tk, peerConfirm }, [sendConfirm(state, tk)]];
}

function sendConfirm({ session, agreement }: Confirming, tk: Uint8Array) {
  const confirmValue = confirm(session, agreement, tk, ownRandom(session));
  return { do: "send", pdu: { name: "PairingConfirm", confirmValue } } as const;
}

const ownRandom = ({ secrets }: Session): Uint8Array => secrets.nonces[0]!;

function confirm({ initiator, responder }: Session, { request, response }: Agreement, tk: Uint8Array, random: Uint8Array): Uint8Array {
  return c1(
    tk,
    random,
    pairingOctets("PairingRequest", request),
    pairingOctets("PairingResponse", response),
    initiator.type,
    responder.type,
    reversed(initiator.bytes),
    reversed(responder.bytes),
  );
}

const MISMATCHES: Partial<Record<Agreement["method"], string>> = {
  "passkey-entry": "the passkeys of both sides differ",
  "out-of-band": "the temporary keys of both sides differ",
};

function onRandom({ session, agreement, tk, peerConfirm }: Revealing, random: Uint8Array): Step {
  if (!constantTimeEqual(peerConfirm, confirm(session, agreement, tk, random))) {
    return fail(PairingFailedReason.ConfirmValueFailed, MISMATCHES[agreement.method] ?? "the confirm value does not match");
  }
  const own = ownRandom(session);
  const isCentral = session.role === "central";
  const stk = masked(isCentral ? s1(tk, random, own) : s1(tk, own, random), agreement.keySize);
  const next: State = { at: "encrypting", session, agreement, key: stk };
  return [next, isCentral ? [{ do: "encrypt" }] : [{ do: "send", pdu: { name: "PairingRandom", randomValue: own } }]];
}
