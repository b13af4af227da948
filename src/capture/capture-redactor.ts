import { Redactor } from "../hci/index.ts";
import { HEADER_OCTETS, redactCommand, redactPacket } from "../mgmt-protocol/index.ts";
import { CONTROL_OCTETS, managementPacketOf } from "./management.ts";
import { type AnyCaptureRecord, type CaptureRecord, hciPacketOf, isMonitorRecord, MonitorOpcode, type MonitorRecord } from "./record.ts";

/** Adapters whose half-seen frames are remembered; those first heard of are forgotten first. */
const MOST_ADAPTERS = 256;

/** Takes keys, passkeys and what keys are made of out of a capture's records: HCI packets adapter by adapter, and management traffic. */
export class CaptureRedactor {
  readonly #adapters = new Map<number | undefined, Redactor>();

  /** The record itself when it holds no secret, else a copy without it. */
  redact<R extends AnyCaptureRecord>(record: R): R;
  redact(record: AnyCaptureRecord): AnyCaptureRecord {
    if (!isMonitorRecord(record)) {
      const packet = this.#packet(record);
      return packet === record.packet ? record : { ...record, packet };
    }
    const payload = this.#payload(record);
    return payload === record.payload ? record : { ...record, payload };
  }

  #packet({ index, direction, packet }: Pick<CaptureRecord, "index" | "direction" | "packet">): Uint8Array {
    let adapter = this.#adapters.get(index);
    if (!adapter) {
      adapter = new Redactor();
      this.#adapters.set(index, adapter);
      if (this.#adapters.size > MOST_ADAPTERS) this.#adapters.delete(this.#adapters.keys().next().value);
    }
    return adapter.redact(direction, packet);
  }

  #payload(record: MonitorRecord): Uint8Array {
    const { payload, opcode } = record;
    const hci = hciPacketOf(record);
    if (hci) {
      const packet = this.#packet(hci);
      return packet === hci.packet ? payload : packet.subarray(1);
    }
    if (opcode !== MonitorOpcode.ControlCommand && opcode !== MonitorOpcode.ControlEvent) return payload;
    const packet = managementPacketOf(record);
    if (!packet) return payload;
    const redacted = opcode === MonitorOpcode.ControlCommand ? redactCommand(packet) : redactPacket(packet);
    if (redacted === packet) return payload;
    const copy = payload.slice();
    copy.set(redacted.subarray(HEADER_OCTETS), CONTROL_OCTETS);
    return copy;
  }
}
