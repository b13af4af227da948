import { type Clock, SystemClock } from "../../async/clock.ts";
import { ownTerms } from "../../async/own-terms.ts";
import { checkChoice, checkInteger, checkOptions, checkSignal, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { openOverLine } from "../lines/open-over-line.ts";
import { PortLine } from "./port-line.ts";
import type { WebSerial, WebSerialFilter, WebSerialPort } from "./web-serial.ts";

export interface OpenWebSerialOptions {
  /** 115,200 by default; a USB port of class CDC ACM takes any. */
  readonly baudRate?: number | undefined;
  /** "h4" by default; "h5" is three-wire, with checks and repetition. */
  readonly framing?: "h4" | "h5" | undefined;
  /** RTS and CTS by default with H4, which needs them (Vol 4 Part A 3); none with H5. */
  readonly flowControl?: "none" | "hardware" | undefined;
  /** None by default with H4, even with H5 (Vol 4 Part D 9). */
  readonly parity?: "none" | "even" | "odd" | undefined;
  /** Names the transport in messages; "serial:" by default. */
  readonly spec?: string | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

export interface RequestSerialOptions extends OpenWebSerialOptions {
  /** Which ports the browser's list shows; all by default. */
  readonly filters?: readonly WebSerialFilter[] | undefined;
  /** `navigator.serial` by default. */
  readonly serial?: WebSerial | undefined;
}

const OPEN_OPTIONS = {
  baudRate: true,
  framing: true,
  flowControl: true,
  parity: true,
  spec: true,
  clock: true,
  logger: true,
  signal: true,
} as const;
const OPTIONS = optionNames<OpenWebSerialOptions>(OPEN_OPTIONS);
const REQUEST_OPTIONS = optionNames<RequestSerialOptions>({ ...OPEN_OPTIONS, filters: true, serial: true });

const BAUD_RATE = 115_200;
const HIGHEST_BAUD_RATE = 100_000_000;
/** A browser keeps 255 octets by default: less than one packet. */
const BUFFER_OCTETS = 64 * 1024;
const OPEN_MS = 5000;

/**
 * A controller at a port of Web Serial, by H4 or H5. The port belongs to the transport, which opens it unless it is open, and closes it. Lost
 * octets are dealt with as on `serial:`.
 *
 * @throws {ArgumentError} no such port, one whose streams somebody else uses, or an option unknown or out of range
 * @throws {TransportError} `busy`: another page or program has the port, or this user may not open it · `not-found`: nothing answers by H5
 * @throws {TimeoutError} the browser does not answer
 * @throws `signal.reason` once it aborts
 */
export async function openWebSerial(port: WebSerialPort, options: OpenWebSerialOptions = {}): Promise<HciTransport> {
  checkOptions("openWebSerial", options, OPTIONS);
  const { baudRate = BAUD_RATE, framing = "h4", spec = "serial:", clock = new SystemClock(), logger, signal } = options;
  checkChoice("openWebSerial: framing", framing, ["h4", "h5"]);
  const { flowControl = framing === "h4" ? "hardware" : "none", parity = framing === "h4" ? "none" : "even" } = options;
  checkInteger("openWebSerial: baudRate", baudRate, 1, HIGHEST_BAUD_RATE);
  checkChoice("openWebSerial: flowControl", flowControl, ["none", "hardware"]);
  checkChoice("openWebSerial: parity", parity, ["none", "even", "odd"]);
  checkSignal("openWebSerial: signal", signal);
  if (typeof port?.open !== "function" || typeof port.close !== "function")
    throw new ArgumentError(`openWebSerial: expected a SerialPort, got ${kindOf(port)}`);
  signal?.throwIfAborted();
  if (!port.readable) {
    const settings = { baudRate, dataBits: 8, stopBits: 1, parity, flowControl, bufferSize: BUFFER_OCTETS } as const;
    await opened(port, () => port.open(settings), spec, clock, signal);
  }
  if (!port.readable || !port.writable || port.readable.locked || port.writable.locked)
    throw new ArgumentError("openWebSerial: the port's streams are in use (locked)");
  return await openOverLine(new PortLine(port, clock), spec, { framing, baudRate }, { logger, signal }, clock);
}

async function opened(
  port: WebSerialPort,
  open: () => Promise<void>,
  spec: string,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const opening = (async () => await open())();
  try {
    await ownTerms(clock, `opening ${spec}`, opening, { signal, timeoutMs: OPEN_MS });
  } catch (cause) {
    // It may be open later; nobody has use for it then.
    void opening.then(() => port.close()).catch(() => undefined);
    if (!(cause instanceof Error) || cause === signal?.reason || cause.name === "TimeoutError") throw cause;
    if (cause.name === "NetworkError" || cause.name === "InvalidStateError")
      throw new TransportError("busy", `${spec} cannot be opened: another page or program has the port, or this user may not open it`, {
        cause,
      });
    throw new TransportError("io", `${spec} cannot be opened: ${cause.message}`, { cause });
  }
}

/**
 * Shows the browser's list of serial ports and opens the one that the user chooses. To be called while a click is handled, as the browser
 * demands.
 *
 * @throws {TransportError} `unsupported`: no Web Serial here · `refused`: the user chose none, or there was no click · as `openWebSerial`
 */
export async function requestSerialTransport(options: RequestSerialOptions = {}): Promise<HciTransport> {
  checkOptions("requestSerialTransport", options, REQUEST_OPTIONS);
  checkSignal("requestSerialTransport: signal", options.signal);
  options.signal?.throwIfAborted();
  const { filters, serial = pageSerial(), ...rest } = options;
  if (filters !== undefined && !Array.isArray(filters))
    throw new ArgumentError(`requestSerialTransport: filters: expected a list, got ${kindOf(filters)}`);
  let port: WebSerialPort;
  try {
    port = await serial.requestPort(filters && { filters: filters.map((filter) => ({ ...filter })) });
  } catch (cause) {
    const { name, message } = cause as Error;
    if (name === "NotFoundError") throw new TransportError("refused", "no serial port was chosen", { cause });
    if (name === "SecurityError")
      throw new TransportError(
        "refused",
        "the browser asks for a serial port only while a click is handled, and where the page may use it",
        {
          cause,
        },
      );
    throw new TransportError("io", `no serial port could be chosen: ${message}`, { cause });
  }
  return await openWebSerial(port, rest);
}

/** @throws {TransportError} there is none here */
function pageSerial(): WebSerial {
  const { navigator } = globalThis as unknown as { navigator?: { serial?: WebSerial } };
  if (!navigator?.serial)
    throw new TransportError("unsupported", "there is no Web Serial here: Chromium has it, in pages that came by https or from localhost");
  return navigator.serial;
}
