import type { AttBearer } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { checkOctets } from "../../core/arguments.ts";
import { accessError, signedWriteError } from "./access.ts";
import type { Attribute } from "./attribute.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { ClientConfiguration } from "./client-configuration.ts";
import { askConsent } from "./consent.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer, GattRequest, WriteKind } from "./definition.ts";
import type { Operation } from "./operation.ts";
import { mergeParts, needsBase, type Part } from "./parts.ts";
import type { PreparedWrite } from "./prepare-queue.ts";
import { after, failing, inTurn, isThenable } from "./thenable.ts";

/** An error with the handle it is about, where that is not the request's. */
export class Refusal {
  readonly errorCode: number;
  readonly handle: number;
  constructor(errorCode: number, handle: number) {
    this.errorCode = errorCode;
    this.handle = handle;
  }
}

/**
 * Reads and writes attributes for one client: permissions, its own values, stored values, handlers. Every access is judged when it begins,
 * and again when something had to be waited for: a link can lose its security, and a service can go, while a user or a handler thinks.
 */
export class AttributeAccess {
  readonly #bearer: AttBearer;
  readonly #peer: GattPeer;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #configuration: ClientConfiguration;

  constructor(at: {
    bearer: AttBearer;
    peer: GattPeer;
    database: AttributeDatabase;
    awareness: ChangeAwareness;
    configuration: ClientConfiguration;
  }) {
    this.#bearer = at.bearer;
    this.#peer = at.peer;
    this.#database = at.database;
    this.#awareness = at.awareness;
    this.#configuration = at.configuration;
  }

  // --- permissions ----------------------------------------------------------------------------------------------------------------

  /** Why the attribute may not be read, 0 where it may. Authorization is asked when it is read. */
  readError(attribute: Attribute): number {
    if (!attribute.readable) return AttErrorCode.ReadNotPermitted;
    return accessError(attribute.readRequirement, this.#bearer.security, this.#peer);
  }

  /** Why the attribute may not be written, 0 where it may; "command" is a write that is not answered, "signed" one with a signature. */
  writeError(attribute: Attribute, operation: WriteKind): number {
    const { security } = this.#bearer;
    if (operation === "signed") return signedWriteError(attribute, security);
    const isCommandable = attribute.commandable || (attribute.signable && security.encrypted);
    if (!(operation === "command" ? isCommandable : attribute.writable)) return AttErrorCode.WriteNotPermitted;
    return accessError(attribute.writeRequirement, security, this.#peer);
  }

  #isGone(attribute: Attribute): boolean {
    return this.#database.get(attribute.handle) !== attribute;
  }

  /** @throws {AttError} the client may not read it, or not any more */
  judgeRead(attribute: Attribute): void {
    throwWhere(this.#isGone(attribute) ? AttErrorCode.InvalidHandle : this.readError(attribute));
  }

  /** @throws {AttError} the client may not write it, or not any more */
  #judgeWrite(attribute: Attribute, operation: WriteKind): void {
    // What was prepared for a service that is gone rests on knowledge that the client had.
    const gone = operation === "execute" ? AttErrorCode.DatabaseOutOfSync : AttErrorCode.InvalidHandle;
    throwWhere(this.#isGone(attribute) ? gone : this.writeError(attribute, operation));
  }

  /** All but the application's consent was judged before; afterwards it is judged once more. */
  permitRead(operation: Operation, attribute: Attribute): void | Promise<void> {
    if (attribute.readRequirement.authorized) return this.authorize(operation, attribute, false).then(() => this.judgeRead(attribute));
  }

  /** Judges, and asks for the application's consent where that is needed. @throws {AttError} */
  permitWrite(operation: Operation, attribute: Attribute, kind: WriteKind): void | Promise<void> {
    this.#judgeWrite(attribute, kind);
    if (attribute.writeRequirement.authorized)
      return this.authorize(operation, attribute, true).then(() => this.#judgeWrite(attribute, kind));
  }

  /** A missing answer is a refusal. @throws {AttError} Insufficient Authorization */
  async authorize(operation: Operation, { handle }: Attribute, write: boolean): Promise<void> {
    const granted = await askConsent(this.#bearer, this.#peer, { handle, write });
    operation.throwIfGivenUp();
    if (!granted) throw new AttError(AttErrorCode.InsufficientAuthorization);
  }

  // --- reading --------------------------------------------------------------------------------------------------------------------

  /** A value that needs neither handler nor authorization; `undefined` where it does. */
  immediateValue(attribute: Attribute): Uint8Array | undefined {
    return attribute.readRequirement.authorized ? undefined : this.#ownValue(attribute);
  }

  #ownValue(attribute: Attribute): Uint8Array | undefined {
    switch (attribute.kind) {
      case "cccd":
        return Uint8Array.of(this.#configuration.get(this.#database.characteristicOfCccd(attribute.handle)), 0);
      case "client-features":
        return Uint8Array.of(this.#awareness.features);
      case "database-hash":
        this.#awareness.onHashRead(this.#bearer);
        return this.#database.hash;
      case "declaration":
      case "value":
        return attribute.read ? undefined : attribute.value;
    }
  }

  /** The whole value, for a read from `offset`. It has been judged that the client may read it. */
  read(operation: Operation, attribute: Attribute, offset: number): Uint8Array | Promise<Uint8Array> {
    return after(this.permitRead(operation, attribute), () => this.#value(operation, attribute, offset, "read"));
  }

  #value(operation: Operation, attribute: Attribute, offset: number, kind: GattRequest["operation"]): Uint8Array | Promise<Uint8Array> {
    const own = this.#ownValue(attribute);
    if (own) return own;
    const given = attribute.read!(this.#begin(operation, attribute, offset, kind));
    return after(given, (value) => checkOctets("what the read handler gave", value, { maxLength: MAX_VALUE_LENGTH }));
  }

  /** All values, one after the other, each judged when its turn comes; an error names the attribute it comes from. */
  async readAll(operation: Operation, attributes: readonly Attribute[]): Promise<Uint8Array[]> {
    const values: Uint8Array[] = [];
    for (const attribute of attributes)
      values.push(
        await this.#about(operation, attribute, () => {
          operation.throwIfGivenUp();
          this.judgeRead(attribute);
          return this.read(operation, attribute, 0);
        }),
      );
    for (const attribute of attributes) await this.#about(operation, attribute, () => this.judgeRead(attribute));
    return values;
  }

  // --- writing --------------------------------------------------------------------------------------------------------------------

  /** Judges, and writes a whole value. */
  write(operation: Operation, attribute: Attribute, value: Uint8Array, kind: Exclude<WriteKind, "execute">): void | Promise<void> {
    const parts = [{ offset: 0, value }];
    const put = (merged: Uint8Array): void | Promise<void> => {
      if (!isStored(attribute)) {
        const handed = this.#hand(operation, attribute, merged, kind);
        return attribute.onWritten ? after(handed, () => this.#tell(operation, attribute, merged, kind)) : handed;
      }
      attribute.value = merged;
      this.#tell(operation, attribute, merged, kind);
    };
    return after(this.permitWrite(operation, attribute, kind), () => {
      const merged = this.#merged(operation, attribute, parts, kind);
      if (!isThenable(merged)) return put(merged);
      return merged.then((value) => {
        this.#judgeWrite(attribute, kind);
        return put(value);
      });
    });
  }

  /** What the parts make of the value. Where they leave some of it as it is, a handler that gives the value is asked for it. */
  #merged(operation: Operation, attribute: Attribute, parts: readonly Part[], kind: WriteKind): Uint8Array | Promise<Uint8Array> {
    if (!needsBase(attribute, parts)) return mergeParts(attribute, parts);
    if (isStored(attribute)) return mergeParts(attribute, parts, attribute.value);
    return after(this.#value(operation, attribute, 0, kind), (base) => {
      operation.throwIfGivenUp();
      return mergeParts(attribute, parts, base);
    });
  }

  /** Hands a whole value to whoever takes it. */
  #hand(operation: Operation, attribute: Attribute, value: Uint8Array, kind: WriteKind): void | Promise<void> {
    if (attribute.kind === "cccd")
      return this.#configuration.write(operation, this.#database.characteristicOfCccd(attribute.handle)!, value);
    if (attribute.kind === "client-features") return this.#configuration.writeFeatures(attribute.handle, value);
    return attribute.write!(value, this.#begin(operation, attribute, 0, kind));
  }

  /**
   * Executes prepared writes (Vol 3 Part F 3.4.6.3): the parts of one attribute become one value, and everything is judged and merged before
   * any handler is called. Then the handlers are called, each once, and only when all have agreed the stored values change: a refusal
   * leaves them as they were.
   *
   * @throws {Refusal}
   */
  execute(operation: Operation, writes: readonly PreparedWrite[]): void | Promise<void> {
    const values = new Map<Attribute, Uint8Array>();
    const judgeAndMerge = ({ attribute, parts }: PreparedWrite): void | Promise<void> =>
      this.#about(operation, attribute, () =>
        after(this.permitWrite(operation, attribute, "execute"), () =>
          after(this.#merged(operation, attribute, parts, "execute"), (value) => void values.set(attribute, value)),
        ),
      );
    const handOver = ({ attribute }: PreparedWrite): void | Promise<void> =>
      this.#about(operation, attribute, () => {
        operation.throwIfGivenUp();
        this.#judgeWrite(attribute, "execute");
        return this.#hand(operation, attribute, values.get(attribute)!, "execute");
      });
    const handled = writes.filter(({ attribute }) => !isStored(attribute));
    const stored = writes.filter(({ attribute }) => isStored(attribute));
    return after(inTurn(writes, judgeAndMerge), () =>
      after(inTurn(handled, handOver), () => {
        this.#store(operation, stored);
        for (const { attribute } of writes)
          this.#tell(operation, attribute, isStored(attribute) ? attribute.value : values.get(attribute)!, "execute");
      }),
    );
  }

  /** Tells who listens of a write that has taken effect. What a handler did after it was answered for has none. */
  #tell(operation: Operation, attribute: Attribute, value: Uint8Array, kind: WriteKind): void {
    if (attribute.onWritten && !operation.isGivenUp) attribute.onWritten(value, this.#peer, kind);
  }

  /** Merges once more: while handlers ran, somebody else may have written. */
  #store(operation: Operation, writes: readonly PreparedWrite[]): void {
    operation.throwIfGivenUp();
    const values = new Map<Attribute, Uint8Array>();
    for (const { attribute, parts } of writes)
      void this.#about(operation, attribute, () => {
        this.#judgeWrite(attribute, "execute");
        values.set(attribute, mergeParts(attribute, parts, attribute.value));
      });
    for (const [attribute, value] of values) attribute.value = value;
  }

  /** An error of `act` is about this attribute. */
  #about<T>(operation: Operation, { handle }: Attribute, act: () => T | Promise<T>): T | Promise<T> {
    return failing(act, (error) => {
      if (operation.isGivenUp) throw error;
      throw new Refusal(this.errorCode(error), handle);
    });
  }

  #begin(operation: Operation, { handle }: Attribute, offset: number, kind: GattRequest["operation"]): GattRequest {
    return operation.begin({ peer: this.#peer, security: this.#bearer.security, handle, offset, kind });
  }

  /** What a failed handler is answered with. */
  errorCode(error: unknown): number {
    if (error instanceof AttError || error instanceof Refusal) return error.errorCode;
    this.#bearer.logger.error(() => `a GATT handler failed: ${String(error)}`);
    return AttErrorCode.UnlikelyError;
  }
}

const isStored = (attribute: Attribute): boolean => attribute.kind === "value" && !attribute.write;

function throwWhere(errorCode: number): void {
  if (errorCode) throw new AttError(errorCode);
}
