import type { Duplex } from "node:stream";
import { SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { Pending } from "../../async/pending.ts";
import { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportClosed, TransportError } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { DuplexLine } from "./duplex-line.ts";
import { H4LineTransport } from "./h4-transport.ts";
import { H5Transport } from "./h5-transport.ts";
import type { OctetLine } from "./octet-line.ts";
import { type CreateSerialStream, describeSerialError, loadSerialPackages, openedStream, type SerialStream } from "./serial-packages.ts";
import { parseSerialSpec, type SerialSpec } from "./serial-spec.ts";

/** How long the platform may take to open or close a port, in milliseconds. */
const OPEN_MS = 5000;
const CLOSE_MS = 1000;

/**
 * `serial:PORT…`: a controller at a serial port, by H4 or H5. Resolves for H4 when the port is open, for H5 when the other side has answered.
 *
 * @param create what makes the port; the packages by default
 * @throws {UnsupportedError} the packages are missing
 * @throws {TransportError} with one sentence
 * @throws `signal.reason` once it aborts
 */
export async function openSerial(rest: string, options: TransportOptions = {}, create?: CreateSerialStream): Promise<HciTransport> {
  const spec = `serial:${rest}`;
  const settings = parseSerialSpec(spec, rest);
  const line = await openSerialLine(settings, options.signal, create);
  return await openOverLine(line, spec, settings, options);
}

/** What was opened, as it is framed. H5 is waited for. The line is closed when this fails. */
export async function openOverLine(
  line: OctetLine,
  spec: string,
  { framing, baudRate, flow }: Pick<SerialSpec, "framing"> & Partial<SerialSpec>,
  { logger = Logger.silent, signal }: TransportOptions,
): Promise<HciTransport> {
  const clock = new SystemClock(); // the line takes real time, whatever time the air has
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

/** @throws {TransportError} it cannot be opened */
export async function openSerialLine(
  { path, baudRate, flow, parity }: SerialSpec,
  signal: AbortSignal | undefined,
  create: CreateSerialStream = loadSerialPackages(),
): Promise<OctetLine> {
  const clock = new SystemClock();
  signal?.throwIfAborted();
  using deadline = new Deadline({ clock, operation: `opening ${path}`, signal, timeoutMs: OPEN_MS });
  let stream: SerialStream;
  try {
    // Software flow control is not the platform's: H5 knows which octets are meant (Vol 4 Part D 3.2).
    const settings = { path, baudRate, dataBits: 8, parity, stopBits: 1, rtscts: flow === "hardware", xon: false, xoff: false, lock: true };
    stream = await openedStream(create(settings), clock, deadline.signal);
  } catch (error) {
    if (deadline.signal.aborted) throw error;
    throw describeSerialError(path, error);
  }
  const close = async (): Promise<void> => {
    if (!stream.isOpen) return;
    const closed = new Pending<void>({ clock, operation: "closing a port", timeoutMs: CLOSE_MS });
    stream.close(() => closed.resolve());
    await closed.promise.catch(() => undefined); // a driver that hangs holds nobody else
  };
  return new DuplexLine(stream as unknown as Duplex, close); // as which the packages document it
}
