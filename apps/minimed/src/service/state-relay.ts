import { type Clock, callOut } from "jelling/async";
import { checkFunction } from "jelling/core";
import { olderBy, sleptMs } from "../live/sleep.ts";
import type { PumpLinkState, PumpState, WallClock } from "../live/state.ts";
import type { PumpStates } from "../mqtt/options.ts";

/** The state of the pump for as long as the service lives, whichever monitor tells it; values stay, with their age, when the monitor goes. */
export class StateRelay implements PumpStates {
  readonly #clock: Clock;
  readonly #wallClock: WallClock;
  readonly #listeners = new Set<(state: PumpState) => void>();
  /** What an earlier monitor left. */
  #kept: Pick<PumpState, "values" | "heardAtMs"> = { values: {}, heardAtMs: undefined };
  #state!: PumpState;

  constructor(clock: Clock, wallClock: WallClock) {
    this.#clock = clock;
    this.#wallClock = wallClock;
    this.#state = this.#down("it has not begun yet", undefined);
  }

  get state(): PumpState {
    return this.#state;
  }

  on(listener: (state: PumpState) => void): Disposable {
    checkFunction("on", listener ?? null);
    const entry = (state: PumpState): void => listener(state);
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) };
  }

  /** What a monitor tells. */
  update(state: PumpState): void {
    const [earlier, now] = [this.#kept.values.information?.value?.serial, state.values.information?.value?.serial];
    // Another pump's values are not this one's.
    if (earlier !== undefined && now !== undefined && earlier !== now) this.#kept = { values: {}, heardAtMs: undefined };
    this.#noticeSleep(state.epochMs);
    this.#tell({ ...state, heardAtMs: state.heardAtMs ?? this.#kept.heardAtMs, values: { ...this.#kept.values, ...state.values } });
  }

  /** There is no monitor. */
  down(reason: string, hint: string | undefined): void {
    this.#kept = { values: this.#state.values, heardAtMs: this.#state.heardAtMs };
    this.#tell(this.#down(reason, hint, this.#state.link));
  }

  /** What was kept is as much older as the computer has slept since. */
  #noticeSleep(epochMs: number): void {
    const forMs = sleptMs(this.#state.epochMs, epochMs);
    const { values, heardAtMs } = this.#kept;
    if (forMs > 0) this.#kept = { values: olderBy(values, forMs), heardAtMs: heardAtMs === undefined ? undefined : heardAtMs - forMs };
  }

  #down(reason: string, hint: string | undefined, earlier?: PumpLinkState): PumpState {
    const nowMs = this.#clock.now();
    const epochMs = this.#wallClock() - nowMs;
    if (this.#state) this.#noticeSleep(epochMs);
    // Attempts that came to nothing do not make it shorter.
    const sinceMs = earlier?.kind === "ended" ? earlier.sinceMs - Math.max(0, sleptMs(this.#state.epochMs, epochMs)) : nowMs;
    return {
      epochMs,
      link: { kind: "ended", sinceMs, reason },
      heardAtMs: this.#kept.heardAtMs,
      hint,
      values: this.#kept.values,
    };
  }

  #tell(state: PumpState): void {
    this.#state = Object.freeze(state);
    for (const listener of [...this.#listeners]) callOut(listener, this.#state);
  }
}
