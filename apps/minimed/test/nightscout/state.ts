import { violationsOf } from "../nightscout-rules.ts";
import type { Document } from "./http.ts";

export const COLLECTIONS = ["devicestatus", "entries", "food", "profile", "settings", "treatments"] as const;

export interface StateOptions {
  /** The site's clock, UTC in ms. */
  readonly now: () => number;
  /** What the real server swallows is kept as a violation. */
  readonly isStrict: boolean;
  readonly nocturne: boolean;
  readonly careportal: boolean;
  /** Text that may be in no document. */
  readonly forbidden: readonly string[];
}

/** What the site holds. */
export class ServerState {
  readonly options: StateOptions;
  readonly violations: string[] = [];
  /** The next v1 batch fails after so many documents. */
  failAfter: number | undefined;
  readonly #collections = new Map<string, Document[]>(COLLECTIONS.map((name) => [name, []]));
  #ids = 0;

  constructor(options: StateOptions) {
    this.options = options;
  }

  siteNow(): number {
    return this.options.now();
  }

  all(collection: string): readonly Document[] {
    return this.#collections.get(collection) ?? [];
  }

  /** What is shown: without the deleted ones of v3. */
  alive(collection: string): Document[] {
    return this.all(collection).filter(({ isValid }) => isValid !== false);
  }

  insert(collection: string, document: Document): Document {
    const stored = { ...document, _id: document._id ?? (++this.#ids).toString(16).padStart(24, "0") };
    this.#collections.get(collection)!.push(stored);
    return stored;
  }

  replace(collection: string, old: Document, document: Document): void {
    const documents = this.#collections.get(collection)!;
    documents[documents.indexOf(old)] = document;
  }

  remove(collection: string, gone: readonly Document[]): void {
    this.#collections.set(
      collection,
      this.all(collection).filter((document) => !gone.includes(document)),
    );
  }

  /** As one who tidies up: what is older than a moment is gone. */
  forget(beforeMs: number): void {
    for (const [collection, documents] of this.#collections)
      this.#collections.set(
        collection,
        documents.filter(({ date, created_at: at }) => (typeof date === "number" ? date : Date.parse(String(at))) >= beforeMs),
      );
  }

  check(collection: string, document: Document): void {
    const { forbidden, nocturne } = this.options;
    this.violations.push(...violationsOf(collection, document, { nowMs: this.siteNow(), forbidden, nocturne }));
    if (collection !== "devicestatus") return;
    const { created_at: at, device } = document;
    const isEqual = this.all("devicestatus").some(
      (other) =>
        other.device === device &&
        JSON.stringify(other.pump) === JSON.stringify(document.pump) &&
        Math.abs(Date.parse(String(other.created_at)) - Date.parse(String(at))) < 60_000,
    );
    if (isEqual) this.violations.push("devicestatus: an equal one within 60 s");
  }
}
