import { constantTimeEqual } from "../crypto/equal.ts";
import { f4 } from "../crypto/toolbox.ts";
import { enterCheck } from "./dhkey-check.ts";
import { PairingFailedReason } from "./error.ts";
import { type Agreement, type Effect, fail, type Input, type Session, type Shared, type State, type Step } from "./state.ts";

// Out-of-band with LE Secure Connections, Vol 3 Part H 2.3.5.6.4. Each side proves itself by what it gave: to who has C of the peer, the public
// key is proved by it; and who has r of this side shows so in its check value.

const NOTHING = new Uint8Array(16);

const flags = ({ role }: Session, { request, response }: Agreement): { own: boolean; peer: boolean } => {
  const [own, peer] = role === "central" ? [request, response] : [response, request];
  return { own: own.oobDataFlag === 1, peer: peer.oobDataFlag === 1 };
};

/** The peer has what this side gave, so that the pairing must be with that key pair. */
export function usesOwnOutOfBand(session: Session, agreement: Agreement): boolean {
  return agreement.method === "out-of-band" && flags(session, agreement).peer;
}

/** After the public keys. */
export function enterOutOfBand(shared: Shared): Step {
  const { session, agreement, peerKey } = shared;
  if (flags(session, agreement).own) {
    const { confirm, random } = session.policy.outOfBand ?? {};
    if (!confirm || !random || !constantTimeEqual(confirm, f4(peerKey.x, peerKey.x, random, 0)))
      return fail(PairingFailedReason.ConfirmValueFailed, "the public key is not the one that was committed to out of band");
  }
  return [{ at: "oob-random", ...shared }, session.role === "central" ? [sendNonce(session)] : []];
}

const ownNonce = ({ secrets }: Session): Uint8Array => secrets.nonces[0]!;
const sendNonce = (session: Session): Effect => ({ do: "send", pdu: { name: "PairingRandom", randomValue: ownNonce(session) } });

export function stepOutOfBand(state: Extract<State, { at: "oob-random" }>, input: Input): Step | undefined {
  if (input.kind !== "pdu" || input.pdu.name !== "PairingRandom") return undefined;
  const { session, agreement } = state;
  const has = flags(session, agreement);
  // A number that the other side did not get is zero (steps 5a and 5b).
  const numbers = {
    own: has.peer ? session.localOutOfBand!.random : NOTHING,
    peer: has.own ? session.policy.outOfBand!.random! : NOTHING,
  };
  const [next, effects] = enterCheck(state, { own: ownNonce(session), peer: input.pdu.randomValue }, numbers);
  return [next, session.role === "peripheral" ? [sendNonce(session), ...effects] : effects];
}
