import { onAbort } from "jelling/async";
import type { Controller } from "jelling/controller";
import { type ControllerServer, openTransport, serveController } from "jelling/transport";
import type { Closing } from "./closing.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./errors.ts";
import type { Population } from "./population.ts";
import type { ServingOptions } from "./serving-options.ts";
import { closeCapture, openCapture } from "./session.ts";
import { tapped } from "./tap.ts";

/** A port of one's own for each run would have to be looked up; this one can be remembered. */
const DEFAULT_PORT = 9000;

/** A controller of the air, and what a host opens it by: "vhci" where the kernel has it. */
export interface ServedController {
  readonly number: number;
  readonly spec: string;
}

/** Puts controllers of an air where they were asked for, on TCP if nothing was said. They are taken away again by `closing`. */
export async function serveControllers(
  context: Context,
  population: Population,
  closing: Closing,
  { controllers, extended, ...where }: ServingOptions & { readonly controllers: number; readonly extended?: boolean },
): Promise<ServedController[]> {
  const served: ServedController[] = [];
  for (let i = 0; i < controllers; i++) {
    const controller = population.addController(extended);
    const capture = await openCapture(context, { suffix: controllers > 1 ? `.${i + 1}` : "" });
    if (capture) closing.add(() => closeCapture(context, capture));
    const tap: Pick<Controller, "attach"> = capture
      ? { attach: (transport) => controller.attach(tapped(transport, capture, population.clock)) }
      : controller;
    for (const spec of await serve(context, tap, where, i, closing)) served.push({ number: i + 1, spec });
  }
  return served;
}

/** Gives what a host opens. */
async function serve(
  context: Context,
  controller: Pick<Controller, "attach">,
  { tcp, unix, ws, origin, pty, serial, vhci = false, host }: ServingOptions,
  index: number,
  closing: Closing,
): Promise<string[]> {
  const specs: string[] = [];
  const logger = await context.logger();
  const listen = async (spec: string, origins?: readonly string[]): Promise<void> => {
    const server: ControllerServer = await serveController(controller, spec, { logger, origins });
    closing.add(() => server[Symbol.asyncDispose]());
    specs.push(server.spec);
  };
  const portFrom = (first: number): number => {
    const port = first === 0 ? 0 : first + index;
    if (port > 65_535) throw new UsageError(`port ${port}: there is none beyond 65535`);
    return port;
  };
  const address = host.includes(":") ? `[${host}]` : host;
  if (tcp !== undefined || (unix === undefined && ws === undefined && pty === undefined && serial === undefined && !vhci)) {
    await listen(`tcp:${address}:${portFrom(tcp ?? DEFAULT_PORT)}`);
  }
  if (unix !== undefined) await listen(`unix:${index === 0 ? unix : `${unix}${index + 1}`}`);
  if (ws !== undefined) await listen(`ws:${address}:${portFrom(ws)}`, origin);
  else if (origin !== undefined) throw new UsageError("--origin is about pages at --ws");
  if (pty !== undefined) await listen(`pty:${pty === true ? "" : numbered(pty, index)}`);
  if (serial !== undefined) {
    if (index > 0) throw new UsageError("--serial: a port has room for one controller");
    await listen(`serial:${serial}`);
  }
  if (vhci) {
    const transport = await openTransport("vhci:", { logger });
    closing.add(() => transport[Symbol.asyncDispose]());
    controller.attach(transport);
    specs.push("vhci");
  }
  return specs;
}

/** A link with the number of its controller, before what follows a comma. */
function numbered(link: string, index: number): string {
  return index === 0 ? link : link.replace(/(?=,|$)/, String(index + 1));
}

/** Until `--timeout` is over, or `ended` aborts. @throws what Ctrl-C throws */
export async function serveOn(context: Context, ended?: AbortSignal): Promise<void> {
  using deadline = context.deadline(undefined, "serving");
  const signal = ended ? AbortSignal.any([deadline.signal, ended]) : deadline.signal;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, resolve);
  });
  context.terminal.status("");
  context.signal.throwIfAborted();
}
