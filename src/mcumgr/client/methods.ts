import type { OperationOptions } from "../../async/pending.ts";
import { checkOperation } from "../../core/arguments.ts";
import { readAnswer } from "../protocol/answer.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, type McumgrMethods, titleOf } from "../protocol/declare.ts";
import type { McumgrErrorNames } from "../protocol/error.ts";
import { McumgrOp } from "../protocol/header.ts";
import type { McumgrSession } from "./session.ts";

/** Answers that come after an erase, or after much was read. */
const SLOW_TIMEOUT_MS = 40_000;
const SLOW: ReadonlySet<string> = new Set(["image.erase", "image.coreErase", "image.setState", "zephyr.eraseStorage", "files.hash"]);

/** A group's commands as methods: each sends its request and gives its answer, or throws the server's error. */
export function methodsOf<G extends AnyMcumgrGroup>(session: McumgrSession, group: G): McumgrMethods<G> {
  const names: McumgrErrorNames = { group: (id) => (id === group.id ? group : session.names.group(id)) };
  const methods: Record<string, unknown> = {};
  for (const command of Object.values(group.commands)) methods[command.name] = methodOf(session, group, command, names);
  return Object.freeze(methods) as McumgrMethods<G>;
}

function methodOf(session: McumgrSession, group: AnyMcumgrGroup, command: AnyMcumgrCommand, names: McumgrErrorNames) {
  const title = titleOf(group, command);
  return async (request: object = {}, options: OperationOptions = {}): Promise<object> => {
    checkOperation(title, options);
    const payload = command.encodeRequest(request);
    const timeoutMs = options.timeoutMs ?? (SLOW.has(title) ? Math.max(session.timeoutMs, SLOW_TIMEOUT_MS) : session.timeoutMs);
    const answer = await session.ask(
      { title, group: group.id, command: command.id, op: command.op, payload },
      { signal: options.signal, timeoutMs, resendAfterMs: resends(session, command, timeoutMs) },
    );
    return readAnswer(group, command, answer, names);
  };
}

/** Reading may be asked twice: where messages are lost it is. */
function resends(session: McumgrSession, { op }: AnyMcumgrCommand, timeoutMs: number): readonly number[] | undefined {
  if (!session.isLossy || op !== McumgrOp.Read) return undefined;
  return [timeoutMs / 3, (2 * timeoutMs) / 3];
}
