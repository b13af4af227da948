import type { PageView } from "../../src/web/page-data.ts";

export const MIN = 60_000;
export const HOUR = 60 * MIN;
export const DAY = 24 * HOUR;

/** Turns moments into what the pump's display showed. Its clock may have been set in between. */
export class PumpTimes {
  readonly #offsets: PageView["offsets"];
  readonly #fallbackMs: number;
  readonly #hours24: boolean;
  readonly #isNowKnown: boolean;

  /** @param nowOffsetMs how far the pump's display is ahead of UTC now; null: it is not known, and this computer's stands in */
  constructor(offsets: PageView["offsets"], nowOffsetMs: number | null, hours24: boolean) {
    this.#offsets = offsets;
    this.#fallbackMs = nowOffsetMs ?? computerOffsetMs(Date.now());
    this.#hours24 = hours24;
    this.#isNowKnown = nowOffsetMs !== null;
  }

  /** Whether any of it is the pump's. */
  get isKnown(): boolean {
    return this.#isNowKnown || this.#offsets.length > 0;
  }

  offsetAt(atMs: number): number {
    let offsetMs: number | undefined;
    for (const change of this.#offsets) {
      if (change.fromMs > atMs && offsetMs !== undefined) break;
      offsetMs = change.offsetMs;
    }
    return offsetMs ?? this.#fallbackMs;
  }

  /** Minutes since the pump's midnight. */
  minuteOfDay(atMs: number): number {
    return mod(atMs + this.offsetAt(atMs), DAY) / MIN;
  }

  /** "14:35", or "2:35 PM" where the pump counts so. */
  clock(atMs: number): string {
    return clockText(this.minuteOfDay(atMs), this.#hours24);
  }

  /** "Mon 3 Mar". */
  day(atMs: number): string {
    return dayText(atMs + this.offsetAt(atMs));
  }

  /** "14:35", with the day where it is another than that of `nowMs`. */
  clockAndDay(atMs: number, nowMs: number): string {
    const isSameDay = Math.floor((atMs + this.offsetAt(atMs)) / DAY) === Math.floor((nowMs + this.offsetAt(nowMs)) / DAY);
    return isSameDay ? this.clock(atMs) : `${this.day(atMs)}, ${this.clock(atMs)}`;
  }

  /** Moments of a span at which the pump's clock showed a multiple of `stepMs`. */
  marks(fromMs: number, toMs: number, stepMs: number): number[] {
    const marks: number[] = [];
    const starts = [fromMs, ...this.#offsets.map((change) => change.fromMs).filter((ms) => ms > fromMs && ms < toMs), toMs];
    for (let i = 0; i + 1 < starts.length; i++) {
      const [begin, end] = [starts[i]!, starts[i + 1]!];
      const offset = this.offsetAt(begin);
      for (let at = Math.ceil((begin + offset) / stepMs) * stepMs - offset; at < end; at += stepMs) marks.push(at);
    }
    return marks;
  }
}

export function clockText(minuteOfDay: number, hours24: boolean): string {
  const hour = Math.floor(minuteOfDay / 60) % 24;
  const minute = String(Math.floor(minuteOfDay % 60)).padStart(2, "0");
  if (hours24) return `${String(hour).padStart(2, "0")}:${minute}`;
  return `${hour % 12 || 12}:${minute} ${hour < 12 ? "AM" : "PM"}`;
}

const DAYS = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
export function dayText(wallMs: number): string {
  return DAYS.format(wallMs).replace(",", "");
}

/** "less than a minute", "23 min", "2 h 5 min", "3 d 4 h". */
export function spanText(ms: number): string {
  const minutes = Math.floor(ms / MIN);
  if (minutes < 1) return "less than a minute";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

export function agoText(ms: number): string {
  return ms < MIN ? "now" : `${spanText(ms)} ago`;
}

/** How far this computer's wall clock is ahead of UTC at a moment. */
export function computerOffsetMs(atMs: number): number {
  return -new Date(atMs).getTimezoneOffset() * MIN;
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
