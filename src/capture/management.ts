import { HEADER_OCTETS } from "../mgmt-protocol/index.ts";
import { type MonitorRecord, viewOf } from "./record.ts";

/** Cookie and code in front of the parameters of a ControlCommand or ControlEvent. */
export const CONTROL_OCTETS = 6;

/** The management packet that a ControlCommand or ControlEvent carries, as it was on the management socket: the header is put together again. */
export function managementPacketOf({ index, payload }: Pick<MonitorRecord, "index" | "payload">): Uint8Array | undefined {
  if (payload.length < CONTROL_OCTETS) return undefined;
  const length = payload.length - CONTROL_OCTETS;
  const packet = new Uint8Array(HEADER_OCTETS + length);
  const header = viewOf(packet);
  packet.set(payload.subarray(4, CONTROL_OCTETS));
  header.setUint16(2, index, true);
  header.setUint16(4, length, true);
  packet.set(payload.subarray(CONTROL_OCTETS), HEADER_OCTETS);
  return packet;
}
