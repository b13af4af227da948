import { serve } from "#transport-kinds";
import { checkOptions, checkText, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { checkOrigins } from "./origins.ts";
import type { AttachableController, ControllerServer, ServeOptions } from "./types.ts";

const OPTIONS = optionNames<ServeOptions>({ logger: true, origins: true });

/**
 * Serves a virtual controller to foreign hosts as H4 over `tcp:[HOST:]PORT` (this machine only unless a host is given; port 0 takes a
 * free one) or `unix:/PATH`, or over WebSockets at `ws:[HOST:]PORT`, to programs and to pages of `options.origins`. One host at a time: a second one is turned away, and when the first leaves the next may come. As H4 or H5 over
 * `pty:[/LINK][,h5]`, a new pseudo-terminal, or `serial:PORT…` as `openTransport` has it.
 *
 * @throws {ArgumentError} no controller, no text, an unknown option
 * @throws {TransportError} with one sentence: malformed, in use, no permission, not in Node
 */
export async function serveController(
  controller: AttachableController,
  spec: string,
  options: ServeOptions = {},
): Promise<ControllerServer> {
  checkOptions("serveController", options, OPTIONS);
  if (typeof controller?.attach !== "function")
    throw new ArgumentError(`serveController: expected a virtual controller, got ${kindOf(controller)}`);
  checkText("serveController: spec", spec);
  checkOrigins("serveController: origins", options.origins);
  return await serve(controller, spec, options);
}
