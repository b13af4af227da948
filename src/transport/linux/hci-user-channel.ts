import { type Clock, delay, SystemClock } from "../../async/clock.ts";
import { Pending } from "../../async/pending.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { commands, encodeCommand, hasBit, Settings, Status } from "../../mgmt-protocol/index.ts";
import { HciChannel, NO_DEVICE, openBluetoothSocket } from "./bluetooth-socket.ts";
import { type Borrowed, forgetBorrowed, rememberBorrowed } from "./borrow/borrowed-adapters.ts";
import { isLeft, restoreAdapter, restoreLeftBehind } from "./borrow/left-behind.ts";
import { type AdapterAccess, type AdapterInformation, ManagementSocket } from "./borrow/management-socket.ts";
import { type BorrowNote, BorrowNotes } from "./borrow/note.ts";
import { adapterExists, type LinuxFolders, systemFolders } from "./folders.ts";
import { DescriptorTransport } from "./socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, SystemError } from "./socket-calls.ts";
import { describeFailure, describeMissing } from "./socket-failure.ts";
import { findDaemon, findSocketHolders, hasSeveralSockets } from "./socket-holders.ts";

const HCIDEVUP = 0x400448c9;
const HCIDEVDOWN = 0x400448ca;

/** How long a bind is tried again while the adapter is busy: it is, for a moment, after it was plugged in or powered off. */
const BUSY_MS = 3_000;
const BUSY_PAUSE_MS = 100;
/** How long the settings have to stay as they were until an adapter is given back where bluetoothd runs. */
const SETTLE_MS = 500;
/** How long opening an adapter waits for others that were left behind: the commands for one that answers take a few milliseconds. */
const OTHERS_MS = 500;
/** How long an adapter that could not be opened may take until it can be set back; whoever has it may keep it. */
const FAILED_MS = 500;

export interface UserChannelOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
  /** The C library; another one in tests. */
  readonly calls?: LinuxCalls;
  /** Where the system tells about itself; other folders in tests. */
  readonly folders?: LinuxFolders;
}

/**
 * Opens adapter hciN for exclusive use: the kernel's own stack leaves it to this process. An adapter that is powered is powered off before
 * through the management API. Its settings are compared with those before, and what differs is set back, when the transport is disposed of,
 * when a signal ends the process that nobody else handles, and, after a crash, when a process of this user opens an adapter or calls
 * `restoreLeftBehind` the next time; opening one restores the others that were left behind.
 *
 * The controller arrives as the kernel left it; nothing is initialised, not even reset.
 *
 * @param index N of hciN
 * @throws {TransportError} one sentence: no such adapter, no permission, in use, switched off, no Bluetooth, koffi missing
 * @throws `signal.reason` once `signal` aborts
 */
export async function openHciUserChannel(
  index: number,
  { clock = new SystemClock(), signal, calls = loadLinuxCalls(`hci:${index}`), folders = systemFolders() }: UserChannelOptions = {},
): Promise<HciTransport> {
  signal?.throwIfAborted();
  // Others that were left behind are none of this one's business: what becomes of them is not waited for longer than a moment, and what is
  // not done when this one is given back is left for the next start.
  const enough = new AbortController();
  const others = restoreLeftBehind({ clock, calls, folders, signal: enough.signal, except: index }).catch(() => undefined);
  const borrowing = new Borrowing({ clock, calls, folders }, index, () => enough.abort());
  const [opened] = await Promise.allSettled([borrowing.open(signal), inAMoment(clock, others, signal)]);
  if (opened.status === "rejected") {
    enough.abort();
    throw opened.reason;
  }
  if (!signal?.aborted) return opened.value;
  await opened.value[Symbol.asyncDispose]();
  throw signal.reason;
}

/** Until it is done, the moment is over, or the caller gives up. */
async function inAMoment(clock: Clock, done: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const moment = new Pending<unknown>({ clock, operation: "adapters left behind", signal, timeoutMs: OTHERS_MS });
  void done.then((outcome) => moment.resolve(outcome));
  await moment.promise.catch(() => undefined);
}

/** One adapter, from before it is touched until it is given back. */
class Borrowing implements Borrowed {
  readonly #access: AdapterAccess;
  readonly #index: number;
  readonly #spec: string;
  readonly #notes: BorrowNotes;
  /** The note of a dead process about this adapter. */
  #left: BorrowNote | undefined;
  readonly #ending = new AbortController();
  #opening: Promise<HciTransport> | undefined;
  #before: BorrowNote["before"];
  /** Whether the note about the adapter is this borrowing's; its process may have the adapter by another transport. */
  #noted = false;
  /** Whether the adapter may be another than it was. */
  #touched = false;
  #timesPoweredOff = 0;
  #loweredByIoctl = false;

  readonly #onGivenBack: () => void;

  /** @param onGivenBack the transport is closed; what the adapter was is about to be restored */
  constructor(access: AdapterAccess, index: number, onGivenBack: () => void) {
    this.#onGivenBack = onGivenBack;
    this.#access = access;
    this.#index = index;
    this.#spec = `hci:${index}`;
    this.#notes = new BorrowNotes(access.folders);
  }

  async open(signal: AbortSignal | undefined): Promise<HciTransport> {
    const ending = this.#ending.signal;
    rememberBorrowed(this);
    this.#opening = this.#open(signal ? AbortSignal.any([signal, ending]) : ending);
    try {
      return await this.#opening;
    } catch (error) {
      await Promise.allSettled([this.#restore(FAILED_MS)]); // what stood in the way first is what the caller is told
      throw error;
    }
  }

  /** Ends the opening, or what was opened. */
  async giveBack(): Promise<void> {
    this.#ending.abort(new Error("the process ends"));
    const [opened] = await Promise.allSettled([this.#opening]);
    if (opened.status === "fulfilled") await opened.value?.[Symbol.asyncDispose]();
    else await this.#restoring;
  }

  async #open(signal: AbortSignal): Promise<HciTransport> {
    const { clock, calls } = this.#access;
    const deadline = clock.now() + BUSY_MS;
    for (;;) {
      const last = clock.now() >= deadline;
      const descriptor = (await this.#prepare(signal, last)) ? this.#tryBind(last) : undefined;
      if (descriptor !== undefined) {
        this.#touched = true;
        this.#noted ||= this.#notes.claim(this.#index, undefined);
        const address = this.#before?.address;
        const info = address === undefined ? { spec: this.#spec } : { spec: this.#spec, address };
        return await DescriptorTransport.open(calls, descriptor, { info, signal, afterClose: () => this.#giveBack() });
      }
      await delay(clock, BUSY_PAUSE_MS, { signal, name: `${this.#spec} busy` });
    }
  }

  /** Notes how the adapter is, and powers it off. False: another process of this user is at it, for a moment perhaps. */
  async #prepare(signal: AbortSignal, last: boolean): Promise<boolean> {
    const { folders } = this.#access;
    using management = new ManagementSocket(this.#access, this.#index, signal);
    const found = await management.readInformation();
    const visible = "address" in found;
    if (!visible && !adapterExists(folders, this.#index)) throw describeMissing(this.#index, folders);
    const holder = this.#holder();
    if (holder !== undefined && (!visible || last)) throw this.#describeHolder(holder);
    if (holder !== undefined) return false;
    // Being set up, or in somebody's hands, or of a kind for which management has no commands: the bind will tell.
    if (!visible) return true;
    if (!this.#noted && !this.#claim(found)) return false;
    if (hasBit(Settings, found.current, "Powered")) await this.#powerOff(management);
    return true;
  }

  /** Notes what a dead process has found, unless it was another adapter, or somebody has taken the adapter over since; else what is now. */
  #claim({ address, current }: AdapterInformation): boolean {
    const note = this.#notes.read(this.#index);
    const left = note && isLeft(this.#notes, note) ? note : undefined;
    const inherits = left?.before?.address === address && !hasBit(Settings, current, "Powered");
    const before = inherits ? left.before : { address, settings: current };
    if (!this.#notes.claim(this.#index, before)) return false;
    this.#noted = true;
    this.#before = before;
    this.#left = left;
    this.#touched = inherits; // not by this process, and to be restored all the same
    return true;
  }

  async #powerOff(management: ManagementSocket): Promise<void> {
    const touchedBefore = this.#touched;
    this.#touched = true;
    const status = await management.command(encodeCommand(commands.setPowered, this.#index, { powered: 0 }));
    if (status === Status.PermissionDenied) {
      this.#touched = touchedBefore;
      throw describeFailure(this.#spec, new SystemError("bind", Errno.EPERM), this.#access.folders);
    }
    this.#timesPoweredOff += 1;
    if (status === Status.Success || status === Status.InvalidIndex) return;
    // The management API is not the only way down. What went down this way comes up this way.
    this.#bring("down");
    this.#loweredByIoctl = true;
  }

  #bring(direction: "up" | "down"): void {
    const { calls, folders } = this.#access;
    const descriptor = openBluetoothSocket(calls, this.#spec, NO_DEVICE, HciChannel.Raw, folders);
    const failed = calls.ioctl(descriptor, direction === "up" ? HCIDEVUP : HCIDEVDOWN, this.#index) < 0;
    const error = new SystemError("ioctl", calls.errno());
    calls.close(descriptor);
    if (failed && error.errno !== Errno.EALREADY) throw describeFailure(this.#spec, error, folders);
  }

  /** Binds, or says undefined when the adapter is busy for a reason that may pass; at the `last` attempt that is an error too. */
  #tryBind(last: boolean): number | undefined {
    const { calls, folders } = this.#access;
    try {
      return openBluetoothSocket(calls, this.#spec, this.#index, HciChannel.User, folders);
    } catch (error) {
      if (!(error instanceof TransportError) || error.reason !== "busy") throw error;
      const holder = this.#holder();
      if (holder !== undefined) throw this.#describeHolder(holder);
      if (last) throw this.#describeBusy(error);
      return undefined;
    }
  }

  /** The living process of this user that has the adapter, by its note. */
  #holder(): number | undefined {
    const note = this.#notes.read(this.#index);
    if (!note || (this.#noted && this.#notes.isOwn(note))) return undefined;
    return this.#notes.stateOf(note) === "held" ? note.pid : undefined;
  }

  #describeHolder(pid: number): TransportError {
    return new TransportError("busy", `hci${this.#index} is used by process ${pid}`);
  }

  /** Nobody's note names who is in the way. */
  #describeBusy(error: TransportError): TransportError {
    const { folders } = this.#access;
    const busy = (message: string) => new TransportError("busy", `hci${this.#index} is busy: ${message}`, { cause: error.cause });
    if (this.#timesPoweredOff > 1) {
      const daemon = findDaemon(folders);
      if (!daemon) return busy("another program powers it on each time that it is powered off");
      const stop = 'stop it with "systemctl stop bluetooth"';
      return busy(`it is powered on each time that it is powered off, probably by ${daemon.name} (process ${daemon.pid}): ${stop}`);
    }
    const holders = findSocketHolders(folders).map(({ name, pid }) => `${name} (process ${pid})`);
    return holders.length === 0 ? error : busy(`another program has it for itself, perhaps ${holders.join(" or ")}`);
  }

  #giveBack(): Promise<void> {
    this.#onGivenBack();
    return this.#restore();
  }

  #restoring: Promise<void> | undefined;

  /** Sets back what differs, once. What cannot be is left for the next start. */
  #restore(patienceMs?: number): Promise<void> {
    this.#restoring ??= this.#doRestore(patienceMs).finally(() => forgetBorrowed(this));
    return this.#restoring;
  }

  async #doRestore(patienceMs: number | undefined): Promise<void> {
    const before = this.#before;
    if (this.#touched && before) {
      try {
        if (this.#loweredByIoctl) this.#bring("up");
        const { folders } = this.#access;
        const settleMs = patienceMs === undefined && hasSeveralSockets(folders) && findDaemon(folders) ? SETTLE_MS : 0;
        const { outcome } = await restoreAdapter(this.#access, this.#index, before, { patienceMs, settleMs });
        if (outcome === "in-use") throw new TransportError("busy", `hci${this.#index} is in other hands and could not be set back`);
      } catch (error) {
        this.#notes.abandon(this.#index, before);
        throw error;
      }
    }
    if (!this.#noted) return;
    if (this.#left && !this.#touched) this.#notes.putBack(this.#left);
    else this.#notes.removeOwn(this.#index);
  }
}
