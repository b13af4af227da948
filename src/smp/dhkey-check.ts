import { constantTimeEqual } from "../crypto/equal.ts";
import { f5, f6 } from "../crypto/toolbox.ts";
import { PairingFailedReason } from "./error.ts";
import { type Effect, fail, type Input, type Shared, type State, type Step } from "./state.ts";
import { type CheckNumbers, commonLongTermKey, ioCapOctets, typedOctets } from "./values.ts";

// Authentication stage 2 and long term key, Vol 3 Part H 2.3.5.6.5 and 2.3.5.6.6.

type Checking = Extract<State, { at: "dhkey-check" }>;

/**
 * @param nonces of this side and of the peer
 * @param numbers ra and rb: each side's check value has the other one's number
 * @param peerCheck the initiator's check value, where it came before the own user was done
 */
export function enterCheck(
  { session, agreement, dhKey }: Shared,
  nonces: { readonly own: Uint8Array; readonly peer: Uint8Array },
  numbers: CheckNumbers,
  peerCheck?: Uint8Array,
): Step {
  const isCentral = session.role === "central";
  const a = typedOctets(session.initiator);
  const b = typedOctets(session.responder);
  const [na, nb] = isCentral ? [nonces.own, nonces.peer] : [nonces.peer, nonces.own];
  const [ra, rb] = isCentral ? [numbers.own, numbers.peer] : [numbers.peer, numbers.own];
  const { macKey, ltk } = f5(dhKey, na, nb, a, b);
  const ea = f6(macKey, na, nb, rb, ioCapOctets(agreement.request), a, b);
  const eb = f6(macKey, nb, na, ra, ioCapOctets(agreement.response), b, a);
  const state: Checking = { at: "dhkey-check", session, agreement, ltk, own: isCentral ? ea : eb, expected: isCentral ? eb : ea };
  if (isCentral) return [state, [sendCheck(state)]];
  return peerCheck ? verify(state, peerCheck) : [state, []];
}

export function stepCheck(state: Checking, input: Input): Step | undefined {
  return input.kind === "pdu" && input.pdu.name === "PairingDhKeyCheck" ? verify(state, input.pdu.dhKeyCheck) : undefined;
}

const sendCheck = ({ own }: Checking): Effect => ({ do: "send", pdu: { name: "PairingDhKeyCheck", dhKeyCheck: own } });

function verify(state: Checking, check: Uint8Array): Step {
  const { session, agreement, ltk, expected } = state;
  if (!constantTimeEqual(check, expected)) return fail(PairingFailedReason.DhKeyCheckFailed, "the check value of the peer does not match");
  const common = commonLongTermKey(ltk, agreement.keySize);
  const next: State = { at: "encrypting", session, agreement, key: common.key, ltk: common };
  return [next, [session.role === "central" ? { do: "encrypt" } : sendCheck(state)]];
}
