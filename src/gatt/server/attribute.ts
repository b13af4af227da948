import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import type { Uuid } from "../../core/uuid.ts";
import { type AccessRequirement, OPEN } from "./access.ts";
import type { ReadHandler, WriteHandler } from "./definition.ts";

/** What an attribute's value is: the same for all, or one for each client, which the client's session holds. */
export type AttributeKind = "declaration" | "value" | "cccd" | "client-features" | "database-hash";

interface AttributeOptions {
  readonly kind: AttributeKind;
  readonly type: Uuid;
  readonly value?: Uint8Array | undefined;
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly commandable?: boolean;
  readonly readRequirement?: AccessRequirement;
  readonly writeRequirement?: AccessRequirement;
  readonly maxLength?: number | undefined;
  readonly fixedLength?: boolean | undefined;
  readonly read?: ReadHandler | undefined;
  readonly write?: WriteHandler | undefined;
}

const EMPTY = new Uint8Array(0);

/** One attribute of the database, Vol 3 Part F 3.2. */
export class Attribute {
  readonly handle: number;
  readonly kind: AttributeKind;
  readonly type: Uuid;
  /** Declaration of the service it belongs to. */
  readonly serviceHandle: number;
  /** Last handle of the group that a service declaration begins; otherwise its own handle. */
  groupEndHandle: number;
  /** The stored value. Replaced, never changed in place: readers may hold it. */
  value: Uint8Array;
  readonly readable: boolean;
  /** By Write Request and Prepare Write Request. */
  readonly writable: boolean;
  /** By Write Command. */
  readonly commandable: boolean;
  readonly readRequirement: AccessRequirement;
  readonly writeRequirement: AccessRequirement;
  readonly maxLength: number;
  readonly fixedLength: boolean;
  readonly read: ReadHandler | undefined;
  readonly write: WriteHandler | undefined;

  constructor(handle: number, serviceHandle: number, options: AttributeOptions) {
    this.handle = handle;
    this.kind = options.kind;
    this.type = options.type;
    this.serviceHandle = serviceHandle;
    this.groupEndHandle = handle;
    this.value = options.value?.slice() ?? EMPTY;
    this.readable = options.readable ?? false;
    this.writable = options.writable ?? false;
    this.commandable = options.commandable ?? false;
    this.readRequirement = options.readRequirement ?? OPEN;
    this.writeRequirement = options.writeRequirement ?? OPEN;
    this.fixedLength = options.fixedLength ?? false;
    this.maxLength = this.fixedLength ? this.value.length : (options.maxLength ?? MAX_VALUE_LENGTH);
    this.read = options.read;
    this.write = options.write;
  }

  /** Its value is in `value`, for every client the same. */
  get isStatic(): boolean {
    return this.read === undefined && (this.kind === "declaration" || this.kind === "value");
  }

  /**
   * Stores a written value (Vol 3 Part F 3.4.5.1): one from the start replaces it, one from `offset` on replaces what it covers.
   *
   * @throws {AttError} the offset or the length does not fit
   */
  store(value: Uint8Array, offset: number): void {
    const end = offset + value.length;
    if (offset > this.value.length) throw new AttError(AttErrorCode.InvalidOffset);
    if (end > this.maxLength) throw new AttError(AttErrorCode.InvalidAttributeValueLength);
    if (offset === 0 && !this.fixedLength) {
      this.value = value;
      return;
    }
    const next = new Uint8Array(Math.max(end, this.value.length));
    next.set(this.value);
    next.set(value, offset);
    this.value = next;
  }
}
