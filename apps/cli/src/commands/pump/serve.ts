import type { Context } from "../../context.ts";
import { InterruptedError, ServiceStoppedError } from "../../errors.ts";

/**
 * Connector, history database, page and uploads in one process, as a configuration says, until SIGTERM or Ctrl-C. Its log goes to standard error,
 * one JSON object a line.
 *
 * @throws {ServiceStoppedError} it was told to end, and has: to whoever runs services another exit status than 0 is a failure
 */
export async function serve({ io, signal }: Context, { config }: { config: string }): Promise<void> {
  const { runPumpService } = await import("@jelling/minimed/service");
  try {
    await runPumpService({ config, environment: io.env, signal });
  } catch (error) {
    if (error !== signal.reason) throw error; // told to end before it had begun
  }
  if (signal.reason instanceof InterruptedError) throw new ServiceStoppedError();
}
