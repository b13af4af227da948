import { useEffect, useState } from "preact/hooks";
import type { PageState, PageSummary, PageView } from "../../src/web/page-data.ts";
import { DAY, HOUR } from "./times.ts";
import type { Unit } from "./words.ts";

export interface Range {
  readonly key: string;
  readonly text: string;
  readonly spanMs: number;
  /** Weeks show what days have in common; hours show what happened. */
  readonly isWeeks: boolean;
}

export const RANGES: readonly Range[] = [
  { key: "1", text: "3 h", spanMs: 3 * HOUR, isWeeks: false },
  { key: "2", text: "6 h", spanMs: 6 * HOUR, isWeeks: false },
  { key: "3", text: "12 h", spanMs: 12 * HOUR, isWeeks: false },
  { key: "4", text: "24 h", spanMs: DAY, isWeeks: false },
  { key: "5", text: "2 weeks", spanMs: 14 * DAY, isWeeks: true },
  { key: "6", text: "4 weeks", spanMs: 28 * DAY, isWeeks: true },
  { key: "7", text: "12 weeks", spanMs: 84 * DAY, isWeeks: true },
];

export type Theme = "auto" | "light" | "dark";

/** Whether this page is let in, and whether the program answers. */
export type Contact =
  | { readonly kind: "opening" }
  | { readonly kind: "open" }
  | { readonly kind: "lost"; readonly sinceMs: number }
  | { readonly kind: "refused" };

export interface Shown {
  readonly contact: Contact;
  readonly state: PageState | undefined;
  readonly view: PageView | undefined;
  readonly summary: PageSummary | undefined;
  /** What the program said when it was asked for the history. */
  readonly viewProblem: string | undefined;
  readonly range: Range;
  /** Where the curve ends; undefined: at the present. */
  readonly endMs: number | undefined;
  /** undefined: as the pump's display has it. */
  readonly chosenUnit: Unit | undefined;
  readonly theme: Theme;
  /** The moment of the reading under the cursor. */
  readonly cursorMs: number | undefined;
  readonly showsTable: boolean;
  readonly showsHelp: boolean;
  /** Counts seconds: what shows an age is drawn anew with it. */
  readonly tick: number;
}

type Listener = () => void;

export class Store {
  shown: Shown;
  readonly #listeners = new Set<Listener>();

  constructor(initial: Shown) {
    this.shown = initial;
  }

  set(change: Partial<Shown>): void {
    this.shown = { ...this.shown, ...change };
    for (const listener of this.#listeners) listener();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function useStore(store: Store): Shown {
  const [shown, setShown] = useState(store.shown);
  useEffect(() => {
    setShown(store.shown);
    return store.listen(() => setShown(store.shown));
  }, [store]);
  return shown;
}

export function unitOf({ chosenUnit, state }: Shown): Unit {
  return chosenUnit ?? (state?.displaysMgdl === false ? "mmol/L" : "mg/dL");
}

/** What this browser remembers. A browser may keep nothing: then it is chosen anew each time. */
export const memory = {
  get(name: string): string | undefined {
    try {
      return localStorage.getItem(name) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(name: string, value: string): void {
    try {
      localStorage.setItem(name, value);
    } catch {
      // nothing to be done, and nothing lost
    }
  },
};

export function initialShown(): Shown {
  const [unit, theme, range] = [memory.get("unit"), memory.get("theme"), memory.get("range")];
  return {
    contact: { kind: "opening" },
    state: undefined,
    view: undefined,
    summary: undefined,
    viewProblem: undefined,
    range: RANGES.find(({ key }) => key === range) ?? RANGES[1]!,
    endMs: undefined,
    chosenUnit: unit === "mg/dL" || unit === "mmol/L" ? unit : undefined,
    theme: theme === "light" || theme === "dark" ? theme : "auto",
    cursorMs: undefined,
    showsTable: false,
    showsHelp: false,
    tick: 0,
  };
}
