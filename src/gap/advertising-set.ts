import type { Address } from "../core/address.ts";
import { ArgumentError, StateError } from "../core/error.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { ResolveAddress } from "./advertisement.ts";
import type { AdvertisingCommands } from "./advertising-commands.ts";
import type { AdvertisedData, AdvertiseOptions, AdvertisingEnd, AdvertisingSession } from "./advertising-session.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import { type Radio, type RadioActivity, RadioRank } from "./radio.ts";
import { isSamePeer } from "./same-peer.ts";
import { isDisallowed, isRefusal, Switch, type SwitchState } from "./switch.ts";

/** How a controller says that it cannot advertise for another connection beside those it has. */
const FULL: readonly number[] = [
  HciErrorCode.CommandDisallowed,
  HciErrorCode.ConnectionLimitExceeded,
  HciErrorCode.ConnectionRejectedDueToLimitedResources,
];

/** Periodic advertising, as far as its set is concerned. */
interface SetTrain extends RadioActivity {
  /** The advertisement is over; with `error` where it failed. */
  setEnded(error: unknown): void;
}

interface AdvertisingSetParts {
  readonly radio: Radio;
  readonly commands: AdvertisingCommands;
  readonly resolve: ResolveAddress;
  /** Advertising handle; `undefined` with a legacy controller, which has one set that is always there. */
  readonly handle?: number | undefined;
  /** The controller has it back. */
  readonly onReleased?: ((set: AdvertisingSet) => void) | undefined;
}

/** What a controller advertises for one advertisement: one state machine, whichever commands drive it. */
export class AdvertisingSet implements RadioActivity {
  readonly name = "advertising";
  readonly rank = RadioRank.Advertising;
  readonly goesWithoutAcceptList = false;
  readonly handle: number | undefined;
  readonly #radio: Radio;
  readonly #commands: AdvertisingCommands;
  readonly #resolve: ResolveAddress;
  readonly #onReleased: ((set: AdvertisingSet) => void) | undefined;
  readonly #switch = new Switch();
  #session: AdvertisingSession | undefined;
  /** The one the controller knows, which a connection event belongs to even when it was stopped a moment ago. */
  #onAir: AdvertisingSession | undefined;
  /** The controller has parameters for it. */
  #isMade = false;
  /** Its periodic advertising, which ends with it; set by who starts it. */
  train: SetTrain | undefined;

  constructor({ radio, commands, resolve, handle, onReleased }: AdvertisingSetParts) {
    this.#radio = radio;
    this.#commands = commands;
    this.#resolve = resolve;
    this.handle = handle;
    this.#onReleased = onReleased;
  }

  get session(): AdvertisingSession | undefined {
    return this.#session;
  }
  get onAir(): AdvertisingSession | undefined {
    return this.#onAir;
  }
  get isMade(): boolean {
    return this.#isMade;
  }
  get hasOwnRandomAddress(): boolean {
    return this.handle !== undefined;
  }
  get hasControllerAddress(): boolean {
    return this.#session !== undefined && this.#addressPeer(this.#session) !== undefined;
  }
  /** The controller wants one to be there, and does not show it. */
  get takesAnyRandomAddress(): boolean {
    return this.hasControllerAddress;
  }
  /** The bonded peer with whose entry the controller makes the own address. */
  #addressPeer({ ownAddress, directedTo }: AdvertisingSession): Address | undefined {
    return ownAddress === "resolvable" ? this.#radio.resolvingList?.ownPeer(directedTo) : undefined;
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
    if (this.#switch.state === "off") return false;
    return this.#onAir !== this.#session || this.#session?.isContentUnknown === true || this.#showsOldAddress;
  }
  /** Its own random address has changed with time. The common one is looked after by the radio. */
  get #showsOldAddress(): boolean {
    const session = this.#session;
    if (!this.hasOwnRandomAddress || !session?.address || session.ownAddress === "public" || session.addressPeer) return false;
    return !session.address.equals(this.#radio.own.current(session.ownAddress));
  }
  get ownAddress(): OwnAddressKind {
    return this.#session?.ownAddress ?? "public";
  }
  get acceptList(): readonly Address[] | undefined {
    return this.#session?.acceptList;
  }
  get isFiltered(): boolean {
    return this.#switch.state !== "off" && this.#onAir?.acceptList !== undefined;
  }

  /** From here on it is wanted. */
  begin(session: AdvertisingSession): void {
    session.handle = this.handle;
    this.#session = session;
  }

  /**
   * Replaces the data, on the air or not. Where the controller refuses one of the two, neither is replaced; what it does not take on the air
   * is taken off for a moment.
   *
   * @throws {StateError} the advertisement is over
   * @throws {ArgumentError} directed advertising has no data, or what does not fit
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; the data of before is set again
   */
  async setData(session: AdvertisingSession, change: Pick<AdvertiseOptions, "data" | "scanResponse" | "payload">): Promise<void> {
    const isSilent = session.isDirected && session.isLegacy;
    const asked = session.changed(change);
    if (isSilent && (asked.data.bytes.length > 0 || asked.scanResponse.bytes.length > 0))
      throw new ArgumentError("directed advertising carries no data and no scan response");
    if (session.isBareScannable && (asked.data.bytes.length > 0 || asked.scanResponse.bytes.length === 0))
      throw new ArgumentError('extended advertising that answers scan requests has its data in "scanResponse" alone');
    let restarts = false;
    // In turn: between "data sent" and "switched on" of a restart the change would reach neither.
    await this.#radio.inTurn(async () => {
      if (session.ended) throw new StateError("this advertisement is over");
      if (isSilent) return;
      const content = session.changed(change); // of what is there by now
      if (this.#onAir !== session)
        session.content = content; // sent when it is turned on next
      else if (this.#commands.takesOnAir(content)) await this.#replace(session, content);
      else {
        session.content = content;
        session.isContentUnknown = true;
        restarts = true;
      }
    });
    if (!restarts) return;
    await this.#radio.update();
    if (session.ended?.error !== undefined) throw session.ended.error;
  }

  async #replace(session: AdvertisingSession, content: AdvertisedData): Promise<void> {
    const before = session.content;
    let hasNewData = false;
    try {
      if (content.data !== before.data) await this.#commands.sendData(session, content);
      hasNewData = content.data !== before.data;
      if (content.scanResponse !== before.scanResponse) await this.#commands.sendScanResponse(session, content);
      session.content = content;
    } catch (error) {
      try {
        if (!isRefusal(error)) throw error;
        if (hasNewData) {
          if (!this.#commands.takesOnAir(before)) throw error;
          await this.#commands.sendData(session, before);
        }
      } catch {
        session.isContentUnknown = true;
        void this.#radio.update(); // off and on again, with everything set anew
      }
      throw error;
    }
  }

  /** It is not wanted any more. The next run of the radio takes it off the air. */
  finish(session: AdvertisingSession, error?: unknown, reason?: AdvertisingEnd, events?: number): void {
    if (this.#session === session) {
      this.#session = undefined;
      this.train?.setEnded(error);
    }
    session.end(error, reason, events);
  }

  /** Whether a link to this peer may be an answer to it. */
  mayAnswer(peer: Address): boolean {
    const session = this.#onAir;
    if (this.#switch.state === "off" || !session?.isConnectable) return false;
    return !session.directedTo || isSamePeer(session.directedTo, peer, this.#resolve);
  }

  /**
   * A peripheral connection answers it, so the controller has stopped it by itself.
   *
   * @param peer who connected; directed advertising is answered by nobody but the one it is for
   * @returns the advertisement; `undefined` when that was stopped a moment ago, so that nobody wants the connection any more, or when nothing
   *   was advertised that this peer could answer
   */
  connected(peer: Address): AdvertisingSession | undefined {
    const session = this.#onAir;
    this.#onAir = undefined;
    this.#switch.ended();
    if (!session || session.ended) {
      if (this.handle !== undefined) void this.#radio.update();
      return undefined;
    }
    if (!session.isConnectable || (session.directedTo && !isSamePeer(session.directedTo, peer, this.#resolve))) {
      void this.#radio.update();
      return undefined;
    }
    session.links++;
    if (session.restart === "never") this.finish(session, undefined, "connected");
    void this.#radio.update();
    return session;
  }

  /** The controller ended it without a connection. False: it was off already. */
  ended(error: unknown, reason: AdvertisingEnd, events?: number): boolean {
    if (this.#switch.state === "off") return false;
    const session = this.#onAir;
    this.#onAir = undefined;
    this.#switch.ended();
    if (session) this.finish(session, error, reason, events);
    void this.#radio.update();
    return true;
  }

  async turnOn(): Promise<void> {
    const session = this.#session!;
    const address = this.#radio.own.current(session.ownAddress);
    session.addressPeer = this.#addressPeer(session);
    this.#isMade = true;
    try {
      await this.#commands.configure(session, address);
    } catch (error) {
      if (isDisallowed(error)) this.#switch.distrust(); // refused while advertising is on (7.8.5, 7.8.53)
      throw error;
    }
    await this.#commands.sendData(session, session.content);
    await this.#commands.sendScanResponse(session, session.content);
    session.isContentUnknown = false;
    if (this.#session !== session) return; // stopped meanwhile; the next run goes on from there
    // From here on a connection may come in, even before the command's own answer has been looked at.
    this.#onAir = session;
    session.address = address;
    try {
      await this.#switch.on(() => this.#commands.enable(session, this.#remainingMs(session)));
      if (this.#switch.state === "on") this.#onAir = session; // again, where a reset came between
    } catch (error) {
      if (this.#switch.state === "off") this.#onAir = undefined;
      throw error;
    }
    if (session.addressPeer) session.address = (await this.#radio.resolvingList?.localAddress(session.addressPeer)) ?? address;
  }

  /** Taken off the air for a moment, it goes on for the rest of its time. */
  #remainingMs(session: AdvertisingSession): number | undefined {
    const { controllerDurationMs } = session;
    if (controllerDurationMs === undefined) return undefined;
    const now = this.#radio.clock.now();
    if (session.isHighDuty) return controllerDurationMs;
    session.untilMs ??= now + controllerDurationMs;
    return Math.max(10, session.untilMs - now);
  }

  /** A new address, without a pause where the set takes no connections. */
  async refresh(): Promise<void> {
    const session = this.#session;
    if (!session || this.#onAir !== session || session.isConnectable || !this.#showsOldAddress || this.#switch.state !== "on") return;
    const address = this.#radio.own.current(session.ownAddress);
    try {
      await this.#commands.setAddress?.(address);
      session.address = address;
    } catch {
      // Turned off for it, as one that takes connections is.
    }
  }

  async turnOff(): Promise<void> {
    if (this.#switch.state === "off") return;
    await this.#switch.off(() => this.#commands.disable());
    this.#onAir = undefined;
  }

  async release(): Promise<void> {
    if (this.handle === undefined || this.#session) return;
    const { train } = this;
    if (train && train.state !== "off") return; // a set is not removed before its train is off (7.8.59)
    try {
      if (this.#isMade) await this.#commands.remove();
    } catch (error) {
      // Unknown Advertising Identifier: it is gone already. It cannot be removed while it is on.
      if (isDisallowed(error)) {
        this.#switch.distrust();
        train?.distrust();
        return;
      }
    }
    this.#radio.remove(this);
    if (train) this.#radio.remove(train);
    this.#onReleased?.(this);
  }

  distrust(): void {
    if (this.handle === undefined || this.#isMade) this.#switch.distrust();
  }

  reset(): void {
    this.#onAir = undefined;
    this.#isMade = false;
    this.#switch.reset();
  }

  gone(error: unknown): void {
    this.close(error);
    this.#switch.ended();
    this.#onAir = undefined;
    this.#onReleased?.(this);
  }

  /** Ends what is advertised; the next `update` of the radio takes it off the air. */
  close(error?: unknown): void {
    if (this.#session) this.finish(this.#session, error);
  }

  failed(error: unknown): void {
    const session = this.#session;
    if (session && session.links > 0 && error instanceof HciError && FULL.includes(error.status)) {
      session.isFull = true;
      return;
    }
    this.close(error);
  }
}
