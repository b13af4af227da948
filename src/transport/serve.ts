import { serve } from "#transport-kinds";
import type { AttachableController, ControllerServer, ServeOptions } from "./types.ts";

/**
 * Serves a virtual controller to foreign hosts as H4 over `tcp:[HOST:]PORT` (this machine only unless a host is given; port 0 takes a
 * free one) or `unix:/PATH`. One host at a time: a second one is turned away, and when the first leaves the next may come.
 *
 * @throws {TransportError} with one sentence: malformed, in use, no permission, not in Node
 */
export function serveController(controller: AttachableController, spec: string, options: ServeOptions = {}): Promise<ControllerServer> {
  return serve(controller, spec, options);
}
