import type { Clock } from "../async/clock.ts";
import { Pending } from "../async/pending.ts";
import type { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { LeSetRandomAddress } from "../hci/commands/le-controller.ts";
import { LeAddDeviceToFilterAcceptList, LeClearFilterAcceptList } from "../hci/commands/le-scanning.ts";
import { ControllerError } from "../hci/error.ts";
import type { CommandPort } from "./command-port.ts";
import type { OwnAddresses, OwnAddressKind } from "./own-addresses.ts";
import { LEGACY_ABILITIES, type RadioAbilities } from "./radio-abilities.ts";
import type { ResolvingList } from "./resolving-list.ts";
import { isDisallowed, isRefusal, type SwitchState } from "./switch.ts";

export type { CommandPort, ParametersOf } from "./command-port.ts";

/** Who comes first where the controller cannot serve all. */
export const RadioRank = Object.freeze({ Initiating: 0, Advertising: 1, Scanning: 2, Synchronizing: 3 });

/** One of the things a controller does at its own pace: advertise (one for each advertising set), scan, initiate. */
export interface RadioActivity {
  readonly name: string;
  readonly rank: (typeof RadioRank)[keyof typeof RadioRank];
  /** It should be on. */
  readonly wanted: boolean;
  /** Whether it is on, as far as the controller has said. */
  readonly state: SwitchState;
  /** It is on with parameters that are no longer the right ones. */
  readonly stale: boolean;
  /** The own address it shows. */
  readonly ownAddress: OwnAddressKind;
  /** Whether another random address than its own does as well. */
  readonly takesAnyRandomAddress: boolean;
  /** It has a random address of its own, as advertising sets do: the controller's does not concern it. */
  readonly hasOwnRandomAddress: boolean;
  /** The controller makes its private address, and changes it when that is due. */
  readonly hasControllerAddress?: boolean;
  /** The resolving list may change while it is on, as under periodic advertising. */
  readonly allowsResolvingListChange?: boolean;
  /** What the controller's filter accept list must hold for it; `undefined`: it does not use the list. */
  readonly acceptList: readonly Address[] | undefined;
  /** It was turned on with the filter accept list, which may then not change (Vol 4 Part E 7.8.15 to 7.8.17). */
  readonly isFiltered: boolean;
  /** It does without the list where another one has it. */
  readonly goesWithoutAcceptList: boolean;
  /** Turns it on, from "off". A rejection is handed to `failed`. */
  turnOn(): Promise<void>;
  /** Changes what can be changed while it is on; where that fails it is `stale`. */
  refresh?(): Promise<void>;
  /** Turns it off; `state` is "off" afterwards, unless this rejects. */
  turnOff(): Promise<void>;
  /** What was asked for last cannot be had: whoever asked is told, and does not want it any more. */
  failed(error: unknown): void;
  /** The controller does not do what it was thought to do: `state` is "unknown" afterwards. */
  distrust(): void;
  /** It is off and not wanted: gives back what it holds of the controller. Called at the end of each run. */
  release?(): Promise<void>;
  /** The controller was reset: it is off. */
  reset(): void;
  /** The controller is gone: everything that was wanted ends, with `error` where there is one. */
  gone(error: unknown): void;
}

/** Own_Address_Type of HCI: public, random, or a resolvable private address that the controller makes, random where it cannot for this peer. */
export type OwnAddressType = 0 | 1 | 3;

/** What could not be turned off in one run, and why. */
type Stuck = ReadonlyMap<RadioActivity, unknown>;
const NOTHING_STUCK: Stuck = new Map();

/** How often in a row turning something off may fail before the controller is given up. */
const MAX_FAILURES = 5;
/** When turning off is tried again by itself; twice as long after each failure. */
const RETRY_MS = 500;

/**
 * What advertising, scanning and initiating share in a controller: one random address, which may not change while any of them is on
 * (LE Set Random Address, Vol 4 Part E 7.8.4; advertising sets have their own), one filter accept list, which may not change while it is
 * used, and commands that must come in the right order.
 *
 * Whoever wants something says so and calls `update`, which brings the controller to the wanted state, one run after the other. Who needs
 * the random address gets it in this order: initiating, advertising, scanning. Scanning takes whichever random address is there.
 * Advertising that needs another random address than a connection attempt in progress is off the air until that attempt is over; all
 * others are stopped for a moment when the address changes and started again with the new one.
 *
 * What is known of an activity is only what the controller has said. One whose command was not answered is turned off before anything else
 * is done with it; one that cannot be turned off is tried again, and then the controller is given up: it must not do what its host
 * does not know of.
 *
 * Where the controller has a resolving list it holds the bonded peers that use private addresses. It too may not change while anything is on,
 * which is then stopped for a moment.
 *
 * Private addresses change when they are due (15 minutes), at the start of an activity or in the middle of it, but not while a link made
 * with such an address is open; then once that link is closed.
 */
export class Radio {
  readonly #port: CommandPort;
  readonly clock: Clock;
  readonly #logger: Logger;
  readonly #own: OwnAddresses;
  readonly abilities: RadioAbilities;
  /** Where the controller has one, and it is to be used. */
  readonly resolvingList: ResolvingList | undefined;
  /** In the order of their claims; replaced, never changed, since runs go over it while it grows. */
  #activities: readonly RadioActivity[] = [];
  /** What the controller's random address is. */
  #register: Address | undefined;
  /** What the controller's filter accept list holds; `undefined`: not known, or nothing yet. */
  #accepted: readonly Address[] | undefined;
  #rotation: Disposable | undefined;
  #running: Promise<unknown> = Promise.resolve();
  /** Failures in a row of turning something off. */
  readonly #failures = new Map<RadioActivity, number>();
  #retry: Disposable | undefined;
  #closed: { error: unknown } | undefined;
  /** An activity that this controller refuses to do beside others; those wait until it is over. */
  #alone: RadioActivity | undefined;
  /** Whether a link made with a private own address is open; set by the device. */
  hasPrivateLink: () => boolean = () => false;
  /** The controller cannot be brought to a known state any more; set by the device, which ends. */
  onLost: ((error: ControllerError) => void) | undefined;

  constructor(at: {
    port: CommandPort;
    clock: Clock;
    logger: Logger;
    own: OwnAddresses;
    abilities?: RadioAbilities | undefined;
    resolvingList?: ResolvingList | undefined;
  }) {
    this.#port = at.port;
    this.clock = at.clock;
    this.#logger = at.logger;
    this.#own = at.own;
    this.abilities = at.abilities ?? LEGACY_ABILITIES;
    this.resolvingList = at.resolvingList;
  }

  get own(): OwnAddresses {
    return this.#own;
  }

  /** How a command is told to show an address of this kind. */
  ownAddressType(kind: OwnAddressKind): OwnAddressType {
    if (kind === "public") return 0;
    return kind === "resolvable" && this.resolvingList?.isOn ? 3 : 1;
  }

  /** Adds an activity, behind those of its rank. */
  add(activity: RadioActivity): void {
    const behind = this.#activities.findIndex(({ rank }) => rank > activity.rank);
    this.#activities = this.#activities.toSpliced(behind < 0 ? this.#activities.length : behind, 0, activity);
    if (this.#closed) activity.gone(this.#closed.error);
  }

  /** Removes one that is off. */
  remove(activity: RadioActivity): void {
    this.#activities = this.#activities.filter((other) => other !== activity);
    this.#failures.delete(activity);
  }

  /** Whether the controller's filter accept list holds these and no others. */
  holdsAcceptList(list: readonly Address[]): boolean {
    return this.#accepted !== undefined && isSameList(this.#accepted, list);
  }

  /** Brings the controller to what is wanted now. Resolves when that was tried; what failed was told to the activity. */
  async update(): Promise<void> {
    await this.#run();
  }

  /** As `update`, for a caller who does not wait any longer once `signal` aborts. @throws `signal.reason` */
  updateFor(signal: AbortSignal | undefined): Promise<void> {
    const updated = this.update();
    if (!signal) return updated;
    const pending = new Pending<void>({ clock: this.clock, operation: "update", signal });
    void updated.then(() => pending.resolve());
    return pending.promise;
  }

  /** As `update`, for who has switched something off. @throws why that could not be turned off, or is not known to be */
  async updateOff(activity: RadioActivity): Promise<void> {
    const stuck = await this.#run();
    if (stuck.has(activity)) throw stuck.get(activity);
  }

  /** Runs commands of an activity when no other is being turned on or off. @throws what `commands` throws */
  inTurn(commands: () => Promise<void>): Promise<void> {
    const done = this.#running.then(commands);
    this.#running = done.catch(() => undefined);
    return done;
  }

  #run(): Promise<Stuck> {
    if (this.#closed) return Promise.resolve(NOTHING_STUCK);
    const run = this.#running
      .then(() => this.#reconcile())
      // Nothing above can do anything about it but end: whoever wanted something is told.
      .catch((error: unknown) => {
        for (const activity of this.#activities) if (activity.wanted) activity.failed(error);
        return NOTHING_STUCK;
      });
    this.#running = run;
    return run;
  }

  /** The controller was reset: everything is off, and what is wanted is set up anew. */
  onReset(): void {
    this.#register = undefined;
    this.#accepted = undefined;
    this.#alone = undefined;
    this.resolvingList?.reset();
    this.#failures.clear();
    for (const activity of this.#activities) activity.reset();
    void this.update();
  }

  /** The controller is gone: nothing is on any more. */
  close(error: unknown): void {
    if (this.#closed) return;
    this.#closed = { error };
    this.#rotation?.[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
    for (const activity of this.#activities) activity.gone(error);
  }

  async #reconcile(): Promise<Stuck> {
    if (this.#closed) return NOTHING_STUCK;
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
    if (this.#alone && !this.#alone.wanted) this.#alone = undefined;
    const stuck = new Map<RadioActivity, unknown>();
    if (this.resolvingList?.isStale) await this.#giveResolvingList(this.resolvingList, stuck);
    if (this.#closed) return NOTHING_STUCK;
    this.#rotateIfDue();
    const target = this.#targetAddress();
    const changes = target !== undefined && !(this.#register && target.equals(this.#register));
    const list = this.#activities.find(({ wanted, acceptList }) => wanted && acceptList)?.acceptList;
    const listChanges = list !== undefined && !this.holdsAcceptList(list);
    for (const activity of this.#activities) {
      if (activity.stale) await activity.refresh?.();
      const mustEnd =
        (changes && !activity.hasOwnRandomAddress) ||
        (listChanges && activity.isFiltered) ||
        activity.state === "unknown" ||
        activity.stale ||
        !this.#mayRun(activity, target, list);
      if (activity.state === "off") this.#failures.delete(activity);
      else if (mustEnd && !stuck.has(activity)) await this.#halt(activity, stuck);
    }
    if (this.#closed) return NOTHING_STUCK;
    // What still runs with what is wanted of it goes on, although it was to be stopped for the address of another.
    for (const [activity, error] of stuck) if (activity.state === "unknown" || activity.stale) activity.failed(error);
    const available = await this.#giveAddress(changes ? target : undefined, stuck);
    if (listChanges) await this.#giveAcceptList(list, stuck);
    for (const activity of this.#activities) {
      if (this.#closed) return NOTHING_STUCK;
      if (activity.state === "off" && this.#mayRun(activity, available, this.#accepted)) await this.#start(activity, available, stuck);
    }
    for (const activity of this.#activities) if (activity.state === "off" && !activity.wanted) await activity.release?.();
    if (this.#closed) return NOTHING_STUCK;
    this.#armRotation();
    this.#repair(stuck);
    return stuck;
  }

  /** What goes on against our will, or perhaps goes on, is turned off: at once where that was not tried yet, else after a while. */
  #repair(stuck: Stuck): void {
    const left = this.#activities.filter((activity) => activity.state === "unknown" || (activity.state === "on" && !activity.wanted));
    if (this.#closed || left.length === 0) return;
    if (!left.some((activity) => stuck.has(activity))) {
      void this.update();
      return;
    }
    const failures = Math.max(...left.map((activity) => this.#failures.get(activity) ?? 0));
    this.#retry = this.clock.setTimer(RETRY_MS * 2 ** Math.max(0, failures - 1), "switching off", () => void this.update());
  }

  /** The random address that the first in line needs; `undefined`: any, or none. */
  #targetAddress(): Address | undefined {
    let anyWill = false;
    for (const activity of this.#activities) {
      if (!activity.wanted || activity.ownAddress === "public" || activity.hasOwnRandomAddress) continue;
      if (!activity.takesAnyRandomAddress) return this.#own.current(activity.ownAddress);
      anyWill = true;
    }
    if (!anyWill) return undefined;
    // Only scanning is left: its own wish counts as long as nobody else is served by what is there.
    const scanning = this.#activities.find(
      (activity) => activity.wanted && activity.ownAddress !== "public" && !activity.hasOwnRandomAddress,
    )!;
    return this.#own.current(scanning.ownAddress);
  }

  #mayRun(activity: RadioActivity, target: Address | undefined, list: readonly Address[] | undefined): boolean {
    if (!activity.wanted) return false;
    if (this.#alone && this.#alone !== activity) return false;
    const { acceptList, goesWithoutAcceptList } = activity;
    if (acceptList && !goesWithoutAcceptList && !(list && isSameList(list, acceptList))) return false;
    if (activity.ownAddress === "public" || activity.takesAnyRandomAddress || activity.hasOwnRandomAddress) return true;
    return target?.equals(this.#own.current(activity.ownAddress)) ?? false;
  }

  async #start(activity: RadioActivity, address: Address | undefined, stuck: Map<RadioActivity, unknown>): Promise<void> {
    try {
      await activity.turnOn();
    } catch (error) {
      if (!isDisallowed(error)) activity.failed(error);
      else if (activity.state === "unknown") await this.#restart(activity, error, stuck);
      else await this.#startAlone(activity, address, error, stuck);
    }
  }

  /** Some controllers do not initiate while they scan or advertise. Initiating comes first: it is over soon. */
  async #startAlone(activity: RadioActivity, address: Address | undefined, refusal: unknown, stuck: Map<RadioActivity, unknown>) {
    if (activity !== this.#activities[0]) return activity.failed(refusal);
    const others = this.#activities.filter((other) => other !== activity && other.state !== "off");
    if (others.length > 0) {
      this.#logger.debug(() => `${activity.name} is refused beside ${others.map(({ name }) => name).join(" and ")}, which now wait`);
      for (const other of others) await this.#halt(other, stuck);
      this.#alone = activity;
      if (!this.#mayRun(activity, address, this.#accepted)) return;
      try {
        return await activity.turnOn();
      } catch (again) {
        this.#alone = undefined;
        if (!isDisallowed(again)) return activity.failed(again);
      }
    }
    // Nothing else is on, so it is this one that the controller still does.
    activity.distrust();
    await this.#restart(activity, refusal, stuck);
  }

  /** The controller says that it does already what was thought to be off. */
  async #restart(activity: RadioActivity, refusal: unknown, stuck: Map<RadioActivity, unknown>): Promise<void> {
    await this.#halt(activity, stuck);
    if (activity.state !== "off") return activity.failed(refusal);
    if (!activity.wanted || this.#closed) return;
    try {
      await activity.turnOn();
    } catch (error) {
      activity.failed(error);
    }
  }

  async #halt(activity: RadioActivity, stuck: Map<RadioActivity, unknown>): Promise<void> {
    try {
      await activity.turnOff();
      this.#failures.delete(activity);
      stuck.delete(activity);
    } catch (error) {
      stuck.set(activity, error);
      if (this.#closed) return;
      const failures = (this.#failures.get(activity) ?? 0) + 1;
      this.#failures.set(activity, failures);
      this.#logger.warn(() => `${activity.name} could not be stopped: ${error instanceof BleError ? error.message : "unexpected error"}`);
      if (failures < MAX_FAILURES) return;
      this.onLost?.(new ControllerError(`the controller cannot be made to end ${activity.name}; it is reset`, { cause: error }));
    }
  }

  /** Sets the random address where it changes. Gives the one that is there then. */
  async #giveAddress(address: Address | undefined, stuck: Map<RadioActivity, unknown>): Promise<Address | undefined> {
    if (!address) return this.#register;
    let failure: unknown;
    for (let attempt = 0; attempt < 2; attempt++) {
      // It may not change while something that shows it is on (7.8.4).
      const standing = [...stuck].find(([{ hasOwnRandomAddress }]) => !hasOwnRandomAddress);
      if (standing) failure = standing[1];
      else {
        try {
          await this.#port.send(LeSetRandomAddress, { randomAddress: address });
          this.#register = address;
          return address;
        } catch (error) {
          failure = error;
          if (!isRefusal(error)) this.#register = undefined;
          if (!isDisallowed(error)) break;
          // Something is on that was thought to be off.
          const suspects = this.#activities.filter(({ hasOwnRandomAddress }) => !hasOwnRandomAddress);
          for (const activity of suspects) activity.distrust();
          for (const activity of suspects) await this.#halt(activity, stuck);
        }
      }
    }
    for (const activity of this.#activities) {
      if (activity.wanted && activity.state === "off" && !this.#isServed(activity)) activity.failed(failure);
    }
    return this.#register;
  }

  /** Brings the resolving list to what it is to be, for which everything has to be off (7.8.38 to 7.8.44, 7.8.77). It goes on afterwards. */
  async #giveResolvingList(list: ResolvingList, stuck: Map<RadioActivity, unknown>): Promise<void> {
    for (let attempt = 0; attempt < 2; attempt++) {
      for (const activity of this.#activities)
        if (activity.state !== "off" && !activity.allowsResolvingListChange) await this.#halt(activity, stuck);
      if (this.#closed || stuck.size > 0) return; // at the next run, when those are off
      try {
        await list.apply();
        return;
      } catch (error) {
        this.#logger.info(() => `the resolving list could not be set: ${error instanceof BleError ? error.message : "unexpected error"}`);
        if (!isDisallowed(error)) break;
        // Something is on that was thought to be off.
        for (const activity of this.#activities) if (!activity.allowsResolvingListChange) activity.distrust();
      }
    }
    list.giveUp();
  }

  /** Fills the filter accept list anew. Who cannot do without it is told where that fails. */
  async #giveAcceptList(list: readonly Address[], stuck: Stuck): Promise<void> {
    try {
      for (const [activity, error] of stuck) if (activity.isFiltered) throw error;
      this.#accepted = undefined;
      await this.#port.send(LeClearFilterAcceptList, {});
      for (const { type, bytes } of list) await this.#port.send(LeAddDeviceToFilterAcceptList, { addressType: type, address: bytes });
      this.#accepted = list;
    } catch (error) {
      for (const activity of this.#activities) {
        const { wanted, state, acceptList, goesWithoutAcceptList } = activity;
        if (wanted && state === "off" && acceptList && isSameList(acceptList, list) && !goesWithoutAcceptList) activity.failed(error);
      }
    }
  }

  /** Whether the random address that is there does for it. */
  #isServed({ ownAddress, takesAnyRandomAddress, hasOwnRandomAddress }: RadioActivity): boolean {
    if (ownAddress === "public" || hasOwnRandomAddress) return true;
    return this.#register !== undefined && (takesAnyRandomAddress || this.#register.equals(this.#own.current(ownAddress)));
  }

  get #showsPrivateAddress(): boolean {
    return this.#activities.some((activity) => activity.state !== "off" && this.#changesWithTime(activity));
  }

  /** Whether its address is one that is changed here. */
  #changesWithTime({ ownAddress, hasControllerAddress = false }: RadioActivity): boolean {
    return !hasControllerAddress && this.#own.changesWithTime(ownAddress);
  }

  #rotateIfDue(): void {
    const wanted = this.#activities.some((activity) => activity.wanted && this.#changesWithTime(activity));
    if (!wanted || this.#own.rotationDueInMs > 0) return;
    if (this.#showsPrivateAddress && this.hasPrivateLink()) return;
    // An attempt in progress is not disturbed; it is over soon and calls `update`.
    if (this.#activities[0]?.state !== "off" && this.#activities[0]?.wanted) return;
    this.#own.rotate();
  }

  /** One timer, set only while a private address is on air. */
  #armRotation(): void {
    this.#rotation?.[Symbol.dispose]();
    this.#rotation = undefined;
    if (this.#closed || !this.#showsPrivateAddress) return;
    const dueInMs = this.#own.rotationDueInMs;
    if (dueInMs <= 0) return; // held back by a link or an attempt; their end calls `update`
    this.#rotation = this.clock.setTimer(dueInMs, "private address", () => void this.update());
  }
}

/** Whether two lists hold the same addresses, whatever their order. */
function isSameList(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address) => b.some((other) => other.equals(address)));
}
