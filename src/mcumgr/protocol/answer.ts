import type { CborLengths, CborMap } from "./cbor.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, type ResponseOf, titleOf } from "./declare.ts";
import { errorOf, McumgrError, type McumgrErrorNames, type McumgrFailure } from "./error.ts";
import { firstVersionCode } from "./first-version.ts";
import { type McumgrHeader, McumgrOp, McumgrVersion } from "./header.ts";
import { encodeMessage } from "./message.ts";

/**
 * What an answer to a command says.
 *
 * @param names where names of errors stand; an answer may hold the code of another group than the one asked
 * @throws {McumgrError} it is an error · {McumgrResponseError} it is not what the command declares
 */
export function readAnswer<C extends AnyMcumgrCommand>(
  group: Pick<AnyMcumgrGroup, "id" | "name">,
  command: C,
  payload: CborMap,
  names: McumgrErrorNames,
): ResponseOf<C> {
  const title = titleOf(group, command);
  const adapted = command.adapt(payload);
  const failure = errorOf(adapted);
  if (failure !== undefined) throw new McumgrError({ command: title, failure, payload, names, askedGroup: group.id });
  return command.decodeResponse(adapted, title) as ResponseOf<C>;
}

/**
 * A server's answer to the request with this header, as Zephyr writes it: in the version that was asked in, as far as there is one, with indefinite
 * lengths; to an op that is not defined, with that of a write.
 *
 * @throws {ArgumentError} · {MessageTooLongError}
 */
export function encodeAnswer(request: McumgrHeader, payload: CborMap, lengths: CborLengths = "indefinite"): Uint8Array {
  const { group, command, sequence } = request;
  const op = request.op === McumgrOp.Read ? McumgrOp.ReadResponse : McumgrOp.WriteResponse;
  const version = request.version === McumgrVersion.First ? McumgrVersion.First : McumgrVersion.Second;
  return encodeMessage({ op, version, group, command, sequence }, payload, lengths);
}

/** An error as a server's answer holds it; a group's code in the first version of the protocol as one of the protocol's own. */
export function failurePayload(
  failure: Pick<McumgrFailure, "rc"> & Partial<McumgrFailure>,
  version: number = McumgrVersion.Second,
): CborMap {
  const { rc, group, reason } = failure;
  if (group === undefined) return { rc, rsn: reason };
  return version === McumgrVersion.First ? { rc: firstVersionCode(group, rc), rsn: reason } : { err: { group, rc }, rsn: reason };
}
