import { PairingFailedReason } from "./error.ts";
import type { SmpPdu } from "./pdus.ts";
import { type Agreement, type Effect, fail, type Input, type ReceivedKeys, type Session, type State, type Step } from "./state.ts";
import { KeyDistribution, type LongTermKey } from "./types.ts";
import { masked } from "./values.ts";

// Phase 3, Vol 3 Part H 2.4.3 and 3.6.1: keys travel on the link encrypted by phase 2, the responder's first, in a fixed order.

type Keys = Extract<State, { at: "keys" }>;

export function enterKeys(session: Session, agreement: Agreement, commonLtk: LongTermKey | undefined): Step {
  const state: Keys = { at: "keys", session, agreement, commonLtk, expected: pdusOf(agreement.peerKeys), received: {} };
  if (session.role === "peripheral") {
    const [given, effects] = give(session, agreement);
    return advance({ ...state, given }, effects);
  }
  return advance(state, []);
}

export function stepKeys(state: Keys, input: Input): Step | undefined {
  if (input.kind !== "pdu" || input.pdu.name !== state.expected[0]) return undefined;
  const { pdu } = input;
  const next: Keys = { ...state, expected: state.expected.slice(1) };
  const { received } = state;
  switch (pdu.name) {
    case "EncryptionInformation":
      return advance({ ...next, ltkOctets: pdu.longTermKey }, []);
    case "CentralIdentification": {
      const { keySize } = state.agreement;
      const ltk: LongTermKey = { key: masked(state.ltkOctets!, keySize), ediv: pdu.ediv, rand: pdu.rand, keySize };
      return advance({ ...next, received: { ...received, ltk } }, []);
    }
    case "IdentityInformation":
      // All zeros says that the peer never uses a resolvable address (2.4.2.1); kept as a key it would resolve anybody's forgery.
      return advance(
        pdu.identityResolvingKey.every((octet) => octet === 0)
          ? next
          : { ...next, received: { ...received, irk: pdu.identityResolvingKey } },
        [],
      );
    case "IdentityAddressInformation":
      if (!pdu.address.isIdentity)
        return fail(PairingFailedReason.InvalidParameters, "the identity address is neither public nor static random");
      if (pdu.address.equals(state.session.identity.address))
        return fail(PairingFailedReason.KeyRejected, "the peer claims the identity address of this side");
      return advance({ ...next, received: { ...received, identity: pdu.address } }, []);
    case "SigningInformation":
      return advance({ ...next, received: { ...received, csrk: pdu.signatureKey } }, []);
    default:
      return undefined;
  }
}

/** When the peer has given everything the central gives its own; then both are done. */
function advance(state: Keys, effects: readonly Effect[]): Step {
  const { session, agreement, commonLtk, received } = state;
  if (state.expected.length > 0) return [state, effects];
  if (!state.given) {
    const [given, more] = give(session, agreement);
    return advance({ ...state, given }, [...effects, ...more]);
  }
  return [{ at: "done", outcome: { agreement, commonLtk, received, given: state.given } }, effects];
}

function pdusOf(keys: number): SmpPdu["name"][] {
  const names: SmpPdu["name"][] = [];
  if (keys & KeyDistribution.EncKey) names.push("EncryptionInformation", "CentralIdentification");
  if (keys & KeyDistribution.IdKey) names.push("IdentityInformation", "IdentityAddressInformation");
  if (keys & KeyDistribution.SignKey) names.push("SigningInformation");
  return names;
}

function give({ identity, secrets }: Session, { localKeys, keySize }: Agreement): [ReceivedKeys, Effect[]] {
  const ltk: LongTermKey = { key: masked(secrets.ltk, keySize), ediv: secrets.ediv, rand: secrets.rand, keySize };
  const pdus: SmpPdu[] = [];
  if (localKeys & KeyDistribution.EncKey) {
    pdus.push({ name: "EncryptionInformation", longTermKey: ltk.key }, { name: "CentralIdentification", ediv: ltk.ediv, rand: ltk.rand });
  }
  if (localKeys & KeyDistribution.IdKey) {
    pdus.push(
      { name: "IdentityInformation", identityResolvingKey: identity.irk },
      { name: "IdentityAddressInformation", address: identity.address },
    );
  }
  if (localKeys & KeyDistribution.SignKey) pdus.push({ name: "SigningInformation", signatureKey: secrets.csrk });
  const given: ReceivedKeys = {
    ...(localKeys & KeyDistribution.EncKey && { ltk }),
    ...(localKeys & KeyDistribution.IdKey && { irk: identity.irk, identity: identity.address }),
    ...(localKeys & KeyDistribution.SignKey && { csrk: secrets.csrk }),
  };
  return [given, pdus.map((pdu) => ({ do: "send", pdu }))];
}
