import { callOut } from "../async/call-out.ts";
import { type Clock, delay, SystemClock } from "../async/clock.ts";
import { Deadline } from "../async/deadline.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { checkBoolean, checkChoice, checkInteger, checkMilliseconds, checkOperation, checkText, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../core/error.ts";
import { CONSOLE_LINK_OPTION_NAMES, ConsoleLink, type ConsoleLinkOptions } from "../mcumgr/links/console-link.ts";
import { Ending } from "../mcumgr/links/ending.ts";
import type { McumgrLink, OpenMcumgrLink } from "../mcumgr/links/link.ts";
import type { OctetPort } from "../mcumgr/links/octet-port.ts";
import { RAW_LINK_OPTION_NAMES, RawLink, type RawLinkOptions } from "../mcumgr/links/raw-link.ts";
import {
  type CreateSerialStream,
  describeSerialError,
  loadSerialPackages,
  openedStream,
  type SerialStream,
} from "../transport/lines/serial-packages.ts";

const DEFAULT_BAUD_RATE = 115_200;
const DEFAULT_TIMEOUT_MS = 5000;
/** Between attempts to open a port that is not there, or not ours yet. */
const RETRY_MS = 250;
/** How long closing waits for the platform. */
const CLOSE_MS = 1000;
const PARITIES = ["none", "even", "odd", "mark", "space"] as const;

export interface SerialPortOptions extends OperationOptions {
  /** "/dev/ttyACM0", "/dev/serial/by-id/…", "COM3". */
  readonly path: string;
  /** 115,200 by default. */
  readonly baudRate?: number | undefined;
  /** 5 to 8; 8 by default. */
  readonly dataBits?: 5 | 6 | 7 | 8 | undefined;
  /** "none" by default. */
  readonly parity?: (typeof PARITIES)[number] | undefined;
  /** 1 by default. */
  readonly stopBits?: 1 | 1.5 | 2 | undefined;
  /** Flow control by the lines RTS and CTS. False by default. */
  readonly rtscts?: boolean | undefined;
  /** Flow control by characters, which messages in lines never hold. False by default. */
  readonly xonxoff?: boolean | undefined;
  /** Nobody else may open the port meanwhile. True by default. */
  readonly exclusive?: boolean | undefined;
  /** State of the line once the port is open; as the platform leaves it, usually on, by default. Some boards are reset by it. */
  readonly dtr?: boolean | undefined;
  /** The same of RTS. */
  readonly rts?: boolean | undefined;
  /** A port that does not take what is written for so long is given up, in milliseconds. For ever by default. */
  readonly writeTimeoutMs?: number | undefined;
  /** Pause between octets that ends a read, in milliseconds: fewer and longer reads (Linux and macOS). None by default. */
  readonly interByteTimeoutMs?: number | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

export interface SerialLinkOptions
  extends SerialPortOptions,
    Omit<ConsoleLinkOptions, "clock" | "layout">,
    Pick<RawLinkOptions, "bufSize" | "silenceMs" | "onDropped"> {
  /**
   * "console" (default): lines of text, a console may use the port too; `lineLength`, `sizing`, `onConsole` and `onFault` are its options.
   * "raw": messages as they are; with `bufSize`, `silenceMs` and `onDropped`.
   */
  readonly framing?: "console" | "raw" | undefined;
}

const PORT_NAMES = {
  signal: true,
  timeoutMs: true,
  path: true,
  baudRate: true,
  dataBits: true,
  parity: true,
  stopBits: true,
  rtscts: true,
  xonxoff: true,
  exclusive: true,
  dtr: true,
  rts: true,
  writeTimeoutMs: true,
  interByteTimeoutMs: true,
  clock: true,
} as const;
const PORT = optionNames<SerialPortOptions>(PORT_NAMES);
const LINK = optionNames<SerialLinkOptions & ConsoleLinkOptions>({
  ...PORT_NAMES,
  ...CONSOLE_LINK_OPTION_NAMES,
  ...RAW_LINK_OPTION_NAMES,
  framing: true,
});

/**
 * Opens a serial port. One that is not there, or in use, is tried again until the time is over: a device that was reset comes back.
 *
 * @param create what makes the port; the packages by default
 * @throws {ArgumentError} · {UnsupportedError} the packages are missing
 * @throws {TransportError} it cannot be opened: `reason` is "not-found", "permission", "busy" or "io", after `timeoutMs`, 5 s by default
 * @throws `signal.reason` once `signal` aborts
 */
export async function openSerialPort(options: SerialPortOptions, create?: CreateSerialStream): Promise<OctetPort> {
  checkOperation("openSerialPort", options ?? null, PORT);
  const settings = settingsOf(options);
  return await open(options, settings, create ?? loadSerialPackages(), options);
}

/** A serial port with an mcumgr server behind it. @throws as `openSerialPort` */
export async function openSerialLink(options: SerialLinkOptions): Promise<McumgrLink> {
  return await createSerialOpener(options)();
}

/**
 * The same each time it is called, for a client that opens again after a reset. `signal` and `timeoutMs` of a call take the place of those
 * here.
 *
 * @throws {ArgumentError} · {UnsupportedError} the packages are missing
 */
export function createSerialOpener(options: SerialLinkOptions, create?: CreateSerialStream): OpenMcumgrLink {
  checkOperation("openSerialLink", options ?? null, LINK);
  const { framing = "console", clock = new SystemClock() } = options;
  checkChoice("openSerialLink: framing", framing, ["console", "raw"]);
  const settings = settingsOf(options);
  const make = linkOf(framing, options, clock);
  void make(NO_PORT)[Symbol.asyncDispose](); // what is wrong with its options is told now, and not when a port is open
  const createStream = create ?? loadSerialPackages();
  return async (given = {}) => {
    checkOperation("openSerialLink", given);
    return make(await open(options, settings, createStream, { ...options, ...given }));
  };
}

function linkOf(framing: "console" | "raw", options: SerialLinkOptions, clock: Clock): (port: OctetPort) => McumgrLink {
  const { lineLength, sizing, onConsole, onFault, bufSize, silenceMs, onDropped } = options;
  const others = framing === "raw" ? { lineLength, sizing, onConsole, onFault } : { bufSize, silenceMs, onDropped };
  for (const [name, value] of Object.entries(others))
    if (value !== undefined) throw new ArgumentError(`openSerialLink: ${name}: is none of ${framing} framing`);
  if (framing === "raw") return (port) => new RawLink(port, { bufSize, silenceMs, onDropped, clock });
  return (port) => new ConsoleLink(port, { lineLength, sizing, onConsole, onFault, clock });
}

const NO_PORT: OctetPort = {
  info: { kind: "serial", target: "" },
  onOctets: undefined,
  onClose: undefined,
  write: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

/** What the packages take. @throws {ArgumentError} */
function settingsOf(options: SerialPortOptions): Readonly<Record<string, unknown>> {
  const { path, baudRate = DEFAULT_BAUD_RATE, dataBits = 8, parity = "none", stopBits = 1, interByteTimeoutMs, writeTimeoutMs } = options;
  const { rtscts = false, xonxoff = false, exclusive = true, dtr, rts } = options;
  if (checkText("openSerialPort: path", path) === "") throw new ArgumentError("openSerialPort: path: expected a port like /dev/ttyACM0");
  checkInteger("openSerialPort: baudRate", baudRate, 1, 100_000_000);
  checkInteger("openSerialPort: dataBits", dataBits, 5, 8);
  checkChoice("openSerialPort: parity", parity, PARITIES);
  if (stopBits !== 1 && stopBits !== 1.5 && stopBits !== 2) throw new ArgumentError("openSerialPort: stopBits: expected 1, 1.5 or 2");
  for (const [name, value] of Object.entries({ rtscts, xonxoff, exclusive, dtr, rts })) checkBoolean(`openSerialPort: ${name}`, value);
  if (writeTimeoutMs !== undefined) checkMilliseconds("openSerialPort: writeTimeoutMs", writeTimeoutMs, 1, Number.MAX_SAFE_INTEGER);
  if (interByteTimeoutMs !== undefined) checkMilliseconds("openSerialPort: interByteTimeoutMs", interByteTimeoutMs, 1, 25_500);
  return {
    path,
    baudRate,
    dataBits,
    parity,
    stopBits,
    rtscts,
    xon: xonxoff,
    xoff: xonxoff,
    lock: exclusive,
    // A read of the platform ends after so many tenths of a second without another octet.
    ...(interByteTimeoutMs === undefined ? {} : { vmin: 255, vtime: Math.ceil(interByteTimeoutMs / 100) }),
  };
}

async function open(
  options: SerialPortOptions,
  settings: Readonly<Record<string, unknown>>,
  create: CreateSerialStream,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: OperationOptions,
): Promise<OctetPort> {
  const { path, clock = new SystemClock(), dtr, rts, writeTimeoutMs } = options;
  signal?.throwIfAborted();
  using deadline = new Deadline({ clock, operation: `opening ${path}`, signal, timeoutMs });
  let refusal: unknown;
  for (;;) {
    try {
      const stream = await openedStream(create(settings), clock, deadline.signal);
      const port = new SerialPort(stream, options.path, (settings.baudRate as number) ?? DEFAULT_BAUD_RATE, clock, writeTimeoutMs);
      if (dtr !== undefined || rts !== undefined)
        await port.setLines({ ...(dtr !== undefined && { dtr }), ...(rts !== undefined && { rts }) }, deadline.signal);
      return port;
    } catch (error) {
      if (deadline.signal.aborted)
        throw signal?.aborted || refusal === undefined ? deadline.signal.reason : describeSerialError(path, refusal);
      refusal = error;
    }
    await delay(clock, RETRY_MS, { signal: deadline.signal, name: "another try to open a port" }).catch((error: unknown) => {
      throw signal?.aborted ? error : describeSerialError(path, refusal);
    });
  }
}

class SerialPort extends Ending implements OctetPort {
  readonly info: OctetPort["info"];
  readonly #stream: SerialStream;
  readonly #clock: Clock;
  readonly #writeTimeoutMs: number | undefined;
  readonly #writing = new Set<Pending<void>>();
  #onOctets: ((octets: Uint8Array) => void) | undefined;
  #isReading = false;
  #closing: Promise<void> | undefined;

  constructor(stream: SerialStream, path: string, baudRate: number, clock: Clock, writeTimeoutMs: number | undefined) {
    super();
    this.info = { kind: "serial", target: `${path} at ${baudRate} baud` };
    this.#stream = stream;
    this.#clock = clock;
    this.#writeTimeoutMs = writeTimeoutMs;
    stream.on("close", (error) => this.#ended(`${path} is gone`, error));
    stream.on("error", (error) => this.#ended(`${path} failed: ${error.message}`, error));
  }

  get onOctets(): ((octets: Uint8Array) => void) | undefined {
    return this.#onOctets;
  }
  /** Reading begins with the first receiver. */
  set onOctets(receiver: ((octets: Uint8Array) => void) | undefined) {
    this.#onOctets = receiver;
    if (!receiver || this.#isReading) return;
    this.#isReading = true;
    this.#stream.on("data", (octets) => {
      if (!this.reason) callOut(this.#onOctets, new Uint8Array(octets.buffer, octets.byteOffset, octets.length));
    });
  }

  async write(octets: Uint8Array): Promise<void> {
    if (this.reason) throw this.reason;
    const timeoutMs = this.#writeTimeoutMs;
    const pending: Pending<void> = new Pending<void>({
      clock: this.#clock,
      operation: `writing to ${this.info.target}`,
      timeoutMs,
      onSettled: (outcome) => {
        this.#writing.delete(pending);
        // Some of it may have left: what comes next would be its rest to the server.
        if (outcome === "timeout") this.#ended(`${this.info.target} took nothing for ${timeoutMs} ms`);
      },
    });
    this.#writing.add(pending);
    this.#stream.write(octets, (error) => {
      if (!error) pending.resolve();
      else this.#ended(`${this.info.target} failed: ${error.message}`, error);
    });
    await pending.promise;
  }

  /** Where it fails, or a driver hangs until the signal aborts, the port is closed, behind the caller's back. */
  async setLines(lines: { dtr?: boolean; rts?: boolean }, signal: AbortSignal): Promise<void> {
    const setting = new Pending<void>({ clock: this.#clock, operation: "setting the lines of a port", signal });
    try {
      if (!setting.settled) this.#stream.set(lines, (error) => (error ? setting.reject(error) : setting.resolve()));
      await setting.promise;
    } catch (error) {
      void this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`${this.info.target} was closed`));
    await this.#closed();
  }

  #ended(what: string, cause?: unknown): void {
    this.end(new ClosedError(what, cause ? { cause } : {}));
  }

  protected leave(reason: BleError): void {
    for (const pending of [...this.#writing]) pending.reject(reason);
    void this.#closed();
  }

  #closed(): Promise<void> {
    this.#closing ??= (async () => {
      if (!this.#stream.isOpen) return;
      const closed = new Pending<void>({ clock: this.#clock, operation: "closing a port", timeoutMs: CLOSE_MS });
      this.#stream.close(() => closed.resolve());
      await closed.promise.catch(() => undefined); // a driver that hangs holds nobody else
    })();
    return this.#closing;
  }
}
