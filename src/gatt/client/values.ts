import { Semaphore } from "../../async/semaphore.ts";
import { AttError, AttProtocolError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode, MAX_VALUE_LENGTH, TRANSACTION_TIMEOUT_MS } from "../../att/opcode.ts";
import { AttReadMultipleVariableRsp } from "../../att/pdu.ts";
import { decode } from "../../bytes/codec.ts";
import { copyOctets } from "../../bytes/copy-octets.ts";
import { concat } from "../../bytes/hex.ts";
import { checkInteger, checkOctets, checkOptions, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, StateError } from "../../core/error.ts";
import { SIGNATURE_LENGTH } from "../../crypto/signature.ts";
import { FrameWriter } from "../frame-writer.ts";
import { checkHandle, type GattOperationOptions, type InternalOptions } from "./options.ts";
import type { Requester } from "./requester.ts";
import type { Sign } from "./sign.ts";

/** A part of a long value, and whether more may follow it. */
interface Part {
  readonly value: Uint8Array;
  readonly isFull: boolean;
}

/** Errors that end a long read: there is nothing at that offset, or the peer has no long values. */
const END_OF_VALUE: readonly number[] = [AttErrorCode.AttributeNotLong, AttErrorCode.InvalidOffset, AttErrorCode.RequestNotSupported];

/** One write of a reliable write. */
export interface ReliableWrite {
  readonly handle: number;
  readonly value: Uint8Array;
}

const WRITE = optionNames<ReliableWrite>({ handle: true, value: true });

/** Reading and writing values by handle, Vol 3 Part G 4.8, 4.9 and 4.12. */
export class ValueAccess {
  readonly #requester: Requester;
  /** A client has one prepare queue at the server: procedures that use it take turns. */
  readonly #prepareLock: Semaphore;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.#prepareLock = new Semaphore(requester.bearer.clock);
  }

  /**
   * Whether a part is full is decided as it arrives, by the smaller MTU of then and of when it was asked for: where the peer exchanges the MTU
   * meanwhile, its answer may have been made before.
   */
  #partParser(): (bytes: Uint8Array, offset: number, end: number) => Part {
    const { mtu } = this.#bearer;
    return (bytes, offset, end) => ({ value: copyOctets(bytes, offset, end), isFull: end - offset >= Math.min(mtu, this.#bearer.mtu) - 1 });
  }

  async read(handle: number, options: GattOperationOptions): Promise<Uint8Array> {
    checkHandle(handle);
    const first = await this.#readPart(handle, options);
    return first.isFull ? this.#readRest(handle, [first.value], first.value.length, options) : first.value;
  }

  /**
   * From `offset` on. Begins with a Read Request, since a peer may refuse Read Blob for a value that is not long (Vol 3 Part F 3.4.4.5), unless
   * the first part cannot reach the offset.
   */
  async readLong(handle: number, offset: number, options: GattOperationOptions): Promise<Uint8Array> {
    checkHandle(handle);
    checkInteger("offset", offset, 0, MAX_VALUE_LENGTH);
    const isInFirst = offset < this.#bearer.mtu - 1;
    const first = isInFirst ? await this.#readPart(handle, options) : await this.#readBlob(handle, offset, options);
    if (!isInFirst) return first.isFull ? this.#readRest(handle, [first.value], offset + first.value.length, options, offset) : first.value;
    const { value, isFull } = first;
    if (isFull) return this.#readRest(handle, [value.subarray(offset)], value.length, options, offset);
    if (offset > value.length)
      throw new AttError({ errorCode: AttErrorCode.InvalidOffset, requestOpcode: AttOpcode.ReadBlobReq, attributeHandle: handle });
    return value.subarray(offset);
  }

  async #readRest(handle: number, parts: Uint8Array[], from: number, options: GattOperationOptions, offset = 0): Promise<Uint8Array> {
    for (let length = from, isFull = true; isFull && length < MAX_VALUE_LENGTH; ) {
      try {
        const part = await this.#readBlob(handle, length, options);
        parts.push(part.value);
        length += part.value.length;
        isFull = part.isFull;
      } catch (error) {
        if (error instanceof AttError && END_OF_VALUE.includes(error.errorCode)) break;
        throw error;
      }
      if (isFull && length < MAX_VALUE_LENGTH) await this.#requester.growMtu(options); // a long value indeed
    }
    return concat(...parts).subarray(0, MAX_VALUE_LENGTH - offset);
  }

  #readPart(handle: number, options: GattOperationOptions): Promise<Part> {
    return this.#requester.send(() => this.#bearer.valueFrame(AttOpcode.ReadReq, handle, EMPTY), this.#partParser(), options);
  }

  #readBlob(handle: number, offset: number, options: GattOperationOptions): Promise<Part> {
    const build = (): Uint8Array => {
      const writer = new FrameWriter(this.#bearer.allocate(5), AttOpcode.ReadBlobReq);
      writer.u16(handle);
      writer.u16(offset);
      return writer.frame;
    };
    return this.#requester.send(build, this.#partParser(), options);
  }

  /** The values one after the other, as ATT_READ_MULTIPLE_RSP carries them. */
  readMultiple(handles: readonly number[], options: GattOperationOptions): Promise<Uint8Array> {
    checkHandleSet(handles);
    return this.#requester.send(() => this.#handleSet(AttOpcode.ReadMultipleReq, handles), copyOctets, options);
  }

  /** Each value, as far as it came: the last ones may be cut short or missing. */
  async readMultipleVariable(handles: readonly number[], options: GattOperationOptions): Promise<Uint8Array[]> {
    checkHandleSet(handles);
    const { parameters, name } = AttReadMultipleVariableRsp;
    const { lengthValueTupleList } = await this.#requester.send(
      () => this.#handleSet(AttOpcode.ReadMultipleVariableReq, handles),
      (bytes, offset, end) => decode(parameters, bytes, { name, offset, end }),
      options,
    );
    if (lengthValueTupleList.length > handles.length)
      throw new AttProtocolError(AttOpcode.ReadMultipleVariableReq, `${lengthValueTupleList.length} values for ${handles.length} handles`);
    return lengthValueTupleList.map(({ attributeValue }) => attributeValue);
  }

  #handleSet(opcode: number, handles: readonly number[]): Uint8Array {
    const writer = new FrameWriter(this.#bearer.allocate(1 + 2 * handles.length), opcode);
    for (const handle of handles) writer.u16(handle);
    return writer.frame;
  }

  /** One Write Request where the value fits, prepared writes otherwise. */
  write(handle: number, value: Uint8Array, options: InternalOptions): Promise<void> {
    checkHandle(handle);
    checkValue(value);
    return this.#hasRoom(value.length, options) ? this.#writeShort(handle, value, options) : this.#writeLater(handle, value, options);
  }

  async #writeLater(handle: number, value: Uint8Array, options: InternalOptions): Promise<void> {
    await this.#makeRoom(value.length, options);
    const isShort = value.length <= this.#bearer.txLimit - 3;
    await (isShort ? this.#writeShort(handle, value, options) : this.writeLong(handle, value, 0, options));
  }

  #writeShort(handle: number, value: Uint8Array, options: InternalOptions): Promise<void> {
    return this.#requester.send(() => this.#bearer.valueFrame(AttOpcode.WriteReq, handle, value), parseWriteRsp, options);
  }

  writeWithoutResponse(handle: number, value: Uint8Array, options: GattOperationOptions): Promise<void> {
    checkHandle(handle);
    checkValue(value);
    if (!this.#hasRoom(value.length, options)) return this.#sendLater(handle, value, options);
    const { bearer } = this.#requester;
    return bearer.sendFlow(bearer.valueFrame(AttOpcode.WriteCmd, handle, value), options);
  }

  async #sendLater(handle: number, value: Uint8Array, options: GattOperationOptions): Promise<void> {
    await this.#makeRoom(value.length, options);
    await this.#bearer.sendFlow(this.#command(handle, value), options);
  }

  /**
   * Signed Write Without Response, Vol 3 Part G 4.9.2; on an encrypted link Write Without Response, which takes its place there.
   *
   * @throws {StateError} there is nothing to sign with · {ArgumentError} longer than one PDU holds · what the store of the counters throws
   */
  async writeSigned(handle: number, value: Uint8Array, sign: Sign | undefined, options: GattOperationOptions): Promise<void> {
    checkHandle(handle);
    checkValue(value); // no MTU makes room for more, and no counter is used up for it
    await this.#makeRoom(value.length + (this.#bearer.security.encrypted ? 0 : SIGNATURE_LENGTH), options);
    await this.#bearer.whenWritable(options);
    if (this.#bearer.security.encrypted) return await this.writeWithoutResponse(handle, value, options);
    if (!sign) throw new StateError("nothing to sign with: expected a connection of a device");
    const refusal = this.#bearer.securityRefusal(options.security);
    if (refusal) throw refusal; // before a counter is used up
    const most = this.#bearer.txLimit - 3 - SIGNATURE_LENGTH;
    if (value.length > most) throw new ArgumentError(`value of ${value.length} octets: at most ${most} fit a signed write`);
    const pdu = concat(Uint8Array.of(AttOpcode.SignedWriteCmd, handle & 0xff, handle >> 8), value);
    const signature = await sign(pdu);
    options.signal?.throwIfAborted();
    // Encrypted meanwhile: the signature is not for such a link.
    if (this.#bearer.security.encrypted) return await this.writeWithoutResponse(handle, value, options);
    await this.#bearer.sendFlow(this.#bearer.valueFrame(AttOpcode.SignedWriteCmd, handle, concat(pdu.subarray(3), signature)), options);
  }

  /** Nothing has to be waited for before a value of `length` octets leaves. */
  #hasRoom(length: number, options: InternalOptions): boolean {
    const requester = this.#requester;
    return requester.isReady(options) && length <= requester.bearer.txLimit - 3;
  }

  /** Waits for what must be there before a value leaves, the larger MTU included where the value does not fit and the policy lets it fit. */
  async #makeRoom(length: number, options: InternalOptions): Promise<void> {
    await this.#requester.prepare(options);
    const { txLimit, policy } = this.#bearer;
    if (length > txLimit - 3 && Math.min(policy.mtu, policy.maxTxPdu) > txLimit) await this.#requester.growMtu(options);
  }

  /** False where the link has no room now, has not what is demanded, or can send nothing any more. */
  tryWriteWithoutResponse(handle: number, value: Uint8Array, { security }: Pick<GattOperationOptions, "security">): boolean {
    checkHandle(handle);
    checkValue(value);
    if (!this.#bearer.writable || !this.#bearer.permits(security)) return false;
    this.#bearer.sendNow(this.#command(handle, value));
    return true;
  }

  #command(handle: number, value: Uint8Array): Uint8Array {
    const most = this.#bearer.txLimit - 3;
    if (value.length > most) throw new ArgumentError(`value of ${value.length} octets: at most ${most} fit a write without response`);
    return this.#bearer.valueFrame(AttOpcode.WriteCmd, handle, value);
  }

  /** Write Long Characteristic Values, Vol 3 Part G 4.9.4, from `offset` on. */
  async writeLong(handle: number, value: Uint8Array, offset: number, options: GattOperationOptions): Promise<void> {
    checkHandle(handle);
    checkInteger("offset", offset, 0, MAX_VALUE_LENGTH);
    checkValue(value, offset);
    await this.#prepared([{ handle, value, offset }], options);
  }

  /** Reliable Writes, Vol 3 Part G 4.9.5: all of them or, as far as the peer can tell, none. */
  async reliableWrite(writes: readonly ReliableWrite[], options: GattOperationOptions): Promise<void> {
    if (!Array.isArray(writes)) throw new ArgumentError(`writes: expected an array, got ${kindOf(writes)}`);
    for (const write of writes as readonly ReliableWrite[]) {
      if (write === undefined) throw new ArgumentError("write: expected a handle and a value, got undefined");
      checkOptions("write", write, WRITE);
      checkHandle(write.handle);
      checkValue(write.value);
    }
    await this.#prepared(
      (writes as readonly ReliableWrite[]).map(({ handle, value }) => ({ handle, value, offset: 0 })),
      options,
    );
  }

  async #prepared(writes: readonly (ReliableWrite & { offset: number })[], options: GattOperationOptions): Promise<void> {
    for (const { value } of writes) await this.#makeRoom(value.length, options);
    const permit = await this.#prepareLock.acquire(options, "waiting for the prepare queue");
    try {
      for (const { handle, value, offset } of writes) await this.#prepare(handle, value, offset, options);
      await this.#execute(1, options);
      permit[Symbol.dispose]();
    } catch (error) {
      // What the peer has queued is cancelled before anyone else uses its queue; the caller need not wait for that.
      void this.#cancel().finally(() => permit[Symbol.dispose]());
      throw error;
    }
  }

  async #cancel(): Promise<void> {
    try {
      await this.#execute(0, { timeoutMs: TRANSACTION_TIMEOUT_MS, unattended: true });
    } catch (error) {
      this.#bearer.logger.debug(() => `prepared writes were not cancelled: ${String(error)}`);
    }
  }

  async #prepare(handle: number, value: Uint8Array, offset: number, options: GattOperationOptions): Promise<void> {
    const size = this.#bearer.txLimit - 5;
    for (let at = 0; at === 0 || at < value.length; at += size) {
      const part = value.subarray(at, at + size);
      const build = (): Uint8Array => {
        const writer = new FrameWriter(this.#bearer.allocate(5 + part.length), AttOpcode.PrepareWriteReq);
        writer.u16(handle);
        writer.u16(offset + at);
        writer.bytes(part);
        return writer.frame;
      };
      const isEcho = (bytes: Uint8Array, from: number, end: number): boolean =>
        end - from === 4 + part.length &&
        (bytes[from]! | (bytes[from + 1]! << 8)) === handle &&
        (bytes[from + 2]! | (bytes[from + 3]! << 8)) === offset + at &&
        part.every((octet, i) => bytes[from + 4 + i] === octet);
      if (!(await this.#requester.send(build, isEcho, options)))
        throw new AttProtocolError(
          AttOpcode.PrepareWriteReq,
          `the peer did not receive what was sent for handle ${handle}, offset ${offset + at}`,
        );
    }
  }

  #execute(flags: number, options: InternalOptions): Promise<void> {
    const build = (): Uint8Array => {
      const writer = new FrameWriter(this.#bearer.allocate(2), AttOpcode.ExecuteWriteReq);
      writer.u8(flags);
      return writer.frame;
    };
    return this.#requester.send(build, parseExecuteWriteRsp, options);
  }

  get #bearer() {
    return this.#requester.bearer;
  }
}

const EMPTY = new Uint8Array(0);

/** The response has no parameters; any that come are a fault of the peer. */
function empty(opcode: number) {
  return (_bytes: Uint8Array, offset: number, end: number): void => {
    if (end !== offset) throw new AttProtocolError(opcode, `${end - offset} unread octets`);
  };
}

const parseWriteRsp = empty(AttOpcode.WriteReq);
const parseExecuteWriteRsp = empty(AttOpcode.ExecuteWriteReq);

/** @throws {ArgumentError} */
function checkHandleSet(handles: readonly number[]): void {
  if (!Array.isArray(handles)) throw new ArgumentError(`handles: expected an array, got ${kindOf(handles)}`);
  if (handles.length < 2) throw new ArgumentError(`${handles.length} handles: expected at least 2`);
  for (const handle of handles as readonly number[]) checkHandle(handle);
}

/** @throws {ArgumentError} */
function checkValue(value: Uint8Array, offset = 0): void {
  if (value instanceof Uint8Array && offset + value.length <= MAX_VALUE_LENGTH) return;
  checkOctets("value", value);
  throw new ArgumentError(`value of ${offset + value.length} octets: an attribute holds at most ${MAX_VALUE_LENGTH}`);
}
