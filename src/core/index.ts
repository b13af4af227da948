/// <reference lib="esnext.disposable" preserve="true" />
export { Address, type AddressLike, AddressType } from "./address.ts";
export {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOctets,
  checkOperation,
  checkOptions,
  checkSignal,
  checkText,
  checkTimeout,
  kindOf,
  nearestName,
  type OptionNames,
  optionNames,
} from "./arguments.ts";
export { ArgumentError, BleError, ClosedError, StateError, TimeoutError, UnsupportedError } from "./error.ts";
export { Logger, LogLevel, type LogSink } from "./logger.ts";
export { mixKey, type RandomSource, randomBytes, SeededRandom, systemRandom } from "./random.ts";
export { Uuid, type UuidLike } from "./uuid.ts";
