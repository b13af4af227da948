/// <reference lib="esnext.disposable" preserve="true" />
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
export {
  ageMs,
  formatGlucose,
  type GlucoseReading,
  isStale,
  type LatestGlucose,
  type NoGlucoseValue,
  STALE_AFTER_MS,
} from "./connector/reading.ts";
export { type RunPumpConnectorOptions, runPumpConnector } from "./connector/run.ts";
export { PumpDataError, type PumpDataProblem } from "./data/error.ts";
export { formatTrend, toMmolPerLitre, toMmolPerLitreConventional, trendArrows } from "./data/glucose.ts";
export { type PumpDemoOptions, type PumpDemoResult, runPumpDemo } from "./demo/demo.ts";
export { type Actor, formatTimelineEvent, type TimelineEvent } from "./demo/timeline.ts";
export { PumpError, type PumpErrorCode } from "./error.ts";
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
export { type InventedKeys, inventKeys } from "./simulator/keys.ts";
export { SimulatedPump, type SimulatedPumpEvent, type SimulatedPumpOptions } from "./simulator/simulated-pump.ts";
