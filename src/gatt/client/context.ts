import type { Semaphore } from "../../async/semaphore.ts";
import type { Uuid } from "../../core/uuid.ts";
import type { HandleRange } from "./discovery.ts";
import type { GattOperationOptions } from "./options.ts";
import type { Requester } from "./requester.ts";
import type { Sign } from "./sign.ts";
import type { SpreadDiscovery, SpreadValues } from "./spread-access.ts";

/** Takes the notifications and indications of one handle. The value is `bytes[offset, end)`. */
export interface ValueSink {
  onValue(bytes: Uint8Array, offset: number, end: number, indication: boolean): void;
  /** The link is gone, or the characteristic is. */
  end(error: unknown): void;
}

/** What remote services and characteristics need of their client. */
export interface ClientContext {
  /** Of the unenhanced bearer. */
  readonly requester: Requester;
  readonly discovery: SpreadDiscovery;
  readonly values: SpreadValues;
  /** Signs a PDU, where the link has somebody who can. */
  readonly sign: Sign | undefined;
  /** One discovery at a time, so that two callers who ask the same share the answer. */
  readonly discoveryLock: Semaphore;
  setSink(valueHandle: number, sink: ValueSink): void;
  removeSink(valueHandle: number, sink: ValueSink): void;
  /** Something in this range may have changed since it was discovered. */
  isDoubtful(range: HandleRange): boolean;
  /** Asks again for what is in doubt; `settleHeld` for who has the lock of the discoveries. */
  settle(options: GattOperationOptions): Promise<void>;
  settleHeld(options: GattOperationOptions): Promise<void>;
  /** Services between these handles changed, or are to be asked for again. */
  changed(range: HandleRange): void;
  /** The peer was asked to tell of changes: by Service Changed, by Database Out Of Sync (Vol 3 Part G 7.1 and 2.5.2.1). */
  isWatched: boolean;
  /** A characteristic of the GATT service was found. */
  onGattCharacteristic(uuid: Uuid, valueHandle: number): void;
}

export type { HandleRange };
