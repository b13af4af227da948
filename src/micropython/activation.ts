import type { Clock } from "../async/index.ts";
import type { Logger, RandomSource } from "../core/index.ts";
import type { Connection, ConnectionPolicy, Device } from "../device/index.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { OsErrors } from "./errors.ts";
import type { Links } from "./links.ts";
import type { Settings } from "./settings.ts";

/** What each part of the API gets: one `active(true)`, until `active(false)`. */
export interface Activation {
  readonly device: Device;
  readonly dispatcher: Dispatcher;
  readonly settings: Settings;
  readonly errors: OsErrors;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Where a part hears of links: `links.add`. */
  readonly links: Links;
  /** It is being ended, or has ended. */
  readonly isClosed: boolean;
  /** The link of this handle. @throws {BleOsError} ENOTCONN */
  link(connHandle: number): Connection;
  /** How a connection that is made now behaves. */
  policy(): ConnectionPolicy;
}
