import type { OperationOptions } from "../../async/pending.ts";
import { checkInteger, checkText } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { type CborMap, isCborMap } from "./cbor.ts";
import { COMMON_ERRORS, type ErrorTable } from "./codes.ts";
import { codeProblem, McumgrRequestError, McumgrResponseError } from "./error.ts";
import {
  type Decoded,
  decodeFields,
  type Encodable,
  encodeFields,
  FieldMismatch,
  type Fields,
  fieldTable,
  type NoFields,
} from "./fields.ts";
import { McumgrOp } from "./header.ts";

/** What goes to the server, and what comes back. */
export interface Exchange {
  /** Fields of the request; left out where it has none. */
  readonly request?: Fields;
  /** Fields of a successful answer. */
  readonly response?: Fields;
  /** The server takes read and write alike; the client sends the one this is declared under. */
  readonly anyOp?: boolean;
  /** Puts an answer of an old server into today's form, before it is read and even before it is looked for errors. */
  adapt?(payload: CborMap): CborMap;
}

/** A command whose fields are not known to the compiler. */
export interface AnyMcumgrCommand {
  /** The method's name, as "setState". */
  readonly name: string;
  readonly id: number;
  /** Op of the request. */
  readonly op: typeof McumgrOp.Read | typeof McumgrOp.Write;
  readonly anyOp: boolean;
  readonly request: Fields;
  readonly response: Fields;
  /** @throws {ArgumentError} a field that is unknown, missing or of the wrong kind */
  encodeRequest(value: object): CborMap;
  /** @param title the command for the error @throws {McumgrRequestError} */
  decodeRequest(payload: CborMap, title?: string): object;
  /** @throws {ArgumentError} */
  encodeResponse(value: object): CborMap;
  /** An answer in today's form; unchanged where it is. */
  adapt(payload: CborMap): CborMap;
  /** A successful answer in today's form; whether it is one is asked before (`errorOf`). `readAnswer` does all three. @throws {McumgrResponseError} */
  decodeResponse(payload: CborMap, title?: string): object;
}

/** A command with the types of its request and its answer. */
export interface McumgrCommand<Q extends Fields = Fields, R extends Fields = Fields> extends AnyMcumgrCommand {
  readonly request: Q;
  readonly response: R;
  encodeRequest(value: Encodable<Q>): CborMap;
  decodeRequest(payload: CborMap, title?: string): Decoded<Q>;
  encodeResponse(value: Encodable<R>): CborMap;
  decodeResponse(payload: CborMap, title?: string): Decoded<R>;
}

/** What may be given to a command. */
export type RequestOf<C> = C extends { readonly request: infer Q extends Fields } ? Encodable<Q> : never;
/** What a command answers. */
export type ResponseOf<C> = C extends { readonly response: infer R extends Fields } ? Decoded<R> : never;

// Of the whole exchange and not of its parts, for which the compiler would also take the type that is wanted of the command.
type RequestFields<X> = X extends { readonly request: infer Q extends Fields } ? Q : NoFields;
type ResponseFields<X> = X extends { readonly response: infer R extends Fields } ? R : NoFields;

/**
 * Declares a command: its number, whether it reads or writes, and the fields of both ways. The keys of the payload stand in the fields.
 *
 * @param name the method's name
 * @throws {ArgumentError} a declaration that cannot be meant
 */
export function command<const X extends Exchange>(
  name: string,
  declaration: { readonly id: number } & ({ readonly read: X; readonly write?: never } | { readonly write: X; readonly read?: never }),
): McumgrCommand<RequestFields<X>, ResponseFields<X>> {
  type Q = RequestFields<X>;
  type R = ResponseFields<X>;
  checkText("command name", name);
  checkInteger(`command ${name}: id`, declaration.id, 0, 0xff);
  const exchange = declaration.read ?? declaration.write;
  if (exchange === undefined || (declaration.read !== undefined && declaration.write !== undefined))
    throw new ArgumentError(`command ${name}: expected either read or write`);
  const request = (exchange.request ?? {}) as Q;
  const response = (exchange.response ?? {}) as R;
  const tables = { request: tableOf(name, request), response: tableOf(name, response) };
  return {
    name,
    id: declaration.id,
    op: declaration.read === undefined ? McumgrOp.Write : McumgrOp.Read,
    anyOp: exchange.anyOp ?? false,
    request,
    response,
    adapt: exchange.adapt ?? ((payload) => payload),
    encodeRequest: (value) => encodeFields(tables.request, value, ""),
    encodeResponse: (value) => encodeFields(tables.response, value, ""),
    decodeRequest(payload, title = name) {
      try {
        return decodeFields(tables.request, payload, "") as Decoded<Q>;
      } catch (cause) {
        if (cause instanceof FieldMismatch) throw new McumgrRequestError({ command: title, path: cause.path, problem: cause.problem });
        throw cause;
      }
    },
    decodeResponse(payload, title = name) {
      const wrong = codeProblem(payload);
      if (wrong !== undefined && !tables.response.keys.has(wrong.path.split(".")[0]!))
        throw new McumgrResponseError({ command: title, ...wrong, payload });
      try {
        return decodeFields(tables.response, withoutSuccess(payload, tables.response.keys), "") as Decoded<R>;
      } catch (cause) {
        if (cause instanceof FieldMismatch)
          throw new McumgrResponseError({ command: title, path: cause.path, problem: cause.problem, payload });
        throw cause;
      }
    },
  };
}

function tableOf(name: string, fields: Fields): ReturnType<typeof fieldTable> {
  try {
    return fieldTable(fields);
  } catch (cause) {
    throw new ArgumentError(`command ${name}: ${(cause as Error).message}`, { cause });
  }
}

/** `rc` 0 says no more than that this is an answer; it is kept where the command declares it. */
function withoutSuccess(payload: CborMap, declared: ReadonlySet<string>): CborMap {
  const drop = (key: string, code: unknown) => Object.hasOwn(payload, key) && code === 0 && !declared.has(key);
  const dropped = new Set<string>();
  if (drop("rc", payload.rc)) dropped.add("rc");
  if (isCborMap(payload.err) && drop("err", payload.err.rc)) dropped.add("err");
  return dropped.size === 0 ? payload : (Object.fromEntries(Object.entries(payload).filter(([key]) => !dropped.has(key))) as CborMap);
}

export type Commands = Readonly<Record<string, AnyMcumgrCommand>>;

/** A group whose commands are not known to the compiler. */
export interface AnyMcumgrGroup {
  readonly name: string;
  readonly id: number;
  readonly errors: ErrorTable;
  readonly commands: Commands;
}

/** Commands that have a number in common, and the errors they may answer. */
export interface McumgrGroup<C extends Commands = Commands> extends AnyMcumgrGroup {
  readonly commands: C;
}

/**
 * Declares a group: one of ours, or one of an application (from 64 on).
 *
 * @param declaration.errors names of its codes; 0 and 1 are Ok and Unknown where nothing else is said
 * @param declaration.commands under the names of their methods
 * @throws {ArgumentError} a declaration that cannot be meant
 */
export function group<const C extends Commands>(
  name: string,
  declaration: { readonly id: number; readonly errors?: ErrorTable; readonly commands: C },
): McumgrGroup<C> {
  checkText("group name", name);
  checkInteger(`group ${name}: id`, declaration.id, 0, 0xffff);
  const seen = new Map<string, string>();
  for (const [method, { name: own, id, op }] of Object.entries(declaration.commands)) {
    if (own !== method) throw new ArgumentError(`group ${name}: the command under "${method}" is named "${own}"`);
    const twin = seen.get(`${id} ${op}`);
    if (twin !== undefined) throw new ArgumentError(`group ${name}: "${twin}" and "${method}" are both command ${id}, op ${op}`);
    seen.set(`${id} ${op}`, method);
  }
  return { name, id: declaration.id, errors: { ...COMMON_ERRORS, ...declaration.errors }, commands: declaration.commands };
}

/** A command as a method: its request (which may be left out where nothing in it is needed), its answer. */
export type McumgrMethod<C> =
  C extends McumgrCommand<infer Q, infer R>
    ? Record<never, never> extends Encodable<Q>
      ? (request?: Encodable<Q>, options?: OperationOptions) => Promise<Decoded<R>>
      : (request: Encodable<Q>, options?: OperationOptions) => Promise<Decoded<R>>
    : never;
/** A group's commands as methods. */
export type McumgrMethods<G extends AnyMcumgrGroup> = { readonly [K in keyof G["commands"]]: McumgrMethod<G["commands"][K]> };

/** "image.setState": a command as errors name it. */
export function titleOf(group: { readonly name: string }, command: { readonly name: string }): string {
  return `${group.name}.${command.name}`;
}
