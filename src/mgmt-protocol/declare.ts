import { type AnyStruct, type Fields, type Struct, struct } from "./fields.ts";
import type { Status } from "./values.ts";

export type StatusName = keyof typeof Status;

/** What the header's controller index must be: 0xffff, a controller's, or either. */
export type IndexKind = "none" | "controller" | "either";

/** A command as the protocol description declares it. */
export interface AnyMgmtCommand {
  /** The description's name without blanks: "SetPowered". */
  readonly name: string;
  /** The description's name: "Set Powered". */
  readonly title: string;
  /** Other names that are in use. */
  readonly aliases: readonly string[];
  readonly opcode: number;
  readonly index: IndexKind;
  /** Version of the protocol that has it first; "(none stated)" where no published version does. */
  readonly since: string;
  readonly parameters: AnyStruct;
  readonly returns: AnyStruct;
  /** Whether the socket needs CAP_NET_ADMIN. */
  readonly privileged: boolean;
  /** Whether the controller has to be powered, or must not be. */
  readonly power: "any" | "on" | "off";
  /** Whether it is answered for a controller that is not configured yet. */
  readonly unconfigured: boolean;
  /** How Linux reports an error that the command itself finds. */
  readonly failure: "status" | "complete" | "mixed";
  /** What usually causes a status, where that can be said better than for all commands. */
  readonly causes: Readonly<Partial<Record<StatusName, string>>>;
}

/** A command whose fields the compiler knows. */
export interface MgmtCommandDeclaration<P extends Fields, R extends Fields, I extends IndexKind = IndexKind> extends AnyMgmtCommand {
  readonly index: I;
  readonly parameters: Struct<P>;
  readonly returns: Struct<R>;
}

/**
 * Which sockets receive an event: only the command's own; all; all but the command's own; and of these those that have not, or have,
 * switched to the extended variant. Sockets without CAP_NET_ADMIN receive only what is not `privileged`.
 */
export type EventDelivery = "issuer" | "all" | "others" | "optOut" | "othersOptOut" | "optIn" | "othersOptIn";

/** An event as the protocol description declares it. */
export interface AnyMgmtEvent {
  readonly name: string;
  readonly title: string;
  readonly code: number;
  readonly index: IndexKind;
  readonly since: string;
  readonly parameters: AnyStruct;
  readonly privileged: boolean;
  readonly delivery: EventDelivery;
}

/** An event whose fields the compiler knows. */
export interface MgmtEventDeclaration<P extends Fields> extends AnyMgmtEvent {
  readonly parameters: Struct<P>;
}

const NOTHING = struct({});

/** "Set BR/EDR" is SetBREDR: the description's own way from one to the other. */
function nameFrom(title: string): string {
  return title.replaceAll(/[^A-Za-z0-9]*\b([A-Za-z0-9])/g, (_all, first: string) => first.toUpperCase());
}

type CommandTable<P extends Fields, R extends Fields, I extends IndexKind> = Pick<AnyMgmtCommand, "opcode" | "since"> &
  Partial<Omit<MgmtCommandDeclaration<P, R, I>, "name" | "title">>;

/** Declares a command; what is left out is the usual: for a controller, privileged, powered or not, without parameters or returns. */
export function command<
  const P extends Fields = Record<never, never>,
  const R extends Fields = Record<never, never>,
  const I extends IndexKind = "controller",
>(title: string, table: CommandTable<P, R, I>): MgmtCommandDeclaration<P, R, I> {
  return Object.freeze({
    name: nameFrom(title),
    title,
    aliases: [],
    index: "controller" as I,
    parameters: NOTHING as unknown as Struct<P>,
    returns: NOTHING as unknown as Struct<R>,
    privileged: true,
    power: "any",
    unconfigured: false,
    failure: "status",
    causes: {},
    ...table,
  } satisfies MgmtCommandDeclaration<P, R, I>);
}

type EventTable<P extends Fields> = Pick<AnyMgmtEvent, "code" | "since" | "delivery"> &
  Partial<Omit<MgmtEventDeclaration<P>, "name" | "title">>;

/** Declares an event; what is left out is the usual: of a controller, for privileged sockets, without parameters. */
export function event<const P extends Fields = Record<never, never>>(title: string, table: EventTable<P>): MgmtEventDeclaration<P> {
  return Object.freeze({
    name: nameFrom(title),
    title,
    index: "controller",
    parameters: NOTHING as unknown as Struct<P>,
    privileged: true,
    ...table,
  } satisfies MgmtEventDeclaration<P>);
}
