import { ExitStatus } from "./errors.ts";
import { nodeIo } from "./node-io.ts";
import { main } from "./run.ts";

/**
 * Runs the command with the process's own streams and signals.
 *
 * @param answer what to say in place of it
 */
export async function runProcess(argv: readonly string[], answer: Uint8Array | undefined): Promise<void> {
  // Of a process that ends because there is nothing left that it could wait for. Not said beforehand: the parser, asked for help, goes by it.
  process.once("exit", () => {
    process.exitCode ??= ExitStatus.Failed;
  });
  process.exitCode = await main(argv, nodeIo(), answer);
}
