import { type Clock, delay, SystemClock } from "../../../async/clock.ts";
import { TransportError } from "../../../hci/transport.ts";
import { hasBit, Settings, Status } from "../../../mgmt-protocol/index.ts";
import { adapterExists, type LinuxFolders, rfkillBlock, systemFolders } from "../folders.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, SystemError } from "../socket-calls.ts";
import { describeFailure } from "../socket-failure.ts";
import { differingSettings, encodeStep, planRestoration, type RestorableSetting, type SettingStep } from "./adapter-settings.ts";
import { type AdapterAccess, ManagementSocket } from "./management-socket.ts";
import { type BorrowNote, BorrowNotes } from "./note.ts";

/** How long an adapter that a dead process had may take to answer. */
const LOOK_MS = 500;
/** How long one that was just given back may take. */
const RETURN_MS = 10_000;
/** What a step leads to may take another step: powering off ends a Discoverable with a time limit. */
const ROUNDS = 5;
/** Between two looks whether settings stay as they are. */
const SETTLE_PAUSE_MS = 50;

/** What became of an adapter that had been borrowed. */
export interface RestoredAdapter {
  readonly index: number;
  /** The adapter's public address. */
  readonly address: string;
  /**
   * `restored`: the `settings` were set back; `unchanged`: there was nothing to set back; `taken-over`: somebody has powered it on since,
   * and has the say; `in-use`: a program has it for itself, so it is tried again at the next start; `gone`: there is no such adapter;
   * `replaced`: another adapter has its number; `failed`: `error` tells why, and it is tried again at the next start.
   */
  readonly outcome: "restored" | "unchanged" | "taken-over" | "in-use" | "gone" | "replaced" | "failed";
  /** Those that were set back, in this order. */
  readonly settings: readonly RestorableSetting[];
  readonly error?: TransportError;
}

export interface RestoreOptions {
  readonly clock?: Clock | undefined;
  /** Gives up; what is not restored by then is left for the next start. */
  readonly signal?: AbortSignal | undefined;
  /** The C library; another one in tests. */
  readonly calls?: LinuxCalls | undefined;
  /** Where the system tells about itself; other folders in tests. */
  readonly folders?: LinuxFolders | undefined;
  /** An adapter that the caller looks after itself. */
  readonly except?: number | undefined;
}

/**
 * Restores the adapters that processes of this user had borrowed when they crashed or were killed. It does nothing where there is nothing
 * to restore, and then needs neither Linux nor the FFI package nor rights.
 *
 * @returns what became of each adapter; a failure is among it and not thrown
 * @throws `signal.reason` once `signal` aborts
 */
export async function restoreLeftBehind(options: RestoreOptions = {}): Promise<RestoredAdapter[]> {
  const { clock = new SystemClock(), folders = systemFolders(), signal, except } = options;
  signal?.throwIfAborted();
  const notes = new BorrowNotes(folders);
  const left = notes.all().filter((note) => note.index !== except && isLeft(notes, note));
  const restored = await Promise.all(
    left.map(async (note): Promise<RestoredAdapter | undefined> => {
      const { index, before } = note;
      if (!before) {
        notes.remove(note);
        return undefined;
      }
      let outcome: Omit<RestoredAdapter, "index" | "address">;
      try {
        const calls = options.calls ?? loadLinuxCalls(`hci:${index}`);
        outcome = await restoreAdapter({ clock, calls, folders }, index, before, { signal, patienceMs: LOOK_MS, respectful: true });
      } catch (error) {
        signal?.throwIfAborted();
        outcome = { outcome: "failed", settings: [], error: asTransportError(error, index) };
      }
      if (outcome.outcome !== "failed" && outcome.outcome !== "in-use") notes.remove(note);
      return { index, address: before.address, ...outcome };
    }),
  );
  return restored.filter((adapter) => adapter !== undefined);
}

/** Whether nobody looks after the adapter of this note; one from before the machine was started is removed. */
export function isLeft(notes: BorrowNotes, note: BorrowNote): boolean {
  const state = notes.stateOf(note);
  if (state === "outdated") notes.remove(note);
  return state === "left";
}

export interface RestoreAdapterOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the adapter may take to be there. */
  readonly patienceMs?: number | undefined;
  /** Leaves an adapter alone that is powered: somebody has taken it over. */
  readonly respectful?: boolean;
  /** How long the settings have to stay right until this is done: bluetoothd sets up an adapter that comes back as if it were new. */
  readonly settleMs?: number;
}

/**
 * Compares an adapter's settings with those it had, and sets back what differs.
 *
 * @throws {TransportError} a setting that could not be set back; the others are
 */
export async function restoreAdapter(
  access: AdapterAccess,
  index: number,
  before: NonNullable<BorrowNote["before"]>,
  { signal, patienceMs = RETURN_MS, respectful = false, settleMs = 0 }: RestoreAdapterOptions = {},
): Promise<Pick<RestoredAdapter, "outcome" | "settings">> {
  using management = new ManagementSocket(access, index, signal);
  const done: RestorableSetting[] = [];
  const failed = new Map<RestorableSetting, unknown>();
  let wanted = before.settings;
  for (let round = 1; ; round += 1) {
    const found = await management.readInformation(patienceMs);
    if ("status" in found) return { outcome: adapterExists(access.folders, index) ? "in-use" : "gone", settings: done };
    if (found.address !== before.address) return { outcome: "replaced", settings: done };
    if (round === 1 && respectful && hasBit(Settings, found.current, "Powered")) return { outcome: "taken-over", settings: done };
    // A block would have powered it off in anybody's hands, and its end does not power it on.
    if (rfkillBlock(access.folders, `hci${index}`)) wanted &= ~1;
    const steps = planRestoration(found, wanted).filter(({ setting }) => !failed.has(setting));
    const last = round > ROUNDS;
    if (steps.length === 0 && !last && settleMs > 0 && !(await staysSo(management, found.current, settleMs, access.clock, signal)))
      continue;
    if (steps.length === 0 || last) {
      const missing = differingSettings(found.current, wanted).filter((name) => failed.has(name));
      if (missing.length > 0) throw describeRest(index, missing, failed);
      return { outcome: done.length > 0 ? "restored" : "unchanged", settings: done };
    }
    for (const step of steps) {
      try {
        const status = await management.command(encodeStep(step, index));
        if (status === Status.Success) done.push(step.setting);
        else if (status === Status.PermissionDenied)
          throw describeFailure(`hci:${index}`, new SystemError("bind", Errno.EPERM), access.folders);
        else failed.set(step.setting, describeStatus(status, step));
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof TransportError && error.reason === "permission") throw error;
        failed.set(step.setting, error);
      }
    }
  }
}

async function staysSo(
  management: ManagementSocket,
  settings: number,
  forMs: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const end = clock.now() + forMs; clock.now() < end; ) {
    await delay(clock, SETTLE_PAUSE_MS, { signal, name: "settings of an adapter" });
    const now = await management.readInformation();
    if (!("address" in now) || now.current !== settings) return false;
  }
  return true;
}

function describeStatus(status: number, { on }: SettingStep): Error {
  const [name = String(status)] = Object.entries(Status).find(([, value]) => value === status) ?? [];
  return new Error(`setting it ${on ? "on" : "off"} is answered with ${name}`);
}

function describeRest(
  index: number,
  missing: readonly RestorableSetting[],
  failed: ReadonlyMap<RestorableSetting, unknown>,
): TransportError {
  const reasons = missing.map((name) => ({ name, cause: failed.get(name) }));
  const why = reasons.map(({ name, cause }) => (cause instanceof Error ? `${name} (${cause.message})` : name)).join(", ");
  return new TransportError("io", `hci${index} could not be given back as it was: ${why}`, { cause: reasons[0]?.cause });
}

function asTransportError(error: unknown, index: number): TransportError {
  return error instanceof TransportError ? error : new TransportError("io", `hci${index} could not be given back`, { cause: error });
}
