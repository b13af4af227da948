import type { Context } from "../../context.ts";

/**
 * Connector, history database, page and uploads in one process, as a configuration says, until SIGTERM or Ctrl-C. Its log goes to standard error,
 * one JSON object a line.
 */
export async function serve({ io, signal }: Context, { config }: { config: string }): Promise<void> {
  const { runPumpService } = await import("@jelling/minimed/service");
  await runPumpService({ config, environment: io.env, signal });
}
