import { EventCode, type HciDirection, PacketType } from "../../hci/index.ts";
import { HEADER_OCTETS, partOfCommand, partOfEvent } from "../../mgmt-protocol/index.ts";
import { CaptureRedactor } from "../capture-redactor.ts";
import { CONTROL_OCTETS, managementPacketOf } from "../management.ts";
import { type AnyCaptureRecord, hciPacketOf, isMonitorRecord, MonitorOpcode, type MonitorRecord } from "../record.ts";
import { AclAnonymizer } from "./acl-data.ts";
import { UNNAMED } from "./advertising-data.ts";
import { anonymizeComment } from "./comment.ts";
import { HciAnonymizer } from "./hci-packets.ts";
import { anonymizeManagementPacket } from "./management-packets.ts";
import { Pseudonyms } from "./pseudonyms.ts";

interface Adapter {
  readonly acl: AclAnonymizer;
  readonly hci: HciAnonymizer;
}

/** Adapters whose links are remembered; those first heard of are forgotten first. */
const MOST_ADAPTERS = 256;
const LE_LINK_EVENTS: ReadonlySet<number> = new Set([0x01, 0x0a, 0x29]); // LE Connection Complete and its successors

/**
 * Makes a capture one that may be given away: keys are taken out as CaptureRedactor does it, and with them device names, addresses, serial
 * numbers and all values of attributes. Addresses become invented ones, the same in the whole capture; names become as many "x"; values
 * become zeros. What stays: what was done, when, to which handle and service, and how it ended. Only what is known to name nobody stays, so
 * that packets that this library does not know lose their parameters.
 */
export class CaptureAnonymizer {
  readonly #redactor = new CaptureRedactor();
  readonly #pseudonyms = new Pseudonyms();
  readonly #adapters = new Map<number | undefined, Adapter>();

  /** A copy of the record that names nobody. */
  anonymize<R extends AnyCaptureRecord>(record: R): R;
  anonymize(record: AnyCaptureRecord): AnyCaptureRecord {
    const redacted = this.#redactor.redact(record);
    const shown =
      redacted.comment === undefined ? redacted : { ...redacted, comment: anonymizeComment(redacted.comment, this.#pseudonyms) };
    if (!isMonitorRecord(shown)) return { ...shown, packet: this.#packet(shown.index, shown.direction, shown.packet) };
    return { ...shown, payload: this.#payload(shown) };
  }

  #packet(index: number | undefined, direction: HciDirection, packet: Uint8Array): Uint8Array {
    switch (packet[0]) {
      case PacketType.Command:
        return this.#adapterOf(index).hci.command(packet);
      case PacketType.Event:
        this.#followLinks(index, packet);
        return this.#adapterOf(index).hci.event(packet);
      case PacketType.AclData:
        return this.#adapterOf(index).acl.anonymize(direction, packet);
      case PacketType.SynchronousData:
        return packet.slice().fill(0, 4);
      default: // ISO data, and what is no packet
        return packet.slice().fill(0, 5);
    }
  }

  #adapterOf(index: number | undefined): Adapter {
    let adapter = this.#adapters.get(index);
    if (!adapter) {
      adapter = { acl: new AclAnonymizer(this.#pseudonyms), hci: new HciAnonymizer(this.#pseudonyms) };
      this.#adapters.set(index, adapter);
      if (this.#adapters.size > MOST_ADAPTERS) this.#adapters.delete(this.#adapters.keys().next().value);
    }
    return adapter;
  }

  /** A handle that is given out again has another peer with other attributes. */
  #followLinks(index: number | undefined, packet: Uint8Array): void {
    const isLeLink = packet[1] === EventCode.LeMeta && LE_LINK_EVENTS.has(packet[3] ?? 0);
    if (!isLeLink && packet[1] !== EventCode.DisconnectionComplete) return;
    const at = isLeLink ? 5 : 4;
    if (packet.length > at + 1) this.#adapterOf(index).acl.forget((packet[at]! | (packet[at + 1]! << 8)) & 0x0fff);
  }

  #payload(record: MonitorRecord): Uint8Array {
    const { payload, opcode } = record;
    const hci = hciPacketOf(record);
    if (hci) return this.#packet(hci.index, hci.direction, hci.packet).subarray(1);
    const copy = payload.slice();
    switch (opcode) {
      case MonitorOpcode.NewIndex: // type, bus, address, the kernel's name
        if (copy.length >= 8) this.#pseudonyms.overwrite(copy, 2);
        return copy;
      case MonitorOpcode.IndexInfo: // address, manufacturer
        if (copy.length >= 6) this.#pseudonyms.overwrite(copy, 0);
        return copy;
      case MonitorOpcode.DelIndex:
      case MonitorOpcode.OpenIndex:
      case MonitorOpcode.CloseIndex:
      case MonitorOpcode.ControlOpen:
      case MonitorOpcode.ControlClose:
        return copy;
      case MonitorOpcode.ControlCommand:
      case MonitorOpcode.ControlEvent:
        return this.#managementPayload(record, copy);
      case MonitorOpcode.SystemNote:
        return unnamed(copy, 0);
      case MonitorOpcode.UserLogging: // priority, length and name of the program, message
        return unnamed(copy, 2 + (copy[1] ?? 0));
      default:
        return copy.fill(0);
    }
  }

  #managementPayload(record: MonitorRecord, copy: Uint8Array): Uint8Array {
    const packet = managementPacketOf(record);
    if (!packet) return copy.fill(0);
    const part = record.opcode === MonitorOpcode.ControlCommand ? partOfCommand(packet) : partOfEvent(packet);
    anonymizeManagementPacket(packet, part, this.#pseudonyms);
    copy.set(packet.subarray(HEADER_OCTETS), CONTROL_OCTETS);
    return copy;
  }
}

/** Text from `offset` on, its NULs kept. */
function unnamed(octets: Uint8Array, offset: number): Uint8Array {
  for (let i = offset; i < octets.length; i++) if (octets[i] !== 0) octets[i] = UNNAMED;
  return octets;
}
