import type { AttBearer } from "../../att/bearer.ts";
import type { GattPeer } from "./definition.ts";

/** Whether the application agrees to an access. No answer of its own, and an error, are a refusal. */
export async function askConsent({ logger }: AttBearer, peer: GattPeer, access: { handle: number; write: boolean }): Promise<boolean> {
  try {
    return (await peer.authorize?.(access)) === true;
  } catch (error) {
    logger.warn(() => `authorization of handle ${access.handle} failed: ${String(error)}`);
    return false;
  }
}
