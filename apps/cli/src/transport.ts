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
  const { listTransports, openTransport } = await import("jelling/transport");
  const { signal, terminal } = context;
  const { firmware } = context.options;
  const logger = await context.logger();
  const onListening = (port: number): void => terminal.note(`waiting for a controller on port ${port}`);
  if (spec !== undefined) return openTransport(spec, { logger, signal, onListening, firmware });
  // On Linux the kernel drives those on USB too, and is not sent away unasked.
  const specs =
    process.platform === "linux"
      ? (await adapterNames(thisMachine())).map((name) => `hci:${name.slice(3)}`)
      : (await listTransports()).map((transport) => transport.spec);
  let failure: unknown;
  for (const found of specs) {
    try {
      return await openTransport(found, { logger, signal, firmware });
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
