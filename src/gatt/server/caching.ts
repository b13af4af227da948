import { AttOpcode } from "../../att/opcode.ts";
import type { Uuid } from "../../core/uuid.ts";
import { ClientFeature } from "../client-feature.ts";
import { GattUuid } from "../uuids.ts";

/**
 * Whether a client knows how the database looks now: "change-aware" and "change-unaware" of Vol 3 Part G 2.5.2.1. One state for all of its
 * bearers; but what shows that an answer has arrived is the next request on the bearer that carried it, since the other bearers' requests may
 * have been on their way before.
 */
export class ChangeAwareness {
  /** The client knows the database as it is. */
  aware = true;
  /** First octet of Client Supported Features. */
  features = 0;
  /** Bearers on which the client was told by Database Out Of Sync. */
  readonly #errorSent = new Set<object>();
  /** Bearers on which it read the Database Hash. */
  readonly #hashRead = new Set<object>();
  /** Counts changes, to tell whether another one came while Service Changed was on its way. */
  #changes = 0;

  get changes(): number {
    return this.#changes;
  }

  /** The client has asked to be told with Database Out Of Sync. */
  get isRobust(): boolean {
    return (this.features & ClientFeature.RobustCaching) !== 0;
  }

  /** Nothing but Service Changed is sent to it, and its commands are ignored. */
  get isBlocked(): boolean {
    return !this.aware && this.isRobust;
  }

  onDatabaseChanged(): void {
    this.aware = false;
    this.#errorSent.clear();
    this.#hashRead.clear();
    this.#changes++;
  }

  /** The Database Hash was read; the next request shows that it arrived. */
  onHashRead(bearer: object): void {
    if (!this.aware) this.#hashRead.add(bearer);
  }

  /** One of its bearers is gone. */
  forget(bearer: object): void {
    this.#errorSent.delete(bearer);
    this.#hashRead.delete(bearer);
  }

  /** Service Changed was confirmed, `changes` being the count when it was sent. True where the client is aware by that. */
  onConfirmed(changes: number): boolean {
    if (changes !== this.#changes) return false;
    this.aware = true;
    return true;
  }

  /** A request came: does it make the client aware, or must it be answered Database Out Of Sync? */
  onRequest(
    bearer: object,
    opcode: number,
    byType: { start: number; end: number; type: Uuid } | undefined,
  ): "proceed" | "became-aware" | "out-of-sync" {
    if (this.aware) return "proceed";
    if (this.#errorSent.has(bearer) || this.#hashRead.has(bearer)) {
      this.aware = true;
      return "became-aware";
    }
    if (!this.isBlocked || !needsKnowledge(opcode, byType)) return "proceed";
    this.#errorSent.add(bearer);
    return "out-of-sync";
  }
}

/** The request rests on handles that the client learned earlier. */
function needsKnowledge(opcode: number, byType: { start: number; end: number; type: Uuid } | undefined): boolean {
  switch (opcode) {
    case AttOpcode.ReadReq:
    case AttOpcode.ReadBlobReq:
    case AttOpcode.ReadMultipleReq:
    case AttOpcode.ReadMultipleVariableReq:
    case AttOpcode.WriteReq:
    case AttOpcode.PrepareWriteReq:
      return true;
    case AttOpcode.ReadByTypeReq:
      if (!byType) return false;
      if (byType.type.short === GattUuid.Include || byType.type.short === GattUuid.Characteristic) return false;
      return byType.start !== 0x0001 || byType.end !== 0xffff;
    default:
      return false;
  }
}
