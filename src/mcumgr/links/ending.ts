import { callOut } from "../../async/call-out.ts";
import type { BleError } from "../../core/error.ts";

/** What carries messages ends once. `onClose` is told why, also where it is set after the end; whoever closes it hears nothing more. */
export abstract class Ending {
  #onClose: ((reason: BleError) => void) | undefined;
  #reason: BleError | undefined;
  #isTold = false;

  get onClose(): ((reason: BleError) => void) | undefined {
    return this.#onClose;
  }
  set onClose(handler: ((reason: BleError) => void) | undefined) {
    this.#onClose = handler;
    this.#tell();
  }

  /** Why it is over; undefined while it stands. */
  protected get reason(): BleError | undefined {
    return this.#reason;
  }

  /** Frees what is held, and rejects what waits; called once, before anybody is told. */
  protected abstract leave(reason: BleError): void;

  /** It has ended by itself. */
  protected end(reason: BleError): void {
    this.#finish(reason);
    this.#tell();
  }

  /** Its owner closes it. */
  protected close(reason: BleError): void {
    this.#isTold = true;
    this.#finish(reason);
  }

  #finish(reason: BleError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.leave(reason);
  }

  #tell(): void {
    if (!this.#reason || this.#isTold || !this.#onClose) return;
    this.#isTold = true;
    callOut(this.#onClose, this.#reason);
  }
}
