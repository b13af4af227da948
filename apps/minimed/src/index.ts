/// <reference lib="esnext.disposable" preserve="true" />

export { decodeNextCalibration, decodeSensorExpiration, type NextCalibration } from "./cgm/vendor.ts";
export {
  type AdvertisingForm,
  type CareLinkAdvertisement,
  careLinkAdvertisement,
  isMobileName,
  pairAdvertisement,
  reconnectAdvertisement,
} from "./connector/advertising.ts";
export { redactPumpCapture } from "./connector/capture.ts";
export { describePumpEvent, type PumpEvent, type PumpMode } from "./connector/events.ts";
export { DEFAULT_MOBILE_NAME, type PumpConnectorOptions } from "./connector/options.ts";
export type { PhoneInformation } from "./connector/phone-database.ts";
export { PumpConnector, type ReadySession } from "./connector/pump-connector.ts";
export type { PumpInformation, PumpSession, PumpSnapshot, SensorSession } from "./connector/pump-session.ts";
export type { BolusUnderWay, CounterSelection, CounterType, InsulinAmounts } from "./connector/readers/delivery.ts";
export type { PumpDetails } from "./connector/readers/device.ts";
export type { AlertLevels, ReadingRange, SensorCalibration, SessionStart } from "./connector/readers/glucose.ts";
export type { VendorValue, VendorValueName } from "./connector/readers/vendor.ts";
export {
  ageMs,
  formatGlucose,
  type GlucoseReading,
  isStale,
  type LatestGlucose,
  type NoGlucoseValue,
  type NoSensor,
  STALE_AFTER_MS,
} from "./connector/reading.ts";
export { type RunPumpConnectorOptions, runPumpConnector } from "./connector/run.ts";
export type { PumpSnapshotProblems } from "./connector/snapshot.ts";
export type { PumpStanding } from "./connector/standing.ts";
export { addSeconds, formatLocal, type LocalDateTime } from "./data/date-time.ts";
export { PumpDataError, type PumpDataProblem } from "./data/error.ts";
export { formatTrend, toMmolPerLitre, toMmolPerLitreConventional, trendArrows } from "./data/glucose.ts";
export type { Named } from "./data/named.ts";
export { type PumpDemoOptions, type PumpDemoResult, runPumpDemo } from "./demo/demo.ts";
export { type Actor, formatTimelineEvent, type TimelineEvent } from "./demo/timeline.ts";
export { PumpError, type PumpErrorCode } from "./error.ts";
export {
  ANNUNCIATIONS,
  type Annunciation,
} from "./history/annunciation.ts";
export type { BolusAmounts, HistoryData, HistoryEventName, SampleGlucose } from "./history/events.ts";
export { decodeHistoryRecord, eventNameOf, type HistoryRecord } from "./history/record.ts";
export {
  decodeHistoryAccessResponse,
  HistoryAccessOpcode,
  type HistoryAccessResponse,
  HistoryFilter,
  HistoryOperator,
  rangeOperand,
  recordsOperand,
} from "./history/record-access.ts";
export type { HistoryBounds, HistoryPage, HistoryRange, HistorySource, ReceivedRecord } from "./history/source.ts";
export { type HistoryTime, HistoryTimeline } from "./history/timeline.ts";
export { type AnnunciationStatus, decodeAnnunciationStatus } from "./idd/annunciation-status.ts";
export { CommandReadOpcode, type CommandReadResponse, decodeCommandRead, type HighLowSettings, SettingsType } from "./idd/command-reads.ts";
export { decodeIddFeatures, type IddFeatureName, type IddFeatures } from "./idd/features.ts";
export type { IddProtection } from "./idd/protection.ts";
export { decodeIddStatus, type IddStatus } from "./idd/status.ts";
export { decodeIddStatusChanged, type IddStatusChanged, type StatusChange } from "./idd/status-changed.ts";
export {
  type ActiveBasalRate,
  type ActiveBolus,
  type DisplayFormat,
  decodeStatusReaderResponse,
  type InsulinOnBoard,
  StatusReaderOpcode,
  type StatusReaderResponse,
  type TherapyAlgorithmStates,
  type TimeInRange,
} from "./idd/status-reader.ts";
export { PumpMonitor, type PumpMonitorOptions } from "./live/monitor.ts";
export type { PumpLinkState, PumpProblems, PumpState, PumpValueName, PumpValues, Told, WallClock } from "./live/state.ts";
export {
  buildKeyDatabase,
  KeyDatabaseError,
  type KeyDatabaseErrorCode,
  parseKeyDatabase,
  parseKeyDatabaseFile,
  SakeClient,
  SakeDeviceType,
  SakeFrameError,
  SakeHandshakeError,
  SakeKeyDatabase,
  SakeKeyEntry,
  SakeServer,
  SakeSession,
} from "./sake/index.ts";
export type { DeliverySource, HistoryMemory } from "./simulator/delivery-source.ts";
export { type CountedFault, SimulatedPumpFaults } from "./simulator/faults.ts";
export { type InventedKeys, inventKeys } from "./simulator/keys.ts";
export { SimulatedHistory, type SimulatedHistoryOptions } from "./simulator/simulated-history.ts";
export { SimulatedPump } from "./simulator/simulated-pump.ts";
export type { SimulatedPumpEvent, SimulatedPumpOptions } from "./simulator/simulated-pump-options.ts";
export { NO_GLUCOSE_CAUSES, type NoGlucoseCause } from "./store/causes.ts";
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
} from "./store/view.ts";
