import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import type { Address } from "../core/address.ts";
import type { BleError } from "../core/error.ts";
import { PairingError, PairingFailedReason, PairingTimeoutError } from "./error.ts";
import { KEYPRESS_LIMIT } from "./keypress.ts";
import { step } from "./pairing.ts";
import type { SmpPdu } from "./pdus.ts";
import { askAgent } from "./questions.ts";
import { type Effect, type Explanation, fail, type Input, type Outcome, type State, type Step } from "./state.ts";
import { KEYPRESSES, type Keypress, type PairingAgent, type PairingPolicy } from "./types.ts";

/** Vol 3 Part H 3.4. */
export const SMP_TIMEOUT_MS = 30_000;

/** What is stored under an identity, for the machine's "find". */
export type Found = Omit<Extract<Input, { kind: "found" }>, "kind">;

export interface PairingRunOptions {
  readonly clock: Clock;
  readonly agent: PairingAgent;
  /** Whom the user is asked about. */
  readonly peer: Address;
  readonly policy: PairingPolicy;
  /** This side asked for it. */
  readonly wanted: boolean;
  send(pdu: SmpPdu): void;
  encrypt(state: Extract<State, { at: "encrypting" }>): void;
  find(identity: Address, irk: Uint8Array | undefined): Promise<Found>;
  /** It is over: the keys are exchanged. */
  onDone(outcome: Outcome): void;
  /** It is over; the peer has been told. */
  onFailed(error: BleError): void;
}

/** A pairing under way: carries out what the machine says, puts questions to the user, and keeps the 30 s timer. */
export class PairingRun {
  readonly policy: PairingPolicy;
  readonly wanted: boolean;
  readonly #options: PairingRunOptions;
  /** Aborts every question when the pairing ends. */
  readonly #questions = new AbortController();
  #state: State | undefined;
  #timer: Disposable | undefined;
  /** Keys of the peer's user so far. */
  #keypresses = 0;
  #isOver = false;

  constructor(options: PairingRunOptions) {
    this.#options = options;
    this.policy = options.policy;
    this.wanted = options.wanted;
  }

  get state(): State | undefined {
    return this.#state;
  }

  begin(first: Step): void {
    this.#restartTimer();
    this.#apply(first);
  }

  take(input: Input): void {
    if (this.#state) this.#apply(step(this.#state, input));
  }

  /** This side ends it: Pairing Failed goes out. */
  fail(reason: number, explanation: string | Explanation): void {
    this.#apply(fail(reason, explanation));
  }

  /** Ends without a word to anybody; aborts the questions with `reason`. */
  stop(reason?: BleError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    this.#questions.abort(reason);
  }

  #apply([state, effects]: Step): void {
    if (this.#isOver) return;
    this.#state = state;
    for (const effect of effects) {
      this.#perform(effect);
      if (this.#isOver) return; // an agent or the link ended it meanwhile
    }
    if (state.at === "failed") {
      const { cause } = state;
      const error = new PairingError(state, cause === undefined ? undefined : { cause });
      this.stop(error);
      this.#options.onFailed(error);
    } else if (state.at === "done") {
      this.stop();
      this.#options.onDone(state.outcome);
    }
  }

  #perform(effect: Effect): void {
    const { agent, clock, peer } = this.#options;
    const { signal } = this.#questions;
    switch (effect.do) {
      case "send":
        this.#restartTimer(); // reset whenever a command is queued, Vol 3 Part H 3.4
        this.#options.send(effect.pdu);
        return;
      case "encrypt":
        if (this.#state?.at === "encrypting") this.#options.encrypt(this.#state);
        return;
      case "find":
        void this.#find(effect);
        return;
      case "ask":
        askAgent(
          agent,
          clock,
          effect,
          { peer, signal },
          {
            answer: (input) => this.take(input),
            keypress: effect.question === "passkey" && effect.keypress ? (keypress) => this.#tell(keypress) : undefined,
          },
        );
        return;
      case "keypress":
        this.#onKeypress(effect.keypress);
        return;
      case "spend":
        effect.data.spend();
        return;
      case "display":
        // A number that nobody sees cannot be typed by anybody.
        try {
          if (agent.displayPasskey) agent.displayPasskey({ peer, signal, passkey: effect.passkey });
          else this.fail(PairingFailedReason.PasskeyEntryFailed, "there is nothing to show the passkey with");
        } catch (cause) {
          this.fail(PairingFailedReason.PasskeyEntryFailed, { detail: "the passkey could not be shown", cause });
        }
    }
  }

  #tell(keypress: Keypress): void {
    if (this.#isOver) return;
    this.#restartTimer();
    this.#options.send({ name: "PairingKeypressNotification", notificationType: KEYPRESSES.indexOf(keypress) });
  }

  /** Who types is there: the peer has 30 s more, though not for ever. */
  #onKeypress(keypress: Keypress): void {
    if (this.#keypresses >= KEYPRESS_LIMIT) return;
    this.#keypresses++;
    this.#restartTimer();
    const { agent, peer } = this.#options;
    const { signal } = this.#questions;
    callOut((pressed: Keypress) => agent.onKeypress?.({ peer, signal, keypress: pressed }), keypress);
  }

  async #find({ identity, irk }: Extract<Effect, { do: "find" }>): Promise<void> {
    try {
      this.take({ kind: "found", ...(await this.#options.find(identity, irk)) });
    } catch (cause) {
      this.fail(PairingFailedReason.UnspecifiedReason, { detail: "the bonds could not be looked through", cause });
    }
  }

  #restartTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#options.clock.setTimer(SMP_TIMEOUT_MS, "Security Manager timer", () => {
      const error = new PairingTimeoutError(SMP_TIMEOUT_MS);
      this.stop(error);
      this.#options.onFailed(error);
    });
  }
}
