import type { BasalChange, MicroBolus, RecordRef, TherapyView, TimeRange } from "../../store/view.ts";
import { type ItemMaker, minutesOf, type NightscoutItem, plainText, rounded, secondOf, stamp } from "./items.ts";

const MINUTE_MS = 60_000;
/** Pieces begin anew at each half hour of UTC, so that they come out the same wherever one begins to look. */
const BLOCK_MS = 30 * MINUTE_MS;
const USUAL_INTERVAL_MS = 5 * MINUTE_MS;
const LONGEST_INTERVAL_MS = 7.5 * MINUTE_MS;
/** What has no end yet is told of for so long at a time. */
const OPEN_PIECE_MS = 30 * MINUTE_MS;
const DAY_MS = 86_400_000;
/** The pump allows a temporary basal rate of 24 hours. */
const LONGEST_TEMPORARY_MS = DAY_MS;
/** A stop that lasts longer than this is told of when it began, and when it ends. */
const LONGEST_STOP_MS = 7 * DAY_MS;
const TEMP_BASAL = "Temp Basal";

/** One dose of the closed loop, and the time that it stands for. */
interface Dose {
  readonly bolus: MicroBolus;
  readonly startMs: number;
  readonly endMs: number;
  /** The next one begins where it ends. */
  readonly isFollowed: boolean;
}

/** What the closed loop gave, as temporary basal rates: never as boluses, which would keep the site's alarms asleep. */
export function microBolusItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const mode = maker.options.microBoluses;
  if (mode === "none") return [];
  const fromMs = Math.floor(range.fromMs / BLOCK_MS) * BLOCK_MS - BLOCK_MS;
  const around = { fromMs, toMs: range.toMs + BLOCK_MS + LONGEST_INTERVAL_MS };
  const temporary = view.basal(around).filter(({ source }) => source === "temporary");
  const doses = dosesOf(view.microBoluses(around), [...view.suspensions(around), ...temporary]);
  const pieces: Dose[][] = [];
  for (const dose of doses) {
    const piece = pieces.at(-1);
    if (mode === "merged" && piece && isSamePiece(piece, dose)) piece.push(dose);
    else pieces.push([dose]);
  }
  return pieces
    .filter(([first]) => first!.bolus.atMs >= range.fromMs && first!.bolus.atMs < range.toMs)
    .map((piece) => microBasal(maker, piece));
}

function dosesOf(boluses: readonly MicroBolus[], cuts: readonly { readonly atMs: number; readonly ref: RecordRef }[]): Dose[] {
  return boluses.map((bolus, i) => {
    const startMs = stamp(bolus.ref, bolus.atMs);
    const next = boluses[i + 1];
    const nextMs = next && stamp(next.ref, next.atMs);
    const isFollowed = nextMs !== undefined && nextMs > startMs && nextMs - startMs <= LONGEST_INTERVAL_MS;
    const endMs = isFollowed ? nextMs : startMs + USUAL_INTERVAL_MS;
    const cutMs = Math.min(...cuts.map(({ ref, atMs }) => stamp(ref, atMs)).filter((ms) => ms > startMs && ms < endMs));
    return { bolus, startMs, endMs: Math.min(endMs, cutMs), isFollowed: isFollowed && cutMs >= endMs };
  });
}

function isSamePiece(piece: readonly Dose[], { bolus }: Dose): boolean {
  const first = piece[0]!.bolus;
  return (
    piece.at(-1)!.isFollowed && first.amountIu === bolus.amountIu && Math.floor(first.atMs / BLOCK_MS) === Math.floor(bolus.atMs / BLOCK_MS)
  );
}

function microBasal(maker: ItemMaker, piece: readonly Dose[]): NightscoutItem {
  const { bolus, startMs } = piece[0]!;
  const last = piece.at(-1)!;
  const isOpen = !last.isFollowed && !maker.isSettled(last.bolus.atMs + LONGEST_INTERVAL_MS);
  const duration = minutesOf(last.endMs - startMs);
  const totalIu = piece.reduce((sum, { bolus: { amountIu } }) => sum + amountIu, 0);
  return maker.treatment(
    { ref: bolus.ref },
    { kind: "micro_basal", name: "micro", atMs: startMs, eventType: TEMP_BASAL },
    { duration, absolute: rounded((totalIu * 60) / duration), automatic: true },
    { held: maker.gapBeside(bolus.ref, bolus.atMs) ?? (isOpen ? "open" : undefined), isQuiet: true },
  );
}

/** Something with a rate that began at a record and lasts until something ends it. */
interface Span {
  readonly kind: "temp_basal" | "suspension";
  readonly ref: RecordRef;
  readonly atMs: number;
  /** undefined: it lasts, as far as the history goes. */
  readonly endedAtMs: number | undefined;
  /** IU/h. */
  readonly rate: number;
  readonly notes?: string | undefined;
}

/**
 * A span as documents. One that has ended is one document with its true duration. One that lasts is told of in pieces of half an hour, which are
 * never written anew, since open pages of the site would keep the old ones; when it ends, and a piece that was sent is longer than it was,
 * a document with duration 0 ends it.
 */
function spanItems(maker: ItemMaker, span: Span, range: TimeRange): NightscoutItem[] {
  const startMs = stamp(span.ref, span.atMs);
  const endMs = span.endedAtMs === undefined ? undefined : secondOf(span.endedAtMs);
  if (endMs !== undefined && endMs <= startMs) return [];
  const origin = { ref: span.ref };
  const piece = (k: number, durationMs: number, isWanted: NightscoutItem["isWanted"], related: readonly string[]): NightscoutItem =>
    maker.treatment(
      origin,
      { kind: span.kind, name: `${span.kind}/${k}`, atMs: startMs + k * OPEN_PIECE_MS, eventType: TEMP_BASAL },
      { duration: minutesOf(durationMs), absolute: rounded(span.rate), notes: span.notes },
      { isQuiet: true, postOnce: true, related, isWanted },
    );
  const always = (): boolean => true;
  const first = piece(0, OPEN_PIECE_MS, always, []);
  const items: NightscoutItem[] = [];
  // While it lasts nothing is claimed beyond what is known of the pump.
  const lastKnownMs = endMs ?? Math.min(maker.options.nowMs, maker.knownUntilMs);
  const isInPieces: NightscoutItem["isWanted"] = (row) => row(first.identifier)?.hash === first.hash;
  if (endMs !== undefined) items.push(piece(0, endMs - startMs, (row) => !isInPieces(row), [first.identifier]));
  for (let k = 0; k === 0 || startMs + k * OPEN_PIECE_MS < lastKnownMs; k++) {
    const durationMs = Math.min(OPEN_PIECE_MS, (endMs ?? Number.POSITIVE_INFINITY) - startMs - k * OPEN_PIECE_MS);
    items.push(endMs === undefined ? piece(k, durationMs, always, []) : piece(k, durationMs, isInPieces, [first.identifier]));
  }
  if (endMs !== undefined) {
    const k = Math.ceil((endMs - startMs) / OPEN_PIECE_MS) - 1;
    const asSent = piece(k, OPEN_PIECE_MS, always, []);
    const asIs = piece(k, endMs - startMs - k * OPEN_PIECE_MS, always, []);
    if (asSent.hash !== asIs.hash)
      items.push(
        maker.treatment(
          origin,
          { kind: span.kind, name: `${span.kind}/end`, atMs: endMs, eventType: TEMP_BASAL },
          { duration: 0, notes: span.notes },
          {
            isQuiet: true,
            related: [asSent.identifier],
            isWanted: (row) => row(asSent.identifier)?.status === "acknowledged" && row(asSent.identifier)?.hash === asSent.hash,
          },
        ),
      );
  }
  return items.filter(({ atMs }) => secondOf(atMs) >= secondOf(range.fromMs) && secondOf(atMs) < secondOf(range.toMs));
}

/** Stops of delivery: a rate of 0. */
export function suspensionItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const items: NightscoutItem[] = [];
  for (const stop of view.suspensions({ fromMs: range.fromMs - LONGEST_STOP_MS, toMs: range.toMs })) {
    const { ref, atMs, endedAtMs } = stop;
    const notes = plainText(stop.reason);
    items.push(...spanItems(maker, { kind: "suspension", ref, atMs, endedAtMs, rate: 0, notes }, range));
    if (!maker.options.nocturne) continue;
    if (atMs >= range.fromMs && atMs < range.toMs)
      items.push(
        maker.treatment(
          { ref },
          { kind: "suspend", name: "suspend", atMs: stamp(ref, atMs), eventType: "Suspend Pump" },
          { notes },
          { isQuiet: true },
        ),
      );
    if (endedAtMs !== undefined && endedAtMs >= range.fromMs && endedAtMs < range.toMs)
      items.push(
        maker.treatment(
          { ref },
          { kind: "resume", name: "resume", atMs: stamp(ref, endedAtMs), eventType: "Resume Pump" },
          { notes: plainText(stop.endReason ?? "") },
          { isQuiet: true },
        ),
      );
  }
  return items;
}

/** Temporary basal rates. The scheduled ones are the profile's, and need no document. */
export function temporaryBasalItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const earliestMs = range.fromMs - LONGEST_TEMPORARY_MS - DAY_MS / 12;
  const changes = view.basal({ fromMs: earliestMs - LONGEST_TEMPORARY_MS, toMs: range.toMs + LONGEST_TEMPORARY_MS });
  return temporarySpans(changes)
    .filter(({ atMs }) => atMs >= earliestMs && atMs < range.toMs)
    .flatMap((span) => spanItems(maker, span, range));
}

function temporarySpans(changes: readonly BasalChange[]): Span[] {
  const spans: Span[] = [];
  let running: BasalChange | undefined;
  const end = (endedAtMs: number | undefined): void => {
    if (running) spans.push({ kind: "temp_basal", ref: running.ref, atMs: running.atMs, endedAtMs, rate: running.rate });
    running = undefined;
  };
  for (const change of changes) {
    // The hourly snapshot of the pump says it again, and that the pump delivers that much says nothing new.
    const isSame = running?.rate === change.rate && change.source !== "context";
    if (isSame) continue;
    end(change.atMs);
    if (change.source === "temporary") running = change;
  }
  end(undefined);
  return spans;
}
