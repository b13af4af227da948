import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeAdapter, FakeKernel, type SettingName, settingsWord } from "../../../../test/support/fake-kernel.ts";
import { VirtualClock } from "../../../async/virtual-clock.ts";
import { commands, encodeCommand, Status } from "../../../mgmt-protocol/index.ts";
import { restoreAdapter } from "./left-behind.ts";
import { type AdapterAccess, ManagementSocket } from "./management-socket.ts";

const usual: SettingName[] = ["BREDR", "LowEnergy", "SecureSimplePairing", "Bondable"];
const address = "00:AA:01:00:00:00";

describe.skipIf(process.platform !== "linux")("giving back an adapter", () => {
  let clock: VirtualClock;
  let kernel: FakeKernel;
  let adapter: FakeAdapter;
  let access: AdapterAccess;
  beforeEach(() => {
    clock = new VirtualClock();
    kernel = new FakeKernel();
    adapter = kernel.add(0, new FakeAdapter(address, ...usual));
    access = { clock, calls: kernel.calls, folders: kernel.folders };
  });
  afterEach(() => {
    expect(clock.pending).toEqual([]);
    expect(kernel.openSockets).toBe(0);
    kernel[Symbol.dispose]();
    clock[Symbol.dispose]();
  });
  const before = (...more: SettingName[]) => ({ address, settings: settingsWord(...usual, ...more) });

  test("takes no longer than it must where nobody else sets it up", async () => {
    expect(await restoreAdapter(access, 0, before("Powered"))).toEqual({ outcome: "restored", settings: ["Powered"] });
    expect(await restoreAdapter(access, 0, before("Powered"))).toEqual({ outcome: "unchanged", settings: [] });
    expect(clock.now()).toBe(0);
  });

  test("stays until the settings have stood for a while: what a daemon changes meanwhile is set back, and the while begins anew", async () => {
    clock.setTimer(120, "daemon", () => adapter.clear("Bondable"));
    const given = restoreAdapter(access, 0, before("Powered"), { settleMs: 300 });
    expect(await given).toEqual({ outcome: "restored", settings: ["Powered", "Bondable"] });
    expect(clock.now()).toBe(450); // seen at 150, and then 300 ms of peace
    expect(adapter.has("Bondable")).toBe(true);
  });

  test("ends where somebody takes the adapter, or pulls it out, while its settings are watched", async () => {
    clock.setTimer(120, "another program", () => {
      adapter.taken = "foreign";
    });
    expect(await restoreAdapter(access, 0, before("Powered"), { settleMs: 300, patienceMs: 50 })).toEqual({
      outcome: "in-use",
      settings: ["Powered"],
    });
    adapter.taken = "free";
    clock.setTimer(120, "unplugged", () => kernel.remove(0));
    expect(await restoreAdapter(access, 0, before("Powered"), { settleMs: 300, patienceMs: 50 })).toEqual({
      outcome: "gone",
      settings: [],
    });
  });

  test("watching its settings ends with the caller's signal", async () => {
    const abort = new AbortController();
    clock.setTimer(120, "impatience", () => abort.abort(new Error("enough")));
    await expect(restoreAdapter(access, 0, before("Powered"), { settleMs: 300, signal: abort.signal })).rejects.toThrow("enough");
    expect(clock.now()).toBe(120);
  });

  test("ends after five rounds against somebody who always sets it otherwise, and does not take that for a failure", async () => {
    adapter.set = (name, value) => {
      kernel.log.push(`${name} ${value} undone`);
      return Status.Success;
    };
    expect(await restoreAdapter(access, 0, before("Powered"))).toEqual({ outcome: "restored", settings: Array(5).fill("Powered") });
    expect(kernel.log.filter((line) => line.endsWith("undone"))).toHaveLength(5);
  });

  test("a daemon that never rests is left alone after five rounds too", async () => {
    let timer: Disposable;
    const change = (): void => {
      adapter.clear("Bondable");
      timer = clock.setTimer(100, "daemon", change);
    };
    change();
    const { outcome, settings } = await restoreAdapter(access, 0, before("Powered"), { settleMs: 300 });
    expect(outcome).toBe("restored");
    expect(settings).toEqual(["Bondable", "Powered", "Bondable", "Bondable"]);
    expect(clock.now()).toBe(200);
    timer![Symbol.dispose]();
  });

  test("tells each setting that was refused and is still missing; one that came all the same is not missed", async () => {
    kernel.refusals.push(Status.Busy + 100, Status.Rejected);
    const wanted = before("Powered", "Connectable");
    await expect(restoreAdapter(access, 0, wanted)).rejects.toMatchObject({
      reason: "io",
      message: expect.stringMatching(
        /^hci0 could not be given back as it was: Powered \(setting it on is answered with Rejected\), Connectable \(/,
      ),
    });
    kernel.refusals.push(Status.Failed);
    const { set } = adapter;
    adapter.set = (name, value, seconds) => {
      adapter.current |= settingsWord("Connectable"); // somebody else's doing
      return set.call(adapter, name, value, seconds);
    };
    expect(await restoreAdapter(access, 0, wanted)).toEqual({ outcome: "restored", settings: ["Powered"] });
  });

  test("missing rights end it at the first command, and say so", async () => {
    kernel.permitted = false;
    await expect(restoreAdapter(access, 0, before("Powered", "Connectable"))).rejects.toMatchObject({ reason: "permission" });
    kernel.permitted = true;
    kernel.refusals.push(Status.PermissionDenied);
    await expect(restoreAdapter(access, 0, before("Powered", "Connectable"))).rejects.toMatchObject({ reason: "permission" });
    expect(kernel.log).toEqual([`Connectable on refused with ${Status.PermissionDenied}`]);
  });

  test("a command that is never answered fails after ten seconds, and the others are made all the same", async () => {
    const bondable = commands.setBondable.opcode;
    const { write } = kernel.calls;
    const calls = {
      ...kernel.calls,
      write: (...at: Parameters<typeof write>) => ((at[1][0]! | (at[1][1]! << 8)) === bondable ? at[2] : write(...at)),
    };
    adapter.clear("Bondable");
    await expect(restoreAdapter({ ...access, calls }, 0, before("Powered"))).rejects.toMatchObject({
      reason: "io",
      message: "hci0 could not be given back as it was: Bondable (hci0 did not answer the management command 0x9)",
    });
    expect(clock.now()).toBe(10_000);
    expect(adapter.has("Powered")).toBe(true);
  });

  test("a late answer is not taken for that to the next command of its kind", async () => {
    const set = encodeCommand(commands.setBondable, 0, { bondable: 1 });
    using management = new ManagementSocket(access, 0);
    kernel.silent.add(0);
    await expect(management.command(set)).rejects.toThrow("hci0 did not answer the management command 0x9");
    kernel.answerLate(0); // it succeeded
    kernel.refusals.push(Status.Failed);
    expect(await management.command(set)).toBe(Status.Failed);
  });

  test("a command is repeated while the adapter is busy, for ten seconds", async () => {
    const set = encodeCommand(commands.setBondable, 0, { bondable: 1 });
    using management = new ManagementSocket(access, 0);
    kernel.refusals.push(Status.Busy, Status.Busy);
    expect(await management.command(set)).toBe(Status.Success);
    expect(clock.now()).toBe(10);
    kernel.refusals.push(...Array<number>(5000).fill(Status.Busy));
    expect(await management.command(set)).toBe(Status.Busy);
    expect(clock.now()).toBe(10_010);
  });
});
