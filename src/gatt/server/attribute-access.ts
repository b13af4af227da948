import type { AttBearer } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { accessError } from "./access.ts";
import type { Attribute } from "./attribute.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { ClientConfiguration } from "./client-configuration.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer, GattRequest } from "./definition.ts";
import type { PreparedWrite } from "./prepare-queue.ts";
import { ServerRequest } from "./request.ts";
import { isThenable } from "./thenable.ts";

/** An error with the handle it is about, where that is not the request's. */
export class Refusal {
  readonly errorCode: number;
  readonly handle: number;
  constructor(errorCode: number, handle: number) {
    this.errorCode = errorCode;
    this.handle = handle;
  }
}

/** Reads and writes attributes for one client: permissions, its own values, stored values, handlers. */
export class AttributeAccess {
  readonly #bearer: AttBearer;
  readonly #peer: GattPeer;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #configuration: ClientConfiguration;
  /** The access whose handler is running, until its response has left. */
  request: ServerRequest | undefined;

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

  /** Why the attribute may not be read, 0 where it may. Authorization is asked when it is read. */
  readError(attribute: Attribute): number {
    if (!attribute.readable) return AttErrorCode.ReadNotPermitted;
    return accessError(attribute.readRequirement, this.#bearer.security, this.#peer);
  }

  /** Why a value that ends at `end` may not be written, 0 where it may. */
  writeError(attribute: Attribute, end: number): number {
    if (!attribute.writable) return AttErrorCode.WriteNotPermitted;
    return (
      accessError(attribute.writeRequirement, this.#bearer.security, this.#peer) ||
      (end > attribute.maxLength ? AttErrorCode.InvalidAttributeValueLength : 0)
    );
  }

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
        this.#awareness.onHashRead();
        return this.#database.hash;
      case "declaration":
      case "value":
        return attribute.read ? undefined : attribute.value;
    }
  }

  read(attribute: Attribute, offset: number): Uint8Array | Promise<Uint8Array> {
    const read = (): Uint8Array | Promise<Uint8Array> =>
      this.#ownValue(attribute) ?? attribute.read!(this.#newRequest(attribute.handle, offset, "read"));
    return attribute.readRequirement.authorized ? this.authorize(attribute.handle, false).then(read) : read();
  }

  /** All values, one after the other; an error names the attribute it comes from. */
  async readAll(attributes: readonly Attribute[]): Promise<Uint8Array[]> {
    const values: Uint8Array[] = [];
    for (const attribute of attributes) {
      try {
        values.push(await this.read(attribute, 0));
      } catch (error) {
        throw new Refusal(this.errorCode(error), attribute.handle);
      }
    }
    return values;
  }

  write(attribute: Attribute, value: Uint8Array): void | Promise<void> {
    const write = (): void | Promise<void> => this.#write(attribute, value, 0, "write");
    return attribute.writeRequirement.authorized ? this.authorize(attribute.handle, true).then(write) : write();
  }

  /** The caller owns `request`: several commands may be under way. */
  command(attribute: Attribute, value: Uint8Array): { request: ServerRequest; result: void | Promise<void> } {
    const request = new ServerRequest(this.#peer, this.#bearer.security, attribute.handle, 0, "command");
    const write = (): void | Promise<void> => (attribute.write ? attribute.write(value, request) : attribute.store(value, 0));
    return { request, result: attribute.writeRequirement.authorized ? this.authorize(attribute.handle, true).then(write) : write() };
  }

  #write(attribute: Attribute, value: Uint8Array, offset: number, operation: "write" | "execute"): void | Promise<void> {
    if (attribute.kind === "cccd") return this.#configuration.write(this.#database.characteristicOfCccd(attribute.handle)!, value, offset);
    if (attribute.kind === "client-features") return this.#configuration.writeFeatures(attribute.handle, value, offset);
    if (attribute.write) return attribute.write(value, this.#newRequest(attribute.handle, offset, operation));
    attribute.store(value, offset);
  }

  /** Everything is checked before anything is written; where a handler refuses all the same, stored values go back to what they were. */
  execute(writes: readonly PreparedWrite[]): void | Promise<void> {
    const stored = this.#checkAll(writes);
    const failed = (error: unknown, handle: number): never => {
      for (const [attribute, value] of stored) attribute.value = value;
      throw new Refusal(this.errorCode(error), handle);
    };
    const apply = ({ attribute, offset, value }: PreparedWrite): void | Promise<void> => {
      try {
        return this.#write(attribute, value, offset, "execute");
      } catch (error) {
        return failed(error, attribute.handle);
      }
    };
    const applyFrom = (first: number): void | Promise<void> => {
      for (let i = first; i < writes.length; i++) {
        const result = apply(writes[i]!);
        if (isThenable(result))
          return result.then(
            () => applyFrom(i + 1),
            (error) => failed(error, writes[i]!.attribute.handle),
          );
      }
    };
    return applyFrom(0);
  }

  /** The values as they are now, of the attributes that will be stored to. */
  #checkAll(writes: readonly PreparedWrite[]): Map<Attribute, Uint8Array> {
    const lengths = new Map<Attribute, number>();
    for (const { attribute, offset, value } of writes) {
      const { handle } = attribute;
      if (this.#database.get(handle) !== attribute) throw new Refusal(AttErrorCode.DatabaseOutOfSync, handle);
      const isStored = attribute.kind === "value" && !attribute.write;
      const length = lengths.get(attribute) ?? attribute.value.length;
      if (isStored && offset > length) throw new Refusal(AttErrorCode.InvalidOffset, handle);
      const refusal = this.writeError(attribute, offset + value.length);
      if (refusal) throw new Refusal(refusal, handle);
      if (isStored) lengths.set(attribute, offset === 0 && !attribute.fixedLength ? value.length : Math.max(length, offset + value.length));
    }
    return new Map([...lengths.keys()].map((attribute) => [attribute, attribute.value]));
  }

  #newRequest(handle: number, offset: number, operation: GattRequest["operation"]): ServerRequest {
    const request = new ServerRequest(this.#peer, this.#bearer.security, handle, offset, operation);
    request.callbacks = this.request?.callbacks; // of the handlers before it, where one request calls several
    this.request = request;
    return request;
  }

  /** A missing answer is a refusal. @throws {AttError} Insufficient Authorization */
  async authorize(handle: number, write: boolean): Promise<void> {
    let granted = false;
    try {
      granted = (await this.#peer.authorize?.({ handle, write })) ?? false;
    } catch (error) {
      this.#bearer.logger.warn(() => `authorization of handle ${handle} failed: ${String(error)}`);
    }
    if (!granted) throw new AttError(AttErrorCode.InsufficientAuthorization);
  }

  /** What a failed handler is answered with. */
  errorCode(error: unknown): number {
    if (error instanceof AttError || error instanceof Refusal) return error.errorCode;
    this.#bearer.logger.error(() => `a GATT handler failed: ${String(error)}`);
    return AttErrorCode.UnlikelyError;
  }
}
