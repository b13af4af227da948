import { type Clock, SystemClock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportClosed, TransportError } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { H4LineTransport } from "./h4-transport.ts";
import { H5Transport } from "./h5-transport.ts";
import type { OctetLine } from "./octet-line.ts";
import type { SerialSpec } from "./serial-spec.ts";

/**
 * What was opened, as it is framed. H5 is waited for. The line is closed when this fails.
 *
 * @param clock real time by default: the line takes that, whatever time the air has
 */
export async function openOverLine(
  line: OctetLine,
  spec: string,
  { framing, baudRate, flow }: Pick<SerialSpec, "framing"> & Partial<SerialSpec>,
  { logger = Logger.silent, signal }: TransportOptions,
  clock: Clock = new SystemClock(),
): Promise<HciTransport> {
  const common = { clock, logger: logger.child("transport"), role: "host" as const };
  if (framing === "h4") return new H4LineTransport(line, { spec }, common);
  const active = new Pending<void>({ clock, operation: `establishing ${spec}`, signal });
  const offer = { flowControl: flow === "software" };
  const transport = new H5Transport(line, { spec }, { ...common, baudRate, offer, onActive: () => active.resolve() });
  transport.onClose = (reason) => active.reject(reason);
  try {
    await active.promise;
  } catch (error) {
    await transport[Symbol.asyncDispose]().catch(() => undefined);
    if (!(error instanceof TransportClosed)) throw error;
    throw new TransportError("not-found", `${error.message}: is it switched on, and does it speak H5 at this baud rate?`, { cause: error });
  }
  transport.onClose = undefined;
  return transport;
}
