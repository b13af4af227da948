import { AdvertisingData, type AdvertisingDataLike } from "../advertising-data.ts";
import type { PeriodicOptions, PeriodicParameters, SubeventUnits } from "./periodic-options.ts";

/** Why periodic advertising is over. */
export type PeriodicEnd =
  /** By `stop`, or because the device closed. */
  | "stopped"
  /** The advertisement that it belongs to is over. */
  | "advertisement"
  /** The controller refuses it, or is gone. */
  | "failed";

/** One periodic advertising, from its start until it is stopped or refused, or its advertisement is over. */
export class PeriodicSession {
  readonly parameters: PeriodicParameters;
  readonly onSubevent: PeriodicOptions["onSubevent"];
  /** What the controller has taken, or takes when it is turned on next. */
  content: AdvertisingData;
  /** The controller may have other data than `content`. */
  isContentUnknown = false;
  ended: { readonly error: unknown; readonly reason: PeriodicEnd } | undefined;
  /** Called once when it is over. */
  onEnd: ((error: unknown) => void) | undefined;
  /** Octets of data that the controller takes. */
  readonly capacity: number;

  /** @throws {ArgumentError} data that do not fit */
  constructor(options: PeriodicOptions, parameters: PeriodicParameters, capacity: number) {
    this.parameters = parameters;
    this.onSubevent = options.onSubevent;
    this.capacity = capacity;
    this.content = options.data === undefined ? AdvertisingData.empty : this.dataFrom(options.data);
  }

  get subevents(): SubeventUnits | undefined {
    return this.parameters.subevents;
  }

  /** @throws {ArgumentError} it does not fit */
  dataFrom(data: AdvertisingDataLike): AdvertisingData {
    return AdvertisingData.from(data, this.capacity);
  }

  end(error: unknown, reason: PeriodicEnd): void {
    if (this.ended) return;
    this.ended = { error, reason };
    this.onEnd?.(error);
  }
}
