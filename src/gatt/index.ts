/// <reference lib="esnext.disposable" preserve="true" />
export { type CachedDatabase, type CacheTrust, type GattCache, MemoryGattCache } from "./client/cache.ts";
export {
  type DiscoverOptions,
  GattClient,
  type GattClientOptions,
  type HandleValue,
  type ReadByUuidOptions,
  type ReadLongOptions,
  type ServiceChange,
  type WriteLongOptions,
} from "./client/client.ts";
export type { ClientCache } from "./client/client-cache.ts";
export type { CachedPeer } from "./client/database-cache.ts";
export type { FoundValue, HandleRange } from "./client/discovery.ts";
export type { Elevate, ElevationDemand } from "./client/elevation.ts";
export { GattChangedError, GattNotFoundError } from "./client/error.ts";
export { clientCache } from "./client/keep-databases.ts";
export type { GattOperationOptions } from "./client/options.ts";
export {
  type CharacteristicWriteOptions,
  RemoteCharacteristic,
  type SubscribeOptions,
  type ValueSubscription,
} from "./client/remote-characteristic.ts";
export { RemoteDescriptor } from "./client/remote-descriptor.ts";
export { RemoteService } from "./client/remote-service.ts";
export type { Sign } from "./client/sign.ts";
export { ValueFlow, type ValueFlowOptions } from "./client/value-flow.ts";
export type { ReliableWrite } from "./client/values.ts";
export { ClientFeature } from "./client-feature.ts";
export { type DescribeRemoteOptions, describeRemote } from "./describe/describe-remote.ts";
export { type DescribeOptions, describeServer } from "./describe/describe-server.ts";
export type {
  CharacteristicDescription,
  DescriptorDescription,
  GattDescription,
  IncludeDescription,
  ServiceDescription,
  ValueDescription,
} from "./describe/description.ts";
export { GattDescriptionError } from "./describe/error.ts";
export { parseGattDescription } from "./describe/parse.ts";
export { type CharacteristicProperty, hasProperty, propertyBits, propertyNames } from "./properties.ts";
export type { Access, AccessRequirement } from "./server/access.ts";
export type {
  AttributePermissions,
  CharacteristicDefinition,
  DescriptorDefinition,
  GattPeer,
  GattRequest,
  IncludableService,
  LooseValueDefinition,
  NotifyOptions,
  ReadHandler,
  ServiceDefinition,
  SubscriptionHandler,
  SubscriptionState,
  ValueDefinition,
  WriteHandler,
  WriteKind,
} from "./server/definition.ts";
export { type CharacteristicWrite, LocalCharacteristic } from "./server/local-characteristic.ts";
export { LocalService } from "./server/local-service.ts";
export { GattServer } from "./server/server.ts";
export { GattServerSession } from "./server/session.ts";
export {
  type GapServiceOptions,
  type GattServiceOptions,
  gapService,
  gattService,
  keyMaterialCharacteristic,
} from "./server/standard-services.ts";
export { WriteFlow, type WritesOptions } from "./server/writes.ts";
export { GattUuid } from "./uuids.ts";
