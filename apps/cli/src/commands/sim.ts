import { join } from "node:path";
import { onAbort } from "jelling/async";
import type { Controller } from "jelling/controller";
import { stateFolder } from "jelling/node";
import { type ControllerServer, openTransport, serveController } from "jelling/transport";
import { Closing } from "../closing.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { Population } from "../population.ts";
import { closeCapture, openCapture } from "../session.ts";
import { tapped } from "../tap.ts";

interface Options {
  controllers: number;
  device: string[];
  mcumgr?: boolean;
  tcp?: number;
  host: string;
  unix?: string;
  vhci?: boolean;
  seed: number;
  loss?: number;
}

/** A port of one's own for each run would have to be looked up; this one can be remembered. */
const DEFAULT_PORT = 9000;

/** Serves virtual controllers until Ctrl-C or `--timeout`. */
export async function sim(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const { loss } = options;
  if (loss !== undefined && !(loss >= 0 && loss <= 1)) throw new UsageError(`loss ${loss}: expected a share from 0 to 1`);
  const logger = await context.logger();
  await using population = new Population({
    logger,
    seed: options.seed,
    loss,
    startsAt: new Date(),
    folder: join(stateFolder(context.io.env), "sim"),
    tell: (sentence) => terminal.note(sentence),
  });
  for (const word of [...options.device, ...(options.mcumgr ? ["mcumgr"] : [])]) {
    const { kind, name, address, keys } = await population.add(word);
    terminal.result(
      () => ({ type: "device", kind, name, address: address.toString(), ...(keys === undefined ? {} : { keys }) }),
      () => `device      ${address}  ${name}${keys === undefined ? "" : `, its phone's keys are in ${keys}`}`,
    );
  }
  await using closing = new Closing();
  for (let i = 0; i < options.controllers; i++) {
    const controller = population.addController();
    const capture = await openCapture(context, { suffix: options.controllers > 1 ? `.${i + 1}` : "" });
    if (capture) closing.add(() => closeCapture(context, capture));
    const served: Pick<Controller, "attach"> = capture
      ? { attach: (transport) => controller.attach(tapped(transport, capture, population.clock)) }
      : controller;
    const specs = await serve(context, served, options, i, closing);
    for (const spec of specs)
      terminal.result(
        () => ({ type: "controller", number: i + 1, transport: spec }),
        () =>
          spec === "vhci" ? `controller  in the kernel; see hciconfig or btmgmt info` : `controller  jelling scan --transport ${spec}`,
      );
  }
  using deadline = context.deadline(undefined, "serving");
  terminal.status("serving, Ctrl-C ends …");
  await new Promise<void>((resolve) => {
    if (deadline.signal.aborted) resolve();
    else onAbort(deadline.signal, resolve);
  });
  terminal.status("");
  if (!deadline.timedOut()) deadline.signal.throwIfAborted();
}

/** Puts a controller where it was asked for, on TCP if nothing was said; gives what a host opens. */
async function serve(
  context: Context,
  controller: Pick<Controller, "attach">,
  options: Options,
  index: number,
  closing: Closing,
): Promise<string[]> {
  const specs: string[] = [];
  const logger = await context.logger();
  const listen = async (spec: string): Promise<void> => {
    const server: ControllerServer = await serveController(controller, spec, { logger });
    closing.add(() => server[Symbol.asyncDispose]());
    specs.push(server.spec);
  };
  const { tcp, unix, vhci = false } = options;
  if (tcp !== undefined || (unix === undefined && !vhci)) {
    const port = tcp === 0 ? 0 : (tcp ?? DEFAULT_PORT) + index;
    if (port > 65_535) throw new UsageError(`port ${port}: there is none beyond 65535`);
    await listen(`tcp:${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`);
  }
  if (unix !== undefined) await listen(`unix:${index === 0 ? unix : `${unix}${index + 1}`}`);
  if (vhci) {
    const transport = await openTransport("vhci:", { logger });
    closing.add(() => transport[Symbol.asyncDispose]());
    controller.attach(transport);
    specs.push("vhci");
  }
  return specs;
}
