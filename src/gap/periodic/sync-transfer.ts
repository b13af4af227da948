import { checkInteger } from "../../core/arguments.ts";
import { UnsupportedError } from "../../core/error.ts";
import { ControllerError, HciError, HciErrorCode } from "../../hci/error.ts";
import { LeFeature } from "../../hci/features.ts";
import type { PeriodicPort, SyncLink } from "./periodic-port.ts";

const REFUSED_BY_PEER = "the peer's controller takes no synchronization from others";

/**
 * Hands a peer what it needs to synchronize (Vol 6 Part B 5.1.13).
 *
 * @param send the command, with the octets of Service_Data
 * @throws {UnsupportedError} this controller cannot, or the peer's
 * @throws why the link is gone
 */
export async function transferSync(
  port: PeriodicPort,
  link: SyncLink,
  serviceData: number,
  command: { readonly name: string; readonly send: () => Promise<{ readonly connectionHandle: number }> },
): Promise<void> {
  checkInteger("transferTo: serviceData", serviceData, 0, 0xffff);
  throwIfEnded(link);
  if (!port.hasLeFeature(LeFeature.PeriodicAdvertisingSyncTransferSender))
    throw new UnsupportedError("the controller cannot hand synchronization on");
  if (!(await mayTake(link))) throw new UnsupportedError(REFUSED_BY_PEER);
  throwIfEnded(link);
  try {
    const { connectionHandle } = await command.send();
    if (connectionHandle === link.handle) return;
  } catch (error) {
    throwIfEnded(link);
    if (error instanceof HciError && error.status === HciErrorCode.UnsupportedRemoteFeature)
      throw new UnsupportedError(REFUSED_BY_PEER, { cause: error });
    throw error;
  }
  throw new ControllerError(`the controller answered ${command.name} about another link than ${link.handle}`);
}

function throwIfEnded({ ended }: SyncLink): void {
  if (ended) throw ended as Error;
}

/** A controller refuses while the peer has not said that it can (7.8.89). One that cannot ask the peer is asked itself. */
async function mayTake(link: SyncLink): Promise<boolean> {
  try {
    const features = await link.remoteFeatures();
    return ((features >> BigInt(LeFeature.PeriodicAdvertisingSyncTransferRecipient)) & 1n) === 1n;
  } catch (error) {
    if (error instanceof HciError) return true;
    throw error;
  }
}
