import { join } from "node:path";
import { stateFolder } from "jelling/node";
import { Closing } from "../closing.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { Population } from "../population.ts";
import { serveControllers, serveOn } from "../serving.ts";
import type { ServingOptions } from "../serving-options.ts";

interface Options extends ServingOptions {
  controllers: number;
  device: string[];
  mcumgr?: boolean;
  seed: number;
  loss?: number;
  extended?: boolean;
}

/** Serves virtual controllers until Ctrl-C or `--timeout`. */
export async function sim(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const { loss } = options;
  if (loss !== undefined && !(loss >= 0 && loss <= 1)) throw new UsageError(`loss ${loss}: expected a share from 0 to 1`);
  await using population = new Population({
    logger: await context.logger(),
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
  for (const { number, spec } of await serveControllers(context, population, closing, options))
    terminal.result(
      () => ({ type: "controller", number, transport: spec }),
      () => (spec === "vhci" ? `controller  in the kernel; see hciconfig or btmgmt info` : `controller  jelling scan --transport ${spec}`),
    );
  terminal.status("serving, Ctrl-C ends …");
  await serveOn(context);
}
