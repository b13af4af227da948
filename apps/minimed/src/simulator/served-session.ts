import { AttError, AttErrorCode } from "jelling/att";
import { SakeFrameError, type SakeSession } from "../sake/session.ts";
import type { SimulatedPumpFaults } from "./faults.ts";
import type { Outbox } from "./outbox.ts";

export interface ServedSessionOptions {
  /** The authenticated session with the phone that is connected. */
  readonly session: () => SakeSession | undefined;
  readonly outbox: Outbox;
  readonly faults: SimulatedPumpFaults;
  /** Longest notification the link takes: ATT_MTU − 3. */
  readonly largestNotification: () => number;
}

/** What the pump's services share: the frames of the session with the phone, what leaves for it, and the count of what it should not have written. */
export class ServedSession {
  readonly outbox: Outbox;
  readonly faults: SimulatedPumpFaults;
  readonly #session: () => SakeSession | undefined;
  readonly #largestNotification: () => number;
  /** Writes that a read-only client never makes. */
  forbiddenWrites = 0;

  constructor({ session, outbox, faults, largestNotification }: ServedSessionOptions) {
    this.#session = session;
    this.outbox = outbox;
    this.faults = faults;
    this.#largestNotification = largestNotification;
  }

  get largestNotification(): number {
    return this.#largestNotification();
  }
  get isOpen(): boolean {
    const session = this.#session();
    return session !== undefined && !session.isClosed;
  }

  /** @throws {AttError} Insufficient Authorization: the phone has not authenticated itself */
  require(): SakeSession {
    const session = this.#session();
    if (!session || session.isClosed) throw new AttError(AttErrorCode.InsufficientAuthorization);
    return session;
  }

  /** A frame, at the moment it is sent. @throws as `require` */
  seal(plaintext: Uint8Array): Uint8Array {
    const frame = this.require().encrypt(plaintext);
    if (this.faults.strike("wrongTags")) frame[frame.length - 1]! ^= 0x01;
    return frame;
  }

  /** A frame of the phone. @throws {AttError} Insufficient Authorization: it does not open */
  open(frame: Uint8Array): Uint8Array {
    try {
      return this.require().decrypt(frame);
    } catch (error) {
      if (error instanceof SakeFrameError) throw new AttError(AttErrorCode.InsufficientAuthorization, { cause: error });
      throw error;
    }
  }

  /** A value that ends with a CRC, or is to end with one that is wrong. */
  withCrc(value: Uint8Array): Uint8Array {
    if (this.faults.strike("wrongCrcs")) value[value.length - 1]! ^= 0x01;
    return value;
  }

  /** @throws {AttError} Write Not Permitted */
  forbid(): never {
    this.forbiddenWrites++;
    throw new AttError(AttErrorCode.WriteNotPermitted);
  }
}
