import { PairingFailedReason } from "./error.ts";
import { type Claim, isShown, judgeClaim, linkIdentityOf, onAnotherLink } from "./identity.ts";
import type { SmpPdu } from "./pdus.ts";
import { adviceFor, judgeReplacement, replacementOf } from "./replacement.ts";
import { type Effect, fail, type Input, type SideKeys, type State, type Step } from "./state.ts";
import { KeyDistribution, type LongTermKey } from "./types.ts";
import { masked } from "./values.ts";

// Phase 3, Vol 3 Part H 2.4.3 and 3.6.1: keys travel on the link encrypted by phase 2, the responder's first, in a fixed order.

type Encrypting = Extract<State, { at: "encrypting" }>;
type Keys = Extract<State, { at: "keys" }>;

const KEY_PDUS: ReadonlySet<SmpPdu["name"]> = new Set<SmpPdu["name"]>([
  "EncryptionInformation",
  "CentralIdentification",
  "IdentityInformation",
  "IdentityAddressInformation",
  "SigningInformation",
]);

/**
 * The controller tells of encryption by an event and delivers the peer's first key as data, and there is no order between the two. Keys that
 * come while encryption may already have begun are held, as many as are expected, and taken when the event is here; if it does not come,
 * they are never looked at.
 */
export function stepEncrypting(state: Encrypting, input: Input): Step | undefined {
  if (input.kind === "key-given") return [{ ...state, isKeyGiven: true }, []];
  if (input.kind === "encrypted") return enterKeys(state);
  if (input.kind !== "pdu" || !KEY_PDUS.has(input.pdu.name)) return undefined;
  const { held = [], session, agreement } = state;
  const mayBeEncrypted = session.role === "central" || state.isKeyGiven;
  if (!mayBeEncrypted || held.length >= pdusOf(agreement.peerKeys).length) return undefined;
  return [{ ...state, held: [...held, input.pdu] }, []];
}

function enterKeys({ session, agreement, ltk, held = [] }: Encrypting): Step {
  const state: Keys = { at: "keys", session, agreement, expected: pdusOf(agreement.peerKeys), peer: { ltk } };
  let [next, effects]: Step = session.role === "peripheral" ? advance(...give(state)) : advance(state, []);
  for (const pdu of held) {
    const [after, more]: Step =
      (next.at === "keys" ? stepKeys(next, { kind: "pdu", pdu }) : undefined) ??
      fail(PairingFailedReason.UnspecifiedReason, `${pdu.name} does not belong here`);
    next = after;
    effects = [...effects, ...more];
    if (next.at === "failed") break;
  }
  return [next, effects];
}

export function stepKeys(state: Keys, input: Input): Step | undefined {
  if (input.kind === "found") return state.judging === "find" ? onFound(state, input) : undefined;
  if (input.kind === "replace") return state.judging === "replace" ? onReplace(state, input) : undefined;
  if (input.kind !== "pdu" || input.pdu.name !== state.expected[0]) return undefined;
  const { pdu } = input;
  const next: Keys = { ...state, expected: state.expected.slice(1) };
  const { peer } = state;
  switch (pdu.name) {
    case "EncryptionInformation":
      return advance({ ...next, longTermKey: pdu.longTermKey }, []);
    case "CentralIdentification": {
      const { keySize } = state.agreement;
      const ltk: LongTermKey = { key: masked(state.longTermKey!, keySize), ediv: pdu.ediv, rand: pdu.rand, keySize };
      return advance({ ...next, peer: { ...peer, ltk } }, []);
    }
    case "IdentityInformation":
      return advance({ ...next, peer: { ...peer, irk: pdu.identityResolvingKey } }, []);
    case "IdentityAddressInformation":
      return onClaim(next, judgeClaim(state.session, { address: pdu.address, irk: peer.irk! }));
    case "SigningInformation":
      return advance({ ...next, peer: { ...peer, csrk: pdu.signatureKey } }, []);
    default:
      return undefined;
  }
}

function onClaim(state: Keys, claim: Claim): Step {
  if (claim.verdict === "refused") return fail(claim.reason, claim);
  const { irk: _, ...peer } = state.peer;
  const agreement = claim.note ? { ...state.agreement, refused: [...state.agreement.refused, claim.note] } : state.agreement;
  const { identity, irk, isNamed } = claim;
  if (!identity) return advance({ ...state, agreement, peer }, []);
  // What is stored under it is asked in any case: another link may have made a bond since this pairing began.
  const believed = { ...peer, irk, ...(isNamed && { identity }) };
  return [{ ...state, agreement, peer: believed, identity, judging: "find" }, [{ do: "find", identity, irk }]];
}

function onFound(state: Keys, { bond, irkHolder, isOnAnotherLink }: Extract<Input, { kind: "found" }>): Step {
  const { session, agreement, identity } = state;
  if (isOnAnotherLink && !isShown(session, identity!)) return fail(PairingFailedReason.KeyRejected, onAnotherLink(identity!));
  if (irkHolder) {
    const detail = `the peer gives the identity resolving key of another bond, with ${irkHolder}`;
    return fail(PairingFailedReason.KeyRejected, { detail, advice: adviceFor({ identity: irkHolder }) });
  }
  const isKnown = session.bond?.identity.equals(identity!);
  // The bond of the peer's own address was judged before the pairing began.
  if (isKnown) return advance({ ...state, judging: undefined }, []);
  const verdict = judgeReplacement(bond, agreement, { policy: session.policy, isProved: false, wanted: false });
  if (typeof verdict === "object") {
    const detail = `the peer claims the identity ${identity}; ${verdict.detail}`;
    return fail(PairingFailedReason.KeyRejected, { ...verdict, detail });
  }
  if (verdict === "allowed" || !bond) return advance({ ...state, judging: undefined }, []);
  const replacement = replacementOf(agreement);
  return [{ ...state, judging: "replace", replaced: bond }, [{ do: "ask", question: "replace", bond, replacement }]];
}

function onReplace(state: Keys, { allowed, cause }: Extract<Input, { kind: "replace" }>): Step {
  if (allowed) return advance({ ...state, judging: undefined }, []);
  const detail = `the peer claims the identity ${state.identity}; replacing its bond was not allowed by the user`;
  return fail(PairingFailedReason.KeyRejected, { detail, advice: state.replaced && adviceFor(state.replaced), cause });
}

/** When the peer has given everything and its identity is accepted, the central gives its own keys; then both are done. */
function advance(state: Keys, effects: readonly Effect[]): Step {
  const { agreement, peer, local, session } = state;
  if (state.expected.length > 0 || state.judging) return [state, effects];
  if (!local) {
    const [next, more] = give(state);
    return advance(next, [...effects, ...more]);
  }
  const identity = state.identity ?? session.bond?.identity ?? linkIdentityOf(session);
  const replaced = state.replaced ?? session.bond;
  const isClaimed = identity !== undefined && !isShown(session, identity);
  return [{ at: "done", outcome: { agreement, local, peer, identity, isClaimed, replaced, isProved: session.isProved } }, effects];
}

function pdusOf(keys: number): SmpPdu["name"][] {
  const names: SmpPdu["name"][] = [];
  if (keys & KeyDistribution.EncKey) names.push("EncryptionInformation", "CentralIdentification");
  if (keys & KeyDistribution.IdKey) names.push("IdentityInformation", "IdentityAddressInformation");
  if (keys & KeyDistribution.SignKey) names.push("SigningInformation");
  return names;
}

/** Sends the own keys. */
function give(state: Keys): [Keys, Effect[]] {
  const { session, agreement, peer } = state;
  const { identity, secrets } = session;
  const { localKeys, keySize, secureConnections } = agreement;
  const pdus: SmpPdu[] = [];
  let local: SideKeys = secureConnections ? { ltk: peer.ltk } : {};
  if (localKeys & KeyDistribution.EncKey) {
    const ltk: LongTermKey = { key: masked(secrets.ltk, keySize), ediv: secrets.ediv, rand: secrets.rand, keySize };
    pdus.push({ name: "EncryptionInformation", longTermKey: ltk.key }, { name: "CentralIdentification", ediv: ltk.ediv, rand: ltk.rand });
    local = { ...local, ltk };
  }
  if (localKeys & KeyDistribution.IdKey) {
    pdus.push(
      { name: "IdentityInformation", identityResolvingKey: identity.irk },
      { name: "IdentityAddressInformation", address: identity.address },
    );
    local = { ...local, irk: identity.irk, identity: identity.address };
  }
  if (localKeys & KeyDistribution.SignKey) {
    pdus.push({ name: "SigningInformation", signatureKey: secrets.csrk });
    local = { ...local, csrk: secrets.csrk };
  }
  return [{ ...state, local }, pdus.map((pdu) => ({ do: "send", pdu }))];
}
