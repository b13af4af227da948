import type { OperationOptions } from "../../async/pending.ts";
import type { BleError } from "../../core/error.ts";

/** The server's packet buffers, as its parameters (OS group, command 6) tell them. Transports and directions share them. */
export interface ServerBuffers {
  /** Octets of one buffer. */
  readonly bufSize: number;
  readonly bufCount: number;
}

/**
 * What carries messages to one end and from it: a line, datagrams, a characteristic. A client stands on it, and so does a server. A message
 * is whole, header and payload; cutting it up and joining it is the link's work.
 */
export interface McumgrLink extends AsyncDisposable {
  /** For people: "ble", and "Sensor 12 (C0:11:22:33:44:55)". */
  readonly info: { readonly kind: string; readonly target: string };
  /** A message may vanish while the link stays: datagrams, lines without flow control. */
  readonly isLossy: boolean;
  /** Longest message, in octets, that every server takes over this link. */
  readonly provenLimit: number;
  /** Called synchronously for every message that arrives, in order; its octets belong to the receiver. */
  onMessage: ((message: Uint8Array) => void) | undefined;
  /** The link is gone. Called once. */
  onClose: ((reason: BleError) => void) | undefined;
  /**
   * Longest message, in octets, that a server with these buffers should take; undefined where it does not tell them: what every one takes. Above `provenLimit` it depends on how the server was built (does
   * it join fragments, how many lines does it keep), which only trying shows.
   */
  messageLimit(buffers: ServerBuffers | undefined): number;
  /**
   * Resolves when the link has taken the whole message: callers may have several on the way, which leave in the order of the calls.
   *
   * @throws {MessageTooLongError} no server could take it over this link
   * @throws the reason, once the link is gone · `signal.reason` once `signal` aborts: the message is then sent wholly or not at all
   */
  send(message: Uint8Array, options?: OperationOptions): Promise<void>;
  /** Forgets what came of a message whose rest seems to be lost, so that it does not spoil the next. */
  resynchronise(): void;
}

/** Makes the link, and makes it again after it was lost or the server was reset. */
export type OpenMcumgrLink = (options?: OperationOptions) => Promise<McumgrLink>;
