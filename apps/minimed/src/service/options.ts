import type { Clock } from "jelling/async";
import {
  type Address,
  ArgumentError,
  checkFunction,
  checkOptions,
  checkSignal,
  kindOf,
  type Logger,
  optionNames,
  type RandomSource,
} from "jelling/core";
import type { Capture } from "jelling/device";
import type { HciTransport } from "jelling/hci";
import type { BondStore } from "jelling/smp";
import type { Fetch } from "../export/index.ts";
import type { WallClock } from "../live/state.ts";
import type { MqttConnect, PumpStates } from "../mqtt/index.ts";
import type { PumpStore, PumpStoreOptions } from "../store/index.ts";
import type { TherapyView } from "../store/view.ts";
import type { ServiceConfig } from "./config.ts";
import type { ServiceSecrets } from "./secrets.ts";

/** What the page is served with. */
export interface ServicePageOptions {
  readonly view: () => TherapyView | undefined;
  readonly state: PumpStates;
  readonly host: string;
  readonly port: number | undefined;
  readonly token: string;
  readonly allowedHosts: readonly string[] | undefined;
  readonly wallClock: WallClock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface ServicePage {
  /** Who has it sees everything. */
  readonly url: string;
  close(): Promise<void>;
}

export interface PumpServiceOptions {
  readonly config: ServiceConfig;
  readonly secrets: ServiceSecrets;
  /** Bonds of pumps alone. */
  readonly bonds: BondStore;
  /** The identity by which the pump finds us, and its key; the same as long as the bond. */
  readonly irk: Uint8Array;
  readonly staticAddress?: Address | undefined;
  readonly address?: Address | undefined;
  /** A folder that is this user's own, for what is remembered between two runs. */
  readonly stateFolder: string;
  /** Gives a controller whenever one is needed; by default what the configuration names as `transport`. */
  readonly controller?: (() => string | HciTransport | Promise<string | HciTransport>) | undefined;
  readonly clock?: Clock | undefined;
  /** `Date.now` by default. */
  readonly wallClock?: WallClock | undefined;
  readonly random?: RandomSource | undefined;
  readonly logger?: Logger | undefined;
  readonly capture?: Capture | undefined;
  /** In place of the global one, for Nightscout. */
  readonly fetch?: Fetch | undefined;
  /** In place of the package `mqtt`. */
  readonly connectMqtt?: MqttConnect | undefined;
  /** In place of `PumpStore.open`. */
  readonly openStore?: ((path: string, options: PumpStoreOptions) => Promise<PumpStore>) | undefined;
  /** In place of `servePumpPage`. */
  readonly servePage?: ((options: ServicePageOptions) => Promise<ServicePage>) | undefined;
  /** Ends the service. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<PumpServiceOptions>({
  config: true,
  secrets: true,
  bonds: true,
  irk: true,
  staticAddress: true,
  address: true,
  stateFolder: true,
  controller: true,
  clock: true,
  wallClock: true,
  random: true,
  logger: true,
  capture: true,
  fetch: true,
  connectMqtt: true,
  openStore: true,
  servePage: true,
  signal: true,
});

/** @throws {ArgumentError} */
export function checkPumpServiceOptions(options: PumpServiceOptions): void {
  const what = "PumpService.open";
  checkOptions(what, options ?? null, OPTIONS);
  for (const name of ["config", "secrets", "bonds"] as const)
    if (typeof options[name] !== "object" || options[name] === null)
      throw new ArgumentError(`${what}: ${name}: expected an object, got ${kindOf(options[name])}`);
  if (typeof options.stateFolder !== "string" || options.stateFolder === "")
    throw new ArgumentError(`${what}: stateFolder: expected a path, got ${kindOf(options.stateFolder)}`);
  for (const name of ["controller", "wallClock", "capture", "fetch", "connectMqtt", "openStore", "servePage"] as const)
    checkFunction(`${what}: ${name}`, options[name]);
  checkSignal(`${what}: signal`, options.signal);
}
