import { existsSync, linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LinuxFolders, namesIn, readText } from "../folders.ts";
import { makePrivateFolder } from "../private-folder.ts";

/** A process, told apart from another one that gets the same number later, and from those before the machine was started. */
interface ProcessIdentity {
  readonly pid: number;
  /** Ticks between the machine's start and the process'; empty where the system does not tell. */
  readonly startTime: string;
  /** Empty where the system does not tell. */
  readonly bootId: string;
}

/** Who has an adapter, and how it was before: for a message now, and to mend things after a crash. */
export interface BorrowNote extends ProcessIdentity {
  readonly index: number;
  /** What the adapter was, as the management API tells it; absent when it tells nothing. */
  readonly before?: { readonly address: string; readonly settings: number } | undefined;
  /** Its process lives, and could not give the adapter back. */
  readonly abandoned?: boolean | undefined;
}

/** The notes of this user's processes, one file for each adapter. Without a runtime folder there are none. */
export class BorrowNotes {
  readonly #proc: string;
  readonly #folder: string | undefined;

  constructor({ proc, run }: LinuxFolders) {
    this.#proc = proc;
    this.#folder = run === undefined ? undefined : join(run, "jelling");
  }

  /** The note about an adapter, if there is a sound one. */
  read(index: number): BorrowNote | undefined {
    if (this.#folder === undefined) return undefined;
    return parseNote(index, readText(this.#folder, fileName(index)) ?? "");
  }

  /** All of them. What cannot be read and what a dead process has not finished writing is removed. */
  all(): BorrowNote[] {
    const folder = this.#folder;
    if (folder === undefined) return [];
    return namesIn(folder).flatMap((name) => {
      const [, index, writer] = /^hci(\d+)(?:\.(\d+))?$/.exec(name) ?? [];
      if (index === undefined) return [];
      const note = writer === undefined ? this.read(Number(index)) : undefined;
      if (note) return [note];
      if (writer === undefined || !this.#runs(Number(writer))) rmSync(join(folder, name), { force: true });
      return [];
    });
  }

  /**
   * Leaves a note of this process, unless a living one has left one: of two that want an adapter at the same time only one may touch it.
   *
   * @returns whether the adapter is this process' now; where no notes can be left, nobody can object
   */
  claim(index: number, before: BorrowNote["before"]): boolean {
    if (this.#folder === undefined) return true;
    const path = join(this.#folder, fileName(index));
    const draft = `${path}.${process.pid}`;
    try {
      makePrivateFolder(this.#folder);
      if (!this.#clear(index, path, draft)) return false;
      writeFileSync(draft, serialize({ index, ...this.#self(), before }), { mode: 0o600 });
      linkSync(draft, path); // fails when there is one by now
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "EEXIST"; // without a note an adapter stays as it is after a crash
    } finally {
      removeDraft(draft);
    }
  }

  /** Changes this process' note: the adapter could not be given back, and is anybody's to mend. */
  abandon(index: number, before: BorrowNote["before"]): void {
    this.#put({ index, ...this.#self(), before, abandoned: true });
  }

  /** Puts back the note of another process. */
  putBack(note: BorrowNote): void {
    this.#put(note);
  }

  /** Removes a note unless it has become another one. */
  remove(note: BorrowNote): void {
    const present = this.read(note.index);
    if (this.#folder !== undefined && present && isSameProcess(present, note))
      rmSync(join(this.#folder, fileName(note.index)), { force: true });
  }

  /** Removes this process' note, and nobody else's. */
  removeOwn(index: number): void {
    this.remove({ index, ...this.#self() });
  }

  isOwn(note: BorrowNote): boolean {
    return isSameProcess(note, this.#self());
  }

  /**
   * `held`: its process lives and has the adapter; `left`: nobody looks after the adapter any more; `outdated`: it was written before the
   * machine was started, which has reset every adapter.
   */
  stateOf(note: BorrowNote): "held" | "left" | "outdated" {
    if (note.bootId !== this.#bootId()) return "outdated";
    if (note.abandoned) return "left";
    return this.#runs(note.pid, note.startTime) ? "held" : "left";
  }

  /** Makes room for a note, by way of another name, so that a note that somebody writes meanwhile is not lost. @returns false if one stands */
  #clear(index: number, path: string, aside: string): boolean {
    if (!existsSync(path)) return true;
    const present = this.read(index);
    if (present && this.stateOf(present) === "held") return false;
    try {
      renameSync(path, aside);
    } catch {
      return true; // another process was faster, and the link will tell
    }
    const moved = parseNote(index, readText(aside) ?? "");
    if (!moved || (present && isSameProcess(moved, present))) return true;
    linkSync(aside, path);
    return false;
  }

  #put(note: BorrowNote): void {
    if (this.#folder === undefined) return;
    const path = join(this.#folder, fileName(note.index));
    const draft = `${path}.${process.pid}`;
    try {
      makePrivateFolder(this.#folder);
      writeFileSync(draft, serialize(note), { mode: 0o600 });
      renameSync(draft, path);
    } catch {
      // Without a note an adapter stays as it is after a crash; that is no reason not to work.
      removeDraft(draft);
    }
  }

  #self(): ProcessIdentity {
    return { pid: process.pid, startTime: this.#processStat(process.pid)?.startTime ?? "", bootId: this.#bootId() };
  }

  #bootId(): string {
    return readText(this.#proc, "sys/kernel/random/boot_id") ?? "";
  }

  /** Whether there is such a process, and, if that is given, whether it is the one that started then. */
  #runs(pid: number, startTime = ""): boolean {
    const stat = this.#processStat(pid);
    if (stat) return stat.state !== "Z" && stat.state !== "X" && (startTime === "" || stat.startTime === startTime);
    if (this.#processStat(process.pid)) return false;
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EPERM";
    }
  }

  /** Fields 3 and 22 of /proc/PID/stat. The second is the program's name, which may have blanks and parentheses itself. */
  #processStat(pid: number): { state: string; startTime: string } | undefined {
    const text = readText(this.#proc, String(pid), "stat");
    const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state, startTime] = [fields?.[0], fields?.[19]];
    return state === undefined || startTime === undefined ? undefined : { state, startTime };
  }
}

/** Where there can be no notes, there are no drafts either. */
function removeDraft(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // the folder is none
  }
}

function serialize(note: BorrowNote): string {
  return `${JSON.stringify(note)}\n`;
}

function fileName(index: number): string {
  return `hci${index}`;
}

function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTime === b.startTime && a.bootId === b.bootId;
}

function parseNote(index: number, text: string): BorrowNote | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // a foreign file, or one that was cut off
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { pid, startTime, bootId, before, abandoned } = value as Partial<Record<keyof BorrowNote, unknown>>;
  const sound = Number.isSafeInteger(pid) && (pid as number) > 0 && typeof startTime === "string" && typeof bootId === "string";
  if (!sound || (value as { index?: unknown }).index !== index) return undefined;
  const process = { index, pid: pid as number, startTime, bootId, abandoned: abandoned === true };
  if (before === undefined) return process;
  const { address, settings } = (before ?? {}) as { address?: unknown; settings?: unknown };
  if (typeof address !== "string" || !Number.isSafeInteger(settings)) return undefined;
  return { ...process, before: { address, settings: settings as number } };
}
