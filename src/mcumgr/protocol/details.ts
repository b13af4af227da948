import { errorOf, failureNames, type McumgrFailure, McumgrRequestError, McumgrResponseError } from "./error.ts";
import { isResponseOp } from "./header.ts";
import type { McumgrMessage } from "./message.ts";
import type { KnownCommand, McumgrRegistry } from "./registry.ts";

/** What a message says, for captures and for people. */
export interface McumgrMessageDetails {
  /** "image.upload"; "group 70, command 3" where it is not declared. */
  readonly title: string;
  /** "unknown": an op that is not defined. */
  readonly kind: "request" | "response" | "error" | "unknown";
  readonly known: KnownCommand | undefined;
  /** Of `kind` "error". */
  readonly failure:
    | (McumgrFailure & { readonly groupName: string | undefined; readonly rcName: string; readonly meaning: string })
    | undefined;
  /** The fields as they are declared; undefined for errors, for what is not declared, and for what is not as declared. */
  readonly value: object | undefined;
  /** Why a message of a declared command is not as declared. */
  readonly problem: string | undefined;
}

/** Never throws: whatever came, something can be said of it. */
export function describeMessage({ header, payload }: McumgrMessage, registry: McumgrRegistry): McumgrMessageDetails {
  const known = registry.find(header);
  const group = known?.group ?? registry.group(header.group);
  const title = known?.title ?? `${group?.name ?? `group ${header.group}`}, command ${header.command}`;
  const plain = { title, known, failure: undefined, value: undefined, problem: undefined };
  if (header.op > 3) return { ...plain, kind: "unknown" };
  if (!isResponseOp(header.op)) return { ...plain, kind: "request", ...read(() => known?.command.decodeRequest(payload)) };
  const adapted = known?.command.adapt(payload) ?? payload;
  const failure = errorOf(adapted);
  if (failure === undefined) return { ...plain, kind: "response", ...read(() => known?.command.decodeResponse(adapted)) };
  return { ...plain, kind: "error", failure: { ...failure, ...failureNames(failure, registry, header.group) } };
}

function read(decode: () => object | undefined): { value: object | undefined; problem: string | undefined } {
  try {
    return { value: decode(), problem: undefined };
  } catch (error) {
    if (!(error instanceof McumgrRequestError || error instanceof McumgrResponseError)) throw error;
    return { value: undefined, problem: error.path === "" ? error.problem : `${error.path}: ${error.problem}` };
  }
}
