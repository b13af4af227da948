import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FakeAdapter, FakeKernel, type SettingName, settingsWord } from "../../../../test/support/fake-kernel.ts";
import { turn } from "../../../async/turn.ts";
import { VirtualClock } from "../../../async/virtual-clock.ts";
import { systemFolders } from "../folders.ts";
import { openHciUserChannel } from "../hci-user-channel.ts";
import { restoreLeftBehind } from "./left-behind.ts";
import { BorrowNotes } from "./note.ts";

const usual: SettingName[] = ["BREDR", "LowEnergy", "SecureSimplePairing", "Bondable"];
const bootId = "0e5c1f3a-boot";

/** A kernel with hci0 to hci2, all off, and a /proc with this process, a living one (40, started at tick 9) and nobody else. */
class Machine extends FakeKernel {
  readonly all = [0, 1, 2].map((index) => this.add(index, new FakeAdapter(`00:AA:01:00:00:0${index}`, ...usual)));
  readonly system = { ...this.folders, proc: join(this.folders.sys, "../proc") };
  readonly options = { calls: this.calls, folders: this.system };
  readonly #notes = join(this.folders.run!, "jelling");

  constructor() {
    super();
    this.putProc("sys/kernel/random/boot_id", bootId);
    this.putProcess(process.pid, "S", 5);
    this.putProcess(40, "S", 9);
  }

  putProc(path: string, text: string): void {
    mkdirSync(join(this.system.proc, path, ".."), { recursive: true });
    writeFileSync(join(this.system.proc, path), `${text}\n`);
  }

  putProcess(pid: number, state: string, startTime: number): void {
    this.putProc(`${pid}/stat`, `${pid} (odd) name (x) ${state} 1 ${"0 ".repeat(17)}${startTime} 0 0`);
  }

  /** Somebody's note about an adapter that was powered. */
  note(index: number, changes: object = {}): void {
    const before = { address: `00:AA:01:00:00:0${index}`, settings: settingsWord(...usual, "Powered") };
    this.write(`hci${index}`, JSON.stringify({ index, pid: 41, startTime: "9", bootId, before, ...changes }));
  }

  write(name: string, text: string): void {
    mkdirSync(this.#notes, { recursive: true });
    writeFileSync(join(this.#notes, name), text);
  }

  get notes(): string[] {
    return existsSync(this.#notes) ? readdirSync(this.#notes).sort() : [];
  }
}

describe.skipIf(process.platform !== "linux")("an adapter whose borrower is dead", () => {
  test("is restored, and its note removed", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.all[1]!.clear("Bondable");
    expect(await restoreLeftBehind({ clock, ...machine.options })).toEqual([
      { index: 1, address: "00:AA:01:00:00:01", outcome: "restored", settings: ["Bondable", "Powered"] },
    ]);
    expect(machine.log).toEqual(["Bondable on", "Powered on"]);
    expect(machine.notes).toEqual([]);
    expect(machine.openSockets).toBe(0);
    expect(await restoreLeftBehind({ clock, ...machine.options })).toEqual([]);
  });

  test("is restored when another one is opened", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.note(2, { pid: 40 });
    const transport = await openHciUserChannel(0, { clock, ...machine.options });
    expect(machine.all.map((adapter) => adapter.has("Powered"))).toEqual([false, true, false]);
    expect(machine.notes).toEqual(["hci0", "hci2"]);
    await transport[Symbol.asyncDispose]();
    expect(machine.notes).toEqual(["hci2"]);
  });

  test("and silent delays the opening of another one by a moment, and is left for the next start", async () => {
    using clock = new VirtualClock({ auto: false });
    using machine = new Machine();
    machine.note(1);
    machine.note(2);
    machine.silent.add(1);
    const opening = openHciUserChannel(0, { clock, ...machine.options });
    await clock.advance(500);
    const transport = await opening;
    expect(machine.all.map((adapter) => adapter.has("Powered"))).toEqual([false, false, true]);
    await transport[Symbol.asyncDispose]();
    expect(machine.notes).toEqual(["hci1"]);
    await clock.advance(5);
    expect(machine.openSockets).toBe(0);
    expect(clock.pending).toEqual([]);
  });

  test("and answers after a while is restored behind the back of who opened another one", async () => {
    using clock = new VirtualClock({ auto: false });
    using machine = new Machine();
    machine.note(1);
    machine.silent.add(1);
    const opening = openHciUserChannel(0, { clock, ...machine.options });
    await clock.advance(3_000);
    const transport = await opening;
    machine.answerLate(1);
    await clock.advance(100);
    expect(machine.all[1]!.has("Powered")).toBe(true);
    expect(machine.notes).toEqual(["hci0"]);
    await transport[Symbol.asyncDispose]();
  });

  test("and silent holds up nobody who fails to open another one", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.silent.add(1);
    await expect(openHciUserChannel(63, { clock, ...machine.options })).rejects.toMatchObject({ reason: "not-found" });
    expect(clock.now()).toBeLessThanOrEqual(500);
    const abort = new AbortController();
    clock.setTimer(100, "impatience", () => abort.abort(new Error("enough")));
    await expect(openHciUserChannel(0, { clock, ...machine.options, signal: abort.signal })).rejects.toThrow("enough");
    // Who left is not made to wait until the file system has taken the note away.
    for (let i = 0; i < 100_000 && machine.notes.length > 1; i++) await turn();
    expect(machine.notes).toEqual(["hci1"]);
    await clock.advance(20);
    expect(clock.pending).toEqual([]);
  });

  test("and silent is told as failed after ten seconds, the others without delay", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.note(2);
    machine.silent.add(1);
    const restored = await restoreLeftBehind({ clock, ...machine.options });
    expect(clock.now()).toBeGreaterThanOrEqual(10_000);
    expect(restored.map(({ index, outcome }) => [index, outcome])).toEqual([
      [1, "failed"],
      [2, "restored"],
    ]);
    expect(restored[0]!.error?.message).toBe("hci1 did not answer the management command 0x4");
  });

  test("is restored when it is opened and closed again", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    const transport = await openHciUserChannel(1, { clock, ...machine.options });
    expect(machine.log).toEqual(["bound"]);
    const note = new BorrowNotes(machine.system).read(1);
    expect(note).toMatchObject({ pid: process.pid, startTime: "5", before: { settings: settingsWord(...usual, "Powered") } });
    await transport[Symbol.asyncDispose]();
    expect(machine.log).toEqual(["bound", "Powered on"]);
    expect(machine.notes).toEqual([]);
  });

  test.each<[string, object, string, string[]]>([
    ["lives", { pid: 40 }, "", ["hci1"]],
    ["lives and gave it up", { pid: 40, abandoned: true }, "restored", []],
    ["has its number from a dead one", { pid: 40, startTime: "8" }, "restored", []],
    ["is a zombie", { pid: 42 }, "restored", []],
    ["lived before the machine was started", { bootId: "another" }, "", []],
    ["had another adapter by that number", { before: { address: "00:AA:01:00:00:09", settings: 1 } }, "replaced", []],
    ["knew nothing of its settings", { before: undefined }, "", []],
  ])("process of the note: one that %s", async (_name, changes, outcome, left) => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.putProcess(42, "Z", 9);
    machine.note(1, changes);
    const restored = await restoreLeftBehind({ clock, ...machine.options });
    expect(restored.map((adapter) => adapter.outcome)).toEqual(outcome === "" ? [] : [outcome]);
    expect(machine.all[1]!.has("Powered")).toBe(outcome === "restored");
    expect(machine.notes).toEqual(left);
  });

  test("stays as it is when somebody has powered it on since", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.all[1]!.set("Powered", 1);
    machine.all[1]!.set("Bondable", 0);
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([{ outcome: "taken-over", settings: [] }]);
    expect(machine.all[1]!.has("Bondable")).toBe(false);
    machine.note(1);
    const transport = await openHciUserChannel(1, { clock, ...machine.options });
    await transport[Symbol.asyncDispose]();
    expect(machine.all[1]!.has("Bondable")).toBe(false);
    expect(machine.notes).toEqual([]);
  });

  test("is tried again later when another program has it, when it fails, or when the rights are missing; gone is gone", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    for (const index of [0, 1, 2]) machine.note(index);
    machine.all[0]!.taken = "foreign";
    machine.remove(2);
    machine.refusals.push(3);
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([
      { index: 0, outcome: "in-use" },
      {
        index: 1,
        outcome: "failed",
        error: { message: "hci1 could not be given back as it was: Powered (setting it on is answered with Failed)" },
      },
      { index: 2, outcome: "gone" },
    ]);
    expect(machine.notes).toEqual(["hci0", "hci1"]);
    machine.permitted = false;
    expect(await restoreLeftBehind({ clock, ...machine.options, except: 0 })).toMatchObject([
      { outcome: "failed", error: { reason: "permission" } },
    ]);
    await expect(openHciUserChannel(1, { clock, ...machine.options })).rejects.toMatchObject({ reason: "permission" });
    machine.permitted = true;
    machine.all[0]!.taken = "free";
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([{ outcome: "restored" }, { outcome: "restored" }]);
    expect(machine.notes).toEqual([]);
  });

  test("keeps its note when it cannot be opened", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.all[1]!.taken = "foreign";
    await expect(openHciUserChannel(1, { clock, ...machine.options })).rejects.toMatchObject({ reason: "busy" });
    machine.all[1]!.taken = "free";
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([{ outcome: "restored" }]);
  });

  test("leaves a note that only one of its successors can replace", () => {
    using machine = new Machine();
    machine.note(1);
    const notes = new BorrowNotes(machine.system);
    const before = { address: "00:AA:01:00:00:01", settings: 1 };
    expect(notes.claim(1, before)).toBe(true);
    expect(notes.read(1)).toMatchObject({ pid: process.pid, before });
    machine.note(1, { pid: 40 });
    expect(notes.claim(1, before)).toBe(false);
    expect(notes.read(1)).toMatchObject({ pid: 40 });
    machine.write("hci1", "cut o");
    expect(notes.claim(1, before)).toBe(true);
    expect(machine.notes).toEqual(["hci1"]);
  });

  test("may have left a note that is cut off, or not finished: these are removed, and nothing else", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(2);
    machine.write("hci0", '{"index":0,"pid":41,"startTime":"9","bo');
    machine.write("hci1", "41 powered\n");
    machine.write("hci2.41", "{");
    machine.write("hci2.40", "{");
    machine.write("hci7", "[]");
    machine.write("hci8", JSON.stringify({ index: 8, pid: -1, startTime: "9", bootId }));
    machine.write("hci9", JSON.stringify({ index: 9, pid: 41, startTime: "9", bootId, before: { address: 5, settings: "x" } }));
    machine.write("something else", "");
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([{ index: 2, outcome: "restored" }]);
    expect(machine.notes).toEqual(["hci2.40", "something else"]);
  });

  test("waits while the kernel sets it up, until the caller gives up", async () => {
    using clock = new VirtualClock();
    using machine = new Machine();
    machine.note(1);
    machine.all[1]!.taken = "foreign";
    const controller = new AbortController();
    clock.setTimer(200, "impatience", () => controller.abort(new Error("enough")));
    await expect(restoreLeftBehind({ clock, ...machine.options, signal: controller.signal })).rejects.toThrow("enough");
    expect(machine.notes).toEqual(["hci1"]);
    clock.setTimer(300, "set up", () => {
      machine.all[1]!.taken = "free";
    });
    expect(await restoreLeftBehind({ clock, ...machine.options })).toMatchObject([{ outcome: "restored" }]);
    expect(clock.pending).toEqual([]);
  });
});

test("without notes nothing is needed: no rights, no FFI package, not even Linux", async () => {
  expect(await restoreLeftBehind({ folders: { sys: "/nowhere", proc: "/nowhere", run: "/nowhere" } })).toEqual([]);
  expect(await restoreLeftBehind({ folders: { ...systemFolders(), run: undefined } })).toEqual([]);
});
