import { AttError, AttProtocolError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode } from "../../att/opcode.ts";
import {
  AttFindByTypeValueRsp,
  AttFindInformationRsp,
  type AttPduDeclaration,
  AttReadByGroupTypeRsp,
  AttReadByTypeRsp,
} from "../../att/pdu.ts";
import { decode } from "../../bytes/codec.ts";
import { Uuid } from "../../core/uuid.ts";
import { FrameWriter } from "../frame-writer.ts";
import { GattUuid } from "../uuids.ts";
import type { GattOperationOptions } from "./options.ts";
import type { Requester } from "./requester.ts";

export interface HandleRange {
  readonly handle: number;
  readonly endHandle: number;
}
export interface FoundService extends HandleRange {
  readonly uuid: Uuid;
}
export interface FoundCharacteristic {
  /** Of the declaration. */
  readonly handle: number;
  readonly valueHandle: number;
  /** The octet of the declaration. */
  readonly properties: number;
  readonly uuid: Uuid;
}
export interface FoundDescriptor {
  readonly handle: number;
  readonly uuid: Uuid;
}
export interface FoundValue {
  readonly handle: number;
  readonly value: Uint8Array;
}

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
/** Every handle that an attribute can have. */
export const WHOLE: HandleRange = Object.freeze({ handle: 0x0001, endHandle: 0xffff });

function parser<P>({ name, parameters }: AttPduDeclaration<P>) {
  return (bytes: Uint8Array, offset: number, end: number): P => decode(parameters, bytes, { name, offset, end });
}
const parseGroups = parser(AttReadByGroupTypeRsp);
const parseFound = parser(AttFindByTypeValueRsp);
const parseValues = parser(AttReadByTypeRsp);
const parseInformation = parser(AttFindInformationRsp);

/**
 * The discovery procedures of Vol 3 Part G 4.4 to 4.7. An answer must lie in the range that was asked for and go upwards, so that a peer
 * cannot keep a procedure going round. Where there is an `onFound`, it is called for each item as it comes.
 */
export class Discovery {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /** Asks from `start` on, each time after the last handle of the answer before, until the peer has no more. */
  async #walk<T>(
    opcode: number,
    { handle, endHandle }: HandleRange,
    ask: (start: number) => Promise<T[]>,
    rangeOf: (item: T) => { first: number; last: number },
    onFound?: (item: T) => void,
  ): Promise<T[]> {
    const found: T[] = [];
    let start = handle;
    while (start <= endHandle) {
      let items: T[];
      try {
        items = await ask(start);
      } catch (error) {
        if (error instanceof AttError && error.errorCode === AttErrorCode.AttributeNotFound) break;
        throw error;
      }
      for (const item of items) {
        const { first, last } = rangeOf(item);
        if (first < start || last < first || first > endHandle)
          throw new AttProtocolError(opcode, `handles ${first} to ${last}, expected from ${start} to ${endHandle}`);
        found.push(item);
        onFound?.(item);
        start = last + 1;
      }
    }
    return found;
  }

  /** Discover All Primary Services, Vol 3 Part G 4.4.1. */
  allPrimaryServices(options: GattOperationOptions, onFound?: (service: FoundService) => void): Promise<FoundService[]> {
    return this.servicesIn(WHOLE, GattUuid.PrimaryService, options, onFound);
  }

  /** The primary or secondary services of a range: Read By Group Type knows both types (Vol 3 Part G 2.5.3). */
  async servicesIn(
    range: HandleRange,
    type: typeof GattUuid.PrimaryService | typeof GattUuid.SecondaryService,
    options: GattOperationOptions,
    onFound?: (service: FoundService) => void,
  ): Promise<FoundService[]> {
    const { bearer } = this.#requester;
    const services: FoundService[] = [];
    const ask = async (start: number) => {
      const build = (): Uint8Array =>
        rangeRequest(bearer.allocate(7), AttOpcode.ReadByGroupTypeReq, start, range.endHandle, Uuid.from(type).attBytes);
      return (await this.#requester.send(build, parseGroups, options)).attributeDataList;
    };
    const rangeOf = (group: { attributeHandle: number; endGroupHandle: number }) => ({
      first: group.attributeHandle,
      last: group.endGroupHandle,
    });
    await this.#walk(AttOpcode.ReadByGroupTypeReq, range, ask, rangeOf, (group) => {
      const uuid = uuidOf(AttOpcode.ReadByGroupTypeReq, group.attributeValue);
      const service = { handle: group.attributeHandle, endHandle: group.endGroupHandle, uuid };
      services.push(service);
      onFound?.(service);
    });
    return services;
  }

  /** Discover Primary Service by Service UUID, Vol 3 Part G 4.4.2. */
  async primaryServicesByUuid(
    uuid: Uuid,
    options: GattOperationOptions,
    value = uuid.attBytes,
    onFound?: (service: FoundService) => void,
  ): Promise<FoundService[]> {
    const { bearer } = this.#requester;
    const services: FoundService[] = [];
    const ask = async (start: number) => {
      const build = (): Uint8Array => {
        const writer = new FrameWriter(bearer.allocate(7 + value.length), AttOpcode.FindByTypeValueReq);
        writer.u16(start);
        writer.u16(0xffff);
        writer.u16(GattUuid.PrimaryService);
        writer.bytes(value);
        return writer.frame;
      };
      return (await this.#requester.send(build, parseFound, options)).handlesInformationList;
    };
    const rangeOf = (range: { foundAttributeHandle: number; groupEndHandle: number }) => ({
      first: range.foundAttributeHandle,
      last: range.groupEndHandle,
    });
    await this.#walk(AttOpcode.FindByTypeValueReq, { handle: 1, endHandle: 0xffff }, ask, rangeOf, (range) => {
      const service = { handle: range.foundAttributeHandle, endHandle: range.groupEndHandle, uuid };
      services.push(service);
      onFound?.(service);
    });
    return services;
  }

  /** Find Included Services, Vol 3 Part G 4.5.1. A 128-bit UUID is not in the declaration and is read from the included service. */
  async includedServices(range: HandleRange, options: GattOperationOptions): Promise<FoundService[]> {
    const services: FoundService[] = [];
    for (const { handle, value } of await this.valuesByType(range, Uuid.from(GattUuid.Include), options)) {
      if (value.length !== 4 && value.length !== 6)
        throw new AttProtocolError(AttOpcode.ReadByTypeReq, `include declaration ${handle} of ${value.length} octets, must be 4 or 6`);
      const included = u16(value, 0);
      if (included === 0 || u16(value, 2) < included)
        throw new AttProtocolError(AttOpcode.ReadByTypeReq, `include declaration ${handle} of handles ${included} to ${u16(value, 2)}`);
      const build = (): Uint8Array => {
        const writer = new FrameWriter(this.#requester.bearer.allocate(3), AttOpcode.ReadReq);
        writer.u16(included);
        return writer.frame;
      };
      const uuid =
        value.length === 6 ? value.subarray(4) : await this.#requester.send(build, (bytes, at, end) => bytes.slice(at, end), options);
      services.push({ handle: included, endHandle: u16(value, 2), uuid: uuidOf(AttOpcode.ReadByTypeReq, uuid) });
    }
    return services;
  }

  /** Discover All Characteristics of a Service, Vol 3 Part G 4.6.1. */
  async characteristics(range: HandleRange, options: GattOperationOptions): Promise<FoundCharacteristic[]> {
    const declarations = await this.valuesByType(range, Uuid.from(GattUuid.Characteristic), options);
    return declarations.map(({ handle, value }, i) => {
      if (value.length !== 5 && value.length !== 19)
        throw new AttProtocolError(
          AttOpcode.ReadByTypeReq,
          `characteristic declaration ${handle} of ${value.length} octets, must be 5 or 19`,
        );
      const valueHandle = u16(value, 1);
      // Behind the next declaration it would be that one's value, or a descriptor of another characteristic.
      const last = (declarations[i + 1]?.handle ?? range.endHandle + 1) - 1;
      if (valueHandle <= handle || valueHandle > last)
        throw new AttProtocolError(AttOpcode.ReadByTypeReq, `characteristic ${handle} with its value at ${valueHandle}`);
      return { handle, valueHandle, properties: value[0]!, uuid: Uuid.fromBytes(value.subarray(3)) };
    });
  }

  /** Discover All Characteristic Descriptors, Vol 3 Part G 4.7.1: the handles and types in a range. */
  async descriptors(
    range: HandleRange,
    options: GattOperationOptions,
    onFound?: (descriptor: FoundDescriptor) => void,
  ): Promise<FoundDescriptor[]> {
    const ask = async (start: number) => {
      const build = (): Uint8Array => {
        const writer = new FrameWriter(this.#requester.bearer.allocate(5), AttOpcode.FindInformationReq);
        writer.u16(start);
        writer.u16(range.endHandle);
        return writer.frame;
      };
      return (await this.#requester.send(build, parseInformation, options)).informationData;
    };
    return this.#walk(AttOpcode.FindInformationReq, range, ask, ({ handle }) => ({ first: handle, last: handle }), onFound);
  }

  /** Read Using Characteristic UUID, Vol 3 Part G 4.8.2, repeated over the range. A value longer than ATT_MTU - 4 comes cut short. */
  async valuesByType(
    range: HandleRange,
    type: Uuid,
    options: GattOperationOptions,
    octets: Uint8Array = type.attBytes,
    onFound?: (value: FoundValue) => void,
  ): Promise<FoundValue[]> {
    const values: FoundValue[] = [];
    const ask = async (start: number) => {
      const build = (): Uint8Array =>
        rangeRequest(this.#requester.bearer.allocate(5 + octets.length), AttOpcode.ReadByTypeReq, start, range.endHandle, octets);
      return (await this.#requester.send(build, parseValues, options)).attributeDataList;
    };
    const rangeOf = ({ attributeHandle }: { attributeHandle: number }) => ({ first: attributeHandle, last: attributeHandle });
    await this.#walk(AttOpcode.ReadByTypeReq, range, ask, rangeOf, ({ attributeHandle, attributeValue }) => {
      const value = { handle: attributeHandle, value: attributeValue };
      values.push(value);
      onFound?.(value);
    });
    return values;
  }

  /** The first attribute of this type, `undefined` without one. One request. */
  async firstValueByType(type: Uuid, options: GattOperationOptions): Promise<FoundValue | undefined> {
    const opcode = AttOpcode.ReadByTypeReq;
    const build = (): Uint8Array =>
      rangeRequest(this.#requester.bearer.allocate(5 + type.attBytes.length), opcode, WHOLE.handle, WHOLE.endHandle, type.attBytes);
    try {
      const [first] = (await this.#requester.send(build, parseValues, options)).attributeDataList;
      if (first?.attributeHandle === 0) throw new AttProtocolError(opcode, "a value at handle 0");
      return first && { handle: first.attributeHandle, value: first.attributeValue };
    } catch (error) {
      if (error instanceof AttError && error.errorCode === AttErrorCode.AttributeNotFound) return undefined;
      throw error;
    }
  }

  /**
   * As `valuesByType`, whichever form the peer declares the type in: a 16-bit UUID may stand there in 16 octets, and a server that compares
   * octets then finds nothing under two.
   */
  async valuesByAnyForm(range: HandleRange, type: Uuid, options: GattOperationOptions): Promise<FoundValue[]> {
    const found = await this.valuesByType(range, type, options);
    if (found.length > 0 || type.short === undefined) return found;
    return await this.valuesByType(range, type, options, type.bytes128);
  }
}

function rangeRequest(frame: Uint8Array, opcode: number, start: number, end: number, type: Uint8Array): Uint8Array {
  const writer = new FrameWriter(frame, opcode);
  writer.u16(start);
  writer.u16(end);
  writer.bytes(type);
  return writer.frame;
}

function uuidOf(opcode: number, bytes: Uint8Array): Uuid {
  if (bytes.length !== 2 && bytes.length !== 16) throw new AttProtocolError(opcode, `UUID of ${bytes.length} octets, must be 2 or 16`);
  return Uuid.fromBytes(bytes);
}
