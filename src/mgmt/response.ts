import { toHex } from "../bytes/index.ts";
import { ArgumentError, kindOf, nearestName } from "../core/index.ts";
import {
  type AnyMgmtCommand,
  commandName,
  commandNamed,
  commands,
  type MgmtReplyPacket,
  NO_CONTROLLER,
  present,
  statusName,
} from "../mgmt-protocol/index.ts";
import { checkNames, givenFields } from "./method-arguments.ts";

/** A reply in btsocket's shape: the header, the event, and the return parameters of the command, all with names in place of numbers. */
export interface MgmtResponse {
  readonly header: {
    readonly eventCode: "CommandCompleteEvent" | "CommandStatusEvent";
    /** Absent where it belongs to none. */
    readonly controllerIndex: number | undefined;
  };
  readonly eventFrame: {
    /** "SetPowered". */
    readonly commandOpcode: string;
    /** "Success". */
    readonly status: string;
  };
  /** Return parameters by name; undefined when the command has none. */
  readonly commandResponseFrame: Readonly<Record<string, unknown>> | undefined;
}

/** A command and its parameters from its name and values by position, or one object of them. @throws {ArgumentError} */
export function valuesByPosition(
  name: string,
  values: readonly unknown[],
): { command: AnyMgmtCommand; parameters: Readonly<Record<string, unknown>> } {
  if (typeof name !== "string") throw new ArgumentError(`the name of a command: expected a string like "SetPowered", got ${kindOf(name)}`);
  const command = commandNamed(name);
  if (!command) {
    const nearest = nearestName(
      name,
      Object.values(commands).map((known) => known.name),
    );
    const hint = nearest === undefined ? "expected a name of the protocol description, like SetPowered" : `did you mean "${nearest}"?`;
    throw new ArgumentError(`management command "${name}": there is none of that name; ${hint}`);
  }
  const names = givenFields(command.parameters.fields);
  const [first] = values;
  if (values.length === 1 && names.length > 0 && isPlainObject(first)) {
    checkNames(command, first);
    return { command, parameters: first };
  }
  if (values.length > names.length)
    throw new ArgumentError(`${command.name}: ${values.length} values: expected ${names.length > 0 ? names.join(", ") : "none"}`);
  return { command, parameters: Object.fromEntries(values.map((value, i) => [names[i]!, value])) };
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

export function responseOf({ kind, opcode, index, declaration, status, returns }: MgmtReplyPacket): MgmtResponse {
  return {
    header: {
      eventCode: kind === "complete" ? "CommandCompleteEvent" : "CommandStatusEvent",
      controllerIndex: index === NO_CONTROLLER ? undefined : index,
    },
    eventFrame: {
      commandOpcode: commandName(opcode),
      status: statusName(status),
    },
    commandResponseFrame: frameOf(declaration, returns),
  };
}

function frameOf(command: AnyMgmtCommand | undefined, returns: MgmtReplyPacket["returns"]): Readonly<Record<string, unknown>> | undefined {
  if (returns === undefined) return undefined;
  if (returns instanceof Uint8Array || !command) return { octets: toHex(returns as Uint8Array) };
  const frame = present(command.returns.fields, returns, { secrets: true }); // whoever asks for keys by name gets them
  return Object.keys(frame).length > 0 ? frame : undefined;
}
