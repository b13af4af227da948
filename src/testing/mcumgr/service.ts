import type { McumgrLink } from "../../mcumgr/links/link.ts";
import { failurePayload } from "../../mcumgr/protocol/answer.ts";
import type { CborMap } from "../../mcumgr/protocol/cbor.ts";
import { McumgrReturnCode } from "../../mcumgr/protocol/codes.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, titleOf } from "../../mcumgr/protocol/declare.ts";
import { McumgrRequestError } from "../../mcumgr/protocol/error.ts";
import { McumgrOp, McumgrVersion } from "../../mcumgr/protocol/header.ts";
import type { PowerSession } from "./flash.ts";

/** An answer that is an error. Handlers throw it. */
export class Refusal extends Error {
  /** Whose code it is; undefined for a code of the protocol itself. */
  readonly group: number | undefined;
  readonly rc: number;
  /** The server's own words, which only the first version's errors carry. */
  readonly reason: string | undefined;
  /** Keys that come along. */
  readonly more: CborMap;
  constructor(group: number | undefined, rc: number, { reason, more = {} }: { reason?: string; more?: CborMap } = {}) {
    super(`answered with ${group === undefined ? "rc" : `an error of group ${group}, rc`} ${rc}`);
    this.group = group;
    this.rc = rc;
    this.reason = reason;
    this.more = more;
  }
}

/** For handlers: the code of a group. */
export function refuse(group: { readonly id: number }, rc: number, options?: { reason?: string; more?: CborMap }): Refusal {
  return new Refusal(group.id, rc, options);
}

/** For handlers: a code of the protocol itself. */
export function refuseProtocol(rc: number): Refusal {
  return new Refusal(undefined, rc);
}

/** What a fault does to the data of an upload. */
export interface Tampering {
  /** How many of these octets are taken. */
  take?: (octets: number) => number;
  /** One bit of what is written is wrong. */
  corrupt?: boolean;
}

/** What a handler may want to know besides the request. */
export interface RequestContext {
  /** Ends when the device loses its power or is reset. */
  readonly power: PowerSession;
  readonly link: McumgrLink;
  /** 0 or 1. */
  readonly version: number;
  readonly tampering: Tampering;
}

export interface Served {
  /** "image.upload", as errors and the record name it. */
  readonly title: string;
  /** A payload of no octets is as good as an empty map: nothing is read from it. */
  readonly takesNothing: boolean;
  handle(payload: CborMap, context: RequestContext): CborMap | Promise<CborMap>;
}

/** A group as a server has it. */
export interface ServedGroup {
  readonly id: number;
  /** What enumeration calls it. */
  readonly title: string;
  /** How many places its table of commands has. */
  readonly handlers: number;
  find(command: number, op: number): Served | undefined;
}

type Promised<T> = T | Promise<T>;
/** What answers the commands of a group, by method; what is left out is not supported. */
export type GroupHandlers<G extends AnyMcumgrGroup> = {
  readonly [K in keyof G["commands"]]?: (
    request: DecodedOf<G["commands"][K]>,
    context: RequestContext,
    // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing answers with nothing
  ) => Promised<EncodableOf<G["commands"][K]> | void>;
};
// A server reads what a client may write, and writes what a client may read.
type DecodedOf<C> = C extends AnyMcumgrCommand ? ReturnType<C["decodeRequest"]> : never;
type EncodableOf<C> = C extends { encodeResponse(value: infer V): CborMap } ? V : never;

/** @param names what a server may be built without, as "os.memoryPools" or "os" */
export function serveGroup<G extends AnyMcumgrGroup>(
  group: G,
  handlers: GroupHandlers<G>,
  { title = `${group.name} mgmt`, without = new Set<string>() }: { title?: string; without?: ReadonlySet<string> } = {},
): ServedGroup {
  const served = new Map<string, Served>();
  let places = 0;
  for (const [method, handler] of Object.entries(handlers) as [
    string,
    ((request: object, context: RequestContext) => unknown) | undefined,
  ][]) {
    const command = group.commands[method];
    if (command === undefined || handler === undefined) continue;
    const name = titleOf(group, command);
    if (without.has(name)) continue;
    places = Math.max(places, command.id + 1);
    const entry: Served = {
      title: name,
      takesNothing: Object.keys(command.request).length === 0,
      async handle(payload, context) {
        const answer = await handler(decodeRequest(command, payload, name), context);
        return command.encodeResponse((answer as object | undefined) ?? {});
      },
    };
    served.set(`${command.id} ${command.op}`, entry);
    if (command.anyOp) for (const op of [McumgrOp.Read, McumgrOp.Write]) served.set(`${command.id} ${op}`, entry);
  }
  return { id: group.id, title, handlers: places, find: (command, op) => served.get(`${command} ${op}`) };
}

function decodeRequest(command: AnyMcumgrCommand, payload: CborMap, title: string): object {
  try {
    return command.decodeRequest(payload, title);
  } catch (error) {
    if (error instanceof McumgrRequestError) throw refuseProtocol(McumgrReturnCode.Invalid);
    throw error;
  }
}

/** The answer to a request that is refused. @param version of the header: the first one has no codes of groups */
export function refusalPayload({ group, rc, reason, more }: Refusal, version: number): CborMap {
  if (group === undefined) return { ...failurePayload({ rc }), ...more };
  // The second version says no more than the code, and the first no more than the words.
  return version >= McumgrVersion.Second ? { ...failurePayload({ rc, group }), ...more } : failurePayload({ rc, group, reason }, version);
}
