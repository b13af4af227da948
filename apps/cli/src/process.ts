import { ExitStatus } from "./errors.ts";
import { nodeIo } from "./node-io.ts";
import { main } from "./run.ts";

/**
 * Runs the command with the process's own streams and signals.
 *
 * @param answer what to say in place of it
 */
export async function runProcess(argv: readonly string[], answer: Uint8Array | undefined): Promise<void> {
  process.exitCode = ExitStatus.Failed; // of a process that ends because there is nothing left that it could wait for
  process.exitCode = await main(argv, nodeIo(), answer);
}
