import type { TherapyView, TimeRange } from "../../store/view.ts";
import { checkRange } from "../events.ts";
import { microBolusItems, suspensionItems, temporaryBasalItems } from "./basal.ts";
import { bolusItems } from "./boluses.ts";
import { fingerstickItems, glucoseItems } from "./entries.ts";
import { ItemMaker, type NightscoutDocument, type NightscoutItem } from "./items.ts";
import { alertItems, loopItems, sensorItems, siteChangeItems } from "./marks.ts";
import { type CheckedDocumentOptions, checkDocumentOptions, type NightscoutDocumentOptions } from "./options.ts";

export interface NightscoutDocuments {
  /** Of glucose, ascending by time. */
  readonly entries: readonly NightscoutDocument[];
  readonly treatments: readonly NightscoutDocument[];
}

/**
 * What a view tells of a range, as Nightscout documents of API v1. The same record gives the same document, to the millisecond, whatever the range;
 * so sending it again changes nothing. What may change yet is left out: a bolus under way, a dose of the closed loop whose time is not over,
 * events beside records that were not read yet.
 *
 * @throws {ArgumentError}
 */
export function nightscoutDocuments(view: TherapyView, range: TimeRange, options: NightscoutDocumentOptions): NightscoutDocuments {
  checkRange("nightscoutDocuments", range);
  const items = nightscoutItems(view, range, checkDocumentOptions("nightscoutDocuments", options));
  const sent = items.filter(({ held, isWanted }) => held === undefined && isWanted(() => undefined));
  const of = (collection: string): NightscoutDocument[] =>
    sent.filter((item) => item.collection === collection).map((item) => item.document);
  return { entries: of("entries"), treatments: of("treatments") };
}

/** The same with what an uploader has to know of each; ascending by time. */
export function nightscoutItems(view: TherapyView, range: TimeRange, options: CheckedDocumentOptions): NightscoutItem[] {
  const maker = new ItemMaker(options, { knownUntilMs: knownUntil(view, range), gaps: view.gaps() });
  const items = [
    glucoseItems,
    fingerstickItems,
    bolusItems,
    microBolusItems,
    temporaryBasalItems,
    suspensionItems,
    alertItems,
    loopItems,
    siteChangeItems,
    sensorItems,
  ].flatMap((itemsOf) => itemsOf(maker, view, range));
  return items.sort((a, b) => a.atMs - b.atMs);
}

const LOOK_AHEAD_MS = 2 * 3_600_000;

/** When the newest record was made that is known about the end of a range; live readings say nothing about records. */
function knownUntil(view: TherapyView, { fromMs, toMs }: TimeRange): number {
  const range = { fromMs, toMs: toMs + LOOK_AHEAD_MS };
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const events of [view.glucose(range), view.microBoluses(range), view.basal(range), view.boluses(range), view.meals(range)])
    for (const { ref, atMs } of events) if (ref) newestMs = Math.max(newestMs, atMs);
  return newestMs;
}
