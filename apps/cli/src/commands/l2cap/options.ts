import type { ChannelMode } from "jelling/l2cap";
import { UsageError } from "../../errors.ts";

/** What both commands take. */
export interface ChannelCommandOptions {
  spsm: number;
  mode: ChannelMode | "both";
  mtu?: number;
  mps?: number;
  window?: number;
  security: "none" | "encrypted" | "authenticated";
  keySize?: number;
  echo?: boolean;
  measure?: boolean;
  atEnd: "close" | "stay";
  linger?: number;
}

/** An MTU or MPS of the enhanced mode, Vol 3 Part A 4.25. */
const LEAST_ENHANCED = 64;

const LINGER_MS = 1000;

/** How long the channel is kept behind the end of standard input while nothing comes. @throws {UsageError} there is no such time */
export function lingerOf({ linger, atEnd, echo, measure }: ChannelCommandOptions): number {
  if (linger !== undefined && (echo || measure))
    throw new UsageError("--linger is of standard input, which --echo and --measure do not read");
  if (linger !== undefined && atEnd === "stay") throw new UsageError("--linger is of --at-end close");
  return linger ?? LINGER_MS;
}

/** As the library takes them. @throws {UsageError} what does not go together */
export function channelOptions(options: ChannelCommandOptions) {
  const { mode, mtu, mps, window, security, keySize } = options;
  for (const [name, value] of Object.entries({ mtu, mps }))
    if (mode !== "credit" && value !== undefined && value < LEAST_ENHANCED)
      throw new UsageError(`--${name} ${value}: the enhanced mode has ${LEAST_ENHANCED} at least; --mode credit takes it`);
  if (keySize !== undefined && security === "none")
    throw new UsageError("--key-size: a key is there with --security encrypted or authenticated");
  return {
    ...(mtu !== undefined && { mtu }),
    ...(mps !== undefined && { mps }),
    ...(window !== undefined && { receiveWindow: window }),
    ...(security !== "none" && {
      security: { encrypted: true, authenticated: security === "authenticated", ...(keySize !== undefined && { minKeySize: keySize }) },
    }),
  };
}

/** "SPSM 0x80". */
export const spsmText = (spsm: number): string => `SPSM 0x${spsm.toString(16).padStart(2, "0")}`;
