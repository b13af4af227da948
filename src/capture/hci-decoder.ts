import { decodeAttPdu } from "../att/pdu.ts";
import { type Codec, DecodeError, decode, Reader } from "../bytes/index.ts";
import { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import { Uuid } from "../core/uuid.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { decodeCommand, decodeEvent, PacketType } from "../hci/index.ts";
import { smpPdus } from "../smp/pdus.ts";
import { AttContext } from "./att-context.ts";
import type { DecodedContent, DecodedPacket } from "./decoded-packet.ts";
import { Reassembler } from "./reassembly.ts";
import type { CaptureDirection, CaptureRecord } from "./record.ts";
import { signallingHeader, signallingPdus } from "./signalling.ts";

interface Link {
  peer: Address | undefined;
  readonly att: AttContext;
}

const ATT_CID = 0x0004;
const LE_SIGNALLING_CID = 0x0005;
const SMP_CID = 0x0006;
/** Connection handles have 12 bits; links a capture never closes are forgotten oldest first. */
const MOST_LINKS = 256;

/**
 * Reads the HCI packets of one adapter in order, with what they need to know of earlier ones: ACL packets are put together, handles have
 * peers and attributes have types. Never throws over what a packet holds.
 */
export class HciDecoder {
  readonly #reassembler = new Reassembler();
  readonly #links = new Map<number, Link>();

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
    return { layer: "hci", name, ...onLink(fieldsFrom(declaration, parameters)) };
  }

  #event(packet: Uint8Array): DecodedContent {
    const decoded = decodeEvent(packet);
    if (decoded.answers) {
      const { name, returns, declaration } = decoded.answers;
      return { layer: "hci", name: `CommandComplete ${name}`, ...onLink(fieldsFrom(declaration, returns)) };
    }
    const content = onLink(fieldsFrom(decoded.declaration, decoded.parameters));
    this.#followLink(decoded.name, content.fields);
    return { layer: "hci", name: decoded.name, ...content, ...this.#peerOf(content.connectionHandle) };
  }

  #followLink(name: string, fields: Readonly<Record<string, unknown>>): void {
    const handle = fields.connectionHandle;
    if (typeof handle !== "number" || fields.status !== 0) return;
    if (name === "DisconnectionComplete") {
      this.#links.delete(handle);
      this.#reassembler.forget(handle);
    } else if (name === "LeConnectionComplete" || name === "LeEnhancedConnectionComplete") {
      this.#links.delete(handle);
      this.#reassembler.forget(handle);
      this.#link(handle).peer = fields.peerAddress as Address;
    }
  }

  #link(handle: number): Link {
    let link = this.#links.get(handle);
    if (!link) {
      link = { peer: undefined, att: new AttContext() };
      this.#links.set(handle, link);
      if (this.#links.size > MOST_LINKS) this.#links.delete(this.#links.keys().next().value!);
    }
    return link;
  }

  #peerOf(handle: number | undefined): { peer?: Address } {
    const peer = handle === undefined ? undefined : this.#links.get(handle)?.peer;
    return peer ? { peer } : {};
  }

  #acl(direction: CaptureDirection, packet: Uint8Array): DecodedContent {
    const reader = new Reader(packet, { name: "AclData", offset: 1 });
    const connectionHandle = reader.field("handle", { decode: (r) => r.u16() }) & 0x0fff;
    const length = reader.field("length", { decode: (r) => r.u16() });
    if (length !== reader.remaining) reader.fail(`length ${length}, has ${reader.remaining} octets`);
    const link = { connectionHandle, ...this.#peerOf(connectionHandle) };
    const result = this.#reassembler.push(direction, packet);
    if (result.is === "fault") return { ...raw("l2cap", packet, 5, result.problem), ...link };
    const late = result.problem === undefined ? {} : { malformed: result.problem };
    if (result.is === "part")
      return {
        layer: "acl",
        name: "AclFragment",
        fields: { octets: result.have, ...(result.of ? { of: result.of } : {}) },
        ...late,
        ...link,
      };
    try {
      return { ...this.#frame(direction, connectionHandle, result.cid, result.payload), ...late, ...link };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const layer = result.cid === ATT_CID ? "att" : result.cid === SMP_CID ? "smp" : "l2cap";
      return { ...raw(layer, result.payload, 0, error.message), ...link };
    }
  }

  #frame(direction: CaptureDirection, handle: number, cid: number, payload: Uint8Array): DecodedContent {
    if (cid === ATT_CID) return this.#att(direction, handle, payload);
    if (cid === SMP_CID) return securityManager(payload);
    if (cid === LE_SIGNALLING_CID) return signalling(payload);
    return { layer: "l2cap", name: "L2capFrame", fields: { cid, raw: payload } };
  }

  #att(direction: CaptureDirection, handle: number, payload: Uint8Array): DecodedContent {
    const { name, opcode, parameters } = decodeAttPdu(payload);
    if (parameters instanceof Uint8Array) return { layer: "att", name, fields: { raw: parameters } };
    const context = this.#link(handle).att;
    const about = context.follow(direction, opcode, parameters as Record<string, unknown>);
    const fields = withDeclarations(parameters as Record<string, unknown>, context.requestedOf(direction));
    // Answers that do not name their attribute are told with the one that was asked for.
    const answered = about && !("attributeHandle" in fields || "attributeHandleInError" in fields);
    return { layer: "att", name, fields: answered ? { attributeHandle: about.handle, ...fields } : fields, attributeType: about?.type };
  }
}

function raw(layer: DecodedPacket["layer"], packet: Uint8Array, offset: number, malformed: string): DecodedContent {
  return { layer, name: "Malformed", fields: { raw: packet.slice(offset) }, malformed };
}

/** Values of a declaration that is known, else the octets. */
function fieldsFrom(declaration: unknown, value: unknown): Record<string, unknown> {
  if (declaration === undefined || value instanceof Uint8Array)
    return value instanceof Uint8Array && value.length > 0 ? { raw: value } : {};
  return withAddresses(value as Record<string, unknown>);
}

function onLink(fields: Record<string, unknown>): Pick<DecodedPacket, "fields" | "connectionHandle" | "malformed"> {
  const handle = fields.connectionHandle ?? fields.handle;
  const malformed = advertisingProblem(fields);
  return { fields, connectionHandle: typeof handle === "number" ? handle : undefined, ...(malformed ? { malformed } : {}) };
}

function advertisingProblem(fields: Record<string, unknown>): string | undefined {
  for (const value of Object.values(fields)) {
    if (value instanceof AdvertisingData && value.problems.length > 0) return `advertising data: ${value.problems.join(", ")}`;
    if (Array.isArray(value))
      for (const item of value) {
        const problem = typeof item === "object" && item !== null ? advertisingProblem(item as Record<string, unknown>) : undefined;
        if (problem) return problem;
      }
  }
  return undefined;
}

/** Keys of HCI come least significant octet first; they are told as those of the Security Manager are, the other way round. */
const KEYS: ReadonlySet<string> = new Set(["longTermKey", "peerIrk", "localIrk", "dhKey"]);
const ADVERTISING_DATA: ReadonlySet<string> = new Set(["data", "advertisingData", "scanResponseData"]);

/** Six octets with a type beside them become an address, advertising data is read, keys are turned round. */
function withAddresses(value: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const typeName = name === "address" ? "addressType" : name.replace(/Address$/, "AddressType");
    const type = value[typeName];
    if (typeName !== name && field instanceof Uint8Array && field.length === 6 && typeof type === "number") {
      fields[name] = new Address(field, type);
      // What the address tells itself is not said twice; 2 and 3 say that the controller resolved it.
      if (type <= 1) delete fields[typeName];
    } else if (field instanceof Uint8Array && KEYS.has(name)) fields[name] = field.slice().reverse();
    else if (field instanceof Uint8Array && ADVERTISING_DATA.has(name)) fields[name] = new AdvertisingData(field);
    else if (Array.isArray(field))
      fields[name] = field.map((item: unknown) =>
        typeof item === "object" && item !== null && !(item instanceof Uint8Array) ? withAddresses(item as Record<string, unknown>) : item,
      );
    else fields[name] = field;
  }
  return fields;
}

/** An unknown code passes through raw. @throws {DecodeError} */
function securityManager(payload: Uint8Array): DecodedContent {
  const code = payload[0];
  if (code === undefined) return raw("smp", payload, 0, "a PDU without a code");
  const declaration = smpPdus.get(code);
  if (!declaration) return { layer: "smp", name: `Smp 0x${code.toString(16).padStart(2, "0")}`, fields: { raw: payload.slice(1) } };
  return { layer: "smp", name: declaration.name, fields: parametersOf(declaration, payload, 1) };
}

/** @throws {DecodeError} */
function parametersOf(
  { name, parameters }: { name: string; parameters: Codec<unknown> },
  bytes: Uint8Array,
  offset: number,
): Record<string, unknown> {
  return decode(parameters, bytes, { name, offset }) as Record<string, unknown>;
}

function signalling(payload: Uint8Array): DecodedContent {
  const reader = new Reader(payload, { name: "L2capSignalling" });
  const { code, identifier, length } = signallingHeader.decode(reader);
  if (length !== reader.remaining) reader.fail(`length ${length}, has ${reader.remaining} octets`);
  const declaration = signallingPdus.get(code);
  if (!declaration) {
    const name = `L2capSignalling 0x${code.toString(16).padStart(2, "0")}`;
    return { layer: "l2cap", name, fields: { identifier, raw: reader.rest() } };
  }
  return { layer: "l2cap", name: declaration.name, fields: { identifier, ...parametersOf(declaration, payload, 4) } };
}

const PRIMARY_SERVICE = 0x2800;
const SECONDARY_SERVICE = 0x2801;
const CHARACTERISTIC = 0x2803;

/** In answers of discovery, says what the values declare: a service, or a characteristic with its properties. */
function withDeclarations(fields: Readonly<Record<string, unknown>>, requested: Uuid | undefined): Record<string, unknown> {
  const list = fields.attributeDataList;
  if (!Array.isArray(list) || requested?.short === undefined) return { ...fields };
  const isService = requested.short === PRIMARY_SERVICE || requested.short === SECONDARY_SERVICE;
  const read = (entry: { attributeHandle: number; attributeValue: Uint8Array }): unknown => {
    const { attributeValue: value, ...rest } = entry;
    if (isService && (value.length === 2 || value.length === 16)) return { ...rest, service: Uuid.fromBytes(value) };
    if (requested.short === CHARACTERISTIC && (value.length === 5 || value.length === 19))
      return {
        ...rest,
        properties: value[0],
        valueHandle: value[1]! | (value[2]! << 8),
        characteristic: Uuid.fromBytes(value.subarray(3)),
      };
    return entry;
  };
  return { ...fields, attributeDataList: list.map(read) };
}
