import type { AttBearer, AttServerSide } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { type BleError, TimeoutError } from "../../core/error.ts";
import { Uuid } from "../../core/uuid.ts";
import { SIGNATURE_LENGTH } from "../../crypto/signature.ts";
import { PDU_OFFSET } from "../../l2cap/channel.ts";
import { FrameWriter } from "../frame-writer.ts";
import type { Attribute } from "./attribute.ts";
import { AttributeAccess, Refusal } from "./attribute-access.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { ChangeNotice } from "./change-notice.ts";
import type { ClientConfiguration } from "./client-configuration.ts";
import { CommandQueue } from "./command-queue.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import {
  findByTypeValue,
  findInformation,
  type ResponseRoom,
  readByGroupType,
  readByTypeResponse,
  readMultipleResponse,
} from "./discovery.ts";
import { type HeldSends, Hold } from "./held-sends.ts";
import { LongRead } from "./long-read.ts";
import { Operation } from "./operation.ts";
import { PrepareQueue } from "./prepare-queue.ts";
import { after, isThenable } from "./thenable.ts";
import { NO_TURN, type Turn, type Turns } from "./turns.ts";

/** A handler that takes longer is answered for: the client gives up, and the bearer with it, at 30 s (Vol 3 Part F 3.3.3). */
const HANDLER_TIMEOUT_MS = 29_000;

/** The request that is being served. */
interface Current {
  readonly opcode: number;
  readonly handle: number;
  readonly operation: Operation;
  readonly turn: Turn;
  timer: Disposable | undefined;
}

/** What the bearers of one client share. */
export interface ServedClient {
  readonly peer: GattPeer;
  readonly database: AttributeDatabase;
  readonly awareness: ChangeAwareness;
  readonly configuration: ClientConfiguration;
  readonly change: ChangeNotice;
  readonly held: HeldSends;
  /** While it has several bearers. */
  readonly turns: Turns | undefined;
}

/** Whether `length` is right for a request of this opcode, opcode included. */
function isWellFormed(opcode: number, length: number): boolean {
  switch (opcode) {
    case AttOpcode.FindInformationReq:
    case AttOpcode.ReadBlobReq:
      return length === 5;
    case AttOpcode.FindByTypeValueReq:
      return length >= 7;
    case AttOpcode.ReadByTypeReq:
    case AttOpcode.ReadByGroupTypeReq:
      return length === 7 || length === 21;
    case AttOpcode.ReadReq:
      return length === 3;
    case AttOpcode.ReadMultipleReq:
    case AttOpcode.ReadMultipleVariableReq:
      return length >= 5 && length % 2 === 1;
    case AttOpcode.WriteReq:
      return length >= 3;
    case AttOpcode.PrepareWriteReq:
      return length >= 5;
    case AttOpcode.ExecuteWriteReq:
      return length === 2;
    default:
      return false;
  }
}

/** Answers what one client asks on one bearer. Long reads and prepared writes belong to the bearer (Vol 3 Part F 3.4.6). */
export class BearerServer implements AttServerSide {
  readonly bearer: AttBearer;
  readonly #client: ServedClient;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #access: AttributeAccess;
  readonly #prepared = new PrepareQueue();
  readonly #commands: CommandQueue;
  readonly #longRead: LongRead;
  #hold = new Hold();
  /** The request that is being served. */
  #current: Current | undefined;
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
    this.#commands = new CommandQueue(bearer, HANDLER_TIMEOUT_MS);
    this.#longRead = new LongRead(bearer.clock);
    bearer.server = this;
  }

  onRequest(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (this.#paused) {
      this.#parked = bytes.slice(offset, end);
      return;
    }
    if (!isWellFormed(opcode, end - offset)) {
      this.bearer.respondError(opcode, 0, AttErrorCode.InvalidPdu);
      return;
    }
    const handle = bytes[offset + 1]! | (bytes[offset + 2]! << 8);
    if (!this.#awareness.aware && this.#isOutOfSync(opcode, handle, bytes, offset, end)) return;
    switch (opcode) {
      case AttOpcode.WriteReq:
        this.#onWrite(handle, bytes.slice(offset + 3, end));
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
        this.#onPrepareWrite(handle, bytes.slice(offset, end));
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
    this.#perform(
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
    this.#perform(
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
    this.#perform(
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
    this.#perform(
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
    this.#perform(AttOpcode.PrepareWriteReq, handle, [], (operation) => this.#access.permitWrite(operation, attribute, "write"), echo);
  }

  #onExecuteWrite(flags: number): void {
    if (flags > 1) {
      this.bearer.respondError(AttOpcode.ExecuteWriteReq, 0, AttErrorCode.InvalidPdu);
      return;
    }
    const writes = this.#prepared.take();
    for (const { attribute } of writes) this.#longRead.forget(attribute);
    const services = [...new Set(writes.map(({ attribute }) => attribute.serviceHandle))];
    this.#perform(
      AttOpcode.ExecuteWriteReq,
      0,
      services,
      (operation) => (flags === 1 ? this.#access.execute(operation, writes) : undefined),
      () => this.#respondEmpty(AttOpcode.ExecuteWriteRsp),
      flags === 1 ? writes.map(({ attribute }) => attribute.handle) : [],
    );
  }

  /**
   * Calls what may be a handler, and answers: `finish` responds with what it gave. `services` are those whose notifications wait for the
   * response while the handler runs on. `about`: the attributes, where it is not the one at `handle`.
   */
  #perform<T>(
    opcode: number,
    handle: number,
    services: readonly number[],
    call: (operation: Operation) => T | Promise<T>,
    finish: (value: T) => void,
    about?: readonly number[],
  ): void {
    const operation = new Operation();
    const turn = this.#client.turns?.enter(about ?? [handle]) ?? NO_TURN;
    const current: Current = { opcode, handle, operation, turn, timer: undefined };
    this.#current = current;
    const { held } = this.#client;
    if (turn.ready) {
      const hold = this.#hold;
      const called = turn.ready.then(() => {
        operation.throwIfGivenUp();
        held.begin(hold);
        try {
          return call(operation);
        } finally {
          held.continueInBackground(hold, services);
        }
      });
      this.#await(current, called, finish);
      return;
    }
    held.begin(this.#hold);
    let result: T | Promise<T>;
    try {
      result = call(operation);
      if (operation.isGivenUp) return; // the handler closed the server
      if (!isThenable(result)) {
        finish(result);
        return;
      }
    } catch (error) {
      if (!operation.isGivenUp) this.#refuse(opcode, handle, error);
      return;
    }
    held.continueInBackground(this.#hold, services);
    this.#await(current, result, finish);
  }

  #await<T>(current: Current, result: Promise<T>, finish: (value: T) => void): void {
    const { opcode, handle, operation } = current;
    const settle = (act: () => void): void => {
      if (operation.isGivenUp) return;
      current.timer?.[Symbol.dispose]();
      try {
        act();
      } catch (error) {
        this.#refuse(opcode, handle, error);
      }
    };
    current.timer = this.bearer.clock.setTimer(HANDLER_TIMEOUT_MS, "GATT handler", () => {
      const error = new TimeoutError(`handler of attribute ${handle}`, HANDLER_TIMEOUT_MS);
      operation.giveUp(error);
      this.#refuse(opcode, handle, error);
    });
    result.then(
      (value) => settle(() => finish(value)),
      (error) =>
        settle(() => {
          throw error;
        }),
    );
  }

  #refuse(opcode: number, handle: number, error: unknown): void {
    this.bearer.respondError(opcode, error instanceof Refusal ? error.handle : handle, this.#access.errorCode(error));
  }

  onResponded(): void {
    const current = this.#current;
    this.#current = undefined;
    current?.turn.leave();
    this.#releaseHold();
    current?.operation.onAnswered();
  }

  /** What the request caused may leave: other bearers are not to overtake a response that waits for credits. */
  #releaseHold(): void {
    const { held } = this.#client;
    const hold = this.#hold;
    const { isEnhanced, channel } = this.bearer;
    if (!isEnhanced || channel.waiting === 0) {
      held.release(hold);
      return;
    }
    this.#hold = new Hold();
    const release = (): void => held.release(hold);
    channel.whenSent().then(release, release);
  }

  /** The request had to wait for its turn: what it is about is judged once more. @throws {AttError} */
  #judgeAfterTurn(attribute: Attribute): void {
    if (this.#current?.turn.ready) this.#access.judgeRead(attribute);
  }

  onCommand(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (opcode === AttOpcode.SignedWriteCmd && !this.#awareness.isBlocked) {
      this.#onSignedWrite(bytes.slice(offset, end));
      return;
    }
    if (opcode !== AttOpcode.WriteCmd || end - offset < 3 || this.#awareness.isBlocked) {
      this.bearer.logger.debug(() => `ignored a command, opcode 0x${opcode.toString(16)}`);
      return;
    }
    const attribute = this.#database.get(bytes[offset + 1]! | (bytes[offset + 2]! << 8));
    // Judged here so that what may not be is not queued, and again when its turn comes.
    if (!attribute || end - offset - 3 > attribute.maxLength || this.#access.writeError(attribute, "command")) return;
    const value = bytes.slice(offset + 3, end);
    this.#longRead.forget(attribute);
    this.#commands.run((operation) => this.#access.write(operation, attribute, value, "command"));
  }

  /** What is wrong with it is dropped without a word, as with every command (Vol 3 Part F 3.4.5.4). */
  #onSignedWrite(pdu: Uint8Array): void {
    const { peer } = this.#client;
    const valueEnd = pdu.length - SIGNATURE_LENGTH;
    // There is no signed write on an enhanced bearer (Vol 3 Part F 3.2.11): such a link is encrypted.
    if (valueEnd < 3 || this.bearer.isEnhanced || !peer.verifySignature) return;
    const attribute = this.#database.get(pdu[1]! | (pdu[2]! << 8));
    if (!attribute || valueEnd - 3 > attribute.maxLength || this.#access.writeError(attribute, "signed")) return;
    // One after the other, so that each is judged by the counter that the one before has left.
    this.#commands.run(async (operation) => {
      const signer = await peer.verifySignature?.(pdu);
      operation.throwIfGivenUp();
      if (!signer || (attribute.writeRequirement.authenticated && !signer.authenticated)) {
        this.bearer.logger.info(() => `a signed write of handle ${attribute.handle} was dropped: its signature is not good, or not enough`);
        return;
      }
      this.#longRead.forget(attribute);
      await this.#access.write(operation, attribute, pdu.slice(3, valueEnd), "signed");
    });
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
    const current = this.#current;
    this.#parked = undefined;
    this.#current = undefined;
    current?.timer?.[Symbol.dispose]();
    current?.operation.giveUp(reason);
    current?.turn.leave();
    this.#client.held.release(this.#hold);
    if (this.bearer.ended) return;
    // Without an answer the bearer would stay busy with it, and serve nobody any more.
    if (current) this.bearer.respondError(current.opcode, current.handle, AttErrorCode.UnlikelyError);
    else if (parked) this.bearer.respondError(parked[0]!, 0, AttErrorCode.UnlikelyError);
  }
}
