import { PacketType, Redactor } from "../../hci/index.ts";
import type { DecodedPacket } from "../decoded-packet.ts";
import { CaptureDecoder } from "../decoder.ts";
import { packetJson } from "../format.ts";
import type { CaptureRecord } from "../record.ts";
import { type Script, type Step, sameOctets } from "./script.ts";

/** What a host has sent, read as the captured packets are. */
export interface Sent {
  readonly packet: Uint8Array;
  readonly decoded: DecodedPacket;
}

/** Judges whether a host's packet is the captured one: octet by octet, or field by field without those that are to be ignored. */
export class Matcher {
  readonly #ignored: ReadonlySet<string>;
  readonly #redactor: Redactor | undefined;
  /** Of what is really said; `secrets`, since what may not be seen must be the same nevertheless. */
  readonly #decoder = new CaptureDecoder({ secrets: true });
  readonly #expected = new Map<Step, DecodedPacket>();
  /** Links with a frame under way whose pieces so far are not the captured ones, to the octet: the whole of it decides. */
  readonly #looseLinks = new Set<number>();

  constructor({ steps, isRedacted }: Script, ignored: Iterable<string>) {
    this.#ignored = new Set(ignored);
    this.#redactor = isRedacted ? new Redactor() : undefined;
    const decoder = new CaptureDecoder({ secrets: true });
    for (const step of steps) this.#expected.set(step, decoder.decode(step.record));
  }

  /** Every packet that goes to the host, in order. */
  delivered(record: CaptureRecord): void {
    this.#decoder.decode(record);
  }

  /** Every packet that the host sends, in order. */
  read(record: CaptureRecord): Sent {
    const packet = this.#redactor?.redact(record.direction, record.packet) ?? record.packet;
    return { packet, decoded: this.#decoder.decode({ ...record, packet }) };
  }

  isMatch(step: Step, { packet, decoded }: Sent): boolean {
    const { packet: captured } = step.record;
    const isAcl = packet[0] === PacketType.AclData;
    const handle = decoded.connectionHandle ?? -1;
    if (sameOctets(captured, packet) && !(isAcl && this.#looseLinks.has(handle))) return true;
    if (this.#ignored.size === 0 || packet[0] !== captured[0]) return false;
    const expected = this.#expected.get(step)!;
    if (decoded.malformed !== undefined || expected.malformed !== undefined) return false;
    if (decoded.name !== expected.name || decoded.connectionHandle !== expected.connectionHandle) return false;
    return this.#isAlike(decoded.name, packetJson(decoded).fields, packetJson(expected).fields);
  }

  /** `step` was taken for this packet. */
  matched(step: Step, { packet, decoded }: Sent): void {
    const handle = decoded.connectionHandle;
    if (packet[0] !== PacketType.AclData || handle === undefined) return;
    if (decoded.name !== "AclFragment") this.#looseLinks.delete(handle);
    else if (!sameOctets(step.record.packet, packet)) this.#looseLinks.add(handle);
  }

  #isAlike(packet: string, a: unknown, b: unknown): boolean {
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
    const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
    const names = new Set([...Object.keys(left), ...Object.keys(right)]);
    for (const name of names) {
      if (this.#ignored.has(name) || this.#ignored.has(`${packet}.${name}`)) continue;
      if (!this.#isAlike(packet, left[name], right[name])) return false;
    }
    return true;
  }
}
