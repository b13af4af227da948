import { IoCapability } from "../../mgmt-protocol/index.ts";

/** How two sides make sure that they pair with each other: who is asked, and who shows what. */
export type PairingMethod = "justWorks" | "compare" | "initiatorTypes" | "responderTypes" | "bothType";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay } = IoCapability;

/** From what the users can do, Vol 3 Part H table 2.8. */
export function pairingMethod(initiator: number, responder: number, isSecureConnections: boolean): PairingMethod {
  if (initiator === NoInputNoOutput || responder === NoInputNoOutput) return "justWorks";
  if (initiator === KeyboardOnly && responder === KeyboardOnly) return "bothType";
  const canConfirm = (capability: number): boolean => capability === DisplayYesNo || capability === KeyboardDisplay;
  if (isSecureConnections && canConfirm(initiator) && canConfirm(responder)) return "compare";
  if (responder === KeyboardOnly || (responder === KeyboardDisplay && initiator !== KeyboardOnly)) return "responderTypes";
  if (initiator === KeyboardOnly || (initiator === KeyboardDisplay && responder === DisplayOnly)) return "initiatorTypes";
  return initiator === KeyboardDisplay && responder === DisplayYesNo ? "initiatorTypes" : "justWorks";
}
