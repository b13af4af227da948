import { SMALL } from "../bytes/copy-octets.ts";
import { kindOf } from "../core/arguments.ts";
import { ArgumentError, BleError } from "../core/error.ts";

/**
 * A two-way stream of whole HCI packets, H4 packet type first (Vol 4 Part A 2). Packets arrive in order; a packet's bytes belong to the receiver, and are
 * a part of 4 KiB at most, or all of their `buffer`: who keeps the packet keeps that.
 */
export interface HciTransport extends AsyncDisposable {
  /**
   * `spec` is what opened it, for messages; `address` the device address where the transport knows it; `usbId` vendor and product of a USB
   * adapter, "0a12:0001".
   */
  readonly info: { readonly spec: string; readonly address?: string; readonly usbId?: string };
  /** Called synchronously for every packet; set once. Packets that came earlier are delivered when it is set. */
  onPacket: ((packet: Uint8Array) => void) | undefined;
  /** The transport is gone (unplugged, peer closed, I/O error). Called once, not after its own disposal. */
  onClose: ((reason: TransportClosed) => void) | undefined;
  /** Never blocks, never throws on back-pressure, drops silently once closed; the packet may be kept and must not be changed afterwards. */
  send(packet: Uint8Array): void;
  /** False while the transport's own queue is past its mark; `onWritable` tells when it is true again. */
  readonly writable: boolean;
  onWritable: (() => void) | undefined;
}

/** The way to the controller is gone; `cause` holds the system's error where there is one. */
export class TransportClosed extends BleError {
  readonly code = "ERR_TRANSPORT_CLOSED";
}

/** The transport could not be opened. `reason` is for programs; the message is one sentence with the remedy. */
export class TransportError extends BleError {
  readonly code = "ERR_TRANSPORT";
  readonly reason: "unknown-spec" | "not-found" | "busy" | "permission" | "unsupported" | "missing-package" | "refused" | "io";
  constructor(reason: TransportError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** H4 packet types, Vol 4 Part A 2. */
export const PacketType = Object.freeze({ Command: 0x01, AclData: 0x02, SynchronousData: 0x03, Event: 0x04, IsoData: 0x05 });

/** A transport may be a program's own. @throws {ArgumentError} it cannot send, or cannot be closed */
export function checkTransport(what: string, transport: unknown): void {
  const { send, [Symbol.asyncDispose]: dispose } = (transport ?? {}) as Partial<HciTransport>;
  if (typeof send !== "function") throw new ArgumentError(`${what}: expected a transport, got ${kindOf(transport)}`);
  if (typeof dispose !== "function") throw new ArgumentError(`${what}: expected a transport, got one without [Symbol.asyncDispose]`);
}

/**
 * The packet as a Uint8Array and no kind of one: `slice` of Node's Buffer gives a view, and not octets of one's own. A short one is
 * copied: that takes less than a view of it.
 *
 * @param packet not undefined or null
 * @throws {ArgumentError} no octets
 */
export function plainOctets(packet: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(packet) === Uint8Array.prototype) return packet;
  if (!(packet instanceof Uint8Array)) throw noPacket(packet);
  return packet.length > SMALL ? new Uint8Array(packet.buffer, packet.byteOffset, packet.length) : new Uint8Array(packet);
}

/** What a transport is told that gives something else. */
export function noPacket(given: unknown): ArgumentError {
  return new ArgumentError(`the transport gave ${kindOf(given)}, expected a Uint8Array`);
}
