import { stepCheck } from "./dhkey-check.ts";
import { PairingFailedReason } from "./error.ts";
import { agree, checkRanges, isRefusal, requestFor, responseFor } from "./features.ts";
import { stepEncrypting, stepKeys } from "./key-distribution.ts";
import { keypressEffects } from "./keypress.ts";
import { enterLegacy, stepLegacy } from "./legacy.ts";
import type { PairingFeatures } from "./pdus.ts";
import { adviceFor, judgeReplacement, replacementOf } from "./replacement.ts";
import { enterSecureConnections, stepCompare, stepNumericConfirm, stepNumericRandom, stepPublicKey } from "./secure-connections.ts";
import { stepOutOfBand } from "./secure-out-of-band.ts";
import { stepPasskey, stepPasskeyRound } from "./secure-passkey.ts";
import { type Agreement, fail, type Input, type Session, type State, type Step } from "./state.ts";

// One pairing from Pairing Request to the last key. No step does anything: it says what the driver shall do.

/** Central: the first step. */
export function beginAsInitiator(session: Session): Step {
  const request = requestFor(session);
  return [{ at: "pairing-response", session, request }, [{ do: "send", pdu: { name: "PairingRequest", ...request } }]];
}

/** Peripheral: the first step, on the peer's Pairing Request. */
export function beginAsResponder(session: Session, request: PairingFeatures): Step {
  const invalid = checkRanges(request);
  if (invalid) return fail(invalid.reason, invalid.detail);
  const agreement = agree(session, request, responseFor(session, request));
  if (isRefusal(agreement)) return fail(agreement.reason, agreement.detail);
  return enterConsent(session, agreement);
}

/** The next state and what to do, for any state and input. An input that does not belong there ends the pairing. */
export function step(state: State, input: Input): Step {
  if (state.at === "done" || state.at === "failed") return [state, []];
  if (input.kind === "pdu") {
    if (input.pdu.name === "PairingFailed") return [{ at: "failed", reason: input.pdu.reason, side: "peer" }, []];
    if (input.pdu.name === "PairingKeypressNotification") return [state, keypressEffects(state, input.pdu.notificationType)];
    // Crossed our Pairing Request on its way: the pairing it asks for is under way.
    if (input.pdu.name === "SecurityRequest" && state.session.role === "central") return [state, []];
  }
  const next = dispatch(state, input);
  if (next) return next;
  // An answer of the user that came too late is no fault of the peer.
  if (input.kind !== "pdu") return [state, []];
  return fail(PairingFailedReason.UnspecifiedReason, `${input.pdu.name} does not belong here`);
}

function dispatch(state: Exclude<State, { at: "done" | "failed" }>, input: Input): Step | undefined {
  switch (state.at) {
    case "pairing-response": {
      if (input.kind !== "pdu" || input.pdu.name !== "PairingResponse") return undefined;
      const agreement = agree(state.session, state.request, input.pdu);
      return isRefusal(agreement) ? fail(agreement.reason, agreement.detail) : enterConsent(state.session, agreement);
    }
    case "consent":
      if (input.kind !== state.question) return undefined;
      if (!input.allowed) return refused(state, input.cause);
      return enterPhase2(state.session, state.agreement);
    case "legacy-confirm":
    case "legacy-random":
      return stepLegacy(state, input);
    case "public-key":
      return stepPublicKey(state, input);
    case "numeric-confirm":
      return stepNumericConfirm(state, input);
    case "numeric-random":
      return stepNumericRandom(state, input);
    case "compare":
      return stepCompare(state, input);
    case "oob-random":
      return stepOutOfBand(state, input);
    case "passkey":
      return stepPasskey(state, input);
    case "passkey-confirm":
    case "passkey-random":
      return stepPasskeyRound(state, input);
    case "dhkey-check":
      return stepCheck(state, input);
    case "encrypting":
      return stepEncrypting(state, input);
    case "keys":
      return stepKeys(state, input);
  }
}

/**
 * A bond that would be replaced is judged before anything is agreed. Nobody sees anything of a Just Works pairing, so the user is asked
 * whether it may be; every other method shows itself.
 */
function enterConsent(session: Session, agreement: Agreement): Step {
  const { bond, wanted } = session;
  const verdict = judgeReplacement(bond, agreement, session);
  if (typeof verdict === "object") return fail(PairingFailedReason.AuthenticationRequirements, verdict);
  if (bond && verdict === "ask") {
    const replacement = replacementOf(agreement);
    return [{ at: "consent", session, agreement, question: "replace" }, [{ do: "ask", question: "replace", bond, replacement }]];
  }
  if (agreement.method !== "just-works" || wanted) return enterPhase2(session, agreement);
  return [{ at: "consent", session, agreement, question: "consent" }, [{ do: "ask", question: "consent" }]];
}

function refused({ question, session: { bond } }: Extract<State, { at: "consent" }>, cause: unknown): Step {
  const detail = question === "replace" ? "replacing the bond was not allowed by the user" : "the pairing was not allowed by the user";
  const advice = question === "replace" && bond ? adviceFor(bond) : undefined;
  return fail(PairingFailedReason.UnspecifiedReason, { detail, advice, cause });
}

function enterPhase2(session: Session, agreement: Agreement): Step {
  const [state, effects] = agreement.secureConnections ? enterSecureConnections(session, agreement) : enterLegacy(session, agreement);
  if (session.role === "central") return [state, effects];
  return [state, [{ do: "send", pdu: { name: "PairingResponse", ...agreement.response } }, ...effects]];
}
