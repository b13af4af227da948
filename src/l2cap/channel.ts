import type { OperationOptions, WaitOptions } from "../async/pending.ts";
import type { BleError } from "../core/error.ts";

/** Octets in front of a PDU in a frame: H4 type (1), ACL header (4), basic L2CAP header (4). A frame is sent without copying. */
export const PDU_OFFSET = 9;

/**
 * A channel that carries whole PDUs in order: a fixed L2CAP channel, later an enhanced bearer. What ATT and the Security Manager stand on.
 */
export interface PduChannel {
  /** Called synchronously with `bytes[offset, end)`, read in place; whoever keeps octets copies them. Set once. */
  onPdu: ((bytes: Uint8Array, offset: number, end: number) => void) | undefined;
  /** The link is gone. Called once; nothing arrives and nothing is sent after it. */
  onClose: ((reason: BleError) => void) | undefined;
  /** A frame with room for a PDU of `length` octets at `PDU_OFFSET`, its headers filled in. */
  allocate(length: number): Uint8Array;
  /** Queues a frame made by `allocate`, which then belongs to the channel. Frames leave in this order. Dropped once closed. */
  sendFrame(frame: Uint8Array): void;
  /** Copies `pdu` into a frame and queues it. */
  send(pdu: Uint8Array): void;
  /** False while the link's queue is past its mark. Responses may be sent all the same; flows (notifications, commands) must wait. */
  readonly writable: boolean;
  /** PDUs that have not been handed to the controller yet. */
  readonly waiting: number;
  /** The controller has reported everything queued so far as completed. */
  readonly idle: boolean;
  /** Resolves when `writable`; rejects with the close reason. */
  whenWritable(options?: OperationOptions): Promise<void>;
  /** Resolves when the controller has acknowledged everything queued so far (Number Of Completed Packets). */
  whenSent(options?: WaitOptions): Promise<void>;
}
