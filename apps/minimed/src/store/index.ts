/// <reference lib="esnext.disposable" preserve="true" />
export { NO_GLUCOSE_CAUSES, type NoGlucoseCause } from "./causes.ts";
export { PumpStoreError, type PumpStoreErrorCode } from "./error.ts";
export { HistoryKeeper, type HistoryKeeperOptions, type HistoryKeeperStatus } from "./history-keeper.ts";
export { type StoredUpload, type StoredUploadProgress, StoreLedger } from "./ledger.ts";
export { defaultStorePath, type StoreSurroundings } from "./location.ts";
export { PumpHistory } from "./pump-history.ts";
export { PumpStore, type PumpStoreOptions, type StoredPump } from "./pump-store.ts";
export type { StoredRecord, StoredRecordRange } from "./stored-records.ts";
export { type SeenBounds, type SyncOptions, type SyncProgress, type SyncResult, syncHistory } from "./sync.ts";
export type { ClockMeasurement } from "./times.ts";
export type {
  AlertEvent,
  BasalChange,
  BloodGlucose,
  BolusEvent,
  ClockChange,
  EventTime,
  GlucosePoint,
  LoopTransitionEvent,
  MealEvent,
  MicroBolus,
  RecordRef,
  SensorStart,
  SequenceGap,
  StatusPoint,
  Suspension,
  TherapyView,
  TimeRange,
} from "./view.ts";
