import { DecodeError, Reader, u16 } from "../bytes/index.ts";
import { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { decodeCommand, decodeEvent, PacketType } from "../hci/index.ts";
import { AdvertisingPieces } from "./advertising-pieces.ts";
import type { DecodedContent, Writable } from "./decoded-packet.ts";
import { FrameDecoder, layerOf, raw } from "./frame-decoder.ts";
import { Reassembler } from "./reassembly.ts";
import { RecentOctets } from "./recent-octets.ts";
import type { CaptureDirection, CaptureRecord } from "./record.ts";

interface Link {
  peer: Address | undefined;
  readonly frames: FrameDecoder;
}

const CONNECTION_COMPLETE: ReadonlySet<string> = new Set([
  "LeConnectionComplete",
  "LeEnhancedConnectionComplete",
  "LeEnhancedConnectionCompleteV2",
]);
/** Connection handles have 12 bits; links a capture never closes are forgotten oldest first. */
const MOST_LINKS = 256;

/**
 * Reads the HCI packets of one adapter in order, with what they need to know of earlier ones: ACL packets are put together, handles have
 * peers and attributes have types. Never throws over what a packet holds.
 */
export class HciDecoder {
  readonly #reassembler = new Reassembler();
  readonly #links = new Map<number, Link>();
  readonly #pieces = new AdvertisingPieces();

  /** What the packet says, without its place in the capture. */
  decode({ direction, packet, originalLength }: Pick<CaptureRecord, "direction" | "packet" | "originalLength">): DecodedContent {
    try {
      if (originalLength > packet.length) return raw("hci", packet, 0, `the capture holds ${packet.length} of ${originalLength} octets`);
      return this.#packet(direction, packet);
    } catch (error) {
      if (!(error instanceof BleError)) throw error;
      return raw(packet[0] === PacketType.AclData ? "acl" : "hci", packet, 0, error.message);
    }
  }

  #packet(direction: CaptureDirection, packet: Uint8Array): DecodedContent {
    switch (packet[0]) {
      case PacketType.Command:
        return this.#command(packet);
      case PacketType.Event:
        return this.#event(packet);
      case PacketType.AclData:
        return this.#acl(direction, packet);
      case PacketType.SynchronousData:
        return { layer: "hci", name: "SynchronousData", fields: { raw: packet.slice(1) } };
      case PacketType.IsoData:
        return { layer: "hci", name: "IsoData", fields: { raw: packet.slice(1) } };
      default:
        return raw("hci", packet, 0, packet.length === 0 ? "no octets" : `packet type ${packet[0]} is not one of HCI`);
    }
  }

  #command(packet: Uint8Array): DecodedContent {
    const { declaration, name, parameters } = decodeCommand(packet);
    return this.#told(name, this.#fieldsFrom(declaration, parameters));
  }

  #event(packet: Uint8Array): DecodedContent {
    const decoded = decodeEvent(packet);
    if (decoded.answers) {
      const { name, returns, declaration } = decoded.answers;
      return this.#told(`CommandComplete ${name}`, this.#fieldsFrom(declaration, returns));
    }
    const content = this.#told(decoded.name, this.#fieldsFrom(decoded.declaration, decoded.parameters));
    this.#followLink(decoded.name, content.fields);
    const peer = this.#peerOf(content.connectionHandle);
    if (peer) content.peer = peer;
    return content;
  }

  /** A command or an event with the link that it is about, and what is wrong with advertising data in it. */
  #told(name: string, fields: Record<string, unknown>): Writable<DecodedContent> {
    const content: Writable<DecodedContent> = { layer: "hci", name, fields };
    const handle = fields.connectionHandle ?? fields.handle;
    if (typeof handle === "number") content.connectionHandle = handle;
    const malformed = advertisingProblem(fields);
    if (malformed) content.malformed = malformed;
    return content;
  }

  /** Values of a declaration that is known, else the octets. */
  #fieldsFrom(declaration: { readonly name: string } | undefined, value: unknown): Record<string, unknown> {
    if (declaration === undefined || value instanceof Uint8Array)
      return value instanceof Uint8Array && value.length > 0 ? { raw: value } : {};
    return this.#withAddresses(declaration.name, value as Record<string, unknown>, {});
  }

  /**
   * Six octets with a type beside them become an address, advertising data is read, keys are turned round.
   *
   * @param outer the fields around those of `value`
   */
  #withAddresses(packet: string, value: Record<string, unknown>, outer: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    for (const name in value) {
      const field = value[name];
      if (typeof field !== "object") {
        if (!isToldByAddress(name, field, value)) fields[name] = field;
      } else if (field instanceof Uint8Array) this.#readOctets(packet, name, field, { fields, value, outer });
      else if (Array.isArray(field))
        fields[name] = field.map((item: unknown) =>
          typeof item === "object" && item !== null && !(item instanceof Uint8Array)
            ? this.#withAddresses(packet, item as Record<string, unknown>, value)
            : item,
        );
      else fields[name] = field;
    }
    return fields;
  }

  #readOctets(
    packet: string,
    name: string,
    octets: Uint8Array,
    {
      fields,
      value,
      outer,
    }: { fields: Record<string, unknown>; value: Readonly<Record<string, unknown>>; outer: Readonly<Record<string, unknown>> },
  ): void {
    const kind = kindOfField(name);
    if (kind === "key") fields[name] = octets.slice().reverse();
    else if (kind === "advertising data") {
      const { data, whole } = this.#pieces.read(packet, (field) => value[field] ?? outer[field], octets);
      fields[name] = data;
      if (whole) fields[`whole${name.replace(/^./, (first) => first.toUpperCase())}`] = whole;
    } else {
      const type = kind === "octets" ? undefined : value[kind.typeName];
      fields[name] = octets.length === 6 && typeof type === "number" ? new Address(octets, type) : octets;
    }
  }

  #followLink(name: string, fields: Readonly<Record<string, unknown>>): void {
    const handle = fields.connectionHandle;
    if (typeof handle !== "number" || fields.status !== 0) return;
    if (name === "DisconnectionComplete") {
      this.#links.delete(handle);
      this.#reassembler.forget(handle);
    } else if (CONNECTION_COMPLETE.has(name)) {
      this.#links.delete(handle);
      this.#reassembler.forget(handle);
      this.#link(handle).peer = fields.peerAddress as Address;
    }
  }

  #link(handle: number): Link {
    let link = this.#links.get(handle);
    if (!link) {
      link = { peer: undefined, frames: new FrameDecoder() };
      this.#links.set(handle, link);
      if (this.#links.size > MOST_LINKS) this.#links.delete(this.#links.keys().next().value!);
    }
    return link;
  }

  #peerOf(handle: number | undefined): Address | undefined {
    return handle === undefined ? undefined : this.#links.get(handle)?.peer;
  }

  #acl(direction: CaptureDirection, packet: Uint8Array): DecodedContent {
    const reader = new Reader(packet, { name: "AclData", offset: 1 });
    const connectionHandle = reader.field("handle", u16) & 0x0fff;
    const length = reader.field("length", u16);
    if (length !== reader.remaining) reader.fail(`length ${length}, has ${reader.remaining} octets`);
    const content: Writable<DecodedContent> = this.#frame(direction, connectionHandle, packet);
    content.connectionHandle = connectionHandle;
    const peer = this.#peerOf(connectionHandle);
    if (peer) content.peer = peer;
    return content;
  }

  #frame(direction: CaptureDirection, connectionHandle: number, packet: Uint8Array): DecodedContent {
    const result = this.#reassembler.push(direction, packet);
    if (result.is === "fault") return raw("l2cap", packet, 5, result.problem);
    let content: Writable<DecodedContent>;
    if (result.is === "part")
      content = { layer: "acl", name: "AclFragment", fields: { octets: result.have, ...(result.of ? { of: result.of } : {}) } };
    else {
      try {
        content = this.#link(connectionHandle).frames.decode(direction, result.cid, result.payload);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return raw(layerOf(result.cid), result.payload, 0, error.message);
      }
    }
    if (result.problem !== undefined) content.malformed = result.problem;
    return content;
  }
}

/** What was wrong with advertising data that was read lately; nothing, mostly. */
const problemsOfData = new RecentOctets<string>();

function advertisingProblem(fields: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in fields) {
    const value = fields[name];
    if (typeof value !== "object") continue;
    if (value instanceof AdvertisingData) {
      const problem = problemsOfData.get(value.bytes) ?? problemsOfData.keep(value.bytes, value.problems.join(", "));
      if (problem) return `advertising data: ${problem}`;
    } else if (Array.isArray(value))
      for (const item of value) {
        const problem = typeof item === "object" && item !== null ? advertisingProblem(item as Record<string, unknown>) : undefined;
        if (problem) return problem;
      }
  }
  return undefined;
}

/** Keys of HCI come least significant octet first; they are told as those of the Security Manager are, the other way round. */
const KEYS: ReadonlySet<string> = new Set(["longTermKey", "peerIrk", "localIrk", "dhKey"]);
const ADVERTISING_DATA: ReadonlySet<string> = new Set(["data", "advertisingData", "scanResponseData", "subeventData", "responseData"]);

const TYPE = "Type";

/** What the address beside it tells itself is not said twice; 2 and 3 say that the controller resolved it. */
function isToldByAddress(name: string, type: unknown, value: Readonly<Record<string, unknown>>): boolean {
  if ((type !== 0 && type !== 1) || !name.endsWith(TYPE)) return false;
  const addressName = name.slice(0, -TYPE.length);
  if (!/address$/i.test(addressName)) return false;
  const address = value[addressName];
  return address instanceof Uint8Array && address.length === 6;
}

/** What octets under that name are; an address may be, where its type stands beside it. */
type KindOfField = "key" | "advertising data" | "octets" | { readonly typeName: string };
/** Of every field of octets that was met; they are those of declarations. */
const kinds = new Map<string, KindOfField>();

function kindOfField(name: string): KindOfField {
  let kind = kinds.get(name);
  if (kind === undefined) {
    if (KEYS.has(name)) kind = "key";
    else if (ADVERTISING_DATA.has(name)) kind = "advertising data";
    else if (/address$/i.test(name)) kind = { typeName: name.replace(/ddress$/, "ddressType") };
    else kind = "octets";
    kinds.set(name, kind);
  }
  return kind;
}
