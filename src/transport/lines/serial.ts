import type { Duplex } from "node:stream";
import { SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { Pending } from "../../async/pending.ts";
import type { HciTransport } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { DuplexLine } from "./duplex-line.ts";
import type { OctetLine } from "./octet-line.ts";
import { openOverLine } from "./open-over-line.ts";
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
