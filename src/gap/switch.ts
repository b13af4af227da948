import { StateError, UnsupportedError } from "../core/error.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";

/** What is known of something that the controller does until it is told to stop; "unknown" after a command whose answer was lost. */
export type SwitchState = "off" | "on" | "unknown";

/** Whether a command that failed so had no effect: the controller said no, or was never asked. */
export function isRefusal(error: unknown): boolean {
  return error instanceof HciError || error instanceof UnsupportedError || error instanceof StateError;
}

export function isDisallowed(error: unknown): boolean {
  return error instanceof HciError && error.status === HciErrorCode.CommandDisallowed;
}

/**
 * Keeps what is known of one such activity. Only the controller's own word counts: an answer that was lost leaves us not knowing, and a
 * refusal leaves things as they were.
 */
export class Switch {
  #state: SwitchState = "off";
  /** It has ended by itself since it was switched on last. */
  #isOver = false;

  get state(): SwitchState {
    return this.#state;
  }

  /** It ended by itself: an event of the controller says so. */
  ended(): void {
    this.#isOver = true;
    this.#state = "off";
  }

  /** The controller was reset. A command that is still on its way reaches it afterwards. */
  reset(): void {
    this.#state = "off";
  }

  /** The controller contradicts what was known. */
  distrust(): void {
    this.#state = "unknown";
  }

  /**
   * Sends the command that switches it on. It counts as on from here, since events may come before the answer; one that `ended` it
   * proves that it was on, whatever becomes of the answer.
   *
   * @throws what `send` throws
   */
  async on(send: () => Promise<unknown>): Promise<void> {
    this.#isOver = false as boolean;
    this.#state = "on";
    try {
      await send();
      if (!this.#isOver) this.#state = "on";
    } catch (error) {
      if (this.#isOver) return;
      this.#state = isRefusal(error) ? "off" : "unknown";
      throw error;
    }
  }

  /**
   * Sends the command that switches it off. Command Disallowed has two meanings: what was perhaps never on is not on then; what was said
   * to be on is now unknown.
   *
   * @throws what `send` throws; it is not off then
   */
  async off(send: () => Promise<unknown>): Promise<void> {
    try {
      await send();
    } catch (error) {
      if (this.#state === "off") return; // it ended by itself meanwhile
      if (isDisallowed(error)) {
        if (this.#state === "unknown") {
          this.#state = "off";
          return;
        }
        this.#state = "unknown";
      } else if (!isRefusal(error)) this.#state = "unknown";
      throw error;
    }
    this.#state = "off";
  }
}
