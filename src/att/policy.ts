import { ArgumentError } from "../core/error.ts";
import { DEFAULT_ATT_MTU } from "./opcode.ts";

/** How one bearer uses ATT. Policies are per connection. */
export interface AttPolicy {
  /** The largest PDU ever sent - request, response, notification - whatever was negotiated. At least 23; without it ATT_MTU alone decides. */
  readonly maxTxPdu?: number | undefined;
  /** Our receive MTU: what we ask for and what we answer, since both must be the same (Vol 3 Part F 3.4.2.2). 23 to 65,535; 247 by default. */
  readonly mtu?: number | undefined;
  /**
   * Who starts the exchange: "auto" sends a request before the first other client request, "on-demand" (the default) only when
   * `exchangeMtu` is called, "never" refuses even that. A peer's request is answered in any case.
   */
  readonly exchangeMtu?: "auto" | "never" | "on-demand" | undefined;
}

export interface ResolvedAttPolicy {
  readonly maxTxPdu: number;
  readonly mtu: number;
  readonly exchangeMtu: "auto" | "never" | "on-demand";
}

/** @throws {ArgumentError} a size below 23 or above 65,535 */
export function resolveAttPolicy({ maxTxPdu = 0xffff, mtu = 247, exchangeMtu = "on-demand" }: AttPolicy = {}): ResolvedAttPolicy {
  for (const [name, value] of Object.entries({ maxTxPdu, mtu }))
    if (!Number.isInteger(value) || value < DEFAULT_ATT_MTU || value > 0xffff)
      throw new ArgumentError(`ATT policy ${name} ${value}: expected a whole number from ${DEFAULT_ATT_MTU} to 65535`);
  return { maxTxPdu, mtu, exchangeMtu };
}
