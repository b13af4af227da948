import type { HciTransport } from "jelling/transport";
import type { Context } from "./context.ts";
import { CommandError, explain, oneLine } from "./errors.ts";
import { adapterNames, thisMachine } from "./machine.ts";

/** The transport that was asked for, by option or environment; `undefined`: the first adapter that works. */
export function transportSpec({ options, io }: Context): string | undefined {
  return options.transport ?? (io.env.JELLING_TRANSPORT || undefined);
}

export function isSimulated(spec: string | undefined): spec is string {
  return spec === "sim" || spec?.startsWith("sim:") === true;
}

/** Opens `spec`, or the first adapter of the machine that opens. @throws one sentence with the way out */
export async function openCommandTransport(context: Context, spec: string | undefined): Promise<HciTransport> {
  const { openTransport } = await import("jelling/transport");
  const { signal, terminal } = context;
  const logger = await context.logger();
  const onListening = (port: number): void => terminal.note(`waiting for a controller on port ${port}`);
  if (spec !== undefined) return openTransport(spec, { logger, signal, onListening });
  const names = process.platform === "linux" ? await adapterNames(thisMachine()) : [];
  let failure: unknown;
  for (const name of names) {
    try {
      return await openTransport(`hci:${name.slice(3)}`, { logger, signal });
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
    }
  }
  if (failure === undefined)
    throw new CommandError("no Bluetooth adapter was found; --transport sim: is a simulated one, jelling doctor says what is missing");
  const { message } = explain(failure);
  throw new CommandError(`${oneLine(message ?? "no adapter works")} (--transport sim: is a simulated one)`, { cause: failure });
}
