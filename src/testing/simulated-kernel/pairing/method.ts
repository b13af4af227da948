import { IoCapability } from "../../../mgmt-protocol/index.ts";

/** How two sides make sure that they pair with each other: who is asked, and who shows what. */
export type PairingMethod = "justWorks" | "compare" | "initiatorTypes" | "responderTypes" | "bothType";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay } = IoCapability;

/** From what the users can do, Vol 3 Part H table 2.8: legacy pairing compares no numbers. */
export function pairingMethod(initiator: number, responder: number, isSecureConnections: boolean): PairingMethod {
  if (initiator === NoInputNoOutput || responder === NoInputNoOutput) return "justWorks";
  if (initiator === KeyboardOnly && responder === KeyboardOnly) return "bothType";
  const canConfirm = (capability: number): boolean => capability === DisplayYesNo || capability === KeyboardDisplay;
  if (isSecureConnections && canConfirm(initiator) && canConfirm(responder)) return "compare";
  if (responder === KeyboardOnly || (responder === KeyboardDisplay && initiator !== KeyboardOnly)) return "responderTypes";
  if (initiator === KeyboardOnly || (initiator === KeyboardDisplay && responder === DisplayOnly)) return "initiatorTypes";
  return initiator === KeyboardDisplay && responder === DisplayYesNo ? "initiatorTypes" : "justWorks";
}

/**
 * Whether Linux refuses it: where both sides have somebody to ask, each demands protection against a man in the middle, which Just Works
 * does not give (Authentication Requirements, Vol 3 Part H 3.5.5). Seen on 6.1 with all combinations.
 */
export function isRefused(method: PairingMethod, initiator: number, responder: number): boolean {
  return method === "justWorks" && initiator !== NoInputNoOutput && responder !== NoInputNoOutput;
}
