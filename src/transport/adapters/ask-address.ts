import type { Clock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { Address } from "../../core/address.ts";
import { type HciTransport, PacketType } from "../../hci/transport.ts";

/** HCI_Reset and HCI_Read_BD_ADDR, Vol 4 Part E 7.3.2 and 7.4.6. */
const RESET = Uint8Array.of(PacketType.Command, 0x03, 0x0c, 0);
const READ_BD_ADDR = Uint8Array.of(PacketType.Command, 0x09, 0x10, 0);
const ANSWER_MS = 2000;

/**
 * Resets a controller that has no host and asks for its address. Its packets go to nobody afterwards until `onPacket` is set.
 *
 * @throws {TimeoutError} it does not answer · {TransportClosed} · `signal.reason`
 */
export async function askAddress(transport: HciTransport, clock: Clock, signal?: AbortSignal): Promise<Address> {
  const address = new Pending<Address>({ clock, operation: "reading the address of an adapter", signal, timeoutMs: ANSWER_MS });
  transport.onPacket = (packet) => {
    const answers = completes(packet);
    if (answers === 0x0c03) transport.send(READ_BD_ADDR.slice());
    if (answers === 0x1009 && packet.length >= 13 && packet[6] === 0) address.resolve(new Address(packet.slice(7, 13), 0));
  };
  transport.onClose = (reason) => address.reject(reason);
  transport.send(RESET.slice());
  try {
    return await address.promise;
  } finally {
    transport.onPacket = undefined;
    transport.onClose = undefined;
  }
}

/** The opcode that a Command Complete is about. */
function completes(packet: Uint8Array): number | undefined {
  return packet[0] === PacketType.Event && packet[1] === 0x0e && packet.length >= 6 ? packet[4]! | (packet[5]! << 8) : undefined;
}
