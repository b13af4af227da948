import { DecodeError } from "../bytes/index.ts";
import { Address } from "../core/address.ts";
import { decodeCommand, decodePacket, eventsByCode, type Fields } from "../mgmt-protocol/index.ts";
import type { DecodedContent } from "./decoded-packet.ts";
import { managementPacketOf } from "./management.ts";
import { decodeMonitorPayload, type MonitorFields } from "./monitor.ts";
import { MonitorOpcode, type MonitorRecord } from "./record.ts";

/** Sockets that are remembered; those opened longest ago are forgotten first. */
const MOST_SOCKETS = 1024;
const PRIVILEGED = 1;
const COMMAND_COMPLETE = 0x0001;

/** A program's socket, as ControlOpen told of it. */
export interface MonitoredSocket {
  readonly program: string;
  /** Whether it may change anything. */
  readonly privileged: boolean;
}

/** The sockets a monitor has told of, by their cookies. Bounded. */
export class MonitoredSockets {
  readonly #sockets: Map<number, MonitoredSocket>;

  /** @param known sockets that are known already; a copy is made */
  constructor(known?: MonitoredSockets) {
    this.#sockets = new Map(known ? known.#sockets : []);
  }

  /** Unknown cookies are legal: the monitor may have begun late, or the socket be forgotten. */
  get(cookie: number): MonitoredSocket | undefined {
    return this.#sockets.get(cookie);
  }

  open({ cookie, command, flags }: Pick<MonitorFields<"ControlOpen">, "cookie" | "command" | "flags">): void {
    this.#sockets.delete(cookie);
    this.#sockets.set(cookie, { program: command, privileged: (flags & PRIVILEGED) !== 0 });
    if (this.#sockets.size > MOST_SOCKETS) this.#sockets.delete(this.#sockets.keys().next().value!);
  }

  close(cookie: number): void {
    this.#sockets.delete(cookie);
  }
}

/** Reads the records of the Linux monitor that are no HCI packets. Never throws over what a record holds. */
export class MonitorDecoder {
  readonly #sockets = new MonitoredSockets();

  /** What the record says, without its place in the capture. */
  decode(record: MonitorRecord): DecodedContent {
    const { payload, originalLength = payload.length } = record;
    const layer = record.opcode === MonitorOpcode.ControlCommand || record.opcode === MonitorOpcode.ControlEvent ? "mgmt" : "mon";
    try {
      const content = this.#content(record);
      if (originalLength <= payload.length) return content;
      return {
        ...malformed(layer, payload, `the capture holds ${payload.length} of ${originalLength} octets`),
        ...this.#of(content.cookie),
      };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return malformed(layer, payload, error.message);
    }
  }

  #of(cookie: number | undefined): { cookie?: number; program?: string } {
    if (cookie === undefined) return {};
    const program = this.#sockets.get(cookie)?.program;
    return program === undefined ? { cookie } : { cookie, program };
  }

  #content(record: MonitorRecord): DecodedContent {
    const { name, fields } = decodeMonitorPayload(record);
    switch (name) {
      case undefined:
        return { layer: "mon", name: `Monitor 0x${record.opcode.toString(16).padStart(4, "0")}`, fields: { raw: fields.payload } };
      case "NewIndex":
      case "IndexInfo":
        return { layer: "mon", name, fields: { ...fields, address: Address.from(fields.address) } };
      case "ControlOpen": {
        this.#sockets.open(fields);
        const { cookie, command: _, ...rest } = fields;
        return { layer: "mon", name, ...this.#of(cookie), fields: rest };
      }
      case "ControlClose": {
        const of = this.#of(fields.cookie);
        this.#sockets.close(fields.cookie);
        return { layer: "mon", name, ...of, fields: {} };
      }
      case "ControlCommand":
      case "ControlEvent":
        return { ...management(record, name), ...this.#of(fields.cookie) };
      case "SystemNote":
      case "UserLogging":
        return { layer: "mon", name, fields };
      default:
        return { layer: "mon", name, fields: fields.payload.length > 0 ? { raw: fields.payload } : {} };
    }
  }
}

function malformed(layer: "mgmt" | "mon", payload: Uint8Array, problem: string): DecodedContent {
  return { layer, name: "Malformed", fields: { raw: payload.slice() }, malformed: problem };
}

const code = (kind: "Command" | "Event", value: number): string => `${kind} 0x${value.toString(16).padStart(4, "0")}`;

/** A management packet: names as in the protocol's description, a reply with what it answers. */
function management(record: MonitorRecord, name: "ControlCommand" | "ControlEvent"): DecodedContent {
  const direction = name === "ControlCommand" ? "program-to-kernel" : "kernel-to-program";
  const packet = managementPacketOf(record)!;
  try {
    return { layer: "mgmt", direction, ...(name === "ControlCommand" ? command(packet) : event(packet)) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { ...malformed("mgmt", packet, error.message), direction };
  }
}

type Told = Pick<DecodedContent, "name" | "fields" | "declared">;

function command(packet: Uint8Array): Told {
  const { declaration, opcode, parameters, surplus } = decodeCommand(packet);
  return { name: declaration?.name ?? code("Command", opcode), ...values(declaration?.parameters.fields, parameters, surplus) };
}

function event(packet: Uint8Array): Told {
  const decoded = decodePacket(packet);
  const { surplus, declaration } = decoded;
  if (decoded.kind === "event")
    return {
      name: declaration?.name ?? code("Event", decoded.code),
      ...values(decoded.declaration?.parameters.fields, decoded.parameters, surplus),
    };
  const answered = declaration?.name ?? code("Command", decoded.opcode);
  const told = values(decoded.declaration?.returns.fields, decoded.returns ?? {}, surplus);
  return {
    name: `${decoded.kind === "complete" ? "CommandComplete" : "CommandStatus"} ${answered}`,
    fields: { status: decoded.status, ...told.fields },
    declared: { status: eventsByCode.get(COMMAND_COMPLETE)!.parameters.fields.status!, ...told.declared },
  };
}

function values(
  declared: Fields | undefined,
  given: Readonly<Record<string, unknown>> | Uint8Array,
  surplus: Uint8Array,
): Pick<Told, "fields" | "declared"> {
  if (given instanceof Uint8Array) return { fields: given.length > 0 ? { raw: given } : {} };
  return { fields: surplus.length > 0 ? { ...given, surplus } : given, declared: declared ?? {} };
}
