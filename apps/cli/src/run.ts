import { CommanderError } from "commander";
import { ExitStatus, explain, oneLine, ServiceStoppedError, stackOf, stopError, UsageError } from "./errors.ts";
import type { Io } from "./io.ts";
import { createProgram } from "./program.ts";

/**
 * Runs the command.
 *
 * @param argv arguments without the program's name
 * @param answer what to say in place of running it
 * @returns exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted
 */
export async function main(argv: readonly string[], io: Io, answer?: Uint8Array): Promise<number> {
  let stopped: Error | undefined;
  using _ = io.onStop((reason, fault) => {
    // With `--capture -` it was the reader of the capture who left, and the command goes on.
    if (reason !== "output-closed" || !capturesToOutput(argv)) stopped ??= stopError(reason, fault);
  });
  let failed: { error: unknown } | undefined;
  try {
    if (answer) io.stdout.write(answer);
    else await (await createProgram(io, argv)).parseAsync(argv, { from: "user" });
  } catch (error) {
    failed = { error };
  }
  await io.stdout.finished(); // a fault of the output may show only now
  // Who asked to stop is told that, and not what came to nothing because of it; a service that was stopped has done what it was asked.
  if (stopped && !(failed?.error instanceof ServiceStoppedError)) failed = { error: stopped };
  if (failed) {
    const failure = usageOf(failed.error);
    if (failure === undefined) return ExitStatus.Done;
    const { status, message } = explain(failure);
    if (message !== undefined) io.stderr.write(`jelling: ${oneLine(message)}\n`);
    if (wantsStack(argv) && !(failure instanceof UsageError)) io.stderr.write(`${stackOf(failure)}\n`);
    return status;
  }
  return ExitStatus.Done;
}

/** Turns the parser's complaint into one sentence; `undefined` where it only showed what was asked for (help, version). */
function usageOf(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) return undefined;
  // Help was shown in place of a missing subcommand: all has been said.
  if (error.code === "commander.help") return new UsageError("which command? (the list is above)");
  const [sentence, hint] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(hint ?? "")?.[1];
  return new UsageError(suggestion ? `${sentence}; did you mean ${suggestion}?` : sentence!);
}

function capturesToOutput(argv: readonly string[]): boolean {
  return argv.some((argument, i) => argument === "--capture=-" || (argument === "--capture" && argv[i + 1] === "-"));
}

function wantsStack(argv: readonly string[]): boolean {
  return argv.some((argument, i) => /^--log(=|$)/.test(argument) && /^(debug|trace)$/.test(argument.split("=")[1] ?? argv[i + 1] ?? ""));
}
