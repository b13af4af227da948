import { command, group } from "../declare.ts";
import { int, list, otherwise, text } from "../fields.ts";

/**
 * Shell 0. The words of a command line, which the server joins with blanks: quotes have to be in them. `o` is what it printed, escapes of the
 * terminal included, cut at the server's buffer; `ret` what the command returned, −8 for one that does not exist.
 */
export const Execute = command("execute", {
  id: 0,
  write: {
    request: { argv: list(text()) },
    response: { o: text(), ret: otherwise(int(), 0) },
    // Old servers return the command's result as `rc`, which is an error of the protocol only where nothing was printed.
    adapt: (payload) => {
      const { rc, ...rest } = payload;
      return rc !== undefined && typeof payload.o === "string" && !Object.hasOwn(payload, "ret") ? { ...rest, ret: rc } : payload;
    },
  },
});

export const ShellGroup = group("shell", {
  id: 9,
  errors: { 2: ["CommandTooLong", "the command line is too long"], 3: ["EmptyCommand", "the command line is empty"] },
  commands: { execute: Execute },
});
