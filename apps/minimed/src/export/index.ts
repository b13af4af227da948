/// <reference lib="esnext.disposable" preserve="true" />
export { exportCsv } from "./csv.ts";
export { EXPORT_KINDS, type ExportEvent, type ExportKind, type ExportOptions, exportEvents } from "./events.ts";
export { exportJsonLines } from "./json-lines.ts";
export { type LedgerProgress, type LedgerRow, type LedgerStatus, MemoryNightscoutLedger, type NightscoutLedger } from "./ledger.ts";
export type { NightscoutCollection, NightscoutRequest, SiteFacts } from "./nightscout/api.ts";
export { type DeviceStatusTimes, type NightscoutDeviceStatus, nightscoutDeviceStatus } from "./nightscout/device-status.ts";
export { type NightscoutDocuments, nightscoutDocuments } from "./nightscout/documents.ts";
export { NightscoutError, type NightscoutErrorCode, type NightscoutErrorFacts } from "./nightscout/error.ts";
export type { Fetch } from "./nightscout/http.ts";
export type { NightscoutDocument } from "./nightscout/items.ts";
export type { NightscoutDocumentOptions, NightscoutMapping } from "./nightscout/options.ts";
export type { NightscoutSiteOptions } from "./nightscout/site.ts";
export type {
  NightscoutCheck,
  NightscoutReport,
  NightscoutRunOptions,
  NightscoutUploadOptions,
  NightscoutWarning,
} from "./nightscout/upload-terms.ts";
export { NightscoutUploader } from "./nightscout/uploader.ts";
export type { NightscoutUploaderOptions } from "./nightscout/uploader-options.ts";
export { EXPORT_COLUMNS, type ExportCell, type ExportColumn, type ExportRow } from "./rows.ts";
