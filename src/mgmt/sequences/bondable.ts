import { type OperationOptions, SharedWork } from "../../async/index.ts";
import { commands, hasBit, type MgmtReplyPacket, Settings } from "../../mgmt-protocol/index.ts";
import type { Mgmt, MgmtClient } from "../client.ts";
import { MgmtError } from "../error.ts";
import { onAdapterGone } from "./gone.ts";
import { PUT_AWAY_MS, putAway } from "./put-away.ts";

/** Two programs that want opposite things are not to fight for ever. */
const MOST_CORRECTIONS = 16;

/**
 * One controller's Bondable, held on by any number of pairings of a client. Other programs, and other clients of this one, have the setting
 * too: what they make of it is told by New Settings. One that switches it off, because its own pairing is over, is corrected as long as it
 * is held here, and its wish is remembered for the end.
 */
class Hold {
  count = 0;
  readonly #mgmt: Mgmt;
  readonly #index: number;
  readonly #listeners: Disposable[];
  readonly #holds: Map<number, Hold>;
  readonly ready: SharedWork<void>;
  /** What others want, as far as is known: how it was before, then what they have made of it. */
  #othersWant: boolean | undefined;
  #isOn = false;
  /** Whether the reply to a Set Bondable that is expected next is to one of this hold. */
  #ours = 0;
  #corrections = 0;
  /** There is nothing to set back any more, or it has been. */
  #isLost = false;

  /** @param holds those of the client, among which this one is until it has ended */
  constructor(mgmt: Mgmt, index: number, holds: Map<number, Hold>) {
    this.#mgmt = mgmt;
    this.#index = index;
    this.#holds = holds;
    holds.set(index, this);
    this.#listeners = [
      mgmt.on("newSettings", (event) => event.index === index && this.#heard(event.currentSettings)),
      mgmt.on("reply", (reply) => reply.index === index && this.#replied(reply)),
      ...onAdapterGone(mgmt, index, () => this.#lose()), // another one may get its number
      mgmt.on("close", () => this.#lose()),
    ];
    this.ready = new SharedWork<void>({ clock: mgmt.clock, operation: `Bondable of hci${index}`, run: (signal) => this.#switchOn(signal) });
  }

  /** The last of those who held it has gone. What is left to say is said behind their back. */
  release(): void {
    this.#end();
    if (!this.#isLost && this.#othersWant === false && (this.#isOn || this.#ours > 0)) {
      this.#isLost = true;
      void putAway(this.#mgmt.setBondable(this.#index, false, { timeoutMs: PUT_AWAY_MS }));
    }
  }

  async #switchOn(signal: AbortSignal): Promise<void> {
    try {
      await this.#mgmt.readControllerInformation(this.#index, { signal }); // its answer is taken by `#replied`, in its place among the events
      if (!this.#isOn) await this.#set(signal);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  async #set(signal?: AbortSignal): Promise<void> {
    this.#ours++;
    try {
      await this.#mgmt.setBondable(this.#index, true, { signal });
    } catch (error) {
      if (error instanceof MgmtError) this.#ours--; // refused; otherwise it may still be carried out
      throw error;
    }
  }

  #replied({ declaration, returns }: MgmtReplyPacket): void {
    const settings = returns instanceof Uint8Array ? undefined : returns?.currentSettings;
    if (typeof settings !== "number") return;
    if (declaration === commands.setBondable && this.#ours > 0) {
      this.#ours--;
      this.#isOn = hasBit(Settings, settings, "Bondable");
    } else if (declaration === commands.readControllerInformation && this.#othersWant === undefined) {
      this.#isOn = hasBit(Settings, settings, "Bondable");
      this.#othersWant = this.#isOn;
    } else this.#heard(settings);
  }

  #heard(settings: number): void {
    const isOn = hasBit(Settings, settings, "Bondable");
    if (this.#othersWant === undefined || isOn === this.#isOn) return; // about another setting
    this.#isOn = isOn;
    this.#othersWant = isOn;
    if (!isOn && ++this.#corrections <= MOST_CORRECTIONS) void putAway(this.#set());
  }

  #lose(): void {
    this.#isLost = true;
    this.#end();
  }

  #end(): void {
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    if (this.#holds.get(this.#index) === this) this.#holds.delete(this.#index);
  }
}

const holds = new WeakMap<MgmtClient, Map<number, Hold>>();

/**
 * Switches Bondable on until the result is disposed of, and off again then if others want it off. The kernel clears it at the first command
 * that any program sends to a controller; without it no key is kept.
 */
export async function holdBondable(mgmt: Mgmt, index: number, options: OperationOptions = {}): Promise<Disposable> {
  options.signal?.throwIfAborted();
  const ofClient = holds.get(mgmt) ?? new Map<number, Hold>();
  holds.set(mgmt, ofClient);
  const held = ofClient.get(index) ?? new Hold(mgmt, index, ofClient);
  held.count++;
  let released = false;
  const release = (): void => {
    if (released) return;
    released = true;
    if (--held.count === 0) held.release();
  };
  try {
    if (!held.ready.over) await held.ready.join(options); // one that failed is no longer among the holds
  } catch (error) {
    release();
    throw error;
  }
  return { [Symbol.dispose]: release };
}
