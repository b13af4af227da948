import type { PumpLinkState } from "../live/state.ts";
import type { PumpEvent, PumpMode } from "./events.ts";

const PAIR_HINT = 'On the pump choose "pair new device", and confirm the name that it shows.';

/** Where a connector stands with its pump. */
export interface PumpStanding {
  readonly link: PumpLinkState;
  /** What to do, where it does not come about by itself. */
  readonly hint: string | undefined;
}

/** Follows a connector's events: where it stands after each of them. */
export class StandingKeeper {
  #standing: PumpStanding;
  #mode: PumpMode;
  #bonded: boolean;

  constructor({ mode, bonded, nowMs }: { mode: PumpMode; bonded: boolean; nowMs: number }) {
    this.#mode = mode;
    this.#bonded = bonded;
    this.#standing = { link: { kind: "advertising", mode, bonded, sinceMs: nowMs }, hint: undefined };
  }

  get standing(): PumpStanding {
    return this.#standing;
  }

  onEvent(event: PumpEvent): void {
    const { timeMs } = event;
    if (this.#standing.link.kind === "ended") return;
    switch (event.type) {
      case "advertising":
        this.#mode = event.mode;
        this.#bonded = event.bonded;
        this.#advertising(timeMs);
        return;
      case "connected":
        this.#set({ kind: "connecting", sinceMs: timeMs });
        return;
      case "sake":
        // The pump has begun anew on the link that there is.
        if (this.#standing.link.kind === "ready") this.#set({ kind: "connecting", sinceMs: timeMs });
        return;
      case "paired":
        this.#bonded = true;
        return;
      case "authenticated":
        this.#bonded = true;
        if (this.#mode === "pair") this.#mode = "reconnect";
        return;
      case "disconnected":
        this.#advertising(timeMs); // what comes next
        return;
      case "warning":
        if (event.hint) this.#standing = { ...this.#standing, hint: event.hint };
        return;
      default:
    }
  }

  /** A session is ready. */
  onReady(nowMs: number): void {
    this.#standing = { link: { kind: "ready", sinceMs: nowMs }, hint: undefined };
  }

  /** It waits for no pump any more. */
  onEnded(nowMs: number, reason: string): void {
    this.#set({ kind: "ended", sinceMs: nowMs, reason });
  }

  #advertising(timeMs: number): void {
    const { link, hint } = this.#standing;
    const [mode, bonded] = [this.#mode, this.#bonded];
    const isSame = link.kind === "advertising" && link.mode === mode && link.bonded === bonded;
    const own = mode === "reconnect" ? undefined : PAIR_HINT;
    this.#standing = {
      link: isSame ? link : { kind: "advertising", mode, bonded, sinceMs: timeMs },
      // What a failure before has taught stands until a session is ready.
      hint: hint === undefined || hint === PAIR_HINT ? own : hint,
    };
  }

  #set(link: PumpLinkState): void {
    this.#standing = { ...this.#standing, link };
  }
}
