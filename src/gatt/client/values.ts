import type { OperationOptions } from "../../async/pending.ts";
import { Semaphore } from "../../async/semaphore.ts";
import { AttError, AttProtocolError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode, MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { AttReadMultipleVariableRsp } from "../../att/pdu.ts";
import { decode } from "../../bytes/codec.ts";
import { concat } from "../../bytes/hex.ts";
import { ArgumentError } from "../../core/error.ts";
import { FrameWriter } from "../frame-writer.ts";
import type { Requester } from "./requester.ts";

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

/** Reading and writing values by handle, Vol 3 Part G 4.8, 4.9 and 4.12. */
export class ValueAccess {
  readonly #requester: Requester;
  /** A client has one prepare queue at the server: procedures that use it take turns. */
  readonly #prepareLock: Semaphore;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.#prepareLock = new Semaphore(requester.bearer.clock);
  }

  /** Whether a part is full is decided as it arrives: the MTU may be another by the time the promise is looked at. */
  #part(bytes: Uint8Array, offset: number, end: number): Part {
    return { value: bytes.slice(offset, end), isFull: end - offset >= this.#requester.bearer.mtu - 1 };
  }

  async read(handle: number, options: OperationOptions): Promise<Uint8Array> {
    checkHandle(handle);
    const build = (): Uint8Array => this.#bearer.valueFrame(AttOpcode.ReadReq, handle, EMPTY);
    const first = await this.#requester.send(build, (...at) => this.#part(...at), options);
    return first.isFull ? this.#readRest(handle, [first.value], first.value.length, options) : first.value;
  }

  /** From `offset` on, by Read Blob alone. */
  async readLong(handle: number, offset: number, options: OperationOptions): Promise<Uint8Array> {
    checkHandle(handle);
    const first = await this.#readBlob(handle, offset, options);
    if (!first.isFull) return first.value;
    return this.#readRest(handle, [first.value], offset + first.value.length, options, offset);
  }

  async #readRest(handle: number, parts: Uint8Array[], from: number, options: OperationOptions, offset = 0): Promise<Uint8Array> {
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
    }
    return concat(...parts).subarray(0, MAX_VALUE_LENGTH - offset);
  }

  #readBlob(handle: number, offset: number, options: OperationOptions): Promise<Part> {
    const build = (): Uint8Array => {
      const writer = new FrameWriter(this.#bearer.allocate(5), AttOpcode.ReadBlobReq);
      writer.u16(handle);
      writer.u16(offset);
      return writer.frame;
    };
    return this.#requester.send(build, (...at) => this.#part(...at), options);
  }

  /** The values one after the other, as ATT_READ_MULTIPLE_RSP carries them. */
  readMultiple(handles: readonly number[], options: OperationOptions): Promise<Uint8Array> {
    return this.#requester.send(
      () => this.#handleSet(AttOpcode.ReadMultipleReq, handles),
      (bytes, offset, end) => bytes.slice(offset, end),
      options,
    );
  }

  /** Each value, as far as it came: the last ones may be cut short or missing. */
  async readMultipleVariable(handles: readonly number[], options: OperationOptions): Promise<Uint8Array[]> {
    const { parameters, name } = AttReadMultipleVariableRsp;
    const { lengthValueTupleList } = await this.#requester.send(
      () => this.#handleSet(AttOpcode.ReadMultipleVariableReq, handles),
      (bytes, offset, end) => decode(parameters, bytes, { name, offset, end }),
      options,
    );
    return lengthValueTupleList.map(({ attributeValue }) => attributeValue);
  }

  #handleSet(opcode: number, handles: readonly number[]): Uint8Array {
    if (handles.length < 2) throw new ArgumentError(`${handles.length} handles: expected at least 2`);
    const writer = new FrameWriter(this.#bearer.allocate(1 + 2 * handles.length), opcode);
    for (const handle of handles) writer.u16(checkHandle(handle));
    return writer.frame;
  }

  /** One Write Request where the value fits, prepared writes otherwise. */
  async write(handle: number, value: Uint8Array, options: OperationOptions): Promise<void> {
    checkHandle(handle);
    checkLength(value);
    const settling = this.#requester.settleMtu(options);
    if (settling) await settling;
    if (value.length > this.#bearer.txLimit - 3) return this.writeLong(handle, value, 0, options);
    await this.#requester.send(() => this.#bearer.valueFrame(AttOpcode.WriteReq, handle, value), empty(AttOpcode.WriteReq), options);
  }

  async writeWithoutResponse(handle: number, value: Uint8Array, options: OperationOptions): Promise<void> {
    const settling = this.#requester.settleMtu(options);
    if (settling) await settling;
    await this.#bearer.sendFlow(this.#command(handle, value), options);
  }

  /** False where the link has no room now, or can send nothing any more. */
  tryWriteWithoutResponse(handle: number, value: Uint8Array): boolean {
    if (!this.#bearer.writable) return false;
    this.#bearer.sendNow(this.#command(handle, value));
    return true;
  }

  #command(handle: number, value: Uint8Array): Uint8Array {
    checkHandle(handle);
    const most = this.#bearer.txLimit - 3;
    if (value.length > most) throw new ArgumentError(`value of ${value.length} octets: at most ${most} fit a write without response`);
    return this.#bearer.valueFrame(AttOpcode.WriteCmd, handle, value);
  }

  /** Write Long Characteristic Values, Vol 3 Part G 4.9.4, from `offset` on. */
  writeLong(handle: number, value: Uint8Array, offset: number, options: OperationOptions): Promise<void> {
    checkLength(value, offset);
    return this.#prepared([{ handle, value, offset }], options);
  }

  /** Reliable Writes, Vol 3 Part G 4.9.5: all of them or, as far as the peer can tell, none. */
  reliableWrite(writes: readonly ReliableWrite[], options: OperationOptions): Promise<void> {
    for (const { value } of writes) checkLength(value);
    return this.#prepared(
      writes.map((write) => ({ ...write, offset: 0 })),
      options,
    );
  }

  async #prepared(writes: readonly (ReliableWrite & { offset: number })[], options: OperationOptions): Promise<void> {
    for (const { handle } of writes) checkHandle(handle);
    const settling = this.#requester.settleMtu(options);
    if (settling) await settling;
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
      await this.#execute(0, {});
    } catch (error) {
      this.#bearer.logger.debug(() => `prepared writes were not cancelled: ${String(error)}`);
    }
  }

  async #prepare(handle: number, value: Uint8Array, offset: number, options: OperationOptions): Promise<void> {
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

  #execute(flags: number, options: OperationOptions): Promise<void> {
    const build = (): Uint8Array => {
      const writer = new FrameWriter(this.#bearer.allocate(2), AttOpcode.ExecuteWriteReq);
      writer.u8(flags);
      return writer.frame;
    };
    return this.#requester.send(build, empty(AttOpcode.ExecuteWriteReq), options);
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

function checkHandle(handle: number): number {
  if (!Number.isInteger(handle) || handle < 1 || handle > 0xffff)
    throw new ArgumentError(`attribute handle ${handle}: expected 1 to 65535`);
  return handle;
}

function checkLength(value: Uint8Array, offset = 0): void {
  if (offset + value.length > MAX_VALUE_LENGTH)
    throw new ArgumentError(`value of ${offset + value.length} octets: an attribute holds at most ${MAX_VALUE_LENGTH}`);
}
