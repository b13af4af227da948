import { Address } from "../core/address.ts";
import { ArgumentError, StateError } from "../core/error.ts";
import {
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanResponseData,
} from "../hci/commands/le-advertising.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { AdvertisingData, type AdvertisingDataLike } from "./advertising-data.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, ParametersOf, Radio, RadioActivity } from "./radio.ts";

/** Milliseconds, one value or a range in which the controller chooses. 20 to 10,240 ms in steps of 0.625 ms. */
export type IntervalMs = number | readonly [min: number, max: number];

export interface AdvertiseOptions {
  /** At most 31 octets. */
  readonly data?: AdvertisingDataLike | undefined;
  /** At most 31 octets; without it scan requests are answered with nothing. */
  readonly scanResponse?: AdvertisingDataLike | undefined;
  /** 100 ms by default. */
  readonly intervalMs?: IntervalMs | undefined;
  /** By default the identity address. */
  readonly ownAddress?: OwnAddressKind | undefined;
  /** True by default. Otherwise scannable when there is a scan response, else neither. */
  readonly connectable?: boolean | undefined;
  /** Advertise to one device alone (ADV_DIRECT_IND), without data. High duty: every 3.75 ms, for 1.28 s. */
  readonly direct?: { readonly peer: Address; readonly highDutyCycle?: boolean | undefined } | undefined;
  /** Advertising channels: 37, 38, 39, or some of them. */
  readonly channels?: readonly number[] | undefined;
  /**
   * A connection ends legacy advertising. "never" leaves it so; "connected" starts again at once, for more than one central; "disconnected"
   * starts again when the connection is over. "never" by default.
   */
  readonly restart?: "never" | "connected" | "disconnected" | undefined;
  /** Stops advertising; before it is on the air, `advertise` rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_INTERVAL_MS = 100;
/** How a controller says that it cannot advertise for another connection beside those it has. */
const FULL: readonly number[] = [
  HciErrorCode.CommandDisallowed,
  HciErrorCode.ConnectionLimitExceeded,
  HciErrorCode.ConnectionRejectedDueToLimitedResources,
];
const AdvertisingType = { Connectable: 0, DirectHighDuty: 1, Scannable: 2, NonConnectable: 3, DirectLowDuty: 4 } as const;
const NO_PEER = new Address(new Uint8Array(6), 0);

/** Range in units of 0.625 ms. @throws {ArgumentError} */
function intervalUnits(intervalMs: IntervalMs): [number, number] {
  const [minMs, maxMs] = typeof intervalMs === "number" ? [intervalMs, intervalMs] : intervalMs;
  for (const ms of [minMs, maxMs])
    if (!(ms >= 20 && ms <= 10_240)) throw new ArgumentError(`advertising interval ${ms} ms: expected 20 to 10240 ms`);
  if (minMs > maxMs) throw new ArgumentError(`advertising interval from ${minMs} to ${maxMs} ms: expected the smaller one first`);
  return [Math.round(minMs / 0.625), Math.round(maxMs / 0.625)];
}

function channelMap(channels: readonly number[]): number {
  let map = 0;
  for (const channel of channels) {
    if (![37, 38, 39].includes(channel)) throw new ArgumentError(`advertising channel ${channel}: expected 37, 38 or 39`);
    map |= 1 << (channel - 37);
  }
  if (map === 0) throw new ArgumentError("no advertising channel: expected some of 37, 38, 39");
  return map;
}

/** One advertisement, from its start until it is stopped, refused, or ended by a connection. */
export class AdvertisingSession {
  readonly parameters: ParametersOf<typeof LeSetAdvertisingParameters>;
  readonly ownAddress: OwnAddressKind;
  readonly restart: "never" | "connected" | "disconnected";
  data: AdvertisingData;
  scanResponse: AdvertisingData;
  /** The own address last shown; a connection has this one. */
  address: Address | undefined;
  /** Connections it led to that are still open; "disconnected" waits until there are none. */
  links = 0;
  /** The controller takes no more connections for now: on again when one of its links is over. */
  isFull = false;
  /** Set once it is over; `error` is why, `undefined` when it was stopped or did its work. */
  ended: { readonly error: unknown } | undefined;
  /** Called once when it is over. */
  onEnd: ((error: unknown) => void) | undefined;

  /** @throws {ArgumentError} what cannot be advertised */
  constructor(options: AdvertiseOptions, ownAddress: OwnAddressKind) {
    const { data = new Uint8Array(0), scanResponse, connectable = true, direct, channels = [37, 38, 39], restart = "never" } = options;
    this.data = AdvertisingData.from(data);
    this.scanResponse = AdvertisingData.from(scanResponse ?? new Uint8Array(0));
    this.ownAddress = ownAddress;
    this.restart = restart;
    if (direct && this.data.bytes.length > 0) throw new ArgumentError("directed advertising carries no data");
    const [min, max] = intervalUnits(options.intervalMs ?? DEFAULT_INTERVAL_MS);
    let advertisingType: number = connectable
      ? AdvertisingType.Connectable
      : scanResponse
        ? AdvertisingType.Scannable
        : AdvertisingType.NonConnectable;
    if (direct) advertisingType = direct.highDutyCycle ? AdvertisingType.DirectHighDuty : AdvertisingType.DirectLowDuty;
    this.parameters = {
      advertisingIntervalMin: min,
      advertisingIntervalMax: max,
      advertisingType,
      ownAddressType: ownAddress === "public" ? 0 : 1,
      peerAddress: direct?.peer ?? NO_PEER,
      advertisingChannelMap: channelMap(channels),
      advertisingFilterPolicy: 0,
    };
  }

  get isDirected(): boolean {
    const { advertisingType } = this.parameters;
    return advertisingType === AdvertisingType.DirectHighDuty || advertisingType === AdvertisingType.DirectLowDuty;
  }

  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = { error };
    this.onEnd?.(error);
  }
}

/** Legacy advertising: one advertisement at a time, one state machine (Vol 4 Part E 7.8.5 to 7.8.9). */
export class Advertiser implements RadioActivity {
  readonly name = "advertising";
  readonly takesAnyRandomAddress = false;
  readonly #port: CommandPort;
  readonly #radio: Radio;
  #session: AdvertisingSession | undefined;
  /** The one the controller knows, which a connection event belongs to even when it was stopped a moment ago. */
  #onAir: AdvertisingSession | undefined;

  constructor({ port, radio }: { port: CommandPort; radio: Radio }) {
    this.#port = port;
    this.#radio = radio;
  }

  get session(): AdvertisingSession | undefined {
    return this.#session;
  }
  get wanted(): boolean {
    const session = this.#session;
    if (!session || session.isFull) return false;
    return session.restart !== "disconnected" || session.links === 0;
  }
  get running(): boolean {
    return this.#onAir !== undefined;
  }
  get stale(): boolean {
    return this.#onAir !== undefined && this.#onAir !== this.#session;
  }
  get ownAddress(): OwnAddressKind {
    return this.#session?.ownAddress ?? "public";
  }

  /**
   * Starts advertising; resolves when it is on the air, or as soon as the random address allows (see Radio).
   *
   * @param onSession called with the advertisement before it is on the air: a connection may come at once
   * @throws {StateError} something is being advertised already
   * @throws {ArgumentError} what cannot be advertised
   * @throws {HciError} the controller refuses
   */
  async advertise(options: AdvertiseOptions, onSession?: (session: AdvertisingSession) => void): Promise<AdvertisingSession> {
    options.signal?.throwIfAborted();
    if (this.#session) throw new StateError("already advertising: a legacy controller has one advertisement, stop it first");
    const kind = options.ownAddress ?? this.#radio.own.defaultKind;
    this.#radio.own.current(kind); // an address the device does not have is an error of the caller
    const session = new AdvertisingSession(options, kind);
    this.#session = session;
    onSession?.(session);
    try {
      await this.#radio.updateFor(options.signal);
      options.signal?.throwIfAborted();
    } catch (reason) {
      void this.stop(session, reason);
      throw reason;
    }
    if (session.ended?.error !== undefined) throw session.ended.error;
    return session;
  }

  /** Replaces the data of an advertisement, on the air or not. */
  async setData(session: AdvertisingSession, change: { data?: AdvertisingData; scanResponse?: AdvertisingData }): Promise<void> {
    if (session.ended) throw new StateError("this advertisement is over");
    if (change.data) session.data = change.data;
    if (change.scanResponse) session.scanResponse = change.scanResponse;
    if (this.#onAir !== session) return;
    if (change.data) await this.#port.send(LeSetAdvertisingData, { advertisingData: change.data.bytes });
    if (change.scanResponse) await this.#port.send(LeSetScanResponseData, { scanResponseData: change.scanResponse.bytes });
  }

  /** Ends an advertisement; resolves when it is off the air. */
  async stop(session: AdvertisingSession, error?: unknown): Promise<void> {
    if (this.#session === session) this.#session = undefined;
    session.end(error);
    await this.#radio.update();
  }

  /**
   * A peripheral connection came about, so the controller has stopped advertising by itself.
   *
   * @returns the advertisement it answers; `undefined` when that was stopped a moment ago, so that nobody wants the connection any more
   */
  connected(): AdvertisingSession | undefined {
    const session = this.#onAir;
    this.#onAir = undefined;
    if (!session || session.ended) return undefined;
    session.links++;
    if (session.restart === "never") this.#finish(session);
    else void this.#radio.update();
    return session;
  }

  /** A connection that `connected` assigned to this advertisement is over. */
  disconnected(session: AdvertisingSession): void {
    session.links--;
    session.isFull = false;
    if (!session.ended && session === this.#session) void this.#radio.update();
  }

  /** High duty cycle directed advertising found nobody (Advertising Timeout). */
  timedOut(error: unknown): void {
    const session = this.#onAir;
    this.#onAir = undefined;
    if (session) this.#finish(session, error);
  }

  #finish(session: AdvertisingSession, error?: unknown): void {
    if (this.#session === session) this.#session = undefined;
    session.end(error);
    void this.#radio.update();
  }

  async turnOn(): Promise<void> {
    const session = this.#session!;
    await this.#port.send(LeSetAdvertisingParameters, session.parameters);
    if (!session.isDirected) {
      await this.#port.send(LeSetAdvertisingData, { advertisingData: session.data.bytes });
      await this.#port.send(LeSetScanResponseData, { scanResponseData: session.scanResponse.bytes });
    }
    if (this.#session !== session) return; // stopped meanwhile; the next run goes on from there
    // From here on a connection may come in, even before the command's own answer has been looked at.
    this.#onAir = session;
    session.address = this.#radio.own.current(session.ownAddress);
    try {
      await this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: true });
    } catch (error) {
      if (this.#onAir === session) this.#onAir = undefined;
      throw error;
    }
  }

  async turnOff(): Promise<void> {
    try {
      if (this.#onAir) await this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: false });
    } finally {
      this.#onAir = undefined;
    }
  }

  /** Ends what is advertised; the next `update` of the radio takes it off the air. */
  close(error?: unknown): void {
    const session = this.#session;
    this.#session = undefined;
    session?.end(error);
  }

  failed(error: unknown): void {
    const session = this.#session;
    if (session && session.links > 0 && error instanceof HciError && FULL.includes(error.status)) {
      session.isFull = true;
      return;
    }
    this.#session = undefined;
    this.#onAir = undefined;
    session?.end(error);
  }
}
