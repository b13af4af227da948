import { AttBearerClosedError } from "../att/index.ts";
import type { Connection } from "../device/index.ts";
import type { Activation } from "./activation.ts";

/** Notifications and write commands of one link that may wait for room on it. */
const MOST_WAITING = 256;

/**
 * Sends a notification or a write command, in the order of the calls. Resolves when it was given to the controller; at once where it waits
 * for something else than room on the link: the answer to an exchange of the ATT_MTU may be behind the packet that the caller is handling.
 *
 * @throws {BleOsError} ENOMEM: too much waits already · ENOTCONN
 */
export async function sendFlow(
  what: string,
  { att }: Connection,
  opcode: number,
  handle: number,
  value: Uint8Array,
  { errors, logger }: Activation,
): Promise<void> {
  if (att.refusal) throw errors.create("ENOTCONN", `${what}: ${att.refusal.message}`, { cause: att.refusal });
  const isFlowing = att.writable || !att.channel.writable;
  if (!att.writable && att.pending >= MOST_WAITING) throw errors.create("ENOMEM", `${what}: ${MOST_WAITING} packets wait for the link`);
  const sent = att.sendFlow(att.valueFrame(opcode, handle, value));
  if (!isFlowing) {
    sent.catch((error: unknown) => logger.info(() => `${what}: nothing was sent: ${String(error)}`));
    return;
  }
  try {
    await sent;
  } catch (error) {
    if (error instanceof AttBearerClosedError) throw errors.create("ENOTCONN", `${what}: ${error.message}`, { cause: error });
    throw errors.of(what, error);
  }
}
