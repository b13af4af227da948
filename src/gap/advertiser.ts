import type { Address } from "../core/address.ts";
import { ArgumentError, StateError } from "../core/error.ts";
import {
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanResponseData,
} from "../hci/commands/le-advertising.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { ResolveAddress } from "./advertisement.ts";
import type { AdvertisingData } from "./advertising-data.ts";
import { type AdvertisedData, type AdvertiseOptions, AdvertisingSession, checkAdvertiseOptions } from "./advertising-session.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, Radio, RadioActivity } from "./radio.ts";
import { isSamePeer } from "./same-peer.ts";
import { isDisallowed, isRefusal, Switch, type SwitchState } from "./switch.ts";

/** How a controller says that it cannot advertise for another connection beside those it has. */
const FULL: readonly number[] = [
  HciErrorCode.CommandDisallowed,
  HciErrorCode.ConnectionLimitExceeded,
  HciErrorCode.ConnectionRejectedDueToLimitedResources,
];

/** Legacy advertising: one advertisement at a time, one state machine (Vol 4 Part E 7.8.5 to 7.8.9). */
export class Advertiser implements RadioActivity {
  readonly name = "advertising";
  readonly takesAnyRandomAddress = false;
  readonly #port: CommandPort;
  readonly #radio: Radio;
  readonly #resolve: ResolveAddress;
  readonly #switch = new Switch();
  #session: AdvertisingSession | undefined;
  /** The one the controller knows, which a connection event belongs to even when it was stopped a moment ago. */
  #onAir: AdvertisingSession | undefined;

  /** @param at.resolve finds the identity of a peer that directed advertising is for */
  constructor({ port, radio, resolve = () => undefined }: { port: CommandPort; radio: Radio; resolve?: ResolveAddress }) {
    this.#port = port;
    this.#radio = radio;
    this.#resolve = resolve;
  }

  get session(): AdvertisingSession | undefined {
    return this.#session;
  }
  get wanted(): boolean {
    const session = this.#session;
    if (!session || session.isFull) return false;
    return session.restart !== "disconnected" || session.links === 0;
  }
  get state(): SwitchState {
    return this.#switch.state;
  }
  get stale(): boolean {
    return this.#switch.state !== "off" && (this.#onAir !== this.#session || this.#session?.isContentUnknown === true);
  }
  get ownAddress(): OwnAddressKind {
    return this.#session?.ownAddress ?? "public";
  }

  /**
   * Starts advertising; resolves when it is on the air, or as soon as the random address allows (see Radio).
   *
   * @param onSession called with the new session before the controller is told of it, since a connection may come at once
   * @throws {StateError} something is being advertised already
   * @throws {ArgumentError} what cannot be advertised
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; whatever it does is stopped
   */
  async advertise(options: AdvertiseOptions, onSession?: (session: AdvertisingSession) => void): Promise<AdvertisingSession> {
    checkAdvertiseOptions(options);
    const kind = options.ownAddress ?? this.#radio.own.defaultKind;
    this.#radio.own.current(kind); // an address the device does not have is an error of the caller
    const session = new AdvertisingSession(options, kind);
    options.signal?.throwIfAborted();
    if (this.#session) throw new StateError("already advertising: a legacy controller has one advertisement, stop it first");
    this.#session = session;
    onSession?.(session);
    try {
      await this.#radio.updateFor(options.signal);
      options.signal?.throwIfAborted();
    } catch (reason) {
      this.abandon(session, reason);
      throw reason;
    }
    if (session.ended?.error !== undefined) throw session.ended.error;
    return session;
  }

  /**
   * Replaces the data of an advertisement, on the air or not. Where the controller refuses one of the two, neither is replaced.
   *
   * @throws {StateError} the advertisement is over
   * @throws {ArgumentError} directed advertising has no data
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; the data of before is set again
   */
  async setData(session: AdvertisingSession, change: { data?: AdvertisingData; scanResponse?: AdvertisingData }): Promise<void> {
    if (session.isDirected && (change.data?.bytes.length || change.scanResponse?.bytes.length))
      throw new ArgumentError("directed advertising carries no data and no scan response");
    // In turn: between "data sent" and "switched on" of a restart the change would reach neither.
    await this.#radio.inTurn(async () => {
      if (session.ended) throw new StateError("this advertisement is over");
      if (session.isDirected) return;
      const content = { ...session.content, ...change };
      if (this.#onAir !== session) {
        session.content = content; // sent when it is turned on next
        return;
      }
      await this.#replace(session, content);
    });
  }

  async #replace(session: AdvertisingSession, content: AdvertisedData): Promise<void> {
    const before = session.content;
    let hasNewData = false;
    try {
      if (content.data !== before.data) await this.#sendData(content);
      hasNewData = content.data !== before.data;
      if (content.scanResponse !== before.scanResponse) await this.#sendScanResponse(content);
      session.content = content;
    } catch (error) {
      try {
        if (!isRefusal(error)) throw error;
        if (hasNewData) await this.#sendData(before);
      } catch {
        session.isContentUnknown = true;
        void this.#radio.update(); // off and on again, with everything set anew
      }
      throw error;
    }
  }

  #sendData({ data }: AdvertisedData): Promise<unknown> {
    return this.#port.send(LeSetAdvertisingData, { advertisingData: data.bytes });
  }

  #sendScanResponse({ scanResponse }: AdvertisedData): Promise<unknown> {
    return this.#port.send(LeSetScanResponseData, { scanResponseData: scanResponse.bytes });
  }

  /** Ends an advertisement; resolves when it is off the air. @throws {HciError} the controller refuses · {TimeoutError} it does not answer */
  async stop(session: AdvertisingSession, error?: unknown): Promise<void> {
    if (this.#session === session) this.#session = undefined;
    session.end(error);
    await this.#radio.updateOff(this);
  }

  /** As `stop`, for who does not wait. */
  abandon(session: AdvertisingSession, error: unknown): void {
    this.stop(session, error).catch(() => undefined); // Radio tries again, and tells in the end
  }

  /**
   * A peripheral connection came about, so the controller has stopped advertising by itself.
   *
   * @param peer who connected; directed advertising is answered by nobody but the one it is for
   * @returns the advertisement it answers; `undefined` when that was stopped a moment ago, so that nobody wants the connection any more, or
   *   when nothing was advertised that this peer could answer
   */
  connected(peer: Address): AdvertisingSession | undefined {
    const session = this.#onAir;
    this.#onAir = undefined;
    this.#switch.ended();
    if (!session || session.ended) return undefined;
    if (!session.isConnectable || (session.directedTo && !isSamePeer(session.directedTo, peer, this.#resolve))) {
      void this.#radio.update();
      return undefined;
    }
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

  /** High duty cycle directed advertising found nobody (Advertising Timeout). False: there is none that it could be about. */
  timedOut(error: unknown): boolean {
    const session = this.#onAir;
    if (!session?.isHighDuty) return false;
    this.#onAir = undefined;
    this.#switch.ended();
    this.#finish(session, error);
    return true;
  }

  #finish(session: AdvertisingSession, error?: unknown): void {
    if (this.#session === session) this.#session = undefined;
    session.end(error);
    void this.#radio.update();
  }

  async turnOn(): Promise<void> {
    const session = this.#session!;
    try {
      await this.#port.send(LeSetAdvertisingParameters, session.parameters);
    } catch (error) {
      if (isDisallowed(error)) this.#switch.distrust(); // refused while advertising is on (7.8.5)
      throw error;
    }
    if (!session.isDirected) {
      await this.#sendData(session.content);
      await this.#sendScanResponse(session.content);
    }
    session.isContentUnknown = false;
    if (this.#session !== session) return; // stopped meanwhile; the next run goes on from there
    // From here on a connection may come in, even before the command's own answer has been looked at.
    this.#onAir = session;
    session.address = this.#radio.own.current(session.ownAddress);
    try {
      await this.#switch.on(() => this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: true }));
      if (this.#switch.state === "on") this.#onAir = session; // again, where a reset came between
    } catch (error) {
      if (this.#switch.state === "off") this.#onAir = undefined;
      throw error;
    }
  }

  async turnOff(): Promise<void> {
    if (this.#switch.state === "off") return;
    await this.#switch.off(() => this.#port.send(LeSetAdvertisingEnable, { advertisingEnable: false }));
    this.#onAir = undefined;
  }

  distrust(): void {
    this.#switch.distrust();
  }

  reset(): void {
    this.#onAir = undefined;
    this.#switch.reset();
  }

  gone(error: unknown): void {
    this.close(error);
    this.#switch.ended();
    this.#onAir = undefined;
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
    session?.end(error);
  }
}
