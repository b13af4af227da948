/// <reference lib="esnext.disposable" preserve="true" />
export type { CharacteristicClient, ServiceClient, ServicePeer } from "./client.ts";
export type {
  CharacteristicDeclaration,
  CharacteristicDeclarations,
  DeclaredService,
  DescriptorDeclaration,
  ValueOf,
} from "./declaration.ts";
export { DecodedFlow, type DecodedFlowOptions } from "./decoded-flow.ts";
export { defineService, ServiceDeclaration, type ServiceDeclarationOptions } from "./define.ts";
export { documentService } from "./document.ts";
export type { CharacteristicHandlers, ServiceHandlers, TypedReadHandler, TypedWriteHandler } from "./handlers.ts";
export { serve } from "./serve.ts";
export { type ServedCharacteristic, type ServedService, type TypedWrite, TypedWriteFlow } from "./served.ts";
export {
  type BatteryLevelStatus,
  type BatteryReading,
  battery,
  readBatteries,
  serveBattery,
  simulateBattery,
} from "./services/battery.ts";
export {
  type ClockReading,
  currentTimeService,
  DATA_FIELD_IGNORED,
  type LocalTimeInformation,
  type ReferenceTimeInformation,
  readClock,
  type ServeCurrentTimeOptions,
  serveCurrentTime,
  simulateCurrentTime,
} from "./services/current-time.ts";
export {
  type DeviceInformation,
  deviceInformation,
  readDeviceInformation,
  serveDeviceInformation,
  simulateDeviceInformation,
} from "./services/device-information.ts";
export {
  type EnvironmentalQuantity,
  type EnvironmentalValues,
  type EsMeasurement,
  type EsTrigger,
  environmentalSensing,
  readEnvironment,
  serveEnvironmentalSensing,
  simulateEnvironmentalSensing,
} from "./services/environmental-sensing.ts";
export {
  healthThermometer,
  type ServeHealthThermometerOptions,
  serveHealthThermometer,
  simulateHealthThermometer,
  type TemperatureMeasurement,
  type TemperatureType,
  temperatures,
} from "./services/health-thermometer.ts";
export {
  type BodySensorLocation,
  CONTROL_POINT_NOT_SUPPORTED,
  type HeartRateMeasurement,
  heartRate,
  heartRates,
  type ServeHeartRateOptions,
  serveHeartRate,
  simulateHeartRate,
} from "./services/heart-rate.ts";
export {
  nordicUart,
  type OpenUartOptions,
  openUart,
  serveUart,
  simulateUart,
  type UartOptions,
  UartServer,
} from "./services/nordic-uart.ts";
export { UartPort } from "./services/uart-port.ts";
export {
  RunningSimulation,
  type ServiceValues,
  type SimulatedWrite,
  Simulation,
  type SimulationScript,
  type SimulationStep,
  type StartSimulationOptions,
  simulate,
} from "./simulate.ts";
