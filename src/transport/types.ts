import type { Clock } from "../async/index.ts";
import type { Logger, RandomSource } from "../core/index.ts";
import type { HciTransport, TransportClosed } from "../hci/transport.ts";
import type { FirmwareFiles } from "./firmware/start-up.ts";

/** What a transport may need; none of it is required. */
export interface TransportOptions {
  /** Moves the simulated air behind `sim:`. Real I/O takes real time whatever is given here. */
  clock?: Clock | undefined;
  logger?: Logger | undefined;
  random?: RandomSource | undefined;
  /** Gives up opening. */
  signal?: AbortSignal | undefined;
  /** `tcp-server:` or `ws-server:` listens on this port now. */
  onListening?: ((port: number) => void) | undefined;
  /** `pty:` waits at this path for a program to open it. */
  onPath?: ((path: string) => void) | undefined;
  /** Pages that may connect to `ws-server:`, by their origin: "https://example.org"; "*" for any. None by default; programs may always. */
  origins?: readonly string[] | undefined;
  /**
   * A controller that wants firmware (Realtek's and Intel's on USB, Broadcom's and Cypress's) gets it, before it is handed out: from this folder, such as
   * /lib/firmware (in Node), or from what gives files by their names in the linux-firmware collection.
   */
  firmware?: string | FirmwareFiles | undefined;
  /**
   * More kinds of transport, by the word before the colon of a spec: `{ spi: (rest, options) => … }` opens "spi:…". One of a name that is
   * known already takes its place.
   */
  kinds?: Readonly<Record<string, OpenTransportKind>> | undefined;
}

/** Opens one kind of transport; `rest` is what follows the kind and its colon. */
export type OpenTransportKind = (rest: string, options: TransportOptions) => Promise<HciTransport>;

/** A virtual controller, as far as serving one goes. */
export interface AttachableController {
  /** Serves the controller to the host at the other end until that closes. */
  attach(transport: HciTransport): unknown;
}

export interface ControllerServer extends AsyncDisposable {
  /** What a host opens to get this controller, with the port actually in use. */
  readonly spec: string;
}

export interface ServeOptions {
  logger?: Logger | undefined;
  /** Pages that may have a controller served at `ws:`, by their origin: "https://example.org"; "*" for any. None by default; programs may always. */
  origins?: readonly string[] | undefined;
}

export type ServeController = (controller: AttachableController, spec: string, options: ServeOptions) => Promise<ControllerServer>;

/** What a system call failed with. */
export interface SystemFault {
  readonly errno: number;
  /** "ENETDOWN". */
  readonly code: string;
}

/**
 * A socket of the kernel's Bluetooth subsystem that belongs to no adapter: its management (control) or its monitor channel. One packet at
 * each read, one at each write.
 */
export interface KernelSocket extends AsyncDisposable {
  readonly info: {
    readonly spec: "mgmt" | "monitor";
    /** The line that gives this process the rights it may lack, for messages. */
    readonly remedy: string;
  };
  /** Called synchronously for every packet, in order; a packet's octets belong to the receiver. What came before it was set comes first. */
  onPacket: ((packet: Uint8Array) => void) | undefined;
  /** The socket is gone. Called once. */
  onClose: ((reason: TransportClosed) => void) | undefined;
  /** How many packets the kernel has thrown away because they were not read in time; absent where it does not tell. */
  readonly droppedPackets?: number;
  /** Hands one packet to the kernel now. @returns what it failed with; the kernel then sends no reply */
  write(packet: Uint8Array): SystemFault | undefined;
}

/**
 * The same for programs that block: nothing else of the process runs while it reads, no timer, no promise, no event. One packet at each
 * read, one at each write.
 */
export interface BlockingKernelSocket extends Disposable {
  readonly info: KernelSocket["info"];
  /** Milliseconds since some time, for deadlines; never goes back. */
  now(): number;
  /** Hands one packet to the kernel. @returns what it failed with; the kernel then sends no reply */
  write(packet: Uint8Array): SystemFault | undefined;
  /**
   * The next packet; blocks until there is one.
   *
   * @returns undefined when none has come after `timeoutMs`
   * @throws {TransportClosed} the socket is gone
   */
  read(timeoutMs: number): Uint8Array | undefined;
}

export type OpenBlockingKernelSocket = (channel: KernelChannel) => BlockingKernelSocket;

export type KernelChannel = "control" | "monitor";
export type OpenKernelSocket = (channel: KernelChannel, options?: { signal?: AbortSignal | undefined }) => Promise<KernelSocket>;
