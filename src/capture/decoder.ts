import type { DecodedContent, DecodedPacket, Writable } from "./decoded-packet.ts";
import { HciDecoder } from "./hci-decoder.ts";
import { MonitorDecoder } from "./monitor-decoder.ts";
import { type AnyCaptureRecord, type CaptureRecord, hciPacketOf, isMonitorRecord, MonitorOpcode, type MonitorRecord } from "./record.ts";
import { shownBy } from "./shown.ts";

/** Adapters whose links are remembered; those first heard of are forgotten first. */
const MOST_ADAPTERS = 256;

/** After these the adapter has no links any more, and what was of them is over. */
const LINKS_ARE_OVER: ReadonlySet<number> = new Set([
  MonitorOpcode.NewIndex,
  MonitorOpcode.DelIndex,
  MonitorOpcode.OpenIndex,
  MonitorOpcode.CloseIndex,
]);

/**
 * Reads the records of a capture in order, each adapter's packets with what they need to know of earlier ones: ACL packets are put together,
 * handles have peers, attributes have types and sockets have programs. Never throws over what a record holds. Keys are overwritten before
 * anything looks at them, unless asked for.
 */
export class CaptureDecoder {
  readonly #shown: (record: AnyCaptureRecord) => AnyCaptureRecord;
  readonly #redacted: boolean;
  readonly #adapters = new Map<number | undefined, HciDecoder>();
  readonly #monitor = new MonitorDecoder();
  #number = 0;

  constructor({ secrets = false, anonymous = false }: { secrets?: boolean | undefined; anonymous?: boolean | undefined } = {}) {
    this.#shown = shownBy({ secrets, anonymous });
    this.#redacted = !secrets;
  }

  /** @param record of a capture, or of the monitor channel */
  decode(record: AnyCaptureRecord): DecodedPacket {
    const shown = this.#shown(record);
    const content = isMonitorRecord(shown) ? this.#monitorRecord(shown) : this.#packet(shown);
    const packet: Writable<DecodedPacket> = { number: ++this.#number, timeMs: record.timeMs, ...content };
    if (this.#redacted) packet.redacted = true;
    if (shown.comment !== undefined) packet.comment = shown.comment;
    return packet;
  }

  #packet(record: CaptureRecord): DecodedContent {
    const { index, direction } = record;
    let adapter = this.#adapters.get(index);
    if (!adapter) {
      adapter = new HciDecoder();
      this.#adapters.set(index, adapter);
      if (this.#adapters.size > MOST_ADAPTERS) this.#adapters.delete(this.#adapters.keys().next().value);
    }
    const content: Writable<DecodedContent> = adapter.decode(record);
    content.direction = direction;
    if (index !== undefined) content.index = index;
    return content;
  }

  #monitorRecord(record: MonitorRecord): DecodedContent {
    const packet = hciPacketOf(record);
    if (packet) return this.#packet(packet);
    const { index, opcode } = record;
    if (LINKS_ARE_OVER.has(opcode)) this.#adapters.delete(index);
    return { index, ...this.#monitor.decode(record) };
  }
}
