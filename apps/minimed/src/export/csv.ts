import type { TherapyView, TimeRange } from "../store/view.ts";
import { type ExportEvent, type ExportOptions, eventsByDay } from "./events.ts";
import { EXPORT_COLUMNS, type ExportCell, exportRow } from "./rows.ts";

/** Spreadsheets take a cell that begins so for a formula, after blanks too, and in the wide forms of East Asian text. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@|%＝＋－＠]/u;
const NEEDS_QUOTES = /[",\r\n\t;]|^\s|\s$/;
const LINE_END = "\r\n";

/**
 * All events of a range as comma separated values (RFC 4180: CRLF, quotes doubled), one row an event, with a header row first. Columns are
 * `EXPORT_COLUMNS`; what an event does not have is empty. Text that a spreadsheet would run as a formula begins with an apostrophe.
 *
 * The parts are for one file after another; each is of one day at most.
 *
 * @throws {ArgumentError} at the call · `signal.reason`
 */
export function exportCsv(view: TherapyView, range: TimeRange, options: ExportOptions = {}): AsyncGenerator<string, void> {
  return csvOf(eventsByDay("exportCsv", view, range, options));
}

async function* csvOf(days: AsyncIterable<readonly ExportEvent[]>): AsyncGenerator<string, void> {
  yield EXPORT_COLUMNS.join(",") + LINE_END;
  for await (const events of days) {
    let text = "";
    for (const event of events) {
      const row = exportRow(event);
      text += EXPORT_COLUMNS.map((column) => csvCell(row[column])).join(",") + LINE_END;
    }
    yield text;
  }
}

/** A value as a cell. Numbers stay numbers, a minus sign included; only text can be a formula. */
export function csvCell(value: ExportCell): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(text) || text !== value ? `"${text.replaceAll('"', '""')}"` : text;
}
