import type { PagePoint } from "../../src/web/page-data.ts";
import { isShown } from "./chart/stretches.ts";
import { memory, RANGES, type Range, type Shown, type Store, type Theme, unitOf } from "./store.ts";
import { HOUR } from "./times.ts";

const THEMES: readonly Theme[] = ["auto", "light", "dark"];

/** Everything that a user can do here. All of it is looking. */
export class Actions {
  readonly #store: Store;
  readonly #refresh: (isForced: boolean) => void;
  readonly #now: () => number;

  constructor(store: Store, refresh: (isForced: boolean) => void, now: () => number) {
    this.#store = store;
    this.#refresh = refresh;
    this.#now = now;
  }

  choose(range: Range, endMs?: number): void {
    memory.set("range", range.key);
    this.#store.set({ range, endMs, cursorMs: undefined });
    this.#refresh(true);
  }

  /** By whole spans, never into the future. */
  page(by: -1 | 1): void {
    const { range, endMs } = this.#store.shown;
    if (range.isWeeks) return;
    const next = (endMs ?? this.#now()) + by * range.spanMs;
    this.#store.set({ endMs: next >= this.#now() ? undefined : next, cursorMs: undefined });
    this.#refresh(true);
  }

  toNow(): void {
    this.#store.set({ endMs: undefined, cursorMs: undefined });
    this.#refresh(true);
  }

  switchUnit(): void {
    const unit = unitOf(this.#store.shown) === "mg/dL" ? "mmol/L" : "mg/dL";
    memory.set("unit", unit);
    this.#store.set({ chosenUnit: unit });
  }

  switchTheme(): void {
    const theme = THEMES[(THEMES.indexOf(this.#store.shown.theme) + 1) % THEMES.length]!;
    memory.set("theme", theme);
    this.#store.set({ theme });
  }

  showHelp(showsHelp: boolean): void {
    this.#store.set({ showsHelp });
  }

  showTable(showsTable: boolean): void {
    this.#store.set({ showsTable });
  }

  setCursor(cursorMs: number | undefined): void {
    if (cursorMs !== this.#store.shown.cursorMs) this.#store.set({ cursorMs });
  }

  /** To a reading beside the one under the cursor, or about an hour away. */
  moveCursor(by: -1 | 1, isHour = false): void {
    const points = shownPoints(this.#store.shown, this.#now());
    const at = points.findIndex(([atMs]) => atMs === this.#store.shown.cursorMs);
    if (at < 0 || !isHour) {
      const next = at < 0 ? points.length - 1 : Math.max(0, Math.min(points.length - 1, at + by));
      this.setCursor(points[next]?.[0]);
      return;
    }
    const target = points[at]![0] + by * HOUR;
    const found =
      by > 0 ? (points.find(([atMs]) => atMs >= target) ?? points.at(-1)) : (points.findLast(([atMs]) => atMs <= target) ?? points[0]);
    this.setCursor(found?.[0]);
  }

  moveCursorToEnd(by: -1 | 1): void {
    const points = shownPoints(this.#store.shown, this.#now());
    this.setCursor((by < 0 ? points[0] : points.at(-1))?.[0]);
  }

  /** @returns whether the key means something here */
  onKey(key: string, isShift: boolean): boolean {
    const { shown } = this.#store;
    const range = RANGES.find((each) => each.key === key);
    if (range) {
      this.choose(range);
      return true;
    }
    switch (key) {
      case "ArrowLeft":
      case "ArrowRight":
        if (shown.range.isWeeks) return false;
        this.moveCursor(key === "ArrowLeft" ? -1 : 1, isShift);
        return true;
      case "Home":
      case "End":
        if (shown.range.isWeeks || shown.cursorMs === undefined) return false;
        this.moveCursorToEnd(key === "Home" ? -1 : 1);
        return true;
      case "[":
      case "]":
        this.page(key === "[" ? -1 : 1);
        return true;
      case "n":
        this.toNow();
        return true;
      case "u":
        this.switchUnit();
        return true;
      case "d":
        this.switchTheme();
        return true;
      case "t":
        this.showTable(!shown.showsTable);
        return true;
      case "?":
        this.showHelp(!shown.showsHelp);
        return true;
      case "Escape":
        if (shown.showsHelp) this.showHelp(false);
        else this.setCursor(undefined);
        return true;
      default:
        return false;
    }
  }
}

/** The span that the curve shows. */
export function spanOf({ range, endMs }: Shown, nowMs: number): { fromMs: number; toMs: number } {
  const toMs = endMs ?? nowMs;
  return { fromMs: toMs - range.spanMs, toMs };
}

/** What a cursor can stand on. */
export function shownPoints(shown: Shown, nowMs: number): readonly PagePoint[] {
  const { fromMs, toMs } = spanOf(shown, nowMs);
  return (shown.view?.glucose ?? []).filter((point) => point[0] >= fromMs && point[0] <= toMs + HOUR && isShown(point));
}
