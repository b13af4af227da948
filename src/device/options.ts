import type { Clock } from "../async/index.ts";
import type { AttPolicy } from "../att/index.ts";
import type { Address } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { AdvertiseOptions, ConnectOptions, ScanOptions, SynchronizeOptions } from "../gap/index.ts";
import type { GattCache } from "../gatt/index.ts";
import type { HciRecovery } from "../hci/recovery.ts";
import type { HciTransport } from "../hci/transport.ts";
import type { BondStore, PairingAgent, PairingPolicy } from "../smp/index.ts";
import type { Capture } from "./capture.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** What the opener of a controller gets from the device: its time, its log, its chance and its signal. */
export interface OpenControllerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly signal: AbortSignal | undefined;
}

/** Opens the way to a controller, when everything else is ready for it. */
export type OpenController = (options: OpenControllerOptions) => Promise<HciTransport>;

export interface DeviceOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** The platform's generator by default. */
  readonly random?: RandomSource | undefined;
  readonly logger?: Logger | undefined;
  /** Where bonds are kept; in memory by default. Change bonds through `device.bonds` from then on. */
  readonly bonds?: BondStore | undefined;
  /**
   * Keeps the databases of peers, so that the next link need not discover them: in memory (`MemoryGattCache`) or in a file (`FileGattCache` of
   * jelling/node). None by default.
   */
  readonly gattCache?: GattCache | undefined;
  /** New bonds beyond so many are refused; 1000 by default. */
  readonly maxBonds?: number | undefined;
  /** Device Name of the GAP service; "Jelling" by default. */
  readonly name?: string | undefined;
  /** Appearance of the GAP service, Assigned Numbers 2.6; 0, unknown, by default. */
  readonly appearance?: number | undefined;
  /**
   * The identity: "public" (default) is the controller's address where it has one, else the static random address; "random" is the static
   * random address; an address is used as it is, and must be static random or the controller's own. A controller whose address is zeros, or
   * what its maker wrote into every one of them, has none.
   */
  readonly address?: "public" | "random" | Address | undefined;
  /**
   * The static random address: the identity where there is no public one or where `address` says so, and what `ownAddress: "random"` shows. By
   * default it is made of `irk`, the same one each time; without an `irk` too it is made up for the life of this device. Give this or `irk`
   * where bonds are kept, or peers do not know the device again.
   */
  readonly staticAddress?: Address | undefined;
  /** Identity resolving key, 16 octets, most significant first; made up by default. Give a fixed one where bonds are kept. */
  readonly irk?: Uint8Array | undefined;
  /** How long a private address is shown; 15 minutes by default. */
  readonly privateAddressIntervalMs?: number | undefined;
  /**
   * What becomes of the non-resolvable private address: "changes" (default) with the resolvable one, "stays" until
   * `renewNonResolvableAddress` is called.
   */
  readonly nonResolvableAddress?: "changes" | "stays" | undefined;
  /**
   * Who resolves the private addresses of bonded peers and makes the own ones that they see: "controller" (default) where it can, so that it
   * answers by itself and changes its address without a pause, the host for the rest; "host" for controllers that do it badly.
   */
  readonly addressResolution?: "controller" | "host" | undefined;
  /** Defaults of every connection's policy. */
  readonly pairing?: Partial<PairingPolicy> | undefined;
  readonly agent?: PairingAgent | undefined;
  readonly att?: AttPolicy | undefined;
  readonly policy?: Omit<ConnectionPolicy, "pairing" | "agent" | "att"> | undefined;
  /** Sees every HCI packet in both directions. */
  readonly capture?: Capture | undefined;
  /** "default" has the GAP and GATT services; "empty" holds what you put in and nothing else. */
  readonly gattServer?: "default" | "empty" | undefined;
  /** How long the controller may take to answer a command; 5 s by default. */
  readonly commandTimeoutMs?: number | undefined;
  /**
   * Brings the controller back when it is silent, reports a hardware error, or its transport ends: by a Reset, then by opening it again where
   * the device was given what opens it. Links are lost; advertising, scanning and connecting begin anew; `recovering` and `recovered` tell.
   * One that does not come back is the end, by a ControllerError. False by default: the first trouble is the end.
   */
  readonly recovery?: boolean | DeviceRecovery | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

export type DeviceRecovery = Pick<HciRecovery, "attempts" | "waitMs" | "reopen">;

export interface DeviceAdvertiseOptions extends AdvertiseOptions {
  /** Stops advertising after so many milliseconds, with a TimeoutError for who waits for a connection; never by default. */
  readonly timeoutMs?: number | undefined;
  /** Of the connections that answer this advertisement. */
  readonly policy?: ConnectionPolicy | undefined;
}

export interface DeviceConnectOptions extends ConnectOptions {
  /** Of this connection. */
  readonly policy?: ConnectionPolicy | undefined;
}

export interface DeviceSynchronizeOptions extends SynchronizeOptions {
  /**
   * Of links that the sender makes through periodic advertising with responses (`connect` with `through`), in a subevent that is selected. They come as
   * any link of the device does (`connections`, `onConnection`). Without it they are taken down.
   */
  readonly policy?: ConnectionPolicy | undefined;
}

/** A scan that reports to a callback, until it is disposed. */
export interface RunningScan extends AsyncDisposable {
  /** Resolves when it is over: with nothing where the program ended it, with the error where something else did. */
  readonly closed: Promise<unknown>;
}

export interface DeviceScanOptions extends ScanOptions {
  readonly signal?: AbortSignal | undefined;
}
