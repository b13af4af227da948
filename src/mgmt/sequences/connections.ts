import type { OperationOptions } from "../../async/index.ts";
import { checkChoice, checkInteger, optionNames } from "../../core/index.ts";
import { AdvertisingData } from "../../gap/index.ts";
import {
  AddressType,
  commands,
  DeviceAction,
  DisconnectReason,
  hasBit,
  type MgmtReplyPacket,
  nameOf,
  Settings,
  Status,
} from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { MgmtError } from "../error.ts";
import { type DeviceId, type DeviceLike, deviceId, deviceKey } from "./device-id.ts";
import { checkSequence } from "./edge.ts";
import { Feed, MOST_CAPACITY, type Sink } from "./feed.ts";
import { endWithClient, isGone, onAdapterGone } from "./gone.ts";
import { PUT_AWAY_MS, putAway } from "./put-away.ts";

const QUEUE_CAPACITY = 256;

/** What happened to a link. */
export interface ConnectionChange {
  /**
   * "present" was there when the loop began; "identified": the device has told its identity, and has that address from now on;
   * "failed": a connection did not come about.
   */
  readonly kind: "present" | "connected" | "identified" | "disconnected" | "failed";
  readonly device: DeviceId;
  /** The private address it had until then; of "identified" only. */
  readonly before?: DeviceId | undefined;
  /** What it advertised, or its name and class over BR/EDR; of "connected" only. */
  readonly data?: AdvertisingData | undefined;
  /** A name of DisconnectReason, of "disconnected"; a name of Status, of "failed". A number where it has no name. */
  readonly reason?: string | undefined;
}

export interface WatchConnectionsOptions extends OperationOptions {
  /** Changes that may wait for the reader; one further behind loses the oldest, counted by `dropped`. Default 256. */
  readonly capacity?: number | undefined;
}

const watchOptions = optionNames<WatchConnectionsOptions>({ capacity: true, signal: true, timeoutMs: true });

/**
 * Watches an adapter's links: first those that are there, then what happens to them, whoever causes it. The adapter may be off.
 *
 * @param options.timeoutMs of each command
 * @throws {MgmtError} from the loop: PermissionDenied, InvalidIndex
 * @throws {ClosedError} from the loop: the adapter was unplugged, or taken by another program
 * @throws `signal.reason` once `signal` aborts
 */
export function watchConnections(mgmt: Mgmt, index: number, options: WatchConnectionsOptions = {}): Feed<ConnectionChange> {
  checkSequence("watchConnections", mgmt, index, options, watchOptions);
  const { capacity = QUEUE_CAPACITY, signal, timeoutMs } = options;
  checkInteger("watchConnections: capacity", capacity, 1, MOST_CAPACITY);
  return new Feed<ConnectionChange>({ capacity, signal }, (sink) => {
    const mirror = new ConnectionMirror(mgmt, index, sink);
    void mirror.start(timeoutMs);
    return () => mirror.leave();
  });
}

/** The links of one adapter, made from replies and events in the order in which the kernel sent them. */
class ConnectionMirror {
  readonly #mgmt: Mgmt;
  readonly #index: number;
  readonly #sink: Sink<ConnectionChange>;
  readonly #known = new Map<string, DeviceId>();
  readonly #listeners: Disposable[];
  #listed = false;

  constructor(mgmt: Mgmt, index: number, sink: Sink<ConnectionChange>) {
    this.#mgmt = mgmt;
    this.#index = index;
    this.#sink = sink;
    const ofThis = (event: { readonly index: number }): boolean => event.index === index;
    this.#listeners = [
      mgmt.on("deviceConnected", (event) => {
        if (ofThis(event)) this.#add("connected", idOf(event), { data: new AdvertisingData(event.eirData) });
      }),
      mgmt.on("deviceDisconnected", (event) => {
        if (ofThis(event)) this.#remove(idOf(event), event.reason ?? DisconnectReason.Unspecified);
      }),
      mgmt.on("connectFailed", (event) => {
        if (ofThis(event)) sink.push({ kind: "failed", device: idOf(event), reason: nameOf(Status, event.status) ?? String(event.status) });
      }),
      mgmt.on("newIdentityResolvingKey", ({ index: at, randomAddress, key }) => {
        if (at === index) this.#identify({ address: randomAddress, addressType: AddressType.LERandom }, idOf(key));
      }),
      mgmt.on("newSettings", (event) => ofThis(event) && this.#settings(event.currentSettings)),
      mgmt.on("reply", (reply) => ofThis(reply) && this.#replied(reply)),
      ...onAdapterGone(mgmt, index, (reason) => sink.end(reason)),
      endWithClient(mgmt, sink),
    ];
  }

  /** The answer is taken by `#replied`, in its place among the events. */
  async start(timeoutMs: number | undefined): Promise<void> {
    try {
      await this.#mgmt.getConnections(this.#index, { timeoutMs });
    } catch (error) {
      const isOff = error instanceof MgmtError && error.status === Status.NotPowered;
      if (!isOff) this.#sink.end(error);
    }
  }

  leave(): undefined {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.#known.clear();
  }

  #replied({ declaration, status, returns }: MgmtReplyPacket): void {
    if (status !== Status.Success || !returns || returns instanceof Uint8Array) return;
    if (declaration === commands.getConnections && !this.#listed) {
      this.#listed = true;
      for (const device of returns.connections as DeviceId[]) this.#add("present", device, {});
    }
    // Older kernels tell only the others that a link which this client ends is down.
    if (declaration === commands.disconnect) this.#remove(returns as unknown as DeviceId, DisconnectReason.LocalHost);
    if (declaration === commands.setPowered) this.#settings(returns.currentSettings as number);
  }

  #settings(currentSettings: number): void {
    if (hasBit(Settings, currentSettings, "Powered")) return;
    for (const device of [...this.#known.values()]) this.#remove(device, DisconnectReason.LocalHost);
  }

  #add(kind: "present" | "connected", device: DeviceId, more: Partial<ConnectionChange>): void {
    const key = deviceKey(device);
    if (this.#known.has(key)) return;
    this.#known.set(key, device);
    this.#sink.push({ kind, device, ...more });
  }

  #remove(device: DeviceId, reason: number): void {
    if (!this.#known.delete(deviceKey(device))) return; // told before, by the reply or by the event
    this.#sink.push({ kind: "disconnected", device: idOf(device), reason: nameOf(DisconnectReason, reason) ?? String(reason) });
  }

  #identify(before: DeviceId, device: DeviceId): void {
    if (!this.#known.delete(deviceKey(before))) return;
    this.#known.set(deviceKey(device), device);
    this.#sink.push({ kind: "identified", device, before });
  }
}

function idOf({ address, addressType }: DeviceId): DeviceId {
  return { address, addressType };
}

export interface AutoConnectOptions extends OperationOptions {
  /** Default: AutoConnect for LE, AllowIncoming for BR/EDR, which takes no other. */
  readonly action?: keyof typeof DeviceAction | undefined;
  /** Whether disposal ends a link that is up. Default false. */
  readonly disconnect?: boolean | undefined;
}

const autoConnectOptions = optionNames<AutoConnectOptions>({ action: true, disconnect: true, signal: true, timeoutMs: true });

/**
 * Has the kernel connect to a device whenever it advertises, and again when the link is lost, until the result is disposed of. The link is
 * there for sockets of L2CAP: one that nobody uses ends after some two seconds, and is made again.
 *
 * @throws {MgmtWriteError} ENETDOWN: the adapter is off; power it on first
 * @throws {MgmtError} InvalidParameters: an LE device is listed by its identity, not by a private address
 */
export async function autoConnect(
  mgmt: Mgmt,
  index: number,
  device: DeviceLike,
  options: AutoConnectOptions = {},
): Promise<AsyncDisposable> {
  checkSequence("autoConnect", mgmt, index, options, autoConnectOptions);
  const { action, disconnect = false, signal, timeoutMs } = options;
  if (action !== undefined) checkChoice("autoConnect: action", action, Object.keys(DeviceAction) as (keyof typeof DeviceAction)[]);
  const peer = deviceId(device);
  const usual = peer.addressType === AddressType.BREDR ? DeviceAction.AllowIncoming : DeviceAction.AutoConnect;
  try {
    await mgmt.addDevice(index, { ...peer, action: action ?? usual }, { signal, timeoutMs });
  } catch (error) {
    // Refused, it is not on the list. Otherwise it may be: the kernel stores it even where it then fails with ENETDOWN.
    if (!(error instanceof MgmtError)) void putAway(mgmt.removeDevice(index, peer, { timeoutMs: PUT_AWAY_MS }));
    throw error;
  }
  let removal: Promise<void> | undefined;
  const remove = async (): Promise<void> => {
    const removed = mgmt.removeDevice(index, peer, { timeoutMs: PUT_AWAY_MS });
    // After its removal: it would be connected again at once. The peer is not waited for, who may be out of range.
    if (disconnect) void putAway(mgmt.disconnect(index, peer));
    await removed.catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  };
  return {
    [Symbol.asyncDispose]: () => {
      removal ??= remove();
      return removal;
    },
  };
}
