import { checkOctets } from "jelling/core";
import type { FrameKeys } from "./frame.ts";
import { type DoneState, type FailedState, SakeHandshakeError, type Step } from "./handshake.ts";
import { SakeSession } from "./session.ts";

/** Any state of either side. */
interface PartyState {
  readonly at: string;
  readonly stage: number;
  readonly keys?: FrameKeys;
}

/** One side of one handshake: keeps the state that the pure steps give, and wipes keys that are not needed any more. */
export abstract class SakeParty<State extends PartyState> implements Disposable {
  readonly #step: (state: State | FailedState, message: Uint8Array) => Step<State | FailedState>;
  #state: State | FailedState;
  #session: SakeSession | undefined;

  protected constructor(start: State, step: (state: State | FailedState, message: Uint8Array) => Step<State | FailedState>) {
    this.#state = start;
    this.#step = step;
  }

  /** Messages accepted so far: 1, 3, 5 of the server, 2, 4 of the client; 0 before, 6 when done. */
  get stage(): number {
    return this.#state.stage;
  }
  get done(): boolean {
    return this.#state.at === "done";
  }
  get failed(): boolean {
    return this.#state.at === "failed";
  }
  /** Once done. It belongs to the caller, who disposes it. */
  get session(): SakeSession | undefined {
    return this.#session;
  }

  /**
   * One message of the other side in, the reply out, where there is one.
   *
   * @throws {ArgumentError} no octets · {SakeHandshakeError} refused; from now on every message is
   */
  receive(message: Uint8Array): Uint8Array | undefined {
    checkOctets("SAKE message", message);
    const before = this.#state;
    const { state, reply } = this.#step(before, message);
    this.#state = state;
    if (isFailed(state)) {
      wipe(before);
      throw new SakeHandshakeError(state.failure, state.stage);
    }
    if (isDone(state) && before.at !== "done") {
      this.#session = new SakeSession(state.keys, state);
      wipe(state);
    }
    return reply;
  }

  /** Wipes what the handshake still holds; a session it gave out lives on. */
  [Symbol.dispose](): void {
    wipe(this.#state);
    if (!this.done && !this.failed) {
      this.#state = { at: "failed", stage: this.#state.stage, failure: "synchronization-invalid" };
    }
  }
}

const isFailed = (state: PartyState): state is FailedState => state.at === "failed";
const isDone = (state: PartyState): state is DoneState => state.at === "done";

function wipe(state: PartyState): void {
  if (!("keys" in state) || !state.keys) return;
  state.keys.key.fill(0);
  state.keys.nonce.fill(0);
}
