import { callOut } from "../async/call-out.ts";
import { type Clock, Deadline } from "../async/index.ts";
import type { BleError, Logger, RandomSource } from "../core/index.ts";
import { type Capture, type Connection, type ConnectionPolicy, Device } from "../device/index.ts";
import { gapService, gattService } from "../gatt/index.ts";
import type { HciTransport } from "../hci/index.ts";
import type { BondStore } from "../smp/index.ts";
import type { Activation } from "./activation.ts";
import { addressFields } from "./addresses.ts";
import { Channels } from "./channels.ts";
import { GattClientPart } from "./client.ts";
import { AddrMode } from "./constants.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { OsErrors } from "./errors.ts";
import { GapAdvertise } from "./gap-advertise.ts";
import { GapConnect } from "./gap-connect.ts";
import { GapScan } from "./gap-scan.ts";
import { Links } from "./links.ts";
import { Pairing } from "./pairing.ts";
import type { Secrets } from "./secrets.ts";
import { GattServices } from "./services.ts";
import type { BleConfig, Settings } from "./settings.ts";
import { GattUpdates } from "./updates.ts";

/** How long a controller may take to start, in milliseconds. */
const START_MS = 15_000;
/** How long a resolvable private address is shown: NimBLE's time, in milliseconds. */
const PRIVATE_ADDRESS_INTERVAL_MS = 300_000;

/** What outlives an activation. */
export interface BleContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly dispatcher: Dispatcher;
  readonly settings: Settings;
  readonly errors: OsErrors;
  readonly bonds: BondStore | undefined;
  readonly irk: Uint8Array | undefined;
  /** Keys that the program keeps, where `bonds` does not. */
  readonly secrets: Secrets | undefined;
  readonly secureConnectionsOnly: boolean;
  readonly capture: Capture | undefined;
}

/** One `active(true)`: a device, its links, and the parts of the API that stand on them. */
export class ActiveBle implements Activation {
  readonly device: Device;
  readonly dispatcher: Dispatcher;
  readonly settings: Settings;
  readonly errors: OsErrors;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly links: Links;
  readonly advertising: GapAdvertise;
  readonly scanning: GapScan;
  readonly connecting: GapConnect;
  readonly client: GattClientPart;
  readonly services: GattServices;
  readonly updates: GattUpdates;
  readonly pairing: Pairing;
  readonly channels: Channels;
  /** The device has ended by itself: its controller is gone. */
  onLost: ((error: BleError) => void) | undefined;
  #isClosed = false;

  private constructor(device: Device, context: BleContext) {
    const { dispatcher, settings, errors, clock, random, logger } = context;
    this.device = device;
    this.dispatcher = dispatcher;
    this.settings = settings;
    this.errors = errors;
    this.clock = clock;
    this.random = random;
    this.logger = logger;
    this.links = new Links(this, { isExpected: (connection) => this.connecting.expects(connection) });
    this.advertising = new GapAdvertise(this);
    this.scanning = new GapScan(this, { isConnecting: () => this.connecting.isPending });
    this.connecting = new GapConnect(this, { stopScan: () => this.scanning.stop() });
    this.client = new GattClientPart(this);
    this.services = new GattServices(this);
    this.updates = new GattUpdates(this, this.services);
    this.pairing = new Pairing(this, context);
    this.channels = new Channels(this);
    device.onConnection((connection) => this.links.onConnection(connection));
    device.on("closed", (error) => {
      if (!this.#isClosed) callOut(this.onLost, error);
    });
  }

  /**
   * @param open gives the transport; it is called once
   * @throws what Device.open throws · {TimeoutError}
   */
  static async open(open: (signal: AbortSignal) => Promise<HciTransport>, context: BleContext): Promise<ActiveBle> {
    const { clock, random, logger, settings, secrets, bonds, irk = await secrets?.irk(), capture } = context;
    using deadline = new Deadline({ clock, operation: "switching Bluetooth on", timeoutMs: START_MS });
    const device = await Device.open(() => open(deadline.signal), {
      clock,
      random,
      logger,
      bonds: bonds ?? secrets,
      irk,
      capture,
      gattServer: "empty",
      privateAddressIntervalMs: PRIVATE_ADDRESS_INTERVAL_MS,
      nonResolvableAddress: "stays",
      signal: deadline.signal,
    });
    settings.renew(device.publicAddress !== undefined);
    device.gattServer.addService(gapService({ name: () => settings.gapName }));
    device.gattServer.addService(gattService());
    return new ActiveBle(device, context);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The link of this handle. @throws {BleOsError} ENOTCONN */
  link(connHandle: number): Connection {
    return this.links.get(connHandle);
  }

  /** How a connection that is made now behaves. Nothing is done on it that the program has not asked for: it is the program that secures it. */
  policy(): ConnectionPolicy {
    return {
      att: { mtu: this.settings.mtu, exchangeMtu: "on-demand" },
      elevate: "never",
      dangerouslyTrustUnencryptedPeer: true,
      ...this.pairing.policy,
    };
  }

  /** `config("mac")`. */
  get mac(): BleConfig["mac"] {
    const { device, settings } = this;
    return addressFields(settings.addrMode === AddrMode.Rpa ? device.identity : device.ownAddress(settings.ownAddress));
  }

  /** What `Settings.check` has found to be in order, where that needs the device. @throws {BleOsError} EINVAL */
  checkSettings({ addrMode }: Partial<BleConfig>): void {
    if (addrMode === AddrMode.Public && !this.device.publicAddress)
      throw this.errors.create("EINVAL", "config: addrMode 0: the controller has no public address");
  }

  /** Some settings have been changed. */
  onSettings({ addrMode, mtu }: Partial<BleConfig>): void {
    this.pairing.onSettings();
    if (addrMode === AddrMode.Nrpa) this.device.renewNonResolvableAddress();
    // For the next exchange, also on links that are there and have made none.
    if (mtu !== undefined) for (const { att } of this.device.links) att.setPreferredMtu(mtu);
  }

  /** Takes everything down. The program hears of the end of a scan, and of nothing else. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.pairing.close();
    this.links.close();
    this.connecting.close();
    await this.scanning.stop().catch((error: unknown) => this.logger.warn(() => `scanning could not be ended: ${String(error)}`));
    await this.device.close();
  }
}
