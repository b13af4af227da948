import type { AttBearer, AttServerSide } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { copyOctets } from "../../bytes/copy-octets.ts";
import type { BleError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import { PDU_OFFSET } from "../../l2cap/channel.ts";
import { FrameWriter } from "../frame-writer.ts";
import type { Attribute } from "./attribute.ts";
import { AttributeAccess } from "./attribute-access.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { AttributeDatabase } from "./database.ts";
import {
  findByTypeValue,
  findInformation,
  type ResponseRoom,
  readByGroupType,
  readByTypeResponse,
  readMultipleResponse,
} from "./discovery.ts";
import { LongRead } from "./long-read.ts";
import { PrepareQueue } from "./prepare-queue.ts";
import { isWellFormedRequest } from "./request-shape.ts";
import { ServedCommands } from "./served-commands.ts";
import { type ServedClient, ServedRequest } from "./served-request.ts";
import { after } from "./thenable.ts";

/** Answers what one client asks on one bearer. Long reads and prepared writes belong to the bearer (Vol 3 Part F 3.4.6). */
export class BearerServer implements AttServerSide {
  readonly bearer: AttBearer;
  readonly #client: ServedClient;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #access: AttributeAccess;
  readonly #prepared = new PrepareQueue();
  readonly #commands: ServedCommands;
  readonly #request: ServedRequest;
  readonly #longRead: LongRead;
  #paused: boolean;
  /** The request that came while paused. */
  #parked: Uint8Array | undefined;

  constructor(client: ServedClient, { bearer, paused }: { bearer: AttBearer; paused: boolean }) {
    const { peer, database, awareness, configuration } = client;
    this.bearer = bearer;
    this.#client = client;
    this.#database = database;
    this.#awareness = awareness;
    this.#paused = paused;
    this.#access = new AttributeAccess({ bearer, peer, database, awareness, configuration });
    this.#longRead = new LongRead(bearer.clock);
    const at = { bearer, access: this.#access, longRead: this.#longRead };
    this.#commands = new ServedCommands(client, at);
    this.#request = new ServedRequest(client, at);
    bearer.server = this;
  }

  onRequest(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (this.#paused) {
      this.#parked = bytes.slice(offset, end);
      return;
    }
    if (!isWellFormedRequest(opcode, end - offset)) {
      this.bearer.respondError(opcode, 0, AttErrorCode.InvalidPdu);
      return;
    }
    const handle = bytes[offset + 1]! | (bytes[offset + 2]! << 8);
    if (!this.#awareness.aware && this.#isOutOfSync(opcode, handle, bytes, offset, end)) return;
    switch (opcode) {
      case AttOpcode.WriteReq:
        this.#onWrite(handle, copyOctets(bytes, offset + 3, end));
        return;
      case AttOpcode.ReadReq:
        this.#onRead(opcode, handle, 0);
        return;
      case AttOpcode.ReadBlobReq:
        this.#onRead(opcode, handle, bytes[offset + 3]! | (bytes[offset + 4]! << 8));
        return;
      case AttOpcode.ReadMultipleReq:
      case AttOpcode.ReadMultipleVariableReq:
        this.#onReadMultiple(opcode, bytes.slice(offset + 1, end));
        return;
      case AttOpcode.PrepareWriteReq:
        this.#onPrepareWrite(handle, copyOctets(bytes, offset, end));
        return;
      case AttOpcode.ExecuteWriteReq:
        this.#onExecuteWrite(bytes[offset + 1]!);
        return;
      default:
        this.#onDiscovery(opcode, handle, bytes, offset, end);
    }
  }

  #isOutOfSync(opcode: number, handle: number, bytes: Uint8Array, offset: number, end: number): boolean {
    const byType =
      opcode === AttOpcode.ReadByTypeReq
        ? { start: handle, end: bytes[offset + 3]! | (bytes[offset + 4]! << 8), type: Uuid.fromBytes(bytes.subarray(offset + 5, end)) }
        : undefined;
    const verdict = this.#awareness.onRequest(this.bearer, opcode, byType);
    if (verdict === "became-aware") this.#client.change.onAware();
    if (verdict !== "out-of-sync") return false;
    this.bearer.respondError(opcode, handle, AttErrorCode.DatabaseOutOfSync);
    return true;
  }

  get #room(): ResponseRoom {
    return { channel: this.bearer.channel, limit: this.bearer.responseLimit };
  }

  #onDiscovery(opcode: number, start: number, bytes: Uint8Array, offset: number, pduEnd: number): void {
    const end = bytes[offset + 3]! | (bytes[offset + 4]! << 8);
    if (start === 0 || start > end) {
      this.bearer.respondError(opcode, start, AttErrorCode.InvalidHandle);
      return;
    }
    let answer: Uint8Array | number | undefined;
    if (opcode === AttOpcode.FindInformationReq) answer = findInformation(this.#database, start, end, this.#room);
    else if (opcode === AttOpcode.FindByTypeValueReq) {
      const type = bytes[offset + 5]! | (bytes[offset + 6]! << 8);
      const value = bytes.subarray(offset + 7, pduEnd);
      const isReadable = (attribute: Attribute): boolean =>
        this.#access.readError(attribute) === 0 && !attribute.readRequirement.authorized;
      answer = findByTypeValue(this.#database, { start, end, type, value }, isReadable, this.#room);
    } else {
      const type = Uuid.fromBytes(bytes.subarray(offset + 5, pduEnd));
      if (opcode === AttOpcode.ReadByTypeReq) {
        this.#onReadByType(start, end, type);
        return;
      }
      answer = readByGroupType(this.#database, { start, end, type }, this.#room);
    }
    answer ??= AttErrorCode.AttributeNotFound;
    if (typeof answer === "number") this.bearer.respondError(opcode, start, answer);
    else this.bearer.respond(answer);
  }

  #onReadByType(start: number, end: number, type: Uuid): void {
    const opcode = AttOpcode.ReadByTypeReq;
    const attributes = this.#database.attributes
      .filter(({ handle }) => handle >= start && handle <= end)
      .filter((a) => a.type.text === type.text);
    const [first, ...others] = attributes;
    const refusal = first ? this.#access.readError(first) : AttErrorCode.AttributeNotFound;
    if (!first || refusal) {
      this.bearer.respondError(opcode, first?.handle ?? start, refusal);
      return;
    }
    const access = this.#access;
    // What follows joins the response as long as it needs no handler and no error: those begin the next one.
    const more = function* () {
      for (const attribute of others) {
        const value = access.readError(attribute) ? undefined : access.immediateValue(attribute);
        if (!value) return;
        yield { handle: attribute.handle, value };
      }
    };
    this.#request.perform(
      opcode,
      first.handle,
      [],
      (operation) => {
        this.#judgeAfterTurn(first);
        return access.read(operation, first, 0);
      },
      (value) => {
        access.judgeRead(first);
        this.bearer.respond(readByTypeResponse({ handle: first.handle, value }, more(), this.#room));
      },
    );
  }

  #onRead(opcode: number, handle: number, offset: number): void {
    const attribute = this.#database.get(handle);
    const refusal = attribute ? this.#access.readError(attribute) : AttErrorCode.InvalidHandle;
    if (!attribute || refusal) {
      this.bearer.respondError(opcode, handle, refusal);
      return;
    }
    const known = offset > 0 ? this.#longRead.get(attribute) : undefined;
    this.#request.perform(
      opcode,
      handle,
      [],
      (operation) => {
        this.#judgeAfterTurn(attribute);
        return known ? after(this.#access.permitRead(operation, attribute), () => known) : this.#access.read(operation, attribute, offset);
      },
      (value) => this.#respondValue(opcode, attribute, offset, value),
    );
  }

  #respondValue(opcode: number, attribute: Attribute, offset: number, value: Uint8Array): void {
    this.#access.judgeRead(attribute);
    if (offset > value.length) throw new AttError(AttErrorCode.InvalidOffset);
    const room = this.bearer.responseLimit - 1;
    // A part that fills the PDU is followed by another request, even where nothing is left.
    if (attribute.read && !attribute.readEachPart) this.#longRead.onPart(attribute, value, value.length - offset < room);
    const part = value.subarray(offset, offset + room);
    const writer = new FrameWriter(this.bearer.channel.allocate(1 + part.length), opcode + 1);
    writer.bytes(part);
    this.bearer.respond(writer.frame);
  }

  #onReadMultiple(opcode: number, set: Uint8Array): void {
    const attributes: Attribute[] = [];
    for (let i = 0; i < set.length; i += 2) {
      const handle = set[i]! | (set[i + 1]! << 8);
      const attribute = this.#database.get(handle);
      const refusal = attribute ? this.#access.readError(attribute) : AttErrorCode.InvalidHandle;
      if (!attribute || refusal) {
        this.bearer.respondError(opcode, handle, refusal);
        return;
      }
      attributes.push(attribute);
    }
    this.#request.perform(
      opcode,
      attributes[0]!.handle,
      [],
      (operation) => this.#access.readAll(operation, attributes),
      (values) => this.bearer.respond(readMultipleResponse(values, opcode === AttOpcode.ReadMultipleVariableReq, this.#room)),
      attributes.map((attribute) => attribute.handle),
    );
  }

  #onWrite(handle: number, value: Uint8Array): void {
    const attribute = this.#database.get(handle);
    if (!attribute) {
      this.bearer.respondError(AttOpcode.WriteReq, handle, AttErrorCode.InvalidHandle);
      return;
    }
    this.#longRead.forget(attribute);
    this.#request.perform(
      AttOpcode.WriteReq,
      handle,
      [attribute.serviceHandle],
      (operation) => this.#access.write(operation, attribute, value, "write"),
      () => this.#respondEmpty(AttOpcode.WriteRsp),
    );
  }

  #respondEmpty(opcode: number): void {
    const frame = this.bearer.channel.allocate(1);
    frame[PDU_OFFSET] = opcode;
    this.bearer.respond(frame);
  }

  #onPrepareWrite(handle: number, pdu: Uint8Array): void {
    const attribute = this.#database.get(handle);
    if (!attribute) {
      this.bearer.respondError(AttOpcode.PrepareWriteReq, handle, AttErrorCode.InvalidHandle);
      return;
    }
    // Offset and length are judged when the write is executed (Vol 3 Part F 3.4.6.1), and permissions then once more.
    const part = { offset: pdu[3]! | (pdu[4]! << 8), value: pdu.subarray(5) };
    const echo = (): void => {
      if (!this.#prepared.push(attribute, part)) throw new AttError(AttErrorCode.PrepareQueueFull);
      // Cut where the peer may send longer PDUs than we do; a client that compares then sees that the part is not the one it sent.
      const length = Math.min(pdu.length, this.bearer.responseLimit);
      const writer = new FrameWriter(this.bearer.channel.allocate(length), AttOpcode.PrepareWriteRsp);
      writer.bytes(pdu.subarray(1, length));
      this.bearer.respond(writer.frame);
    };
    this.#request.perform(
      AttOpcode.PrepareWriteReq,
      handle,
      [],
      (operation) => this.#access.permitWrite(operation, attribute, "write"),
      echo,
    );
  }

  #onExecuteWrite(flags: number): void {
    if (flags > 1) {
      this.bearer.respondError(AttOpcode.ExecuteWriteReq, 0, AttErrorCode.InvalidPdu);
      return;
    }
    const writes = this.#prepared.take();
    for (const { attribute } of writes) this.#longRead.forget(attribute);
    const services = [...new Set(writes.map(({ attribute }) => attribute.serviceHandle))];
    this.#request.perform(
      AttOpcode.ExecuteWriteReq,
      0,
      services,
      (operation) => (flags === 1 ? this.#access.execute(operation, writes) : undefined),
      () => this.#respondEmpty(AttOpcode.ExecuteWriteRsp),
      flags === 1 ? writes.map(({ attribute }) => attribute.handle) : [],
    );
  }

  onResponded(): void {
    this.#request.onResponded();
  }

  /** The request had to wait for its turn: what it is about is judged once more. @throws {AttError} */
  #judgeAfterTurn(attribute: Attribute): void {
    if (this.#request.hadToWait) this.#access.judgeRead(attribute);
  }

  onCommand(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    this.#commands.onCommand(opcode, bytes, offset, end);
  }

  onDatabaseChanged(): void {
    this.#longRead.clear();
  }

  /** While paused, requests are taken and not answered. */
  set paused(paused: boolean) {
    this.#paused = paused;
    const parked = this.#parked;
    if (paused || !parked) return;
    this.#parked = undefined;
    this.onRequest(parked[0]!, parked, 0, parked.length);
  }

  /** Serves no more: a request under way is refused, and the bearer answers without a server from then on. */
  close(reason: BleError): void {
    if (this.bearer.server === this) this.bearer.server = undefined;
    this.#commands.close(reason);
    this.#prepared.clear();
    this.#longRead.clear();
    this.#awareness.forget(this.bearer);
    const parked = this.#parked;
    this.#parked = undefined;
    const current = this.#request.close(reason);
    if (this.bearer.ended) return;
    // Without an answer the bearer would stay busy with it, and serve nobody any more.
    if (current) this.bearer.respondError(current.opcode, current.handle, AttErrorCode.UnlikelyError);
    else if (parked) this.bearer.respondError(parked[0]!, 0, AttErrorCode.UnlikelyError);
  }
}
