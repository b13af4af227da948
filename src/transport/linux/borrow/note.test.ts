import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { BorrowNotes } from "./note.ts";

const BEFORE = { address: "00:AA:01:00:00:01", settings: 0x281 };
const BOOT = "boot-one";

/** Folders of a system of their own: this process started at tick 5, process 40 at tick 9. */
class System implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "jelling-notes-"));
  readonly folders = { sys: join(this.root, "sys"), proc: join(this.root, "proc"), run: join(this.root, "run") };
  readonly folder = join(this.folders.run, "jelling");
  constructor() {
    this.put("sys/kernel/random/boot_id", BOOT);
    this.process(process.pid, "S", 5);
    this.process(40, "S", 9);
  }
  put(path: string, text: string): void {
    mkdirSync(join(this.folders.proc, path, ".."), { recursive: true });
    writeFileSync(join(this.folders.proc, path), text);
  }
  process(pid: number, state: string, startTime: number): void {
    this.put(`${pid}/stat`, `${pid} (a (b) c) ${state} 1 ${"0 ".repeat(17)}${startTime} 0`);
  }
  write(name: string, value: unknown): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, name), typeof value === "string" ? value : JSON.stringify(value));
  }
  get names(): string[] {
    return existsSync(this.folder) ? readdirSync(this.folder).sort() : [];
  }
  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

const foreign = (changes: object = {}): object => ({ index: 1, pid: 40, startTime: "9", bootId: BOOT, before: BEFORE, ...changes });

describe("notes about borrowed adapters", () => {
  test("are readable by their user alone, name their process, and are gone when it gives back", () => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    expect(notes.claim(12, BEFORE)).toBe(true);
    expect(statSync(system.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(system.folder, "hci12")).mode & 0o777).toBe(0o600);
    expect(notes.read(12)).toEqual({ index: 12, pid: process.pid, startTime: "5", bootId: BOOT, abandoned: false, before: BEFORE });
    expect(notes.all().map(({ index }) => index)).toEqual([12]);
    expect(notes.isOwn(notes.read(12)!)).toBe(true);
    notes.removeOwn(12);
    expect(system.names).toEqual([]);
  });

  test("of an adapter that could not be given back say so, in a folder that is made for them", () => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    notes.abandon(1, BEFORE);
    expect(statSync(system.folder).mode & 0o777).toBe(0o700);
    expect(notes.stateOf(notes.read(1)!)).toBe("left");
    expect(system.names).toEqual(["hci1"]);
  });

  test.each([
    ["another process", { pid: 40, startTime: "5" }],
    ["another that got its number", { pid: process.pid, startTime: "4" }],
    ["the same number before the machine was started", { pid: process.pid, startTime: "5", bootId: "boot-zero" }],
  ])("of %s are not this one's, and stay", (_, changes) => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", foreign(changes));
    expect(notes.isOwn(notes.read(1)!)).toBe(false);
    notes.removeOwn(1);
    expect(system.names).toEqual(["hci1"]);
  });

  test.each<[string, object, "held" | "left" | "outdated"]>([
    ["lives", {}, "held"],
    ["is dead", { pid: 41 }, "left"],
    ["is another by now", { startTime: "8" }, "left"],
    ["was before the machine was started", { bootId: "boot-zero" }, "outdated"],
    ["gave up", { abandoned: true }, "left"],
    ["does not say when it started", { startTime: "" }, "held"],
  ])("of a process that %s", (_, changes, state) => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", foreign(changes));
    expect(notes.stateOf(notes.read(1)!)).toBe(state);
    expect(notes.claim(1, undefined)).toBe(state !== "held");
    expect(notes.read(1)!.pid).toBe(state === "held" ? 40 : process.pid);
    expect(system.names).toEqual(["hci1"]);
  });

  test.each(["Z", "X"])("of a process in state %s are left", (state) => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.process(40, state, 9);
    system.write("hci1", foreign());
    expect(notes.stateOf(notes.read(1)!)).toBe("left");
  });

  test("where the system tells nothing of processes, who can be signalled lives", () => {
    using system = new System();
    rmSync(join(system.folders.proc, String(process.pid)), { recursive: true });
    rmSync(join(system.folders.proc, "40"), { recursive: true });
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", foreign());
    const fail = (code: string) => () => {
      throw Object.assign(new Error(code), { code });
    };
    const kill = vi.spyOn(process, "kill");
    const stateWhen = (does: () => true): string => {
      kill.mockImplementation(does);
      return notes.stateOf(notes.read(1)!);
    };
    expect(stateWhen(() => true)).toBe("held");
    expect(stateWhen(fail("EPERM"))).toBe("held");
    expect(stateWhen(fail("ESRCH"))).toBe("left");
    kill.mockRestore();
  });

  test.each<[string, unknown]>([
    ["nothing", ""],
    ["half a note", '{"index":1,"pid":4'],
    ["a number", "5"],
    ["null", "null"],
    ["another adapter's", foreign({ index: 2 })],
    ["no process", foreign({ pid: 0 })],
    ["half a process", foreign({ pid: 1.5 })],
    ["no time of start", foreign({ startTime: 9 })],
    ["no start of the machine", foreign({ bootId: undefined })],
    ["no address", foreign({ before: { settings: 1 } })],
    ["no settings", foreign({ before: { address: BEFORE.address } })],
    ["nothing before", foreign({ before: null })],
  ])("with %s in them are none, and are put away", (_, text) => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", text);
    expect(notes.read(1)).toBeUndefined();
    expect(notes.all()).toEqual([]);
    expect(system.names).toEqual([]);
    system.write("hci1", text);
    expect(notes.claim(1, BEFORE)).toBe(true);
    expect(notes.read(1)?.pid).toBe(process.pid);
  });

  test("that a living process is writing are left to it, those of a dead one and foreign files are not looked at twice", () => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    for (const name of ["hci1.40", "hci1.41", "hci", "hci1x", "hci2.", "xhci3", "notes"]) system.write(name, foreign());
    expect(notes.all()).toEqual([]);
    expect(system.names).toEqual(["hci", "hci1.40", "hci1x", "hci2.", "notes", "xhci3"]);
  });

  test.each<[string, object | string]>([
    ["a sound note", foreign({ pid: 41 })],
    ["half a note", '{"index":1,"pid":4'],
  ])("that a living process writes while %s is looked at stand", (_, text) => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", text);
    const look = notes.read.bind(notes);
    vi.spyOn(notes, "read").mockImplementationOnce((index) => {
      const seen = look(index);
      system.write("hci1", foreign());
      return seen;
    });
    expect(notes.claim(1, BEFORE)).toBe(false);
    expect(notes.read(1)?.pid).toBe(40);
    expect(system.names).toEqual(["hci1"]);
  });

  test("of a process of which the system tells half are left, as those of one of which it tells nothing", () => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.put("40/stat", "40 (a) S 1");
    system.write("hci1", foreign({ startTime: "" }));
    expect(notes.stateOf(notes.read(1)!)).toBe("left");
  });

  test("are put back as they were, and removed unless they have become another's", () => {
    using system = new System();
    const notes = new BorrowNotes(system.folders);
    system.write("hci1", foreign({ pid: 41 }));
    const left = notes.read(1)!;
    expect(notes.claim(1, BEFORE)).toBe(true);
    notes.remove(left); // ours by now
    expect(notes.read(1)?.pid).toBe(process.pid);
    notes.putBack(left);
    expect(notes.read(1)).toEqual(left);
    notes.remove(left);
    notes.remove(left);
    expect(system.names).toEqual([]);
  });

  test("cannot be left without a folder for them, and nobody can object", () => {
    using system = new System();
    const none = new BorrowNotes({ ...system.folders, run: undefined });
    expect(none.claim(1, BEFORE)).toBe(true);
    none.abandon(1, BEFORE);
    none.removeOwn(1);
    expect([none.read(1), none.all()]).toEqual([undefined, []]);
    writeFileSync(system.folders.run, "a file where the folder should be");
    const blocked = new BorrowNotes(system.folders);
    expect(blocked.claim(1, BEFORE)).toBe(true);
    blocked.abandon(1, BEFORE);
    expect(blocked.read(1)).toBeUndefined();
    expect(readFileSync(system.folders.run, "utf8")).toContain("a file");
  });
});
