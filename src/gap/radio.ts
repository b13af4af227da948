import type { Clock } from "../async/clock.ts";
import { Pending } from "../async/pending.ts";
import type { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { LeSetRandomAddress } from "../hci/commands/le-controller.ts";
import type { CommandDeclaration } from "../hci/declare.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { isPrivateKind, type OwnAddresses, type OwnAddressKind } from "./own-addresses.ts";

export type ParametersOf<D> = D extends CommandDeclaration<infer P, infer _> ? P : never;

/** The part of the host controller interface that this room uses. */
export interface CommandPort {
  send<P, R>(
    declaration: CommandDeclaration<P, R>,
    parameters: P,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<R>;
}

/** One of the three things a legacy controller does at its own pace: advertise, scan, initiate. */
export interface RadioActivity {
  readonly name: string;
  /** It should be on. */
  readonly wanted: boolean;
  /** It is on, as far as the controller has said. */
  readonly running: boolean;
  /** It is on with parameters that are no longer the right ones. */
  readonly stale: boolean;
  /** The own address it shows. */
  readonly ownAddress: OwnAddressKind;
  /** Whether another random address than its own does as well. */
  readonly takesAnyRandomAddress: boolean;
  /** Turns it on. A rejection is handed to `failed`. */
  turnOn(): Promise<void>;
  /** Turns it off; afterwards `running` is false. */
  turnOff(): Promise<void>;
  /** It cannot be on; `wanted` is false afterwards. */
  failed(error: unknown): void;
}

/**
 * What advertising, scanning and initiating share in a controller: one random address, which may not change while any of them is on
 * (LE Set Random Address, Vol 4 Part E 7.8.4), and commands that must come in the right order.
 *
 * Whoever wants something says so and calls `update`, which brings the controller to the wanted state, one run after the other. Who needs
 * the random address gets it in this order: initiating, advertising, scanning. Scanning takes whichever random address is there.
 * Advertising that needs another random address than a connection attempt in progress is off the air until that attempt is over; all
 * others are stopped for a moment when the address changes and started again with the new one.
 *
 * Private addresses change when they are due (15 minutes), at the start of an activity or in the middle of it, but not while a link made
 * with such an address is open; then once that link is closed.
 */
export class Radio {
  readonly #port: CommandPort;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #own: OwnAddresses;
  readonly #activities: RadioActivity[] = [];
  /** What the controller's random address is. */
  #register: Address | undefined;
  #rotation: Disposable | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed: { error: unknown } | undefined;
  /** An activity that this controller refuses to do beside others; those wait until it is over. */
  #alone: RadioActivity | undefined;
  /** Whether a link made with a private own address is open; set by the device. */
  hasPrivateLink: () => boolean = () => false;

  constructor({ port, clock, logger, own }: { port: CommandPort; clock: Clock; logger: Logger; own: OwnAddresses }) {
    this.#port = port;
    this.#clock = clock;
    this.#logger = logger;
    this.#own = own;
  }

  get own(): OwnAddresses {
    return this.#own;
  }

  /** Adds an activity; the first one added has the first claim on the random address. */
  add(activity: RadioActivity): void {
    this.#activities.push(activity);
  }

  /** Brings the controller to what is wanted now. Resolves when that was tried; what failed was told to the activity. */
  update(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#running = this.#running
      .then(() => this.#reconcile())
      // Nothing above can do anything about it but end: whoever wanted something is told.
      .catch((error: unknown) => {
        for (const activity of this.#activities) if (activity.wanted) activity.failed(error);
      });
    return this.#running;
  }

  /** As `update`, for a caller who does not wait any longer once `signal` aborts. @throws `signal.reason` */
  updateFor(signal: AbortSignal | undefined): Promise<void> {
    const updated = this.update();
    if (!signal) return updated;
    const pending = new Pending<void>({ clock: this.#clock, operation: "update", signal });
    void updated.then(() => pending.resolve());
    return pending.promise;
  }

  /** The controller is gone: nothing is on any more. */
  close(error: unknown): void {
    if (this.#closed) return;
    this.#closed = { error };
    this.#rotation?.[Symbol.dispose]();
    for (const activity of this.#activities) if (activity.wanted) activity.failed(error);
  }

  async #reconcile(): Promise<void> {
    if (this.#closed) return;
    if (this.#alone && !this.#alone.wanted) this.#alone = undefined;
    this.#rotateIfDue();
    const target = this.#targetAddress();
    const changes = target !== undefined && !(this.#register && target.equals(this.#register));
    for (const activity of this.#activities) {
      if (activity.running && (changes || activity.stale || !this.#mayRun(activity, target))) await this.#halt(activity);
    }
    if (changes && !(await this.#setRandomAddress(target))) return;
    for (const activity of this.#activities) {
      if (this.#closed) return;
      if (!activity.running && this.#mayRun(activity, target)) await this.#start(activity, target);
    }
    this.#armRotation();
  }

  /** The random address that the first in line needs; `undefined`: any, or none. */
  #targetAddress(): Address | undefined {
    let anyWill = false;
    for (const activity of this.#activities) {
      if (!activity.wanted || activity.ownAddress === "public") continue;
      if (!activity.takesAnyRandomAddress) return this.#own.current(activity.ownAddress);
      anyWill = true;
    }
    if (!anyWill) return undefined;
    // Only scanning is left: its own wish counts as long as nobody else is served by what is there.
    const scanning = this.#activities.find((activity) => activity.wanted && activity.ownAddress !== "public")!;
    return this.#own.current(scanning.ownAddress);
  }

  #mayRun(activity: RadioActivity, target: Address | undefined): boolean {
    if (!activity.wanted) return false;
    if (this.#alone && this.#alone !== activity) return false;
    if (activity.ownAddress === "public" || activity.takesAnyRandomAddress) return true;
    return target?.equals(this.#own.current(activity.ownAddress)) ?? false;
  }

  async #start(activity: RadioActivity, target: Address | undefined): Promise<void> {
    try {
      await activity.turnOn();
    } catch (error) {
      const others = this.#activities.filter((other) => other !== activity && other.running);
      const isDisallowed = error instanceof HciError && error.status === HciErrorCode.CommandDisallowed;
      // Some controllers do not initiate while they scan or advertise. Initiating comes first: it is over soon.
      if (!isDisallowed || others.length === 0 || activity !== this.#activities[0]) return activity.failed(error);
      this.#logger.debug(() => `${activity.name} is refused beside ${others.map(({ name }) => name).join(" and ")}, which now wait`);
      for (const other of others) await this.#halt(other);
      this.#alone = activity;
      if (!this.#mayRun(activity, target)) return;
      try {
        await activity.turnOn();
      } catch (again) {
        this.#alone = undefined;
        activity.failed(again);
      }
    }
  }

  async #halt(activity: RadioActivity): Promise<void> {
    try {
      await activity.turnOff();
    } catch (error) {
      // What could not be turned off shows when the next command is refused; its own users see that error.
      this.#logger.warn(() => `${activity.name} could not be stopped: ${error instanceof BleError ? error.message : "unexpected error"}`);
    }
  }

  async #setRandomAddress(address: Address): Promise<boolean> {
    try {
      await this.#port.send(LeSetRandomAddress, { randomAddress: address });
      this.#register = address;
      return true;
    } catch (error) {
      this.#register = undefined;
      for (const activity of this.#activities) if (activity.wanted && activity.ownAddress !== "public") activity.failed(error);
      // Those with a public address were stopped for the change and go on without it.
      for (const activity of this.#activities) {
        if (!activity.running && !this.#closed && this.#mayRun(activity, undefined)) await this.#start(activity, undefined);
      }
      return false;
    }
  }

  get #showsPrivateAddress(): boolean {
    return this.#activities.some((activity) => activity.running && isPrivateKind(activity.ownAddress));
  }

  #rotateIfDue(): void {
    const wanted = this.#activities.some((activity) => activity.wanted && isPrivateKind(activity.ownAddress));
    if (!wanted || this.#own.rotationDueInMs > 0) return;
    if (this.#showsPrivateAddress && this.hasPrivateLink()) return;
    // An attempt in progress is not disturbed; it is over soon and calls `update`.
    if (this.#activities[0]?.running && this.#activities[0].wanted) return;
    this.#own.rotate();
  }

  /** One timer, set only while a private address is on air. */
  #armRotation(): void {
    this.#rotation?.[Symbol.dispose]();
    this.#rotation = undefined;
    if (this.#closed || !this.#showsPrivateAddress) return;
    const dueInMs = this.#own.rotationDueInMs;
    if (dueInMs <= 0) return; // held back by a link or an attempt; their end calls `update`
    this.#rotation = this.#clock.setTimer(dueInMs, "private address", () => void this.update());
  }
}
