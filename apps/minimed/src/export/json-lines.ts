import type { TherapyView, TimeRange } from "../store/view.ts";
import { type ExportEvent, type ExportOptions, eventsByDay } from "./events.ts";
import { EXPORT_COLUMNS, exportRow } from "./rows.ts";

/**
 * All events of a range as JSON lines: an object an event, with the names of `EXPORT_COLUMNS` in their order; what an event does not have is
 * left out. The parts are for one file after another; each is of one day at most.
 *
 * @throws {ArgumentError} at the call · `signal.reason`
 */
export function exportJsonLines(view: TherapyView, range: TimeRange, options: ExportOptions = {}): AsyncGenerator<string, void> {
  return linesOf(eventsByDay("exportJsonLines", view, range, options));
}

async function* linesOf(days: AsyncIterable<readonly ExportEvent[]>): AsyncGenerator<string, void> {
  for await (const events of days) {
    let text = "";
    for (const event of events) text += `${JSON.stringify(exportRow(event), EXPORT_COLUMNS as unknown as string[])}\n`;
    yield text;
  }
}
