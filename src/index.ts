export {
  Address,
  type AddressLike,
  ArgumentError,
  BleError,
  ClosedError,
  StateError,
  TimeoutError,
  UnsupportedError,
  Uuid,
  type UuidLike,
} from "./core/index.ts";
