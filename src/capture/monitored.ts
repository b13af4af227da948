import type { Pieces } from "./pieces.ts";
import { type AnyCaptureRecord, type CaptureRecord, HCI_RECORDS, type MonitorRecord } from "./record.ts";

/** What a record of the Linux monitor channel is whose payload lies between `from` and `to`: the HCI packet that it carries, if it carries one. */
export function monitored(
  pieces: Pieces,
  from: number,
  to: number,
  {
    opcode,
    index,
    timeMs,
    originalLength,
    drops,
  }: Pick<MonitorRecord, "opcode" | "index"> & Pick<CaptureRecord, "timeMs" | "originalLength" | "drops">,
): AnyCaptureRecord {
  const known = HCI_RECORDS.get(opcode);
  if (!known) return { opcode, index, payload: pieces.slice(from, to), timeMs, drops, originalLength };
  const [type, direction] = known;
  return { direction, packet: pieces.packet(type, from, to), index, timeMs, drops, originalLength: originalLength + 1 };
}
