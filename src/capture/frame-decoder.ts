import { decodeAttPdu } from "../att/pdu.ts";
import { type Codec, concat, DecodeError, decode } from "../bytes/index.ts";
import { Uuid } from "../core/uuid.ts";
import { smpPdus } from "../smp/pdus.ts";
import { AttContext } from "./att-context.ts";
import { type Channel, type ChannelEnd, ChannelTable, EATT_SPSM, followKFrame } from "./channel-table.ts";
import type { DecodedContent, DecodedPacket } from "./decoded-packet.ts";
import type { CaptureDirection } from "./record.ts";
import { decodeSignal } from "./signalling.ts";

const ATT_CID = 0x0004;
const LE_SIGNALLING_CID = 0x0005;
const SMP_CID = 0x0006;
/** Enhanced bearers with an SDU under way whose K-frames are kept, and octets of such an SDU: longer ones are told as K-frames only. */
const MOST_PARTIALS = 8;
const LONGEST_PARTIAL = 4096;

/** Reads the L2CAP frames of one link in order, with what they need to know of earlier ones: types of attributes, channels. */
export class FrameDecoder {
  readonly #att = new AttContext();
  readonly #channels = new ChannelTable();
  /** Of enhanced bearers. */
  readonly #bearers = new WeakMap<Channel, AttContext>();
  /** What has come of SDUs that go to these ends of enhanced bearers, the oldest first. */
  readonly #partials = new Map<ChannelEnd, Uint8Array[]>();

  /** @throws {DecodeError} */
  decode(direction: CaptureDirection, cid: number, payload: Uint8Array): DecodedContent {
    if (cid === ATT_CID) return attribute(this.#att, direction, payload);
    if (cid === SMP_CID) return securityManager(payload);
    if (cid === LE_SIGNALLING_CID) return this.#signalling(direction, payload);
    const end = this.#channels.endOf(direction, cid);
    return end ? this.#kFrame(direction, cid, end, payload) : { layer: "l2cap", name: "L2capFrame", fields: { cid, raw: payload } };
  }

  #signalling(direction: CaptureDirection, payload: Uint8Array): DecodedContent {
    const { code, identifier, declaration, parameters } = decodeSignal(payload);
    const name = declaration?.name ?? `L2capSignalling 0x${code.toString(16).padStart(2, "0")}`;
    const spsm = this.#channels.follow(direction, code, identifier, parameters);
    return { layer: "l2cap", name, fields: { identifier, ...parameters, ...(spsm === undefined ? {} : { spsm }) } };
  }

  #kFrame(direction: CaptureDirection, cid: number, end: ChannelEnd, payload: Uint8Array): DecodedContent {
    const lengthAtStart = payload.length < 2 ? undefined : payload[0]! | (payload[1]! << 8);
    const { sduLength, sduOctets, headerOctets, problem } = followKFrame(end, payload.length, lengthAtStart);
    const information = payload.subarray(headerOctets);
    const { channel } = end;
    if (channel.spsm === EATT_SPSM && problem === undefined) {
      const pdu = this.#pduOf(end, sduLength, headerOctets > 0, information);
      if (pdu) return onBearer(cid, this.#attOf(channel), direction, pdu);
    }
    const fields = { cid, spsm: channel.spsm, sduLength, sduOctets, raw: information.slice() };
    return { layer: "l2cap", name: "L2capKFrame", fields, ...(problem === undefined ? {} : { malformed: problem }) };
  }

  /** The SDU that is whole with these octets: a PDU of the attribute protocol. */
  #pduOf(end: ChannelEnd, length: number, isFirst: boolean, information: Uint8Array): Uint8Array | undefined {
    const parts = (isFirst ? undefined : this.#partials.get(end)) ?? [];
    this.#partials.delete(end);
    if (length > LONGEST_PARTIAL) return undefined;
    parts.push(information.slice());
    if (end.sdu === undefined) {
      const pdu = concat(...parts);
      return pdu.length === length ? pdu : undefined; // its beginning was forgotten
    }
    this.#partials.set(end, parts);
    if (this.#partials.size > MOST_PARTIALS) this.#partials.delete(this.#partials.keys().next().value!);
    return undefined;
  }

  #attOf(channel: Channel): AttContext {
    let att = this.#bearers.get(channel);
    if (!att) {
      att = new AttContext(this.#att);
      this.#bearers.set(channel, att);
    }
    return att;
  }
}

/** A PDU of an enhanced bearer, with the channel that it goes to. */
function onBearer(cid: number, att: AttContext, direction: CaptureDirection, pdu: Uint8Array): DecodedContent {
  try {
    const { fields, ...content } = attribute(att, direction, pdu);
    return { ...content, fields: { cid, ...fields } };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return raw("att", pdu, 0, error.message);
  }
}

/** The layer that a frame of a fixed channel belongs to. */
export function layerOf(cid: number): DecodedPacket["layer"] {
  return cid === ATT_CID ? "att" : cid === SMP_CID ? "smp" : "l2cap";
}

export function raw(layer: DecodedPacket["layer"], packet: Uint8Array, offset: number, malformed: string): DecodedContent {
  return { layer, name: "Malformed", fields: { raw: packet.slice(offset) }, malformed };
}

/** @throws {DecodeError} */
function attribute(context: AttContext, direction: CaptureDirection, payload: Uint8Array): DecodedContent {
  const { name, opcode, parameters } = decodeAttPdu(payload);
  if (parameters instanceof Uint8Array) return { layer: "att", name, fields: { raw: parameters } };
  const about = context.follow(direction, opcode, parameters as Record<string, unknown>);
  const fields = withDeclarations(parameters as Record<string, unknown>, context.requestedOf(direction));
  // Answers that do not name their attribute are told with the one that was asked for.
  const answered = about && !("attributeHandle" in fields || "attributeHandleInError" in fields);
  return { layer: "att", name, fields: answered ? { attributeHandle: about.handle, ...fields } : fields, attributeType: about?.type };
}

/** An unknown code passes through raw. @throws {DecodeError} */
function securityManager(payload: Uint8Array): DecodedContent {
  const code = payload[0];
  if (code === undefined) return raw("smp", payload, 0, "a PDU without a code");
  const declaration = smpPdus.get(code);
  if (!declaration) return { layer: "smp", name: `Smp 0x${code.toString(16).padStart(2, "0")}`, fields: { raw: payload.slice(1) } };
  const { name, parameters } = declaration;
  return { layer: "smp", name, fields: decode(parameters as Codec<unknown>, payload, { name, offset: 1 }) as Record<string, unknown> };
}

const PRIMARY_SERVICE = 0x2800;
const SECONDARY_SERVICE = 0x2801;
const CHARACTERISTIC = 0x2803;

/** In answers of discovery, says what the values declare: a service, or a characteristic with its properties. */
function withDeclarations(fields: Record<string, unknown>, requested: Uuid | undefined): Record<string, unknown> {
  const list = fields.attributeDataList;
  if (!Array.isArray(list) || requested?.short === undefined) return fields;
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
