import { AttOpcode } from "../att/opcode.ts";
import { Uuid } from "../core/uuid.ts";
import { type CaptureDirection, opposite } from "./record.ts";

/** Attributes remembered per server; a capture that names more is read without the names. */
const MOST_ATTRIBUTES = 4096;
const CHARACTERISTIC_DECLARATION = 0x2803;

interface Server {
  readonly types: Map<number, Uuid>;
  /** Type of the Read By Type or Read By Group Type Request that waits for its answer. */
  requested: Uuid | undefined;
  /** Handle of the last request that named one, for answers that do not. */
  handle: number | undefined;
}

/** What discovery told about the two attribute servers of a link: which type lies behind a handle. One for each bearer. */
export class AttContext {
  readonly #servers: Readonly<Record<CaptureDirection, Server>>;

  /** @param bearer another one of the same link, with the same attributes */
  constructor(bearer?: AttContext) {
    const server = (direction: CaptureDirection): Server => ({
      types: bearer ? bearer.#servers[direction].types : new Map(),
      requested: undefined,
      handle: undefined,
    });
    this.#servers = { "host-to-controller": server("host-to-controller"), "controller-to-host": server("controller-to-host") };
  }

  /**
   * Takes a PDU in; learns from it, and says which attribute it is about.
   *
   * @param direction of the PDU
   */
  follow(
    direction: CaptureDirection,
    opcode: number,
    fields: Record<string, unknown>,
  ): { handle: number; type: Uuid | undefined } | undefined {
    const server = this.#servers[isFromClient(opcode) ? opposite(direction) : direction];
    const learn = (handle: number, type: Uuid): void => {
      if (server.types.size < MOST_ATTRIBUTES || server.types.has(handle)) server.types.set(handle, type);
    };
    switch (opcode) {
      case AttOpcode.ReadByTypeReq:
        server.requested = fields.attributeType as Uuid;
        return undefined;
      case AttOpcode.ReadByGroupTypeReq:
        server.requested = fields.attributeGroupType as Uuid;
        return undefined;
      case AttOpcode.ReadByTypeRsp:
        for (const { attributeHandle, attributeValue } of fields.attributeDataList as {
          attributeHandle: number;
          attributeValue: Uint8Array;
        }[]) {
          if (!server.requested) break;
          if (server.requested.short !== CHARACTERISTIC_DECLARATION) learn(attributeHandle, server.requested);
          else if (attributeValue.length === 5 || attributeValue.length === 19)
            learn(attributeValue[1]! | (attributeValue[2]! << 8), Uuid.fromBytes(attributeValue.subarray(3)));
        }
        return undefined;
      case AttOpcode.FindInformationRsp:
        for (const { handle, uuid } of fields.informationData as { handle: number; uuid: Uuid }[]) learn(handle, uuid);
        return undefined;
    }
    const named = fields.attributeHandle ?? fields.attributeHandleInError;
    if (typeof named === "number") {
      server.handle = named;
      return { handle: named, type: server.types.get(named) };
    }
    const answers = opcode === AttOpcode.ReadRsp || opcode === AttOpcode.ReadBlobRsp || opcode === AttOpcode.WriteRsp;
    if (answers && server.handle !== undefined) return { handle: server.handle, type: server.types.get(server.handle) };
    return undefined;
  }

  /** The type requested of the server that sends in `direction`, for reading an answer of Read By (Group) Type. */
  requestedOf(direction: CaptureDirection): Uuid | undefined {
    return this.#servers[direction].requested;
  }
}

/** Requests, commands and the confirmation come from the client; their opcodes are the even ones (Vol 3 Part F 3.4.8). */
function isFromClient(opcode: number): boolean {
  return opcode % 2 === 0;
}
