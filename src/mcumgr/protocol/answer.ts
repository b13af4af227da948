import type { CborMap } from "./cbor.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, type ResponseOf, titleOf } from "./declare.ts";
import { errorOf, McumgrError, type McumgrErrorNames } from "./error.ts";

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
