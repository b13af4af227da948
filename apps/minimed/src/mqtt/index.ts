/// <reference lib="esnext.disposable" preserve="true" />
export type {
  MqttConnect,
  MqttConnection,
  MqttConnectOptions,
  MqttMessage,
  MqttPublication,
  MqttTls,
} from "./connection.ts";
export { hashedPumpName } from "./device-id.ts";
export { ENTITY_IDS, type EntityId } from "./entities.ts";
export { MqttError, type MqttProblem } from "./error.ts";
export { forgetHomeAssistant } from "./forget.ts";
export type { HomeAssistantOptions, HomeAssistantPublisherOptions, PumpStates } from "./options.ts";
export { HomeAssistantPublisher, type HomeAssistantStatus } from "./publisher.ts";
