export { type CharacteristicProperty, hasProperty, propertyBits, propertyNames } from "./properties.ts";
export type { Access, AccessRequirement } from "./server/access.ts";
export { ClientFeature } from "./server/caching.ts";
export type {
  AttributePermissions,
  CharacteristicDefinition,
  DescriptorDefinition,
  GattPeer,
  GattRequest,
  LooseValueDefinition,
  NotifyOptions,
  ReadHandler,
  ServiceDefinition,
  SubscriptionHandler,
  SubscriptionState,
  WriteHandler,
} from "./server/definition.ts";
export { LocalCharacteristic } from "./server/local-characteristic.ts";
export { LocalService } from "./server/local-service.ts";
export { GattServer } from "./server/server.ts";
export { GattServerSession } from "./server/session.ts";
export { type GapServiceOptions, type GattServiceOptions, gapService, gattService } from "./server/standard-services.ts";
export { GattUuid } from "./uuids.ts";
