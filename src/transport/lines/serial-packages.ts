import { createRequire } from "node:module";
import type { Clock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { UnsupportedError } from "../../core/error.ts";
import { TransportError } from "../../hci/transport.ts";

/** The parts of @serialport/stream that are used here. */
export interface SerialStream {
  open(callback: (error: Error | null) => void): void;
  close(callback: (error: Error | null) => void): void;
  set(lines: { dtr?: boolean; rts?: boolean }, callback: (error: Error | null) => void): void;
  write(octets: Uint8Array, callback: (error: Error | null | undefined) => void): boolean;
  on(event: "data", listener: (octets: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (error?: Error | null) => void): unknown;
  readonly isOpen: boolean;
}
/** Makes a port that is not open yet. */
export type CreateSerialStream = (options: Readonly<Record<string, unknown>>) => SerialStream;

let loaded: CreateSerialStream | undefined;

/** Loads the optional packages on first use. @throws {UnsupportedError} one is missing, or does not load here */
export function loadSerialPackages(require?: (name: string) => unknown): CreateSerialStream {
  if (require) return loadWith(require);
  loaded ??= loadWith(createRequire(import.meta.url));
  return loaded;
}

function loadWith(require: (name: string) => unknown): CreateSerialStream {
  try {
    const { SerialPortStream } = require("@serialport/stream") as {
      SerialPortStream: new (options: Readonly<Record<string, unknown>>) => SerialStream;
    };
    const { autoDetect } = require("@serialport/bindings-cpp") as { autoDetect(): unknown };
    const binding = autoDetect();
    return (options) => new SerialPortStream({ ...options, binding, autoOpen: false });
  } catch (cause) {
    throw new UnsupportedError(
      'serial ports need the packages @serialport/bindings-cpp and @serialport/stream, which do not load here: run "npm install @serialport/bindings-cpp @serialport/stream"',
      { cause },
    );
  }
}

/** @throws what the platform says, or the reason of the signal: the port is then closed as soon as it is open */
export async function openedStream(stream: SerialStream, clock: Clock, signal: AbortSignal): Promise<SerialStream> {
  const opening = new Pending<SerialStream>({ clock, operation: "opening a port", signal });
  stream.on("error", () => {}); // told by the callbacks
  stream.open((error) => {
    if (error) opening.reject(error);
    else if (opening.settled) stream.close(() => {});
    else opening.resolve(stream);
  });
  return await opening.promise;
}

/** One sentence for what the platform says. */
export function describeSerialError(path: string, cause: unknown): TransportError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const options = { cause };
  if (/no such file|file not found|no such device|ENOENT/i.test(text))
    return new TransportError("not-found", `there is no ${path}`, options);
  if (/permission|access denied|EACCES|EPERM/i.test(text))
    return new TransportError(
      "permission",
      `${path} may not be opened: on Linux "sudo usermod -aG dialout $USER" and a new login help`,
      options,
    );
  if (/lock|busy|temporarily unavailable|EBUSY/i.test(text))
    return new TransportError("busy", `${path} is in use by another program`, options);
  return new TransportError("io", `${path} cannot be opened: ${text}`, options);
}
