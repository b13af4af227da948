import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import type { Uuid } from "../../core/uuid.ts";
import { type AccessRequirement, OPEN } from "./access.ts";
import type { GattPeer, ReadHandler, WriteHandler, WriteKind } from "./definition.ts";

/** What an attribute's value is: the same for all, or one for each client, which the client's session holds. */
export type AttributeKind = "declaration" | "value" | "cccd" | "client-features" | "database-hash";

interface AttributeOptions {
  readonly kind: AttributeKind;
  readonly type: Uuid;
  readonly value?: Uint8Array | undefined;
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly commandable?: boolean;
  readonly signable?: boolean;
  readonly readRequirement?: AccessRequirement;
  readonly writeRequirement?: AccessRequirement;
  readonly maxLength?: number | undefined;
  readonly fixedLength?: boolean | undefined;
  readonly read?: ReadHandler | undefined;
  readonly readEachPart?: boolean | undefined;
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
  /** By Signed Write Command; on an encrypted link by Write Command, which takes its place there (Vol 3 Part G 4.9.2). */
  readonly signable: boolean;
  readonly readRequirement: AccessRequirement;
  readonly writeRequirement: AccessRequirement;
  readonly maxLength: number;
  readonly fixedLength: boolean;
  readonly read: ReadHandler | undefined;
  /** `read` is asked for each part of a long read. */
  readonly readEachPart: boolean;
  readonly write: WriteHandler | undefined;
  /** Told of each write by a client that has taken effect, while somebody listens. */
  onWritten: ((value: Uint8Array, peer: GattPeer, operation: WriteKind) => void) | undefined;

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
    this.signable = options.signable ?? false;
    this.readRequirement = options.readRequirement ?? OPEN;
    this.writeRequirement = options.writeRequirement ?? OPEN;
    this.fixedLength = options.fixedLength ?? false;
    this.maxLength = this.fixedLength ? this.value.length : (options.maxLength ?? MAX_VALUE_LENGTH);
    this.read = options.read;
    this.readEachPart = options.readEachPart ?? false;
    this.write = options.write;
  }

  /** Its value is in `value`, for every client the same. */
  get isStatic(): boolean {
    return this.read === undefined && (this.kind === "declaration" || this.kind === "value");
  }
}
