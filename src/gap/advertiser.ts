import { callOut } from "../async/call-out.ts";
import type { Address } from "../core/address.ts";
import { StateError } from "../core/error.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { ResolveAddress } from "./advertisement.ts";
import { ExtendedAdvertisingCommands, LegacyAdvertisingCommands } from "./advertising-commands.ts";
import { type AdvertiseOptions, AdvertisingSession, checkAdvertiseOptions } from "./advertising-session.ts";
import { AdvertisingSet } from "./advertising-set.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, Radio } from "./radio.ts";
import type { SwitchState } from "./switch.ts";

/** How long a link and the word of the advertising set that it answers wait for each other. They come one after the other. */
const ATTRIBUTION_MS = 1000;
/** Words of advertising sets kept for links that are not known yet. */
const MOST_EARLY_WORDS = 16;
/** Advertising handles are 0x00 to 0xEF. */
const HANDLES = 0xf0;
/** Advertising Set Identifiers, Vol 6 Part B 2.3.4.4. */
const SIDS = 16;
/** How much later than the controller the host ends what has a duration, where the controller says nothing. */
const GRACE_MS = 1000;

/** A link of which it is not known yet what it answers. */
interface Waiting {
  readonly peer: Address;
  readonly use: (session: AdvertisingSession | undefined) => void;
  readonly timer: Disposable;
}

/** What HCI_LE_Advertising_Set_Terminated says, Vol 4 Part E 7.7.65.18. */
export interface SetTerminated {
  readonly status: number;
  readonly advertisingHandle: number;
  readonly connectionHandle: number;
  readonly numCompletedExtendedAdvertisingEvents: number;
}

/**
 * All advertisements of a device: one with a legacy controller, as many as the controller has sets with an extended one, each with its own
 * address, data and end.
 */
export class Advertiser {
  readonly #port: CommandPort;
  readonly #radio: Radio;
  readonly #resolve: ResolveAddress;
  /** The one of a legacy controller. */
  readonly #only: AdvertisingSet | undefined;
  /** Those that the controller has, or may have. */
  readonly #sets = new Map<number, AdvertisingSet>();
  readonly #setOf = new WeakMap<AdvertisingSession, AdvertisingSet>();
  #lastHandle = -1;
  /** Links that wait for the word of the set that they answer. */
  readonly #waiting = new Map<number, Waiting>();
  /** Links that are assigned already: the word of their set is no news. */
  readonly #assigned = new Map<number, AdvertisingSet>();
  /** Sets that have said of a link that is not known yet that it answers them. */
  readonly #early = new Map<number, { readonly set: AdvertisingSet; readonly timer: Disposable }>();

  /** @param at.resolve finds the identity of a peer that directed advertising is for */
  constructor({ port, radio, resolve = () => undefined }: { port: CommandPort; radio: Radio; resolve?: ResolveAddress }) {
    this.#port = port;
    this.#radio = radio;
    this.#resolve = resolve;
    if (radio.abilities.isExtended) return;
    this.#only = new AdvertisingSet({ radio, commands: new LegacyAdvertisingCommands(port), resolve });
    radio.add(this.#only);
  }

  /** What is advertised and not over. */
  get sessions(): AdvertisingSession[] {
    return this.#all.flatMap(({ session }) => session ?? []);
  }
  get session(): AdvertisingSession | undefined {
    return this.sessions[0];
  }
  /** Of a legacy controller. */
  get state(): SwitchState {
    return this.#only?.state ?? "off";
  }
  get ownAddress(): OwnAddressKind {
    return this.#only?.ownAddress ?? "public";
  }
  get #all(): AdvertisingSet[] {
    return this.#only ? [this.#only] : [...this.#sets.values()];
  }

  /**
   * Starts advertising; resolves when it is on the air, or as soon as the random address and the accept list allow (see Radio).
   *
   * @param onSession called with the new session before the controller is told of it, since a connection may come at once
   * @throws {StateError} as many advertisements are there as the controller can do at once
   * @throws {ArgumentError} what cannot be advertised
   * @throws {UnsupportedError} what this controller cannot do
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer; whatever it does is stopped
   */
  async advertise(options: AdvertiseOptions, onSession?: (session: AdvertisingSession) => void): Promise<AdvertisingSession> {
    checkAdvertiseOptions(options);
    const kind = options.ownAddress ?? this.#radio.own.defaultKind;
    this.#radio.own.current(kind); // an address the device does not have is an error of the caller
    const session = new AdvertisingSession(options, kind, this.#radio.abilities);
    options.signal?.throwIfAborted();
    const set = this.#only ? this.#takeOnly(this.#only) : await this.#takeSet(options.signal);
    session.sid ??= session.isLegacy ? undefined : this.#freeSid();
    this.#setOf.set(session, set);
    set.begin(session);
    onSession?.(session);
    try {
      await this.#radio.updateFor(options.signal);
      options.signal?.throwIfAborted();
    } catch (reason) {
      this.abandon(session, reason);
      throw reason;
    }
    if (session.ended?.error !== undefined) throw session.ended.error;
    this.#limit(session);
    return session;
  }

  #takeOnly(only: AdvertisingSet): AdvertisingSet {
    if (only.session) throw new StateError("already advertising: a legacy controller has one advertisement, stop it first");
    return only;
  }

  async #takeSet(signal: AbortSignal | undefined): Promise<AdvertisingSet> {
    const most = this.#radio.abilities.advertisingSets;
    const refuse = (): void => {
      if (this.sessions.length >= most)
        throw new StateError(
          `already advertising: this controller has ${most} advertisement${most === 1 ? "" : "s"} at once, stop one first`,
        );
    };
    refuse();
    if (this.#sets.size >= most) {
      await this.#radio.updateFor(signal); // those that are over are given back there
      signal?.throwIfAborted();
      refuse();
      if (this.#sets.size >= most) throw new StateError("already advertising: an advertisement that is over cannot be taken off the air");
    }
    const handle = this.#freeHandle(most);
    const set = new AdvertisingSet({
      radio: this.#radio,
      commands: new ExtendedAdvertisingCommands(this.#port, handle),
      resolve: this.#resolve,
      handle,
      onReleased: () => {
        if (this.#sets.get(handle) === set) this.#sets.delete(handle);
      },
    });
    this.#sets.set(handle, set);
    this.#radio.add(set);
    return set;
  }

  /** Not the one that was used last: an event may still be about that. Small ones, since some controllers know no others. */
  #freeHandle(most: number): number {
    const range = Math.min(HANDLES, most);
    for (let i = 1; i <= range; i++) {
      const handle = (this.#lastHandle + i) % range;
      if (this.#sets.has(handle)) continue;
      this.#lastHandle = handle;
      return handle;
    }
    throw new StateError("no advertising handle is free");
  }

  #freeSid(): number {
    const used = new Set(this.sessions.map(({ sid }) => sid));
    for (let sid = 0; sid < SIDS; sid++) if (!used.has(sid)) return sid;
    return 0;
  }

  /** A duration ends it here too: off the air between two connections, or where the controller says nothing. */
  #limit(session: AdvertisingSession): void {
    const { durationMs } = session;
    if (durationMs === undefined || session.ended) return;
    const isControllers = this.#radio.abilities.isExtended;
    const timer = this.#radio.clock.setTimer(durationMs + (isControllers ? GRACE_MS : 0), "end of advertising", () => {
      const set = this.#setOf.get(session)!;
      set.finish(session, undefined, "duration");
      void this.#radio.update();
    });
    const { onEnd } = session;
    session.onEnd = (error) => {
      timer[Symbol.dispose]();
      onEnd?.(error);
    };
  }

  /** The advertising set of an advertisement. */
  setOf(session: AdvertisingSession): AdvertisingSet {
    return this.#setOf.get(session)!;
  }

  /** See AdvertisingSet.setData. */
  async setData(session: AdvertisingSession, change: Pick<AdvertiseOptions, "data" | "scanResponse" | "payload">): Promise<void> {
    await this.#setOf.get(session)!.setData(session, change);
  }

  /** Ends an advertisement; resolves when it is off the air. @throws {HciError} the controller refuses · {TimeoutError} it does not answer */
  async stop(session: AdvertisingSession, error?: unknown): Promise<void> {
    const set = this.#setOf.get(session)!;
    set.finish(session, error, "stopped");
    await this.#radio.updateOff(set);
  }

  /** As `stop`, for who does not wait. */
  abandon(session: AdvertisingSession, error: unknown): void {
    this.stop(session, error).catch(() => undefined); // Radio tries again, and tells in the end
  }

  /**
   * A peripheral connection came about.
   *
   * @param use is called, at once where that is clear, with the advertisement that it answers; `undefined`: nobody wants it, since that was
   *   stopped a moment ago, or nothing was advertised that this peer could answer
   */
  assign(peer: Address, connectionHandle: number, use: (session: AdvertisingSession | undefined) => void): void {
    if (this.#only) {
      use(this.#only.connected(peer));
      return;
    }
    this.linkGone(connectionHandle, true);
    const early = this.#early.get(connectionHandle);
    if (early) {
      this.#early.delete(connectionHandle);
      early.timer[Symbol.dispose]();
      use(early.set.connected(peer));
      return;
    }
    const candidates = this.#all.filter((set) => set.mayAnswer(peer));
    const [only] = candidates;
    if (only && candidates.length === 1) {
      this.#assigned.set(connectionHandle, only);
      use(only.connected(peer));
    } else if (!only) use(undefined);
    else this.#wait(peer, connectionHandle, use, candidates);
  }

  #wait(peer: Address, connectionHandle: number, use: Waiting["use"], candidates: readonly AdvertisingSet[]): void {
    // Several could have brought it; which one did, its own word says, which follows.
    const timer = this.#radio.clock.setTimer(ATTRIBUTION_MS, "advertisement of a link", () => {
      this.#waiting.delete(connectionHandle);
      // One of them is off the air, and nobody knows which: they begin anew.
      for (const set of candidates) set.distrust();
      void this.#radio.update();
      use(undefined);
    });
    this.#waiting.set(connectionHandle, { peer, use, timer });
  }

  /** As `assign`, where it is clear at once. */
  connected(peer: Address): AdvertisingSession | undefined {
    return (this.#only ?? this.#all.find((set) => set.mayAnswer(peer)))?.connected(peer);
  }

  /** The controller has ended a set by itself. */
  readonly terminated = ({ status, advertisingHandle, connectionHandle, ...event }: SetTerminated): void => {
    const set = this.#sets.get(advertisingHandle);
    if (status === HciErrorCode.Success) this.#answered(set, connectionHandle);
    if (status === HciErrorCode.Success || !set) return;
    const { onAir } = set;
    const events = event.numCompletedExtendedAdvertisingEvents;
    if (status === HciErrorCode.AdvertisingTimeout && !onAir?.isHighDuty) set.ended(undefined, "duration");
    else if (status === HciErrorCode.LimitReached) set.ended(undefined, "events", events);
    else set.ended(new HciError({ status, command: "LeSetExtendedAdvertisingEnable" }), "failed");
  };

  #answered(set: AdvertisingSet | undefined, connectionHandle: number): void {
    const waiting = this.#waiting.get(connectionHandle);
    if (waiting) {
      this.#waiting.delete(connectionHandle);
      waiting.timer[Symbol.dispose]();
      waiting.use(set?.connected(waiting.peer));
      return;
    }
    if (this.#assigned.delete(connectionHandle) || !set || set.state === "off") return;
    if (this.#early.size >= MOST_EARLY_WORDS) return;
    const timer = this.#radio.clock.setTimer(ATTRIBUTION_MS, "link of an advertisement", () => {
      this.#early.delete(connectionHandle);
      set.distrust(); // it is off the air, for a link that never came
      void this.#radio.update();
    });
    this.#early.set(connectionHandle, { set, timer });
  }

  /** A link is gone: what is known of its handle is not about the next one. */
  linkGone(connectionHandle: number, keepsEarly = false): void {
    this.#assigned.delete(connectionHandle);
    const waiting = this.#waiting.get(connectionHandle);
    this.#waiting.delete(connectionHandle);
    waiting?.timer[Symbol.dispose]();
    if (waiting) callOut(waiting.use, undefined);
    if (keepsEarly) return;
    const early = this.#early.get(connectionHandle);
    this.#early.delete(connectionHandle);
    early?.timer[Symbol.dispose]();
    early?.set.distrust();
    if (early) void this.#radio.update();
  }

  /** A scan request was answered. */
  scanRequested(advertisingHandle: number, scanner: Address): void {
    callOut(this.#sets.get(advertisingHandle)?.onAir?.onScanRequest, scanner);
  }

  /** A connection that `assign` assigned to this advertisement is over. */
  disconnected(session: AdvertisingSession): void {
    session.links--;
    session.isFull = false;
    if (!session.ended) void this.#radio.update();
  }

  /** High duty cycle directed advertising found nobody (Advertising Timeout). False: there is none that it could be about. */
  timedOut(error: unknown): boolean {
    const timed = this.#all.filter(({ onAir }) => onAir?.isHighDuty);
    // With several sets the word of the set follows, which says which one it was.
    if (timed.length === 1) timed[0]!.ended(error, "failed");
    return timed.length > 0;
  }

  /** The controller has forgotten every link. */
  reset(): void {
    for (const handle of [...this.#waiting.keys(), ...this.#early.keys(), ...this.#assigned.keys()]) this.linkGone(handle);
  }

  /** Ends everything that is advertised; the next `update` of the radio takes it off the air. */
  close(error?: unknown): void {
    for (const set of this.#all) set.close(error);
    this.reset();
  }
}
