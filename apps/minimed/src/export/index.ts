/// <reference lib="esnext.disposable" preserve="true" />
export { exportCsv } from "./csv.ts";
export { EXPORT_KINDS, type ExportEvent, type ExportKind, type ExportOptions } from "./events.ts";
export { exportJsonLines } from "./json-lines.ts";
export { EXPORT_COLUMNS, type ExportCell, type ExportColumn, type ExportRow } from "./rows.ts";
