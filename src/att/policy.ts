import { checkChoice, checkInteger, checkOptions, optionNames } from "../core/arguments.ts";
import { DEFAULT_ATT_MTU } from "./opcode.ts";

const EXCHANGES = ["as-needed", "auto", "on-demand", "never"] as const;

/** How one bearer uses ATT. Policies are per connection. */
export interface AttPolicy {
  /** The largest PDU ever sent - request, response, notification - whatever was negotiated. At least 23; without it ATT_MTU alone decides. */
  readonly maxTxPdu?: number | undefined;
  /** Our receive MTU: what we ask for and what we answer, since both must be the same (Vol 3 Part F 3.4.2.2). 23 to 65,535; 247 by default. */
  readonly mtu?: number | undefined;
  /**
   * Who starts the exchange: "as-needed" (the default) has the client ask before the first operation that two PDUs do not hold, "auto"
   * before its first request of any kind, "on-demand" only when `exchangeMtu` is called; "never" refuses even that. A peer's request is
   * answered in any case.
   */
  readonly exchangeMtu?: (typeof EXCHANGES)[number] | undefined;
}

export interface ResolvedAttPolicy {
  readonly maxTxPdu: number;
  readonly mtu: number;
  readonly exchangeMtu: (typeof EXCHANGES)[number];
}

const NAMES = optionNames<AttPolicy>({ maxTxPdu: true, mtu: true, exchangeMtu: true });

/** @throws {ArgumentError} a size below 23 or above 65,535, an unknown name or word */
export function resolveAttPolicy(policy: AttPolicy = {}): ResolvedAttPolicy {
  checkOptions("ATT policy", policy, NAMES);
  const { maxTxPdu = 0xffff, mtu = 247, exchangeMtu = "as-needed" } = policy;
  for (const [name, value] of Object.entries({ maxTxPdu, mtu })) checkInteger(`ATT policy ${name}`, value, DEFAULT_ATT_MTU, 0xffff);
  return { maxTxPdu, mtu, exchangeMtu: checkChoice("ATT policy exchangeMtu", exchangeMtu, EXCHANGES) };
}
