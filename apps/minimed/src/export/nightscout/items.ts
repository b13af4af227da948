import { redactText } from "../../redact.ts";
import type { RecordRef, SequenceGap } from "../../store/view.ts";
import type { LedgerRow } from "../ledger.ts";
import { isoUtc } from "../rows.ts";
import { contentHash, identifierOfRecord, identifierOfTime } from "./identifier.ts";
import type { CheckedDocumentOptions } from "./options.ts";

/** What a document tells; the ledger keeps it with what was sent. */
export type NightscoutKind =
  | "sgv"
  | "sgv_live"
  | "mbg"
  | "range_note"
  | "range_note_live"
  | "meal_bolus"
  | "correction_bolus"
  | "combo_bolus"
  | "combo_note"
  | "carb_correction"
  | "bg_check"
  | "micro_basal"
  | "temp_basal"
  | "suspension"
  | "suspend"
  | "resume"
  | "site_change"
  | "insulin_change"
  | "sensor_start"
  | "sensor_change"
  | "battery_change"
  | "alert"
  | "loop";

/** A document as API v1 takes it. */
export type NightscoutDocument = Readonly<Record<string, string | number | boolean>>;

/** Tells what the ledger has of a document. */
export type RowOf = (identifier: string) => LedgerRow | undefined;

/** A document, and when it is to be sent. */
export interface NightscoutItem {
  readonly collection: "entries" | "treatments";
  readonly kind: NightscoutKind;
  readonly identifier: string;
  /** Of the document, to the millisecond; nothing else of this type has the same. */
  readonly atMs: number;
  readonly document: NightscoutDocument;
  readonly hash: string;
  /** "open": what belongs to it may come yet; "gap": records beside it are missing that the pump may still have. */
  readonly held: "open" | "gap" | undefined;
  /** Once acknowledged it is never sent again, whatever it would say by now: open pages of the site would not follow. */
  readonly postOnce: boolean;
  /** Without the user's doing: it waits until it is too old to snooze the site's alarms. */
  readonly isQuiet: boolean;
  /** Identifiers of which `isWanted` asks. */
  readonly related: readonly string[];
  /** Whether it is sent, by what was sent before. */
  isWanted(row: RowOf): boolean;
}

/** Where a document comes from: a record, or a moment at which something was read. */
export type Origin = { readonly ref: RecordRef } | { readonly time: string };

/** A treatment newer than this snoozes the alarms of a site for ten minutes. */
export const SNOOZE_MS = 10 * 60_000;
/** What is missing for so long does not come any more. */
const GIVE_UP_MS = 24 * 3_600_000;
/** So long it is waited for the next records of a pump: where nothing comes, what there is is told. */
const NEXT_RECORD_MS = 3_600_000;
/** Sequence numbers within which records belong together: a bolus and its meal, micro boluses one after the other. */
const BESIDE = 40;

export interface ItemExtras {
  readonly held?: "open" | "gap" | undefined;
  readonly postOnce?: boolean;
  readonly isQuiet?: boolean;
  readonly related?: readonly string[];
  readonly isWanted?: (row: RowOf) => boolean;
}

/** What documents are made with, and of. */
export class ItemMaker {
  readonly options: CheckedDocumentOptions;
  /** Up to here, as far as one can see, the history is known. */
  readonly knownUntilMs: number;
  readonly #gaps: readonly SequenceGap[];

  constructor(options: CheckedDocumentOptions, { knownUntilMs, gaps }: { knownUntilMs: number; gaps: readonly SequenceGap[] }) {
    this.options = options;
    this.knownUntilMs = knownUntilMs;
    this.#gaps = gaps.filter((gap) => !gap.gone);
  }

  /** Whether all that happened up to `ms` is known, or was waited for. */
  isSettled(ms: number): boolean {
    return this.knownUntilMs >= ms || this.options.nowMs - ms > NEXT_RECORD_MS;
  }

  isOld(ms: number): boolean {
    return this.options.nowMs - ms > GIVE_UP_MS;
  }

  /** "gap" where records beside this one may come yet. */
  gapBeside({ segment, sequenceNumber }: RecordRef, atMs: number): "gap" | undefined {
    if (this.isOld(atMs)) return undefined;
    const isBeside = this.#gaps.some(
      (gap) => gap.segment === segment && sequenceNumber >= gap.first - BESIDE && sequenceNumber <= gap.last + BESIDE,
    );
    return isBeside ? "gap" : undefined;
  }

  /** "gap" where records before this one may come yet, however far before. */
  gapBefore({ segment, sequenceNumber }: RecordRef, atMs: number): "gap" | undefined {
    if (this.isOld(atMs)) return undefined;
    return this.#gaps.some((gap) => gap.segment === segment && gap.first < sequenceNumber) ? "gap" : undefined;
  }

  identifier(origin: Origin, name: string): string {
    return "ref" in origin ? identifierOfRecord(origin.ref, name) : identifierOfTime(this.options.pump, origin.time, name);
  }

  /** @param mgdl a whole number */
  entry(
    origin: Origin,
    at: { readonly kind: "sgv" | "sgv_live" | "mbg"; readonly atMs: number },
    fields: NightscoutDocument,
  ): NightscoutItem {
    const type = at.kind === "mbg" ? "mbg" : "sgv";
    const identifier = this.identifier(origin, type);
    const date = Math.round(at.atMs);
    const document = {
      type,
      date,
      dateString: isoUtc(date),
      ...fields,
      device: this.options.device,
      identifier,
      syncIdentifier: identifier,
    };
    return this.#item("entries", at.kind, { identifier, atMs: date, document });
  }

  /**
   * @param name tells the documents of one record apart
   * @param atMs to the millisecond, by `stamp` or `endStamp`
   */
  treatment(
    origin: Origin,
    at: { readonly kind: NightscoutKind; readonly name: string; readonly atMs: number; readonly eventType: string },
    fields: Readonly<Record<string, string | number | boolean | undefined>>,
    extras: ItemExtras = {},
  ): NightscoutItem {
    const identifier = this.identifier(origin, at.name);
    const document: Record<string, string | number | boolean> = { eventType: at.eventType, created_at: isoUtc(at.atMs) };
    for (const [name, value] of Object.entries(fields)) if (value !== undefined && value !== "") document[name] = value;
    Object.assign(document, {
      enteredBy: this.options.enteredBy,
      device: this.options.device,
      identifier,
      syncIdentifier: identifier,
    });
    return this.#item("treatments", at.kind, { identifier, atMs: at.atMs, document }, extras);
  }

  #item(
    collection: "entries" | "treatments",
    kind: NightscoutKind,
    content: { identifier: string; atMs: number; document: NightscoutDocument },
    { held, postOnce = false, isQuiet = false, related = [], isWanted = () => true }: ItemExtras = {},
  ): NightscoutItem {
    return { collection, kind, ...content, hash: contentHash(content.document), held, postOnce, isQuiet, related, isWanted };
  }
}

/**
 * The time of a document: the event's second, with milliseconds of its record. Servers before 15.0.7 know a treatment by its time and type alone,
 * and show only one of two basal rates of one millisecond. Never the first millisecond of the second, which is for what ends.
 */
export function stamp(ref: RecordRef, atMs: number): number {
  return secondOf(atMs) + 1 + (ref.sequenceNumber % 999);
}

/** The time of what ends something: before everything that begins in the same second. */
export function secondOf(atMs: number): number {
  return Math.floor(atMs / 1000) * 1000;
}

/** Text for notes: the site takes markup out of it, and may write these three differently. */
export function plainText(text: string): string {
  return redactText(text).replace(/[<>&]/g, " ").replaceAll("_", " ").replace(/\s+/g, " ").trim();
}

/** Minutes, exact to 6 ms, never more than the time itself. */
export function minutesOf(ms: number): number {
  return Math.floor(ms / 6) / 10_000;
}

/** IU and IU/h, without what binary fractions add. */
export function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
