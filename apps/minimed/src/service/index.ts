/// <reference lib="esnext.disposable" preserve="true" />
export {
  DEFAULT_HEALTH_PORT,
  readServiceConfig,
  type ServiceConfig,
  type ServiceHomeAssistantConfig,
  type ServiceListen,
  type ServiceNightscoutConfig,
  type ServicePageConfig,
} from "./config.ts";
export { PumpServiceError, type PumpServiceErrorCode } from "./error.ts";
export type { PartHealth, ServiceHealth } from "./health.ts";
export { jsonLogSink } from "./json-log.ts";
export type { PumpServiceOptions, ServicePage, ServicePageOptions } from "./options.ts";
export type { PartState } from "./part.ts";
export { type RunPumpServiceOptions, runPumpService } from "./run.ts";
export { readServiceSecrets, SERVICE_ENVIRONMENT, type ServiceSecrets } from "./secrets.ts";
export { PumpService } from "./service.ts";
